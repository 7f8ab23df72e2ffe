import type { StateKeeper } from '../server/keeper';
import { restoreState } from '../server/restore';
import type { ServerCore } from '../server/server';
import type { Route } from '../server/state';
import { acquireStore, decodeValue, pagesOf, type Journal, type JournalReport, type SharedStore, type Store } from '../store/index';
import { createRealClock } from '../transport/clock';

export interface ServerStoreOptions {
  readonly directory: string;
  /** Of the keys of this server's records, in a store that several may share. */
  readonly prefix: string;
  /** Hears what a person should know. */
  readonly onNotice: (text: string) => void;
}

/** What a server keeps on disk: its records, written behind its back, and read when it starts. */
export class ServerStore {
  readonly keeper: StateKeeper = {
    touch: (record) => void this.#journal.touch(record),
    note: (changed) => void this.#journal.note(changed),
  };
  readonly #options: ServerStoreOptions;
  readonly #shared: SharedStore;
  readonly #journal: Journal;
  #core: ServerCore | undefined;

  /** Rejects with `StoreError` when there can be no store at all; one that is damaged is set aside, with a notice. */
  static async open(options: ServerStoreOptions): Promise<ServerStore> {
    return new ServerStore(options, await acquireStore(options.directory));
  }

  private constructor(options: ServerStoreOptions, shared: SharedStore) {
    this.#options = options;
    this.#shared = shared;
    const { directory, prefix, onNotice } = options;
    for (const { text } of shared.notices) onNotice(text);
    this.#journal = shared.journal({
      clock: createRealClock(),
      prefix,
      source: (record) => this.#core?.record(record),
      report: (report) => onNotice(journalText(report, directory)),
    });
  }

  get store(): Store {
    return this.#shared.store;
  }

  /** Gives the server back what the one before it kept; from then on the records are asked of it. */
  async restore(core: ServerCore, route: Route): Promise<void> {
    this.#core = core;
    const { onNotice } = this.#options;
    try {
      const { dropped } = await restoreState(core, { pages: (kind) => this.#pages(kind), decode: valueOf }, route);
      if (dropped > 0) onNotice(`${dropped} records of the store could not be used, and are removed from it.`);
    } catch (error) {
      // No reason not to serve.
      onNotice(`The store cannot be read any further: ${String(error)}. Devices that are missing register again by themselves.`);
    }
  }

  async *#pages(kind: string) {
    const { prefix } = this.#options;
    for await (const page of pagesOf(this.store, `${prefix}${kind}/`)) {
      yield page.map(({ key, value }) => ({ key: key.slice(prefix.length), value }));
    }
  }

  /** Resolves when all that was noted is written. Never rejects. */
  async flush(): Promise<void> {
    await this.#journal.flush();
  }

  /** Writes what is left; the server must still be there to be asked. */
  async close(): Promise<void> {
    await this.#journal.close();
    await this.#shared.release();
    this.#core = undefined;
  }
}

/** Undefined, which is no record, for what cannot be decoded. */
function valueOf(bytes: Uint8Array): unknown {
  try {
    return decodeValue(bytes);
  } catch {
    return undefined;
  }
}

function journalText(report: JournalReport, directory: string): string {
  switch (report.kind) {
    case 'write-failed': {
      const again = `It is tried again in ${Math.ceil(report.retryIn / 1000)} s`;
      return `The store in ${directory} cannot be written: ${report.error.message} ${again}; ${report.pending} changes wait.`;
    }
    case 'recovered':
      return `The store in ${directory} can be written again.`;
    case 'refused':
      return `Too much waits to be written to the store in ${directory}: newer changes will not survive a restart.`;
    case 'unwritable':
      return `A record cannot be kept in the store: ${report.error.message}`;
    default:
      return report satisfies never;
  }
}
