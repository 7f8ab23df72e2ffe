import { Code, isSuccess } from './codes';
import { clearTimer, transmit, type CoapContext } from './context';
import { newExchange, toResponse, type Exchange, type Failure } from './exchange';
import { freeBody, keepBlock, takeBlock, wholeResponse } from './fetched-body';
import type { Observations } from './observe';
import { findBlock, findOption, findUint, OptionNumber, type Block } from './options';
import { advanceUpload } from './outgoing-body';
import type { PeerState } from './peers';
import { isUpload, nextInQueue } from './queue';
import { midReadyAt, sendConfirmable, settleConfirmable, takeMid } from './reliability';
import { encodeRequest, largestBlock } from './request-message';
import { tokenKey } from './tokens';
import type { FailureReason, IncomingResponse, Message, Option, RequestSpec } from './types';

/** Client side of the engine: requests to a peer one after the other, block-wise both ways, one outcome each. */
export class OutgoingRequests {
  readonly #context: CoapContext;
  readonly #observations: Observations;
  readonly #byId = new Map<number, Exchange>();
  #nextId = 1;

  constructor(context: CoapContext, observations: Observations) {
    this.#context = context;
    this.#observations = observations;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Queues a request; its outcome is reported later, never from within this call. */
  request(state: PeerState, spec: RequestSpec): number {
    const exchange = this.#create(state, spec, null);
    if (state.queue.length >= this.#context.params.maxQueue) {
      this.#refuseLater(exchange);
      return exchange.id;
    }
    state.queue.push(exchange);
    this.#pump(state);
    return exchange.id;
  }

  /** A peer beyond the table's limit: the outcome `busy` comes at the next `advance`. */
  refuse(state: PeerState, spec: RequestSpec): number {
    const exchange = this.#create(state, spec, null);
    this.#refuseLater(exchange);
    return exchange.id;
  }

  #refuseLater(exchange: Exchange): void {
    exchange.timer = clearTimer(this.#context, exchange.timer);
    exchange.refused = true;
    exchange.timer = this.#context.deadlines.add(this.#context.now, { kind: 'exchange', exchange });
  }

  /** Fetches the later blocks of a notification whose first block was pushed (RFC 7959 3.4); null when there is no room. */
  collect(state: PeerState, spec: RequestSpec, first: IncomingResponse, block: Block): Exchange | null {
    const exchange = this.#create(state, spec, first);
    const failure = keepBlock(this.#context, exchange, first, block);
    if (failure) {
      this.#fail(exchange, failure.reason, failure.detail);
      return null;
    }
    state.queue.push(exchange);
    this.#pump(state);
    return exchange;
  }

  cancel(id: number): void {
    const exchange = this.#byId.get(id);
    if (exchange) this.#fail(exchange, 'cancelled', 'cancelled by the caller');
  }

  /** Drops a collection that a newer notification has overtaken; it has no outcome. */
  abandon(exchange: Exchange): void {
    if (!this.#byId.has(exchange.id)) return;
    this.#finish(exchange);
    this.#pump(exchange.state);
  }

  failAll(state: PeerState, reason: FailureReason, detail: string): void {
    const all = [...(state.exchanges?.values() ?? []), ...state.queue];
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
      exchange.state = to;
      if (from.bulk === exchange) {
        from.bulk = null;
        to.bulk ??= exchange;
      }
      to.queue.push(exchange);
    }
    this.#pump(to);
  }

  /** The total time of a request is over. */
  expire(exchange: Exchange): void {
    exchange.timer = null;
    if (exchange.refused) {
      this.#fail(exchange, 'busy', 'too many requests wait for this peer');
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
    exchange.confirmable = null;
    exchange.phase = 'acknowledged';
    this.#releaseSlot(exchange);
    this.#pump(exchange.state);
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
    if (exchange.confirmable) {
      settleConfirmable(this.#context, exchange.confirmable);
      exchange.confirmable = null;
    }
    const response = toResponse(message, options);
    if (response.code === Code.SERVICE_UNAVAILABLE && this.#askLater(exchange, response)) return;
    if (response.code === Code.UNAUTHORIZED && this.#echo(exchange, response)) return;
    const block1 = findBlock(options, OptionNumber.BLOCK1);
    const block2 = findBlock(options, OptionNumber.BLOCK2);
    if (block1 === null || block2 === null) {
      this.#fail(exchange, 'protocol', 'reserved block size in the answer');
      return;
    }
    const upload = advanceUpload(exchange, response, block1);
    if (upload === 'send') this.#proceed(exchange);
    else if (upload !== 'answered') this.#fail(exchange, upload.reason, upload.detail);
    else this.#answered(exchange, response, block2);
  }

  /** The time of a busy peer is over. */
  retry(exchange: Exchange): void {
    exchange.retryTimer = null;
    this.#proceed(exchange);
  }

  /** Message ids towards a peer are free again. */
  midsReady(state: PeerState): void {
    state.midsTimer = null;
    this.#pump(state);
  }

  /** 5.03: the same message again in a while (RFC 7252 5.9.3.4); false when it was asked often enough, or time is short. */
  #askLater(exchange: Exchange, response: IncomingResponse): boolean {
    const { params, deadlines, now } = this.#context;
    if (exchange.retries >= params.busyRetries) return false;
    const maxAge = findUint(response.options, OptionNumber.MAX_AGE);
    const delay = maxAge === undefined ? params.busyDelay * 2 ** exchange.retries : Math.max(maxAge * 1000, params.busyDelay);
    if (now + delay >= (exchange.timer?.at ?? 0)) return false;
    exchange.retries++;
    exchange.state.exchanges?.delete(exchange.key);
    exchange.retryTimer = deadlines.add(now + delay, { kind: 'retry', exchange });
    return true;
  }

  /** 4.01 with Echo: once more from the start with what the peer wants to see (RFC 9175 2.3); once only. */
  #echo(exchange: Exchange, response: IncomingResponse): boolean {
    const echo = findOption(response.options, OptionNumber.ECHO);
    if (!echo || exchange.echo) return false;
    exchange.echo = Uint8Array.from(echo);
    exchange.offset = 0;
    this.#proceed(exchange);
    return true;
  }

  /** The peer has the whole request; what comes now is the answer, or one block of it. */
  #answered(exchange: Exchange, response: IncomingResponse, block: Block | undefined): void {
    if (exchange.begun === null) {
      exchange.begun = response;
      this.#observations.established(exchange, response);
    }
    if (!block || (!block.more && block.num === 0)) {
      // A device that answers the next block with the whole body again: what came last counts.
      this.#deliver(exchange, response);
      return;
    }
    const download = takeBlock(this.#context, exchange, response, block);
    switch (download) {
      case 'more':
      case 'again':
        // Under a fresh token: the first one may belong to an observation by now.
        exchange.state.exchanges?.delete(exchange.key);
        exchange.token = this.#newToken(exchange.state);
        exchange.key = tokenKey(exchange.token);
        this.#proceed(exchange);
        return;
      case 'whole':
        this.#deliver(exchange, wholeResponse(exchange));
        return;
      case 'answered':
        this.#deliver(exchange, response);
        return;
      default:
        download satisfies Failure;
        this.#fail(exchange, download.reason, download.detail);
    }
  }

  #create(state: PeerState, spec: RequestSpec, notification: IncomingResponse | null): Exchange {
    const context = this.#context;
    const token = spec.token ?? this.#newToken(state);
    const blockSize = largestBlock(spec, context.params);
    const exchange = newExchange({ id: this.#nextId++, state, spec, notification, token, blockSize, now: context.now });
    exchange.timer = context.deadlines.add(context.now + (spec.timeout ?? context.params.requestTimeout), { kind: 'exchange', exchange });
    this.#byId.set(exchange.id, exchange);
    return exchange;
  }

  #newToken(state: PeerState): Uint8Array {
    for (;;) {
      const token = this.#context.random.bytes(8);
      const key = tokenKey(token);
      if (!state.exchanges?.has(key) && !state.observations?.has(key)) return token;
    }
  }

  /** Sends what may be sent: NSTART requests at a time (RFC 7252 4.7). */
  #pump(state: PeerState): void {
    const context = this.#context;
    while (state.queue.length > 0 && state.active < context.params.nstart) {
      const index = nextInQueue(state);
      if (index < 0) return;
      const readyAt = midReadyAt(context, state);
      if (readyAt > context.now) {
        context.counters.midsExhausted++;
        state.midsTimer ??= context.deadlines.add(readyAt, { kind: 'mids', state });
        return;
      }
      const exchange = state.queue.splice(index, 1)[0]!;
      state.active++;
      exchange.holdsSlot = true;
      this.#transmit(exchange);
    }
  }

  /**
   * Sends the next message of an exchange under way. One that gave its place away for a separate answer waits for another;
   * one that has its place lets the first of those go that may, and comes next.
   */
  #proceed(exchange: Exchange): void {
    const { state, holdsSlot } = exchange;
    if (exchange.first !== null) state.bulk ??= exchange;
    const waiting = holdsSlot ? nextInQueue(state) : -1;
    if (holdsSlot && waiting < 0 && midReadyAt(this.#context, state) <= this.#context.now) {
      this.#transmit(exchange);
      return;
    }
    this.#releaseSlot(exchange);
    state.exchanges?.delete(exchange.key);
    state.queue.splice(waiting + 1, 0, exchange);
    this.#pump(state);
  }

  #releaseSlot(exchange: Exchange): void {
    if (!exchange.holdsSlot) return;
    exchange.holdsSlot = false;
    exchange.state.active--;
  }

  #transmit(exchange: Exchange): void {
    const context = this.#context;
    const { state, spec } = exchange;
    // Those who call have seen to it that there is one.
    const mid = takeMid(context, state)!;
    if (isUpload(exchange)) state.bulk ??= exchange;
    const bytes = encodeRequest(exchange, mid, context.params);
    (state.exchanges ??= new Map()).set(exchange.key, exchange);
    if (exchange.phase === 'queued') exchange.sentAt = context.now;
    exchange.phase = 'sent';
    context.counters.requestsSent++;
    if (spec.confirmable === false) transmit(context, bytes, state.peer);
    else exchange.confirmable = sendConfirmable(context, state, mid, bytes, exchange);
  }

  #deliver(exchange: Exchange, response: IncomingResponse): void {
    this.#finish(exchange);
    const { begun, spec } = exchange;
    let answer = response;
    if (spec.observe === 0 && begun !== null && begun !== response) {
      if (isSuccess(response.code)) answer = { ...response, token: begun.token, observe: begun.observe };
      else this.#observations.forget(exchange.state, tokenKey(begun.token));
    }
    if (exchange.notification) this.#observations.collected(exchange, answer);
    else this.#context.sink.outcome(exchange.id, { kind: 'response', response: answer, rtt: this.#context.now - exchange.sentAt });
    this.#pump(exchange.state);
  }

