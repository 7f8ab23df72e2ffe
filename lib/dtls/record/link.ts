import { ContentType, MAX_PLAINTEXT, MAX_SEQUENCE, RECORD_HEADER, VERSION_1_2, type CipherSuite } from '../constants';
import { open, seal, tagLength } from '../crypto/aead';
import type { WriteKeys } from '../crypto/prf';
import type { RawRecord } from './codec';
import { ReplayWindow } from './replay';

/** The only epoch with keys: we never renegotiate. */
export const EPOCH = 1;
const EXPLICIT_NONCE = 8;

/** What a protected record held. `newest`: no record with a higher number has come before. */
export interface OpenedRecord {
  readonly type: number;
  readonly data: Buffer;
  readonly newest: boolean;
}

/** Why a record was not opened: `closed` by the limit on failures, `replayed`, `forged` or against the rules of its form. */
export type Refusal = 'quiet' | 'replayed' | 'forged' | 'malformed';

export interface LinkOptions {
  readonly suite: CipherSuite;
  readonly write: WriteKeys;
  readonly read: WriteKeys;
  /** Connection IDs (RFC 9146): `peerCid` goes into our records, `ownCid` is expected in theirs. Empty: none. */
  readonly peerCid: Buffer;
  readonly ownCid: Buffer;
}

/**
 * Failed records from elsewhere than the peer's address that are tried in a row before the link is deaf to such, and how many a second
 * after that: whoever has seen a connection ID can send them.
 */
export const FORGERY_BURST = 64;
export const FORGERY_RATE = 16;
/**
 * The same from the peer's own address, where it takes more to forge one, and where deafness would silence the peer. In ten years these are
 * 2^38 guesses at a tag of 64 bits.
 */
export const HOME_FORGERY_BURST = 1_000;
export const HOME_FORGERY_RATE = 1_000;

/**
 * Both directions of the records of one session: nonces, additional data (RFC 5246 6.2.3.3, RFC 6655 3, RFC 9146 5.3),
 * numbers and the replay window.
 */
export class SecureLink {
  readonly options: LinkOptions;
  readonly window = new ReplayWindow();
  /** The number of the next record to be sent. */
  sendSeq = 0;
  /** How many of our numbers may be used; beyond it nothing is sent until more are reserved. */
  sendLimit = MAX_SEQUENCE;
  /** All records that failed their tag. */
  forged = 0;
  /** When failures are forgotten, as token buckets: the time at which the bucket is full again (monotonic ms). */
  #failuresUntil = -Infinity;
  #homeFailuresUntil = -Infinity;

