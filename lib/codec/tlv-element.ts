/** The bytes of TLV (Core TS 1.1.1 7.4.4): headers and values, without a thought for paths. */
import { DecodeError, EncodeError } from './errors';
import { shrink } from './numbers';
import { fromBytes, fromLink, fromNumeric, fromString, readUtf8, writeUtf8 } from './typed';
import type { ResourceType } from '../lwm2m/types';
import type { Place } from './errors';
import type { TypedValue, WireValue } from './typed';

export const TLV = 'tlv';

/** Bits 7-6 of the type byte. */
export const Kind = { objectInstance: 0, resourceInstance: 1, multipleResource: 2, resource: 3 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

export const KIND_NAMES = ['object instance', 'resource instance', 'multiple resource', 'resource'] as const;

/** One element; `value` is a view on the payload, `offset` where its header begins. */
export interface Element {
  readonly kind: Kind;
  readonly id: number;
  readonly value: Uint8Array;
  readonly offset: number;
  /** Where its value begins. */
  readonly valueOffset: number;
}

/** Splits bytes into elements. `base` is the offset of `bytes` in the payload, for messages. */
export function readElements(bytes: Uint8Array, base: number, path: readonly number[]): Element[] {
  const elements: Element[] = [];
  let at = 0;
  while (at < bytes.length) {
    const offset = base + at;
    const type = bytes[at] ?? 0;
    const idLength = type & 0x20 ? 2 : 1;
    const lengthLength = (type >> 3) & 3;
    const header = 1 + idLength + lengthLength;
    if (at + header > bytes.length) throw new DecodeError('a header is cut off', { path, format: TLV, offset });
    const id = readUint(bytes, at + 1, idLength);
    const length = lengthLength === 0 ? type & 7 : readUint(bytes, at + 1 + idLength, lengthLength);
    const start = at + header;
    if (start + length > bytes.length) {
      throw new DecodeError(`an element says ${length} bytes, ${bytes.length - start} are left`, { path, format: TLV, offset });
    }
    elements.push({ kind: (type >> 6) as Kind, id, value: bytes.subarray(start, start + length), offset, valueOffset: base + start });
    at = start + length;
  }
  return elements;
}

function readUint(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let i = 0; i < length; i += 1) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}

/** One element in the shortest form. */
export function writeElement(kind: Kind, id: number, value: Uint8Array, place: Place): Uint8Array {
  const { length } = value;
  if (length > 0xffffff) throw new EncodeError(`${length} bytes are too long for an element`, place);
  const idLength = id > 0xff ? 2 : 1;
  const lengthLength = length < 8 ? 0 : length <= 0xff ? 1 : length <= 0xffff ? 2 : 3;
  const header = 1 + idLength + lengthLength;
  const bytes = new Uint8Array(header + length);
  bytes[0] = (kind << 6) | (idLength === 2 ? 0x20 : 0) | (lengthLength << 3) | (lengthLength === 0 ? length : 0);
  for (let i = 0; i < idLength; i += 1) bytes[idLength - i] = id >> (8 * i);
  for (let i = 0; i < lengthLength; i += 1) bytes[idLength + lengthLength - i] = length >> (8 * i);
  bytes.set(value, header);
  return bytes;
}

/** The value of one element by its type; without a type it is text where it is printable UTF-8, else opaque. */
export function readValue(type: ResourceType | undefined, bytes: Uint8Array, place: Place): TypedValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wrongLength = (wanted: string): never => {
    throw new DecodeError(`${bytes.length} bytes where ${type ?? ''} has ${wanted}`, place);
  };
  switch (type) {
    case 'integer':
    case 'unsigned':
    case 'time':
      if (![1, 2, 4, 8].includes(bytes.length)) wrongLength('1, 2, 4 or 8');
      return fromNumeric(type, { value: readInteger(view, type === 'unsigned'), whole: true }, place);
    case 'float':
      if (bytes.length !== 4 && bytes.length !== 8) wrongLength('4 or 8');
      return fromNumeric(type, { value: bytes.length === 4 ? view.getFloat32(0) : view.getFloat64(0), whole: false }, place);
    case 'boolean': {
      if (bytes.length !== 1) wrongLength('1');
      const bit = view.getUint8(0);
      if (bit > 1) throw new DecodeError(`the byte ${bit} where a boolean is 0 or 1`, place);
      return { type, value: bit === 1 };
    }
    case 'objlnk':
      if (bytes.length !== 4) wrongLength('4');
      return fromLink(type, `${view.getUint16(0)}:${view.getUint16(2)}`, place);
    case 'opaque':
      return fromBytes(type, new Uint8Array(bytes), place);
    case 'string':
    case 'corelnk': {
      const text = readUtf8(bytes);
      if (text === undefined) throw new DecodeError('the text is not UTF-8', place);
      return fromString(type, text, place);
    }
    case 'none':
    case undefined: {
      const text = readUtf8(bytes);
      return text !== undefined && isPrintable(text)
        ? fromString(undefined, text, place)
        : fromBytes(undefined, new Uint8Array(bytes), place);
    }
  }
}

/** No control characters but tab and line ends. */
function isPrintable(text: string): boolean {
  // eslint-disable-next-line no-control-regex
  return !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/.test(text);
}

function readInteger(view: DataView, unsigned: boolean): number | bigint {
  switch (view.byteLength) {
    case 1:
      return unsigned ? view.getUint8(0) : view.getInt8(0);
    case 2:
      return unsigned ? view.getUint16(0) : view.getInt16(0);
    case 4:
      return unsigned ? view.getUint32(0) : view.getInt32(0);
    default:
      return shrink(unsigned ? view.getBigUint64(0) : view.getBigInt64(0));
  }
}

/** A checked value in its shortest form. */
export function writeValue(wire: WireValue): Uint8Array {
  switch (wire.kind) {
    case 'integer':
      return writeInteger(wire.value, wire.type === 'unsigned');
    case 'float': {
      const single = Object.is(Math.fround(wire.value), wire.value);
      const view = new DataView(new ArrayBuffer(single ? 4 : 8));
      if (single) view.setFloat32(0, wire.value);
      else view.setFloat64(0, wire.value);
      return new Uint8Array(view.buffer);
    }
    case 'boolean':
      return new Uint8Array([wire.value ? 1 : 0]);
    case 'string':
      return writeUtf8(wire.value);
    case 'bytes':
      return wire.value;
    case 'link': {
      const [object, instance] = wire.ids;
      return new Uint8Array([object >> 8, object & 0xff, instance >> 8, instance & 0xff]);
    }
  }
}

/** 1, 2, 4 or 8 bytes, the fewest that hold the number. */
function writeInteger(value: bigint, unsigned: boolean): Uint8Array {
  const fits = (bits: number): boolean => (unsigned ? BigInt.asUintN(bits, value) : BigInt.asIntN(bits, value)) === value;
  const length = [1, 2, 4].find((size) => fits(size * 8)) ?? 8;
  const view = new DataView(new ArrayBuffer(8));
  view.setBigInt64(0, value);
  return new Uint8Array(view.buffer, 8 - length);
}
