import { Reader, written } from '../bytes';
import { HANDSHAKE_HEADER } from '../constants';
import { DecodeError } from '../errors';
import { readExtensions, writeExtensions, type Extensions } from './extensions';

/** A fragment of a handshake message (RFC 6347 4.2.2). */
export interface Fragment {
  readonly type: number;
  /** Of the whole message. */
  readonly length: number;
  readonly messageSeq: number;
  readonly offset: number;
  readonly data: Buffer;
}

/** The fragments of one record, which must fill it. Throws `DecodeError`. */
export function readFragments(record: Buffer): Fragment[] {
  const reader = new Reader(record);
  const fragments: Fragment[] = [];
  do {
    const type = reader.uint(1);
    const length = reader.uint(3);
    const messageSeq = reader.uint(2);
    const offset = reader.uint(3);
    const data = reader.vector(3);
    if (offset + data.length > length) throw new DecodeError('a fragment reaches past its message');
    fragments.push({ type, length, messageSeq, offset, data });
  } while (reader.left > 0);
  return fragments;
}

export function writeFragment(type: number, messageSeq: number, body: Buffer, offset: number, size: number): Buffer {
  const out = Buffer.allocUnsafe(HANDSHAKE_HEADER + size);
  out.writeUInt8(type, 0);
  out.writeUIntBE(body.length, 1, 3);
  out.writeUInt16BE(messageSeq, 4);
  out.writeUIntBE(offset, 6, 3);
  out.writeUIntBE(size, 9, 3);
  body.copy(out, HANDSHAKE_HEADER, offset, offset + size);
  return out;
}

/** The message with its header as if it had never been in pieces: what the transcript is made of (RFC 6347 4.2.6). */
export function wholeMessage(type: number, messageSeq: number, body: Buffer): Buffer {
  return writeFragment(type, messageSeq, body, 0, body.length);
}

export interface ClientHello {
  readonly version: number;
  readonly random: Buffer;
  readonly sessionId: Buffer;
  readonly cookie: Buffer;
  readonly cipherSuites: readonly number[];
  readonly compressionMethods: Buffer;
  readonly extensions: Extensions;
}

/** Throws `DecodeError` on anything RFC 6347 4.2.1 does not allow. */
export function readClientHello(body: Buffer): ClientHello {
  const reader = new Reader(body);
  const version = reader.uint(2);
  const random = reader.take(32);
  const sessionId = reader.vector(1, 0, 32);
  const cookie = reader.vector(1);
  const suites = reader.vector(2, 2);
  if (suites.length % 2 !== 0) throw new DecodeError('half a cipher suite');
  const cipherSuites: number[] = [];
  for (let at = 0; at < suites.length; at += 2) cipherSuites.push(suites.readUInt16BE(at));
  const compressionMethods = reader.vector(1, 1);
  const extensions = readExtensions(reader);
  reader.end();
  return { version, random, sessionId, cookie, cipherSuites, compressionMethods, extensions };
}

export function writeClientHello(hello: ClientHello): Buffer {
  const { version, random, sessionId, cookie, cipherSuites, compressionMethods, extensions } = hello;
  return written((writer) => {
    writer.uint(version, 2).bytes(random).vector(sessionId, 1).vector(cookie, 1);
    const suites = writer.open();
    for (const suite of cipherSuites) writer.uint(suite, 2);
    writer.close(suites).vector(compressionMethods, 1);
    writeExtensions(writer, extensions);
  });
}

export interface ServerHello {
  readonly version: number;
  readonly random: Buffer;
  readonly sessionId: Buffer;
  readonly cipherSuite: number;
  readonly compressionMethod: number;
  readonly extensions: Extensions;
}

export function readServerHello(body: Buffer): ServerHello {
  const reader = new Reader(body);
  const hello = {
    version: reader.uint(2),
    random: reader.take(32),
    sessionId: reader.vector(1, 0, 32),
    cipherSuite: reader.uint(2),
    compressionMethod: reader.uint(1),
    extensions: readExtensions(reader),
  };
  reader.end();
  return hello;
}

export function writeServerHello(hello: ServerHello): Buffer {
  const { version, random, sessionId, cipherSuite, compressionMethod, extensions } = hello;
  return written((writer) => {
    writer.uint(version, 2).bytes(random).vector(sessionId, 1).uint(cipherSuite, 2).uint(compressionMethod, 1);
    writeExtensions(writer, extensions);
  });
}

/** The cookie of a HelloVerifyRequest; its `server_version` says nothing (RFC 6347 4.2.1). */
export function readHelloVerifyRequest(body: Buffer): Buffer {
  const reader = new Reader(body);
  reader.uint(2);
  const cookie = reader.vector(1);
  reader.end();
  return cookie;
}

export function writeHelloVerifyRequest(version: number, cookie: Buffer): Buffer {
  return written((writer) => writer.uint(version, 2).vector(cookie, 1));
}

const NAMED_CURVE = 3;

/** ServerKeyExchange of PSK (RFC 4279 2) or, with a group, of ECDHE_PSK (RFC 5489 2). */
export interface PskServerKeyExchange {
  readonly hint: Buffer;
  readonly ephemeral?: { readonly group: number; readonly point: Buffer } | undefined;
}

export function readPskServerKeyExchange(body: Buffer, withEphemeral: boolean): PskServerKeyExchange {
  const reader = new Reader(body);
  const hint = reader.vector(2);
  let ephemeral: PskServerKeyExchange['ephemeral'];
  if (withEphemeral) {
    if (reader.uint(1) !== NAMED_CURVE) throw new DecodeError('no named curve');
    ephemeral = { group: reader.uint(2), point: reader.vector(1, 1) };
  }
  reader.end();
  return { hint, ephemeral };
}

export function writePskServerKeyExchange({ hint, ephemeral }: PskServerKeyExchange): Buffer {
  return written((writer) => {
    writer.vector(hint, 2);
    if (ephemeral) writer.uint(NAMED_CURVE, 1).uint(ephemeral.group, 2).vector(ephemeral.point, 1);
  });
}

/** ClientKeyExchange of PSK or, with a point, of ECDHE_PSK. */
export interface PskClientKeyExchange {
  readonly identity: Buffer;
  readonly point?: Buffer | undefined;
}

export function readPskClientKeyExchange(body: Buffer, withPoint: boolean): PskClientKeyExchange {
  const reader = new Reader(body);
  const identity = reader.vector(2);
  const point = withPoint ? reader.vector(1, 1) : undefined;
  reader.end();
  return { identity, point };
}

export function writePskClientKeyExchange({ identity, point }: PskClientKeyExchange): Buffer {
  return written((writer) => {
    writer.vector(identity, 2);
    if (point) writer.vector(point, 1);
  });
}

export interface Alert {
  readonly level: number;
  readonly description: number;
}

/** Undefined when it is no alert. */
export function readAlert(data: Buffer): Alert | undefined {
  return data.length === 2 ? { level: data[0]!, description: data[1]! } : undefined;
}
