/** A scripted DTLS client: it can send any message at any time, and knows what a right one would be. */
import { createPublicKey, diffieHellman, sign, verify, X509Certificate, type KeyObject } from 'node:crypto';
import type { Peer } from '../../../lib/transport/types';
import type { Random } from '../random';
import { createRandom } from '../random';
import { IDENTITY, KEY, signatureInput, type DtlsGround } from './ground';
import { newKeyPair } from './key-pairs';
import * as wire from './wire';

export interface ClientOptions {
  readonly ground: DtlsGround;
  readonly from?: Peer;
  /** Of `wire.SUITES`, `wire.CERTIFICATE_SUITES` or `wire.CBC_SUITES`. */
  readonly suite?: string;
  readonly identity?: Buffer;
  readonly key?: Buffer;
  /** The connection ID it wants to be sent; undefined: without the extension. */
  readonly cid?: Buffer;
  readonly ems?: boolean;
  /** Whether it offers encrypt-then-MAC; default false. */
  readonly etm?: boolean;
  readonly group?: 23 | 24 | 29;
  /** What it proves itself with: `shown` is a SubjectPublicKeyInfo, or a chain of certificates. */
  readonly own?: { readonly privateKey: KeyObject; readonly shown: Buffer | readonly Buffer[]; readonly scheme?: number };
  /** Numbers of RFC 7250, undefined: without the extension. */
  readonly clientTypes?: readonly number[] | undefined;
  readonly serverTypes?: readonly number[] | undefined;
  /** Signature algorithms it reads; undefined: without the extension. Default ECDSA and RSA with SHA-256. */
  readonly schemes?: readonly number[] | undefined;
  readonly seed?: number;
  readonly extensions?: readonly (readonly [number, Buffer])[];
  /** The session that it wants to go on with. */
  readonly earlier?: { readonly sessionId: Buffer; readonly master: Buffer };
}

let ports = 20_000;

export class ScriptedClient {
  readonly random: Random;
  readonly clientRandom: Buffer;
  readonly options: ClientOptions;
  readonly suite: wire.Suite;
  from: Peer;
  cookie: Buffer = Buffer.alloc(0);
  /** Of records of epoch 0 and of epoch 1. */
  plainSeq = 0;
  seq = 0;
  messageSeq = 0;
  transcript: Buffer = Buffer.alloc(0);
  hello: wire.ServerHelloFields | undefined;
  /** The server's connection ID, when it has one. */
  serverCid: Buffer = Buffer.alloc(0);
  serverPoint: { group: number; point: Buffer } | undefined;
  /** Body of the server's Certificate and of its CertificateRequest. */
  serverCertificate: Buffer | undefined;
  certificateRequest: Buffer | undefined;
  serverSignature: 'none' | 'right' | 'wrong' = 'none';
  /** The server goes on with the earlier session. */
  resumed = false;
  sawDone = false;
  serverFinished: 'none' | 'right' | 'wrong' = 'none';
  keys: wire.Keys | undefined;
  master: Buffer = Buffer.alloc(0);
  readonly alerts: { level: number; description: number; protected: boolean }[] = [];
  readonly data: Buffer[] = [];
  #pair: { privateKey: KeyObject; point: Buffer } | undefined;
  #nextFromServer = 0;
  #pieces: Buffer = Buffer.alloc(0);

  constructor(options: ClientOptions) {
    this.options = options;
    this.random = createRandom(options.seed ?? ports);
    this.clientRandom = this.random.bytes(32);
    const suite = { ...wire.SUITES, ...wire.CERTIFICATE_SUITES, ...wire.CBC_SUITES }[options.suite ?? 'PSK_CCM_8'];
    if (!suite) throw new Error('no such suite');
    this.suite = suite;
    this.from = options.from ?? options.ground.route('198.51.100.1', (ports += 1));
  }

  get ground(): DtlsGround {
    return this.options.ground;
  }

  /** Sends a datagram and takes in what comes back to it. */
  send(...parts: Buffer[]): Buffer[] {
    const answers = this.ground.receive(Buffer.concat(parts), this.from);
    for (const answer of answers) this.take(answer);
    return answers;
  }

