/** Sources remembered in each of two generations: what bounds the memory without a timer or a scan. */
const GENERATION = 32_768;

/**
 * Token buckets for any number of keys. A bucket is one number, the time at which it is full again; a full one says
 * nothing, so the oldest can be forgotten. A flood of many keys makes buckets full too early, never empty.
 */
export class Buckets {
  readonly #interval: number;
  readonly #span: number;
  readonly #generation: number;
  #young = new Map<string, number>();
  #old = new Map<string, number>();
  #rotateAt = Infinity;

  /** `rate` is per second, 0 for no limit; `burst` is how many may come at once. */
  constructor(rate: number, burst: number, generation = GENERATION) {
    this.#interval = rate > 0 ? 1000 / rate : 0;
    this.#span = this.#interval * Math.max(1, burst);
    this.#generation = generation;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** Takes one from the bucket; false when it is empty, and then nothing is taken. `now` in monotonic ms. */
  take(key: string, now: number): boolean {
    if (this.#interval === 0) return true;
    const young = this.#young.get(key);
    const known = young ?? this.#old.get(key) ?? now;
    const full = (known > now ? known : now) + this.#interval;
    // A rounding error of sums must not cost a burst its last one.
    if (full - now > this.#span + 1e-6) return false;
    if (young === undefined && this.#young.size >= this.#generation) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, full);
    if (this.#rotateAt === Infinity) this.#rotateAt = now + this.#span;
    return true;
  }

  /** When `advance` has something to forget. */
  deadline(): number {
    return this.#rotateAt;
  }

  /** Forgets a generation that nobody used for the time in which any bucket is full again. */
  advance(now: number): void {
    if (now < this.#rotateAt) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#rotateAt = this.#old.size > 0 ? now + this.#span : Infinity;
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#rotateAt = Infinity;
  }
}

/** What one party can be taken to hold: an IPv4 address, or the /64 of an IPv6 address as its first four groups. */
export function network(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('%', 1)[0]!.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  return groups.slice(0, 4).join(':');
}
