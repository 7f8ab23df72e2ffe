import { Deadlines } from '../transport/deadlines';
import type { Random } from '../transport/random';
import type { Core, Peer } from '../transport/types';
import { isRequest, isResponse } from './codes';
import { newCounters, transmit, type CoapContext, type CoapCounters, type CoapSink, type CoapSizes, type Timer } from './context';
import { toResponse } from './exchange';
import { IncomingRequests } from './incoming';
import type { Upload } from './incoming-body';
import { dropUpload } from './incoming-body';
import { encodeEmpty, isFormatError, parseMessage } from './message';
import { Observations, type LastNotification } from './observe';
import { recognise } from './options';
import { OutgoingRequests } from './outgoing';
import { completeParams, type CoapParams } from './params';
import { newPeerState, PeerTable, type PeerState, type Standing } from './peers';
import { RateLimits } from './rates';
import { findSeen, fingerprint, remember, retransmit, sendReset, settleConfirmable } from './reliability';
import { dropServed } from './served-body';
import { tokenKey } from './tokens';
import { Type, type Message, type RequestSpec, type ResponseSpec } from './types';

export interface CoapCoreOptions {
  readonly sink: CoapSink;
  readonly random: Random;
  readonly params?: Partial<CoapParams>;
  /** Monotonic ms at creation. */
  readonly now: number;
}

/**
 * CoAP over datagrams as a state machine (RFC 7252, 7641, 7959): no sockets, no clock. Server and client at once, many
 * peers, told apart by `peer.key`. Datagrams go into `receive`, time into `advance`; effects come out of the sink.
 */
export class CoapCore implements Core {
  readonly #context: CoapContext;
  readonly #incoming: IncomingRequests;
  readonly #outgoing: OutgoingRequests;
  readonly #observations: Observations;

