/**
 * The composition root: the only file that knows every floor. A plain Node.js program can use it as well as the nodes.
 */
import { newCounters, type CoapSizes } from './coap/context';
import { CoapListener } from './coap/listener';
import { completeParams, type CoapLimits } from './coap/params';
import { CredentialsError } from './credentials/credentials';
import type { ListedDevice } from './credentials/device-table';
import type { DeviceEntry } from './credentials/types';
import type { Model } from './model/types';
import { ModelRegistry } from './models/registry';
import type { ModelProblem, ModelScope } from './models/registry';
import type { ModelFile } from './models/types';
import { Security, type SecurityOptions } from './root/security';
import { newServerCounters } from './server/context';
import { EventPump } from './server/event-pump';
import type { LastValue } from './server/last-values';
import { attachLive, parkedLive, type Attachment } from './server/live';
import { restoreState } from './server/restore';
import { queueSettings, type QueueSettings } from './server/presence';
import { ServerCore } from './server/server';
import type { Route } from './server/state';
import { collectStats, StatsTimer, type ServerStats } from './server/stats';
import { acquireStore, decodeValue, pagesOf, type Journal, type JournalReport, type SharedStore } from './store/index';
import type { Observation, Operation, OperationOptions, OperationResult, QueuedCommand, Registration, ServerEvent } from './server/types';
import { createRealClock } from './transport/clock';
import { hostList, listenAddresses } from './transport/addresses';
import { acquireListener, listenerKey, releaseListener } from './transport/listeners';
import { watchLoopDelay, type LoopWatch } from './transport/loop-delay';
import type { Clock } from './transport/types';

export * from './rpc/index';
export { createDevice } from './device/index';
export type { DeviceEvent, DeviceOptions, DeviceState, DeviceValue, SimulatedDevice } from './device/index';
export { DdfError, MAX_DDF_SIZE, parseDdf } from './model/ddf';
export { layeredModel } from './model/layers';
export { omaModel, omaObjects } from './model/oma';
export { loadModels, modelError } from './models/load';
export type { LoadedModels } from './models/load';
export { deleteModel, storeModel } from './models/store';
export type { ModelProblem, ModelScope } from './models/registry';
export type * from './models/types';
export { CredentialsError } from './credentials/credentials';
export type { CredentialsErrorCode } from './credentials/credentials';
export type { ListedDevice } from './credentials/device-table';
export { DeviceTableError } from './credentials/entries';
export { generateKey } from './credentials/psk';
export type { DtlsLimits } from './dtls/limits';
export type { SecurityOptions } from './root/security';
export type { CoapLimits } from './coap/params';
export type { QueueSettings } from './server/presence';
export type { LastValue } from './server/last-values';
export type { ServerStats } from './server/stats';
export type * from './server/types';
export type * from './credentials/types';
export type * from './lwm2m/types';
export type * from './model/types';

