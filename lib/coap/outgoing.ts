import { jobError, type BodyJob, type BodyResult } from './body-job';
import { Code, isSuccess } from './codes';
import { clearTimer, type CoapContext } from './context';
import { bodyLength, failure, newExchange, type Exchange } from './exchange';
import { freeBody, keepBlock } from './fetched-body';
import type { Observations } from './observe';
import type { Block } from './options';
import { OutgoingAnswers } from './outgoing-answers';
import { checkNumbers } from './outgoing-body';
import { OutgoingLane, refuseLater } from './outgoing-lane';
import { dropExchange, type PeerState } from './peers';
import { isUpload } from './queue';
import { firstSentAt, settleConfirmable } from './reliability';
import { largestBlock } from './request-message';
import { newToken, tokenKey } from './tokens';
import type { Failure, FailureReason, IncomingResponse, Message, Option, RequestSpec } from './types';

/** Why a request is refused for its number. */
export const BUSY = failure('busy', 'too many requests wait for this peer');

/** Client side of the engine: requests to a peer one after the other, block-wise both ways, one outcome each. */
export class OutgoingRequests {
  readonly #context: CoapContext;
  readonly #observations: Observations;
  readonly #lane: OutgoingLane;
  readonly #answers: OutgoingAnswers;
  readonly #byId = new Map<number, Exchange>();
  #nextId = 1;

