import { Code } from './codes';
import { dropExchange } from './peers';
import type { CoapContext } from './context';
import { toResponse, type Exchange } from './exchange';
import { sinkFor, takeBlock, wholeResponse } from './fetched-body';
import type { Observations } from './observe';
import { findBlock, findOption, findUint, OptionNumber, type Block } from './options';
import { advanceUpload } from './outgoing-body';
import type { OutgoingLane } from './outgoing-lane';
import { settleConfirmable } from './reliability';
import { newToken, tokenKey } from './tokens';
import type { BodySink, Failure, FailureReason, IncomingResponse, Message, Option } from './types';

const EMPTY = Buffer.alloc(0);

/** What an answer may lead to. */
export interface AnswerEnds {
  readonly lane: OutgoingLane;
  readonly observations: Observations;
  deliver(exchange: Exchange, response: IncomingResponse): void;
  fail(exchange: Exchange, reason: FailureReason, detail: string): void;
}

/** What the answers to our requests mean: the outcome, the next block of a body, or the same once more. */
export class OutgoingAnswers {
  readonly #context: CoapContext;
  readonly #ends: AnswerEnds;

  constructor(context: CoapContext, ends: AnswerEnds) {
    this.#context = context;
    this.#ends = ends;
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
      this.#ends.fail(exchange, 'protocol', 'reserved block size in the answer');
      return;
    }
    const upload = advanceUpload(exchange, response, block1);
    if (upload === 'send') this.#ends.lane.proceed(exchange);
    else if (upload !== 'answered') this.#ends.fail(exchange, upload.reason, upload.detail);
    else this.#answered(exchange, response, block2);
  }

  /** 5.03: the same message again in a while (RFC 7252 5.9.3.4); false when it was asked often enough, or time is short. */
  #askLater(exchange: Exchange, response: IncomingResponse): boolean {
    const { params, deadlines, now } = this.#context;
    if (exchange.retries >= params.busyRetries) return false;
    const maxAge = findUint(response.options, OptionNumber.MAX_AGE);
    const delay = maxAge === undefined ? params.busyDelay * 2 ** exchange.retries : Math.max(maxAge * 1000, params.busyDelay);
    if (now + delay >= (exchange.timer?.at ?? 0)) return false;
    exchange.retries++;
    dropExchange(exchange.state, exchange.key);
    exchange.retryTimer = deadlines.add(now + delay, { kind: 'retry', exchange });
    this.#ends.lane.park(exchange);
    return true;
  }

  /** 4.01 with Echo: once more from the start with what the peer wants to see (RFC 9175 2.3); once only. */
  #echo(exchange: Exchange, response: IncomingResponse): boolean {
    const echo = findOption(response.options, OptionNumber.ECHO);
    if (!echo || exchange.echo) return false;
    exchange.echo = Uint8Array.from(echo);
    exchange.offset = 0;
    exchange.chunk = null;
    this.#ends.lane.proceed(exchange);
    return true;
  }

  /** The peer has the whole request; what comes now is the answer, or one block of it. */
  #answered(exchange: Exchange, response: IncomingResponse, block: Block | undefined): void {
    if (exchange.begun === null) {
      exchange.begun = response;
      this.#ends.observations.established(exchange, response);
    }
    const sink = sinkFor(exchange, response);
    if (!block || (!block.more && block.num === 0)) {
      // A device that answers the next block with the whole body again: what came last counts.
      if (sink) this.#writeWhole(exchange, response, sink);
      else this.#ends.deliver(exchange, response);
      return;
    }
    const offset = exchange.received;
    const download = takeBlock(this.#context, exchange, response, block);
    switch (download) {
      case 'more':
      case 'again':
        // Under a fresh token: the first one may belong to an observation by now.
        dropExchange(exchange.state, exchange.key);
        exchange.token = newToken(this.#context.random, exchange.state);
        exchange.key = tokenKey(exchange.token);
        if (sink && download === 'more') this.#ends.lane.write(exchange, response, offset, 'more');
        else this.#ends.lane.proceed(exchange);
        return;
      case 'whole':
        if (sink) this.#ends.lane.write(exchange, response, offset, wholeResponse(exchange));
        else this.#ends.deliver(exchange, wholeResponse(exchange));
        return;
      case 'answered':
        this.#ends.deliver(exchange, response);
        return;
      default:
        download satisfies Failure;
        this.#ends.fail(exchange, download.reason, download.detail);
    }
  }

  /** A body in one message goes to the sink like any other. */
  #writeWhole(exchange: Exchange, response: IncomingResponse, sink: BodySink): void {
    const { payload } = response;
    const maxBody = exchange.spec.maxBody ?? sink.maxBody ?? this.#context.params.maxStream;
    const answer = { ...response, payload: EMPTY };
    if (payload.length > maxBody) this.#ends.fail(exchange, 'too-large', `the answer is larger than ${maxBody} bytes`);
    else if (payload.length === 0) this.#ends.deliver(exchange, answer);
    else this.#ends.lane.write(exchange, response, 0, answer);
  }
}
