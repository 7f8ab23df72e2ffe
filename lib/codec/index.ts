/** Content formats by their CoAP number (Core TS 1.1.1 7.4, Core TS 1.2 7.4). */
import { cborCodec } from './cbor';
import { DecodeError } from './errors';
import { linkCodec } from './link';
import { lwm2mCborCodec } from './lwm2m-cbor';
import { lwm2mJsonCodec } from './lwm2m-json';
import { opaqueCodec } from './opaque';
import { senmlCborCodec, senmlEtchCborCodec } from './senml-cbor';
import { senmlEtchJsonCodec, senmlJsonCodec } from './senml-json';
import { textCodec } from './text';
import { tlvCodec } from './tlv';
import type { DataNode } from '../lwm2m/types';
import type { Codec, CodecContext } from './types';

export { DecodeError, EncodeError } from './errors';
export type { Codec, CodecContext } from './types';

/** All formats of this server, in no order of preference. */
export const codecs: readonly Codec[] = [
  textCodec,
  linkCodec,
  opaqueCodec,
  cborCodec,
  senmlJsonCodec,
  senmlCborCodec,
  senmlEtchJsonCodec,
  senmlEtchCborCodec,
  tlvCodec,
  lwm2mJsonCodec,
  lwm2mCborCodec,
];

const byNumber = new Map(codecs.flatMap((codec) => [codec.contentFormat, ...codec.aliases].map((number) => [number, codec] as const)));

/** The codec of a Content-Format number, old numbers included; undefined for one this server does not have. */
export function codecFor(contentFormat: number): Codec | undefined {
  return byNumber.get(contentFormat);
}

/**
 * Decodes what a client sent. Without a Content-Format it is text/plain (Core TS 1.1.1 7.4; lwm2m-node-lib never sends one).
 * Throws `DecodeError`, also for a format this server does not have.
 */
export function decodePayload(contentFormat: number | undefined, payload: Uint8Array, context: CodecContext): DataNode[] {
  const codec = codecFor(contentFormat ?? 0);
  if (!codec)
    throw new DecodeError(`the content format ${contentFormat ?? 0} is not supported`, {
      path: context.path,
      format: 'unknown',
      offset: 0,
    });
  return codec.decode(payload, context);
}