  plain(type: number, body: Buffer, options: { seq?: number; version?: number; epoch?: number } = {}): Buffer {
    const { seq = this.plainSeq++, epoch = 0 } = options;
    return wire.record(type, epoch, seq, body, options);
  }

  fields(): wire.HelloFields {
    const { cid, ems = true, etm = false, group = 23, extensions = [], clientTypes, serverTypes } = this.options;
    const schemes = 'schemes' in this.options ? this.options.schemes : [0x0403, 0x0804];
    const list = (numbers: readonly number[], bytes: number): Buffer => wire.lengthed(bytes, ...numbers.map((one) => wire.num(one, bytes)));
    return {
      random: this.clientRandom,
      cookie: this.cookie,
      ...(this.options.earlier && { sessionId: this.options.earlier.sessionId }),
      suites: [this.suite.id, 0x00ff],
      extensions: [
        ...(etm ? [[22, Buffer.alloc(0)] as const] : []),
        ...(ems ? [[23, Buffer.alloc(0)] as const] : []),
        ...(this.suite.ecdhe ? [[10, wire.lengthed(2, wire.num(group, 2))] as const, [11, Buffer.from([1, 0])] as const] : []),
        ...(this.suite.cert && schemes ? [[13, list(schemes, 2)] as const] : []),
        ...(clientTypes ? [[19, list(clientTypes, 1)] as const] : []),
        ...(serverTypes ? [[20, list(serverTypes, 1)] as const] : []),
        ...(cid ? [[54, wire.lengthed(1, cid)] as const] : []),
        ...extensions,
      ],
    };
  }

  helloRecord(change: Partial<wire.HelloFields> = {}, messageSeq = this.cookie.length > 0 ? 1 : 0): Buffer {
    const body = wire.clientHello({ ...this.fields(), ...change });
    const message = wire.handshake(1, messageSeq, body);
    this.transcript = message;
    this.messageSeq = messageSeq + 1;
    this.#nextFromServer = messageSeq;
    return this.plain(wire.HANDSHAKE, message);
  }

  /** Both hellos; afterwards the server has said all of its flight, if it is willing. */
  greet(): this {
    this.send(this.helloRecord());
    this.send(this.helloRecord());
    return this;
  }

