/** A server without a network, for the nodes that use one. */
import type { Node, NodeDef } from 'node-red';
import type {
  DeviceEntry,
  KeyedValues,
  LastValue,
  ListedDevice,
  LiveServer,
  Lwm2mServer,
  Model,
  Operation,
  OperationOptions,
  OperationResult,
  LearnedProfile,
  ProfilePreview,
  ProfileSettings,
  Registration,
  ServerEvent,
  ServerStats,
} from '../../lib/index';
import { compileProfile, createLwm2mServer, CredentialsError, omaModel, ProfileError } from '../../lib/index';
import { isComposite, performOneByOne } from '../../lib/server/one-by-one';
import type { ServerNode, ServerState, ServerUser } from '../../nodes/shared/types';
import type { Initializer } from './flows';

/** A registration with everything filled in. */
export function registration(endpoint: string, changes: Partial<Registration> = {}): Registration {
  return {
    id: `id-of-${endpoint}`,
    endpoint,
    lwm2mVersion: '1.1',
    lifetime: 300,
    binding: 'U',
    queueMode: false,
    extra: {},
    rootPath: '',
    contentFormats: [],
    objects: [
      { objectId: 3, instanceId: 0 },
      { objectId: 3303, instanceId: 0 },
    ],
    versions: new Map([
      [3, '1.1'],
      [3303, '1.0'],
    ]),
    identity: { scheme: 'coap', mode: 'none', name: '' },
    address: '192.0.2.7',
    port: 56830,
    registeredAt: 1_700_000_000_000,
    updatedAt: 1_700_000_000_000,
    lastSeenAt: 1_700_000_000_000,
    ...changes,
  };
}

export function registered(endpoint: string): ServerEvent {
  return { kind: 'registered', at: 1_700_000_000_000, registration: registration(endpoint) };
}

/** A notification of one integer. */
export function notification(endpoint: string, path: readonly number[], value: number): ServerEvent {
  return {
    kind: 'notification',
    at: 1_700_000_000_000,
    registration: registration(endpoint),
    observation: { id: 'ab12', registrationId: `id-of-${endpoint}`, endpoint, path: { ids: path }, startedAt: 1_700_000_000_000 },
    nodes: [{ path, type: 'integer', value }],
    contentFormat: 11542,
    code: '2.05',
    sequence: 1,
  };
}

type Answer = (endpoint: string, operation: Operation) => OperationResult | Promise<OperationResult>;

export class FakeServer implements Lwm2mServer {
  readonly port = 5683;
  readonly securePort = 0;
  readonly listening = true;
  model: Model = omaModel();
  readonly calledBack: [string, string | undefined][] = [];
  readonly performed: { endpoint: string; operation: Operation; timeout: number | undefined }[] = [];
  devices: Registration[] = [];
  /** Commands that wait for their devices. */
  waiting = 0;
  /** Devices known in advance, by endpoint, as they were given. */
  readonly known = new Map<string, DeviceEntry>();
  answer: Answer = (endpoint, operation) => {
    const { ids } = 'path' in operation ? operation.path : { ids: [] };
    return {
      kind: 'answer',
      code: '2.05',
      result: 'CONTENT',
      ok: true,
      nodes: [{ path: ids, type: 'integer', value: 85 }],
      rtt: 12,
      registration: registration(endpoint),
    };
  };
  private readonly listeners = new Set<(event: ServerEvent) => void>();

