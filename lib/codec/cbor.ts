/** application/cbor, Content-Format 60: one value (Core TS 1.1.1 7.4.3, appendix C). */
import { CborError, readCbor, writeCbor } from './cbor-item';
import { DecodeError } from './errors';
import { shrink } from './numbers';
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
import type { CborItem } from './cbor-item';
import type { Place } from './errors';
import type { TypedValue, WireValue } from './typed';
import type { Codec } from './types';

const NAME = 'cbor';

/** Reads CBOR and turns what is wrong with it into a `DecodeError`. */
export function readCborPayload(payload: Uint8Array, place: Place): CborItem {
  try {
    return readCbor(payload);
  } catch (error) {
    if (error instanceof CborError) throw new DecodeError(error.message, { ...place, offset: error.offset });
    throw error;
  }
}

/** The value of a resource from its CBOR item. Object links are text "3:0". */
export function fromCborItem(type: ResourceType | undefined, item: CborItem, place: Place): TypedValue {
  switch (item.kind) {
    case 'integer':
    case 'float':
      return fromNumeric(type, { value: item.value, whole: item.kind === 'integer' }, place);
    case 'time':
      return fromNumeric(type ?? 'time', { value: item.value, whole: false }, place);
    case 'string':
      return type === 'objlnk' ? fromLink(type, item.value, place) : fromString(type, item.value, place);
    case 'bytes':
      return fromBytes(type, item.value, place);
    case 'boolean':
      return fromBoolean(type, item.value, place);
    case 'null':
    case 'array':
    case 'map':
      throw new DecodeError(`${item.kind} where one value must be`, place);
  }
}

/** A checked value as CBOR; time is a plain integer, which every client reads. */
export function toCborItem(wire: WireValue): CborItem {
  switch (wire.kind) {
    case 'integer':
      return { kind: 'integer', value: shrink(wire.value) };
    case 'float':
    case 'boolean':
    case 'string':
    case 'bytes':
      return wire;
    case 'link':
      return { kind: 'string', value: wire.value };
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
    return [{ path: [...path], ...fromCborItem(typeAt(context, path), readCborPayload(payload, place), place) }];
  },
  encode(nodes, context) {
    return writeCbor(toCborItem(toWire(singleNode(nodes, context, NAME), NAME)));
  },
};
