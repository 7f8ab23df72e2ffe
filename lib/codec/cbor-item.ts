/**
 * CBOR (RFC 8949) items to and from bytes, all that LwM2M uses. Own code: the readers on npm either cannot be required from CommonJS,
 * or lack chunked strings, a depth limit or exact 64-bit numbers, and what is left is small.
 */
import { parseNumber, shrink } from './numbers';
import { readUtf8, writeUtf8 } from './typed';

export type CborItem =
  | { readonly kind: 'integer'; readonly value: number | bigint }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'null' }
  /** Tags 0 and 1: seconds since 1970. */
  | { readonly kind: 'time'; readonly value: number }
  | { readonly kind: 'array'; readonly items: readonly CborItem[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [CborItem, CborItem])[] };

/** Bytes that are not one CBOR item, or one this server does not take. */
export class CborError extends Error {
  constructor(
    problem: string,
    readonly offset: number,
  ) {
    super(problem);
    this.name = 'CborError';
  }
}

const MAX_DEPTH = 8;
/** Twenty thousand records of a handful of fields each. */
const MAX_ITEMS = 250_000;

/** Bits 7-5 of the first byte (RFC 8949 3.1). */
const Major = { uint: 0, negint: 1, bytes: 2, string: 3, array: 4, map: 5, tag: 6, simple: 7 } as const;
const INDEFINITE = 31;
const BREAK = 0xff;

interface Reader {
  readonly view: DataView;
  at: number;
  items: number;
}

/** The first bytes of an item: `argument` is the value, the length or the tag; a bigint beyond 2^53; undefined for an indefinite length. */
interface Head {
  readonly offset: number;
  readonly major: number;
  readonly info: number;
  readonly argument: number | bigint | undefined;
}

/** Reads exactly one item. Definite and indefinite lengths, any float width, chunked strings. Throws `CborError`. */
export function readCbor(payload: Uint8Array): CborItem {
  const reader: Reader = { view: new DataView(payload.buffer, payload.byteOffset, payload.byteLength), at: 0, items: 0 };
  const item = readItem(reader, 0);
  if (reader.at < payload.length) throw new CborError('bytes are left after the value', reader.at);
  return item;
}

/** Moves on by `length` bytes that must be there; gives where they begin. */
function take(reader: Reader, length: number): number {
  const { at } = reader;
  if (length > reader.view.byteLength - at) throw new CborError('the value is cut off', at);
  reader.at += length;
  return at;
}

function readHead(reader: Reader): Head {
  const offset = take(reader, 1);
  reader.items += 1;
  if (reader.items > MAX_ITEMS) throw new CborError(`more than ${MAX_ITEMS} items`, offset);
  const first = reader.view.getUint8(offset);
  const info = first & 0x1f;
  return { offset, major: first >> 5, info, argument: readArgument(reader, info, offset) };
}

function readArgument(reader: Reader, info: number, offset: number): number | bigint | undefined {
  switch (info) {
    case 24:
      return reader.view.getUint8(take(reader, 1));
    case 25:
      return reader.view.getUint16(take(reader, 2));
    case 26:
      return reader.view.getUint32(take(reader, 4));
    case 27:
      return shrink(reader.view.getBigUint64(take(reader, 8)));
    case 28:
    case 29:
    case 30:
      throw new CborError('a reserved first byte', offset);
    case INDEFINITE:
      return undefined;
    default:
      return info;
  }
}

function readItem(reader: Reader, depth: number): CborItem {
  const head = readHead(reader);
  const { offset, argument } = head;
  if (depth > MAX_DEPTH) throw new CborError(`nested deeper than ${MAX_DEPTH}`, offset);
  switch (head.major) {
    case Major.bytes:
      return { kind: 'bytes', value: new Uint8Array(readBytes(reader, head)) };
    case Major.string: {
      const value = readUtf8(readBytes(reader, head));
      if (value === undefined) throw new CborError('the text is not UTF-8', offset);
      return { kind: 'string', value };
    }
    case Major.array:
      return { kind: 'array', items: readMany(reader, argument, () => readItem(reader, depth + 1)) };
    case Major.map: {
      const readEntry = (): readonly [CborItem, CborItem] => [readItem(reader, depth + 1), readItem(reader, depth + 1)];
      return { kind: 'map', entries: readMany(reader, argument, readEntry) };
    }
    case Major.simple:
      return readSimple(reader, head);
  }
  if (argument === undefined) throw new CborError('a number has no indefinite length', offset);
  if (head.major === Major.tag) return tagged(Number(argument), readItem(reader, depth + 1), offset);
  return { kind: 'integer', value: head.major === Major.uint ? argument : shrink(-1n - BigInt(argument)) };
}

/** The members of an array or map; without a count they end at the break byte. */
function readMany<T>(reader: Reader, count: number | bigint | undefined, readOne: () => T): T[] {
  const members: T[] = [];
  while (count === undefined ? !atBreak(reader) : members.length < count) members.push(readOne());
  return members;
}

/** True past a break byte, which is then behind. */
function atBreak(reader: Reader): boolean {
  if (reader.view.getUint8(take(reader, 1)) === BREAK) return true;
  reader.at -= 1;
  return false;
}

