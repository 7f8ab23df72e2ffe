import { Code } from '../coap/codes';
import { tokenKey } from '../coap/tokens';
import type { IncomingResponse, ObservationReport, Outcome, RequestSpec } from '../coap/types';
import { EncodeError } from '../codec/errors';
import { systemRandom } from '../transport/random';
import type { Peer } from '../transport/types';
import { readAnswer } from './answers';
import type { ServerContext } from './context';
import { localAnswer } from './local-operations';
import { isObserving, ObservingService } from './observing';
import {
  isCancellation,
  isLocal,
  observationRequest,
  operationRequest,
  type Cancellation,
  type DeviceOperation,
} from './operation-requests';
import { isComposite } from './one-by-one';
import { failureText, observedText, pathList, pathsText, type PendingOperation } from './pending';
import { markSeen } from './registrations';
import { failure, FAILURES } from './results';
import type { Observation, Operation, OperationOptions, OperationResult, Registration } from './types';

/** An operation on one device, as the service starts it. */
export type StartedOperation = Exclude<Operation, { kind: 'ObserveCancelAll' }>;

/**
 * The device management and information reporting interfaces (Core TS 6.3, 6.4) towards one device at a time: an operation
 * goes in with an id, its one result comes out of `onResult` with the same id.
 */
export class OperationService {
  readonly #context: ServerContext;
  readonly #onResult: (id: number, result: OperationResult) => void;
  readonly #observing: ObservingService;
  readonly #pending = new Map<number, PendingOperation>();
  /** Those of one registration: they end with it. */
  readonly #byRegistration = new Map<string, Set<PendingOperation>>();
  #nextId = 1;

  constructor(context: ServerContext, onResult: (id: number, result: OperationResult) => void) {
    this.#context = context;
    this.#onResult = onResult;
    this.#observing = new ObservingService(context);
  }

  get pending(): number {
    return this.#pending.size;
  }

