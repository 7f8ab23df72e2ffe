/**
 * DTLS 1.2 as bytes, for tests, written beside `lib/dtls` and not on top of it: its CCM is put together from single AES
 * blocks (RFC 3610), its PRF and record formats are its own.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';

export type AeadName = 'ccm' | 'ccm8' | 'gcm';

/** `cert`: the server proves itself with a key of this type, and the client with a certificate or a raw public key. */
export interface Suite {
  readonly id: number;
  readonly aead: AeadName | 'cbc';
  readonly ecdhe: boolean;
  readonly cert?: 'ec' | 'rsa';
}

/** AES-128-CBC with HMAC-SHA256. */
export const CBC_SUITES: Readonly<Record<string, Suite>> = {
  PSK_CBC: { id: 0x00ae, aead: 'cbc', ecdhe: false },
  ECDHE_PSK_CBC: { id: 0xc037, aead: 'cbc', ecdhe: true },
  ECDHE_ECDSA_CBC: { id: 0xc023, aead: 'cbc', ecdhe: true, cert: 'ec' },
};

export const CERTIFICATE_SUITES: Readonly<Record<string, Suite>> = {
  ECDHE_ECDSA_CCM_8: { id: 0xc0ae, aead: 'ccm8', ecdhe: true, cert: 'ec' },
  ECDHE_ECDSA_CCM: { id: 0xc0ac, aead: 'ccm', ecdhe: true, cert: 'ec' },
  ECDHE_ECDSA_GCM: { id: 0xc02b, aead: 'gcm', ecdhe: true, cert: 'ec' },
  ECDHE_RSA_GCM: { id: 0xc02f, aead: 'gcm', ecdhe: true, cert: 'rsa' },
};

/** Those with pre-shared keys. */
export const SUITES: Readonly<Record<string, Suite>> = {
  PSK_CCM_8: { id: 0xc0a8, aead: 'ccm8', ecdhe: false },
  PSK_CCM: { id: 0xc0a4, aead: 'ccm', ecdhe: false },
  PSK_GCM: { id: 0x00a8, aead: 'gcm', ecdhe: false },
  ECDHE_PSK_CCM_8: { id: 0xd003, aead: 'ccm8', ecdhe: true },
  ECDHE_PSK_CCM: { id: 0xd005, aead: 'ccm', ecdhe: true },
  ECDHE_PSK_GCM: { id: 0xd001, aead: 'gcm', ecdhe: true },
};

export const CCS = 20;
export const ALERT = 21;
export const HANDSHAKE = 22;
export const DATA = 23;
export const CID_RECORD = 25;

export function num(value: number, bytes: number): Buffer {
  const out = Buffer.alloc(bytes);
  for (let at = bytes - 1, rest = value; at >= 0; at -= 1, rest = Math.floor(rest / 256)) out[at] = rest % 256;
  return out;
}

export const lengthed = (bytes: number, ...parts: Uint8Array[]): Buffer => {
  const data = Buffer.concat(parts);
  return Buffer.concat([num(data.length, bytes), data]);
};

const xor = (left: Buffer, right: Buffer): Buffer => Buffer.from(left.map((byte, at) => byte ^ (right[at] ?? 0)));
const padded = (data: Buffer): Buffer => Buffer.concat([data, Buffer.alloc((16 - (data.length % 16)) % 16)]);

/** CCM (RFC 3610) with a 12-byte nonce, out of single AES blocks. Returns ciphertext and tag of plaintext, or the reverse with `decrypt`. */
function ccm(key: Buffer, nonce: Buffer, aad: Buffer, input: Buffer, tagBytes: number): { output: Buffer; mac: (plain: Buffer) => Buffer } {
  const block = (data: Buffer): Buffer => {
    const cipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false);
    return cipher.update(data);
  };
  const stream = (index: number): Buffer => block(Buffer.concat([Buffer.from([2]), nonce, num(index, 3)]));
  const blocks: Buffer[] = [];
  for (let at = 0; at < input.length; at += 16) blocks.push(xor(input.subarray(at, at + 16), stream(1 + at / 16)));
  const mac = (plain: Buffer): Buffer => {
    const flags = (aad.length > 0 ? 64 : 0) + 8 * ((tagBytes - 2) / 2) + 2;
    const first = Buffer.concat([Buffer.from([flags]), nonce, num(plain.length, 3)]);
    const all = Buffer.concat([first, aad.length > 0 ? padded(lengthed(2, aad)) : Buffer.alloc(0), padded(plain)]);
    let sum: Buffer = Buffer.alloc(16);
    for (let at = 0; at < all.length; at += 16) sum = block(xor(sum, all.subarray(at, at + 16)));
    return xor(sum, stream(0)).subarray(0, tagBytes);
  };
  return { output: Buffer.concat(blocks), mac };
}