/** A view on the bytes of a string or byte string; one of indefinite length is definite chunks of the same type (RFC 8949 3.2.3). */
function readBytes(reader: Reader, { major, argument }: Head): Uint8Array {
  const { view } = reader;
  if (argument !== undefined) return new Uint8Array(view.buffer, view.byteOffset + take(reader, Number(argument)), Number(argument));
  const chunks: Uint8Array[] = [];
  while (!atBreak(reader)) {
    const chunk = readHead(reader);
    if (chunk.major !== major || chunk.argument === undefined) throw new CborError('a chunk of another type', chunk.offset);
    chunks.push(readBytes(reader, chunk));
  }
  return Buffer.concat(chunks);
}

function readSimple({ view }: Reader, { offset, info }: Head): CborItem {
  switch (info) {
    case 20:
    case 21:
      return { kind: 'boolean', value: info === 21 };
    case 22:
    case 23:
      return { kind: 'null' };
    case 25:
      return { kind: 'float', value: halfFloat(view.getUint16(offset + 1)) };
    case 26:
      return { kind: 'float', value: view.getFloat32(offset + 1) };
    case 27:
      return { kind: 'float', value: view.getFloat64(offset + 1) };
    default:
      throw new CborError('a value was expected', offset);
  }
}

/** IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. */
function halfFloat(bits: number): number {
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/** RFC 8949 3.4: dates, big numbers, decimal fractions (Leshan's base times); other tags say nothing we need. */
function tagged(tag: number, item: CborItem, offset: number): CborItem {
  switch (tag) {
    case 0: {
      const seconds = item.kind === 'string' && item.value.length <= 40 ? Date.parse(item.value) / 1000 : NaN;
      if (!Number.isFinite(seconds)) throw new CborError('a date text was expected', offset);
      return { kind: 'time', value: seconds };
    }
    case 1:
      if (item.kind !== 'integer' && item.kind !== 'float') throw new CborError('a time number was expected', offset);
      return { kind: 'time', value: Number(item.value) };
    case 2:
    case 3: {
      if (item.kind !== 'bytes' || item.value.length > 16) throw new CborError('a big number was expected, of 16 bytes at most', offset);
      const magnitude = BigInt(`0x0${Buffer.from(item.value).toString('hex')}`);
      return { kind: 'integer', value: shrink(tag === 2 ? magnitude : -1n - magnitude) };
    }
    case 4:
      return decimalFraction(item, offset);
    default:
      return item;
  }
}

function decimalFraction(item: CborItem, offset: number): CborItem {
  const [exponent, mantissa] = item.kind === 'array' && item.items.length === 2 ? item.items : [];
  if (exponent?.kind !== 'integer' || mantissa?.kind !== 'integer' || Math.abs(Number(exponent.value)) > 400) {
    throw new CborError('a decimal fraction was expected', offset);
  }
  const numeric = parseNumber(`${mantissa.value}e${exponent.value}`);
  if (!numeric) throw new CborError('a decimal fraction is out of range', offset);
  const { value } = numeric;
  return typeof value === 'bigint' || Number.isInteger(value) ? { kind: 'integer', value } : { kind: 'float', value: value };
}

/** One item in its shortest form, definite lengths, maps in the order given; floats single where that is exact, else double. */
export function writeCbor(item: CborItem): Uint8Array {
  const parts: Uint8Array[] = [];
  writeItem(item, parts);
  return Buffer.concat(parts);
}

function writeItem(item: CborItem, parts: Uint8Array[]): void {
  switch (item.kind) {
    case 'integer':
      parts.push(item.value < 0 ? writeHead(Major.negint, -1n - BigInt(item.value)) : writeHead(Major.uint, item.value));
      return;
    case 'float':
      parts.push(writeFloat(item.value));
      return;
    case 'string': {
      const bytes = writeUtf8(item.value);
      parts.push(writeHead(Major.string, bytes.length), bytes);
      return;
    }
    case 'bytes':
      parts.push(writeHead(Major.bytes, item.value.length), item.value);
      return;
    case 'boolean':
      parts.push(writeHead(Major.simple, item.value ? 21 : 20));
      return;
    case 'null':
      parts.push(writeHead(Major.simple, 22));
      return;
    case 'time':
      parts.push(writeHead(Major.tag, 1));
      writeItem({ kind: Number.isInteger(item.value) ? 'integer' : 'float', value: item.value }, parts);
      return;
    case 'array':
      parts.push(writeHead(Major.array, item.items.length));
      for (const member of item.items) writeItem(member, parts);
      return;
    case 'map':
      parts.push(writeHead(Major.map, item.entries.length));
      for (const [key, value] of item.entries) {
        writeItem(key, parts);
        writeItem(value, parts);
      }
  }
}

function writeHead(major: number, argument: number | bigint): Uint8Array {
  const length = argument < 24 ? 0 : argument < 0x100 ? 1 : argument < 0x10000 ? 2 : argument < 0x100000000 ? 4 : 8;
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt(argument));
  const bytes = new Uint8Array(1 + length);
  bytes.set(new Uint8Array(view.buffer, 8 - length), 1);
  const info = { 0: Number(argument), 1: 24, 2: 25, 4: 26, 8: 27 }[length];
  bytes[0] = (major << 5) | info;
  return bytes;
}

/** Single or double, as Anjay writes: LwM2M asks no client to send half precision, so a small one may not read it. */
function writeFloat(value: number): Uint8Array {
  const single = Object.is(Math.fround(value), value);
  const view = new DataView(new ArrayBuffer(single ? 5 : 9));
  view.setUint8(0, single ? 0xfa : 0xfb);
  if (single) view.setFloat32(1, value);
  else view.setFloat64(1, value);
  return new Uint8Array(view.buffer);
}
