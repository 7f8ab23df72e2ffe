/** text/plain, Content-Format 0: one value (Core TS 1.1.1 7.4.1, appendix C). */
import { DecodeError, EncodeError } from './errors';
import { parseNumber, plainDecimal } from './numbers';
import { emptyNodes, fromBytes, fromLink, fromNumeric, fromString, holdsMany, singleNode, singlePath, toWire, typeAt } from './typed';
import { asBuffer, readUtf8, writeUtf8 } from './utf8';
import type { ResourceType } from '../lwm2m/types';
import type { Place } from './errors';
import type { TypedValue } from './typed';
import type { Codec } from './types';

const NAME = 'text/plain';
/** Either alphabet, with or without padding: RFC 4648 4 is the rule, JavaScript clients mix them. */
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

/** Bytes of base64 or base64url text, padded or not; undefined when it is neither. */
export function readBase64(text: string): Uint8Array | undefined {
  const digits = text.replace(/={1,2}$/, '').length;
  const padded = digits !== text.length;
  if (!BASE64.test(text) || digits % 4 === 1 || (padded && text.length % 4 !== 0)) return undefined;
  return new Uint8Array(Buffer.from(text, 'base64'));
}

export const textCodec: Codec = {
  name: NAME,
  contentFormat: 0,
  aliases: [],
  decode(payload, context) {
    // An answer of nothing at all: lwm2m-node-lib gives it for an instance, others for a multiple resource without instances.
    if (payload.length === 0 && holdsMany(context)) return emptyNodes(context, NAME);
    const path = singlePath(context, NAME);
    const place: Place = { path, format: NAME, offset: 0 };
    const text = readUtf8(asBuffer(payload));
    if (text === undefined) throw new DecodeError('the text is not UTF-8', place);
    return [{ path: [...path], ...readText(typeAt(context, path), text, place) }];
  },
  encode(nodes, context) {
    const node = singleNode(nodes, context, NAME);
    const wire = toWire(node, NAME);
    switch (wire.kind) {
      case 'float':
        if (!Number.isFinite(wire.value))
          throw new EncodeError(`${wire.value} cannot be written as text`, { path: node.path, format: NAME });
        return writeUtf8(plainDecimal(wire.value));
      case 'boolean':
        return writeUtf8(wire.value ? '1' : '0');
      case 'bytes':
        return writeUtf8(Buffer.from(wire.value).toString('base64'));
      case 'integer':
      case 'string':
      case 'link':
        return writeUtf8(String(wire.value));
    }
  },
};

function readText(type: ResourceType | undefined, text: string, place: Place): TypedValue {
  switch (type) {
    case 'integer':
    case 'unsigned':
    case 'float':
    case 'time': {
      const numeric = parseNumber(text);
      if (!numeric) throw new DecodeError(`${sized(text)} where the type is ${type}`, place);
      return fromNumeric(type, numeric, place);
    }
    case 'boolean':
      // "true" and "false" come from JavaScript clients that print their values (lwm2m-node-lib, coap-node).
      if (text === '1' || text === 'true') return { type, value: true };
      if (text === '0' || text === 'false') return { type, value: false };
      throw new DecodeError(`${sized(text)} where the type is boolean, 0 or 1`, place);
    case 'opaque': {
      const bytes = readBase64(text);
      if (!bytes) throw new DecodeError('the text is not base64, as opaque wants it', place);
      return fromBytes(type, bytes, place);
    }
    case 'objlnk':
      return fromLink(type, text, place);
    case 'string':
    case 'corelnk':
    case undefined:
      return fromString(type, text, place);
    case 'none':
      return fromString(undefined, text, place);
  }
}

/** Without the text itself, which may be secret: what is wrong with a value is logged. */
function sized({ length }: string): string {
  return length === 1 ? 'a text of 1 character' : `a text of ${length} characters`;
}
