import { isSuccess } from './codes';
import { transmit, type CoapContext } from './context';
import { failure } from './exchange';
import type { Incoming } from './incoming';
import { transferKey } from './incoming-body';
import { encodeMessage } from './message';
import { blockOption, findTexts, findUint, OptionNumber, uintOption } from './options';
import type { PeerState } from './peers';
import { sendConfirmable, settleConfirmable, takeMid, type Confirmable } from './reliability';
import { keepServed } from './served-body';
import { tokenKey } from './tokens';
import { Type, type Failure, type Message, type Notification, type Option } from './types';

/** A peer that observes a resource of ours (RFC 7641 4). */
export interface Observer {
  /** That of the request which registered it. */
  readonly id: number;
  state: PeerState;
  readonly key: string;
  readonly message: Message;
  readonly path: readonly string[];
  /** Largest block of a notification. */
  readonly blockSize: number;
  /** The last number, 24 bits. */
  number: number;
  /** The notification that is not acknowledged yet, and the newest state that waits for it. */
  inFlight: Confirmable | null;
  next: Notification | null;
  /** Message id of the last one that needs no acknowledgement: a Reset of it ends the observation. */
  lastMid: number | undefined;
  /** When the peer last showed that it still wants them. */
  confirmedAt: number;
}

const EMPTY = Buffer.alloc(0);
/** RFC 7641 4.5: at least one notification in this time is Confirmable. */
const CONFIRM_AFTER = 86_400_000;

/** Server side of RFC 7641: who observes, what they are sent, when it is over. */
export class Observers {
  readonly #context: CoapContext;
  readonly #byId = new Map<number, Observer>();

  constructor(context: CoapContext) {
    this.#context = context;
  }

