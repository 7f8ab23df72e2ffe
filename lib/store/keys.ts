import type { StoreOperation } from './types';
import { MAX_KEY_BYTES, MAX_VALUE_BYTES, StoreError } from './types';

/** The last millisecond that a Date can hold. */
const LAST_TIME = 8.64e15;
const SURROGATE = /[\ud800-\udfff]/;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Refuses with `BAD_KEY` what is no key. */
export function checkKey(key: string): void {
  // A UTF-16 unit is at most three bytes of UTF-8, so short keys need not be measured.
  if (typeof key !== 'string' || key === '' || (key.length * 3 > MAX_KEY_BYTES && Buffer.byteLength(key) > MAX_KEY_BYTES)) {
    throw new StoreError('BAD_KEY', `A key must be a text of 1 to ${MAX_KEY_BYTES} bytes.`);
  }
  // Half of a surrogate pair would be stored as another character, and two keys become one.
  if (SURROGATE.test(key) && LONE_SURROGATE.test(key)) throw new StoreError('BAD_KEY', 'A key must be well-formed text.');
}

/** Refuses with `BAD_KEY` or `BAD_VALUE` what no backend could keep. */
export function checkOperation(operation: StoreOperation): void {
  checkKey(operation.key);
  if (operation.kind === 'delete') return;
  if (!(operation.value instanceof Uint8Array) || operation.value.length > MAX_VALUE_BYTES) {
    throw new StoreError('BAD_VALUE', `The value of "${operation.key}" must be bytes, at most ${MAX_VALUE_BYTES}.`);
  }
  checkExpiry(operation.key, operation.expiresAt);
}

/** `Infinity` counts as never; anything else must be whole milliseconds since 1970. */
export function checkExpiry(key: string, expiresAt: number | undefined): void {
  if (expiresAt === undefined || expiresAt === Infinity) return;
  if (!Number.isInteger(expiresAt) || expiresAt < 0 || expiresAt > LAST_TIME) {
    throw new StoreError('BAD_VALUE', `The expiry of "${key}" must be whole milliseconds since 1970.`);
  }
}

/** Never is the absence of a time. */
export function expiryOf(expiresAt: number | undefined): number | undefined {
  return expiresAt === Infinity ? undefined : expiresAt;
}

/** The order of UTF-8 bytes, in which every backend hands out its keys. That of UTF-16 differs beyond the basic plane. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x !== y) return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
