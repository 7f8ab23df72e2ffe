import type { CoapEndpoint } from '../coap/endpoint';
import type { DeviceTable } from '../credentials/device-table';
import { isWithin } from '../lwm2m/path';
import type { DataNode } from '../lwm2m/types';
import type { Model } from '../model/types';
import type { Driver } from '../transport/driver';
import { NO_IDENTITY } from '../transport/identity';
import type { Identity, Peer } from '../transport/types';
import type { Companion } from './companion';
import { newServerCounters, type CoreCounters, type ServerContext } from './context';
import { NO_KEEPER, profileKey, type StateKeeper, type StateRecord } from './keeper';
import { LastValues, type LastValue } from './last-values';
import { againOperations, lostText, notThere, observeAgain, whyNot, type Start } from './observe-again';
import { ObservationTable } from './observations';
import { isLocal, type Observing } from './operation-requests';
import { queueSettings, type QueueSettings } from './presence';
import { CommandQueue } from './queue';
import type { QueuedItem } from './queued-command';
import { Profiles } from './profiles';
import { RegistrationService } from './registration-service';
import { Registrations } from './registrations';
import { SendService } from './send-service';
import { ServerState, type Route } from './state';
import { Tasks } from './tasks';
import type { Observation, Operation, OperationOptions, OperationResult, QueuedCommand, Registration, ServerEvent } from './types';

export interface ServerCoreOptions {
  /** Names the server in errors about shared ports. */
  readonly name: string;
  readonly endpoint: CoapEndpoint;
  readonly driver: Driver;
  readonly model: Model;
  readonly devices: DeviceTable;
  readonly timeout: number;
  /** Commands under way at most. Default 2000. */
  readonly maxOperations?: number;
  /** Whether a device that registers anew is asked again for what it observed. Default true. */
  readonly observeAgain?: boolean;
  /** Throws RangeError when one makes no sense. */
  readonly queue?: Partial<QueueSettings>;
  /** Whether new work has to be put off; default never. */
  readonly overloaded?: () => boolean;
  /** Told of every record that changes; default: nothing is kept. */
  readonly keeper?: StateKeeper;
  readonly companion?: Companion;
  readonly onError: (error: unknown) => void;
}

const MAX_OPERATIONS = 2000;

/** An operation under way, for whoever goes along with the server. */
interface Asked {
  readonly registration: Registration;
  readonly operation: Operation;
  readonly learn: boolean;
}

/**
 * The LwM2M server on a CoAP endpoint: registration, operations, observations, Send. Knows neither sockets nor the system
 * clock; `lib/index.ts` gives it both.
 */
export class ServerCore {
  readonly #context: ServerContext;
  readonly #driver: Driver;
  readonly #registration: RegistrationService;
  readonly #tasks: Tasks;
  readonly #queue: CommandQueue;
  readonly #state: ServerState;
  readonly #onError: (error: unknown) => void;
  readonly #companion: Companion | undefined;
  /** Operations under way, for the companion. */
  readonly #asked = new Map<number, Asked>();
  #again: boolean;
  readonly #listeners = new Set<(event: ServerEvent) => void>();
  readonly #results = new Map<number, (result: OperationResult) => void>();
  /** Of queued commands, by their ids; one from before a restart has none. */
  readonly #waiters = new Map<string, (result: OperationResult) => void>();
  readonly #detach: (() => void)[];