  #ownPair(): { privateKey: KeyObject; point: Buffer } {
    if (this.#pair) return this.#pair;
    return (this.#pair = newKeyPair(this.serverPoint?.group ?? 23));
  }

  #shared(): Buffer | undefined {
    if (!this.serverPoint) return undefined;
    const { point, group } = this.serverPoint;
    const jwk =
      group === 29
        ? { kty: 'OKP', crv: 'X25519', x: point.toString('base64url') }
        : {
            kty: 'EC',
            crv: group === 24 ? 'P-384' : 'P-256',
            x: point.toString('base64url', 1, (point.length + 1) / 2),
            y: point.toString('base64url', (point.length + 1) / 2),
          };
    return diffieHellman({ privateKey: this.#ownPair().privateKey, publicKey: createPublicKey({ key: jwk, format: 'jwk' } as never) });
  }

  /** Certificate, with what it has to show or with another body. */
  certificate(change: { body?: Buffer; messageSeq?: number } = {}): Buffer {
    const shown = this.options.own?.shown ?? [];
    const content = Buffer.isBuffer(shown) ? shown : Buffer.concat(shown.map((one) => wire.lengthed(3, one)));
    const message = wire.handshake(11, change.messageSeq ?? 2, change.body ?? wire.lengthed(3, content));
    this.transcript = Buffer.concat([this.transcript, message]);
    return this.plain(wire.HANDSHAKE, message);
  }

  /** ClientKeyExchange, the first time with the keys that follow from it. */
  keyExchange(change: { body?: Buffer; messageSeq?: number } = {}): Buffer {
    const identity = this.suite.cert ? [] : [wire.lengthed(2, this.options.identity ?? IDENTITY)];
    const point = this.serverPoint ? [wire.lengthed(1, this.#ownPair().point)] : [];
    const body = change.body ?? Buffer.concat([...identity, ...point]);
    const messageSeq = change.messageSeq ?? (this.suite.cert ? 3 : 2);
    const message = wire.handshake(16, messageSeq, body);
    if (!this.keys && this.hello) {
      this.transcript = Buffer.concat([this.transcript, message]);
      const shared = this.#shared();
      const premaster = this.suite.cert ? (shared ?? Buffer.alloc(0)) : wire.premasterOf(this.options.key ?? KEY, shared);
      const sessionHash = this.hello.extensions.has(23) ? wire.sha256(this.transcript) : undefined;
      this.master = wire.masterOf(premaster, this.clientRandom, this.hello.random, sessionHash);
      this.keys = wire.keysOf(this.master, this.clientRandom, this.hello.random, this.suite.aead === 'cbc');
    }
    return this.plain(wire.HANDSHAKE, message);
  }

  /** CertificateVerify over all that was said so far. */
  certificateVerify(change: { scheme?: number; privateKey?: KeyObject; signature?: Buffer; messageSeq?: number } = {}): Buffer {
    const { own } = this.options;
    const privateKey = change.privateKey ?? own?.privateKey;
    if (!privateKey) throw new Error('it has no key');
    const scheme = change.scheme ?? own?.scheme ?? (privateKey.asymmetricKeyType === 'rsa' ? 0x0804 : 0x0403);
    const { hash, key } = signatureInput(scheme, privateKey);
    const signature = change.signature ?? sign(hash, this.transcript, key);
    const message = wire.handshake(15, change.messageSeq ?? 4, Buffer.concat([wire.num(scheme, 2), wire.lengthed(2, signature)]));
    this.transcript = Buffer.concat([this.transcript, message]);
    return this.plain(wire.HANDSHAKE, message);
  }

  ccs(): Buffer {
    return this.plain(wire.CCS, Buffer.from([1]));
  }

  get writeSide(): wire.Side {
    return this.side(this.keys?.clientKey, this.keys?.clientIv, this.keys?.clientMac);
  }

  get readSide(): wire.Side {
    return this.side(this.keys?.serverKey, this.keys?.serverIv, this.keys?.serverMac);
  }

  side(key: Buffer = Buffer.alloc(16), iv: Buffer = Buffer.alloc(4), mac: Buffer = Buffer.alloc(32)): wire.Side {
    return { aead: this.suite.aead, key, iv, mac, etm: this.hello?.extensions.has(22) ?? false };
  }

  /** A protected record under the next number, or another. */
  secure(
    type: number,
    body: Buffer,
    options: { seq?: number; cid?: Buffer; padding?: number; epoch?: number; explicit?: Buffer; cbc?: wire.CbcOptions } = {},
  ): Buffer {
    const { seq = this.seq++, cid = this.serverCid } = options;
    return wire.protect(this.writeSide, type, seq, body, { ...options, cid });
  }

  finishedMessage(messageSeq = this.suite.cert ? 5 : 3): Buffer {
    return wire.handshake(20, messageSeq, wire.prf(this.master, 'client finished', wire.sha256(this.transcript), 12));
  }

  finished(options: { seq?: number } = {}): Buffer {
    return this.secure(wire.HANDSHAKE, this.finishedMessage(), options);
  }

  /** The last flight of a handshake that was resumed. */
  resume(): Buffer[] {
    return this.send(this.ccs(), this.secure(wire.HANDSHAKE, this.finishedMessage(this.messageSeq)));
  }

  /** What a later client can go on with. */
  get earlier(): { sessionId: Buffer; master: Buffer } {
    return { sessionId: Buffer.from(this.hello?.sessionId ?? []), master: this.master };
  }

  /** A whole handshake, as a well-behaved client does it. Throws when the server does not play its part. */
  connect(): this {
    this.greet();
    const proof = this.suite.cert ? [this.certificate(), this.keyExchange(), this.certificateVerify()] : [this.keyExchange()];
    this.send(...proof, this.ccs(), this.finished());
    if (this.serverFinished !== 'right') throw new Error(`the handshake did not complete: ${JSON.stringify(this.alerts)}`);
    return this;
  }

  say(text: string | Buffer, options: { seq?: number; padding?: number } = {}): Buffer[] {
    return this.send(this.secure(wire.DATA, Buffer.from(text), options));
  }

  /** Reads a datagram of the server. */
  take(datagram: Buffer): void {
    for (const record of wire.records(datagram, this.options.cid?.length ?? 0)) {
      let { type, body } = { type: record.type, body: record.body };
      if (record.epoch === 1) ({ type, data: body } = wire.unprotect(this.readSide, record));
      if (type === wire.DATA) this.data.push(body);
      if (type === wire.ALERT)
        this.alerts.push({ level: body[0] as number, description: body[1] as number, protected: record.epoch === 1 });
      if (type === wire.HANDSHAKE) for (const message of wire.messages(body)) this.#message(message);
    }
  }

  /** Pieces are taken in their order only. */
  #piece(message: wire.WireMessage): void {
    if (message.messageSeq !== this.#nextFromServer || message.offset !== this.#pieces.length) return;
    this.#pieces = Buffer.concat([this.#pieces, message.data]);
    if (this.#pieces.length < message.length) return;
    const data = this.#pieces;
    this.#pieces = Buffer.alloc(0);
    this.#message({ ...message, offset: 0, data });
  }

  #message(message: wire.WireMessage): void {
    const { type, data, messageSeq } = message;
    if (type === 3) {
      this.cookie = Buffer.from(data.subarray(3, 3 + (data[2] as number)));
      return;
    }
    if (messageSeq < this.#nextFromServer) return;
    if (data.length < message.length) {
      this.#piece(message);
      return;
    }
    this.#nextFromServer = messageSeq + 1;
    if (type === 2) {
      this.hello = wire.parseServerHello(Buffer.from(data));
      this.serverCid = this.hello.extensions.get(54)?.subarray(1) ?? Buffer.alloc(0);
      const { earlier } = this.options;
      if (earlier?.sessionId.equals(this.hello.sessionId)) {
        this.resumed = true;
        this.master = earlier.master;
        this.keys = wire.keysOf(this.master, this.clientRandom, this.hello.random, this.suite.aead === 'cbc');
      }
    }
    if (type === 11) this.serverCertificate = Buffer.from(data);
    if (type === 13) this.certificateRequest = Buffer.from(data);
    if (type === 12 && this.suite.cert) this.#signedKeyExchange(Buffer.from(data));
    else if (type === 12 && this.suite.ecdhe) {
      const hint = data.readUInt16BE(0);
      const at = 2 + hint;
      this.serverPoint = { group: data.readUInt16BE(at + 1), point: Buffer.from(data.subarray(at + 4, at + 4 + (data[at + 3] as number))) };
    }
    if (type === 14) this.sawDone = true;
    if (type === 20 && this.resumed) {
      const expected = wire.prf(this.master, 'server finished', wire.sha256(this.transcript), 12);
      this.serverFinished = expected.equals(data) ? 'right' : 'wrong';
    } else if (type === 20) {
      const own = this.finishedMessage();
      const expected = wire.prf(this.master, 'server finished', wire.sha256(Buffer.concat([this.transcript, own])), 12);
      this.serverFinished = expected.equals(data) ? 'right' : 'wrong';
      return;
    }
    this.transcript = Buffer.concat([this.transcript, wire.handshake(type, messageSeq, data)]);
  }

  /** Parameters and a signature over the randoms and them (RFC 8422 5.4). */
  #signedKeyExchange(data: Buffer): void {
    const end = 4 + (data[3] as number);
    this.serverPoint = { group: data.readUInt16BE(1), point: data.subarray(4, end) };
    const shown = (this.serverCertificate ?? Buffer.alloc(3)).subarray(3);
    const raw = this.hello?.extensions.get(20)?.[0] === 2;
    const publicKey = raw
      ? createPublicKey({ key: shown, format: 'der', type: 'spki' })
      : new X509Certificate(shown.subarray(3, 3 + shown.readUIntBE(0, 3))).publicKey;
    const { hash, key } = signatureInput(data.readUInt16BE(end), publicKey);
    const signed = Buffer.concat([this.clientRandom, this.hello?.random ?? Buffer.alloc(0), data.subarray(0, end)]);
    this.serverSignature = verify(hash, signed, key, data.subarray(end + 4)) ? 'right' : 'wrong';
  }
}
