import { codeText, isSuccess } from '../coap/codes';
import { tokenKey } from '../coap/tokens';
import type { IncomingResponse, ObservationReport, Outcome } from '../coap/types';
import type { Peer } from '../transport/types';
import { decodeAnswer } from './answers';
import type { ServerContext } from './context';
import type { Observing } from './operation-requests';
import { observedText, type PendingOperation } from './pending';
import { markSeen } from './registrations';
import { resultName } from './results';
import type { Observation, OperationResult, Registration } from './types';

/** The information reporting interface (Core TS 6.4): which observations run, what they bring, and how they end. */
export class ObservingService {
  readonly #context: ServerContext;
  /** Observe operations under way, by observation id. */
  readonly #underWay = new Map<string, PendingOperation>();
  /** Registrations whose device has lost its right, and which have been told of. */
  readonly #muted = new Set<string>();

  constructor(context: ServerContext) {
    this.#context = context;
  }

  /** An Observe has left. */
  begun(pending: PendingOperation): void {
    if (isObserving(pending) && pending.observationId !== undefined) this.#underWay.set(pending.observationId, pending);
  }

  /** An operation has its result. */
  settled(pending: PendingOperation): void {
    const { observationId = '' } = pending;
    if (this.#underWay.get(observationId) === pending) this.#underWay.delete(observationId);
  }

  registrationEnded(registrationId: string): void {
    this.#muted.delete(registrationId);
  }

  /** A notification, the loss of one, or the end of an observation, from the engine. */
  report(report: ObservationReport): void {
    const id = tokenKey(report.kind === 'notification' ? report.response.token : report.token);
    const observation = this.#context.observations.byId(id);
    const underWay = this.#underWay.get(id);
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
    if (report.kind === 'ended') this.#ended(observation, registration, response);
    const { devices, heard } = this.#context;
    if (devices.mayActFor(report.peer.identity, registration.endpoint).allowed) heard(registration);
  }

  #ended(observation: Observation, registration: Registration, response: IncomingResponse): void {
    const { clock, emit } = this.#context;
    this.#context.observations.remove(observation);
    const at = clock.wall();
    const reason = isSuccess(response.code) ? 'the device ended it' : `the device answered ${resultName(response.code)}`;
    emit({ kind: 'observation-ended', at, registration, observation, reason, code: codeText(response.code) });
  }

  #notified(observation: Observation, registration: Registration, peer: Peer, response: IncomingResponse): void {
    const { devices, clock, lastValues, observations } = this.#context;
    const verdict = devices.mayActFor(peer.identity, registration.endpoint);
    if (!verdict.allowed) {
      // Told once: each of its values would only repeat it.
      if (!this.#muted.has(registration.id)) this.#warn(observation, registration, `${verdict.reason}. ${verdict.hint}`);
      this.#muted.add(registration.id);
      return;
    }
    const { path, paths, contentFormat } = observation;
    const about = { paths: paths ?? [path], composite: paths !== undefined };
    const decoded = decodeAnswer(this.#context, registration, about, response, contentFormat);
    if (decoded.error !== undefined) {
      this.#warn(observation, registration, decoded.error);
      return;
    }
    const at = clock.wall();
    markSeen(registration, at);
    if (response.observe !== undefined) observations.notified(observation.id, response.observe, at);
    lastValues.learn(registration.endpoint, decoded.nodes, at, paths ? undefined : path.ids);
    this.#tell(observation, registration, response, decoded.nodes, at);
  }

  #tell(
    observation: Observation,
    registration: Registration,
    { contentFormat, code, observe }: Pick<IncomingResponse, 'contentFormat' | 'code' | 'observe'>,
    nodes: NonNullable<Extract<OperationResult, { kind: 'answer' }>['nodes']>,
    at: number,
  ): void {
    this.#context.counters.notifications++;
    this.#context.emit({
      kind: 'notification',
      at,
      registration,
      observation,
      nodes,
      contentFormat,
      code: codeText(code),
      sequence: observe,
    });
  }

  #warn(observation: Observation, registration: Registration, detail: string): void {
    const { clock, emit } = this.#context;
    emit({
      kind: 'log',
      at: clock.wall(),
      registration,
      level: 'warn',
      text: `A notification of ${observedText(observation)} is lost: ${detail}`,
    });
  }

  /** Adds what an answer to an Observe means for its observation to what it says. */
  answered(pending: PendingOperation, result: OperationResult, response: IncomingResponse): OperationResult {
    if (result.kind === 'failed') {
      this.leaveNothing(pending);
      return result;
    }
    if (!result.ok) {
      this.#lost(pending, `the device answered ${resultName(response.code)}`, codeText(response.code));
      return result;
    }
    const observation = this.#observed(pending, response);
    if (!observation) {
      const what =
        pending.operation.kind === 'ObserveComposite'
          ? 'the values, but does not observe these paths'
          : 'the value, but does not observe this path';
      return { ...result, warnings: [...(result.warnings ?? []), `The device gave ${what}.`] };
    }
    // Nobody asked for this value, so it comes as the first notification of what runs again.
    if (pending.again) this.#tell(observation, pending.registration, response, result.nodes ?? [], this.#context.clock.wall());
    return { ...result, observation };
  }

  /** Notes the observation that an answer with the Observe option makes. */
  #observed(pending: PendingOperation, response: IncomingResponse): Observation | undefined {
    const { observations, registrations, clock } = this.#context;
    const { observationId: id, operation, accept, requestFormat } = pending;
    if (id === undefined || (operation.kind !== 'Observe' && operation.kind !== 'ObserveComposite')) return undefined;
    // The device may have registered anew meanwhile: then this observation is not of its present registration.
    if (response.observe === undefined || !registrations.byId(pending.registration.id)) {
      this.#lost(pending, 'the device does not observe it any more', codeText(response.code));
      return undefined;
    }
    const { endpoint, id: registrationId } = pending.registration;
    const observation: Observation = {
      id,
      registrationId,
      endpoint,
      ...target(operation),
      ...(operation.kind === 'ObserveComposite' && requestFormat !== undefined && { requestFormat }),
      ...(operation.attributes && operation.attributes.length > 0 && { attributes: operation.attributes }),
      ...(response.contentFormat !== undefined && { contentFormat: response.contentFormat }),
      ...(accept !== undefined && { accept }),
      startedAt: clock.wall(),
    };
    // Two Observes of one path under way at a time: the later one counts, or each value would come twice.
    const earlier = observations.same(observation);
    if (earlier && earlier.id !== id) this.#lost({ ...pending, observationId: earlier.id }, 'observed anew');
    observations.add(observation);
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
  leaveNothing(pending: PendingOperation): void {
    if (isObserving(pending) && !this.#context.observations.byId(pending.observationId ?? '')) this.#forget(pending);
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
  cancelled(pending: PendingOperation, outcome: Outcome): OperationResult {
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
}

export function isObserving({ operation: { kind } }: PendingOperation): boolean {
  return kind === 'Observe' || kind === 'ObserveComposite';
}

function target(operation: Observing): Pick<Observation, 'path' | 'paths'> {
  return operation.kind === 'Observe' ? { path: operation.path } : { path: { ids: [] }, paths: operation.paths };
}
