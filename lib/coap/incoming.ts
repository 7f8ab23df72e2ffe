import type { Deadline } from '../transport/deadlines';
import type { Peer } from '../transport/types';
import { cutText, isLimited, shorten } from './answer-size';
import { Code } from './codes';
import { clearTimer, transmit, type CoapContext, type Timer } from './context';
import { assemble, dropUpload, transferKey } from './incoming-body';
import { encodeEmpty, encodeMessage } from './message';
import { blockOption, findBlock, findOption, findTexts, findUint, OptionNumber, recognise, uintOption, type Block } from './options';
import type { PeerState, Seen } from './peers';
import { findSeen, fingerprint, keepReply, remember, sendConfirmable, takeMid } from './reliability';
import { dropServed, keepServed, servedBlock, type Answer } from './served-body';
import { Type, type Message, type Option, type ResponseSpec } from './types';

/** A request whose answer is due. */
export interface Incoming {
  readonly id: number;
  readonly state: PeerState;
  readonly message: Message;
  /** Bytes of the datagram. */
  readonly size: number;
  readonly seen: Seen;
  /** The last Block1 of an upload, echoed in the answer. */
  readonly block1: Block | undefined;
  /** Largest block of the answer. */
  readonly blockSize: number;
  /** RFC 7967 bits: answers of these classes are not wanted. */
  readonly noResponse: number;
  /** An Empty acknowledgement has gone out. */
  acknowledged: boolean;
  timer: Deadline<Timer> | null;
}

const EMPTY = Buffer.alloc(0);
const NONE: readonly Option[] = [];

/** Server side of the engine: from a request on the wire to the handler, and from its answer to the wire. */
export class IncomingRequests {
  readonly #context: CoapContext;
  readonly #pending = new Map<number, Incoming>();
  #nextId = 1;

