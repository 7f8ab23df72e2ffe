/** A scripted DTLS server with a pre-shared key: right by default, and wrong wherever a test wants it. */
import type { Peer } from '../../../lib/transport/types';
import { createDtlsGround, IDENTITY, KEY, type GroundOptions } from './ground';
import * as wire from './wire';

export class ScriptedServer {
  readonly ground: ReturnType<typeof createDtlsGround>;
  readonly route: Peer;
  readonly random = Buffer.alloc(32, 0x5e);
  attempt = 0;
  plainSeq = 0;
  seq = 0;
  transcript: Buffer = Buffer.alloc(0);
  clientRandom: Buffer = Buffer.alloc(0);
  cookieSeen: Buffer = Buffer.alloc(0);
  helloSeq = -1;
  identity: Buffer = Buffer.alloc(0);
  keys: wire.Keys | undefined;
  master: Buffer = Buffer.alloc(0);
  clientFinished: 'none' | 'right' | 'wrong' = 'none';
  clientCid: Buffer | undefined;
  readonly alerts: number[] = [];
  readonly heard: string[] = [];
  #ems = false;

  constructor(options: GroundOptions = {}) {
    this.ground = createDtlsGround({ suites: ['TLS_PSK_WITH_AES_128_CCM_8'], ...options });
    this.route = this.ground.route('192.0.2.9', 5_684);
  }

  /** Lets our client begin. */
  invite(): this {
    this.attempt = this.ground.core.connect(this.route, { identity: IDENTITY, key: KEY }, this.ground.now);
    this.listen();
    return this;
  }

  /** Reads all our client has sent since. */
  listen(): void {
    for (const { data } of this.ground.sent.splice(0)) this.#take(data);
  }

  /** Sends a datagram to our client and reads what it says to it. */
  say(...records: Buffer[]): void {
    this.ground.receive(Buffer.concat(records), this.route);
    this.listen();
  }

  message(type: number, messageSeq: number, body: Buffer, silent = false): Buffer {
    const message = wire.handshake(type, messageSeq, body);
    if (!silent) this.transcript = Buffer.concat([this.transcript, message]);
    return wire.record(wire.HANDSHAKE, 0, this.plainSeq++, message);
  }

  verifyRequest(cookie: Buffer): Buffer {
    return this.message(3, 0, Buffer.concat([wire.num(0xfeff, 2), wire.lengthed(1, cookie)]), true);
  }

  hello(
    change: {
      version?: number;
      suite?: number;
      compression?: number;
      extensions?: readonly (readonly [number, Buffer])[];
      seq?: number;
    } = {},
  ): Buffer {
    const { version = 0xfefd, suite = 0xc0a8, compression = 0, seq = this.helloSeq } = change;
    const extensions = change.extensions ?? [[23, Buffer.alloc(0)] as const, [0xff01, Buffer.from([0])] as const];
    this.#ems = extensions.some(([type]) => type === 23);
    const list =
      extensions.length > 0
        ? wire.lengthed(2, ...extensions.map(([type, data]) => Buffer.concat([wire.num(type, 2), wire.lengthed(2, data)])))
        : Buffer.alloc(0);
    return this.message(
      2,
      seq,
      Buffer.concat([wire.num(version, 2), this.random, Buffer.from([0]), wire.num(suite, 2), Buffer.from([compression]), list]),
    );
  }

  done(seq = this.helloSeq + 1, body = Buffer.alloc(0)): Buffer {
    return this.message(14, seq, body);
  }

  ccs(): Buffer {
    return wire.record(wire.CCS, 0, this.plainSeq++, Buffer.from([1]));
  }

  secure(type: number, body: Buffer): Buffer {
    if (!this.keys) throw new Error('there are no keys yet');
    return wire.protect({ aead: 'ccm8', key: this.keys.serverKey, iv: this.keys.serverIv }, type, this.seq++, body, {
      ...(this.clientCid && { cid: this.clientCid }),
    });
  }

  finished(messageSeq = this.helloSeq + 2, spoil = 0): Buffer {
    const data = Buffer.from(wire.prf(this.master, 'server finished', wire.sha256(this.transcript), 12));
    data[0] = (data[0] as number) ^ spoil;
    return this.secure(wire.HANDSHAKE, wire.handshake(20, messageSeq, data));
  }

  #take(datagram: Buffer): void {
    for (const record of wire.records(datagram, 0)) {
      if (record.epoch === 1) {
        const side = { aead: 'ccm8' as const, key: this.keys!.clientKey, iv: this.keys!.clientIv };
        const { type, data } = wire.unprotect(side, record);
        if (type === wire.HANDSHAKE) this.#finished(data);
        else if (type === wire.DATA) this.heard.push(data.toString());
        else if (type === wire.ALERT) this.alerts.push(data[1] as number);
      } else if (record.type === wire.ALERT) this.alerts.push(record.body[1] as number);
      else if (record.type === wire.HANDSHAKE) for (const message of wire.messages(record.body)) this.#message(message);
    }
  }

  #finished(data: Buffer): void {
    const [message] = wire.messages(data);
    const expected = wire.prf(this.master, 'client finished', wire.sha256(this.transcript), 12);
    if (this.clientFinished !== 'none') return;
    this.clientFinished = message && expected.equals(message.data) ? 'right' : 'wrong';
    this.transcript = Buffer.concat([this.transcript, data]);
  }

  #message({ type, messageSeq, data }: wire.WireMessage): void {
    if (type === 1) {
      this.helloSeq = messageSeq;
      this.transcript = wire.handshake(1, messageSeq, data);
      this.clientRandom = Buffer.from(data.subarray(2, 34));
      const at = 35 + (data[34] as number);
      this.cookieSeen = Buffer.from(data.subarray(at + 1, at + 1 + (data[at] as number)));
      return;
    }
    if (type !== 16 || this.keys) return;
    this.identity = Buffer.from(data.subarray(2));
    this.transcript = Buffer.concat([this.transcript, wire.handshake(16, messageSeq, data)]);
    const hash = this.#ems ? wire.sha256(this.transcript) : undefined;
    this.master = wire.masterOf(wire.premasterOf(KEY), this.clientRandom, this.random, hash);
    this.keys = wire.keysOf(this.master, this.clientRandom, this.random);
  }
}
