import type { Deadline } from '../transport/deadlines';
import type { Peer } from '../transport/types';
import { answerBlock, cutText, encodeAnswer, isLimited, isUnwanted } from './answer-size';
import { jobError, type BodyJob, type BodyResult } from './body-job';
import { Code, isSuccess } from './codes';
import { clearTimer, transmit, type CoapContext, type Timer } from './context';
import { assemble, dropUpload, transferKey, type Content, type SinkBlock } from './incoming-body';
import { afterJob, blockAnswer, readFirst, readLater, requestHead, writeBlock, type Waiting } from './incoming-stream';
import { encodeEmpty, encodeMessage } from './message';
import { blockOption, findBlock, findOption, findTexts, findUint, OptionNumber, recognise, uintOption, type Block } from './options';
import type { Observers } from './observers';
import { standingOf, type PeerState } from './peers';
import { fingerprint, keepReply, remember, repeated, sendConfirmable, takeMid } from './reliability';
import { dropServed, keepServed, servedBlock, type Answer, type SourceBlock } from './served-body';
import { Type, type Failure, type Message, type Option, type ResponseSpec } from './types';

/** A request whose answer is due. */
export interface Incoming {
  readonly id: number;
  readonly state: PeerState;
  readonly message: Message;
  /** Bytes of the datagram. */
  readonly size: number;
  /** Names it with its message id among the messages seen. */
  readonly mark: number;
  /** The last Block1 of an upload, echoed in the answer. */
  readonly block1: Block | undefined;
  /** Largest block of the answer. */
  readonly blockSize: number;
  /** RFC 7967 bits: answers of these classes are not wanted. */
  readonly noResponse: number;
  /** An Empty acknowledgement has gone out. */
  acknowledged: boolean;
  timer: Deadline<Timer> | null;
  /** A source or a sink of a body is at work. */
  waiting: Waiting | null;
}

const EMPTY = Buffer.alloc(0);
const NONE: readonly Option[] = [];

/** Server side of the engine: from a request on the wire to the handler, and from its answer to the wire. */
export class IncomingRequests {
  readonly #context: CoapContext;
  readonly #observers: Observers;
  readonly #pending = new Map<number, Incoming>();
  #nextId = 1;

  constructor(context: CoapContext, observers: Observers) {
    this.#context = context;
    this.#observers = observers;
  }

  /** One request message. What is refused before it reaches a handler leaves no state behind. */
  receive(peer: Peer, message: Message, size: number): void {
    const context = this.#context;
    const { known, badCritical } = recognise(message.options);
    const path = findTexts(known, OptionNumber.URI_PATH);
    const refusal =
      badCritical !== undefined ? Code.BAD_OPTION : isProxied(known) ? Code.PROXYING_NOT_SUPPORTED : context.sink.admit(message.code, path);
    if (refusal !== 0) {
      // RFC 7252 5.4.1: a Non-confirmable request with an unknown critical option is rejected in silence.
      if (badCritical === undefined || message.type === Type.CON) this.#refuse(peer, message, refusal, known);
      return;
    }
    const { echo } = context;
    const proven = echo?.isFresh(peer, findOption(known, OptionNumber.ECHO), context.now);
    if (echo && !proven && (context.peers.find(peer.key)?.standing ?? standingOf(peer)) === 'unproven') {
      context.counters.challenges++;
      this.#refuse(peer, message, Code.UNAUTHORIZED, known, [{ number: OptionNumber.ECHO, value: echo.value(peer, context.now) }]);
      return;
    }
    const state = context.peers.heard(peer, context.now);
    if (!state) {
      context.counters.overloaded++;
      return;
    }
    if (proven) state.standing = 'proven';
    const mark = fingerprint(message, size);
    if (repeated(context, state, peer, message, mark)) return;
    const block1 = findBlock(known, OptionNumber.BLOCK1);
    const block2 = findBlock(known, OptionNumber.BLOCK2);
    if (block1 === null || block2 === null) {
      this.#refuse(peer, message, Code.BAD_REQUEST, known);
      return;
    }
    let served: SourceBlock | undefined;
    if (block2 && block2.num > 0) {
      const answer = servedBlock(context, state, transferKey(message.code, message.options), block2);
      if (typeof answer === 'number' || !('served' in answer)) {
        this.#answerNow(state, message, size, typeof answer === 'number' ? { code: answer, options: NONE, payload: EMPTY } : answer);
        return;
      }
      served = answer;
    }
    // The excess of a peer that does not wait for answers.
    if (state.pending + (state.confirmables?.size ?? 0) >= context.params.maxExchanges) {
      context.counters.refusedExchanges++;
      this.#refuse(peer, message, Code.SERVICE_UNAVAILABLE, known);
      return;
    }
    let content: Content = { options: known, payload: message.payload };
    let written: SinkBlock | undefined;
    if (block1 && !served) {
      const key = transferKey(message.code, message.options);
      const whole = assemble(context, state, key, block1, content, (options) => requestHead(state, message, options));
      if (typeof whole === 'number' || 'maxBody' in whole) {
        this.#answerNow(state, message, size, blockAnswer(context, whole, block1));
        return;
      }
      if ('upload' in whole) written = whole;
      else content = whole;
    }
    remember(context, state, message.mid, mark);
    const incoming: Incoming = {
      id: this.#nextId++,
      state,
      message,
      size,
      mark,
      block1,
      blockSize: answerBlock(state, context.params, block2?.size),
      noResponse: findUint(known, OptionNumber.NO_RESPONSE) ?? 0,
      acknowledged: false,
      timer: null,
      waiting: null,
    };
    this.#pending.set(incoming.id, incoming);
    state.pending++;
    if (state.observers) this.#observers.deregister(state, message);
    if (served) this.#await(incoming, readLater(incoming, served));
    else if (written) this.#await(incoming, writeBlock(incoming, written, message.payload));
    else this.#handOver(incoming, path, content);
    // Most handlers have answered by now; only a slow one costs a timer.
    if (message.type === Type.CON && this.#pending.has(incoming.id)) {
      incoming.timer = context.deadlines.add(context.now + context.params.emptyAckDelay, { kind: 'late-ack', incoming });
    }
  }