  constructor(context: CoapContext, observations: Observations) {
    this.#context = context;
    this.#observations = observations;
    this.#lane = new OutgoingLane(context);
    this.#answers = new OutgoingAnswers(context, {
      lane: this.#lane,
      observations,
      deliver: (exchange, response) => this.#deliver(exchange, response),
      fail: (exchange, reason, detail) => this.#fail(exchange, reason, detail),
    });
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Queues a request; its outcome is reported later, never from within this call. */
  request(state: PeerState, spec: RequestSpec): number {
    const exchange = this.#create(state, spec, null);
    const refused = state.queue.length >= this.#context.params.maxQueue ? BUSY : checkNumbers(exchange);
    if (refused) {
      this.#refuseLater(exchange, refused);
      return exchange.id;
    }
    state.queue.push(exchange);
    this.#lane.pump(state);
    return exchange.id;
  }

  /** For a peer that has no place in the table: the outcome comes at the next `advance`. */
  refuse(state: PeerState, spec: RequestSpec, why: Failure): number {
    const exchange = this.#create(state, spec, null);
    this.#refuseLater(exchange, why);
    return exchange.id;
  }

  #refuseLater(exchange: Exchange, why: Failure): void {
    this.#context.counters.refusedRequests++;
    refuseLater(this.#context, exchange, why);
  }

  /** Fetches the later blocks of a notification whose first block was pushed (RFC 7959 3.4); null when there is no room. */
  collect(state: PeerState, spec: RequestSpec, first: IncomingResponse, block: Block): Exchange | null {
    const exchange = this.#create(state, spec, first);
    const problem = keepBlock(this.#context, exchange, first, block);
    if (problem) {
      this.#fail(exchange, problem.reason, problem.detail);
      return null;
    }
    state.queue.push(exchange);
    this.#lane.pump(state);
    return exchange;
  }

  cancel(id: number): void {
    const exchange = this.#byId.get(id);
    if (exchange) this.#fail(exchange, 'cancelled', 'cancelled by the caller');
  }

  /** Since when the message of a request that is under way is unacknowledged; undefined when none is. */
  unacknowledgedSince(id: number): number | undefined {
    const confirmable = this.#byId.get(id)?.confirmable;
    return confirmable ? firstSentAt(confirmable) : undefined;
  }

  /** Ends a request that is unacknowledged, or has not left, as if it had been repeated often enough; any other goes on. */
  giveUp(id: number): void {
    const exchange = this.#byId.get(id);
    if (exchange?.confirmable || exchange?.phase === 'queued') this.#fail(exchange, 'no-ack', 'not acknowledged while the device listened');
  }

  /** Drops a collection that a newer notification has overtaken; it has no outcome. */
  abandon(exchange: Exchange): void {
    if (!this.#byId.has(exchange.id)) return;
    this.#finish(exchange, undefined);
    this.#lane.pump(exchange.state);
  }

  failAll(state: PeerState, reason: FailureReason, detail: string): void {
    const all = [...(state.exchanges?.values() ?? []), ...state.queue, ...(state.parked ?? [])];
    // Emptied first: an end makes room, and none of these may leave any more.
    state.queue = [];
    for (const exchange of all) this.#fail(exchange, reason, detail);
  }

  /** Ends every request there is, refused ones included. */
  close(detail: string): void {
    const all = [...this.#byId.values()];
    for (const { state } of all) state.queue = [];
    for (const exchange of all) this.#fail(exchange, 'closed', detail);
  }

  /** Requests that have not left yet go to the peer's new route; those under way end where they are. */
  moveQueue(from: PeerState, to: PeerState): void {
    for (const exchange of from.queue.splice(0)) {
      this.#move(exchange, to);
      to.queue.push(exchange);
    }
    for (const exchange of [...(from.parked ?? [])]) {
      this.#lane.unpark(exchange);
      this.#lane.release(exchange);
      this.#move(exchange, to);
      this.#lane.park(exchange);
    }
    this.#lane.pump(to);
  }

  #move(exchange: Exchange, to: PeerState): void {
    const from = exchange.state;
    exchange.state = to;
    // A block that has been read stays what it is.
    if (exchange.first === null && !exchange.chunk && !exchange.job) {
      exchange.blockSize = Math.min(exchange.blockSize, largestBlock(exchange.spec, this.#context.params, to.peer));
    }
    if (from.bulk !== exchange) return;
    from.bulk = null;
    to.bulk ??= exchange;
  }

  /** The total time of a request is over. */
  expire(exchange: Exchange): void {
    exchange.timer = null;
    if (exchange.refused) {
      this.#fail(exchange, exchange.refused.reason, exchange.refused.detail);
      return;
    }
    if (exchange.job) {
      this.#fail(exchange, 'stream', `the ${exchange.job.kind === 'read' ? 'source' : 'sink'} of the body was not ready in time`);
      return;
    }
    this.#context.counters.timeouts++;
    if (exchange.phase === 'acknowledged') this.#fail(exchange, 'no-response', 'acknowledged, but not answered in time');
    else if (exchange.phase === 'queued') this.#fail(exchange, 'no-ack', 'still waiting for earlier requests to this peer');
    else this.#fail(exchange, exchange.spec.confirmable === false ? 'no-response' : 'no-ack', 'no answer in time');
  }

  /** Retransmissions are used up. */
  undelivered(exchange: Exchange): void {
    exchange.confirmable = null;
    this.#context.counters.timeouts++;
    this.#fail(exchange, 'no-ack', 'not acknowledged after all retransmissions');
  }

  /** An empty acknowledgement: the answer comes later, others may go meanwhile (RFC 7252 4.7, 5.2.2). */
  acknowledged(exchange: Exchange): void {
    // It should have been a Reset, but it is as good a sign of life.
    if (exchange.spec.code === Code.EMPTY) {
      this.reset(exchange);
      return;
    }
    exchange.confirmable = null;
    exchange.phase = 'acknowledged';
    this.#lane.release(exchange);
    this.#lane.pump(exchange.state);
  }

  reset(exchange: Exchange): void {
    exchange.confirmable = null;
    this.#fail(exchange, 'reset', 'the peer answered with a Reset');
  }

  protocolError(exchange: Exchange, detail: string): void {
    this.#fail(exchange, 'protocol', detail);
  }

  /** A response whose token is this exchange's; `options` are the recognised ones. */
  response(exchange: Exchange, message: Message, options: readonly Option[]): void {
    this.#answers.response(exchange, message, options);
  }

  /** The time of a busy peer is over. */
  retry(exchange: Exchange): void {
    exchange.retryTimer = null;
    this.#lane.unpark(exchange);
    this.#lane.proceed(exchange);
  }

  /** The source or the sink of a body has done its part, or failed; what nobody waits for any more is dropped. */
  bodyDone(job: BodyJob, result: BodyResult): void {
    const exchange = this.#byId.get(job.id);
    if (exchange?.job !== job) return;
    exchange.job = null;
    const problem = jobError(job, result);
    if (problem !== undefined) {
      this.#fail(exchange, 'stream', problem);
    } else if (job.kind === 'read') {
      exchange.chunk = 'data' in result ? result.data : null;
      this.#lane.resume(exchange);
    } else {
      const { written } = exchange;
      exchange.written = null;
      if (written === 'more') this.#lane.resume(exchange);
      else if (written) this.#deliver(exchange, written);
    }
  }

  /** The probing rate allows for another message. */
  probed(state: PeerState): void {
    state.active--;
    this.#lane.pump(state);
  }

  /** Message ids towards a peer are free again. */
  midsReady(state: PeerState): void {
    state.midsTimer = null;
    this.#lane.pump(state);
  }

  #create(state: PeerState, spec: RequestSpec, notification: IncomingResponse | null): Exchange {
    const context = this.#context;
    const token = spec.token ?? newToken(context.random, state);
    const largest = largestBlock(spec, context.params, state.peer);
    const blockSize = bodyLength(spec) > 0 ? Math.min(largest, state.blockSize) : largest;
    const exchange = newExchange({ id: this.#nextId++, state, spec, notification, token, blockSize, now: context.now });
    exchange.timer = context.deadlines.add(context.now + (spec.timeout ?? context.params.requestTimeout), { kind: 'exchange', exchange });
    this.#byId.set(exchange.id, exchange);
    return exchange;
  }

  #deliver(exchange: Exchange, response: IncomingResponse): void {
    this.#finish(exchange, undefined);
    const { begun, spec } = exchange;
    let answer = response;
    if (spec.observe === 0 && begun !== null && begun !== response) {
      if (isSuccess(response.code)) answer = { ...response, token: begun.token, observe: begun.observe };
      else this.#observations.forget(exchange.state, tokenKey(begun.token));
    }
    if (exchange.notification) this.#observations.collected(exchange, answer);
    else this.#context.sink.outcome(exchange.id, { kind: 'response', response: answer, rtt: this.#context.now - exchange.sentAt });
    this.#lane.pump(exchange.state);
  }

  #fail(exchange: Exchange, reason: FailureReason, detail: string): void {
    // It may have ended meanwhile, from within the outcome of another.
    if (!this.#byId.has(exchange.id)) return;
    this.#finish(exchange, { reason, detail });
    const { begun, spec } = exchange;
    // The caller is told that there is no observation, so there is none.
    if (spec.observe === 0 && begun !== null) this.#observations.forget(exchange.state, tokenKey(begun.token));
    if (exchange.notification) this.#observations.lost(exchange);
    else this.#context.sink.outcome(exchange.id, { kind: 'failed', reason, detail });
    this.#lane.pump(exchange.state);
  }

  #finish(exchange: Exchange, problem: Failure | undefined): void {
    const { state, spec } = exchange;
    this.#byId.delete(exchange.id);
    if (exchange.confirmable) settleConfirmable(this.#context, exchange.confirmable);
    exchange.confirmable = null;
    exchange.timer = clearTimer(this.#context, exchange.timer);
    exchange.retryTimer = clearTimer(this.#context, exchange.retryTimer);
    if (state.bulk === exchange) state.bulk = null;
    if (state.exchanges?.get(exchange.key) === exchange) dropExchange(state, exchange.key);
    const queued = state.queue.indexOf(exchange);
    if (queued >= 0) state.queue.splice(queued, 1);
    const unheard = problem && spec.confirmable === false && exchange.phase === 'sent';
    if (unheard && problem.reason !== 'reset') this.#lane.releaseSlowly(exchange);
    else this.#lane.release(exchange);
    // Blocks of it may still be on their way: the next body must not be mixed up with it.
    if (problem && exchange.phase !== 'queued' && isUpload(exchange)) state.requestTag++;
    freeBody(this.#context, exchange);
    this.#lane.unpark(exchange);
    exchange.job = null;
    exchange.chunk = null;
    if (spec.body) this.#context.sink.bodyEnd(spec.body, problem);
    if (spec.sink) this.#context.sink.bodyEnd(spec.sink, problem);
  }
}
