import { EMPTY } from '../bytes';
import { ContentType, MAX_CIPHERTEXT, RECORD_HEADER, VERSION_1_2 } from '../constants';

/** One record as it lies in a datagram; `cid` and `body` are views on it. */
export interface RawRecord {
  readonly type: number;
  readonly version: number;
  readonly epoch: number;
  readonly seq: number;
  /** Empty unless the type is tls12_cid. */
  readonly cid: Buffer;
  readonly body: Buffer;
  /** Where the next record begins. */
  readonly end: number;
}

/**
 * The record at `at`. `cidLength` is that of our connection IDs: a tls12_cid record does not tell (RFC 9146 4). Undefined
 * when no whole record is there; the rest of such a datagram has no meaning.
 */
export function readRecord(datagram: Buffer, at: number, cidLength: number): RawRecord | undefined {
  const type = datagram[at];
  if (type === undefined || type < ContentType.CHANGE_CIPHER_SPEC || type > ContentType.TLS12_CID) return undefined;
  const withCid = type === ContentType.TLS12_CID;
  if (withCid && cidLength === 0) return undefined;
  const header = RECORD_HEADER + (withCid ? cidLength : 0);
  if (datagram.length - at < header) return undefined;
  const length = datagram.readUInt16BE(at + header - 2);
  const end = at + header + length;
  if (end > datagram.length || length > MAX_CIPHERTEXT) return undefined;
  return {
    type,
    version: datagram.readUInt16BE(at + 1),
    epoch: datagram.readUInt16BE(at + 3),
    seq: datagram.readUIntBE(at + 5, 6),
    cid: withCid ? datagram.subarray(at + 11, at + 11 + cidLength) : EMPTY,
    body: datagram.subarray(at + header, end),
    end,
  };
}

/** A record of epoch 0. */
export function plainRecord(type: number, seq: number, payload: Uint8Array, version = VERSION_1_2): Buffer {
  const out = Buffer.allocUnsafe(RECORD_HEADER + payload.length);
  out.writeUInt8(type, 0);
  out.writeUInt16BE(version, 1);
  out.writeUInt16BE(0, 3);
  out.writeUIntBE(seq, 5, 6);
  out.writeUInt16BE(payload.length, 11);
  out.set(payload, RECORD_HEADER);
  return out;
}