/** What a server is made from. Every field has a default. */
export interface Lwm2mServerOptions extends SecurityOptions {
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
  /** Milliseconds for one operation, when neither the call nor the device says otherwise. Default 120000. */
  readonly timeout?: number;
  /** Commands under way at most; one more fails with BUSY. Default 2000. */
  readonly maxOperations?: number;
  /** Awake windows and waiting commands of devices in queue mode, see `QueueSettings`. */
  readonly queue?: Partial<QueueSettings>;
  /** Events handed over in one turn of the event loop. Default 40. */
  readonly eventsPerTurn?: number;
  /** Milliseconds by which timers may be late before Registers and Sends are put off with 5.03. Default 1000. */
  readonly maxLoopDelay?: number;
  /** A folder for what must outlive the process: registrations, observations, last values. Default: nothing is kept. */
  readonly storeDir?: string;
  /** Under which name this server finds its records again, where several share a folder. Default: its name. */
  readonly storeId?: string;
  /** Hears what a person should know of the store: where it is damaged, cannot be written ... Default: nobody does. */
  readonly onNotice?: (text: string) => void;
  /** A device that registers anew is asked again for what it observed. Default true. */
  readonly observeAgain?: boolean;
  /** Seconds between two `stats` events, at least 1; 0, the default, for none. */
  readonly statsInterval?: number;
  /** A folder of object definition files (OMA XML), watched while the server runs. It may be missing, and come later. */
  readonly modelsDir?: string;
  /** The same with definitions that win over those in `modelsDir`; usually a sub-folder of it. */
  readonly ownModelsDir?: string;
  /** Hears of each definition file that cannot be used, when it is read. */
  readonly onModelProblem?: (problem: ModelProblem) => void;
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
  /** The port of CoAP over DTLS, once started; 0 where there is none. */
  readonly securePort: number;
  readonly listening: boolean;
  /** How many devices are registered. */
  readonly size: number;
  /** Returns a function that ends the subscription. A listener that throws does not harm the others. */
  subscribe(listener: (event: ServerEvent) => void): () => void;
  registrations(): Registration[];
  registration(endpoint: string): Registration | undefined;
  observations(endpoint: string): Observation[];
  /** What a device said last, by path text ("/3/0/9"), whatever carried it. */
  lastValues(endpoint: string): ReadonlyMap<string, LastValue>;
  /** Endpoint names of registered devices that the present device table would refuse. */
  unwelcome(): string[];
  /** All devices known in advance, from dialog, file and flows, without keys. */
  knownDevices(): ListedDevice[];
  /**
   * Adds a device, kept in the store; it may connect at once. Throws `CredentialsError`: BAD_ENTRY, EXISTS, IDENTITY_TAKEN,
   * CLOSED while the server does not run.
   */
  addDevice(device: DeviceEntry): ListedDevice;
  /** The same of one that was added before, or UNKNOWN_ENDPOINT. Another key or identity ends its session and registration. */
  replaceDevice(device: DeviceEntry): ListedDevice;
  /** Throws `CredentialsError` UNKNOWN_ENDPOINT for what was not added so. Ends its session and registration. */
  removeDevice(endpoint: string): void;
  /** The object definitions in use; always the present ones, so it can be kept. */
  readonly model: Model;
  /** The definition files of a folder, after a new look at it; none while the server does not run. */
  modelFiles(scope: ModelScope): Promise<readonly ModelFile[]>;
  /**
   * Never rejects. With a store, a command that waits for a device in queue mode outlives the server: its result is then a
   * `command` event of the next one, and the promise stays open.
   */
  perform(endpoint: string, operation: Operation, options?: OperationOptions): Promise<OperationResult>;
  /** The commands of a device in queue mode, in the order in which they are sent. */
  queue(endpoint: string): QueuedCommand[];
  /** Ends a command of `queue` with `CANCELLED`; false when there is none of this id any more. */
  cancelQueued(id: string): boolean;
  /** How many commands of a node wait for their devices. */
  waitingOf(nodeId: string): number;
  /** Whether a device in queue mode listens; undefined when it always does, or is not registered. */
  awake(endpoint: string): boolean | undefined;
  /** The counters since the start, and sizes, at any time; of several servers on one port those of CoAP are the port's. */
  stats(): ServerStats;
  /** Keeps all events until `resumeEvents`, because nobody can take them now; what is too much is lost, and counted (`eventsLost`). */
  pauseEvents(): void;
  /** Returns how many events were lost since the pause began. */
  resumeEvents(): number;
  /** Takes out the events that wait, for a server that takes the place of this one. */
  takeEvents(): ServerEvent[];
  /** Events that a server before this one could not hand over; they are kept until `resumeEvents`. */
  inheritEvents(events: readonly ServerEvent[]): void;
  /** Resolves when all that has to outlive the process is in the store. Never rejects. */
  flush(): Promise<void>;
  /** Whether the open sockets keep the process alive. */
  keepAlive(on: boolean): void;
  /** New device table, times and listeners for errors for a running server. Throws as `createLwm2mServer` does. */
  configure(options: Lwm2mServerOptions): void;
}

const DEFAULT_PORT = 5683;
const DEFAULT_TIMEOUT = 120_000;
const NO_SIZES: CoapSizes = { peers: 0, exchanges: 0, bodyBytes: 0, seenBytes: 0, timers: 0 };

const MAX_LOOP_DELAY = 1000;

