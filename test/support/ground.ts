import { CoapEndpoint } from '../../lib/coap/endpoint';
import type { CoapParams } from '../../lib/coap/params';
import { checkDevices } from '../../lib/credentials/entries';
import type { DeviceEntry, UnknownDevices } from '../../lib/credentials/types';
import type { DtlsTransport } from '../../lib/dtls/transport';
import type { DtlsReport } from '../../lib/dtls/types';
import { omaModel } from '../../lib/model/oma';
import type { QueueSettings } from '../../lib/server/presence';
import { ServerProfiles } from '../../lib/root/server-profiles';
import type { ProfileSettings } from '../../lib/profile/types';
import { ServerCore } from '../../lib/server/server';
import { RECORD_KINDS, type Changing, type StateKeeper } from '../../lib/server/keeper';
import type { Registration, ServerEvent } from '../../lib/server/types';
import { Driver } from '../../lib/transport/driver';
import type { Peer, TransportSink } from '../../lib/transport/types';
import { openLink, type Link } from './link';
import { createRandom } from './random';
import { COAPS, deviceTable, entryOf, pskIdentityOf } from './scheme';
import { secureServer } from './secure-server';
import { VirtualClock } from './virtual-clock';
import { VirtualNetwork, type Address, type Conditions, type VirtualTransport } from './virtual-network';

export interface GroundOptions {
  readonly seed?: number;
  readonly unknownDevices?: UnknownDevices;
  readonly devices?: readonly DeviceEntry[];
  readonly up?: Partial<Conditions>;
  readonly down?: Partial<Conditions>;
  readonly params?: Partial<CoapParams>;
  /** Milliseconds for one operation; default 120 000. */
  readonly timeout?: number;
  readonly maxOperations?: number;
  readonly observeAgain?: boolean;
  readonly queue?: Partial<QueueSettings>;
  readonly overloaded?: () => boolean;
  /** As given to a server when it starts; default none are ever given. */
  readonly profiles?: readonly ProfileSettings[];
  /** Whether `log` events tell what goes to and fro; default false. */
  readonly transportLog?: boolean;
  /** Whether what outlives a restart is noted; default true. */
  readonly keeps?: boolean;
}

/** The live server on a virtual network: the whole of it but for sockets and the system clock. */
export interface Ground {
  readonly clock: VirtualClock;
  readonly network: VirtualNetwork;
  readonly transport: VirtualTransport;
  readonly endpoint: CoapEndpoint;
  readonly server: ServerCore;
  readonly profiles: ServerProfiles;
  readonly at: Address;
  /** A device's way to the server, over what the tests run over; `name` is what it proves to be before it registers. */
  link(at: Address, receive: (message: Buffer) => void, name?: string): Link;
  /** Calls `tap` for every message of the server's CoAP, before it goes anywhere. */
  tapSent(tap: (message: Uint8Array) => void): void;
  /** All events so far; a test may empty it. */
  readonly events: ServerEvent[];
  /** What the server reported as its own fault. Empty, or the test fails. */
  readonly errors: unknown[];
  /** What the server has kept so far, by key. */
  kept(): Map<string, unknown>;
  /**
   * Ends the server, lets `off` milliseconds pass during which datagrams find nobody, and starts another one from what was
   * kept, or from `records`. Returns the keys that could not be restored.
   */
  restart(options?: { readonly off?: number; readonly records?: ReadonlyMap<string, unknown> }): string[];
  close(): void;
}

export const SERVER_ADDRESS: Address = { address: '192.0.2.1', port: 5683 };