const tagOf = (aead: AeadName): number => (aead === 'ccm8' ? 8 : 16);

export function sealAead(aead: AeadName, key: Buffer, nonce: Buffer, aad: Buffer, plain: Buffer): Buffer {
  if (aead === 'gcm') {
    const cipher = createCipheriv('aes-128-gcm', key, nonce);
    cipher.setAAD(aad);
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }
  const { output, mac } = ccm(key, nonce, aad, plain, tagOf(aead));
  return Buffer.concat([output, mac(plain)]);
}

/** Throws when the tag is wrong. */
export function openAead(aead: AeadName, key: Buffer, nonce: Buffer, aad: Buffer, sealed: Buffer): Buffer {
  const cut = sealed.length - tagOf(aead);
  if (cut < 0) throw new Error('shorter than its tag');
  if (aead === 'gcm') {
    const decipher = createDecipheriv('aes-128-gcm', key, nonce);
    decipher.setAAD(aad);
    decipher.setAuthTag(sealed.subarray(cut));
    return Buffer.concat([decipher.update(sealed.subarray(0, cut)), decipher.final()]);
  }
  const { output, mac } = ccm(key, nonce, aad, sealed.subarray(0, cut), tagOf(aead));
  if (!mac(output).equals(sealed.subarray(cut))) throw new Error('wrong tag');
  return output;
}

const hmac = (key: Buffer, ...parts: Buffer[]): Buffer => createHmac('sha256', key).update(Buffer.concat(parts)).digest();

export function prf(secret: Buffer, label: string, seed: Buffer, bytes: number): Buffer {
  const whole = Buffer.concat([Buffer.from(label), seed]);
  let out: Buffer = Buffer.alloc(0);
  let a: Buffer = whole;
  while (out.length < bytes) {
    a = hmac(secret, a);
    out = Buffer.concat([out, hmac(secret, a, whole)]);
  }
  return out.subarray(0, bytes);
}

export const sha256 = (data: Buffer): Buffer => createHash('sha256').update(data).digest();

export interface Keys {
  readonly clientKey: Buffer;
  readonly serverKey: Buffer;
  readonly clientIv: Buffer;
  readonly serverIv: Buffer;
  readonly clientMac: Buffer;
  readonly serverMac: Buffer;
}

/** Keys of AEAD suites, or of those with CBC. */
export function keysOf(master: Buffer, clientRandom: Buffer, serverRandom: Buffer, cbc = false): Keys {
  const block = prf(master, 'key expansion', Buffer.concat([serverRandom, clientRandom]), cbc ? 96 : 40);
  const none = Buffer.alloc(0);
  if (cbc) {
    return {
      clientMac: block.subarray(0, 32),
      serverMac: block.subarray(32, 64),
      clientKey: block.subarray(64, 80),
      serverKey: block.subarray(80, 96),
      clientIv: none,
      serverIv: none,
    };
  }
  return {
    clientKey: block.subarray(0, 16),
    serverKey: block.subarray(16, 32),
    clientIv: block.subarray(32, 36),
    serverIv: block.subarray(36, 40),
    clientMac: none,
    serverMac: none,
  };
}

/** Premaster of plain PSK or, with `shared`, of ECDHE_PSK. */
export const premasterOf = (psk: Buffer, shared?: Buffer): Buffer =>
  Buffer.concat([lengthed(2, shared ?? Buffer.alloc(psk.length)), lengthed(2, psk)]);

export function masterOf(premaster: Buffer, clientRandom: Buffer, serverRandom: Buffer, sessionHash?: Buffer): Buffer {
  return sessionHash
    ? prf(premaster, 'extended master secret', sessionHash, 48)
    : prf(premaster, 'master secret', Buffer.concat([clientRandom, serverRandom]), 48);
}

export interface WireRecord {
  readonly type: number;
  readonly version: number;
  readonly epoch: number;
  readonly seq: number;
  readonly cid: Buffer;
  readonly body: Buffer;
}

export function record(type: number, epoch: number, seq: number, body: Buffer, options: { version?: number; cid?: Buffer } = {}): Buffer {
  const { version = 0xfefd, cid = Buffer.alloc(0) } = options;
  return Buffer.concat([num(type, 1), num(version, 2), num(epoch, 2), num(seq, 6), cid, lengthed(2, body)]);
}

