import type { Clock } from '../transport/types';
import { Batch, OVERHEAD, TOUCHED, type Change, type JournalEntry, type JournalRecord, type JournalValue } from './batch';
import { toStoreError } from './errors';
import type { Store, StoreError, StoreOperation } from './types';

export type JournalReport =
  /** Nothing is lost yet: it is tried again after `retryIn` ms. */
  | {
      readonly kind: 'write-failed';
      readonly error: StoreError;
      readonly failures: number;
      readonly pending: number;
      readonly retryIn: number;
    }
  | { readonly kind: 'recovered'; readonly failures: number }
  /** Too much waits to be written: this change will not survive a restart. Once until there is room again. */
  | { readonly kind: 'refused'; readonly key: string; readonly pendingBytes: number }
  /** This value can never be written and was left out. Once a flush. */
  | { readonly kind: 'unwritable'; readonly key: string; readonly error: StoreError };

export interface JournalOptions {
  readonly store: Store;
  /** Goes before all keys, in a store that several share. */
  readonly prefix?: string;
  /** Asked for the record of a key that was touched, when it is written. */
  readonly source?: (key: string) => JournalRecord | undefined;
  /** Its alarm belongs to the journal. */
  readonly clock: Clock;
  /** At most one write begins in this many ms, and what is set waits no longer for one: 500. */
  readonly interval?: number;
  /** Bytes that may wait to be written, about: 64 MiB. Values given lazily count as their key. */
  readonly maxPendingBytes?: number;
  /** A flush of more bytes is written in several batches, each atomic, for LevelDB copies a large one in one go: 4 MiB. */
  readonly maxBatchBytes?: number;
  /** Between two tries, at most, in ms: 60,000. */
  readonly maxBackoff?: number;
  readonly report?: (report: JournalReport) => void;
}

export interface JournalStats {
  /** Changes that wait or are being written, and their bytes. */
  readonly pending: number;
  readonly pendingBytes: number;
  /** Changes written, and in how many flushes. */
  readonly written: number;
  readonly flushes: number;
  /** Flushes that failed; since the last that did not. */
  readonly failures: number;
  readonly failing: number;
  readonly refused: number;
  readonly unwritable: number;
}

/** Without `error` everything that was set before the call is in the store. */
export interface FlushResult {
  readonly error?: StoreError;
}

const INTERVAL = 500;
const MAX_PENDING = 64 * 1024 * 1024;
const MAX_BATCH = 4 * 1024 * 1024;
const MAX_BACKOFF = 60_000;

/**
 * Writes what its owner says behind the owner's back: the owner's memory is the truth, the store follows within about a second.
 * Changes of one key before a write become one; each write is one atomic batch, or several when it is large. What fails is kept and tried again.
 */
export class Journal {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #interval: number;
  readonly #maxPending: number;
  readonly #maxBatch: number;
  readonly #maxBackoff: number;
  readonly #report: (report: JournalReport) => void;
  readonly #source: (key: string) => JournalRecord | undefined;
  readonly #prefix: string;
  #waiting = new Batch();
  #writing: Batch | undefined;
  #write: Promise<StoreError | undefined> | undefined;
  /** Numbers of the last change that was set, and of the last that is in the store with all before it. */
  #set = 0;
  #kept = 0;
  #armed = false;
  #begun = -Infinity;
  #closed = false;
  #full = false;
  #counts = { written: 0, flushes: 0, failures: 0, failing: 0, refused: 0, unwritable: 0 };

