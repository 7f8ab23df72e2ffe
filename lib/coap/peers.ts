import type { Deadline } from '../transport/deadlines';
import type { FewMap } from '../transport/few-map';
import { sameRoute } from '../transport/route';
import type { Peer } from '../transport/types';
import type { Timer } from './context';
import type { Exchange } from './exchange';
import type { Upload } from './incoming-body';
import type { ObservedToken } from './observe';
import type { Observer } from './observers';
import type { Confirmable } from './reliability';
import type { SeenMessages } from './seen';
import type { Served } from './served-body';

/**
 * What is known of a route beyond the messages on it. `registered`: somebody above knows the device, though the address
 * may still be forged; exempt from rate limits. `proven`: it has shown that it receives what is sent there as well.
 */
export type Standing = 'unproven' | 'registered' | 'proven';

/** All the engine knows about one peer. Everything is created on demand: most peers need one or two of these. */
export interface PeerState {
  peer: Peer;
  nextMid: number;
  /** When each block of message ids was last used; made once the first is used up. */
  midsUsed: Float64Array | null;
  lastActive: number;
  standing: Standing;
  seen: SeenMessages | null;
  /** Requests whose handler has not answered. */
  pending: number;
  /** Confirmable messages of ours on their way, by message id. */
  confirmables: Map<number, Confirmable> | null;
  /** Requests of ours, by token. */
  exchanges: Map<string, Exchange> | null;
  /** Requests of ours that wait for their turn. */
  queue: Exchange[];
  /** Those that wait for something else: for a busy peer, for the source or sink of a body. */
  parked: Set<Exchange> | null;
  /** The block-wise transfer of ours under way: between its blocks unrelated requests have their turn. */
  bulk: Exchange | null;
  /** The block size a body of ours was last brought down to by the peer. */
  blockSize: number;
  /** Request-Tag of bodies of ours, once one of them was broken off (RFC 9175 3.3); 0 before. */
  requestTag: number;
  /** Rings when message ids are free again. */
  midsTimer: Deadline<Timer> | null;
  /** How many of `exchanges` hold an NSTART slot. */
  active: number;
  observations: FewMap<ObservedToken> | null;
  /** Who there observes resources of ours, by token. */
  observers: Map<string, Observer> | null;
  uploads: Map<string, Upload> | null;
  served: Map<string, Served> | null;
  older: PeerState | null;
  newer: PeerState | null;
}

/** Bytes (RFC 7959 2.2). */
const LARGEST_BLOCK = 1024;

/** What a route shows before anything is said of it. */
export const standingOf = (peer: Peer): Standing => (peer.identity.mode === 'none' ? 'unproven' : 'proven');

export function newPeerState(peer: Peer, nextMid: number, now: number): PeerState {
  return {
    peer,
    nextMid,
    midsUsed: null,
    lastActive: now,
    standing: standingOf(peer),
    seen: null,
    pending: 0,
    confirmables: null,
    exchanges: null,
    queue: [],
    parked: null,
    bulk: null,
    blockSize: LARGEST_BLOCK,
    requestTag: 0,
    midsTimer: null,
    active: 0,
    observations: null,
    observers: null,
    uploads: null,
    served: null,
    older: null,
    newer: null,
  };
}

/** Drops a request of ours; the map goes with the last one, for most peers have none most of the time. */
export function dropExchange(state: PeerState, key: string): void {
  if (state.exchanges?.delete(key) && state.exchanges.size === 0) state.exchanges = null;
}

export function dropConfirmable(state: PeerState, mid: number): void {
  if (state.confirmables?.delete(mid) && state.confirmables.size === 0) state.confirmables = null;
}

const isEmpty = (map: { readonly size: number } | null): boolean => map === null || map.size === 0;

/** Nothing runs and nothing is awaited; only remembered message ids may be left. */
export function isIdle(state: PeerState): boolean {
  return (
    state.pending === 0 &&
    state.queue.length === 0 &&
    isEmpty(state.parked) &&
    isEmpty(state.confirmables) &&
    isEmpty(state.exchanges) &&
    isEmpty(state.observations) &&
    isEmpty(state.observers) &&
    isEmpty(state.uploads) &&
    isEmpty(state.served)
  );
}

function turnTo(state: PeerState, peer: Peer): void {
  // An equal one would only be one object more that lives on.
  if (!sameRoute(state.peer, peer)) state.peer = peer;
}

/**
 * The peers, in order of their last activity (a linked list through the states), so that forgetting the idle ones costs
 * nothing per message and needs no scan.
 */
