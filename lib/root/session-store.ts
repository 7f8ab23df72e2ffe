import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';
import { decodeSession } from '../dtls/session-codec';
import type { SessionStore } from '../dtls/types';
import type { Identity } from '../transport/types';
import { decodeValue, encodeValue, pagesOf, type Sealer, type Store, type StoreOperation } from '../store/index';

export interface SessionStoreOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  /** Of the keys of this server's records. */
  readonly prefix: string;
  /** A file outside of the store's folder: which run of the server is the present one. */
  readonly runFile: string;
  /** A fingerprint of what proves an identity at present; undefined when nothing does. */
  readonly proof: (identity: Identity) => string | undefined;
  /** By how many numbers at most a session may have reserved more than it used. */
  readonly reserve: number;
  readonly onError: (error: unknown) => void;
}

/** What is written once sending has stopped. */
interface Final {
  readonly run: string;
  readonly states: readonly Uint8Array[];
  /** Of each state the fingerprint of the key it was made with. */
  readonly proofs: readonly string[];
}

/**
 * Where DTLS sessions outlast a clean stop. Final states are in a mark that is written once sending has stopped and that names the
 * run which wrote it; which run was the last says a file elsewhere, so that an older copy of the store gives no session back. Both
 * are changed before a state is handed out: it is handed out once.
 */
export class SealedSessions implements SessionStore {
  readonly #options: SessionStoreOptions;
  readonly #mark: string;
  readonly #run = randomBytes(16).toString('hex');
  #wanted = new Map<string, StoreOperation>();
  #writing: Promise<void> | undefined;
  /** Without a run that is noted nothing can be told from a copy, so nothing is handed to the next one. */
  #noted = false;

  constructor(options: SessionStoreOptions) {
    this.#options = options;
    this.#mark = `dtls-${createHash('sha256').update(options.prefix).digest('hex').slice(0, 32)}`;
  }

  async takeAll(): Promise<readonly Buffer[]> {
    const { store, sealer, runFile, reserve, proof } = this.#options;
    const sealed = store.readMark(this.#mark);
    const lastRun = readRun(runFile);
    // In this order: from here on no other start finds them.
    const forgotten = store.mark(this.#mark, undefined);
    this.#noted = writeRun(runFile, this.#run);
    const kept = await this.#takeKept();
    if (!sealed || !forgotten || !this.#noted || lastRun === undefined) return [];
    const opened = sealer.unseal(this.#mark, sealed);
    const final = opened.ok ? readFinal(opened.value) : undefined;
    if (final?.run !== lastRun) return [];
    return final.states
      .map((state) => Buffer.from(state))
      .filter((bytes, index) => {
        const state = decodeSession(bytes);
        if (!state || proof(state.identity) !== final.proofs[index]) return false;
        // The numbers that were reserved tell whether this is the last state there was.
        const reserved = kept.get(state.key);
        return reserved === undefined || (state.sendSeq <= reserved && reserved - state.sendSeq <= reserve);
      });
  }

  save(key: string, state: Buffer): Promise<void> {
    const entry = this.#keyOf(key);
    this.#wanted.set(entry, { kind: 'put', key: entry, value: this.#options.sealer.seal(entry, state) });
    return this.#write();
  }

  remove(key: string): void {
    const entry = this.#keyOf(key);
    this.#wanted.set(entry, { kind: 'delete', key: entry });
    this.#write().catch(this.#options.onError);
  }

  finish(states: ReadonlyMap<string, Buffer>): void {
    if (!this.#noted) return;
    const { store, sealer, proof } = this.#options;
    const final: { run: string; states: Buffer[]; proofs: string[] } = { run: this.#run, states: [], proofs: [] };
    for (const bytes of states.values()) {
      const identity = decodeSession(bytes)?.identity;
      const by = identity && proof(identity);
      if (by === undefined) continue;
      final.states.push(bytes);
      final.proofs.push(by);
    }
    store.mark(this.#mark, sealer.seal(this.#mark, encodeValue(final)));
  }

  /** Resolves when nothing is being written any more. */
  async idle(): Promise<void> {
    await this.#writing?.catch(() => undefined);
  }

  #keyOf(key: string): string {
    return `${this.#options.prefix}dtls/${key}`;
  }

  /** All that is wanted in one batch; what comes meanwhile is in the next. */
  #write(): Promise<void> {
    this.#writing ??= Promise.resolve().then(async () => {
      const operations = [...this.#wanted.values()];
      this.#wanted = new Map();
      this.#writing = undefined;
      await this.#options.store.batch(operations);
    });
    return this.#writing;
  }

  /** The numbers reserved by the sessions of the last run, which are forgotten. */
  async #takeKept(): Promise<Map<string, number>> {
    const { store, sealer, prefix, onError } = this.#options;
    const reserved = new Map<string, number>();
    try {
      for await (const page of pagesOf(store, `${prefix}dtls/`)) {
        for (const { key, value } of page) {
          const opened = sealer.unseal(key, value);
          const state = opened.ok ? decodeSession(opened.value) : undefined;
          if (state) reserved.set(state.key, state.sendSeq);
        }
        await store.batch(page.map(({ key }) => ({ kind: 'delete', key })));
      }
    } catch (error) {
      onError(error);
    }
    return reserved;
  }
}

function readFinal(bytes: Uint8Array): Final | undefined {
  try {
    const { run, states, proofs } = decodeValue(bytes) as Partial<Final>;
    return typeof run === 'string' && Array.isArray(states) && Array.isArray(proofs) ? { run, states, proofs } : undefined;
  } catch {
    return undefined;
  }
}

function readRun(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1').trim();
  } catch {
    return undefined;
  }
}

/** Durable when it returns true. */
function writeRun(file: string, run: string): boolean {
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    const handle = openSync(`${file}.new`, 'w', 0o600);
    try {
      writeSync(handle, `${run}\n`);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(`${file}.new`, file);
    return true;
  } catch {
    return false;
  }
}
