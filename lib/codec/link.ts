/** application/link-format, Content-Format 40, as the value of a Corelnk resource. Discover and Register read links by lib/lwm2m/link-format. */
import { LinkFormatError, parseLinks } from '../lwm2m/link-format';
import { DecodeError, EncodeError } from './errors';
import { fromString, singleNode, singlePath, toWire, typeAt } from './typed';
import { asBuffer, readUtf8, writeUtf8 } from './utf8';
import type { Codec } from './types';

const NAME = 'link-format';

export const linkCodec: Codec = {
  name: NAME,
  contentFormat: 40,
  aliases: [],
  decode(payload, context) {
    const path = singlePath(context, NAME);
    const text = readUtf8(asBuffer(payload));
    if (text === undefined) throw new DecodeError('the links are not UTF-8', { path, format: NAME, offset: 0 });
    try {
      parseLinks(text);
    } catch (error) {
      if (error instanceof LinkFormatError) throw new DecodeError(error.message, { path, format: NAME, offset: error.offset });
      throw error;
    }
    return [{ path: [...path], ...fromString(typeAt(context, path) ?? 'corelnk', text, { path, format: NAME, offset: 0 }) }];
  },
  encode(nodes, context) {
    const node = singleNode(nodes, context, NAME);
    const wire = toWire(node, NAME);
    if (wire.kind !== 'string') throw new EncodeError('only core links can be written in this format', { path: node.path, format: NAME });
    return writeUtf8(wire.value);
  },
};
