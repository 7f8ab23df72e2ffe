import type { Peer } from '../transport/types';
import { isResponse } from './codes';
import { transmit, type CoapContext } from './context';
import { toResponse } from './exchange';
import { encodeEmpty } from './message';
import type { Observations } from './observe';
import type { Observers } from './observers';
import { recognise } from './options';
import type { OutgoingRequests } from './outgoing';
import { fingerprint, keepReply, remember, repeated, sendReset, settleConfirmable } from './reliability';
import { tokenKey } from './tokens';
import { Type, type Message } from './types';

/** Finds what an acknowledgement, a Reset or an answer belongs to. */
export class Replies {
  readonly #context: CoapContext;
  readonly #outgoing: OutgoingRequests;
  readonly #observations: Observations;
  readonly #observers: Observers;

  constructor(context: CoapContext, outgoing: OutgoingRequests, observations: Observations, observers: Observers) {
    this.#context = context;
    this.#outgoing = outgoing;
    this.#observations = observations;
    this.#observers = observers;
  }

  /** ACK or RST: matches on message id and peer (RFC 7252 4.2); nothing is ever sent in answer. */
  acknowledgement(message: Message, peer: Peer): void {
    const { counters, peers, now } = this.#context;
    const state = peers.find(peer.key);
    const confirmable = state?.confirmables?.get(message.mid);
    if (!confirmable) {
      if (state?.observers && message.type === Type.RST && message.code === 0 && this.#observers.resetMid(state, message.mid)) {
        counters.resetsReceived++;
        return;
      }
      counters.unmatched++;
      return;
    }
    peers.heard(peer, now);
    const { exchange } = confirmable;
    if (message.type === Type.RST) {
      if (message.code !== 0) return;
      counters.resetsReceived++;
      settleConfirmable(this.#context, confirmable);
      if (exchange) this.#outgoing.reset(exchange);
      else this.#observers.reset(confirmable);
      return;
    }
    if (message.code === 0) {
      settleConfirmable(this.#context, confirmable);
      if (exchange) this.#outgoing.acknowledged(exchange);
      else this.#observers.acknowledged(confirmable);
      return;
    }
    if (!exchange || !isResponse(message.code) || tokenKey(message.token) !== exchange.key) {
      counters.unmatched++;
      return;
    }
    exchange.state.standing = 'proven';
    const { known, badCritical } = recognise(message.options);
    if (badCritical !== undefined) this.#outgoing.protocolError(exchange, `the answer has the unknown critical option ${badCritical}`);
    else this.#outgoing.response(exchange, message, known);
  }

  /** A separate response or a notification (RFC 7252 5.2.2, RFC 7641 3.5). */
  response(message: Message, peer: Peer, size: number): void {
    const context = this.#context;
    const existing = context.peers.find(peer.key);
    const key = tokenKey(message.token);
    const exchange = existing?.exchanges?.get(key);
    const observed = existing?.observations?.get(key);
    const mark = fingerprint(message, size);
    if (existing && repeated(context, existing, peer, message, mark)) return;
    const { known, badCritical } = recognise(message.options);
    if (!existing || (!exchange && !observed) || badCritical !== undefined) {
      context.counters.unmatched++;
      sendReset(context, { peer }, message.mid);
      if (exchange && badCritical !== undefined) {
        this.#outgoing.protocolError(exchange, `the answer has the unknown critical option ${badCritical}`);
      }
      return;
    }
    context.peers.heardOf(existing, peer, context.now);
    remember(context, existing, message.mid, mark);
    // Nobody else could know the token.
    existing.standing = 'proven';
    if (message.type === Type.CON) {
      const acknowledgement = encodeEmpty(Type.ACK, message.mid);
      keepReply(context, existing, message.mid, mark, acknowledgement);
      transmit(context, acknowledgement, peer);
    }
    const response = toResponse(message, known);
    // A notification may overtake the answer to the cancellation that reuses its token.
    const isNotification = observed !== undefined && (!exchange || (exchange.spec.observe === 1 && response.observe !== undefined));
    if (isNotification) this.#observations.notification(existing, observed, response);
    else this.#outgoing.response(exchange!, message, known);
  }
}
