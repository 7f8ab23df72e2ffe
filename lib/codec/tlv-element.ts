/** The bytes of TLV (Core TS 1.1.1 7.4.4): headers and values, without a thought for paths. */
import { DecodeError, EncodeError } from './errors';
import { shrink } from './numbers';
import { fromNumeric } from './typed';
import { readUtf8 } from './utf8';
import type { ResourceType } from '../lwm2m/types';
import type { Place } from './errors';
import type { Output } from './output';
import type { TypedValue, WireValue } from './typed';

export const TLV = 'tlv';

/** Bits 7-6 of the type byte. */
export const Kind = { objectInstance: 0, resourceInstance: 1, multipleResource: 2, resource: 3 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

export const KIND_NAMES = ['object instance', 'resource instance', 'multiple resource', 'resource'] as const;

/** One element, by offsets in the payload: where its header begins, where its value begins, where it ends. */
export interface Element {
  readonly kind: Kind;
  readonly id: number;
  readonly offset: number;
  readonly from: number;
  readonly to: number;
}

/** Splits the bytes from `from` to before `to` into elements. */
export function readElements(bytes: Buffer, from: number, to: number, path: readonly number[]): Element[] {
  const elements: Element[] = [];
  let at = from;
  while (at < to) {
    const offset = at;
    const type = bytes[offset] ?? 0;
    const idLength = type & 0x20 ? 2 : 1;
    const lengthLength = (type >> 3) & 3;
    const start = offset + 1 + idLength + lengthLength;
    if (start > to) throw new DecodeError('a header is cut off', { path, format: TLV, offset });
    const id = readUint(bytes, offset + 1, idLength);
    const length = lengthLength === 0 ? type & 7 : readUint(bytes, offset + 1 + idLength, lengthLength);
    at = start + length;
    if (at > to) throw new DecodeError(`an element says ${length} bytes, ${to - start} are left`, { path, format: TLV, offset });
    elements.push({ kind: (type >> 6) as Kind, id, offset, from: start, to: at });
  }
  return elements;
}

function readUint(bytes: Buffer, at: number, length: number): number {
  let value = bytes[at] ?? 0;
  for (let i = 1; i < length; i += 1) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}

/** The header, in the shortest form, of an element whose `length` bytes of value are written already. */
export function writeHeader(output: Output, kind: Kind, id: number, length: number, place: Place): void {
  if (length > 0xffffff) throw new EncodeError(`${length} bytes are too long for an element`, place);
  const lengthLength = length < 8 ? 0 : length <= 0xff ? 1 : length <= 0xffff ? 2 : 3;
  if (lengthLength > 0) output.uint(length, lengthLength);
  const idLength = id > 0xff ? 2 : 1;
  output.uint(id, idLength);
  output.byte((kind << 6) | (idLength === 2 ? 0x20 : 0) | (lengthLength << 3) | (lengthLength === 0 ? length : 0));
}

function wrongLength(type: ResourceType, wanted: string, length: number, place: Place): never {
  throw new DecodeError(`${length} bytes where ${type} has ${wanted}`, place);
}

/** The value of one element by its type; without a type it is text where it is printable UTF-8, else opaque. */
export function readValue(type: ResourceType | undefined, bytes: Buffer, { from, to }: Element, place: Place): TypedValue {
  const length = to - from;
  switch (type) {
    case 'integer':
    case 'unsigned':
    case 'time':
      if (length !== 1 && length !== 2 && length !== 4 && length !== 8) wrongLength(type, '1, 2, 4 or 8', length, place);
      return fromNumeric(type, { value: readInteger(bytes, from, length, type === 'unsigned'), whole: true }, place);
    case 'float':
      if (length !== 4 && length !== 8) wrongLength(type, '4 or 8', length, place);
      return { type, value: length === 4 ? bytes.readFloatBE(from) : bytes.readDoubleBE(from) };
    case 'boolean': {
      if (length !== 1) wrongLength(type, '1', length, place);
      const bit = bytes[from] ?? 0;
      if (bit > 1) throw new DecodeError(`the byte ${bit} where a boolean is 0 or 1`, place);
      return { type, value: bit === 1 };
    }
    case 'objlnk':
      if (length !== 4) wrongLength(type, '4', length, place);
      return { type, value: `${bytes.readUInt16BE(from)}:${bytes.readUInt16BE(from + 2)}` };
    case 'opaque':
      return { type, value: copy(bytes, from, to) };
    case 'string':
    case 'corelnk': {
      const text = readUtf8(bytes, from, to);
      if (text === undefined) throw new DecodeError('the text is not UTF-8', place);
      return { type, value: text };
    }
    case 'none':
    case undefined: {
      const text = readUtf8(bytes, from, to);
      return text !== undefined && isPrintable(text) ? { type: 'string', value: text } : { type: 'opaque', value: copy(bytes, from, to) };
    }
  }
}

/** What is kept must not be a view on the payload. */
function copy(bytes: Buffer, from: number, to: number): Uint8Array {
  return new Uint8Array(bytes.subarray(from, to));
}

/** No control characters but tab and line ends. */
function isPrintable(text: string): boolean {
  // eslint-disable-next-line no-control-regex
  return !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/.test(text);
}

/** Big-endian, of 1, 2, 4 or 8 bytes; two's complement unless unsigned. */
function readInteger(bytes: Buffer, from: number, length: number, unsigned: boolean): number | bigint {
  if (length === 8) return shrink(unsigned ? bytes.readBigUInt64BE(from) : bytes.readBigInt64BE(from));
  const value = readUint(bytes, from, length);
  const top = 2 ** (8 * length - 1);
  return unsigned || value < top ? value : value - 2 * top;
}

/** A checked value in its shortest form. */
export function writeValue(output: Output, wire: WireValue): void {
  switch (wire.kind) {
    case 'integer':
      writeInteger(output, wire.value, wire.type === 'unsigned');
      return;
    case 'float':
      if (Object.is(Math.fround(wire.value), wire.value)) output.float32(wire.value);
      else output.float64(wire.value);
      return;
    case 'boolean':
      output.byte(wire.value ? 1 : 0);
      return;
    case 'string':
      output.text(wire.value);
      return;
    case 'bytes':
      output.raw(wire.value);
      return;
    case 'link':
      output.uint(wire.ids[1], 2);
      output.uint(wire.ids[0], 2);
  }
}

/** 1, 2, 4 or 8 bytes, the fewest that hold the number. */
function writeInteger(output: Output, value: number | bigint, unsigned: boolean): void {
  // What counts is the magnitude; a signed number needs one bit more.
  const magnitude = value < 0 ? -1 - Number(value) : Number(value);
  const bits = unsigned ? 0 : 1;
  if (magnitude < 2 ** (8 - bits)) output.byte(Number(value) & 0xff);
  else if (magnitude < 2 ** (16 - bits)) output.uint(Number(value), 2);
  else if (magnitude < 2 ** (32 - bits)) output.uint(Number(value), 4);
  else output.int64(BigInt(value));
}