  /** Throws `RouteTakenError` when another server serves `/rd` or `/dp` on this endpoint. */
  constructor(options: ServerCoreOptions) {
    const { driver, endpoint, model, devices, timeout, name, maxOperations = MAX_OPERATIONS } = options;
    const { keeper = NO_KEEPER, overloaded = () => false } = options;
    this.#driver = driver;
    this.#onError = options.onError;
    this.#companion = options.companion;
    this.#again = options.observeAgain ?? true;
    this.#context = {
      endpoint,
      clock: driver.clock,
      model,
      devices,
      registrations: new Registrations(),
      observations: new ObservationTable(keeper),
      lastValues: new LastValues(keeper),
      profiles: new Profiles((name) => keeper.touch(profileKey(name))),
      keeper,
      overloaded,
      queue: queueSettings(options.queue),
      heard: (registration) => this.#queue.heard(registration),
      left: (device) => this.#queue.left(device),
      maxOperations,
      counters: newServerCounters(),
      timeout,
      emit: (event) => this.#emit(event),
      endOperations: (registrationId, detail) => this.#tasks.operations.endOf(registrationId, detail),
      changed: () => driver.changed(),
      observeAgain: (registration, observations) => this.#observeAgain(registration, observations),
    };
    this.#registration = new RegistrationService(this.#context);
    this.#tasks = new Tasks(this.#context, (id, result) => this.#finished(id, result));
    this.#queue = new CommandQueue({
      context: this.#context,
      kept: keeper !== NO_KEEPER,
      start: ({ endpoint: device, operation, options: how, again }) => this.#start(device, operation, how, again),
      cancel: (id) => this.#tasks.cancel(id),
      unacknowledgedSince: (id) => this.#tasks.unacknowledgedSince(id),
      giveUp: (id) => this.#tasks.giveUp(id),
      onResult: (item, result) => this.#queueEnded(item, result),
    });
    this.#state = new ServerState(this.#context, this.#queue, this.#companion);
    this.#detach = [endpoint.route('rd', this.#registration, name)];
    try {
      this.#detach.push(endpoint.route('dp', new SendService(this.#context), name));
    } catch (error) {
      this.close();
      throw error;
    }
    this.#detach.push(endpoint.observeReports((report) => this.#tasks.operations.report(report)));
    driver.attach(this.#registration);
    driver.attach(this.#queue);
  }

  subscribe(listener: (event: ServerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  registrations(): Registration[] {
    return this.#context.registrations.list();
  }

  registration(endpoint: string): Registration | undefined {
    return this.#context.registrations.byEndpoint(endpoint)?.registration;
  }

  observations(endpoint: string): Observation[] {
    const registration = this.registration(endpoint);
    return registration ? this.#context.observations.of(registration.id) : [];
  }

  /** Endpoint names of registered devices that the device table would refuse now. */
  unwelcome(): string[] {
    const { registrations, devices } = this.#context;
    const refused = registrations.list().filter(({ identity, endpoint }) => !devices.mayActFor(identity, endpoint).allowed);
    return refused.map(({ endpoint }) => endpoint);
  }

  /**
   * A device has proven who it is, and has a session: its first, or another one in the place of the one before, which may have been
   * `lost` to us.
   */
  sessionOpened(peer: Peer, lost = false): void {
    this.#registration.sessionOpened(peer, lost);
  }

  /** The session of a device is heard from another address. */
  sessionMoved(peer: Peer): void {
    this.#registration.sessionMoved(peer);
  }

  /** Ends the registration of a device that registered by a proof that does not count any more. */
  revoke(endpoint: string, identity: Pick<Identity, 'mode' | 'name'>): void {
    const { mode, name, aliases = [] } = this.registration(endpoint)?.identity ?? NO_IDENTITY;
    if (mode !== 'none' && mode === identity.mode && [name, ...aliases].includes(identity.name)) {
      this.#registration.revoke(endpoint, 'its credentials were removed or changed');
    }
  }

  /** Ends registrations without security under names that are those of secured devices now; of one device or of all. */
  endUnproven(endpoint?: string): void {
    const { devices, registrations } = this.#context;
    const looked = endpoint === undefined ? registrations.list() : [this.registration(endpoint)];
    for (const each of looked) {
      const { mode = 'none' } = (each && devices.get(each.endpoint)) ?? {};
      if (each?.identity.mode === 'none' && mode !== 'none')
        this.#registration.revoke(each.endpoint, `it must use security mode ${mode} now`);
    }
  }

  /** Tells the flows something that is about no registration. */
  log(text: string, about: { readonly endpoint?: string; readonly reason?: string }): void {
    this.#emit({ kind: 'log', at: this.#driver.clock.wall(), level: 'warn', text, ...about });
  }

  /** What a device said last, by path text. */
  lastValues(endpoint: string): ReadonlyMap<string, LastValue> {
    return this.#context.lastValues.of(endpoint);
  }

  /** What a device is being asked, and will be asked when it wakes. */
  underway(endpoint: string): readonly Operation[] {
    const asked = [...this.#asked.values()].filter(({ registration }) => registration.endpoint === endpoint);
    return [...asked, ...this.#queue.list(endpoint)].map(({ operation }) => operation);
  }

  /** What is to be kept under a key that was touched; undefined when there is nothing any more. */
  record(key: string): StateRecord | undefined {
    return this.#state.record(key);
  }

  /** No lifetime ends, and no waiting command is sent, until the function it returns is called. */
  pauseLifetimes(): () => void {
    const resume = [this.#registration.pauseLifetimes(), this.#queue.pause()];
    return () => resume.forEach((each) => each());
  }

  /** The commands of a device in queue mode, in the order in which they are sent. */
  queue(endpoint: string): QueuedCommand[] {
    return this.#queue.list(endpoint);
  }

  /** Ends a command of `queue` with `CANCELLED`; false when there is none of this id any more. */
  cancelQueued(id: string): boolean {
    return this.#queue.cancel(id);
  }

  /** Ends all commands of a node that wait, for one device or for all, with `CANCELLED`; one on its way goes on. Returns how many. */
  cancelWaitingOf(nodeId: string, endpoint?: string): number {
    return this.#queue.cancelOf(nodeId, endpoint);
  }

  /** How many commands of a node wait for their devices. */
  waitingOf(nodeId: string): number {
    return this.#queue.waitingOf(nodeId);
  }

  /** Whether a device in queue mode listens; undefined when it always does, or is not registered. */
  awake(endpoint: string): boolean | undefined {
    const registration = this.registration(endpoint);
    return registration && this.#queue.isAwake(registration);
  }

  /** Takes back a record, see `ServerState.restore`. */
  restore(key: string, value: unknown, route: Route): boolean {
    return this.#state.restore(key, value, route);
  }

  /**
   * Never rejects; exactly one result. A command that waits for a device in queue mode outlives this server, where there is
   * a keeper: its result is then a `command` event of the next one, and the promise stays open.
   */
  perform(endpoint: string, operation: Operation, options: OperationOptions = {}): Promise<OperationResult> {
    return new Promise((resolve) => {
      try {
        const registration = this.registration(endpoint);
        if (registration && this.#queue.takes(registration) && !isLocal(operation)) {
          const { id, failed } = this.#queue.add(registration, operation, options);
          if (!failed) this.#waiters.set(id, resolve);
          this.#queue.proceed(endpoint);
          if (failed) resolve(failed);
          return;
        }
        const { id, result } = this.#start(endpoint, operation, options);
        if (result) resolve(result);
        else this.#results.set(id, resolve);
      } catch (error) {
        this.#context.counters.internalErrors++;
        this.#onError(error);
        resolve({ kind: 'failed', code: 'BAD_REQUEST', error: `This operation cannot be done: ${String(error)}.` });
      }
    });
  }

  counters(): CoreCounters {
    const { counters, registrations, observations } = this.#context;
    return {
      ...counters,
      registrations: registrations.size,
      observations: observations.size,
      pendingOperations: this.#tasks.operations.pending,
      waitingCommands: this.#queue.waiting,
    };
  }

  /** Registered devices. */
  get size(): number {
    return this.#context.registrations.size;
  }

  /** Takes over new settings without touching registrations; they bind a device at its next message. */
  configure(settings: Pick<ServerCoreOptions, 'devices' | 'timeout' | 'maxOperations' | 'observeAgain' | 'queue'>): void {
    this.#context.queue = queueSettings(settings.queue);
    this.#context.devices = settings.devices;
    this.#again = settings.observeAgain ?? true;
    this.#context.timeout = settings.timeout;
    this.#context.maxOperations = settings.maxOperations ?? MAX_OPERATIONS;
  }

  /** Ends every operation with `CLOSED`, but for waiting commands that are kept, and serves nothing any more. */
  close(): void {
    this.#queue.close();
    this.#tasks.operations.close();
    for (const detach of this.#detach) detach();
    this.#driver.detach(this.#registration);
    this.#driver.detach(this.#queue);
  }

  #observeAgain(registration: Registration, observations: readonly Observation[]): void {
    const others = observations.filter((observation) => this.#companion?.owns(observation) !== true);
    if (!this.#again || others.length === 0) return;
    const { endpoint } = registration;
    const failed = (operation: Observing, reason: string): void => this.#lost(registration, lostText(operation, reason));
    const start: Start = ({ operation, options }, done) => {
      const { id, result } = this.#start(endpoint, operation, options, true);
      if (result) done(result);
      else this.#results.set(id, done);
    };
    if (!this.#queue.takes(registration)) {
      observeAgain(registration, others, start, failed);
      return;
    }
    // A device that sleeps may do so before it is asked for all.
    for (const { operation, options } of againOperations(others)) {
      const gone = notThere(operation, registration);
      if (gone !== undefined) failed(operation, gone);
      else this.#queue.add(registration, operation, options, true);
    }
  }

  #lost(registration: Registration, text: string): void {
    this.#emit({ kind: 'log', at: this.#driver.clock.wall(), registration, level: 'warn', text });
  }

  #queueEnded(item: QueuedItem, result: OperationResult): void {
    const { id, endpoint, operation, origin } = item;
    if (item.again) {
      const reason = whyNot(result);
      if (reason !== undefined && result.registration) this.#lost(result.registration, lostText(operation as Observing, reason));
      return;
    }
    const resolve = this.#waiters.get(id);
    this.#waiters.delete(id);
    if (resolve) resolve(result);
    else this.#emit({ kind: 'command', at: this.#context.clock.wall(), endpoint, id, operation, result, ...(origin && { origin }) });
  }

  #start(endpoint: string, operation: Operation, options: OperationOptions, again = false): { id: number; result?: OperationResult } {
    const registration = isLocal(operation) ? undefined : this.registration(endpoint);
    if (registration) this.#companion?.began(registration, operation);
    const started = this.#tasks.start(endpoint, operation, options, again);
    if (registration) {
      const asked = { registration, operation, learn: options.learn === true };
      if (started.result) this.#ended(asked, started.result);
      else this.#asked.set(started.id, asked);
    }
    return started;
  }

  #ended({ registration, operation, learn }: Asked, result: OperationResult): void {
    if (result.kind === 'answer' && result.ok) this.#changed(registration, operation, learn);
    this.#companion?.ended(registration, operation, result);
  }

  /** What the device has taken is what it has, as far as it may be known. */
  #changed({ endpoint, versions }: Registration, operation: Operation, learn: boolean): void {
    const { lastValues, clock, model } = this.#context;
    switch (operation.kind) {
      case 'WriteReplace':
      case 'WriteUpdate':
      case 'WriteComposite': {
        const isReadable = ({ path: [objectId = 0, , resourceId = 0] }: DataNode): boolean =>
          model.resource(objectId, resourceId, versions.get(objectId))?.operations.includes('R') ?? true;
        const nodes = learn ? operation.nodes : operation.nodes.filter(isReadable);
        lastValues.learn(endpoint, nodes, clock.wall(), operation.kind === 'WriteReplace' ? operation.path.ids : undefined);
        return;
      }
      case 'Delete':
        lastValues.drop(endpoint, (ids) => isWithin(ids, operation.path.ids));
        return;
      default:
    }
  }

  /** A write without an answer may have been taken all the same. */
  #maybeChanged({ registration: { endpoint }, operation }: Asked): void {
    const { lastValues } = this.#context;
    if (operation.kind === 'WriteReplace') lastValues.doubt(endpoint, (ids) => isWithin(ids, operation.path.ids));
    else if (operation.kind === 'WriteUpdate' || operation.kind === 'WriteComposite')
      lastValues.doubt(endpoint, (ids) => operation.nodes.some(({ path }) => isWithin(ids, path)));
  }

  #finished(id: number, result: OperationResult): void {
    const asked = this.#asked.get(id);
    if (asked) {
      this.#asked.delete(id);
      if (result.kind === 'failed') this.#maybeChanged(asked);
      this.#ended(asked, result);
    }
    if (this.#queue.owns(id)) {
      this.#queue.result(id, result);
      return;
    }
    const resolve = this.#results.get(id);
    this.#results.delete(id);
    resolve?.(result);
  }

  #emit(event: ServerEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#context.counters.internalErrors++;
        this.#onError(error);
      }
    }
  }
}
