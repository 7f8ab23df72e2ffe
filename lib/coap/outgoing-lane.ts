import { clearTimer, transmit, type CoapContext } from './context';
import type { BodyJob } from './body-job';
import { failure, type Exchange } from './exchange';
import { dropExchange, type PeerState } from './peers';
import { isUpload, nextInQueue } from './queue';
import { midReadyAt, sendConfirmable, takeMid } from './reliability';
import { encodeRequest, needsRead } from './request-message';
import type { Failure, IncomingResponse } from './types';

/** Ends a request at the next `advance`: whoever asks for one is not told within the call. */
export function refuseLater(context: CoapContext, exchange: Exchange, why: Failure): void {
  exchange.timer = clearTimer(context, exchange.timer);
  exchange.refused = why;
  exchange.timer = context.deadlines.add(context.now, { kind: 'exchange', exchange });
}

/** When the messages of our requests leave: one peer at a time has NSTART of them under way, and gives turns (RFC 7252 4.7). */
export class OutgoingLane {
  readonly #context: CoapContext;

  constructor(context: CoapContext) {
    this.#context = context;
  }

  /** Sends what may be sent. */
  pump(state: PeerState): void {
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
      // With the last one goes the room that the list had grown to.
      if (state.queue.length === 0) state.queue = [];
      if (needsRead(exchange)) {
        this.#read(exchange);
        continue;
      }
      state.active++;
      exchange.holdsSlot = true;
      this.#transmit(exchange);
    }
  }

  /**
   * Sends the next message of an exchange under way. One that gave its place away for a separate answer waits for another;
   * one that has its place lets the first of those go that may, and comes next.
   */
  proceed(exchange: Exchange): void {
    const { state, holdsSlot } = exchange;
    if (exchange.first !== null) state.bulk ??= exchange;
    if (needsRead(exchange)) {
      this.release(exchange);
      dropExchange(state, exchange.key);
      this.pump(state);
      this.#read(exchange);
      return;
    }
    const waiting = holdsSlot ? nextInQueue(state) : -1;
    if (holdsSlot && waiting < 0 && midReadyAt(this.#context, state) <= this.#context.now) {
      this.#transmit(exchange);
      return;
    }
    this.release(exchange);
    dropExchange(state, exchange.key);
    state.queue.splice(waiting + 1, 0, exchange);
    this.pump(state);
  }

  /** What an exchange waited for besides its turn is there: it is the next. */
  resume(exchange: Exchange): void {
    this.unpark(exchange);
    exchange.state.queue.unshift(exchange);
    this.pump(exchange.state);
  }

  /** Hands a block of an answer to the sink; `written` is what comes then. Others have their turn meanwhile. */
  write(exchange: Exchange, block: IncomingResponse, offset: number, written: 'more' | IncomingResponse): void {
    const { id, state, spec } = exchange;
    exchange.written = written;
    state.bulk ??= exchange;
    this.release(exchange);
    dropExchange(state, exchange.key);
    this.pump(state);
    this.#begin(exchange, { side: 'outgoing', id, kind: 'write', sink: spec.sink!, offset, data: block.payload });
  }

  /** Waits for something other than its turn, and stays known to the peer it belongs to. */
  park(exchange: Exchange): void {
    (exchange.state.parked ??= new Set()).add(exchange);
  }

  unpark(exchange: Exchange): void {
    exchange.state.parked?.delete(exchange);
  }

  release(exchange: Exchange): void {
    if (!exchange.holdsSlot) return;
    exchange.holdsSlot = false;
    exchange.state.active--;
  }

  /**
   * Gives the place of an unanswered Non-confirmable request away no sooner than the probing rate allows: nothing else
   * holds back what is sent to a peer that does not answer (RFC 7252 4.7).
   */
  releaseSlowly(exchange: Exchange): void {
    const { now, params, deadlines } = this.#context;
    const at = params.probingRate > 0 ? exchange.sentAt + (exchange.size * 1000) / params.probingRate : now;
    if (!exchange.holdsSlot || at <= now) {
      this.release(exchange);
      return;
    }
    exchange.holdsSlot = false;
    deadlines.add(at, { kind: 'probe', state: exchange.state });
  }

  /** Asks for the block that is due, without a place: a slow disk holds up nobody else. */
  #read(exchange: Exchange): void {
    const { id, state, offset, blockSize, spec } = exchange;
    const source = spec.body!;
    // From here on nothing that belongs to it may overtake it.
    state.bulk ??= exchange;
    this.#begin(exchange, { side: 'outgoing', id, kind: 'read', source, offset, length: Math.min(blockSize, source.size - offset) });
  }

  #begin(exchange: Exchange, job: BodyJob): void {
    this.park(exchange);
    exchange.job = job;
    this.#context.sink.body(job);
  }

  #transmit(exchange: Exchange): void {
    const context = this.#context;
    const { state, spec } = exchange;
    // Those who call have seen to it that there is one.
    const mid = takeMid(context, state)!;
    if (isUpload(exchange)) state.bulk ??= exchange;
    if (exchange.phase === 'queued' && isUpload(exchange)) exchange.tag = state.requestTag;
    const bytes = encodeRequest(exchange, mid, context.params);
    const { maxMessage = Infinity } = state.peer;
    if (bytes.length > maxMessage) {
      refuseLater(
        context,
        exchange,
        failure('too-large', `a message of ${bytes.length} bytes, and the device takes no more than ${maxMessage}`),
      );
      return;
    }
    exchange.size = bytes.length;
    (state.exchanges ??= new Map()).set(exchange.key, exchange);
    if (exchange.phase === 'queued') exchange.sentAt = context.now;
    exchange.phase = 'sent';
    context.counters.requestsSent++;
    if (spec.confirmable === false) transmit(context, bytes, state.peer);
    else exchange.confirmable = sendConfirmable(context, state, mid, bytes, exchange);
  }
}
