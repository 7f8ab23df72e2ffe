import { toStoreError } from './errors';
import { checkExpiry, checkKey, checkOperation, compareKeys, expiryOf } from './keys';
import { createMemoryMarks } from './marks';
import type { Marks } from './marks';
import { pageSize } from './pages';
import { inSlices, Turns } from './slices';
import type { RangeOptions, Store, StoreEntry, StoreOperation } from './types';
import { MAX_PAGE, StoreError } from './types';

interface Kept {
  readonly value: Buffer;
  readonly expiresAt: number | undefined;
}

/** A store that lasts as long as the process. Its keys are sorted when somebody asks for a range, and stay so until a new one comes. */
export class MemoryStore implements Store {
  readonly kind = 'memory';
  readonly #entries = new Map<string, Kept>();
  readonly #turns = new Turns();
  readonly #marks: Marks = createMemoryMarks();
  #sorted: string[] | undefined;
  #closed = false;

  get(key: string): Promise<StoreEntry | undefined> {
    return this.#turn(() => {
      checkKey(key);
      const kept = this.#entries.get(key);
      return kept && entry(key, kept);
    });
  }

  put(key: string, value: Uint8Array, expiresAt?: number): Promise<void> {
    return this.batch([{ kind: 'put', key, value, expiresAt }]);
  }

  delete(key: string): Promise<void> {
    return this.batch([{ kind: 'delete', key }]);
  }

  batch(operations: Iterable<StoreOperation>): Promise<void> {
    return this.#turn(async () => {
      const changes: StoreOperation[] = [];
      await inSlices(operations, (operation) => {
        checkOperation(operation);
        changes.push(operation.kind === 'put' ? { ...operation, value: Buffer.from(operation.value) } : operation);
      });
      // Reads wait for their turn, so nobody sees half of it.
      await inSlices(changes, (change) => this.#apply(change));
    });
  }

  range(prefix: string, { after = '', limit = MAX_PAGE }: RangeOptions = {}): Promise<StoreEntry[]> {
    return this.#turn(() => {
      this.#sorted ??= [...this.#entries.keys()].sort(compareKeys);
      const keys = this.#sorted;
      const page: StoreEntry[] = [];
      const from = after !== '' && compareKeys(after, prefix) >= 0 ? firstAt(keys, after, true) : firstAt(keys, prefix, false);
      for (let at = from; at < keys.length && page.length < pageSize(limit) && keys[at]!.startsWith(prefix); at += 1) {
        page.push(entry(keys[at]!, this.#entries.get(keys[at]!)!));
      }
      return page;
    });
  }

  expiring(before: number, limit = MAX_PAGE): Promise<StoreEntry[]> {
    return this.#turn(() => {
      checkExpiry('', before);
      const due: StoreEntry[] = [];
      for (const [key, kept] of this.#entries) if (kept.expiresAt !== undefined && kept.expiresAt < before) due.push(entry(key, kept));
      due.sort((a, b) => a.expiresAt! - b.expiresAt! || compareKeys(a.key, b.key));
      return due.slice(0, pageSize(limit));
    });
  }

  close(): Promise<void> {
    return this.#turns.run(() => {
      this.#closed = true;
      this.#entries.clear();
      this.#sorted = undefined;
      return Promise.resolve();
    });
  }

  mark(name: string, bytes: Uint8Array | undefined): boolean {
    return this.#marks.mark(name, bytes);
  }

  readMark(name: string): Buffer | undefined {
    return this.#marks.readMark(name);
  }

  #turn<T>(work: () => T | Promise<T>): Promise<T> {
    return this.#turns.run(async () => {
      if (this.#closed) throw new StoreError('CLOSED', 'The store is closed.');
      try {
        return await work();
      } catch (error) {
        throw toStoreError(error);
      }
    });
  }

  #apply(change: StoreOperation): void {
    const known = this.#entries.has(change.key);
    if (change.kind === 'put') this.#entries.set(change.key, { value: change.value as Buffer, expiresAt: expiryOf(change.expiresAt) });
    else this.#entries.delete(change.key);
    if (known !== (change.kind === 'put')) this.#sorted = undefined;
  }
}

function entry(key: string, { value, expiresAt }: Kept): StoreEntry {
  // A copy: what a reader does to it must not change what is kept.
  return { key, value: Buffer.from(value), ...(expiresAt !== undefined && { expiresAt }) };
}

/** Where the first key stands that is not before `key`, or with `behind` the first one behind it. */
function firstAt(keys: readonly string[], key: string, behind: boolean): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = compareKeys(keys[middle]!, key);
    if (order < 0 || (behind && order === 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}
