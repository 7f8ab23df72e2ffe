/**
 * How entries lie in the database: two spaces, told apart by the first byte of a key.
 *
 *   e <key>                 -> version (1 byte), expiry (float64, NaN = never), value
 *   t <16 digits> <key>     -> nothing: the entries that have an expiry, in its order
 */
import type { StoreEntry } from './types';

const RECORD_VERSION = 1;
const HEADER_BYTES = 9;
const ENTRY = 0x65;
const TIME = 0x74;
const TIME_DIGITS = 16;

/** The first bytes of all entries, and behind their last. */
export const ENTRY_SPACE = { from: Buffer.of(ENTRY), to: Buffer.of(ENTRY + 1) };
export const TIME_SPACE = { from: Buffer.of(TIME), to: Buffer.of(TIME + 1) };

export function recordKey(key: string): Buffer {
  const record = Buffer.allocUnsafe(1 + Buffer.byteLength(key));
  record[0] = ENTRY;
  record.write(key, 1);
  return record;
}

export function keyOfRecord(record: Buffer): string {
  return record.toString('utf8', 1);
}

/** The end of the range of keys that begin so: UTF-8 has no byte 0xff, so the last one can be counted up. */
export function endOfPrefix(from: Buffer): Buffer {
  const to = Buffer.from(from);
  to[to.length - 1]! += 1;
  return to;
}

export function timeKey(expiresAt: number, key: string): Buffer {
  return Buffer.from(`t${String(expiresAt).padStart(TIME_DIGITS, '0')}${key}`);
}

export function partsOfTimeKey(time: Buffer): { readonly expiresAt: number; readonly key: string } {
  return { expiresAt: Number(time.toString('latin1', 1, 1 + TIME_DIGITS)), key: time.toString('utf8', 1 + TIME_DIGITS) };
}

export function encodeRecord(value: Uint8Array, expiresAt: number | undefined): Buffer {
  const record = Buffer.allocUnsafe(HEADER_BYTES + value.length);
  record[0] = RECORD_VERSION;
  record.writeDoubleBE(expiresAt ?? NaN, 1);
  record.set(value, HEADER_BYTES);
  return record;
}

/** Is this a record that this version can read. */
export function isRecord(record: Buffer): boolean {
  return record.length >= HEADER_BYTES && record[0] === RECORD_VERSION;
}

/** Milliseconds since 1970; undefined for never. */
export function expiryOfRecord(record: Buffer): number | undefined {
  const expiresAt = record.length >= HEADER_BYTES ? record.readDoubleBE(1) : NaN;
  return Number.isNaN(expiresAt) ? undefined : expiresAt;
}

export function entryOfRecord(key: string, record: Buffer): StoreEntry {
  const expiresAt = expiryOfRecord(record);
  return { key, value: record.subarray(HEADER_BYTES), ...(expiresAt !== undefined && { expiresAt }) };
}