  constructor(options: CoapCoreOptions) {
    const params = completeParams(options.params);
    const { random, sink } = options;
    this.#context = {
      params,
      sink,
      random,
      counters: newCounters(),
      deadlines: new Deadlines<Timer>(),
      peers: new PeerTable({
        maxPeers: params.maxPeers,
        lifetime: params.exchangeLifetime,
        randomMid: () => Math.floor(random.float() * 0x10000),
      }),
      rates: new RateLimits(params),
      bodyBytes: 0,
      bodyBlocks: 0,
      unprovenUploads: new Map<Upload, { state: PeerState; key: string }>(),
      unprovenBytes: 0,
      now: options.now,
    };
    this.#observations = new Observations(this.#context, {
      collect: (state, spec, first, block) => this.#outgoing.collect(state, spec, first, block),
      abandon: (exchange) => this.#outgoing.abandon(exchange),
    });
    this.#outgoing = new OutgoingRequests(this.#context, this.#observations);
    this.#incoming = new IncomingRequests(this.#context);
  }

  get counters(): Readonly<CoapCounters> {
    return this.#context.counters;
  }

  /** What is held right now: peers, requests of ours, bytes of unfinished bodies, things that wait for a time. */
  sizes(): CoapSizes {
    const { peers, bodyBytes, deadlines } = this.#context;
    return { peers: peers.size, exchanges: this.#outgoing.size, bodyBytes, seenBytes: peers.seenBytes, timers: deadlines.size };
  }

  /** One datagram. What cannot be parsed leaves no state behind. */
  receive(data: Buffer, peer: Peer, now: number): void {
    const context = this.#context;
    context.now = now;
    context.counters.received++;
    // Before anything is looked at: what is shed must cost as little as can be.
    if (!this.#mayCome(peer)) return;
    const message = parseMessage(data);
    if (isFormatError(message)) {
      context.counters.formatErrors++;
      if (message.resetMid !== undefined) sendReset(context, { peer }, message.resetMid);
      return;
    }
    if (message.type === Type.ACK || message.type === Type.RST) {
      this.#receiveReply(message, peer);
      return;
    }
    if (isRequest(message.code)) {
      this.#incoming.receive(peer, message, data.length);
      return;
    }
    if (isResponse(message.code)) {
      this.#receiveResponse(message, peer, data.length);
      return;
    }
    // A ping (RFC 7252 4.3), or a reserved code class (4.2): reset if Confirmable, else silence.
    if (message.type === Type.CON) sendReset(context, { peer }, message.mid);
  }

  /** Sends a request and names it; its outcome comes through the sink, never from within this call. */
  request(peer: Peer, spec: RequestSpec, now: number): number {
    const context = this.#context;
    context.now = now;
    const state = context.peers.use(peer, now);
    if (state) return this.#outgoing.request(state, spec);
    return this.#outgoing.refuse(newPeerState(peer, 0, now), spec);
  }

  respond(id: number, spec: ResponseSpec, now: number): void {
    this.#context.now = now;
    this.#incoming.respond(id, spec);
  }

  cancel(id: number, now: number): void {
    this.#context.now = now;
    this.#outgoing.cancel(id);
  }

  /** Drops an observation on our side only. Returns whether there was one. */
  forgetObservation(peer: Peer, token: Uint8Array, now: number): boolean {
    this.#context.now = now;
    const state = this.#context.peers.find(peer.key);
    return state ? this.#observations.forget(state, tokenKey(token)) : false;
  }

  /** Makes notifications with a known token welcome, e.g. after a restart. `spec` is the request that started it. */
  adoptObservation(peer: Peer, token: Uint8Array, spec: RequestSpec, now: number, last?: LastNotification): void {
    this.#context.now = now;
    const state = this.#context.peers.use(peer, now);
    if (state) this.#observations.adopt(state, token, spec, last);
  }

  /**
   * Tells what is known of a route that is heard of, e.g. that of a registered device. `registered` takes no proof away;
   * nothing takes that of a secure route away. Holds until the route has been silent for a lifetime.
   */
  setStanding(peer: Peer, standing: Standing): void {
    const state = this.#context.peers.find(peer.key);
    if (!state || peer.identity.mode !== 'none') return;
    if (standing !== 'registered' || state.standing === 'unproven') state.standing = standing;
  }

  /** The same device now speaks from another route: its observations and waiting requests follow. */
  rebind(from: Peer, to: Peer, now: number): void {
    this.#context.now = now;
    if (from.key === to.key) return;
    const old = this.#context.peers.find(from.key);
    if (!old) return;
    const state = this.#context.peers.heard(to, now);
    if (!state) return;
    // In this order: what is given up with the observations must not let waiting requests go to the old route.
    this.#outgoing.moveQueue(old, state);
    this.#observations.move(old, state);
  }

  /** The route is gone: exchanges end; observations stay, for they belong to the device. */
  gone(peer: Peer, detail: string, now: number): void {
    this.#context.now = now;
    const state = this.#context.peers.find(peer.key);
    if (!state) return;
    this.#outgoing.failAll(state, 'unreachable', detail);
    this.#abandon(state);
  }

  /** Ends every exchange with the reason `closed`. The core is not used afterwards. */
  close(now: number): void {
    this.#context.now = now;
    this.#outgoing.close('the server is closing');
    for (const state of this.#context.peers.values()) this.#abandon(state);
    this.#context.peers.clear();
    this.#context.rates.clear();
    this.#context.deadlines.clear();
  }

  deadline(): number {
    const { deadlines, peers, rates } = this.#context;
    return Math.min(deadlines.next(), peers.deadline(), rates.deadline());
  }

  advance(now: number): void {
    const context = this.#context;
    context.now = now;
    for (let timer = context.deadlines.takeDue(now); timer; timer = context.deadlines.takeDue(now)) this.#ring(timer);
    context.peers.advance(now);
    context.rates.advance(now);
  }

  #ring(timer: Timer): void {
    switch (timer.kind) {
      case 'retransmit': {
        const { confirmable } = timer;
        if (retransmit(this.#context, confirmable) && confirmable.exchange) this.#outgoing.undelivered(confirmable.exchange);
        return;
      }
      case 'late-ack':
        this.#incoming.lateAck(timer.incoming);
        return;
      case 'exchange':
        this.#outgoing.expire(timer.exchange);
        return;
      case 'retry':
        this.#outgoing.retry(timer.exchange);
        return;
      case 'mids':
        this.#outgoing.midsReady(timer.state);
        return;
      case 'upload':
        dropUpload(this.#context, timer.state, timer.key, timer.upload);
        return;
      case 'served':
        dropServed(this.#context, timer.state, timer.key, timer.served);
        return;
      default:
        timer satisfies never;
    }
  }

  /** Whether one more datagram of this peer is taken; those above its rate are dropped in silence and counted. */
  #mayCome(peer: Peer): boolean {
    const { peers, rates, counters, now } = this.#context;
    const standing = peers.find(peer.key)?.standing ?? (peer.identity.mode === 'none' ? 'unproven' : 'proven');
    if (standing !== 'unproven') return true;
    switch (rates.exceeded(peer, now)) {
      case undefined:
        return true;
      case 'source':
        counters.droppedSourceRate++;
        return false;
      case 'address':
        counters.droppedAddressRate++;
        return false;
    }
  }

  #abandon(state: PeerState): void {
    for (const confirmable of [...(state.confirmables?.values() ?? [])]) settleConfirmable(this.#context, confirmable);
    this.#incoming.gone(state);
  }

  /** ACK or RST: matches on message id and peer (RFC 7252 4.2); nothing is ever sent in answer. */
  #receiveReply(message: Message, peer: Peer): void {
    const { counters, peers, now } = this.#context;
    const confirmable = peers.find(peer.key)?.confirmables?.get(message.mid);
    if (!confirmable) {
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
      return;
    }
    if (message.code === 0) {
      settleConfirmable(this.#context, confirmable);
      if (exchange) this.#outgoing.acknowledged(exchange);
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
  #receiveResponse(message: Message, peer: Peer, size: number): void {
    const context = this.#context;
    const existing = context.peers.find(peer.key);
    const key = tokenKey(message.token);
    const exchange = existing?.exchanges?.get(key);
    const observed = existing?.observations?.get(key);
    const mark = fingerprint(message, size);
    if (existing) {
      const seen = findSeen(context, existing, message.mid, mark);
      if (seen) {
        context.counters.duplicates++;
        if (message.type === Type.CON && seen.reply) transmit(context, seen.reply, peer);
        return;
      }
    }
    const { known, badCritical } = recognise(message.options);
    if (!existing || (!exchange && !observed) || badCritical !== undefined) {
      context.counters.unmatched++;
      sendReset(context, { peer }, message.mid);
      if (exchange && badCritical !== undefined) {
        this.#outgoing.protocolError(exchange, `the answer has the unknown critical option ${badCritical}`);
      }
      return;
    }
    context.peers.heard(peer, context.now);
    const acknowledgement = message.type === Type.CON ? encodeEmpty(Type.ACK, message.mid) : null;
    remember(context, existing, message.mid, mark, acknowledgement);
    // Nobody else could know the token.
    existing.standing = 'proven';
    if (acknowledgement) transmit(context, acknowledgement, peer);
    const response = toResponse(message, known);
    // A notification may overtake the answer to the cancellation that reuses its token.
    const isNotification = observed !== undefined && (!exchange || (exchange.spec.observe === 1 && response.observe !== undefined));
    if (isNotification) this.#observations.notification(existing, observed, response);
    else this.#outgoing.response(exchange!, message, known);
  }
}