export class PeerTable {
  readonly #states = new Map<string, PeerState>();
  readonly #options: { readonly maxPeers: number; readonly lifetime: number; readonly randomMid: () => number };
  /** What the remembered message ids of all peers count for. */
  seenBytes = 0;
  #oldest: PeerState | null = null;
  #newest: PeerState | null = null;

  constructor(options: { maxPeers: number; lifetime: number; randomMid: () => number }) {
    this.#options = options;
  }

  get size(): number {
    return this.#states.size;
  }

  find(key: string): PeerState | undefined {
    return this.#states.get(key);
  }

  values(): IterableIterator<PeerState> {
    return this.#states.values();
  }

  /** The state of a peer, created when need be; undefined when the table is full of busy peers. */
  use(peer: Peer, now: number): PeerState | undefined {
    let state = this.#states.get(peer.key);
    if (state) {
      this.#active(state, now);
      return state;
    }
    if (this.#states.size >= this.#options.maxPeers && !this.#evict()) return undefined;
    state = newPeerState(peer, this.#options.randomMid(), now);
    this.#states.set(peer.key, state);
    this.#append(state);
    return state;
  }

  /** As `use`, for a message from the peer: the route it came by is the one to answer by. */
  heard(peer: Peer, now: number): PeerState | undefined {
    const state = this.use(peer, now);
    if (state) turnTo(state, peer);
    return state;
  }

  /** The same where the state of the peer is at hand. */
  heardOf(state: PeerState, peer: Peer, now: number): void {
    this.#active(state, now);
    turnTo(state, peer);
  }

  #active(state: PeerState, now: number): void {
    state.lastActive = now;
    if (this.#newest === state) return;
    this.#unlink(state);
    this.#append(state);
  }

  /** When the oldest peer may be forgotten. */
  deadline(): number {
    return this.#oldest ? this.#oldest.lastActive + this.#options.lifetime : Infinity;
  }

  /** Forgets peers that were silent for a lifetime; of those still in use, only the message ids. */
  advance(now: number): void {
    while (this.#oldest && this.#oldest.lastActive + this.#options.lifetime <= now) {
      this.#forgetOldest(this.#oldest, now);
    }
  }

  /**
   * Makes room for message ids by forgetting those of the peers that were silent longest, at most a few peers a call:
   * each call adds but one, so that they keep up. Returns how many ids were forgotten.
   */
  shedSeen(limit: number, keep: PeerState, now: number): number {
    let forgotten = 0;
    for (let i = 0; i < 16 && this.seenBytes > limit && this.#oldest && this.#oldest !== keep; i++) {
      forgotten += this.#oldest.seen?.size ?? 0;
      this.#forgetOldest(this.#oldest, now);
    }
    return forgotten;
  }

  /** An idle peer as a whole, of one in use only the message ids. */
  #forgetOldest(state: PeerState, now: number): void {
    this.#unlink(state);
    this.#forgetSeen(state);
    if (isIdle(state)) {
      this.#states.delete(state.peer.key);
      return;
    }
    state.lastActive = now;
    this.#append(state);
  }

  #forgetSeen(state: PeerState): void {
    this.seenBytes -= state.seen?.bytes ?? 0;
    state.seen = null;
  }

  /** Forgets an idle peer that will not come again; no harm when it was forgotten before, e.g. to make room for its successor. */
  drop(state: PeerState): void {
    if (this.#states.get(state.peer.key) !== state) return;
    this.#unlink(state);
    this.#forgetSeen(state);
    this.#states.delete(state.peer.key);
  }

  clear(): void {
    this.#states.clear();
    this.seenBytes = 0;
    this.#oldest = this.#newest = null;
  }

  /** Makes room by forgetting an idle peer among the oldest few. */
  #evict(): boolean {
    let candidate = this.#oldest;
    for (let i = 0; i < 16 && candidate; i++) {
      if (isIdle(candidate)) {
        this.drop(candidate);
        return true;
      }
      candidate = candidate.newer;
    }
    return false;
  }

  #append(state: PeerState): void {
    state.older = this.#newest;
    state.newer = null;
    if (this.#newest) this.#newest.newer = state;
    else this.#oldest = state;
    this.#newest = state;
  }

  #unlink(state: PeerState): void {
    if (state.older) state.older.newer = state.newer;
    else this.#oldest = state.newer;
    if (state.newer) state.newer.older = state.older;
    else this.#newest = state.older;
    state.older = state.newer = null;
  }
}
