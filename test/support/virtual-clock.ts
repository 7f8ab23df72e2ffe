import type { Clock } from '../../lib/transport/types';

/** Something scheduled on a `VirtualClock`. */
export interface Appointment {
  readonly at: number;
  cancel(): void;
}

interface Entry extends Appointment {
  readonly order: number;
  run: (() => void) | undefined;
}

export interface VirtualClockOptions {
  /** Monotonic milliseconds at the start. Not 0, so that a deadline mistaken for "none" shows. */
  readonly start?: number;
  /** Epoch milliseconds at the start. */
  readonly wall?: number;
}

/** What runs at one instant without time moving on is a loop, not work. */
const MAX_RUNS_PER_INSTANT = 1_000_000;

/**
 * Time that moves only when a test says so. It is a `Clock` itself (one alarm); further owners of an alarm come from
 * `createAlarmOwner`. What is due runs in the order of its time, and of its scheduling where times are equal.
 */
export class VirtualClock implements Clock {
  private time: number;
  private readonly wallOffset: number;
  private readonly heap: Entry[] = [];
  private order = 0;
  private live = 0;
  private readonly own: Clock;

  constructor(options: VirtualClockOptions = {}) {
    this.time = options.start ?? 10_000;
    this.wallOffset = (options.wall ?? Date.UTC(2026, 0, 1)) - this.time;
    this.own = this.createAlarmOwner();
  }

  now(): number {
    return this.time;
  }

  wall(): number {
    return this.time + this.wallOffset;
  }

  alarm(at: number, wake: () => void): void {
    this.own.alarm(at, wake);
  }

  /** How many appointments wait. */
  get pending(): number {
    return this.live;
  }

  /** When the next appointment is due; `Infinity` when none is. */
  next(): number {
    this.dropCancelled();
    return this.heap[0]?.at ?? Infinity;
  }

  /** Another `Clock` on the same time, with an alarm of its own. */
  createAlarmOwner(): Clock {
    let current: Appointment | undefined;
    return {
      now: () => this.now(),
      wall: () => this.wall(),
      alarm: (at, wake) => {
        current?.cancel();
        current = at === Infinity ? undefined : this.schedule(at, wake);
      },
    };
  }

  /** Runs `run` once at `at` (monotonic ms; a time gone by means at the next chance, never at once). */
  schedule(at: number, run: () => void): Appointment {
    if (Number.isNaN(at)) throw new RangeError('an appointment needs a time');
    const entry: Entry = {
      at: Math.max(at, this.time),
      order: this.order,
      run,
      cancel: () => {
        if (entry.run === undefined) return;
        entry.run = undefined;
        this.live -= 1;
      },
    };
    this.order += 1;
    this.live += 1;
    this.push(entry);
    return entry;
  }

  /** Runs `run` in `delay` ms. */
  after(delay: number, run: () => void): Appointment {
    return this.schedule(this.time + delay, run);
  }

  /** Moves on by `ms`, running all that becomes due on the way. Synchronous: promises do not get their turn in between. */
  advance(ms: number): void {
    const end = this.time + ms;
    while (this.next() <= end) this.runInstant();
    this.time = end;
  }

  /** As `advance`, and promises and `setImmediate` get their turn after each instant. */
  async elapse(ms: number): Promise<void> {
    const end = this.time + ms;
    await this.settle();
    while (this.next() <= end) {
      this.runInstant();
      await this.settle();
    }
    this.time = end;
  }

  /**
   * Moves from appointment to appointment until the predicate holds. Returns false when `maxMs` went by, or when nothing
   * is left to wait for, without that.
   */
  async runUntil(predicate: () => boolean, maxMs: number): Promise<boolean> {
    const end = this.time + maxMs;
    await this.settle();
    while (!predicate()) {
      const at = this.next();
      if (at > end) {
        this.time = end;
        return predicate();
      }
      this.runInstant();
      await this.settle();
    }
    return true;
  }

  /** Lets promises and immediates run, and what they schedule for this very instant, until all is quiet. Time stands still. */
  async settle(): Promise<void> {
    for (;;) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (this.next() > this.time) return;
      this.runInstant();
    }
  }

  /** Moves to the next appointment and runs everything due then, in order. */
  private runInstant(): void {
    const at = this.next();
    if (at === Infinity) return;
    this.time = Math.max(this.time, at);
    for (let runs = 0; this.next() <= this.time; runs += 1) {
      if (runs > MAX_RUNS_PER_INSTANT) throw new Error(`time stands still at ${this.time} ms: something reschedules itself for now`);
      const entry = this.pop();
      const run = entry?.run;
      if (entry === undefined || run === undefined) continue;
      entry.run = undefined;
      this.live -= 1;
      run();
    }
  }

  private dropCancelled(): void {
    while (this.heap[0] !== undefined && this.heap[0].run === undefined) this.pop();
  }

  private push(entry: Entry): void {
    const heap = this.heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Entry;
      if (!before(entry, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  private pop(): Entry | undefined {
    const heap = this.heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && before(right, heap[child] as Entry)) child += 1;
      const below = heap[child] as Entry;
      if (!before(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function before(left: Entry, right: Entry): boolean {
  return left.at < right.at || (left.at === right.at && left.order < right.order);
}
