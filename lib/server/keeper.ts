/**
 * Where a server keeps what must outlive it. The server's memory is the truth: it only says which records have changed,
 * and is asked for them when it suits the keeper (`ServerCore.record`).
 */
export interface StateKeeper {
  /** Notes that the record of this key is new, different or gone. Returns at once. */
  touch(key: string): void;
  /** Notes that something whose record changes with each message has changed. Returns at once. */
  note(changed: Changing): void;
}

/**
 * What has a record that changes with each message. It stays in a list until it is written, so that noting it again costs nothing:
 * no key is made, and nothing for the garbage collector.
 */
export interface Changing {
  /** Waits to be written; the keeper's own. */
  noted: boolean;
  recordKey(): string;
  /** Plain data, as of now; undefined when it is gone, whose key has been touched. */
  record(): unknown;
}

/** For a server that keeps nothing. */
export const NO_KEEPER: StateKeeper = { touch: () => undefined, note: () => undefined };

/** A record as it is kept: plain data, as JSON has it, and integers beyond 2^53, bytes and any number. */
export interface StateRecord {
  readonly value: unknown;
}

/**
 * The kinds of records, in the order in which they must be restored: registrations, when they were updated, observations, their
 * last notification, last values, waiting commands, object lists by profile id, what profiles have asked of devices. What changes with each message is apart from what does not, because it is
 * written each time.
 */
export const RECORD_KINDS = ['reg', 'upd', 'obs', 'seq', 'val', 'cmd', 'pid', 'prf'] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

export const registrationKey = (id: string): string => `reg/${id}`;
export const updatedKey = (id: string): string => `upd/${id}`;
export const observationKey = (id: string): string => `obs/${id}`;
export const sequenceKey = (id: string): string => `seq/${id}`;
export const profileKey = (name: string): string => `pid/${name}`;
export const commandKey = (id: string): string => `cmd/${id}`;
export const appliedKey = (endpoint: string): string => `prf/${endpoint}`;
/** The path comes first: it has digits and slashes only, an endpoint name anything. */
export const valueKey = (endpoint: string, path: string): string => `val/${path}|${endpoint}`;

/** A key of one of these kinds; undefined for any other text. */
export function parseKey(key: string): { kind: RecordKind; name: string } | undefined {
  const kind = RECORD_KINDS.find((known) => key.startsWith(known));
  return kind !== undefined && key[kind.length] === '/' ? { kind, name: key.slice(kind.length + 1) } : undefined;
}

/** The two parts of the name in a value's key. */
export function parseValueName(name: string): { endpoint: string; path: string } | undefined {
  const bar = name.indexOf('|');
  return bar < 0 ? undefined : { path: name.slice(0, bar), endpoint: name.slice(bar + 1) };
}
