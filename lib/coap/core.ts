import { Deadlines } from '../transport/deadlines';
import type { Random } from '../transport/random';
import type { Core, Peer } from '../transport/types';
import { isRequest, isResponse } from './codes';
import type { BodyJob, BodyResult } from './body-job';
import { newCounters, type CoapContext, type CoapCounters, type CoapSink, type CoapSizes, type Timer } from './context';
import { EchoChallenge } from './echo';
import { failure } from './exchange';
import { IncomingRequests } from './incoming';
import type { Upload } from './incoming-body';
import { dropUpload } from './incoming-body';
import { isFormatError, parseMessage } from './message';
import { Observations, type LastNotification } from './observe';
import { Observers } from './observers';
import { BUSY, OutgoingRequests } from './outgoing';
import { completeParams, type CoapParams } from './params';
import { isIdle, newPeerState, PeerTable, type PeerState, type Standing } from './peers';
import { RateLimits } from './rates';
import { Replies } from './replies';
import { retransmit, sendReset, settleConfirmable } from './reliability';
import { dropServed } from './served-body';
import { tokenKey } from './tokens';
import { Type, type Failure, type Notification, type RequestSpec, type ResponseSpec } from './types';

const OVER = failure('unreachable', 'the session has ended');
const TIMED_OUT = failure('no-response', 'the peer does not go on');

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
  readonly #observers: Observers;
  readonly #replies: Replies;

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
      echo: params.echoLifetime > 0 ? new EchoChallenge(random, params.echoLifetime) : undefined,
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
    this.#observers = new Observers(this.#context);
    this.#incoming = new IncomingRequests(this.#context, this.#observers);
    this.#replies = new Replies(this.#context, this.#outgoing, this.#observations, this.#observers);
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
      this.#replies.acknowledgement(message, peer);
      return;
    }
    if (isRequest(message.code)) {
      this.#incoming.receive(peer, message, data.length);
      return;
    }
    if (isResponse(message.code)) {
      this.#replies.response(message, peer, data.length);
      return;
    }
    // A ping (RFC 7252 4.3), or a reserved code class (4.2): reset if Confirmable, else silence.
    if (message.type === Type.CON) sendReset(context, { peer }, message.mid);
  }

  /** Sends a request and names it; its outcome comes through the sink, never from within this call. */
  request(peer: Peer, spec: RequestSpec, now: number): number {
    const context = this.#context;
    context.now = now;
    // Nothing is kept for it, nor of it: it holds keys.
    if (peer.ended === true) return this.#outgoing.refuse(newPeerState(peer, 0, now), spec, OVER);
    const state = context.peers.use(peer, now);
    if (state) return this.#outgoing.request(state, spec);
    return this.#outgoing.refuse(newPeerState(peer, 0, now), spec, BUSY);
  }

  respond(id: number, spec: ResponseSpec, now: number): void {
    this.#context.now = now;
    this.#incoming.respond(id, spec);
  }

  /** What came of a job handed to `CoapSink.body`; called once for each. */
  bodyDone(job: BodyJob, result: BodyResult, now: number): void {
    this.#context.now = now;
    if (job.side === 'outgoing') this.#outgoing.bodyDone(job, result);
    else this.#incoming.bodyDone(job, result);
  }

  /** Tells an observer of a resource of ours the new state; false when there is none of this name any more. */
  notify(id: number, notification: Notification, now: number): boolean {
    this.#context.now = now;
    return this.#observers.notify(id, notification);
  }

  cancel(id: number, now: number): void {
    this.#context.now = now;
    this.#outgoing.cancel(id);
  }

  unacknowledgedSince(id: number): number | undefined {
    return this.#outgoing.unacknowledgedSince(id);
  }

  giveUp(id: number, now: number): void {
    this.#context.now = now;
    this.#outgoing.giveUp(id);
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
    if (state) this.#observations.adopt(state, tokenKey(token), spec, last);
  }

  /** The newest notification that counted; undefined when there is no such observation. */
  lastNotification(peer: Peer, token: Uint8Array): LastNotification | undefined {
    const observed = this.#context.peers.find(peer.key)?.observations?.get(tokenKey(token));
    return observed && { observe: observed.lastObserve, at: observed.lastAt };
  }

  /** Tells an adopted observation which notifications are news. */
  setLastNotification(peer: Peer, token: Uint8Array, { observe, at }: LastNotification): void {
    const observed = this.#context.peers.find(peer.key)?.observations?.get(tokenKey(token));
    if (!observed) return;
    observed.lastObserve = observe;
    observed.lastAt = at;
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
    this.#forget(old, from);
  }

  /** The route is gone: exchanges end; observations stay, for they belong to the device. */
  gone(peer: Peer, detail: string, now: number): void {
    this.#context.now = now;
    const state = this.#context.peers.find(peer.key);
    if (!state) return;
    this.#outgoing.failAll(state, 'unreachable', detail);
    this.#abandon(state, failure('unreachable', detail));
    this.#forget(state, peer);
  }

  /** Of a session that is over there is nothing to remember, and its keys are not to be held on to. */
  #forget(state: PeerState, { ended }: Peer): void {
    if (ended === true && isIdle(state)) this.#context.peers.drop(state);
  }

  /** Ends every exchange with the reason `closed`. The core is not used afterwards. */
  close(now: number): void {
    this.#context.now = now;
    const why = failure('closed', 'the server is closing');
    this.#outgoing.close(why.detail);
    for (const state of this.#context.peers.values()) this.#abandon(state, why);
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
        if (!retransmit(this.#context, confirmable)) return;
        if (confirmable.exchange) this.#outgoing.undelivered(confirmable.exchange);
        else this.#observers.undelivered(confirmable);
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
      case 'probe':
        this.#outgoing.probed(timer.state);
        return;
      case 'mids':
        this.#outgoing.midsReady(timer.state);
        return;
      case 'upload':
        dropUpload(this.#context, timer.state, timer.key, timer.upload, TIMED_OUT);
        return;
      case 'served':
        dropServed(this.#context, timer.state, timer.key, timer.served, TIMED_OUT);
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

  #abandon(state: PeerState, why: Failure): void {
    this.#observers.gone(state, why);
    // Those of requests end with them; one there still is was asked for from within such an end, and goes on.
    for (const confirmable of [...(state.confirmables?.values() ?? [])]) {
      if (!confirmable.exchange) settleConfirmable(this.#context, confirmable);
    }
    this.#incoming.gone(state, why);
  }
}
