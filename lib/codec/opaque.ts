/** application/octet-stream, Content-Format 42: the bytes of one opaque value (Core TS 1.1.1 7.4.2). */
import { EncodeError } from './errors';
import { fromBytes, singleNode, singlePath, toWire, typeAt } from './typed';
import type { Codec } from './types';

const NAME = 'octet-stream';

export const opaqueCodec: Codec = {
  name: NAME,
  contentFormat: 42,
  aliases: [],
  decode(payload, context) {
    const path = singlePath(context, NAME);
    return [{ path: [...path], ...fromBytes(typeAt(context, path), new Uint8Array(payload), { path, format: NAME, offset: 0 }) }];
  },
  encode(nodes, context) {
    const node = singleNode(nodes, context, NAME);
    const wire = toWire(node, NAME);
    if (wire.kind !== 'bytes') throw new EncodeError('only opaque values can be written in this format', { path: node.path, format: NAME });
    return new Uint8Array(wire.value);
  },
};