  #fail(exchange: Exchange, reason: FailureReason, detail: string): void {
    // It may have ended meanwhile, from within the outcome of another.
    if (!this.#byId.has(exchange.id)) return;
    this.#finish(exchange);
    const { begun, spec } = exchange;
    // The caller is told that there is no observation, so there is none.
    if (spec.observe === 0 && begun !== null) this.#observations.forget(exchange.state, tokenKey(begun.token));
    if (exchange.notification) this.#observations.lost(exchange);
    else this.#context.sink.outcome(exchange.id, { kind: 'failed', reason, detail });
    this.#pump(exchange.state);
  }

  #finish(exchange: Exchange): void {
    const { state } = exchange;
    this.#byId.delete(exchange.id);
    if (exchange.confirmable) settleConfirmable(this.#context, exchange.confirmable);
    exchange.confirmable = null;
    exchange.timer = clearTimer(this.#context, exchange.timer);
    exchange.retryTimer = clearTimer(this.#context, exchange.retryTimer);
    if (state.bulk === exchange) state.bulk = null;
    if (state.exchanges?.get(exchange.key) === exchange) state.exchanges.delete(exchange.key);
    const queued = state.queue.indexOf(exchange);
    if (queued >= 0) state.queue.splice(queued, 1);
    this.#releaseSlot(exchange);
    freeBody(this.#context, exchange);
  }
}
