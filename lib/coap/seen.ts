/** Places of one entry in the ring: message id, mark, time (whole ms) and answer. */
const PLACES = 4;
/** What an entry costs beside the bytes of its answer, measured. */
const SEEN_OVERHEAD = 100;

/**
 * The messages of one peer that were seen lately, and what each was answered (RFC 7252 4.5). A ring in one flat array, and
 * answers as latin1 text, a character a byte: an entry takes a third of the memory that objects and Buffers would, one more
 * costs nothing once the ring is full, and finding one is a walk over a few numbers. `mark` tells a repetition from another
 * message under the same id, see `fingerprint`.
 */
export class SeenMessages {
  #ring: (number | string | null)[] = [];
  #oldest = 0;
  #size = 0;
  #bytes = 0;

  get size(): number {
    return this.#size;
  }

  /** What all entries count for. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Where the message stands that was seen after `since` (monotonic ms), the newest first; -1 when there is none. */
  find(mid: number, mark: number, since: number): number {
    const ring = this.#ring;
    let at = this.#end();
    for (let left = this.#size; left > 0; left--) {
      at = (at === 0 ? ring.length : at) - PLACES;
      if (ring[at] === mid && ring[at + 1] === mark) return (ring[at + 2] as number) > since ? at : -1;
    }
    return -1;
  }

  /** The answer of the entry at a place `find` named; null when there is none yet, or nothing to repeat. */
  reply(at: number): Buffer | null {
    const reply = this.#ring[at + 3] as string | null;
    return reply === null ? null : Buffer.from(reply, 'latin1');
  }

  keepReply(at: number, reply: Buffer): void {
    this.#bytes += reply.length - length(this.#ring[at + 3]);
    this.#ring[at + 3] = reply.toString('latin1');
  }

  /** Adds an entry without an answer; when there are `limit` already, in place of the oldest. */
  add(mid: number, mark: number, now: number, limit: number): void {
    if (this.#size >= limit) this.dropOldest();
    const time = Math.ceil(now);
    if (this.#size * PLACES === this.#ring.length) this.#grow();
    const at = this.#end();
    this.#ring[at] = mid;
    this.#ring[at + 1] = mark;
    this.#ring[at + 2] = time;
    this.#size++;
    this.#bytes += SEEN_OVERHEAD;
  }

  dropOldest(): void {
    if (this.#size === 0) return;
    this.#bytes -= SEEN_OVERHEAD + length(this.#ring[this.#oldest + 3]);
    this.#ring[this.#oldest + 3] = null;
    this.#oldest = (this.#oldest + PLACES) % this.#ring.length;
    this.#size--;
  }

  /** Where the next entry goes in a ring that has room. */
  #end(): number {
    const end = this.#oldest + this.#size * PLACES;
    return end >= this.#ring.length ? end - this.#ring.length : end;
  }

  /** Doubles a full ring, which then begins with its oldest entry. By hand, for `push` would make room for four at once. */
  #grow(): void {
    const ring = this.#ring;
    const room = new Array<null>(Math.max(ring.length, PLACES)).fill(null);
    this.#ring = ring.slice(this.#oldest).concat(ring.slice(0, this.#oldest), room);
    this.#oldest = 0;
  }
}

const length = (reply: number | string | null | undefined): number => (typeof reply === 'string' ? reply.length : 0);
