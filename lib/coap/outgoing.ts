import type { Deadline } from '../transport/deadlines';
import { Code, isSuccess } from './codes';
import { clearTimer, transmit, type CoapContext, type Timer } from './context';
import { encodeMessage } from './message';
import { blockOption, blockSizeFor, findBlock, findOption, findUint, OptionNumber, textOption, uintOption, type Block } from './options';
import type { Observations } from './observe';
import type { PeerState } from './peers';
import { sendConfirmable, settleConfirmable, takeMid, type Confirmable } from './reliability';
import { tokenKey } from './tokens';
import { Type, type FailureReason, type IncomingResponse, type Message, type Option, type Outcome, type RequestSpec } from './types';

/** A request of ours from its call to its one outcome. */
export interface Exchange {
  readonly id: number;
  state: PeerState;
  readonly spec: RequestSpec;
  /** Present when this collects the rest of a block-wise notification: reported as one, not as an outcome. */
  readonly notification: IncomingResponse | null;
  token: Uint8Array;
  key: string;
  phase: 'queued' | 'sent' | 'acknowledged';
  /** When the first message of it left, for the round-trip time. */
  sentAt: number;
  holdsSlot: boolean;
  confirmable: Confirmable | null;
  timer: Deadline<Timer> | null;
  /** Upload: block size in use, and bytes the peer has confirmed. */
  blockSize: number;
  offset: number;
  restarts: number;
  /** Not even queued, because too much waits already. */
  refused: boolean;
  /** Download: what has come so far; `first` gives code and options of the whole. */
  first: IncomingResponse | null;
  chunks: Uint8Array[];
  received: number;
}