  /**
   * Starts an operation and returns its id; `result` when it is there at once, because the server knows the answer or nothing
   * could be sent, else it comes through `onResult`. `again`: the server asks for its own sake.
   */
  start(endpoint: string, operation: StartedOperation, options: OperationOptions, again = false): { id: number; result?: OperationResult } {
    const { registrations, counters, observations, model } = this.#context;
    const id = this.#nextId++;
    counters.operations++;
    const entry = registrations.byEndpoint(endpoint);
    if (this.#pending.size >= this.#context.maxOperations) {
      counters.busyOperations++;
      return { id, result: failure('BUSY', busyText(this.#context.maxOperations), entry?.registration) };
    }
    if (!entry) return { id, result: failure('UNKNOWN_ENDPOINT', `No device with the endpoint name "${endpoint}" is registered.`) };
    const { registration } = entry;
    if (isLocal(operation)) {
      return { id, result: localAnswer(operation, registration, observations.of(registration.id)) };
    }
    const observed = this.#observedBy(operation, registration);
    let spec: RequestSpec | undefined;
    try {
      if (!isCancellation(operation)) spec = operationRequest(operation, registration, model, options);
      else if (observed) spec = observationRequest(observed, registration, model, 1);
      else return { id, result: failure('BAD_REQUEST', this.#notObserved(registration, operation), registration) };
    } catch (error) {
      if (!(error instanceof EncodeError)) throw error;
      return { id, result: failure('BAD_REQUEST', error.message, registration) };
    }
    if (!spec) throw new TypeError('an operation has a first request');
    if (!again) this.#overtake(operation, registration);
    const token = observationToken(operation, observed);
    const timeout = options.timeout ?? this.#context.devices.get(endpoint)?.timeout ?? this.#context.timeout;
    const pending: PendingOperation = {
      id,
      endpoint,
      registration,
      peer: entry.peer,
      operation,
      options,
      deadline: this.#context.clock.now() + timeout,
      attempt: 0,
      accept: spec.accept,
      requestFormat: spec.contentFormat,
      observationId: token && tokenKey(token),
      again,
      exchange: 0,
    };
    this.#pending.set(id, pending);
    const siblings = this.#byRegistration.get(registration.id);
    if (siblings) siblings.add(pending);
    else this.#byRegistration.set(registration.id, new Set([pending]));
    this.#observing.begun(pending);
    this.#send(pending, entry.peer, spec, timeout);
    return { id };
  }

  #send(pending: PendingOperation, peer: Peer, spec: RequestSpec, timeout: number): void {
    const { observationId } = pending;
    const request = { ...spec, timeout };
    const asked = observationId === undefined ? request : Object.assign(request, { token: Buffer.from(observationId, 'hex') });
    pending.exchange = this.#context.endpoint.request(peer, asked, (outcome) => this.#finished(pending, outcome));
  }

  /**
   * Asks once more in the next format where the device refused the one that was chosen for it (4.06, 4.15), within the time of the
   * operation. False when there is no other, or the caller named the format.
   */
  #triedAgain(pending: PendingOperation, { code }: IncomingResponse): boolean {
    const { operation, registration, options } = pending;
    if (code !== Code.NOT_ACCEPTABLE && code !== Code.UNSUPPORTED_CONTENT_FORMAT) return false;
    if (pending.attempt === 1 || isCancellation(operation)) return false;
    const { clock, model, registrations } = this.#context;
    const timeout = pending.deadline - clock.now();
    const peer = registrations.byId(registration.id)?.peer;
    let spec: RequestSpec | undefined;
    try {
      spec = operationRequest(operation, registration, model, options, 1);
    } catch (error) {
      // What the next format cannot express was refused in this one: the refusal is the result.
      if (!(error instanceof EncodeError)) throw error;
    }
    if (!spec || !peer || timeout <= 0) return false;
    pending.attempt = 1;
    pending.accept = spec.accept;
    pending.requestFormat = spec.contentFormat;
    this.#send(pending, peer, spec, timeout);
    return true;
  }

  /** Ends an operation with `CANCELLED`. */
  cancel(id: number): void {
    const pending = this.#pending.get(id);
    if (pending) this.#context.endpoint.cancel(pending.exchange);
  }

  /** Since when the device has not acknowledged what it was sent; undefined when it has. */
  unacknowledgedSince(id: number): number | undefined {
    const pending = this.#pending.get(id);
    return pending && this.#context.endpoint.unacknowledgedSince(pending.exchange);
  }

  /** Ends an operation that the device has not acknowledged with `TIMEOUT_NO_ACK`; any other goes on. */
  giveUp(id: number): void {
    const pending = this.#pending.get(id);
    if (pending) this.#context.endpoint.giveUp(pending.exchange);
  }

  /** Ends every operation with `CLOSED`. */
  close(): void {
    this.#abort(this.#pending.values(), (pending) => {
      this.#observing.leaveNothing(pending);
      return failure('CLOSED', failureText(pending, 'the server is closing'), pending.registration);
    });
  }

  /** Ends the operations of a registration that is over with `CANCELLED`: the device they were meant for has begun anew, or left. */
  endOf(registrationId: string, detail: string): void {
    this.#observing.registrationEnded(registrationId);
    const reason = 'cancelled';
    this.#abort(this.#byRegistration.get(registrationId) ?? [], (pending) => this.#result(pending, { kind: 'failed', reason, detail }));
  }

  #abort(operations: Iterable<PendingOperation>, result: (pending: PendingOperation) => OperationResult): void {
    // The latest first, or each that ends would let the next one leave.
    for (const pending of [...operations].reverse()) {
      this.#finish(pending, result(pending));
      this.#context.endpoint.cancel(pending.exchange);
    }
  }

  /** What the server asked again by itself a flow asks now: the flow's request takes its place. */
  #overtake(operation: DeviceOperation, { id }: Registration): void {
    const same = [...(this.#byRegistration.get(id) ?? [])].filter((pending) => pending.again && sameTarget(pending.operation, operation));
    this.#abort(same, (pending) =>
      this.#result(pending, { kind: 'failed', reason: 'cancelled', detail: 'asked for by a command meanwhile' }),
    );
  }