/** All records of a datagram. `cidBytes` is the length of the IDs in it. Throws on anything left over. */
export function records(datagram: Buffer, cidBytes = 0): WireRecord[] {
  const found: WireRecord[] = [];
  let at = 0;
  while (at < datagram.length) {
    const type = datagram[at] as number;
    const cidLength = type === CID_RECORD ? cidBytes : 0;
    const lengthAt = at + 11 + cidLength;
    const length = datagram.readUInt16BE(lengthAt);
    const end = lengthAt + 2 + length;
    if (end > datagram.length) throw new Error('a record reaches past its datagram');
    found.push({
      type,
      version: datagram.readUInt16BE(at + 1),
      epoch: datagram.readUInt16BE(at + 3),
      seq: datagram.readUIntBE(at + 5, 6),
      cid: datagram.subarray(at + 11, at + 11 + cidLength),
      body: datagram.subarray(lengthAt + 2, end),
    });
    at = end;
  }
  return found;
}

export interface Side {
  readonly aead: AeadName | 'cbc';
  readonly key: Buffer;
  readonly iv: Buffer;
  /** For CBC. `etm`: encrypt-then-MAC. */
  readonly mac?: Buffer;
  readonly etm?: boolean;
}

/** What may be done otherwise to a record of CBC. */
export interface CbcOptions {
  /** The value of the padding; the bytes are one more. */
  readonly pad?: number;
  /** All of the padding, with the last byte. */
  readonly padBytes?: Buffer;
  readonly spoilMac?: boolean;
  readonly vector?: Buffer;
}

/** Vector, ciphertext and HMAC of RFC 5246 6.2.3.2, or of RFC 7366; `header(n)` is what the HMAC begins with, for n bytes. */
function sealCbc(side: Side, header: (bytes: number) => Buffer, inner: Buffer, options: CbcOptions): Buffer {
  const { etm = false, mac: macKey = Buffer.alloc(32) } = side;
  const { vector = randomBytes(16), spoilMac = false } = options;
  const tag = (data: Buffer, bytes: number): Buffer => {
    const right = hmac(macKey, header(bytes), data);
    if (spoilMac) right[7] = (right[7] as number) ^ 16;
    return right;
  };
  const text = etm ? inner : Buffer.concat([inner, tag(inner, inner.length)]);
  const pad = options.pad ?? 15 - (text.length % 16);
  const padBytes = options.padBytes ?? Buffer.alloc(pad + 1, pad);
  const cipher = createCipheriv('aes-128-cbc', side.key, vector).setAutoPadding(false);
  const sealed = Buffer.concat([vector, cipher.update(Buffer.concat([text, padBytes])), cipher.final()]);
  return etm ? Buffer.concat([sealed, tag(sealed, sealed.length)]) : sealed;
}

/** Throws when anything is wrong. */
function openCbc(side: Side, header: (bytes: number) => Buffer, body: Buffer): Buffer {
  const { etm = false, mac: macKey = Buffer.alloc(32) } = side;
  const sealed = etm ? body.subarray(0, -32) : body;
  if (etm && !hmac(macKey, header(sealed.length), sealed).equals(body.subarray(-32))) throw new Error('wrong HMAC');
  const decipher = createDecipheriv('aes-128-cbc', side.key, sealed.subarray(0, 16)).setAutoPadding(false);
  const text = Buffer.concat([decipher.update(sealed.subarray(16)), decipher.final()]);
  const pad = text.at(-1) as number;
  if (text.subarray(-pad - 1).some((byte) => byte !== pad)) throw new Error('wrong padding');
  const rest = text.subarray(0, -pad - 1);
  if (etm) return rest;
  const content = rest.subarray(0, -32);
  if (!hmac(macKey, header(content.length), content).equals(rest.subarray(-32))) throw new Error('wrong HMAC');
  return content;
}

/** AAD of RFC 5246 6.2.3.3 with the numbers of RFC 6347, or of RFC 9146 5.3 where there is a connection ID. */
function aadOf(type: number, epoch: number, seq: number, cid: Buffer, bytes: number, version: number): Buffer {
  const numbers = Buffer.concat([num(epoch, 2), num(seq, 6)]);
  if (cid.length === 0) return Buffer.concat([numbers, num(type, 1), num(version, 2), num(bytes, 2)]);
  return Buffer.concat([
    Buffer.alloc(8, 0xff),
    Buffer.from([CID_RECORD, cid.length, CID_RECORD]),
    num(version, 2),
    numbers,
    cid,
    num(bytes, 2),
  ]);
}