  constructor(options: JournalOptions) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#interval = options.interval ?? INTERVAL;
    this.#maxPending = options.maxPendingBytes ?? MAX_PENDING;
    this.#maxBatch = options.maxBatchBytes ?? MAX_BATCH;
    this.#maxBackoff = options.maxBackoff ?? MAX_BACKOFF;
    this.#report = options.report ?? (() => undefined);
    this.#source = options.source ?? (() => undefined);
    this.#prefix = options.prefix ?? '';
  }

  get stats(): JournalStats {
    return {
      pending: this.#waiting.size + (this.#writing?.size ?? 0),
      pendingBytes: this.#pendingBytes,
      ...this.#counts,
    };
  }

  get #pendingBytes(): number {
    return this.#waiting.bytes + (this.#writing?.bytes ?? 0);
  }

  /** `expiresAt` in milliseconds since 1970. False when too much waits, or the journal is closed: then the store keeps what it had. */
  set(key: string, value: JournalValue, expiresAt?: number): boolean {
    const bytes = OVERHEAD + key.length + (value instanceof Uint8Array ? value.length : typeof value === 'string' ? value.length : 0);
    const grown = bytes - this.#waiting.sizeOf(key);
    if (this.#closed || (grown > 0 && this.#pendingBytes + grown > this.#maxPending)) return this.#refuse(key);
    return this.#change(key, { value, expiresAt, bytes });
  }

  /** The record of this key has changed, or is gone: `source` says so when it is written. Costs next to nothing; taken as a removal is. */
  touch(key: string): boolean {
    if (this.#waiting.changes.get(key) === TOUCHED) return true;
    return this.#closed ? this.#refuse(key) : this.#change(key, TOUCHED);
  }

  /** The record of this entry has changed. Costs nothing while it waits to be written; taken as a removal is. */
  note(entry: JournalEntry): boolean {
    if (entry.noted) return true;
    if (this.#closed) return this.#refuse(entry.recordKey());
    this.#waiting.note(entry);
    this.#changed();
    return true;
  }

  /**
   * What is not in the store yet, as operations: for the `exit` handler of the process, where nothing can be written any more but a
   * mark. A change that cannot be written is left out.
   */
  unwritten(): StoreOperation[] {
    const batch = new Batch();
    if (this.#writing) batch.takeOver(this.#writing);
    batch.takeOver(this.#waiting);
    return [...this.#operations(batch)];
  }

  /** Always taken while the journal is open: a removal that is lost would bring back what is gone. */
  remove(key: string): boolean {
    return this.#closed ? this.#refuse(key) : this.#change(key, undefined);
  }

  /** Resolves when everything set before is in the store, or could not be written; for a Deploy or an orderly end. Never rejects. */
  async flush(): Promise<FlushResult> {
    const wanted = this.#set;
    while (this.#kept < wanted) {
      const others = this.#write;
      const error = await (others ?? this.#begin());
      // What somebody else began may not have had it all; a failure counts only when it is ours.
      if (error && !others) return { error };
    }
    return {};
  }

  /** Takes nothing more, and writes once what waits. The store stays open. Never rejects. */
  async close(): Promise<FlushResult> {
    this.#closed = true;
    const result = await this.flush();
    this.#clock.alarm(Infinity, nothing);
    return result;
  }

  #refuse(key: string): false {
    this.#counts.refused += 1;
    if (!this.#full && !this.#closed) this.#tell({ kind: 'refused', key, pendingBytes: this.#pendingBytes });
    this.#full = true;
    return false;
  }

  #change(key: string, change: Change): true {
    this.#waiting.set(key, change);
    this.#changed();
    return true;
  }

  #changed(): void {
    this.#set += 1;
    if (this.#write) return;
    if (!this.#armed) this.#arm(this.#clock.now() + this.#interval);
    // Half full is reason not to wait, unless waiting is what the store needs.
    else if (this.#waiting.bytes > this.#maxPending / 2 && this.#counts.failing === 0) this.#arm(this.#clock.now());
  }

  #arm(at: number): void {
    this.#armed = true;
    this.#clock.alarm(at, this.#wake);
  }

  readonly #wake = (): void => {
    this.#armed = false;
    if (!this.#write && this.#waiting.size > 0) void this.#begin();
  };

  #begin(): Promise<StoreError | undefined> {
    this.#write = this.#writeAll();
    return this.#write;
  }

  async #writeAll(): Promise<StoreError | undefined> {
    const batch = this.#waiting;
    const last = this.#set;
    this.#writing = batch;
    this.#waiting = new Batch();
    this.#begun = this.#clock.now();
    let error: StoreError | undefined;
    try {
      const operations = this.#operations(batch);
      for (const end = { reached: false }; !end.reached;) await this.#store.batch(upTo(operations, this.#maxBatch, end));
    } catch (failure) {
      error = toStoreError(failure);
    }
    this.#writing = undefined;
    this.#write = undefined;
    if (error) this.#keepFor(batch, error);
    else this.#done(batch.size, last);
    return error;
  }

  #done(count: number, last: number): void {
    const { failing } = this.#counts;
    this.#kept = last;
    this.#counts.written += count;
    this.#counts.flushes += 1;
    this.#counts.failing = 0;
    this.#full = false;
    if (this.#waiting.size > 0) this.#arm(Math.max(this.#clock.now(), this.#begun + this.#interval));
    if (failing > 0) this.#tell({ kind: 'recovered', failures: failing });
  }

  /** What could not be written waits again, except where something newer does. */
  #keepFor(batch: Batch, error: StoreError): void {
    batch.takeOver(this.#waiting);
    this.#waiting = batch;
    this.#counts.failures += 1;
    this.#counts.failing += 1;
    const retryIn = Math.min(this.#interval * 2 ** Math.min(this.#counts.failing, 30), this.#maxBackoff);
    if (!this.#closed) this.#arm(this.#clock.now() + retryIn);
    this.#tell({ kind: 'write-failed', error, failures: this.#counts.failing, pending: batch.size, retryIn });
  }

  #operations(batch: Batch): Generator<StoreOperation, void, void> {
    let told = false;
    return batch.operations(this.#prefix, this.#source, (key, error) => {
      this.#counts.unwritable += 1;
      if (!told) this.#tell({ kind: 'unwritable', key, error });
      told = true;
    });
  }

  #tell(report: JournalReport): void {
    try {
      this.#report(report);
    } catch {
      // Whoever listens must not keep the journal from writing.
    }
  }
}

/** Operations until there are enough bytes, or no more; `next` by hand, for a loop would close the generator. */
function* upTo(
  operations: Iterator<StoreOperation, void, void>,
  bytes: number,
  end: { reached: boolean },
): Generator<StoreOperation, void, void> {
  for (let left = bytes; left > 0;) {
    const { done, value } = operations.next();
    if (done) {
      end.reached = true;
      return;
    }
    left -= OVERHEAD + value.key.length + (value.kind === 'put' ? value.value.length : 0);
    yield value;
  }
}

function nothing(): void {
  // An alarm that never rings.
}