/** A server that lets in every device unless told otherwise. */
export function createGround(options: GroundOptions = {}): Ground {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({
    clock,
    seed: options.seed ?? 1,
    ...(options.up && { up: options.up }),
    ...(options.down && { down: options.down }),
  });
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const random = createRandom((options.seed ?? 1) + 1);
  const events: ServerEvent[] = [];
  const saved = new Map<string, unknown>();
  const touched = new Set<string>();
  const noted = new Set<Changing>();
  const keeper: StateKeeper = {
    touch: (key) => void touched.add(key),
    note: (changed) => void noted.add(changed),
  };
  const devices = deviceTable({
    unknownDevices: options.unknownDevices ?? 'accept-without-security',
    ...(options.devices && { devices: options.devices }),
  });
  const secureRandom = createRandom((options.seed ?? 1) + 2);
  const taps: ((message: Uint8Array) => void)[] = [];
  /** What follows from reports comes after the datagram that brought them about. */
  const reports: DtlsReport[] = [];
  let live = boot();
  const transport = network.transport(SERVER_ADDRESS, () => live.sink);
  if (options.profiles) live.profiles.set(options.profiles);

  /** DTLS under an endpoint. */
  function secured(endpoint: CoapEndpoint, driver: Driver): DtlsTransport {
    const key = (identity: string) => devices.key(identity);
    const onReport = (report: DtlsReport): void => void reports.push(report);
    const dtls = secureServer({ driver, sink: endpoint, random: secureRandom, key, onReport, onError });
    const send = dtls.send.bind(dtls);
    dtls.send = (data, peer) => {
      for (const tap of taps) tap(data);
      send(data, peer);
    };
    return dtls;
  }

  function afterReports(): void {
    if (network.isInstant) return;
    for (const report of reports.splice(0)) {
      if (report.kind === 'established') live.server.sessionOpened(report.peer);
      else if (report.kind === 'moved') live.server.sessionMoved(report.peer);
    }
  }

  /** Whether a device of this name can have a session. Whom the server would let in without security has an entry from here on. */
  function admits(name: string): boolean {
    if (devices.get(name) === undefined && devices.unknownDevices === 'accept-without-security') {
      try {
        for (const device of checkDevices([entryOf({ endpoint: name, mode: 'none' })])) devices.put('runtime', device);
      } catch {
        return false;
      }
    }
    return devices.key(pskIdentityOf(name)) !== undefined;
  }

  interface Live {
    readonly endpoint: CoapEndpoint;
    readonly server: ServerCore;
    readonly profiles: ServerProfiles;
    readonly sink: TransportSink;
    readonly dtls: DtlsTransport | undefined;
  }

  function boot(): Live {
    const driver = new Driver({ clock: clock.createAlarmOwner(), onError });
    const endpoint = new CoapEndpoint({
      driver,
      onError,
      random: { bytes: (count) => random.bytes(count), float: () => random.next() },
      ...(options.params && { params: options.params }),
    });
    // As the composition root does it, but for the pump.
    const hand = (event: ServerEvent): void => void events.push(event, ...profiles.derived(event));
    const profiles = new ServerProfiles({ model: omaModel(), wanted: (name) => devices.get(name)?.profile, tell: hand, onError });
    profiles.logs = options.transportLog ?? false;
    profiles.open(driver, options.keeps === false ? undefined : keeper);
    const server = new ServerCore({
      name: 'ground',
      companion: profiles,
      endpoint,
      driver,
      model: omaModel(),
      devices,
      timeout: options.timeout ?? 120_000,
      ...(options.keeps !== false && { keeper }),
      ...(options.maxOperations !== undefined && { maxOperations: options.maxOperations }),
      ...(options.observeAgain !== undefined && { observeAgain: options.observeAgain }),
      ...(options.queue && { queue: options.queue }),
      ...(options.overloaded && { overloaded: options.overloaded }),
      onError,
    });
    server.subscribe((event) => {
      hand(event);
      profiles.hear(event);
    });
    profiles.attach(server);
    const dtls = COAPS ? secured(endpoint, driver) : undefined;
    const sink = dtls && {
      receive: (data: Buffer, route: Peer) => {
        dtls.receive(data, route);
        afterReports();
      },
      gone: (route: Peer, reason: string) => dtls.gone(route, reason),
    };
    return { endpoint, server, profiles, sink: sink ?? endpoint, dtls };
  }

  function kept(): Map<string, unknown> {
    for (const key of touched) {
      const record = live.server.record(key);
      if (record) saved.set(key, structuredClone(record.value));
      else saved.delete(key);
    }
    for (const changed of noted) {
      const record = changed.record();
      if (record !== undefined) saved.set(changed.recordKey(), structuredClone(record));
    }
    touched.clear();
    noted.clear();
    return saved;
  }

  return {
    clock,
    network,
    transport,
    get endpoint() {
      return live.endpoint;
    },
    get server() {
      return live.server;
    },
    get profiles() {
      return live.profiles;
    },
    at: SERVER_ADDRESS,
    link: (at, receive, name = 'dev') => {
      const random = secureRandom.fork();
      return openLink({ network, clock, at, server: SERVER_ADDRESS, random, name, receive, admits, connected: afterReports });
    },
    tapSent: (tap) => {
      if (COAPS) taps.push(tap);
      else network.tap(({ direction, data }) => direction === 'down' && tap(data));
    },
    events,
    errors,
    kept,
    restart({ off = 0, records = new Map(kept()) } = {}) {
      live.server.close();
      live.profiles.close();
      live.endpoint.close();
      const sessions = live.dtls?.stop() ?? [];
      touched.clear();
      noted.clear();
      clock.advance(off);
      live = boot();
      const peers = live.dtls?.restore(sessions, (address, port) => transport.peerFor(address, port)) ?? [];
      const route = ({ address, port, identity }: Registration): Peer =>
        peers.find((peer) => peer.identity.name === identity.name) ?? transport.peerFor(address, port);
      const lost: string[] = [];
      for (const kind of RECORD_KINDS) {
        for (const [key, value] of records) {
          if (!key.startsWith(`${kind}/`)) continue;
          if (!live.server.restore(key, value, route)) lost.push(key);
        }
      }
      if (options.profiles) live.profiles.set(options.profiles);
      return lost;
    },
    close: () => {
      live.server.close();
      live.profiles.close();
      live.endpoint.close();
      live.dtls?.close();
      transport.close();
    },
  };
}

/** Events of one kind. */
export function eventsOf<K extends ServerEvent['kind']>(events: readonly ServerEvent[], kind: K): Extract<ServerEvent, { kind: K }>[] {
  return events.filter((event): event is Extract<ServerEvent, { kind: K }> => event.kind === kind);
}