const EMPTY = Buffer.alloc(0);
const MAX_RESTARTS = 3;

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

  /** Fetches the later blocks of a notification whose first block was pushed (RFC 7959 3.4). */
  collect(state: PeerState, spec: RequestSpec, first: IncomingResponse, block: Block): Exchange {
    const exchange = this.#create(state, spec, first);
    this.#keepBlock(exchange, first, block);
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
    if (this.#byId.has(exchange.id)) this.#finish(exchange);
  }

  failAll(state: PeerState, reason: FailureReason, detail: string): void {
    for (const exchange of [...(state.exchanges?.values() ?? []), ...state.queue]) this.#fail(exchange, reason, detail);
  }

  /** Requests that have not left yet go to the peer's new route; those under way end where they are. */
  moveQueue(from: PeerState, to: PeerState): void {
    for (const exchange of from.queue.splice(0)) {
      exchange.state = to;
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
    const block1 = findBlock(options, OptionNumber.BLOCK1);
    const block2 = findBlock(options, OptionNumber.BLOCK2);
    if (block1 === null || block2 === null) {
      this.#fail(exchange, 'protocol', 'reserved block size in the answer');
      return;
    }
    if (this.#continueUpload(exchange, response, block1)) return;
    this.#observations.established(exchange, response);
    if (block2 && (block2.more || block2.num > 0)) {
      this.#continueDownload(exchange, response, block2);
      return;
    }
    // A device that answers the next block with the whole body again: what came last counts.
    this.#deliver(exchange, response);
  }

  #create(state: PeerState, spec: RequestSpec, notification: IncomingResponse | null): Exchange {
    const context = this.#context;
    const token = spec.token ?? this.#newToken(state);
    const exchange: Exchange = {
      id: this.#nextId++,
      state,
      spec,
      notification,
      token,
      key: tokenKey(token),
      phase: 'queued',
      sentAt: context.now,
      holdsSlot: false,
      confirmable: null,
      timer: null,
      blockSize: blockSizeFor(Math.min(spec.blockSize ?? 1024, context.params.blockSize)),
      offset: 0,
      restarts: 0,
      refused: false,
      first: null,
      chunks: [],
      received: 0,
    };
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
    while (state.active < this.#context.params.nstart) {
      // Two exchanges with one token (a cancellation and a repeated Observe) must not overlap.
      const index = state.queue.findIndex((exchange) => !state.exchanges?.has(exchange.key));
      if (index < 0) return;
      const [exchange] = state.queue.splice(index, 1);
      state.active++;
      exchange!.holdsSlot = true;
      this.#transmit(exchange!);
    }
  }

  #releaseSlot(exchange: Exchange): void {
    if (!exchange.holdsSlot) return;
    exchange.holdsSlot = false;
    exchange.state.active--;
  }

  #transmit(exchange: Exchange): void {
    const context = this.#context;
    const { state, spec } = exchange;
    const mid = takeMid(state);
    const confirmable = spec.confirmable !== false;
    const bytes = encodeMessage({
      type: confirmable ? Type.CON : Type.NON,
      code: spec.code,
      mid,
      token: exchange.token,
      options: this.#options(exchange),
      payload: this.#chunk(exchange),
    });
    (state.exchanges ??= new Map()).set(exchange.key, exchange);
    if (exchange.phase === 'queued') exchange.sentAt = context.now;
    exchange.phase = 'sent';
    context.counters.requestsSent++;
    if (confirmable) exchange.confirmable = sendConfirmable(context, state, mid, bytes, exchange);
    else transmit(context, bytes, state.peer);
  }

  #options(exchange: Exchange): Option[] {
    const { spec } = exchange;
    const options: Option[] = spec.options ? [...spec.options] : [];
    const fetching = exchange.first !== null;
    if (spec.observe !== undefined && !fetching) options.push(uintOption(OptionNumber.OBSERVE, spec.observe));
    for (const segment of spec.path) options.push(textOption(OptionNumber.URI_PATH, segment));
    for (const item of spec.query ?? []) options.push(textOption(OptionNumber.URI_QUERY, item));
    if (spec.contentFormat !== undefined) options.push(uintOption(OptionNumber.CONTENT_FORMAT, spec.contentFormat));
    // Later blocks repeat Accept, or some clients go on in another format.
    const accept = spec.accept ?? (fetching ? exchange.first!.contentFormat : undefined);
    if (accept !== undefined) options.push(uintOption(OptionNumber.ACCEPT, accept));
    const length = spec.payload?.length ?? 0;
    if (length > exchange.blockSize && !fetching) {
      const more = exchange.offset + exchange.blockSize < length;
      options.push(blockOption(OptionNumber.BLOCK1, { num: exchange.offset / exchange.blockSize, more, size: exchange.blockSize }));
      if (exchange.offset === 0) options.push(uintOption(OptionNumber.SIZE1, length));
    }
    if (fetching) {
      const num = exchange.received / exchange.blockSize;
      options.push(blockOption(OptionNumber.BLOCK2, { num, more: false, size: exchange.blockSize }));
    } else if (spec.blockSize !== undefined && spec.code === Code.GET) {
      options.push(blockOption(OptionNumber.BLOCK2, { num: 0, more: false, size: exchange.blockSize }));
    }
    return options;
  }

  #chunk(exchange: Exchange): Uint8Array {
    const payload = exchange.spec.payload ?? EMPTY;
    if (payload.length <= exchange.blockSize || exchange.first !== null) return payload;
    return payload.subarray(exchange.offset, exchange.offset + exchange.blockSize);
  }

  /** True when the upload goes on (RFC 7959 2.3, 2.5); false when the response is the answer to the whole. */
  #continueUpload(exchange: Exchange, response: IncomingResponse, block: Block | undefined): boolean {
    const length = exchange.spec.payload?.length ?? 0;
    if (length <= exchange.blockSize || exchange.first !== null) {
      if (response.code !== Code.CONTINUE) return false;
      this.#fail(exchange, 'protocol', '2.31 Continue, but there is nothing to continue');
      return true;
    }
    if (response.code === Code.REQUEST_ENTITY_TOO_LARGE && block && block.size < exchange.blockSize && this.#mayRestart(exchange)) {
      exchange.blockSize = block.size;
      exchange.offset = 0;
      this.#transmit(exchange);
      return true;
    }
    if (response.code === Code.REQUEST_ENTITY_INCOMPLETE && exchange.offset > 0 && this.#mayRestart(exchange)) {
      exchange.offset = 0;
      this.#transmit(exchange);
      return true;
    }
    const sent = Math.min(exchange.offset + exchange.blockSize, length);
    const goesOn = response.code === Code.CONTINUE || (isSuccess(response.code) && block !== undefined && block.more);
    if (!goesOn || (sent >= length && response.code !== Code.CONTINUE)) return false;
    if (sent >= length) {
      this.#fail(exchange, 'protocol', '2.31 Continue after the last block');
      return true;
    }
    if (block && block.num !== exchange.offset / exchange.blockSize) {
      this.#fail(exchange, 'protocol', 'the acknowledged block is not the one sent');
      return true;
    }
    exchange.offset = sent;
    if (block && block.size < exchange.blockSize) exchange.blockSize = block.size;
    this.#transmit(exchange);
    return true;
  }

  #mayRestart(exchange: Exchange): boolean {
    return exchange.restarts++ < MAX_RESTARTS;
  }

  #continueDownload(exchange: Exchange, response: IncomingResponse, block: Block): void {
    if (exchange.first === null && block.num !== 0) {
      this.#fail(exchange, 'protocol', 'the answer starts in the middle of a body');
      return;
    }
    const { first } = exchange;
    if (first && (!sameEtag(first, response) || response.code !== first.code)) {
      if (!this.#mayRestart(exchange) || !isSuccess(response.code)) {
        if (isSuccess(response.code)) this.#fail(exchange, 'protocol', 'the body keeps changing while it is read');
        else this.#deliver(exchange, response);
        return;
      }
      this.#freeBody(exchange);
      exchange.first = null;
      this.#next(exchange);
      return;
    }
    if (block.num * block.size !== exchange.received || (block.more && response.payload.length !== block.size)) {
      this.#fail(exchange, 'protocol', 'a block of the answer does not follow the one before');
      return;
    }
    if (!this.#keepBlock(exchange, response, block)) return;
    if (block.more) this.#next(exchange);
    else this.#deliver(exchange, { ...exchange.first!, payload: Buffer.concat(exchange.chunks, exchange.received) });
  }

  /** False when the body is too large and the exchange has ended. */
  #keepBlock(exchange: Exchange, response: IncomingResponse, block: Block): boolean {
    const { params } = this.#context;
    const { length } = response.payload;
    if (exchange.received + length > (exchange.spec.maxBody ?? params.maxBody) || this.#context.bodyBytes + length > params.maxBodies) {
      this.#fail(exchange, 'too-large', `the answer is larger than ${exchange.spec.maxBody ?? params.maxBody} bytes`);
      return false;
    }
    exchange.first ??= response;
    exchange.chunks.push(Uint8Array.prototype.slice.call(response.payload));
    exchange.received += length;
    exchange.blockSize = Math.min(exchange.blockSize, block.size);
    this.#context.bodyBytes += length;
    return true;
  }

  /** Asks for the next block under a fresh token: the first one may belong to an observation by now. */
  #next(exchange: Exchange): void {
    exchange.state.exchanges?.delete(exchange.key);
    exchange.token = this.#newToken(exchange.state);
    exchange.key = tokenKey(exchange.token);
    this.#transmit(exchange);
  }

  #deliver(exchange: Exchange, response: IncomingResponse): void {
    this.#finish(exchange);
    if (exchange.notification) this.#observations.collected(exchange, response);
    else this.#context.sink.outcome(exchange.id, { kind: 'response', response, rtt: this.#context.now - exchange.sentAt });
    this.#pump(exchange.state);
  }

  #fail(exchange: Exchange, reason: FailureReason, detail: string): void {
    this.#finish(exchange);
    const outcome: Outcome = { kind: 'failed', reason, detail };
    if (!exchange.notification) this.#context.sink.outcome(exchange.id, outcome);
    this.#pump(exchange.state);
  }

  #finish(exchange: Exchange): void {
    const { state } = exchange;
    this.#byId.delete(exchange.id);
    if (exchange.confirmable) settleConfirmable(this.#context, exchange.confirmable);
    exchange.confirmable = null;
    exchange.timer = clearTimer(this.#context, exchange.timer);
    if (state.exchanges?.get(exchange.key) === exchange) state.exchanges.delete(exchange.key);
    const queued = state.queue.indexOf(exchange);
    if (queued >= 0) state.queue.splice(queued, 1);
    this.#releaseSlot(exchange);
    this.#freeBody(exchange);
  }

  #freeBody(exchange: Exchange): void {
    this.#context.bodyBytes -= exchange.received;
    exchange.received = 0;
    exchange.chunks = [];
  }
}

export function toResponse(message: Message, options: readonly Option[]): IncomingResponse {
  return {
    code: message.code,
    token: message.token,
    contentFormat: findUint(options, OptionNumber.CONTENT_FORMAT),
    observe: findUint(options, OptionNumber.OBSERVE),
    options,
    payload: message.payload,
  };
}

function sameEtag(a: IncomingResponse, b: IncomingResponse): boolean {
  const one = findOption(a.options, OptionNumber.ETAG);
  const other = findOption(b.options, OptionNumber.ETAG);
  return one === undefined || other === undefined ? one === other : Buffer.compare(one, other) === 0;
}
