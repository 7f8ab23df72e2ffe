import { newCounters, type CoapSizes } from '../coap/context';
import { CoapListener } from '../coap/listener';
import { completeParams } from '../coap/params';
import { CredentialsError } from '../credentials/credentials';
import { ModelRegistry } from '../models/registry';
import { newServerCounters } from '../server/context';
import { EventPump } from '../server/event-pump';
import type { LastValue } from '../server/last-values';
import { ServerCore } from '../server/server';
import type { Route } from '../server/state';
import { collectStats, StatsTimer, type ServerStats } from '../server/stats';
import type { ServerEvent } from '../server/types';
import { createRealClock } from '../transport/clock';
import { hostList, listenAddresses } from '../transport/addresses';
import { acquireListener, listenerKey, releaseListener } from '../transport/listeners';
import { watchLoopDelay, type LoopWatch } from '../transport/loop-delay';
import { Security } from './security';
import { ServerProfiles } from './server-profiles';
import { ServerStore } from './server-store';
import { DEFAULT_PORT, settings } from './settings';
import type { Lwm2mServer, Lwm2mServerOptions } from './types';

const NO_SIZES: CoapSizes = { peers: 0, exchanges: 0, bodyBytes: 0, seenBytes: 0, timers: 0 };

/** The security of a running server, for who comes after it. */
const securities = new WeakMap<object, Security>();

export const securityOf = (server: object): Security | undefined => securities.get(server);

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
  let store: ServerStore | undefined;
  let loop: LoopWatch | undefined;
  let lostBefore = 0;
  const prefix = `${options.storeId ?? name}/`;
  const pump = new EventPump({ deliver: publish, ...(options.eventsPerTurn !== undefined && { perTurn: options.eventsPerTurn }) });

  const profiles = new ServerProfiles({
    model: models.model,
    wanted: (endpoint) => security.table.get(endpoint)?.profile,
    tell: (event) => pump.push(event),
    onError,
  });
  profiles.logs = initial.transportLog;

  function publish(event: ServerEvent): void {
    hand(event);
    for (const derived of profiles.derived(event)) hand(derived);
  }

  function hand(event: ServerEvent): void {
    for (const subscriber of subscribers) {
      try {
        subscriber(event);
      } catch (error) {
        onError(error);
      }
    }
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
    const { storeDir = '' } = options;
    if (storeDir) store = await ServerStore.open({ directory: storeDir, prefix, onNotice: (text) => notice?.(text) });
    let acquired: CoapListener | undefined;
    try {
      const wanted = `coap|${addresses.map((address) => listenerKey(address, port)).join('|')}`;
      acquired = await acquireListener(wanted, () => new CoapListener({ port, addresses, receiveBuffer, params: limits, clock, onError }));
      key = wanted;
      const { endpoint, driver } = acquired;
      // Whoever speaks before everything is restored would be answered as a stranger.
      const release = endpoint.hold();
      try {
        const overloaded = (): boolean => pump.full || (loop?.current() ?? 0) > current.maxLoopDelay;
        const kept = store && { keeper: store.keeper };
        await security.open({ driver, sink: endpoint, addresses, receiveBuffer, store: store?.store, storeDir, prefix });
        const devices = security.table;
        profiles.open(driver, store?.keeper);
        const above = { ...kept, companion: profiles };
        core = new ServerCore({ name, endpoint, driver, model: models.model, onError, ...above, overloaded, devices, ...current });
        core.subscribe((event) => {
          pump.push(event);
          profiles.hear(event);
        });
        profiles.attach(core);
        await store?.restore(core, routeOf(acquired));
        security.attach(core);
        profiles.begin();
      } finally {
        release();
      }
    } catch (error) {
      core?.close();
      profiles.close();
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

  function routeOf(sockets: CoapListener): Route {
    return (registration, local) => {
      if (registration.identity.mode !== 'none') return security.route(registration);
      return sockets.route(registration.address, registration.port, local);
    };
  }

  async function closeStore(): Promise<void> {
    await store?.close();
    store = undefined;
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
    profiles.close();
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
    addDevice: (device) => profiles.reconsidered(running().add(device)),
    replaceDevice: (device) => profiles.reconsidered(running().replace(device)),
    removeDevice(endpoint) {
      running().remove(endpoint);
      profiles.reconsidered({ endpoint });
    },
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
    underway: (endpoint) => core?.underway(endpoint) ?? [],
    setProfiles: (list) => profiles.set(list),
    profileOf: (endpoint) => {
      const profile = profiles.of(endpoint);
      return profile && { id: profile.id, name: profile.name };
    },
    previewProfile: (endpoint, profile) => profiles.preview(endpoint, profile),
    learnProfile: (endpoint) => profiles.learn(endpoint),
    scalesOf: (endpoint) => profiles.scalesOf(endpoint),
    keysOf: (endpoint) => profiles.keysOf(endpoint),
    currentValues: (endpoint) => profiles.currentValues(endpoint),
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
    cancelWaitingOf: (nodeId, endpoint) => (listener && core?.cancelWaitingOf(nodeId, endpoint)) ?? 0,
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
      await store?.flush();
    },
    keepAlive(on) {
      listener?.keepAlive(on);
      security.keepAlive(on);
    },
    configure(next) {
      const wanted = settings(next);
      security.configure(next);
      current = wanted;
      profiles.logs = wanted.transportLog;
      hear = next.onError;
      ({ onNotice: notice, onModelProblem } = next);
      core?.configure({ ...current, devices: security.table });
      // The device table may name other profiles.
      profiles.begin();
      statsTimer?.setInterval(current.statsInterval);
      listener?.driver.changed();
    },
  };
  securities.set(server, security);
  return server;
}
