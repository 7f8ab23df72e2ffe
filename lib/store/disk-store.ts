import { checkExpiry, checkKey, checkOperation, expiryOf } from './keys';
import type { Level } from './level';
import { toStoreError } from './errors';
import type { Marks } from './marks';
import { pageSize } from './pages';
import { encodeRecord, endOfPrefix, entryOfRecord, expiryOfRecord, isRecord, keyOfRecord } from './records';
import { partsOfTimeKey, recordKey, TIME_SPACE, timeKey } from './records';
import { nextTurn, Turns } from './slices';
import type { RangeOptions, Store, StoreEntry, StoreOperation } from './types';
import { MAX_PAGE, StoreError } from './types';

/** What a disk store is made of; `open.ts` puts it together. */
export interface DiskParts {
  readonly level: Level;
  /** Opens the same database again, after an error. */
  reopen(): Promise<Level>;
  /** Gives back the lock of the folder. */
  release(): Promise<void>;
  readonly marks: Marks;
  /** Does a change wait until the disk has it. */
  readonly sync: boolean;
}

/** Operations of a batch that are prepared on one turn of the loop: about a millisecond's worth, and then at most this many. */
const GROUP = 64;
const GROUP_MS = 1;
/** Bytes that LevelDB hands over at once. */
const READ_AHEAD = 128 * 1024;

type ChainedBatch = ReturnType<Level['batch']>;

/**
 * A store in a LevelDB database. Everything takes its turn, so a batch can look up which expiry it replaces. After a failed write
 * LevelDB's log may end in the middle of a record, and what came behind it would be lost: the database is opened again first.
 */
export class DiskStore implements Store {
  readonly kind = 'disk';
  readonly #parts: DiskParts;
  readonly #turns = new Turns();
  /** Whether any entry has an expiry; undefined until somebody has to know. Without, nothing has to be read before it is written. */
  #timed: { any: boolean } | undefined;
  #level: Level | undefined;
  #closed = false;

  constructor(parts: DiskParts) {
    this.#parts = parts;
    this.#level = parts.level;
  }

  get(key: string): Promise<StoreEntry | undefined> {
    return this.#turn(async (level) => {
      checkKey(key);
      const record = await level.get(recordKey(key));
      return record && isRecord(record) ? entryOfRecord(key, record) : undefined;
    });
  }

  put(key: string, value: Uint8Array, expiresAt?: number): Promise<void> {
    return this.batch([{ kind: 'put', key, value, expiresAt }]);
  }

  delete(key: string): Promise<void> {
    return this.batch([{ kind: 'delete', key }]);
  }

  batch(operations: Iterable<StoreOperation>): Promise<void> {
    return this.#turn(async (level) => {
      const batch = level.batch();
      let writing = false;
      try {
        this.#timed ??= { any: await hasTimes(level) };
        await fill(level, batch, operations, this.#timed);
        writing = batch.length > 0;
        await batch.write({ sync: this.#parts.sync });
      } catch (error) {
        await batch.close().catch(() => undefined);
        if (writing) await this.#letGo();
        throw error;
      }
    });
  }

  range(prefix: string, { after = '', limit = MAX_PAGE }: RangeOptions = {}): Promise<StoreEntry[]> {
    return this.#turn(async (level) => {
      const from = recordKey(prefix);
      const behind = recordKey(after);
      const start = after !== '' && Buffer.compare(behind, from) >= 0 ? { gt: behind } : { gte: from };
      const iterator = level.iterator({ ...start, lt: endOfPrefix(from), fillCache: false, highWaterMarkBytes: READ_AHEAD });
      const page: StoreEntry[] = [];
      const size = pageSize(limit);
      try {
        while (page.length < size) {
          const records = await iterator.nextv(size - page.length);
          if (records.length === 0) break;
          for (const [key, record] of records) if (isRecord(record)) page.push(entryOfRecord(keyOfRecord(key), record));
        }
      } finally {
        await iterator.close();
      }
      return page;
    });
  }

  expiring(before: number, limit = MAX_PAGE): Promise<StoreEntry[]> {
    return this.#turn(async (level) => {
      checkExpiry('', before);
      const lt = before === Infinity ? TIME_SPACE.to : timeKey(before, '');
      const times = await level.keys({ gte: TIME_SPACE.from, lt, limit: pageSize(limit), fillCache: false }).all();
      const due = times.map(partsOfTimeKey);
      const records = await level.getMany(due.map(({ key }) => recordKey(key)));
      return due.flatMap(({ key }, at) => {
        const record = records[at];
        return record && isRecord(record) ? [entryOfRecord(key, record)] : [];
      });
    });
  }

  close(): Promise<void> {
    return this.#turns.run(async () => {
      if (this.#closed) return;
      this.#closed = true;
      await this.#letGo();
      await this.#parts.release();
    });
  }

  mark(name: string, bytes: Uint8Array | undefined): boolean {
    return this.#parts.marks.mark(name, bytes);
  }

  readMark(name: string): Buffer | undefined {
    return this.#parts.marks.readMark(name);
  }

  #turn<T>(work: (level: Level) => Promise<T>): Promise<T> {
    return this.#turns.run(async () => {
      if (this.#closed) throw new StoreError('CLOSED', 'The store is closed.');
      try {
        this.#level ??= await this.#parts.reopen();
        return await work(this.#level);
      } catch (error) {
        throw toStoreError(error);
      }
    });
  }

  async #letGo(): Promise<void> {
    const level = this.#level;
    this.#level = undefined;
    await level?.close().catch(() => undefined);
  }
}

