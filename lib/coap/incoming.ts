import type { Deadline } from '../transport/deadlines';
import type { Peer } from '../transport/types';
import { Code, isSuccess } from './codes';
import { clearTimer, transmit, type CoapContext, type Timer } from './context';
import { encodeEmpty, encodeMessage } from './message';
import { blockOption, findBlock, findOption, findTexts, findUint, OptionNumber, recognise, uintOption, type Block } from './options';
import type { PeerState, Seen } from './peers';
import { findSeen, remember, sendConfirmable, takeMid } from './reliability';
import { Type, type Message, type Option, type ResponseSpec } from './types';

/** A request whose answer is due. */
export interface Incoming {
  readonly id: number;
  readonly state: PeerState;
  readonly message: Message;
  readonly seen: Seen;
  /** The last Block1 of an upload, echoed in the answer. */
  readonly block1: Block | undefined;
  /** Largest block of the answer. */
  readonly blockSize: number;
  readonly servedKey: string;
  /** RFC 7967 bits: answers of these classes are not wanted. */
  readonly noResponse: number;
  /** An Empty acknowledgement has gone out. */
  acknowledged: boolean;
  timer: Deadline<Timer> | null;
}

/** A body coming in by Block1 (RFC 7959 2.3). */
export interface Upload {
  readonly chunks: Uint8Array[];
  length: number;
  timer: Deadline<Timer> | null;
}

/** An answer too large for one message, kept for the requests for its later blocks (RFC 7959 2.4). */
export interface Served {
  readonly code: number;
  readonly options: readonly Option[];
  readonly payload: Uint8Array;
  timer: Deadline<Timer> | null;
}

const EMPTY = Buffer.alloc(0);

/** Server side of the engine: from a request on the wire to the handler, and from its answer to the wire. */
export class IncomingRequests {
  readonly #context: CoapContext;
  readonly #pending = new Map<number, Incoming>();
  #nextId = 1;

  constructor(context: CoapContext) {
    this.#context = context;
  }