interface Settings {
  readonly timeout: number;
  readonly statsInterval: number;
  readonly queue: QueueSettings;
  readonly maxOperations?: number;
  readonly maxLoopDelay: number;
  readonly observeAgain: boolean;
}

/** What a running server takes over, besides what is about security. */
function settings(options: Lwm2mServerOptions): Settings {
  const { timeout = DEFAULT_TIMEOUT, statsInterval = 0, maxOperations } = options;
  const { maxLoopDelay = MAX_LOOP_DELAY, observeAgain = true } = options;
  if (statsInterval !== 0 && !(statsInterval >= 1 && statsInterval < Infinity)) {
    throw new RangeError('statsInterval must be a number of seconds from 1 up, or 0');
  }
  return {
    timeout,
    statsInterval,
    queue: queueSettings(options.queue),
    maxLoopDelay,
    observeAgain,
    ...(maxOperations !== undefined && { maxOperations }),
  };
}

/** The security of a running server, for who comes after it. */
const securities = new WeakMap<object, Security>();

/** An LwM2M server on its own port. Throws `DeviceTableError` on a device table that makes no sense, RangeError on such limits or times. */
export function createLwm2mServer(options: Lwm2mServerOptions = {}): Lwm2mServer {
  const { port = DEFAULT_PORT, host, receiveBuffer, limits = {}, name = 'lwm2m-server' } = options;
  completeParams(limits);
  let internalErrors = 0;
  let { onError: hear, onNotice: notice, onModelProblem } = options;
  const onError = (error: unknown): void => {
    internalErrors++;
    hear?.(error);
  };
  const initial = settings(options);
  const hosts = hostList(host);
  const subscribers = new Set<(event: ServerEvent) => void>();
  const models = new ModelRegistry({
    modelsDir: options.modelsDir,
    ownModelsDir: options.ownModelsDir,
    onProblem: (problem) => onModelProblem?.(problem),
  });
  const security = new Security(options, { onNotice: (text) => notice?.(text), onError });
  let current = initial;
  let listener: CoapListener | undefined;
  let core: ServerCore | undefined;
  let key = '';
  let statsTimer: StatsTimer | undefined;
  let startedAt = 0;
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  let store: SharedStore | undefined;
  let journal: Journal | undefined;
  let loop: LoopWatch | undefined;
  let lostBefore = 0;
  const prefix = `${options.storeId ?? name}/`;
  const pump = new EventPump({ deliver: publish, ...(options.eventsPerTurn !== undefined && { perTurn: options.eventsPerTurn }) });

  function publish(event: ServerEvent): void {
    for (const subscriber of subscribers) {
      try {
        subscriber(event);
      } catch (error) {
        onError(error);
      }
    }
  }

  function openJournal(directory: string, shared: SharedStore): Journal {
    for (const { text } of shared.notices) notice?.(text);
    return shared.journal({
      clock: createRealClock(),
      source: (key) => core?.record(key.slice(prefix.length)),
      report: (report) => notice?.(journalText(report, directory)),
    });
  }

  async function open(): Promise<void> {
    // Before the first device comes.
    await models.start();
    try {
      await openSockets();
    } catch (error) {
      models.close();
      throw error;
    }
  }

  async function openSockets(): Promise<void> {
    const clock = options.clock ?? createRealClock();
    const addresses = listenAddresses(hosts);
    if (options.storeDir) store = await acquireStore(options.storeDir);
    let acquired: CoapListener | undefined;
    try {
      const wanted = `coap|${addresses.map((address) => listenerKey(address, port)).join('|')}`;
      acquired = await acquireListener(wanted, () => new CoapListener({ port, addresses, receiveBuffer, params: limits, clock, onError }));
      key = wanted;
      const { endpoint, driver } = acquired;
      // Whoever speaks before everything is restored would be answered as a stranger.
      const release = endpoint.hold();
      try {
        journal = store && openJournal(options.storeDir ?? '', store);
        const keeper = {
          touch: (record: string) => void journal?.touch(prefix + record),
          put: (record: string, value: object) => void journal?.set(prefix + record, value),
        };
        const overloaded = (): boolean => pump.full || (loop?.current() ?? 0) > current.maxLoopDelay;
        const kept = store && { keeper };
        const { storeDir = '' } = options;
        await security.open({ driver, sink: endpoint, addresses, receiveBuffer, store: store?.store, storeDir, prefix });
        const devices = security.table;
        core = new ServerCore({ name, endpoint, driver, model: models.model, onError, ...kept, overloaded, devices, ...current });
        core.subscribe((event) => pump.push(event));
        if (store) await restore(core, store, acquired);
        security.attach(core);
      } finally {
        release();
      }
    } catch (error) {
      core?.close();
      core = undefined;
      await security.close();
      if (acquired) await releaseListener(key);
      await closeStore();
      throw error;
    }
    listener = acquired;
    loop = watchLoopDelay();
    startedAt = acquired.driver.clock.now();
    statsTimer = new StatsTimer({ clock: acquired.driver.clock, tell: tellStats });
    statsTimer.setInterval(current.statsInterval);
    acquired.driver.attach(statsTimer);
  }

  /** A store that cannot be read is no reason not to serve: the devices register again by themselves. */
  async function restore(into: ServerCore, { store: from }: SharedStore, sockets: CoapListener): Promise<void> {
    async function* pages(kind: string) {
      for await (const page of pagesOf(from, `${prefix}${kind}/`)) {
        yield page.map(({ key, value }) => ({ key: key.slice(prefix.length), value }));
      }
    }
    const route: Route = (registration, local) => {
      if (registration.identity.mode !== 'none') return security.route(registration);
      return sockets.route(registration.address, registration.port, local);
    };
    try {
      const { dropped } = await restoreState(into, { pages, decode: valueOf }, route);
      if (dropped > 0) notice?.(`${dropped} records of the store could not be used, and are removed from it.`);
    } catch (error) {
      notice?.(`The store cannot be read any further: ${String(error)}. Devices that are missing register again by themselves.`);
    }
  }

  async function closeStore(): Promise<void> {
    await journal?.close();
    await store?.release();
    store = journal = undefined;
  }

  function stats(): ServerStats {
    return collectStats({
      udp: [...(listener?.counters() ?? []), ...security.udpCounters()],
      dtls: security.counters(),
      coap: listener?.endpoint.counters ?? newCounters(),
      sizes: listener?.endpoint.sizes() ?? NO_SIZES,
      core: core?.counters() ?? { ...newServerCounters(), registrations: 0, observations: 0, pendingOperations: 0, waitingCommands: 0 },
      uptime: listener ? listener.driver.clock.now() - startedAt : 0,
      internalErrors,
      eventsLost: pump.counters.lostEvents,
      coalescedNotifications: pump.counters.coalescedNotifications,
      waitingEvents: pump.waiting,
      loopDelay: statsTimer?.loopDelay() ?? { mean: 0, max: 0 },
    });
  }

  function tellStats(): void {
    if (!listener) return;
    pump.push({ kind: 'stats', at: listener.driver.clock.wall(), interval: current.statsInterval, counters: stats() });
  }

  async function begin(): Promise<void> {
    await stopping;
    if (!core) await open();
  }

  async function shut(): Promise<void> {
    await starting?.catch(() => undefined);
    if (!core) return;
    const closing = core;
    if (statsTimer) listener?.driver.detach(statsTimer);
    statsTimer?.setInterval(0);
    loop?.stop();
    listener = statsTimer = loop = undefined;
    closing.close();
    models.close();
    await security.close();
    // While the core is still there to be asked for its records.
    await closeStore();
    core = undefined;
    await releaseListener(key);
  }

  /** Devices that are added while nobody can keep them would be gone at the next start. */
  function running(): Security {
    if (!listener) throw new CredentialsError('CLOSED', `The server "${name}" is not running.`);
    return security;
  }

  const server: Lwm2mServer = {
    async start() {
      starting ??= begin().finally(() => (starting = undefined));
      await starting;
    },
    async close() {
      stopping ??= shut().finally(() => (stopping = undefined));
      await stopping;
    },
    get port() {
      return listener?.port ?? 0;
    },
    get securePort() {
      return listener ? security.port : 0;
    },
    knownDevices: () => security.table.list(),
    addDevice: (device) => running().add(device),
    replaceDevice: (device) => running().replace(device),
    removeDevice: (endpoint) => running().remove(endpoint),
    get listening() {
      return listener !== undefined;
    },
    get size() {
      return (listener && core?.size) ?? 0;
    },
    subscribe(subscriber) {
      subscribers.add(subscriber);
      return () => subscribers.delete(subscriber);
    },
    registrations: () => (listener && core?.registrations()) ?? [],
    registration: (endpoint) => listener && core?.registration(endpoint),
    observations: (endpoint) => (listener && core?.observations(endpoint)) ?? [],
    unwelcome: () => (listener && core?.unwelcome()) ?? [],
    lastValues: (endpoint) => core?.lastValues(endpoint) ?? new Map<string, LastValue>(),
    model: models.model,
    async modelFiles(scope) {
      await models.refresh();
      return models.files(scope);
    },
    perform(endpoint, operation, operationOptions) {
      if (core && listener) return core.perform(endpoint, operation, operationOptions);
      return Promise.resolve({ kind: 'failed', code: 'CLOSED', error: `The server "${name}" is not running.` });
    },
    queue: (endpoint) => (listener && core?.queue(endpoint)) ?? [],
    cancelQueued: (id) => (listener && core?.cancelQueued(id)) ?? false,
    waitingOf: (nodeId) => core?.waitingOf(nodeId) ?? 0,
    awake: (endpoint) => listener && core?.awake(endpoint),
    stats,
    pauseEvents() {
      if (pump.paused) return;
      lostBefore = pump.counters.lostEvents;
      pump.pause();
    },
    resumeEvents() {
      if (!pump.paused) return 0;
      pump.resume();
      return pump.counters.lostEvents - lostBefore;
    },
    takeEvents: () => pump.take(),
    inheritEvents(events) {
      this.pauseEvents();
      for (const event of events) pump.push(event);
    },
    async flush() {
      await journal?.flush();
    },
    keepAlive(on) {
      listener?.keepAlive(on);
      security.keepAlive(on);
    },
    configure(next) {
      const wanted = settings(next);
      security.configure(next);
      current = wanted;
      hear = next.onError;
      ({ onNotice: notice, onModelProblem } = next);
      core?.configure({ ...current, devices: security.table });
      statsTimer?.setInterval(current.statsInterval);
      listener?.driver.changed();
    },
  };
  securities.set(server, security);
  return server;
}