/** Puts the operations into a batch of LevelDB, group by group: the times they replace are looked up in between. */
async function fill(level: Level, batch: ChainedBatch, operations: Iterable<StoreOperation>, timed: { any: boolean }): Promise<void> {
  /** What the batch has already made of a key. */
  const before = new Map<string, number | undefined>();
  let group: StoreOperation[] = [];
  let until = performance.now() + GROUP_MS;
  for (const operation of operations) {
    checkOperation(operation);
    group.push(operation);
    if (group.length < GROUP && performance.now() < until) continue;
    await addGroup(level, batch, group, before, timed);
    group = [];
    // Reading may have been so quick that nobody else had a turn.
    await nextTurn();
    until = performance.now() + GROUP_MS;
  }
  if (group.length > 0) await addGroup(level, batch, group, before, timed);
}

async function addGroup(
  level: Level,
  batch: ChainedBatch,
  group: readonly StoreOperation[],
  before: Map<string, number | undefined>,
  timed: { any: boolean },
): Promise<void> {
  const keys = group.map(({ key }) => recordKey(key));
  const known = timed.any ? await level.getMany(keys, { fillCache: false }) : [];
  timed.any ||= group.some((operation) => operation.kind === 'put' && operation.expiresAt !== undefined);
  for (let at = 0; at < group.length; at++) {
    const operation = group[at]!;
    const { key } = operation;
    if (!timed.any) {
      if (operation.kind === 'delete') batch.del(keys[at]!);
      else batch.put(keys[at]!, encodeRecord(operation.value, undefined));
      continue;
    }
    const record = known[at];
    const old = before.has(key) ? before.get(key) : record && expiryOfRecord(record);
    const expiresAt = operation.kind === 'put' ? expiryOf(operation.expiresAt) : undefined;
    if (old !== undefined && old !== expiresAt) batch.del(timeKey(old, key));
    if (operation.kind === 'delete') batch.del(keys[at]!);
    else batch.put(keys[at]!, encodeRecord(operation.value, expiresAt));
    if (expiresAt !== undefined && old !== expiresAt) batch.put(timeKey(expiresAt, key), EMPTY);
    before.set(key, expiresAt);
  }
}

async function hasTimes(level: Level): Promise<boolean> {
  const first = await level.keys({ gte: TIME_SPACE.from, lt: TIME_SPACE.to, limit: 1, fillCache: false }).all();
  return first.length > 0;
}

const EMPTY = Buffer.alloc(0);
