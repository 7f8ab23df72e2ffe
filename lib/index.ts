/**
 * The composition root: the only file that knows every floor. A plain Node.js program can use it as well as the nodes.
 */
import { newCounters, type CoapSizes } from './coap/context';
import { CoapListener } from './coap/listener';
import { completeParams, type CoapLimits } from './coap/params';
import { DeviceTable, readDevicesFile } from './credentials/device-table';
import type { DeviceEntry, UnknownDevices } from './credentials/types';
import { omaModel } from './model/oma';
import { newServerCounters } from './server/context';
import { attachLive, type Attachment } from './server/live';
import { ServerCore } from './server/server';
import { collectStats, StatsTimer, type ServerStats } from './server/stats';
import type { Observation, Operation, OperationOptions, OperationResult, Registration, ServerEvent } from './server/types';
import { createRealClock } from './transport/clock';
import { hostList, listenAddresses } from './transport/addresses';
import { acquireListener, listenerKey, releaseListener } from './transport/listeners';
import type { Clock } from './transport/types';

export * from './rpc/index';
export { createDevice } from './device/index';
export type { DeviceEvent, DeviceOptions, DeviceState, DeviceValue, SimulatedDevice } from './device/index';
export { omaModel } from './model/oma';
export { DeviceTableError } from './credentials/device-table';
export type { CoapLimits } from './coap/params';
export type { ServerStats } from './server/stats';
export type * from './server/types';
export type * from './credentials/types';
export type * from './lwm2m/types';
export type * from './model/types';

/** What a server is made from. Every field has a default. */
export interface Lwm2mServerOptions {
  /** Names the server in errors. */
  readonly name?: string;
  /** UDP port for plain CoAP; 0 takes any free one. Default 5683. */
  readonly port?: number;
  /**
   * Local address; default all addresses, IPv4 and IPv6, in one socket each. Of a list every address has a socket of its own,
   * so that answers leave from the address that was asked; '*each' stands for every address of the machine.
   */
  readonly host?: string | readonly string[];
  /** Receive buffer of a socket in bytes; default the system's. */
  readonly receiveBuffer?: number;
  /** Limits of the CoAP engine, see `CoapLimits`; of several servers on one port those of the first hold. */
  readonly limits?: Partial<CoapLimits>;
  /** Default 'refuse'. */
  readonly unknownDevices?: UnknownDevices;
  readonly devices?: readonly DeviceEntry[];
  /** A JSON file with more device entries, read at start. */
  readonly devicesFile?: string;
  /** Milliseconds for one operation, when neither the call nor the device says otherwise. Default 120000. */
  readonly timeout?: number;
  /** Seconds between two `stats` events, at least 1; 0, the default, for none. */
  readonly statsInterval?: number;
  readonly clock?: Clock;
  /** Hears of errors that should not have happened; default: they are only counted. */
  readonly onError?: (error: unknown) => void;
}

/** A running LwM2M server. */
export interface Lwm2mServer {
  /** Opens the sockets. Rejects with an Error whose `code` is the system's (EADDRINUSE ...) or ROUTE_TAKEN. */
  start(): Promise<void>;
  /** Ends every exchange with reason `closed` and frees the port. */
  close(): Promise<void>;
  /** The port in use, once started. */
  readonly port: number;
  readonly listening: boolean;
  /** Returns a function that ends the subscription. A listener that throws does not harm the others. */
  subscribe(listener: (event: ServerEvent) => void): () => void;
  registrations(): Registration[];
  registration(endpoint: string): Registration | undefined;
  observations(endpoint: string): Observation[];
  /** Never rejects. */
  perform(endpoint: string, operation: Operation, options?: OperationOptions): Promise<OperationResult>;
  /** The counters since the start, and sizes, at any time; of several servers on one port those of CoAP are the port's. */
  stats(): ServerStats;
  /** Counts events that a subscriber had to let go, under `eventsLost`. */
  countLost(events: number): void;
  /** Whether the open sockets keep the process alive. */
  keepAlive(on: boolean): void;
  /** New device table, times and `onError` for a running server. Throws as `createLwm2mServer` does. */
  configure(options: Lwm2mServerOptions): void;
}

const DEFAULT_PORT = 5683;
const DEFAULT_TIMEOUT = 120_000;
const NO_SIZES: CoapSizes = { peers: 0, exchanges: 0, bodyBytes: 0, seenBytes: 0, timers: 0 };

interface Settings {
  readonly devices: DeviceTable;
  readonly timeout: number;
  readonly statsInterval: number;
}

/** What a running server takes over. */
function settings(options: Lwm2mServerOptions): Settings {
  const { devices = [], devicesFile, unknownDevices = 'refuse', timeout = DEFAULT_TIMEOUT, statsInterval = 0 } = options;
  if (statsInterval !== 0 && !(statsInterval >= 1 && statsInterval < Infinity)) {
    throw new RangeError('statsInterval must be a number of seconds from 1 up, or 0');
  }
  const fromFile = devicesFile ? readDevicesFile(devicesFile) : [];
  return { devices: new DeviceTable({ devices: [...devices, ...fromFile], unknownDevices }), timeout, statsInterval };
}