  /** One request message. What is refused before it reaches a handler leaves no state behind. */
  receive(peer: Peer, message: Message): void {
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
    const state = context.peers.use(peer, context.now);
    if (!state) {
      context.counters.overloaded++;
      return;
    }
    const seen = findSeen(context, state, message.mid);
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
    const key = transferKey(message.code, known);
    if (block2 && block2.num > 0) {
      this.#serveBlock(state, message, key, block2);
      return;
    }
    let { payload } = message;
    if (block1) {
      const whole = this.#assemble(state, message, key, block1);
      if (whole === undefined) return;
      payload = whole;
    }
    const query = findTexts(known, OptionNumber.URI_QUERY);
    const incoming: Incoming = {
      id: this.#nextId++,
      state,
      message,
      seen: remember(context, state, message.mid, null),
      block1,
      blockSize: Math.min(block2?.size ?? context.params.blockSize, context.params.blockSize),
      servedKey: key,
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
      contentFormat: findUint(known, OptionNumber.CONTENT_FORMAT),
      accept: findUint(known, OptionNumber.ACCEPT),
      options: known,
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
    if (payload.length > incoming.blockSize) {
      this.#keep(state, incoming.servedKey, { code: spec.code, options: [...options], payload, timer: null });
      const block = { num: 0, more: true, size: incoming.blockSize };
      options.push(blockOption(OptionNumber.BLOCK2, block), uintOption(OptionNumber.SIZE2, payload.length));
      payload = payload.subarray(0, incoming.blockSize);
    }
    if (incoming.block1) options.push(blockOption(OptionNumber.BLOCK1, { ...incoming.block1, more: false }));
    this.#send(incoming, spec.code, options, payload);
  }

  /** The handler is slow: acknowledge, so that the peer stops retransmitting (RFC 7252 5.2.2). */
  lateAck(incoming: Incoming): void {
    incoming.timer = null;
    if (!this.#pending.has(incoming.id)) return;
    this.#acknowledge(incoming);
  }

  dropUpload(state: PeerState, key: string, upload: Upload): void {
    upload.timer = clearTimer(this.#context, upload.timer);
    this.#context.bodyBytes -= upload.length;
    if (state.uploads?.get(key) === upload) state.uploads.delete(key);
  }

  dropServed(state: PeerState, key: string, served: Served): void {
    served.timer = clearTimer(this.#context, served.timer);
    this.#context.bodyBytes -= served.payload.length;
    if (state.served?.get(key) === served) state.served.delete(key);
  }

  /** Frees what belongs to one peer. */
  gone(state: PeerState): void {
    for (const [key, upload] of state.uploads ?? []) this.dropUpload(state, key, upload);
    for (const [key, served] of state.served ?? []) this.dropServed(state, key, served);
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
    incoming.seen.reply = bytes;
    transmit(this.#context, bytes, incoming.state.peer);
  }

  #send(incoming: Incoming, code: number, options: readonly Option[], payload: Uint8Array): void {
    const { state, message } = incoming;
    if (message.type === Type.CON && incoming.acknowledged) {
      const mid = takeMid(state);
      const bytes = encodeMessage({ type: Type.CON, code, mid, token: message.token, options, payload });
      sendConfirmable(this.#context, state, mid, bytes, null);
      return;
    }
    const mid = message.type === Type.CON ? message.mid : takeMid(state);
    incoming.seen.reply = this.#reply(state.peer, message, mid, { code, options, payload });
  }

  /** Sends a piggybacked (or Non-confirmable) answer and returns its bytes. */
  #reply(peer: Peer, message: Message, mid: number, answer: { code: number; options: readonly Option[]; payload: Uint8Array }): Buffer {
    const type = message.type === Type.CON ? Type.ACK : Type.NON;
    const bytes = encodeMessage({ type, mid, token: message.token, ...answer });
    transmit(this.#context, bytes, peer);
    return bytes;
  }

  /** An answer of the engine itself. Asked again it would be the same, so nothing is remembered. */
  #refuse(peer: Peer, message: Message, code: number, options: readonly Option[] = []): void {
    const mid = message.type === Type.CON ? message.mid : Math.floor(this.#context.random.float() * 0x10000);
    this.#reply(peer, message, mid, { code, options, payload: EMPTY });
  }

  /** Adds one block; returns the whole body after the last one. */
  #assemble(state: PeerState, message: Message, key: string, block: Block): Uint8Array | undefined {
    const context = this.#context;
    const { maxBody, maxBodies, maxTransfers, exchangeLifetime } = context.params;
    const { payload } = message;
    const { peer } = state;
    let upload = state.uploads?.get(key);
    if (block.num === 0) {
      // Number 0 always starts anew (RFC 7959 2.5).
      if (upload) this.dropUpload(state, key, upload);
      if (!block.more) return payload;
      upload = { chunks: [], length: 0, timer: null };
      const uploads = (state.uploads ??= new Map());
      for (const [oldKey, old] of uploads) {
        if (uploads.size < maxTransfers) break;
        this.dropUpload(state, oldKey, old);
      }
      uploads.set(key, upload);
    }
    if (!upload || block.num * block.size !== upload.length) {
      this.#refuse(peer, message, Code.REQUEST_ENTITY_INCOMPLETE);
      return undefined;
    }
    if (payload.length > block.size || (block.more && payload.length !== block.size)) {
      this.dropUpload(state, key, upload);
      this.#refuse(peer, message, Code.BAD_REQUEST);
      return undefined;
    }
    if (upload.length + payload.length > maxBody || context.bodyBytes + payload.length > maxBodies) {
      this.dropUpload(state, key, upload);
      this.#refuse(peer, message, Code.REQUEST_ENTITY_TOO_LARGE, [uintOption(OptionNumber.SIZE1, maxBody)]);
      return undefined;
    }
    // A copy: a view would keep the whole datagram alive.
    upload.chunks.push(Uint8Array.prototype.slice.call(payload));
    upload.length += payload.length;
    context.bodyBytes += payload.length;
    upload.timer = clearTimer(context, upload.timer);
    if (!block.more) {
      const whole = Buffer.concat(upload.chunks, upload.length);
      this.dropUpload(state, key, upload);
      return whole;
    }
    upload.timer = context.deadlines.add(context.now + exchangeLifetime, { kind: 'upload', state, key, upload });
    const seen = remember(context, state, message.mid, null);
    const size = Math.min(block.size, context.params.blockSize);
    const options = [blockOption(OptionNumber.BLOCK1, { num: block.num, more: true, size })];
    const mid = message.type === Type.CON ? message.mid : takeMid(state);
    seen.reply = this.#reply(peer, message, mid, { code: Code.CONTINUE, options, payload: EMPTY });
    return undefined;
  }

  #keep(state: PeerState, key: string, served: Served): void {
    const all = (state.served ??= new Map());
    const previous = all.get(key);
    if (previous) this.dropServed(state, key, previous);
    for (const [oldKey, old] of all) {
      if (all.size < this.#context.params.maxTransfers) break;
      this.dropServed(state, oldKey, old);
    }
    all.set(key, served);
    this.#context.bodyBytes += served.payload.length;
    this.#extend(state, key, served);
  }

  #extend(state: PeerState, key: string, served: Served): void {
    served.timer = clearTimer(this.#context, served.timer);
    const at = this.#context.now + this.#context.params.exchangeLifetime;
    served.timer = this.#context.deadlines.add(at, { kind: 'served', state, key, served });
  }

  #serveBlock(state: PeerState, message: Message, key: string, block: Block): void {
    const served = state.served?.get(key);
    const size = Math.min(block.size, this.#context.params.blockSize);
    const offset = block.num * block.size;
    if (!served || offset >= served.payload.length) {
      this.#refuse(state.peer, message, served ? Code.BAD_REQUEST : Code.REQUEST_ENTITY_INCOMPLETE);
      return;
    }
    const end = offset + size;
    const more = end < served.payload.length;
    this.#extend(state, key, served);
    const options = [...served.options, blockOption(OptionNumber.BLOCK2, { num: offset / size, more, size })];
    const seen = remember(this.#context, state, message.mid, null);
    const mid = message.type === Type.CON ? message.mid : takeMid(state);
    seen.reply = this.#reply(state.peer, message, mid, { code: served.code, options, payload: served.payload.subarray(offset, end) });
    if (!more && isSuccess(served.code)) this.dropServed(state, key, served);
  }
}

function isProxied(options: readonly Option[]): boolean {
  return findOption(options, OptionNumber.PROXY_URI) !== undefined || findOption(options, OptionNumber.PROXY_SCHEME) !== undefined;
}

/**
 * Names a block-wise transfer: method, URI and Request-Tag (RFC 7959 2.5, RFC 9175 3), never the token, which many
 * clients change with every block.
 */
function transferKey(code: number, options: readonly Option[]): string {
  let key = String(code);
  for (const { number, value } of options) {
    if (number === OptionNumber.URI_PATH || number === OptionNumber.URI_QUERY || number === OptionNumber.REQUEST_TAG) {
      key += `|${number}:${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1')}`;
    }
  }
  return key;
}
