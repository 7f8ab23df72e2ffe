import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Random } from '../transport/random';
import type { Peer } from '../transport/types';

const TIME_BYTES = 4;
const MAC_BYTES = 8;

/**
 * Echo values that show, without anything being kept for a stranger, that it received what was sent to its address: the
 * time and a code over it and the address (RFC 9175 2.3, appendix A).
 */
export class EchoChallenge {
  readonly #secret: Uint8Array;
  readonly #lifetime: number;

  /** `lifetime` of a value, ms. */
  constructor(random: Random, lifetime: number) {
    this.#secret = random.bytes(32);
    this.#lifetime = lifetime;
  }

  /** The value this peer is to send back. `now` in monotonic ms. */
  value(peer: Peer, now: number): Buffer {
    const time = Buffer.alloc(TIME_BYTES);
    time.writeUInt32BE(Math.floor(now / 1000) >>> 0);
    return Buffer.concat([time, this.#code(peer, time)]);
  }

  /** Whether this is a value that this peer was given, and not too long ago. */
  isFresh(peer: Peer, value: Uint8Array | undefined, now: number): boolean {
    if (value?.length !== TIME_BYTES + MAC_BYTES) return false;
    const time = Buffer.from(value.subarray(0, TIME_BYTES));
    const age = (Math.floor(now / 1000) - time.readUInt32BE()) >>> 0;
    return age * 1000 < this.#lifetime && timingSafeEqual(value.subarray(TIME_BYTES), this.#code(peer, time));
  }

  #code(peer: Peer, time: Buffer): Buffer {
    return createHmac('sha256', this.#secret).update(time).update(peer.key).digest().subarray(0, MAC_BYTES);
  }
}
