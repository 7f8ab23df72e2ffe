/**
 * Live servers outlast the nodes that use them: a Deploy closes a node and makes a new one, and in between the server is
 * parked, so that devices notice nothing. Not adopted in time, it is closed. The table lives on `globalThis`, because
 * Node-RED may load two copies of this package.
 */
export interface Parkable {
  start(): Promise<void>;
  close(): Promise<void>;
  /** Makes durable what must outlive the process. */
  flush(): Promise<void>;
  /** Whether its sockets keep the process alive. */
  keepAlive(on: boolean): void;
}

interface Live {
  readonly server: Parkable;
  /** What must be equal for a server to be adopted: its sockets and security. */
  readonly key: string;
  ready: Promise<void>;
  parked: NodeJS.Timeout | undefined;
}

/** Long enough for a Deploy on a slow gateway; Node-RED gives nodes 15 s to close. */
const PARK_MS = 10_000;
const TABLE = Symbol.for('@node-red-lwm2m/live-servers/1');

function table(): Map<string, Live> {
  const global = globalThis as unknown as Record<symbol, Map<string, Live> | undefined>;
  return (global[TABLE] ??= new Map<string, Live>());
}

/** What a node holds of a live server. */
export interface Attachment<S> {
  readonly server: S;
  /** Whether the server was running before: its registrations are still there. */
  readonly adopted: boolean;
  /** Rejects with the system's error when the sockets cannot be opened. */
  readonly ready: Promise<void>;
  /** `removed`: the node is deleted or disabled, the server closes at once; else it is parked for its successor. */
  release(removed: boolean): Promise<void>;
}

/** The server that is parked under `id`. */
export function parkedLive(id: string): Parkable | undefined {
  const live = table().get(id);
  return live?.parked && live.server;
}

/** Attaches to the server parked under `id`, when its key is the same, or creates and starts one, given the one whose place it takes. */
export function attachLive<S extends Parkable>(id: string, key: string, create: (previous: S | undefined) => S): Attachment<S> {
  const servers = table();
  const parked = servers.get(id);
  if (parked?.parked && parked.key === key) {
    clearTimeout(parked.parked);
    parked.parked = undefined;
    parked.server.keepAlive(true);
    return attachment(id, parked, true) as Attachment<S>;
  }
  const cleared = parked ? closeLive(id, parked) : Promise.resolve();
  const server = create(parked?.server as S | undefined);
  const live: Live = { server, key, ready: cleared.then(() => server.start()), parked: undefined };
  servers.set(id, live);
  return attachment(id, live, false) as Attachment<S>;
}

function attachment(id: string, live: Live, adopted: boolean): Attachment<Parkable> {
  return { server: live.server, adopted, ready: live.ready, release: (removed) => release(id, live, removed) };
}

async function release(id: string, live: Live, removed: boolean): Promise<void> {
  // A successor with other settings has taken the place already.
  if (table().get(id) !== live || live.parked) return;
  const started = await live.ready.then(
    () => true,
    () => false,
  );
  if (removed || !started) {
    await closeLive(id, live);
    return;
  }
  live.server.keepAlive(false);
  // Durable before parked: Node-RED may end the process while nobody adopts it.
  await live.server.flush();
  live.parked = setTimeout(() => void closeLive(id, live), PARK_MS);
  live.parked.unref();
}

async function closeLive(id: string, live: Live): Promise<void> {
  if (live.parked) clearTimeout(live.parked);
  live.parked = undefined;
  if (table().get(id) === live) table().delete(id);
  await live.ready.catch(() => undefined);
  await live.server.close();
}
