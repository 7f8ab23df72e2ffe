import { encodeValue } from './codec';
import { toStoreError } from './errors';
import { checkOperation } from './keys';
import type { StoreError, StoreOperation } from './types';

/**
 * What an entry holds: bytes, plain data that is encoded when it is written (`encodeValue`), or a function that gives either then,
 * so that `set` costs next to nothing. What changes between `set` and the write is written as it is by then.
 */
export type JournalValue = Uint8Array | string | number | boolean | object | null | (() => unknown);

/** What an owner says is to be kept under a key; undefined = nothing any more. */
export interface JournalRecord {
  /** Bytes or plain data, see `JournalValue`. */
  readonly value: unknown;
  /** Milliseconds since 1970. */
  readonly expiresAt?: number | undefined;
}

/**
 * What changes with each message: noted by a mark on itself, so that noting it again costs nothing, and asked for its key and its
 * plain data when they are written; undefined = not to be written.
 */
export interface JournalEntry {
  /** Waits to be written; the journal's own. */
  noted: boolean;
  recordKey(): string;
  record(): unknown;
}

interface Put {
  readonly value: JournalValue;
  readonly expiresAt: number | undefined;
  readonly bytes: number;
}
/** To be asked for when it is written. */
export const TOUCHED = 'touched';
/** Undefined stands for a removal. */
export type Change = Put | typeof TOUCHED | undefined;

/** What a change costs besides its texts and bytes. */
export const OVERHEAD = 128;

/** What waits for one write: changes by key, and entries that were noted. */
export class Batch {
  readonly changes = new Map<string, Change>();
  readonly #entries: JournalEntry[] = [];
  /** Entries that were asked for their record; from then on they are noted anew, for the next batch. */
  #asked = 0;
  #bytes = 0;

  get size(): number {
    return this.changes.size + this.#entries.length;
  }

  /** About what it holds in memory. */
  get bytes(): number {
    return this.#bytes + OVERHEAD * this.#entries.length;
  }

  /** What the key holds so far. */
  sizeOf(key: string): number {
    const change = this.changes.get(key);
    return change === undefined && !this.changes.has(key) ? 0 : bytesOfChange(key, change);
  }

  set(key: string, change: Change): void {
    this.#bytes += bytesOfChange(key, change) - this.sizeOf(key);
    this.changes.set(key, change);
  }

  note(entry: JournalEntry): void {
    entry.noted = true;
    this.#entries.push(entry);
  }

  /** Adds what came later, in its place; what was asked for already is to be asked for again. */
  takeOver(later: Batch): void {
    for (const [key, change] of later.changes) this.set(key, change);
    const known = new Set(this.#entries);
    for (const entry of later.#entries) if (!known.has(entry)) this.#entries.push(entry);
    for (const entry of this.#entries) entry.noted = true;
    this.#asked = 0;
  }

  /**
   * For the store, one by one as it takes them. Entries come behind the changes: one that was removed may be back as another.
   * `unwritable` hears of what can never be written, which is left out.
   */
  *operations(
    prefix: string,
    source: (key: string) => JournalRecord | undefined,
    unwritable: (key: string, error: StoreError) => void,
  ): Generator<StoreOperation, void, void> {
    for (const [key, change] of this.changes) {
      try {
        const put = change === TOUCHED ? source(key) : change;
        yield checked(prefix + key, put);
      } catch (failure) {
        unwritable(key, toStoreError(failure));
      }
    }
    while (this.#asked < this.#entries.length) {
      const entry = this.#entries[this.#asked++]!;
      entry.noted = false;
      const key = entry.recordKey();
      try {
        const value = entry.record();
        if (value !== undefined) yield checked(prefix + key, { value });
      } catch (failure) {
        unwritable(key, toStoreError(failure));
      }
    }
  }
}

function checked(key: string, put: JournalRecord | undefined): StoreOperation {
  const operation: StoreOperation = put
    ? { kind: 'put', key, value: bytesOf(put.value), expiresAt: put.expiresAt }
    : { kind: 'delete', key };
  checkOperation(operation);
  return operation;
}

function bytesOf(value: unknown): Uint8Array {
  const given = typeof value === 'function' ? (value as () => unknown)() : value;
  return given instanceof Uint8Array ? given : encodeValue(given);
}

function bytesOfChange(key: string, change: Change): number {
  return change === undefined || change === TOUCHED ? OVERHEAD + key.length : change.bytes;
}