  constructor(options: LinkOptions) {
    const { suite, write, read, peerCid, ownCid } = options;
    // Slices of the pool would keep 8 KiB of it alive for each session.
    const own = compact([write.key, write.salt, read.key, read.salt, peerCid, ownCid]);
    const [writeKey, writeSalt, readKey, readSalt, toPeer, toUs] = own as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer];
    this.options = {
      suite,
      write: { key: writeKey, salt: writeSalt },
      read: { key: readKey, salt: readSalt },
      peerCid: toPeer,
      ownCid: toUs,
    };
  }

  /** Bytes a record is longer than what it carries. */
  get overhead(): number {
    const { suite, peerCid } = this.options;
    const cid = peerCid.length === 0 ? 0 : peerCid.length + 1;
    return RECORD_HEADER + EXPLICIT_NONCE + tagLength(suite.aead) + cid;
  }

  /** Whether there is a number left to send with. */
  get canSend(): boolean {
    return this.sendSeq < this.sendLimit;
  }

  /** One record around `payload`, under the next number; the caller asks `canSend` before. */
  seal(type: number, payload: Uint8Array): Buffer {
    const { suite, write, peerCid } = this.options;
    const seq = this.sendSeq++;
    const withCid = peerCid.length > 0;
    const nonce = Buffer.allocUnsafe(12);
    nonce.set(write.salt, 0);
    nonce.writeUInt16BE(EPOCH, 4);
    nonce.writeUIntBE(seq, 6, 6);
    const inner = withCid ? Buffer.allocUnsafe(payload.length + 1) : payload;
    if (withCid) {
      inner.set(payload, 0);
      inner[payload.length] = type;
    }
    const additional = additionalData(type, VERSION_1_2, nonce.subarray(4), peerCid, inner.length);
    const sealed = seal(suite.aead, write.key, nonce, inner, additional);
    const header = RECORD_HEADER + peerCid.length;
    const out = Buffer.allocUnsafe(header + EXPLICIT_NONCE + sealed.length);
    out.writeUInt8(withCid ? ContentType.TLS12_CID : type, 0);
    out.writeUInt16BE(VERSION_1_2, 1);
    out.set(nonce.subarray(4), 3);
    out.set(peerCid, 11);
    out.writeUInt16BE(EXPLICIT_NONCE + sealed.length, header - 2);
    out.set(nonce.subarray(4), header);
    out.set(sealed, header + EXPLICIT_NONCE);
    return out;
  }

  #isDeaf(now: number, home: boolean): boolean {
    if (home) return this.#homeFailuresUntil - now > (HOME_FORGERY_BURST * 1000) / HOME_FORGERY_RATE;
    return this.#failuresUntil - now > (FORGERY_BURST * 1000) / FORGERY_RATE;
  }

  /** Takes a record of this link apart; `home`: it came from the peer's address. The window moves only for one that is authentic. */
  open(record: RawRecord, now: number, home: boolean): OpenedRecord | Refusal {
    const { suite, read, ownCid } = this.options;
    const { body } = record;
    // With a connection ID agreed on, records without it are not of this session (RFC 9146 3).
    if (record.type === ContentType.TLS12_CID ? !record.cid.equals(ownCid) : ownCid.length > 0) return 'malformed';
    if (record.epoch !== EPOCH || record.version !== VERSION_1_2) return 'malformed';
    const length = body.length - EXPLICIT_NONCE - tagLength(suite.aead);
    if (length < 0 || length > MAX_PLAINTEXT + 1) return 'malformed';
    if (!this.window.isNew(record.seq)) return 'replayed';
    if (this.#isDeaf(now, home)) return 'quiet';
    const nonce = Buffer.allocUnsafe(12);
    nonce.set(read.salt, 0);
    nonce.set(body.subarray(0, EXPLICIT_NONCE), 4);
    const numbers = Buffer.allocUnsafe(8);
    numbers.writeUInt16BE(record.epoch, 0);
    numbers.writeUIntBE(record.seq, 2, 6);
    const additional = additionalData(record.type, record.version, numbers, record.cid, length);
    const inner = open(suite.aead, read.key, nonce, body.subarray(EXPLICIT_NONCE), additional);
    if (!inner) {
      this.forged++;
      if (home) this.#homeFailuresUntil = Math.max(this.#homeFailuresUntil, now) + 1000 / HOME_FORGERY_RATE;
      else this.#failuresUntil = Math.max(this.#failuresUntil, now) + 1000 / FORGERY_RATE;
      return 'forged';
    }
    const newest = record.seq > this.window.newest;
    this.window.take(record.seq);
    if (record.type !== ContentType.TLS12_CID) return { type: record.type, data: inner, newest };
    // The real type is the last byte that is not zero; what follows it is padding.
    let at = inner.length - 1;
    while (at >= 0 && inner[at] === 0) at--;
    if (at < 0 || at > MAX_PLAINTEXT) return 'malformed';
    return { type: inner[at]!, data: inner.subarray(0, at), newest };
  }
}

/** Copies of all parts in one piece of memory of their own. */
function compact(parts: readonly Buffer[]): Buffer[] {
  const memory = Buffer.alloc(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  return parts.map((part) => {
    const copy = memory.subarray(at, at + part.length);
    copy.set(part);
    at += part.length;
    return copy;
  });
}

/** `numbers` is epoch and sequence number. With a connection ID: RFC 9146 5.3, without: RFC 6347 4.1.2.1. */
function additionalData(type: number, version: number, numbers: Uint8Array, cid: Uint8Array, length: number): Buffer {
  if (cid.length === 0) {
    const out = Buffer.allocUnsafe(13);
    out.set(numbers, 0);
    out.writeUInt8(type, 8);
    out.writeUInt16BE(version, 9);
    out.writeUInt16BE(length, 11);
    return out;
  }
  const out = Buffer.allocUnsafe(23 + cid.length);
  out.fill(0xff, 0, 8);
  out.writeUInt8(ContentType.TLS12_CID, 8);
  out.writeUInt8(cid.length, 9);
  out.writeUInt8(ContentType.TLS12_CID, 10);
  out.writeUInt16BE(version, 11);
  out.set(numbers, 13);
  out.set(cid, 21);
  out.writeUInt16BE(length, 21 + cid.length);
  return out;
}
