import { Code, codeText, isSuccess } from '../coap/codes';
import type { IncomingResponse, ObservationReport, Outcome, RequestSpec } from '../coap/types';
import { tokenKey } from '../coap/tokens';
import { EncodeError } from '../codec/errors';
import { decodePayload } from '../codec/index';
import { DecodeError } from '../codec/errors';
import { formatPath } from '../lwm2m/path';
import type { DataNode } from '../lwm2m/types';
import { systemRandom } from '../transport/random';
import type { Peer } from '../transport/types';
import type { ServerContext } from './context';
import { observationRequest, operationRequest } from './operation-requests';
import { diagnostic, failure, FAILURES, resultName } from './results';
import type { Observation, Operation, OperationOptions, OperationResult, Registration } from './types';

/** A command under way: plain data and the name of its CoAP exchange. */
interface PendingOperation {
  readonly id: number;
  readonly endpoint: string;
  readonly registration: Registration;
  /** The route the request took. */
  readonly peer: Peer;
  readonly operation: Operation;
  readonly options: OperationOptions;
  /** By when it must be done, of the monotonic clock, ms. */
  readonly deadline: number;
  /** The format asked for, and that of a Write. */
  accept: number | undefined;
  contentFormat: number | undefined;
  /** 1 once another format was tried. */
  attempt: 0 | 1;
  /** Hex of the token, where the operation is about an observation. */
  readonly observationId: string | undefined;
  exchange: number;
  /** Observe: the last notification that came while the answer, in blocks, was still on its way. */
  early?: ObservationReport;
}

/**
 * The device management and information reporting interfaces (Core TS 6.3, 6.4) towards one device at a time: an operation
 * goes in with an id, its one result comes out of `onResult` with the same id.
 */
export class OperationService {
  readonly #context: ServerContext;
  readonly #onResult: (id: number, result: OperationResult) => void;
  readonly #pending = new Map<number, PendingOperation>();
  /** Those of one registration: they end with it. */
  readonly #byRegistration = new Map<string, Set<PendingOperation>>();
  /** Observe operations under way, by observation id. */
  readonly #observing = new Map<string, PendingOperation>();
  /** Registrations whose device has lost its right, and which have been told of. */
  readonly #muted = new Set<string>();
  #nextId = 1;

