import path from 'node:path';
import { decodeValue, encodeValue } from './codec';
import { Journal, type JournalOptions } from './journal';
import { openStore } from './open';
import type { Store, StoreNotice, StoreOperation } from './types';

/** The store of a folder, for all of this process that use it. */
export interface SharedStore {
  readonly store: Store;
  /** What the user should know; for the first that opened it, the others are told nothing. */
  readonly notices: readonly StoreNotice[];
  /** A journal on this store. What it has not written when the process exits is written then, and found at the next start. */
  journal(options: Omit<JournalOptions, 'store'>): Journal;
  /** Gives the store back; the last one closes it. Journals must be closed before. Never rejects. */
  release(): Promise<void>;
}

interface Shared {
  readonly store: Store;
  readonly journals: Set<Journal>;
}

interface Entry {
  readonly opened: Promise<Shared & { readonly notices: readonly StoreNotice[] }>;
  shared?: Shared;
  users: number;
  closing?: Promise<void>;
}

const TABLE = Symbol.for('@node-red-lwm2m/stores/1');
/** The mark with what was not written when the process exited. */
const TAIL = 'tail';
/** Operations of it at most: writing them holds up the end of the process. */
const MAX_TAIL = 20_000;

function table(): Map<string, Entry> {
  const global = globalThis as unknown as Record<symbol, Map<string, Entry> | undefined>;
  const known = global[TABLE];
  if (known) return known;
  const entries = new Map<string, Entry>();
  process.on('exit', () => entries.forEach(({ shared }) => shared && writeTail(shared)));
  return (global[TABLE] = entries);
}

/** Never rejects: see `openStore`. */
export async function acquireStore(directory: string): Promise<SharedStore> {
  const folder = path.resolve(directory);
  const entries = table();
  const existing = entries.get(folder);
  if (existing?.closing) {
    await existing.closing;
    return acquireStore(directory);
  }
  const entry: Entry = existing ?? { opened: open(folder), users: 0 };
  entries.set(folder, entry);
  entry.users++;
  const { store, notices, journals } = await entry.opened;
  entry.shared = { store, journals };
  const own: Journal[] = [];
  return {
    store,
    notices: existing ? [] : notices,
    journal: (options) => {
      const journal = new Journal({ ...options, store });
      journals.add(journal);
      own.push(journal);
      return journal;
    },
    release: () => {
      for (const journal of own) journals.delete(journal);
      return release(folder, entry);
    },
  };
}

async function open(directory: string): Promise<Shared & { readonly notices: readonly StoreNotice[] }> {
  const { store, notices } = await openStore({ directory });
  await applyTail(store);
  return { store, notices, journals: new Set() };
}

async function release(folder: string, entry: Entry): Promise<void> {
  if (--entry.users > 0 || entry.closing) return;
  entry.closing = entry.opened.then(({ store }) => store.close());
  await entry.closing;
  if (table().get(folder) === entry) table().delete(folder);
}

/** Synchronous, and never throws: the process is about to end. */
function writeTail({ store, journals }: Shared): void {
  try {
    const operations = [...journals].flatMap((journal) => journal.unwritten()).slice(0, MAX_TAIL);
    if (operations.length > 0) store.mark(TAIL, encodeValue(operations));
  } catch {
    // What cannot be written now is lost like in a power cut.
  }
}

async function applyTail(store: Store): Promise<void> {
  const bytes = store.readMark(TAIL);
  if (!bytes) return;
  try {
    await store.batch(decodeValue(bytes) as StoreOperation[]);
  } catch {
    // Damaged, or no room: the store has what it had before.
  }
  store.mark(TAIL, undefined);
}
