import { randomBytes } from 'node:crypto';
import { codeText, isSuccess } from '../coap/codes';
import type { FailureReason, IncomingResponse, ObservationReport, Outcome, RequestSpec } from '../coap/types';
import { tokenKey } from '../coap/tokens';
import { EncodeError } from '../codec/errors';
import { decodePayload } from '../codec/index';
import { DecodeError } from '../codec/errors';
import { formatPath } from '../lwm2m/path';
import type { DataNode } from '../lwm2m/types';
import type { ServerContext } from './context';
import { operationRequest } from './operation-requests';
import { resultName } from './results';
import type { FailureCode, Observation, Operation, OperationOptions, OperationResult, Registration } from './types';

/** A command under way: plain data and the name of its CoAP exchange. */
interface PendingOperation {
  readonly id: number;
  readonly endpoint: string;
  readonly registration: Registration;
  readonly operation: Operation;
  /** Hex of the token, where the operation is about an observation. */
  readonly observationId: string | undefined;
  exchange: number;
}

const FAILURES: Record<FailureReason, FailureCode> = {
  'no-ack': 'TIMEOUT_NO_ACK',
  'no-response': 'TIMEOUT_NO_RESPONSE',
  reset: 'RESET',
  unreachable: 'UNREACHABLE',
  cancelled: 'CANCELLED',
  closed: 'CLOSED',
  'too-large': 'TOO_LARGE',
  protocol: 'BAD_RESPONSE',
  busy: 'BUSY',
};

/** Bytes of a device's diagnostic text that are passed on. */
const MAX_DIAGNOSTIC = 1024;

/**
 * The device management and information reporting interfaces (Core TS 6.3, 6.4) towards one device at a time: an operation
 * goes in with an id, its one result comes out of `onResult` with the same id.
 */
export class OperationService {
  readonly #context: ServerContext;
  readonly #onResult: (id: number, result: OperationResult) => void;
  readonly #pending = new Map<number, PendingOperation>();
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
    if (!entry) return { id, failed: failure('UNKNOWN_ENDPOINT', `No device with the endpoint name "${endpoint}" is registered.`) };
    const { registration } = entry;
    let spec: RequestSpec;
    try {
      spec = operationRequest(operation, registration, this.#context.model, options);
    } catch (error) {
      if (!(error instanceof EncodeError)) throw error;
      return { id, failed: failure('BAD_REQUEST', error.message, registration) };
    }
    const observed = this.#context.observations.find(registration.id, operation.path.ids);
    if (operation.kind === 'ObserveCancel' && !observed) {
      return { id, failed: failure('BAD_REQUEST', this.#notObserved(registration, operation), registration) };
    }
    const token = this.#observationToken(operation, observed);
    const entryTimeout = this.#context.devices.get(endpoint)?.timeout;
    const pending: PendingOperation = { id, endpoint, registration, operation, observationId: token && tokenKey(token), exchange: 0 };
    this.#pending.set(id, pending);
    pending.exchange = this.#context.endpoint.request(
      entry.peer,
      { ...spec, timeout: options.timeout ?? entryTimeout ?? this.#context.timeout, ...(token && { token }) },
      (outcome) => this.#finished(pending, outcome),
    );
    return { id };
  }

  /** Ends an operation with `CANCELLED`. */
  cancel(id: number): void {
    const pending = this.#pending.get(id);
    if (pending) this.#context.endpoint.cancel(pending.exchange);
  }

  /** A notification, or the end of an observation, from the engine. */
  report(report: ObservationReport): void {
    const id = tokenKey(report.kind === 'ended' ? report.token : report.response.token);
    const observation = this.#context.observations.byId(id);
    const entry = observation && this.#context.registrations.byId(observation.registrationId);
    if (!observation || !entry) return;
    const { registration } = entry;
    const { devices, clock, emit, counters } = this.#context;
    if (!devices.mayActFor(report.peer.identity, registration.endpoint).allowed) return;
    const { response } = report;
    const at = clock.wall();
    if (isSuccess(response.code)) {
      const decoded = this.#decode(registration, observation.path.ids, response, observation.contentFormat);
      if (decoded.nodes) {
        counters.notifications++;
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
    }
    if (report.kind !== 'ended') return;
    this.#context.observations.remove(observation);
    const reason = isSuccess(response.code) ? 'the device ended it' : `the device answered ${resultName(response.code)}`;
    emit({ kind: 'observation-ended', at, registration, observation, reason, code: codeText(response.code) });
  }

  /** An Observe of an observed path takes the same token, so that the device replaces its entry (RFC 7641 4.1). */
  #observationToken(operation: Operation, observed: Observation | undefined): Uint8Array | undefined {
    if (operation.kind !== 'Observe' && operation.kind !== 'ObserveCancel') return undefined;
    return observed ? Buffer.from(observed.id, 'hex') : randomBytes(8);
  }

  #finished(pending: PendingOperation, outcome: Outcome): void {
    this.#pending.delete(pending.id);
    this.#onResult(pending.id, this.#result(pending, outcome));
  }

  #result(pending: PendingOperation, outcome: Outcome): OperationResult {
    if (pending.operation.kind === 'ObserveCancel') return this.#cancelled(pending, outcome);
    if (outcome.kind === 'response') return this.#answered(pending, outcome.response, outcome.rtt);
    return failure(FAILURES[outcome.reason], failureText(pending, outcome.detail), pending.registration);
  }