  constructor(context: CoapContext) {
    this.#context = context;
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
      if (badCritical === undefined || message.type === Type.CON) this.#refuse(peer, message, refusal);
      return;
    }
    const state = context.peers.heard(peer, context.now);
    if (!state) {
      context.counters.overloaded++;
      return;
    }
    const mark = fingerprint(message, size);
    const seen = findSeen(context, state, message.mid, mark);
    if (seen) {
      context.counters.duplicates++;
      // No reply yet: the handler still runs, and answers once.
      if (message.type === Type.CON && seen.reply) transmit(context, seen.reply, peer);
      return;
    }
    const block1 = findBlock(known, OptionNumber.BLOCK1);
    const block2 = findBlock(known, OptionNumber.BLOCK2);
    if (block1 === null || block2 === null) {
      this.#refuse(peer, message, Code.BAD_REQUEST);
      return;
    }
    if (block2 && block2.num > 0) {
      const answer = servedBlock(context, state, transferKey(message.code, message.options), block2);
      this.#answerNow(state, message, size, typeof answer === 'number' ? { code: answer, options: NONE, payload: EMPTY } : answer);
      return;
    }
    // More than can be told from their repetitions: the excess of a peer that does not wait for answers.
    if (state.pending + (state.confirmables?.size ?? 0) >= context.params.maxSeen) {
      this.#refuse(peer, message, Code.SERVICE_UNAVAILABLE);
      return;
    }
    let { payload } = message;
    let options = known;
    if (block1) {
      const whole = assemble(context, state, transferKey(message.code, message.options), block1, { options: known, payload });
      if (typeof whole === 'number') {
        this.#answerNow(state, message, size, this.#blockAnswer(whole, block1));
        return;
      }
      ({ options, payload } = whole);
    }
    const query = findTexts(known, OptionNumber.URI_QUERY);
    const incoming: Incoming = {
      id: this.#nextId++,
      state,
      message,
      size,
      seen: remember(context, state, message.mid, mark, null),
      block1,
      blockSize: Math.min(block2?.size ?? context.params.blockSize, context.params.blockSize),
      noResponse: findUint(known, OptionNumber.NO_RESPONSE) ?? 0,
      acknowledged: false,
      timer: null,
    };
    this.#pending.set(incoming.id, incoming);
    state.pending++;
    context.counters.requestsReceived++;
    context.sink.request({
      id: incoming.id,
      peer: state.peer,
      code: message.code,
      confirmable: message.type === Type.CON,
      token: message.token,
      path,
      query,
      contentFormat: findUint(options, OptionNumber.CONTENT_FORMAT),
      accept: findUint(options, OptionNumber.ACCEPT),
      options,
      payload,
    });
    // Most handlers have answered by now; only a slow one costs a timer.
    if (message.type === Type.CON && this.#pending.has(incoming.id)) {
      incoming.timer = context.deadlines.add(context.now + context.params.emptyAckDelay, { kind: 'late-ack', incoming });
    }
  }

  /** Answers a request; a second answer, or one to a peer that is gone, is ignored. */
  respond(id: number, spec: ResponseSpec): void {
    const incoming = this.#pending.get(id);
    if (!incoming) return;
    this.#pending.delete(id);
    const { state, message } = incoming;
    state.pending--;
    incoming.timer = clearTimer(this.#context, incoming.timer);

    if ((incoming.noResponse >> ((spec.code >> 5) - 1)) & 1) {
      if (message.type === Type.CON && !incoming.acknowledged) this.#acknowledge(incoming);
      return;
    }
    const options: Option[] = spec.options ? [...spec.options] : [];
    if (spec.contentFormat !== undefined) options.push(uintOption(OptionNumber.CONTENT_FORMAT, spec.contentFormat));
    let payload = spec.payload ?? EMPTY;
    if (payload.length > incoming.size && isLimited(state, spec.code)) payload = cutText(payload, incoming.size);
    if (payload.length > incoming.blockSize) {
      const key = transferKey(message.code, message.options);
      keepServed(this.#context, state, key, { code: spec.code, options: [...options], payload, timer: null });
      const block = { num: 0, more: true, size: incoming.blockSize };
      options.push(blockOption(OptionNumber.BLOCK2, block), uintOption(OptionNumber.SIZE2, payload.length));
      payload = payload.subarray(0, incoming.blockSize);
    }
    if (incoming.block1) options.push(blockOption(OptionNumber.BLOCK1, { ...incoming.block1, more: false }));
    this.#send(incoming, { code: spec.code, options, payload });
  }

  /** The handler is slow: acknowledge, so that the peer stops retransmitting (RFC 7252 5.2.2). */
  lateAck(incoming: Incoming): void {
    incoming.timer = null;
    if (!this.#pending.has(incoming.id)) return;
    this.#acknowledge(incoming);
  }

  /** Frees what belongs to one peer. */
  gone(state: PeerState): void {
    for (const [key, upload] of state.uploads ?? []) dropUpload(this.#context, state, key, upload);
    for (const [key, served] of state.served ?? []) dropServed(this.#context, state, key, served);
    if (state.pending === 0) return;
    for (const incoming of this.#pending.values()) {
      if (incoming.state !== state) continue;
      incoming.timer = clearTimer(this.#context, incoming.timer);
      this.#pending.delete(incoming.id);
      state.pending--;
    }
  }

  #acknowledge(incoming: Incoming): void {
    incoming.acknowledged = true;
    const bytes = encodeEmpty(Type.ACK, incoming.message.mid);
    keepReply(this.#context, incoming.state, incoming.message.mid, incoming.seen, bytes);
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
    this.#reply(state, message, size, incoming.seen, answer);
  }

  /** Sends a piggybacked (or Non-confirmable) answer and keeps it for repetitions of the request. */
  #reply(state: PeerState, message: Message, size: number, seen: Seen, answer: Answer): void {
    const confirmable = message.type === Type.CON;
    const mid = confirmable ? message.mid : takeMid(this.#context, state);
    if (mid === undefined) return;
    const bytes = encodeAnswer(state, message, size, confirmable ? Type.ACK : Type.NON, mid, answer);
    transmit(this.#context, bytes, state.peer);
    if (confirmable) keepReply(this.#context, state, message.mid, seen, bytes);
  }

  /** A refusal that keeps no state: asked again it would be the same, so nothing is remembered. */
  #refuse(peer: Peer, message: Message, code: number): void {
    const confirmable = message.type === Type.CON;
    const mid = confirmable ? message.mid : Math.floor(this.#context.random.float() * 0x10000);
    const type = confirmable ? Type.ACK : Type.NON;
    transmit(this.#context, encodeMessage({ type, mid, token: message.token, code, options: NONE, payload: EMPTY }), peer);
  }

  /** An answer of the engine itself that changes or uses what is kept: a repetition gets the same bytes. */
  #answerNow(state: PeerState, message: Message, size: number, answer: Answer): void {
    const seen = remember(this.#context, state, message.mid, fingerprint(message, size), null);
    this.#reply(state, message, size, seen, answer);
  }

  /** What a block of an unfinished body is answered (RFC 7959 2.3, 2.9). */
  #blockAnswer(code: number, block: Block): Answer {
    const { blockSize, maxBody } = this.#context.params;
    const options: Option[] = [];
    if (code === Code.CONTINUE) options.push(blockOption(OptionNumber.BLOCK1, { ...block, size: Math.min(block.size, blockSize) }));
    if (code === Code.REQUEST_ENTITY_TOO_LARGE) options.push(uintOption(OptionNumber.SIZE1, maxBody));
    return { code, options, payload: EMPTY };
  }
}

/** The bytes of an answer; an error to an unproven address is made to fit into the size of its question. */
function encodeAnswer(state: PeerState, message: Message, size: number, type: Type, mid: number, answer: Answer): Buffer {
  const { token } = message;
  const bytes = encodeMessage({ type, mid, token, ...answer });
  if (bytes.length <= size || !isLimited(state, answer.code)) return bytes;
  return encodeMessage({ type, mid, token, ...shorten(answer, bytes.length - size) });
}

function isProxied(options: readonly Option[]): boolean {
  return findOption(options, OptionNumber.PROXY_URI) !== undefined || findOption(options, OptionNumber.PROXY_SCHEME) !== undefined;
}
