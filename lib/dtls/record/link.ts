import { ContentType, MAX_PLAINTEXT, MAX_SEQUENCE, RECORD_HEADER, VERSION_1_2, type CipherSuite } from '../constants';
import { open, seal, tagLength } from '../crypto/aead';
import { CBC_OVERHEAD, openCbc, sealCbc } from '../crypto/cbc';
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
  /** RFC 7366; for CBC only. */
  readonly encryptThenMac: boolean;
  readonly write: WriteKeys;
  readonly read: WriteKeys;
  /** Connection IDs (RFC 9146): `peerCid` goes into our records, `ownCid` is expected in theirs. Empty: none. */
  readonly peerCid: Buffer;
  readonly ownCid: Buffer;
  /** The largest plaintext that the peer takes in a record (RFC 6066 4, RFC 8449 4); default all there can be. */
  readonly recordSize?: number;
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
  readonly options: Required<LinkOptions>;
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
    const { suite, encryptThenMac, write, read, peerCid, ownCid, recordSize = MAX_PLAINTEXT } = options;
    // Slices of the pool would keep 8 KiB of it alive for each session.
    const own = compact([write.key, write.salt, write.mac, read.key, read.salt, read.mac, peerCid, ownCid]);
    const part = (index: number): Buffer => own[index]!;
    this.options = {
      suite,
      encryptThenMac,
      write: { key: part(0), salt: part(1), mac: part(2) },
      read: { key: part(3), salt: part(4), mac: part(5) },
      peerCid: part(6),
      ownCid: part(7),
      recordSize,
    };
  }

  /** The most that a record of ours may carry: the type that stands beside it under a connection ID counts (RFC 8449 4, RFC 9146 4). */
  get maxData(): number {
    const { recordSize, peerCid } = this.options;
    return recordSize - (peerCid.length === 0 ? 0 : 1);
  }

  /** Bytes a record is longer than what it carries, at most: with CBC it depends. */
  get overhead(): number {
    const { suite, peerCid } = this.options;
    const cid = peerCid.length === 0 ? 0 : peerCid.length + 1;
    return RECORD_HEADER + cid + (suite.cipher === 'cbc' ? CBC_OVERHEAD : EXPLICIT_NONCE + tagLength(suite.cipher));
  }

  /** Whether there is a number left to send with. */
  get canSend(): boolean {
    return this.sendSeq < this.sendLimit;
  }

  /** One record around `payload`, under the next number; the caller asks `canSend` before. */
  seal(type: number, payload: Uint8Array): Buffer {
    const { suite, peerCid } = this.options;
    const numbers = numbersOf(EPOCH, this.sendSeq++);
    const withCid = peerCid.length > 0;
    const inner = withCid ? Buffer.allocUnsafe(payload.length + 1) : payload;
    if (withCid) {
      inner.set(payload, 0);
      inner[payload.length] = type;
    }
    const body = this.#sealBody(type, numbers, inner);
    const header = RECORD_HEADER + peerCid.length;
    const explicit = suite.cipher === 'cbc' ? 0 : EXPLICIT_NONCE;
    const out = Buffer.allocUnsafe(header + explicit + body.length);
    out.writeUInt8(withCid ? ContentType.TLS12_CID : type, 0);
    out.writeUInt16BE(VERSION_1_2, 1);
    out.set(numbers, 3);
    out.set(peerCid, 11);
    out.writeUInt16BE(explicit + body.length, header - 2);
    if (explicit > 0) out.set(numbers, header);
    out.set(body, header + explicit);
    return out;
  }

  #sealBody(type: number, numbers: Buffer, inner: Uint8Array): Buffer {
    const { suite, write, peerCid, encryptThenMac } = this.options;
    const additional = additionalData(type, VERSION_1_2, numbers, peerCid, inner.length);
    if (suite.cipher === 'cbc') return sealCbc({ ...write, encryptThenMac }, additional, inner);
    return seal(suite.cipher, write.key, nonceOf(write.salt, numbers), inner, additional);
  }

  #isDeaf(now: number, home: boolean): boolean {
    if (home) return this.#homeFailuresUntil - now > (HOME_FORGERY_BURST * 1000) / HOME_FORGERY_RATE;
    return this.#failuresUntil - now > (FORGERY_BURST * 1000) / FORGERY_RATE;
  }

  /** Takes a record of this link apart; `home`: it came from the peer's address. The window moves only for one that is authentic. */
  open(record: RawRecord, now: number, home: boolean): OpenedRecord | Refusal {
    const { suite, ownCid } = this.options;
    // With a connection ID agreed on, records without it are not of this session (RFC 9146 3).
    if (record.type === ContentType.TLS12_CID ? !record.cid.equals(ownCid) : ownCid.length > 0) return 'malformed';
    if (record.epoch !== EPOCH || record.version !== VERSION_1_2) return 'malformed';
    if (suite.cipher !== 'cbc' && record.body.length < EXPLICIT_NONCE + tagLength(suite.cipher)) return 'malformed';
    if (!this.window.isNew(record.seq)) return 'replayed';
    if (this.#isDeaf(now, home)) return 'quiet';
    const inner = this.#openBody(record);
    if (!inner) {
      this.forged++;
      if (home) this.#homeFailuresUntil = Math.max(this.#homeFailuresUntil, now) + 1000 / HOME_FORGERY_RATE;
      else this.#failuresUntil = Math.max(this.#failuresUntil, now) + 1000 / FORGERY_RATE;
      return 'forged';
    }
    const newest = record.seq > this.window.newest;
    this.window.take(record.seq);
    if (record.type !== ContentType.TLS12_CID) {
      return inner.length > MAX_PLAINTEXT ? 'malformed' : { type: record.type, data: inner, newest };
    }
    // The real type is the last byte that is not zero; what follows it is padding.
    let at = inner.length - 1;
    while (at >= 0 && inner[at] === 0) at--;
    if (at < 0 || at > MAX_PLAINTEXT) return 'malformed';
    return { type: inner[at]!, data: inner.subarray(0, at), newest };
  }

  #openBody({ type, version, epoch, seq, cid, body }: RawRecord): Buffer | undefined {
    const { suite, read, encryptThenMac } = this.options;
    const numbers = numbersOf(epoch, seq);
    if (suite.cipher === 'cbc') return openCbc({ ...read, encryptThenMac }, additionalData(type, version, numbers, cid, 0), body);
    const additional = additionalData(type, version, numbers, cid, body.length - EXPLICIT_NONCE - tagLength(suite.cipher));
    const nonce = nonceOf(read.salt, body.subarray(0, EXPLICIT_NONCE));
    return open(suite.cipher, read.key, nonce, body.subarray(EXPLICIT_NONCE), additional);
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

function numbersOf(epoch: number, seq: number): Buffer {
  const numbers = Buffer.allocUnsafe(8);
  numbers.writeUInt16BE(epoch, 0);
  numbers.writeUIntBE(seq, 2, 6);
  return numbers;
}

function nonceOf(salt: Buffer, explicit: Buffer): Buffer {
  const nonce = Buffer.allocUnsafe(12);
  nonce.set(salt, 0);
  nonce.set(explicit, 4);
  return nonce;
}

/**
 * What is authenticated beside the text; `numbers` is epoch and sequence number. With a connection ID: RFC 9146 5, without: RFC 5246
 * 6.2.3.1 and 6.2.3.3, RFC 6347 4.1.2.1.
 */
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