/** A server that outlasts a Deploy; see `release`. */
export interface LiveServer extends Attachment<Lwm2mServer> {
  /** Endpoint names of devices that are registered with the server whose place this one took, on other sockets. */
  readonly displaced: readonly string[];
}

/**
 * The live server of a configuration node: the one its predecessor left parked, when port, addresses, receive buffer,
 * limits and folders are the same (other settings are taken over), else a new one. Throws `DeviceTableError`.
 */
export function acquireServer(id: string, options: Lwm2mServerOptions): LiveServer {
  const { port = DEFAULT_PORT, host, receiveBuffer = 0, limits = {}, modelsDir = '', ownModelsDir = '' } = options;
  // Before anything is taken: a server that is adopted and then not used would run on without an owner.
  const { storeDir = '', storeId = '', securePort, dtlsLimits = {}, sealFile = '', keyLogFile = '' } = options;
  settings(options);
  const { devicesFile = '', ...others } = options;
  // A file that is broken just now matters only to a server that has not read it.
  const parked = parkedLive(id);
  const known = parked && securities.get(parked)?.reads(devicesFile);
  new Security(known || devicesFile === '' ? others : options, { onNotice: () => undefined, onError: () => undefined });
  const secure = [securePort ?? 'none', dtlsLimits, sealFile, keyLogFile];
  const key = JSON.stringify([port, hostList(host), receiveBuffer, limits, storeDir, storeId, modelsDir, ownModelsDir, secure]);
  let displaced: string[] = [];
  const live = attachLive<Lwm2mServer>(id, key, (previous) => {
    const server = createLwm2mServer(options);
    displaced = previous?.registrations().map(({ endpoint }) => endpoint) ?? [];
    if (previous) server.inheritEvents(previous.takeEvents());
    return server;
  });
  if (live.adopted) live.server.configure(options);
  return { ...live, displaced };
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
