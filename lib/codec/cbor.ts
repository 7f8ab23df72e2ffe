/** application/cbor, Content-Format 60: one value (Core TS 1.1.1 7.4.3, appendix C). */
import { CborError, CborReader } from './cbor-reader';
import { writeBoolean, writeBytes, writeFloat, writeInteger, writeText } from './cbor-writer';
import { DecodeError } from './errors';
import { Output } from './output';
import {
  emptyNodes,
  fromBoolean,
  fromBytes,
  fromLink,
  fromNumeric,
  fromString,
  holdsMany,
  singleNode,
  singlePath,
  toWire,
  typeAt,
} from './typed';
import type { ResourceType } from '../lwm2m/types';
import type { Place } from './errors';
import type { Item } from './items';
import type { TypedValue, WireValue } from './typed';
import type { Codec } from './types';

const NAME = 'cbor';
const output = new Output();

/** Reads a whole CBOR payload and turns what is wrong with it into a `DecodeError`. */
export function readCbor<T>(payload: Uint8Array, place: Place, read: (reader: CborReader) => T): T {
  const reader = new CborReader(payload);
  try {
    const result = read(reader);
    reader.end();
    return result;
  } catch (error) {
    if (error instanceof CborError) throw new DecodeError(error.message, { ...place, offset: error.offset });
    throw error;
  }
}

/** The value of a resource from its CBOR item. Object links are text "3:0". */
export function fromCborItem(type: ResourceType | undefined, item: Item, place: Place): TypedValue {
  switch (item.kind) {
    case 'number':
      return fromNumeric(type, item, place);
    case 'time':
      return fromNumeric(type ?? 'time', { value: item.value, whole: false }, place);
    case 'string':
      return type === 'objlnk' ? fromLink(type, item.value, place) : fromString(type, item.value, place);
    case 'bytes':
      // What is kept must not be a view on the payload.
      return fromBytes(type, new Uint8Array(item.value), place);
    case 'boolean':
      return fromBoolean(type, item.value, place);
    case 'null':
    case 'array':
    case 'map':
      throw new DecodeError(`${item.kind} where one value must be`, place);
  }
}

/** A checked value as CBOR; time is a plain integer, which every client reads. */
export function writeWire(to: Output, wire: WireValue): void {
  switch (wire.kind) {
    case 'integer':
      writeInteger(to, wire.value);
      return;
    case 'float':
      writeFloat(to, wire.value);
      return;
    case 'boolean':
      writeBoolean(to, wire.value);
      return;
    case 'bytes':
      writeBytes(to, wire.value);
      return;
    case 'string':
    case 'link':
      writeText(to, wire.value);
  }
}

export const cborCodec: Codec = {
  name: NAME,
  contentFormat: 60,
  aliases: [],
  decode(payload, context) {
    if (payload.length === 0 && holdsMany(context)) return emptyNodes(context, NAME);
    const path = singlePath(context, NAME);
    const place: Place = { path, format: NAME, offset: 0 };
    const item = readCbor(payload, place, (reader) => reader.whole());
    return [{ path: [...path], ...fromCborItem(typeAt(context, path), item, place) }];
  },
  encode(nodes, context) {
    output.clear();
    writeWire(output, toWire(singleNode(nodes, context, NAME), NAME));
    return output.take();
  },
};
