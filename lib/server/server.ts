import type { CoapEndpoint } from '../coap/endpoint';
import type { DeviceTable } from '../credentials/device-table';
import type { Model } from '../model/types';
import type { Driver } from '../transport/driver';
import { newServerCounters, type CoreCounters, type ServerContext } from './context';
import { NO_KEEPER, valueKey, type StateKeeper, type StateRecord } from './keeper';
import { LastValues, type LastValue } from './last-values';
import { cancelAll } from './cancel-all';
import { observeAgain } from './observe-again';
import { ObservationTable } from './observations';
import { OperationService } from './operation-service';
import { observedText } from './pending';
import { failure } from './results';
import { RegistrationService } from './registration-service';
import { Registrations } from './registrations';
import { SendService } from './send-service';
import { ServerState, type Route } from './state';
import type { Observation, Operation, OperationOptions, OperationResult, Registration, ServerEvent } from './types';

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
  /** Whether new work has to be put off; default never. */
  readonly overloaded?: () => boolean;
  /** Told of every record that changes; default: nothing is kept. */
  readonly keeper?: StateKeeper;
  readonly onError: (error: unknown) => void;
}

const MAX_OPERATIONS = 2000;

/**
 * The LwM2M server on a CoAP endpoint: registration, operations, observations, Send. Knows neither sockets nor the system
 * clock; `lib/index.ts` gives it both.
 */
export class ServerCore {
  readonly #context: ServerContext;
  readonly #driver: Driver;
  readonly #registration: RegistrationService;
  readonly #operations: OperationService;
  readonly #state: ServerState;
  readonly #onError: (error: unknown) => void;
  #again: boolean;
  readonly #listeners = new Set<(event: ServerEvent) => void>();
  readonly #results = new Map<number, (result: OperationResult) => void>();
  readonly #detach: (() => void)[];

  /** Throws `RouteTakenError` when another server serves `/rd` or `/dp` on this endpoint. */
  constructor(options: ServerCoreOptions) {
    const { driver, endpoint, model, devices, timeout, name, maxOperations = MAX_OPERATIONS } = options;
    const { keeper = NO_KEEPER, overloaded = () => false } = options;
    this.#driver = driver;
    this.#onError = options.onError;
    this.#again = options.observeAgain ?? true;
    this.#context = {
      endpoint,
      clock: driver.clock,
      model,
      devices,
      registrations: new Registrations(),
      observations: new ObservationTable(keeper),
      lastValues: new LastValues((device, path) => keeper.touch(valueKey(device, path))),
      keeper,
      overloaded,
      maxOperations,
      counters: newServerCounters(),
      timeout,
      emit: (event) => this.#emit(event),
      endOperations: (registrationId, detail) => this.#operations.endOf(registrationId, detail),
      changed: () => driver.changed(),
      observeAgain: (registration, observations) => this.#observeAgain(registration, observations),
    };
    this.#registration = new RegistrationService(this.#context);
    this.#operations = new OperationService(this.#context, (id, result) => this.#finished(id, result));
    this.#state = new ServerState(this.#context);
    this.#detach = [endpoint.route('rd', this.#registration, name)];
    try {
      this.#detach.push(endpoint.route('dp', new SendService(this.#context), name));
    } catch (error) {
      this.close();
      throw error;
    }
    this.#detach.push(endpoint.observeReports((report) => this.#operations.report(report)));
    driver.attach(this.#registration);
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

  /** What a device said last, by path text. */
  lastValues(endpoint: string): ReadonlyMap<string, LastValue> {
    return this.#context.lastValues.of(endpoint);
  }

  /** What is to be kept under a key that was touched; undefined when there is nothing any more. */
  record(key: string): StateRecord | undefined {
    return this.#state.record(key);
  }

  /** No lifetime ends until the function it returns is called. */
  pauseLifetimes(): () => void {
    return this.#registration.pauseLifetimes();
  }

  /** Takes back a record, see `ServerState.restore`. */
  restore(key: string, value: unknown, route: Route): boolean {
    return this.#state.restore(key, value, route);
  }

  /** Never rejects; exactly one result. */
  perform(endpoint: string, operation: Operation, options: OperationOptions = {}): Promise<OperationResult> {
    return new Promise((resolve) => {
      try {
        if (operation.kind === 'ObserveCancelAll') {
          const entry = this.#context.registrations.byEndpoint(endpoint);
          if (!entry) resolve(failure('UNKNOWN_ENDPOINT', `No device with the endpoint name "${endpoint}" is registered.`));
          else
            resolve(cancelAll(entry.registration, this.observations(endpoint), options, (each, set) => this.perform(endpoint, each, set)));
          return;
        }
        const { id, result } = this.#operations.start(endpoint, operation, options);
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
    return { ...counters, registrations: registrations.size, observations: observations.size, pendingOperations: this.#operations.pending };
  }

  /** Registered devices. */
  get size(): number {
    return this.#context.registrations.size;
  }

  /** Takes over new settings without touching registrations; they bind a device at its next message. */
  configure(settings: {
    readonly devices: DeviceTable;
    readonly timeout: number;
    readonly maxOperations?: number;
    readonly observeAgain?: boolean;
  }): void {
    this.#context.devices = settings.devices;
    this.#again = settings.observeAgain ?? true;
    this.#context.timeout = settings.timeout;
    this.#context.maxOperations = settings.maxOperations ?? MAX_OPERATIONS;
  }

  /** Ends every operation with `CLOSED` and serves nothing any more. */
  close(): void {
    this.#operations.close();
    for (const detach of this.#detach) detach();
    this.#driver.detach(this.#registration);
  }

  #observeAgain(registration: Registration, observations: readonly Observation[]): void {
    if (!this.#again) return;
    observeAgain(
      registration,
      observations,
      (endpoint, operation, options, done) => {
        if (operation.kind === 'ObserveCancelAll') return;
        const { id, result } = this.#operations.start(endpoint, operation, options, true);
        if (result) done(result);
        else this.#results.set(id, done);
      },
      (observation, reason) => {
        const text = `${observedText(observation)} is not observed any more: ${reason}`;
        this.#emit({ kind: 'log', at: this.#driver.clock.wall(), registration, level: 'warn', text });
      },
    );
  }

  #finished(id: number, result: OperationResult): void {
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