/** A protected record of epoch 1 (or another). With a connection ID its type goes inside, before `padding` zeros. */
export function protect(
  side: Side,
  type: number,
  seq: number,
  payload: Buffer,
  options: { cid?: Buffer; padding?: number; epoch?: number; explicit?: Buffer; version?: number; cbc?: CbcOptions } = {},
): Buffer {
  const { cid = Buffer.alloc(0), padding = 0, epoch = 1, version = 0xfefd } = options;
  const inner = cid.length > 0 ? Buffer.concat([payload, num(type, 1), Buffer.alloc(padding)]) : payload;
  if (side.aead === 'cbc') {
    const header = (bytes: number): Buffer => aadOf(type, epoch, seq, cid, bytes, version);
    return record(cid.length > 0 ? CID_RECORD : type, epoch, seq, sealCbc(side, header, inner, options.cbc ?? {}), { cid, version });
  }
  const explicit = options.explicit ?? Buffer.concat([num(epoch, 2), num(seq, 6)]);
  const sealed = sealAead(
    side.aead,
    side.key,
    Buffer.concat([side.iv, explicit]),
    aadOf(type, epoch, seq, cid, inner.length, version),
    inner,
  );
  return record(cid.length > 0 ? CID_RECORD : type, epoch, seq, Buffer.concat([explicit, sealed]), { cid, version });
}

/** What a protected record held; throws when it is not authentic. */
export function unprotect(side: Side, found: WireRecord): { type: number; data: Buffer } {
  const { type, epoch, seq, cid, body, version } = found;
  const header = (bytes: number): Buffer => aadOf(type, epoch, seq, cid, bytes, version);
  let inner: Buffer;
  if (side.aead === 'cbc') inner = openCbc(side, header, body);
  else {
    const nonce = Buffer.concat([side.iv, body.subarray(0, 8)]);
    inner = openAead(side.aead, side.key, nonce, header(body.length - 8 - tagOf(side.aead)), body.subarray(8));
  }
  if (type !== CID_RECORD) return { type, data: inner };
  let at = inner.length - 1;
  while (inner[at] === 0) at -= 1;
  return { type: inner[at] as number, data: inner.subarray(0, at) };
}

export interface WireMessage {
  readonly type: number;
  readonly length: number;
  readonly messageSeq: number;
  readonly offset: number;
  readonly data: Buffer;
}

/** A handshake message or, with `offset` and `data`, a fragment that claims to be of one with `length` bytes. */
export function handshake(
  type: number,
  messageSeq: number,
  body: Buffer,
  piece: { offset?: number; data?: Buffer; length?: number } = {},
): Buffer {
  const { offset = 0, data = body, length = body.length } = piece;
  return Buffer.concat([num(type, 1), num(length, 3), num(messageSeq, 2), num(offset, 3), lengthed(3, data)]);
}

export function messages(body: Buffer): WireMessage[] {
  const found: WireMessage[] = [];
  for (let at = 0; at < body.length;) {
    const size = body.readUIntBE(at + 9, 3);
    found.push({
      type: body[at] as number,
      length: body.readUIntBE(at + 1, 3),
      messageSeq: body.readUInt16BE(at + 4),
      offset: body.readUIntBE(at + 6, 3),
      data: body.subarray(at + 12, at + 12 + size),
    });
    at += 12 + size;
  }
  return found;
}

export interface HelloFields {
  version?: number;
  random: Buffer;
  sessionId?: Buffer;
  cookie?: Buffer;
  suites: readonly number[];
  compression?: Buffer;
  /** undefined: no extensions at all. */
  extensions?: readonly (readonly [number, Buffer])[] | undefined;
}

export function clientHello(fields: HelloFields): Buffer {
  const {
    version = 0xfefd,
    random,
    sessionId = Buffer.alloc(0),
    cookie = Buffer.alloc(0),
    suites,
    compression = Buffer.from([0]),
  } = fields;
  const { extensions } = fields;
  return Buffer.concat([
    num(version, 2),
    random,
    lengthed(1, sessionId),
    lengthed(1, cookie),
    lengthed(2, ...suites.map((suite) => num(suite, 2))),
    lengthed(1, compression),
    extensions ? lengthed(2, ...extensions.map(([type, data]) => Buffer.concat([num(type, 2), lengthed(2, data)]))) : Buffer.alloc(0),
  ]);
}

export interface ServerHelloFields {
  readonly version: number;
  readonly random: Buffer;
  readonly sessionId: Buffer;
  readonly suite: number;
  readonly extensions: ReadonlyMap<number, Buffer>;
}

export function parseServerHello(body: Buffer): ServerHelloFields {
  const sessionLength = body[34] as number;
  let at = 35 + sessionLength;
  const suite = body.readUInt16BE(at);
  at += 3;
  const extensions = new Map<number, Buffer>();
  if (at < body.length) {
    at += 2;
    while (at < body.length) {
      const length = body.readUInt16BE(at + 2);
      extensions.set(body.readUInt16BE(at), body.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
  }
  return {
    version: body.readUInt16BE(0),
    random: body.subarray(2, 34),
    sessionId: body.subarray(35, 35 + sessionLength),
    suite,
    extensions,
  };
}
