import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { FolderReader, definitionsOf } from './load';
import type { ObjectDefinition } from '../model/types';
import type { ModelFile } from './types';

/** Times in milliseconds. */
export interface FolderTimes {
  /** How long a folder has to be quiet before it is read again. Default 300. */
  readonly quiet?: number;
  /** The folder is looked through this often as well: network drives and some containers report nothing. Default 30000. */
  readonly rescan?: number;
}

export interface FolderOptions extends FolderTimes {
  readonly dir: string;
  /** After a change: the definitions there are now are in `definitions`. `read` are the files that are new or changed. */
  readonly onChange: (read: readonly ModelFile[]) => void;
  /** Something happened in the folder; what it was is found out later. */
  readonly onEvent?: () => void;
  /** Default `fs.watch`. */
  readonly watch?: typeof watch;
}

/** A folder that never rests is read after so many quiet times all the same. */
const PATIENCE = 8;

/** A folder of definition files, watched. It may be missing, and come later. */
export class WatchedFolder {
  readonly #options: FolderOptions;
  readonly #reader: FolderReader;
  readonly #quiet: number;
  readonly #rescan: number;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #watcher: FSWatcher | undefined;
  /** The folder that is watched; another one may have taken its place. */
  #watched = '';
  #timer: NodeJS.Timeout | undefined;
  #restless = 0;
  #closed = false;
  definitions: readonly ObjectDefinition[] = [];

  constructor(options: FolderOptions) {
    this.#options = options;
    this.#reader = new FolderReader(options.dir);
    this.#quiet = options.quiet ?? 300;
    this.#rescan = options.rescan ?? 30_000;
  }

  /** By name, as they were read last. */
  get files(): readonly ModelFile[] {
    return this.#reader.files;
  }

  /** Whether the system reports changes of the folder; else it is only looked through from time to time. */
  get watching(): boolean {
    return this.#watcher !== undefined;
  }

  /** Looks the folder through, and resolves once everything that was there at the call is in `definitions`. Never rejects. */
  refresh(): Promise<void> {
    // A scan under way may have passed what changed meanwhile: one more follows it, for all who ask until then.
    this.#next ??= this.#running.then(() => {
      this.#running = this.#next ?? Promise.resolve();
      this.#next = undefined;
      return this.#scan();
    });
    return this.#next;
  }

  /** Something may have changed: the folder is read once it is quiet. */
  poke(): void {
    if (this.#closed || this.#restless >= PATIENCE) return;
    this.#restless++;
    this.#arm(this.#quiet);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#unwatch();
    this.#reader.stop();
  }

  /** A call, since the compiler takes a field for unchanged across an await. */
  #isClosed(): boolean {
    return this.#closed;
  }

  #arm(delay: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh(), delay);
    this.#timer.unref();
  }

  async #scan(): Promise<void> {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#restless = 0;
    // Watched first: what changes while it is read is reported.
    await this.#rewatch();
    const { read, removed } = await this.#reader.scan().catch(() => this.#reader.forget());
    if (this.#isClosed()) return;
    if (read.length > 0 || removed) {
      this.definitions = definitionsOf(this.files);
      this.#options.onChange(read);
    }
    if (this.#restless === 0) this.#arm(this.#rescan);
  }

  async #rewatch(): Promise<void> {
    const { dir } = this.#options;
    const facts = await stat(dir).catch(() => undefined);
    const present = facts ? `${facts.dev} ${facts.ino}` : '';
    if (this.#isClosed() || (this.#watcher && present === this.#watched)) return;
    this.#unwatch();
    if (present === '') return;
    try {
      const watcher = (this.#options.watch ?? watch)(dir, { persistent: false }, () => {
        this.poke();
        this.#options.onEvent?.();
      });
      // No more of them, a drive that went away: the next look at the folder tries again.
      watcher.on('error', () => this.#unwatch());
      this.#watcher = watcher;
      this.#watched = present;
    } catch {
      // Not every system and every drive can; then looking from time to time has to do.
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