  constructor(context: ServerContext, onResult: (id: number, result: OperationResult) => void) {
    this.#context = context;
    this.#onResult = onResult;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Starts an operation and returns its id; `failed` when nothing could be sent, else the result comes through `onResult`. */
  start(endpoint: string, operation: Operation, options: OperationOptions): { id: number; failed?: OperationResult } {
    const { registrations, counters } = this.#context;
    const id = this.#nextId++;
    counters.operations++;
    const entry = registrations.byEndpoint(endpoint);
    if (this.#pending.size >= this.#context.maxOperations) {
      counters.busyOperations++;
      return { id, failed: failure('BUSY', busyText(this.#context.maxOperations), entry?.registration) };
    }
    if (!entry) return { id, failed: failure('UNKNOWN_ENDPOINT', `No device with the endpoint name "${endpoint}" is registered.`) };
    const { registration } = entry;
    const observed = this.#context.observations.find(registration.id, operation.path.ids);
    let spec: RequestSpec | undefined;
    try {
      if (operation.kind !== 'ObserveCancel') spec = operationRequest(operation, registration, this.#context.model, options);
      else if (observed) spec = observationRequest(observed, registration, 1);
      else return { id, failed: failure('BAD_REQUEST', this.#notObserved(registration, operation), registration) };
    } catch (error) {
      if (!(error instanceof EncodeError)) throw error;
      return { id, failed: failure('BAD_REQUEST', error.message, registration) };
    }
    if (!spec) throw new TypeError('an operation has a first request');
    const token = this.#observationToken(operation, observed);
    const timeout = options.timeout ?? this.#context.devices.get(endpoint)?.timeout ?? this.#context.timeout;
    const pending: PendingOperation = {
      id,
      endpoint,
      registration,
      peer: entry.peer,
      operation,
      options,
      deadline: this.#context.clock.now() + timeout,
      accept: spec.accept,
      contentFormat: spec.contentFormat,
      attempt: 0,
      observationId: token && tokenKey(token),
      exchange: 0,
    };
    this.#pending.set(id, pending);
    const siblings = this.#byRegistration.get(registration.id);
    if (siblings) siblings.add(pending);
    else this.#byRegistration.set(registration.id, new Set([pending]));
    if (operation.kind === 'Observe' && pending.observationId) this.#observing.set(pending.observationId, pending);
    this.#send(pending, entry.peer, spec, timeout);
    return { id };
  }

  #send(pending: PendingOperation, peer: Peer, spec: RequestSpec, timeout: number): void {
    const token = pending.observationId === undefined ? {} : { token: Buffer.from(pending.observationId, 'hex') };
    pending.exchange = this.#context.endpoint.request(peer, { ...spec, timeout, ...token }, (outcome) => this.#finished(pending, outcome));
  }

  /**
   * Asks once more in the next format where the device refused the one that was chosen for it (4.06, 4.15), within the time of the
   * operation. False when there is no other, or the caller named the format.
   */
  #triedAgain(pending: PendingOperation, { code }: IncomingResponse): boolean {
    const { operation, registration, options } = pending;
    if (code !== Code.NOT_ACCEPTABLE && code !== Code.UNSUPPORTED_CONTENT_FORMAT) return false;
    if (pending.attempt === 1 || operation.kind === 'ObserveCancel') return false;
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
    pending.contentFormat = spec.contentFormat;
    this.#send(pending, peer, spec, timeout);
    return true;
  }

  /** Ends an operation with `CANCELLED`. */
  cancel(id: number): void {
    const pending = this.#pending.get(id);
    if (pending) this.#context.endpoint.cancel(pending.exchange);
  }

  /** Ends every operation with `CLOSED`. */
  close(): void {
    this.#abort(this.#pending.values(), (pending) => {
      if (pending.operation.kind === 'Observe') this.#leaveNothing(pending);
      return failure('CLOSED', failureText(pending, 'the server is closing'), pending.registration);
    });
  }

  /** Ends the operations of a registration that is over with `CANCELLED`: the device they were meant for has begun anew, or left. */
  endOf(registrationId: string, detail: string): void {
    this.#muted.delete(registrationId);
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

  /** A notification, the loss of one, or the end of an observation, from the engine. */
  report(report: ObservationReport): void {
    const id = tokenKey(report.kind === 'notification' ? report.response.token : report.token);
    const observation = this.#context.observations.byId(id);
    const underWay = this.#observing.get(id);
    if (!observation && underWay) underWay.early = report;
    const entry = observation && this.#context.registrations.byId(observation.registrationId);
    if (!observation || !entry) return;
    const { registration } = entry;
    if (report.kind === 'lost') {
      this.#warn(observation, registration, report.detail);
      return;
    }
    const { response } = report;
    if (isSuccess(response.code)) this.#notified(observation, registration, report.peer, response);
    if (report.kind !== 'ended') return;
    const { clock, emit } = this.#context;
    this.#context.observations.remove(observation);
    const at = clock.wall();
    const reason = isSuccess(response.code) ? 'the device ended it' : `the device answered ${resultName(response.code)}`;
    emit({ kind: 'observation-ended', at, registration, observation, reason, code: codeText(response.code) });
  }

  #notified(observation: Observation, registration: Registration, peer: Peer, response: IncomingResponse): void {
    const { devices, clock, emit, counters } = this.#context;
    const verdict = devices.mayActFor(peer.identity, registration.endpoint);
    if (!verdict.allowed) {
      // Told once: each of its values would only repeat it.
      if (!this.#muted.has(registration.id)) this.#warn(observation, registration, `${verdict.reason}. ${verdict.hint}`);
      this.#muted.add(registration.id);
      return;
    }
    const decoded = this.#decode(registration, observation.path.ids, response, observation.contentFormat);
    if (decoded.error !== undefined) {
      this.#warn(observation, registration, decoded.error);
      return;
    }
    counters.notifications++;
    const at = clock.wall();
    this.#context.observations.notified(observation.id, response.observe, at);
    this.#context.lastValues.learn(registration.endpoint, decoded.nodes, at);
    emit({
      kind: 'notification',
      at,
      registration,
      observation,
      nodes: decoded.nodes,
      contentFormat: response.contentFormat,
      code: codeText(response.code),
      sequence: response.observe,
    });
  }

  #warn({ path }: Observation, registration: Registration, detail: string): void {
    const { clock, emit } = this.#context;
    emit({
      kind: 'log',
      at: clock.wall(),
      registration,
      level: 'warn',
      text: `A notification of ${formatPath(path.ids)} is lost: ${detail}`,
    });
  }

  /** An Observe of an observed path takes the same token, so that the device replaces its entry (RFC 7641 4.1). */
  #observationToken(operation: Operation, observed: Observation | undefined): Uint8Array | undefined {
    if (operation.kind !== 'Observe' && operation.kind !== 'ObserveCancel') return undefined;
    return observed ? Buffer.from(observed.id, 'hex') : systemRandom.bytes(8);
  }

  #finished(pending: PendingOperation, outcome: Outcome): void {
    if (!this.#pending.has(pending.id)) return;
    if (outcome.kind === 'response' && this.#triedAgain(pending, outcome.response)) return;
    this.#finish(pending, this.#result(pending, outcome));
    if (pending.early) this.report(pending.early);
  }

  #finish(pending: PendingOperation, result: OperationResult): void {
    const { id, observationId = '', registration } = pending;
    this.#pending.delete(id);
    const siblings = this.#byRegistration.get(registration.id);
    siblings?.delete(pending);
    if (siblings?.size === 0) this.#byRegistration.delete(registration.id);
    if (this.#observing.get(observationId) === pending) this.#observing.delete(observationId);
    this.#onResult(id, result);
  }

  #result(pending: PendingOperation, outcome: Outcome): OperationResult {
    if (pending.operation.kind === 'ObserveCancel') return this.#cancelled(pending, outcome);
    if (outcome.kind === 'response') return this.#answered(pending, outcome.response, outcome.rtt);
    if (pending.operation.kind === 'Observe') this.#leaveNothing(pending);
    return failure(FAILURES[outcome.reason], failureText(pending, outcome.detail), pending.registration);
  }

  #answered(pending: PendingOperation, response: IncomingResponse, rtt: number): OperationResult {
    const { operation, registration } = pending;
    const base = { kind: 'answer', code: codeText(response.code), result: resultName(response.code), rtt, registration } as const;
    // Of a Write it is the one that was written in.
    const writes = operation.kind === 'WriteReplace' || operation.kind === 'WriteUpdate';
    const contentFormat = writes ? pending.contentFormat : response.contentFormat;
    const format = contentFormat === undefined ? {} : { contentFormat };
    if (!isSuccess(response.code)) {
      if (operation.kind === 'Observe') this.#lost(pending, `the device answered ${resultName(response.code)}`, codeText(response.code));
      return { ...base, ...format, ok: false, error: diagnostic(response) };
    }
    switch (operation.kind) {
      case 'Execute':
      case 'ObserveCancel':
        return { ...base, ok: true };
      case 'WriteReplace':
      case 'WriteUpdate':
        return { ...base, ...format, ok: true };
      case 'Discover':
        return { ...base, ...format, ok: true, links: Buffer.from(response.payload).toString('utf8') };
      case 'Read':
      case 'Observe': {
        const decoded = this.#decode(registration, operation.path.ids, response);
        if (decoded.error !== undefined) {
          if (operation.kind === 'Observe') this.#leaveNothing(pending);
          return { kind: 'failed', code: 'BAD_RESPONSE', error: `${registration.endpoint} answered, but ${decoded.error}`, registration };
        }
        this.#context.lastValues.learn(registration.endpoint, decoded.nodes, this.#context.clock.wall());
        const observation = operation.kind === 'Observe' ? this.#observed(pending, response) : undefined;
        const warnings = operation.kind === 'Observe' && !observation ? ['The device gave the value, but does not observe this path.'] : [];
        return {
          ...base,
          ...format,
          ok: true,
          nodes: decoded.nodes,
          ...(observation && { observation }),
          ...(warnings.length > 0 && { warnings }),
        };
      }
      default:
        return operation satisfies never;
    }
  }

  /** Notes the observation that an answer with the Observe option makes. */
  #observed(pending: PendingOperation, response: IncomingResponse): Observation | undefined {
    const { observations, registrations, clock } = this.#context;
    const id = pending.observationId;
    if (id === undefined) return undefined;
    // The device may have registered anew meanwhile: then this observation is not of its present registration.
    if (response.observe === undefined || !registrations.byId(pending.registration.id)) {
      this.#lost(pending, 'the device does not observe it any more', codeText(response.code));
      return undefined;
    }
    const { endpoint, id: registrationId } = pending.registration;
    // Two Observes of one path under way at a time: the later one counts, or each value would come twice.
    const earlier = observations.find(registrationId, pending.operation.path.ids);
    if (earlier && earlier.id !== id) this.#lost({ ...pending, observationId: earlier.id }, 'observed anew');
    const observation: Observation = {
      id,
      registrationId,
      endpoint,
      path: pending.operation.path,
      ...(response.contentFormat !== undefined && { contentFormat: response.contentFormat }),
      ...(pending.accept !== undefined && { accept: pending.accept }),
      startedAt: clock.wall(),
    };
    observations.add(observation, response.observe);
    return observation;
  }