  start(): Promise<void> {
    return Promise.resolve();
  }
  /** By the nodes that have them. */
  readonly given = new Map<string, { profile: ProfileSettings; onProblem: (problem: string | undefined) => void }>();
  /** As they were given last. */
  profiles: readonly ProfileSettings[] | undefined;
  setProfiles(profiles: readonly ProfileSettings[]): { id: string; error: ProfileError }[] {
    this.profiles = profiles;
    return profiles.flatMap((settings) => {
      try {
        compileProfile(settings, this.model);
        return [];
      } catch (error) {
        return error instanceof ProfileError ? [{ id: settings.id, error }] : [];
      }
    });
  }
  profileOf(): undefined {
    return undefined;
  }
  previewProfile(): ProfilePreview {
    return { requests: ['Observe /3/0/9'], remarks: [] };
  }
  learnProfile(): Promise<LearnedProfile> {
    const resources = [{ path: '/3/0/9', key: 'batteryLevel', telemetry: true, observe: true }];
    return Promise.resolve({ definition: { resources }, remarks: [] });
  }
  /** Path by key. */
  keys: Readonly<Record<string, string>> = {};
  keysOf(): Readonly<Record<string, string>> {
    return this.keys;
  }
  scalesOf(): Readonly<Record<string, { factor: number; offset: number }>> {
    return {};
  }
  current: KeyedValues[] = [];
  currentValues(_endpoint: string): KeyedValues[] {
    return this.current;
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
  knownDevices(): ListedDevice[] {
    return Array.from(this.known.values(), ({ endpoint, mode }) => ({ endpoint, mode, source: 'runtime' }));
  }

  addDevice(device: DeviceEntry): ListedDevice {
    this.known.set(device.endpoint, device);
    return { endpoint: device.endpoint, mode: device.mode, source: 'runtime' };
  }

  replaceDevice(device: DeviceEntry): ListedDevice {
    return this.addDevice(device);
  }

  removeDevice(endpoint: string): void {
    if (!this.known.delete(endpoint)) throw new CredentialsError('UNKNOWN_ENDPOINT', `no device "${endpoint}"`);
  }

  subscribe(listener: (event: ServerEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  registrations(): Registration[] {
    return this.devices;
  }
  registration(endpoint: string): Registration | undefined {
    return this.devices.find((device) => device.endpoint === endpoint);
  }
  observations(): [] {
    return [];
  }
  async perform(endpoint: string, operation: Operation, { oneByOne, timeout }: OperationOptions = {}): Promise<OperationResult> {
    if (oneByOne && isComposite(operation))
      return performOneByOne(operation, registration(endpoint), (each) => this.perform(endpoint, each));
    this.performed.push({ endpoint, operation, timeout });
    return this.answer(endpoint, operation);
  }
  modelFiles(): Promise<[]> {
    return Promise.resolve([]);
  }
  queue(): [] {
    return [];
  }
  cancelQueued(): boolean {
    return false;
  }
  cancelWaitingOf(nodeId: string, endpoint?: string): number {
    this.calledBack.push([nodeId, endpoint]);
    return this.waiting;
  }
  waitingOf(): number {
    return this.waiting;
  }
  awake(): undefined {
    return undefined;
  }
  stats(): ServerStats {
    return createLwm2mServer().stats();
  }
  get size(): number {
    return this.devices.length;
  }
  unwelcome(): string[] {
    return [];
  }
  underway(): readonly Operation[] {
    return [];
  }

  lastValues(): ReadonlyMap<string, LastValue> {
    return new Map();
  }
  pauseEvents(): void {
    // Nothing is kept.
  }
  resumeEvents(): number {
    return 0;
  }
  takeEvents(): ServerEvent[] {
    return [];
  }
  inheritEvents(): void {
    // There is nobody before.
  }
  flush(): Promise<void> {
    return Promise.resolve();
  }
  keepAlive(): void {
    // Nothing to keep alive.
  }
  configure(): void {
    // Nothing to configure.
  }
  emit(event: ServerEvent): void {
    for (const listener of [...this.listeners]) listener(event);
  }
}

/** An `lwm2m-server` node around a fake, in place of the real node in flows that test the others; `opening`: it opens until then. */
export function fakeServerNode(
  fake: FakeServer,
  state: ServerState = { kind: 'listening', port: 5683 },
  opening?: Promise<void>,
): Initializer {
  return (RED) => {
    function FakeServerNode(this: Node, def: NodeDef): void {
      RED.nodes.createNode(this, def);
      const node = this as { -readonly [K in keyof ServerNode]: ServerNode[K] };
      const ends = new Map<string, () => void>();
      const live: LiveServer = {
        server: fake,
        adopted: false,
        displaced: [],
        ready: opening ?? Promise.resolve(),
        release: () => Promise.resolve(),
      };
      node.live = opening || state.kind === 'listening' ? live : undefined;
      node.state = state;
      node.users = {};
      node.register = (user: Node, listener: ServerUser) => {
        node.users[user.id] = user;
        listener.onState?.(state);
        ends.set(
          user.id,
          fake.subscribe((event) => {
            if (event.kind === 'command' && event.origin?.nodeId === user.id) listener.onCommand?.(event);
            else listener.onEvent?.(event);
          }),
        );
      };
      node.setProfile = (user, profile, onProblem) => void fake.given.set(user.id, { profile, onProblem });
      node.removeProfile = (user) => void fake.given.delete(user.id);
      node.deregister = (user: Node) => {
        Reflect.deleteProperty(node.users, user.id);
        ends.get(user.id)?.();
      };
    }
    RED.nodes.registerType('lwm2m-server', FakeServerNode);
  };
}
