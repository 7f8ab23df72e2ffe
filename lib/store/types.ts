/**
 * What a store can do, for every backend: text keys, bytes as values, an expiry as part of the entry, atomic batches.
 * It must stay so small that a server elsewhere (Redis: GET, SCAN in pages, a sorted set, MULTI) can do it as well as a folder.
 */

/** An entry as it is read. */
export interface StoreEntry {
  readonly key: string;
  readonly value: Buffer;
  /** Milliseconds since 1970. The store never removes what is due: lifetimes end with an event, and that is the owner's. Absent = never. */
  readonly expiresAt?: number;
}

/** One change. A put replaces value and expiry; a delete of what is not there does nothing. */
export type StoreOperation =
  | { readonly kind: 'put'; readonly key: string; readonly value: Uint8Array; readonly expiresAt?: number | undefined }
  | { readonly kind: 'delete'; readonly key: string };

export interface RangeOptions {
  /** Only keys behind this one: the last key of the page before. */
  readonly after?: string;
  /** Entries of the page, 1 to `MAX_PAGE`, which is also the default. */
  readonly limit?: number;
}

/** The largest page of `range` and `expiring`. */
export const MAX_PAGE = 1000;
/** A key is 1 to this many bytes of UTF-8. */
export const MAX_KEY_BYTES = 1024;
/** A value has at most this many bytes. */
export const MAX_VALUE_BYTES = 16 * 1024 * 1024;

/**
 * A key-value store. Every promise may reject with `StoreError`, and with nothing else. Changes are made in the order of the
 * calls; a read sees all changes that were called for before it.
 */
export interface Store {
  readonly kind: 'memory' | 'disk';
  get(key: string): Promise<StoreEntry | undefined>;
  /** `expiresAt` in milliseconds since 1970. Resolves when the entry would survive a power cut (with `sync`), else the end of the process. */
  put(key: string, value: Uint8Array, expiresAt?: number): Promise<void>;
  delete(key: string): Promise<void>;
  /**
   * Makes all changes or none. The operations are taken from the iterable in slices of a few ms, over several turns of the loop, so
   * a generator may build them as they are asked for. What the generator throws rejects the batch.
   */
  batch(operations: Iterable<StoreOperation>): Promise<void>;
  /** One page of the entries whose key begins with `prefix` ('' = all), in the order of the keys' UTF-8 bytes. */
  range(prefix: string, options?: RangeOptions): Promise<StoreEntry[]>;
  /** One page of the entries due before `before` (milliseconds since 1970, exclusive), those due first come first, equal ones by key. */
  expiring(before: number, limit?: number): Promise<StoreEntry[]>;
  /** Ends what is under way and frees the store; everything else then rejects with `CLOSED`. Never rejects; may be called again. */
  close(): Promise<void>;

  /**
   * Writes a small file synchronously and whole (temporary file, fsync, rename): for the `exit` handler of the process, where nothing
   * asynchronous runs. `undefined` removes it. Also works on a closed store. Never throws: false when it could not be written.
   * Names are 1 to 64 of `a-z 0-9 -`. The memory backend keeps it for as long as the store.
   */
  mark(name: string, bytes: Uint8Array | undefined): boolean;
  /** What was written last under this name; undefined when there is nothing, or it is damaged. Synchronous. */
  readMark(name: string): Buffer | undefined;
}

export type StoreErrorCode =
  /** The key is empty, too long, or not well-formed text. */
  | 'BAD_KEY'
  /** The value is too large, cannot be encoded or decoded, or its expiry is no time. */
  | 'BAD_VALUE'
  | 'DISK_FULL'
  | 'READ_ONLY'
  /** What is on the disk does not fit together; the next start sets it aside and saves what can be read. */
  | 'DAMAGED'
  | 'CLOSED'
  /** Anything else the backend says; in `cause`. */
  | 'FAILED';

/** Why a store did not do it. The text names no value. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

export type StoreNoticeCode =
  /** In memory: the package's binary cannot be loaded on this platform. */
  | 'NOT_LOADABLE'
  /** In memory: the folder cannot be written. */
  | 'READ_ONLY'
  /** In memory: no room on the disk. */
  | 'DISK_FULL'
  /** In memory: another process uses the folder. */
  | 'LOCKED'
  /** In memory: the folder cannot be used for a reason that none of the others names. */
  | 'UNUSABLE'
  /** On disk: a damaged store was set aside at `path`; `kept` entries could be read. */
  | 'DAMAGED'
  /** On disk: a store of a newer version was set aside, untouched, at `path`; this one begins empty. */
  | 'NEWER_FORMAT'
  /** The key file could be read by others; its mode was mended, or could not be. */
  | 'KEY_MODE'
  /** Sealed entries are in the store, and the key file is gone: `lost` of them cannot be read. */
  | 'KEY_LOST'
  /** The key file is damaged and was set aside at `path`; `lost` entries cannot be read. */
  | 'KEY_DAMAGED'
  /** A new key could not be written: what is sealed now cannot be read after a restart. */
  | 'KEY_NOT_KEPT';

/** Something the user should know about: what happened, what was lost, what to do. Nothing secret in it. */
export interface StoreNotice {
  readonly code: StoreNoticeCode;
  /** English, whole sentences; the code and the fields below are for other languages. */
  readonly text: string;
  /** The file or folder that it is about, or where a damaged or newer store went. */
  readonly path?: string;
  /** How many entries were saved. */
  readonly kept?: number;
  /** How many entries are known to be lost; undefined where that cannot be known. */
  readonly lost?: number;
}