  /** Drops the observation of an operation, here and in the engine; returns it when it was known. */
  #forget(pending: PendingOperation): Observation | undefined {
    const { observations, registrations, endpoint } = this.#context;
    const id = pending.observationId;
    if (id === undefined) return undefined;
    // The device may have moved, or registered anew from elsewhere, since the request left.
    for (const peer of new Set([pending.peer, registrations.byId(pending.registration.id)?.peer])) {
      if (peer) endpoint.forgetObservation(peer, Buffer.from(id, 'hex'));
    }
    const observation = observations.byId(id);
    if (observation) observations.remove(observation);
    return observation;
  }

  /** A failed Observe leaves no observation that nobody was told of; one that ran before runs on. */
  #leaveNothing(pending: PendingOperation): void {
    if (!this.#context.observations.byId(pending.observationId ?? '')) this.#forget(pending);
  }

  /** An observation that ran is over, as the answer to a new Observe shows. */
  #lost(pending: PendingOperation, reason: string, code?: string): void {
    const { emit, clock } = this.#context;
    const { registration } = pending;
    const observation = this.#forget(pending);
    if (observation)
      emit({ kind: 'observation-ended', at: clock.wall(), registration, observation, reason, ...(code !== undefined && { code }) });
  }

  /** Whatever the device says, the observation is over here; unheard, it ends there by a Reset to its next notification. */
  #cancelled(pending: PendingOperation, outcome: Outcome): OperationResult {
    const { registration } = pending;
    const { emit, clock } = this.#context;
    const observation = this.#forget(pending);
    if (observation) emit({ kind: 'observation-ended', at: clock.wall(), registration, observation, reason: 'cancelled' });
    const answer = { kind: 'answer', code: '2.05', result: 'CONTENT', ok: true, cancelled: observation ? 1 : 0, registration } as const;
    if (outcome.kind === 'response' && isSuccess(outcome.response.code)) return { ...answer, rtt: outcome.rtt };
    const why = outcome.kind === 'response' ? `answered ${resultName(outcome.response.code)}` : `did not confirm (${outcome.detail})`;
    return {
      ...answer,
      rtt: outcome.kind === 'response' ? outcome.rtt : 0,
      warnings: [`The observation has ended here; the device ${why}.`],
    };
  }

  #decode(
    registration: Registration,
    path: readonly number[],
    response: IncomingResponse,
    assumedFormat?: number,
  ): { nodes: DataNode[]; error?: undefined } | { nodes?: undefined; error: string } {
    const { model, clock, counters } = this.#context;
    try {
      const nodes = decodePayload(response.contentFormat ?? assumedFormat, response.payload, {
        path,
        model,
        versions: registration.versions,
        rootPath: registration.rootPath,
        now: clock.wall() / 1000,
      });
      return { nodes };
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      counters.undecodable++;
      return { error: `its payload cannot be read: ${error.message}` };
    }
  }

  #notObserved(registration: Registration, operation: Operation): string {
    const running = this.#context.observations.of(registration.id).map((observation) => formatPath(observation.path.ids));
    const others = running.length > 0 ? `Observed are ${running.slice(0, 20).join(', ')}.` : 'Nothing is observed there.';
    return `${formatPath(operation.path.ids)} of "${registration.endpoint}" is not observed. ${others}`;
  }
}

function busyText(limit: number): string {
  return `${limit} commands are under way already, which is the limit of this server. Wait for their results before sending more.`;
}

function failureText({ operation, registration }: PendingOperation, detail: string): string {
  return `${operation.kind} ${formatPath(operation.path.ids)} of "${registration.endpoint}": ${detail}.`;
}