  /** A notification, the loss of one, or the end of an observation, from the engine. */
  report(report: ObservationReport): void {
    this.#observing.report(report);
  }

  #finished(pending: PendingOperation, outcome: Outcome): void {
    if (!this.#pending.has(pending.id)) return;
    const entry = outcome.kind === 'response' ? this.#context.registrations.byId(pending.registration.id) : undefined;
    if (entry) {
      markSeen(entry.registration, this.#context.clock.wall());
      this.#context.heard(entry.registration);
    }
    if (outcome.kind === 'response' && this.#triedAgain(pending, outcome.response)) return;
    this.#finish(pending, this.#result(pending, outcome));
    if (pending.early) this.#observing.report(pending.early);
  }

  #finish(pending: PendingOperation, result: OperationResult): void {
    const { id, registration } = pending;
    this.#pending.delete(id);
    const siblings = this.#byRegistration.get(registration.id);
    siblings?.delete(pending);
    if (siblings?.size === 0) this.#byRegistration.delete(registration.id);
    this.#observing.settled(pending);
    this.#onResult(id, result);
  }

  #result(pending: PendingOperation, outcome: Outcome): OperationResult {
    if (isCancellation(pending.operation)) return this.#observing.cancelled(pending, outcome);
    if (outcome.kind === 'response') {
      const answer = readAnswer(this.#context, pending, outcome.response, outcome.rtt);
      return isObserving(pending) ? this.#observing.answered(pending, answer, outcome.response) : answer;
    }
    this.#observing.leaveNothing(pending);
    const code = FAILURES[outcome.reason];
    const silent = isComposite(pending.operation) && (code === 'TIMEOUT_NO_ACK' || code === 'TIMEOUT_NO_RESPONSE');
    const text = failureText(pending, outcome.detail);
    return failure(code, silent ? `${text} ${NO_COMPOSITE}` : text, pending.registration);
  }

  #observedBy(operation: DeviceOperation, { id }: Registration): Observation | undefined {
    const { observations } = this.#context;
    if (operation.kind === 'Observe' || operation.kind === 'ObserveCancel') return observations.find(id, operation.path.ids);
    if (operation.kind === 'ObserveComposite' || operation.kind === 'ObserveCompositeCancel')
      return observations.findComposite(id, operation.paths);
    return undefined;
  }

  #notObserved(registration: Registration, operation: Cancellation): string {
    const composite = operation.kind === 'ObserveCompositeCancel';
    const running = this.#context.observations
      .of(registration.id)
      .filter((observation) => (observation.paths !== undefined) === composite)
      .map((observation) => (composite ? `[${observedText(observation)}]` : observedText(observation)));
    const what = composite
      ? `[${pathsText(operation)}] of "${registration.endpoint}" is not observed as a composite`
      : `${pathsText(operation)} of "${registration.endpoint}" is not observed`;
    const others = running.length > 0 ? `Observed are ${pathList(running)}.` : 'Nothing is observed there.';
    return `${what}. ${others}`;
  }
}

const NO_COMPOSITE =
  'Devices without composite operations often do not answer them at all: the setting "one by one" asks for each path by itself.';

function sameTarget(a: DeviceOperation, b: DeviceOperation): boolean {
  return a.kind === b.kind && pathsText(a) === pathsText(b);
}

/** An Observe of an observed path takes the same token, so that the device replaces its entry (RFC 7641 4.1). */
function observationToken({ kind }: DeviceOperation, observed: Observation | undefined): Uint8Array | undefined {
  if (kind !== 'Observe' && kind !== 'ObserveComposite' && kind !== 'ObserveCancel' && kind !== 'ObserveCompositeCancel') return undefined;
  return observed ? Buffer.from(observed.id, 'hex') : systemRandom.bytes(8);
}

function busyText(limit: number): string {
  return `${limit} commands are under way already, which is the limit of this server. Wait for their results before sending more.`;
}
