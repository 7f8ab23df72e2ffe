import { Buckets, network } from '../transport/rates';
import type { Peer } from '../transport/types';
import type { CoapParams } from './params';

/** What peers that have proven nothing may send: each by itself, and all of one address together. */
export class RateLimits {
  readonly #sources: Buckets;
  readonly #addresses: Buckets;

  constructor(params: CoapParams) {
    this.#sources = new Buckets(params.sourceRate, params.sourceBurst);
    this.#addresses = new Buckets(params.addressRate, params.addressBurst);
  }

  /**
   * Which limit one more datagram would break. The source is asked first: what it sends above its own rate does not
   * count against its neighbours behind the same address.
   */
  exceeded(peer: Peer, now: number): 'source' | 'address' | undefined {
    if (!this.#sources.take(peer.key, now)) return 'source';
    return this.#addresses.take(network(peer.address), now) ? undefined : 'address';
  }

  deadline(): number {
    return Math.min(this.#sources.deadline(), this.#addresses.deadline());
  }

  advance(now: number): void {
    this.#sources.advance(now);
    this.#addresses.advance(now);
  }

  clear(): void {
    this.#sources.clear();
    this.#addresses.clear();
  }
}