  /**
   * Registers who sent this request, and gives the first number; undefined when it asked for no observation or the peer
   * has too many. Under a token that observes already it takes the place of that observation (RFC 7641 4.1).
   */
  register(incoming: Incoming): number | undefined {
    const { id, state, message } = incoming;
    if (findUint(message.options, OptionNumber.OBSERVE) !== 0) return undefined;
    const key = tokenKey(message.token);
    const previous = state.observers?.get(key);
    if (!previous && (state.observers?.size ?? 0) >= this.#context.params.maxObservers) return undefined;
    if (previous) this.#end(previous, failure('cancelled', 'the peer registered anew'));
    const observer: Observer = {
      id,
      state,
      key,
      message: copyOf(message),
      path: findTexts(message.options, OptionNumber.URI_PATH),
      blockSize: incoming.blockSize,
      number: ((previous?.number ?? Math.floor(this.#context.random.float() * 0x1000000)) + 1) & 0xffffff,
      inFlight: null,
      next: null,
      lastMid: undefined,
      confirmedAt: this.#context.now,
    };
    (state.observers ??= new Map()).set(key, observer);
    this.#byId.set(id, observer);
    return observer.number;
  }

  /** A request with Observe 1 ends the observation of its token (RFC 7641 4.1). */
  deregister(state: PeerState, message: Message): void {
    const observer = state.observers?.get(tokenKey(message.token));
    if (observer && findUint(message.options, OptionNumber.OBSERVE) === 1) this.#end(observer, failure('cancelled', 'by the peer'));
  }

  /**
   * Sends the new state, or keeps it for when the one before is acknowledged; of several that wait only the newest goes
   * (RFC 7641 4.5). An error ends the observation. False when there is none of this name.
   */
  notify(id: number, notification: Notification): boolean {
    const observer = this.#byId.get(id);
    if (!observer) return false;
    if (observer.inFlight) observer.next = notification;
    else this.#send(observer, notification);
    return true;
  }

  /** An acknowledgement of a notification: what waited goes. */
  acknowledged(confirmable: Confirmable): void {
    const observer = this.#inFlight(confirmable);
    if (!observer) return;
    observer.inFlight = null;
    observer.confirmedAt = this.#context.now;
    const { next } = observer;
    observer.next = null;
    if (next) this.#send(observer, next);
  }

  /** The peer does not know of it any more. */
  reset(confirmable: Confirmable): void {
    const observer = this.#inFlight(confirmable);
    if (observer) this.#end(observer, failure('reset', 'the peer answered a notification with a Reset'));
  }

  /** The same for one that was not Confirmable. Returns whether it was one of ours. */
  resetMid(state: PeerState, mid: number): boolean {
    for (const observer of state.observers?.values() ?? []) {
      if (observer.lastMid !== mid) continue;
      this.#end(observer, failure('reset', 'the peer answered a notification with a Reset'));
      return true;
    }
    return false;
  }

  /** A notification was never acknowledged: the peer is taken to have lost interest (RFC 7641 4.5). */
  undelivered(confirmable: Confirmable): void {
    const observer = this.#inFlight(confirmable);
    if (observer) this.#end(observer, failure('no-ack', 'a notification was not acknowledged'));
  }

  gone(state: PeerState, why: Failure): void {
    for (const observer of [...(state.observers?.values() ?? [])]) this.#end(observer, why);
  }

  #inFlight(confirmable: Confirmable): Observer | undefined {
    for (const observer of confirmable.state.observers?.values() ?? []) if (observer.inFlight === confirmable) return observer;
    return undefined;
  }

  #send(observer: Observer, notification: Notification): void {
    const context = this.#context;
    const { state, message, blockSize } = observer;
    const mid = takeMid(context, state);
    if (mid === undefined) return;
    const { code, payload = EMPTY, contentFormat } = notification;
    const last = !isSuccess(code);
    const options: Option[] = notification.options ? [...notification.options] : [];
    if (contentFormat !== undefined) options.push(uintOption(OptionNumber.CONTENT_FORMAT, contentFormat));
    const kept = [...options];
    if (!last) {
      observer.number = (observer.number + 1) & 0xffffff;
      options.push(uintOption(OptionNumber.OBSERVE, observer.number));
    }
    if (payload.length > blockSize) {
      // The rest is asked for by GETs without Observe (RFC 7959 3.4).
      keepServed(context, state, transferKey(message.code, message.options), {
        code,
        options: kept,
        payload,
        source: undefined,
        timer: null,
      });
      const block = blockOption(OptionNumber.BLOCK2, { num: 0, more: true, size: blockSize });
      options.push(block, uintOption(OptionNumber.SIZE2, payload.length));
    }
    const confirmable = notification.confirmable !== false || context.now - observer.confirmedAt >= CONFIRM_AFTER;
    const type = confirmable ? Type.CON : Type.NON;
    const bytes = encodeMessage({ type, code, mid, token: message.token, options, payload: payload.subarray(0, blockSize) });
    if (confirmable) observer.inFlight = sendConfirmable(context, state, mid, bytes, null);
    else {
      observer.lastMid = mid;
      transmit(context, bytes, state.peer);
    }
    // It goes on being repeated until it is acknowledged.
    if (last) this.#remove(observer);
  }

  #end(observer: Observer, why: Failure): void {
    if (observer.inFlight) settleConfirmable(this.#context, observer.inFlight);
    this.#remove(observer);
    this.#context.sink.unobserved(observer.id, observer.path, why);
  }

  #remove(observer: Observer): void {
    this.#byId.delete(observer.id);
    const { observers } = observer.state;
    if (observers?.get(observer.key) === observer) observers.delete(observer.key);
  }
}

/** Without the datagram it came in. */
function copyOf(message: Message): Message {
  const copy = (bytes: Uint8Array): Uint8Array => Uint8Array.prototype.slice.call(bytes);
  const options = message.options.map(({ number, value }) => ({ number, value: copy(value) }));
  return { ...message, token: copy(message.token), options, payload: EMPTY };
}
