import { hash } from 'node:crypto';
import type { Cipher } from '../constants';
import { Hmac } from './hmac';

/** Bytes of SHA-256. */
const HASH = 32;

/** PRF of TLS 1.2 with P_SHA256 (RFC 5246 5). */
export function prf(secret: Uint8Array, label: string, seed: Uint8Array, length: number): Buffer {
  // A(i) in front of label and seed: what each block is made of.
  const input = Buffer.alloc(HASH + label.length + seed.length);
  input.write(label, HASH, 'latin1');
  input.set(seed, HASH + label.length);
  const out = Buffer.alloc(length);
  const hmac = new Hmac(secret);
  for (let made = 0; made < length; made += HASH) {
    input.write(hmac.of(input.subarray(made === 0 ? HASH : 0, made === 0 ? undefined : HASH)), 'latin1');
    out.write(hmac.of(input), made, 'latin1');
  }
  return out;
}

export function sha256(parts: readonly Uint8Array[]): Buffer {
  return Buffer.from(hash('sha256', Buffer.concat(parts), 'binary'), 'latin1');
}

/** The premaster secret of plain PSK (`shared` undefined, RFC 4279 2) and of ECDHE_PSK (RFC 5489 2). */
export function pskPremaster(psk: Uint8Array, shared?: Uint8Array): Buffer {
  const other = shared ?? Buffer.alloc(psk.length);
  const out = Buffer.alloc(4 + other.length + psk.length);
  out.writeUInt16BE(other.length, 0);
  out.set(other, 2);
  out.writeUInt16BE(psk.length, 2 + other.length);
  out.set(psk, 4 + other.length);
  return out;
}

/** RFC 5246 8.1, or RFC 7627 4 where a session hash is given. */
export function masterSecret(
  premaster: Uint8Array,
  from: { readonly sessionHash: Uint8Array } | { readonly clientRandom: Uint8Array; readonly serverRandom: Uint8Array },
): Buffer {
  if ('sessionHash' in from) return prf(premaster, 'extended master secret', from.sessionHash, 48);
  return prf(premaster, 'master secret', Buffer.concat([from.clientRandom, from.serverRandom]), 48);
}

/** Keys of the records of one side: of 16 bytes, with a salt of 4 for AEAD, or with one of 32 for the HMAC of CBC; what is not used is empty. */
export interface WriteKeys {
  readonly key: Buffer;
  readonly salt: Buffer;
  readonly mac: Buffer;
}

/** The key block (RFC 5246 6.3, RFC 6655 3). */
export function recordKeys(
  cipher: Cipher,
  master: Uint8Array,
  clientRandom: Uint8Array,
  serverRandom: Uint8Array,
): { readonly client: WriteKeys; readonly server: WriteKeys } {
  const [macs, salts] = cipher === 'cbc' ? [HASH, 0] : [0, 4];
  const block = prf(master, 'key expansion', Buffer.concat([serverRandom, clientRandom]), 2 * (macs + 16 + salts));
  const part = (from: number, length: number, side: number): Buffer => block.subarray(from + side * length, from + (side + 1) * length);
  const keys = (side: number): WriteKeys => ({
    mac: part(0, macs, side),
    key: part(2 * macs, 16, side),
    salt: part(2 * macs + 32, salts, side),
  });
  return { client: keys(0), server: keys(1) };
}

/** `verify_data` of a Finished message (RFC 5246 7.4.9). */
export function verifyData(master: Uint8Array, side: 'client' | 'server', transcriptHash: Uint8Array): Buffer {
  return prf(master, `${side} finished`, transcriptHash, 12);
}
