/** A place in the heap; `index` is -1 once it has left. */
export interface Deadline<T> {
  at: number;
  readonly item: T;
  index: number;
}

/**
 * A binary heap of deadlines (monotonic ms): one structure for all that waits, instead of a timer each.
 * Adding, moving and removing cost O(log n); equal times leave in no promised order. `Infinity` is never due.
 */
export class Deadlines<T> {
  readonly #heap: Deadline<T>[] = [];

  get size(): number {
    return this.#heap.length;
  }

  add(at: number, item: T): Deadline<T> {
    const entry: Deadline<T> = { at, item, index: this.#heap.length };
    this.#heap.push(entry);
    this.#up(entry.index);
    return entry;
  }

  remove(entry: Deadline<T>): void {
    const { index } = entry;
    if (index < 0 || this.#heap[index] !== entry) return;
    entry.index = -1;
    const last = this.#heap.pop();
    if (!last || last === entry) return;
    this.#place(last, index);
    this.#up(index);
    this.#down(last.index);
  }

  /** Gives an entry that is in the heap another time; one that has left comes back. */
  move(entry: Deadline<T>, at: number): void {
    entry.at = at;
    if (entry.index < 0) {
      entry.index = this.#heap.length;
      this.#heap.push(entry);
    } else this.#down(entry.index);
    this.#up(entry.index);
  }

  /** When the earliest entry is due; `Infinity` when there is none. */
  next(): number {
    return this.#heap[0]?.at ?? Infinity;
  }

  /** Takes out one entry that is due at `now`, the earliest first. */
  takeDue(now: number): T | undefined {
    const first = this.#heap[0];
    if (!first || first.at > now) return undefined;
    this.remove(first);
    return first.item;
  }

  clear(): void {
    for (const entry of this.#heap) entry.index = -1;
    this.#heap.length = 0;
  }

  #place(entry: Deadline<T>, index: number): void {
    this.#heap[index] = entry;
    entry.index = index;
  }

  #up(start: number): void {
    const entry = this.#heap[start]!;
    let index = start;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#heap[parentIndex]!;
      if (parent.at <= entry.at) break;
      this.#place(parent, index);
      index = parentIndex;
    }
    this.#place(entry, index);
  }

  #down(start: number): void {
    const entry = this.#heap[start]!;
    const { length } = this.#heap;
    let index = start;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= length) break;
      const right = childIndex + 1;
      if (right < length && this.#heap[right]!.at < this.#heap[childIndex]!.at) childIndex = right;
      const child = this.#heap[childIndex]!;
      if (child.at >= entry.at) break;
      this.#place(child, index);
      index = childIndex;
    }
    this.#place(entry, index);
  }
}