/** An LwM2M server on its own port. Throws `DeviceTableError` on a device table that makes no sense, RangeError on such limits or times. */
export function createLwm2mServer(options: Lwm2mServerOptions = {}): Lwm2mServer {
  const { port = DEFAULT_PORT, host, receiveBuffer, limits = {}, name = 'lwm2m-server' } = options;
  completeParams(limits);
  let internalErrors = 0;
  let eventsLost = 0;
  let { onError: hear } = options;
  const onError = (error: unknown): void => {
    internalErrors++;
    hear?.(error);
  };
  const initial = settings(options);
  const hosts = hostList(host);
  const subscribers = new Set<(event: ServerEvent) => void>();
  let current = initial;
  let listener: CoapListener | undefined;
  let core: ServerCore | undefined;
  let key = '';
  let statsTimer: StatsTimer | undefined;
  let startedAt = 0;
  let starting: Promise<void> | undefined;

  function publish(event: ServerEvent): void {
    for (const subscriber of subscribers) {
      try {
        subscriber(event);
      } catch (error) {
        onError(error);
      }
    }
  }

  async function open(): Promise<void> {
    const clock = options.clock ?? createRealClock();
    const addresses = listenAddresses(hosts);
    key = `coap|${addresses.map((address) => listenerKey(address, port)).join('|')}`;
    const acquired = await acquireListener(key, () => new CoapListener({ port, addresses, receiveBuffer, params: limits, clock, onError }));
    try {
      const { endpoint, driver } = acquired;
      core = new ServerCore({ name, endpoint, driver, model: omaModel(), onError, ...current });
    } catch (error) {
      await releaseListener(key);
      throw error;
    }
    listener = acquired;
    startedAt = acquired.driver.clock.now();
    core.subscribe(publish);
    statsTimer = new StatsTimer({ clock: acquired.driver.clock, tell: tellStats });
    statsTimer.setInterval(current.statsInterval);
    acquired.driver.attach(statsTimer);
  }

  function stats(): ServerStats {
    return collectStats({
      udp: listener?.counters() ?? [],
      coap: listener?.endpoint.counters ?? newCounters(),
      sizes: listener?.endpoint.sizes() ?? NO_SIZES,
      core: core?.counters() ?? { ...newServerCounters(), registrations: 0, observations: 0, pendingOperations: 0 },
      uptime: listener ? listener.driver.clock.now() - startedAt : 0,
      internalErrors,
      eventsLost,
      loopDelay: statsTimer?.loopDelay() ?? { mean: 0, max: 0 },
    });
  }

  function tellStats(): void {
    if (!listener) return;
    publish({ kind: 'stats', at: listener.driver.clock.wall(), interval: current.statsInterval, counters: stats() });
  }

  return {
    async start() {
      if (core) return;
      starting ??= open().finally(() => (starting = undefined));
      await starting;
    },
    async close() {
      await starting?.catch(() => undefined);
      if (!core) return;
      const closing = core;
      if (statsTimer) listener?.driver.detach(statsTimer);
      statsTimer?.setInterval(0);
      core = listener = statsTimer = undefined;
      closing.close();
      await releaseListener(key);
    },
    get port() {
      return listener?.port ?? 0;
    },
    get listening() {
      return listener !== undefined;
    },
    subscribe(subscriber) {
      subscribers.add(subscriber);
      return () => subscribers.delete(subscriber);
    },
    registrations: () => core?.registrations() ?? [],
    registration: (endpoint) => core?.registration(endpoint),
    observations: (endpoint) => core?.observations(endpoint) ?? [],
    perform(endpoint, operation, operationOptions) {
      if (core) return core.perform(endpoint, operation, operationOptions);
      return Promise.resolve({ kind: 'failed', code: 'CLOSED', error: `The server "${name}" is not running.` });
    },
    stats,
    countLost: (events) => (eventsLost += events),
    keepAlive: (on) => listener?.keepAlive(on),
    configure(next) {
      current = settings(next);
      hear = next.onError;
      core?.configure(current);
      statsTimer?.setInterval(current.statsInterval);
      listener?.driver.changed();
    },
  };
}

/** A server that outlasts a Deploy; see `release`. */
export type LiveServer = Attachment<Lwm2mServer>;

/**
 * The live server of a configuration node: the one its predecessor left parked, when port, addresses, receive buffer and
 * limits are the same (other settings are taken over), else a new one. Throws `DeviceTableError`.
 */
export function acquireServer(id: string, options: Lwm2mServerOptions): LiveServer {
  const { port = DEFAULT_PORT, host, receiveBuffer = 0, limits = {} } = options;
  // Before anything is taken: a server that is adopted and then not used would run on without an owner.
  settings(options);
  const live = attachLive(id, JSON.stringify([port, hostList(host), receiveBuffer, limits]), () => createLwm2mServer(options));
  if (live.adopted) live.server.configure(options);
  return live;
}
