import { randomUUID } from 'node:crypto';

/**
 * The sockets of this process. Several servers may share a port, each with its own routes; a port stays open while
 * anybody uses it. The table lives on `globalThis`, because Node-RED may load two copies of this package.
 */
export interface Listener {
  /** Opens the sockets; rejects with the system's error. */
  open(): Promise<void>;
  close(): Promise<void>;
}

interface Entry {
  readonly listener: Listener;
  readonly opened: Promise<void>;
  users: number;
  /** Pending close: a new user waits for it before it binds again. */
  closing?: Promise<void>;
}

const TABLE = Symbol.for('@node-red-lwm2m/listeners/1');

function table(): Map<string, Entry> {
  const global = globalThis as unknown as Record<symbol, Map<string, Entry> | undefined>;
  return (global[TABLE] ??= new Map<string, Entry>());
}

/** One key per socket address; port 0 is a different socket every time. */
export function listenerKey(host: string | undefined, port: number): string {
  const place = host ? `${host.includes(':') ? 'udp6' : 'udp4'}|${host}` : 'udp|*';
  return `${place}|${port === 0 ? `0#${randomUUID()}` : port}`;
}

/**
 * The listener under `key`, created on first use. Resolves once it is open; a failure to open is everybody's and leaves
 * no entry behind.
 */
export async function acquireListener<L extends Listener>(key: string, create: () => L): Promise<L> {
  const listeners = table();
  const existing = listeners.get(key);
  if (existing?.closing) {
    // Whether it could be closed is for those who close it; opening anew will show.
    await existing.closing.catch(() => undefined);
    return acquireListener(key, create);
  }
  let entry = existing;
  if (!entry) {
    const listener = create();
    entry = { listener, opened: listener.open(), users: 0 };
    listeners.set(key, entry);
  }
  entry.users++;
  try {
    await entry.opened;
  } catch (error) {
    if (listeners.get(key) === entry) listeners.delete(key);
    throw error;
  }
  return entry.listener as L;
}

/** Gives one use back; the last one closes the sockets, and the promise waits for that. */
export async function releaseListener(key: string): Promise<void> {
  const listeners = table();
  const entry = listeners.get(key);
  if (!entry) return;
  if (entry.closing) return entry.closing;
  if (--entry.users > 0) return;
  entry.closing = closeEntry(key, entry);
  await entry.closing;
}

/** Sockets that are still opening would open after a close: they are waited for. */
async function closeEntry(key: string, entry: Entry): Promise<void> {
  try {
    await entry.opened.then(
      () => entry.listener.close(),
      () => undefined,
    );
  } finally {
    if (table().get(key) === entry) table().delete(key);
  }
}