  #answered(pending: PendingOperation, response: IncomingResponse, rtt: number): OperationResult {
    const { operation, registration } = pending;
    const base = { kind: 'answer', code: codeText(response.code), result: resultName(response.code), rtt, registration } as const;
    const format = response.contentFormat === undefined ? {} : { contentFormat: response.contentFormat };
    if (!isSuccess(response.code)) {
      if (operation.kind === 'Observe') this.#forget(pending);
      return { ...base, ...format, ok: false, error: diagnostic(response) };
    }
    switch (operation.kind) {
      case 'Execute':
      case 'WriteReplace':
      case 'WriteUpdate':
      case 'ObserveCancel':
        return { ...base, ok: true };
      case 'Discover':
        return { ...base, ...format, ok: true, links: Buffer.from(response.payload).toString('utf8') };
      case 'Read':
      case 'Observe': {
        const observation = operation.kind === 'Observe' ? this.#observed(pending, response) : undefined;
        const decoded = this.#decode(registration, operation.path.ids, response);
        const warnings = operation.kind === 'Observe' && !observation ? ['The device gave the value, but does not observe this path.'] : [];
        if (decoded.error !== undefined) {
          return { kind: 'failed', code: 'BAD_RESPONSE', error: `${registration.endpoint} answered, but ${decoded.error}`, registration };
        }
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
      this.#forget(pending);
      return undefined;
    }
    const { endpoint, id: registrationId } = pending.registration;
    const observation: Observation = {
      id,
      registrationId,
      endpoint,
      path: pending.operation.path,
      ...(response.contentFormat !== undefined && { contentFormat: response.contentFormat }),
      startedAt: clock.wall(),
    };
    observations.add(observation);
    return observation;
  }

  /** Drops the observation of an operation, here and in the engine; returns it when it was known. */
  #forget(pending: PendingOperation): Observation | undefined {
    const { observations, registrations, endpoint } = this.#context;
    const id = pending.observationId;
    if (id === undefined) return undefined;
    const entry = registrations.byEndpoint(pending.endpoint);
    if (entry) endpoint.forgetObservation(entry.peer, Buffer.from(id, 'hex'));
    const observation = observations.byId(id);
    if (observation) observations.remove(observation);
    return observation;
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

function failure(code: FailureCode, error: string, registration?: Registration): OperationResult {
  return { kind: 'failed', code, error, ...(registration && { registration }) };
}

function failureText({ operation, registration }: PendingOperation, detail: string): string {
  return `${operation.kind} ${formatPath(operation.path.ids)} of "${registration.endpoint}": ${detail}.`;
}

/** The device's diagnostic payload (RFC 7252 5.5.2), or what the code says. */
function diagnostic(response: IncomingResponse): string {
  const text = Buffer.from(response.payload.subarray(0, MAX_DIAGNOSTIC)).toString('utf8').trim();
  return text || `the device answered ${codeText(response.code)}`;
}