  /** The whole request goes to its handler. */
  #handOver(incoming: Incoming, path: readonly string[], { options, payload }: Content): void {
    const { id, state, message } = incoming;
    this.#context.counters.requestsReceived++;
    this.#context.sink.request({
      id,
      peer: state.peer,
      code: message.code,
      confirmable: message.type === Type.CON,
      token: message.token,
      path,
      query: findTexts(options, OptionNumber.URI_QUERY),
      contentFormat: findUint(options, OptionNumber.CONTENT_FORMAT),
      accept: findUint(options, OptionNumber.ACCEPT),
      options,
      payload,
    });
  }

  #await(incoming: Incoming, waiting: Waiting): void {
    incoming.waiting = waiting;
    this.#context.sink.body(waiting.job);
  }

  /** The source or the sink of a body has done its part, or failed; what nobody waits for any more is dropped. */
  bodyDone(job: BodyJob, result: BodyResult): void {
    const incoming = this.#pending.get(job.id);
    const waiting = incoming?.waiting;
    if (!incoming || waiting?.job !== job) return;
    incoming.waiting = null;
    const data = 'data' in result ? result.data : null;
    const answer = afterJob(this.#context, incoming, waiting, data, jobError(job, result));
    if (answer !== 'whole') {
      this.#settle(incoming);
      this.#sendFinal(incoming, answer, waiting.kind !== 'upload' || answer.code !== Code.CONTINUE);
      return;
    }
    if (waiting.kind !== 'upload') return;
    const { sink, options } = waiting.block.upload;
    this.#context.counters.requestsReceived++;
    this.#context.sink.request({
      id: incoming.id,
      ...requestHead(incoming.state, incoming.message, options),
      payload: EMPTY,
      ...(sink && { body: sink }),
    });
  }

  /** Answers a request; a second answer, or one to a peer that is gone, is ignored. */
  respond(id: number, spec: ResponseSpec): void {
    const incoming = this.#pending.get(id);
    // While a source is at work, it has been answered.
    if (!incoming || incoming.waiting) return;
    const { state, message } = incoming;
    if (isUnwanted(incoming.noResponse, spec.code)) {
      this.#settle(incoming);
      if (spec.body) this.#context.sink.bodyEnd(spec.body);
      if (message.type === Type.CON && !incoming.acknowledged) this.#acknowledge(incoming);
      return;
    }
    const options: Option[] = spec.options ? [...spec.options] : [];
    if (spec.contentFormat !== undefined) options.push(uintOption(OptionNumber.CONTENT_FORMAT, spec.contentFormat));
    if (spec.body) {
      this.#await(incoming, readFirst(incoming, transferKey(message.code, message.options), spec, options));
      return;
    }
    this.#settle(incoming);
    const observe = spec.observe && isSuccess(spec.code) ? this.#observers.register(incoming) : undefined;
    let payload = spec.payload ?? EMPTY;
    if (payload.length > incoming.size && isLimited(state, spec.code)) payload = cutText(payload, incoming.size);
    if (payload.length > incoming.blockSize) {
      const key = transferKey(message.code, message.options);
      keepServed(this.#context, state, key, { code: spec.code, options: [...options], payload, source: undefined, timer: null });
      const block = { num: 0, more: true, size: incoming.blockSize };
      options.push(blockOption(OptionNumber.BLOCK2, block), uintOption(OptionNumber.SIZE2, payload.length));
      payload = payload.subarray(0, incoming.blockSize);
    }
    if (observe !== undefined) options.push(uintOption(OptionNumber.OBSERVE, observe));
    this.#sendFinal(incoming, { code: spec.code, options, payload }, true);
  }

  /** No longer waits for its answer. */
  #settle(incoming: Incoming): void {
    this.#pending.delete(incoming.id);
    incoming.state.pending--;
    incoming.timer = clearTimer(this.#context, incoming.timer);
  }

  /** The answer to a whole request names the last block of its body (RFC 7959 2.3). */
  #sendFinal(incoming: Incoming, answer: Answer, final: boolean): void {
    const { block1 } = incoming;
    if (!block1 || !final) this.#send(incoming, answer);
    else this.#send(incoming, { ...answer, options: [...answer.options, blockOption(OptionNumber.BLOCK1, { ...block1, more: false })] });
  }

  /** The handler is slow: acknowledge, so that the peer stops retransmitting (RFC 7252 5.2.2). */
  lateAck(incoming: Incoming): void {
    incoming.timer = null;
    if (!this.#pending.has(incoming.id)) return;
    this.#acknowledge(incoming);
  }

  /** Frees what belongs to one peer. */
  gone(state: PeerState, why: Failure): void {
    for (const [key, upload] of state.uploads ?? []) dropUpload(this.#context, state, key, upload, why);
    for (const [key, served] of state.served ?? []) dropServed(this.#context, state, key, served, why);
    if (state.pending === 0) return;
    for (const incoming of this.#pending.values()) {
      if (incoming.state !== state) continue;
      this.#settle(incoming);
      const { waiting } = incoming;
      incoming.waiting = null;
      if (waiting?.kind === 'first' && waiting.job.kind === 'read') this.#context.sink.bodyEnd(waiting.job.source, why);
    }
  }

  #acknowledge(incoming: Incoming): void {
    incoming.acknowledged = true;
    const bytes = encodeEmpty(Type.ACK, incoming.message.mid);
    keepReply(this.#context, incoming.state, incoming.message.mid, incoming.mark, bytes);
    transmit(this.#context, bytes, incoming.state.peer);
  }

  #send(incoming: Incoming, answer: Answer): void {
    const { state, message, size } = incoming;
    if (message.type === Type.CON && incoming.acknowledged) {
      const mid = takeMid(this.#context, state);
      if (mid === undefined) return;
      sendConfirmable(this.#context, state, mid, encodeAnswer(state, message, size, Type.CON, mid, answer), null);
      return;
    }
    this.#reply(state, message, size, incoming.mark, answer);
  }

  /** Sends a piggybacked (or Non-confirmable) answer and keeps it for repetitions of the request. */
  #reply(state: PeerState, message: Message, size: number, mark: number, answer: Answer): void {
    const confirmable = message.type === Type.CON;
    const mid = confirmable ? message.mid : takeMid(this.#context, state);
    if (mid === undefined) return;
    const bytes = encodeAnswer(state, message, size, confirmable ? Type.ACK : Type.NON, mid, answer);
    transmit(this.#context, bytes, state.peer);
    if (confirmable) keepReply(this.#context, state, message.mid, mark, bytes);
  }

  /** A refusal that keeps no state: asked again it would be the same, so nothing is remembered. */
  #refuse(peer: Peer, message: Message, code: number, known: readonly Option[], options: readonly Option[] = NONE): void {
    const confirmable = message.type === Type.CON;
    if (isUnwanted(findUint(known, OptionNumber.NO_RESPONSE) ?? 0, code)) {
      if (confirmable) transmit(this.#context, encodeEmpty(Type.ACK, message.mid), peer);
      return;
    }
    const state = this.#context.peers.find(peer.key);
    const ours = (): number | undefined => (state ? takeMid(this.#context, state) : Math.floor(this.#context.random.float() * 0x10000));
    const mid = confirmable ? message.mid : ours();
    if (mid === undefined) return;
    const type = confirmable ? Type.ACK : Type.NON;
    transmit(this.#context, encodeMessage({ type, mid, token: message.token, code, options, payload: EMPTY }), peer);
  }

  /** An answer of the engine itself that changes or uses what is kept: a repetition gets the same bytes. */
  #answerNow(state: PeerState, message: Message, size: number, answer: Answer): void {
    const mark = fingerprint(message, size);
    remember(this.#context, state, message.mid, mark);
    this.#reply(state, message, size, mark, answer);
  }
}

function isProxied(options: readonly Option[]): boolean {
  return findOption(options, OptionNumber.PROXY_URI) !== undefined || findOption(options, OptionNumber.PROXY_SCHEME) !== undefined;
}
