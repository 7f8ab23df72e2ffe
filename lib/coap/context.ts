import { Deadlines, type Deadline } from '../transport/deadlines';
import type { Peer } from '../transport/types';
import type { Confirmable } from './reliability';
import type { Incoming, Served, Upload } from './incoming';
import type { Exchange } from './outgoing';
import type { CoapParams } from './params';
import type { PeerState, PeerTable } from './peers';
import type { IncomingRequest, ObservationReport, Outcome } from './types';

/** What the core hands back. Called from inside `receive`, `advance` and the commands; may call commands in turn. */
export interface CoapSink {
  send(data: Uint8Array, peer: Peer): void;
  /** 0 when somebody serves this path, else the error code to answer. Asked before any state is kept. */
  admit(code: number, path: readonly string[]): number;
  request(request: IncomingRequest): void;
  outcome(id: number, outcome: Outcome): void;
  observation(report: ObservationReport): void;
}

/** Randomness, injected so that tests can repeat a run. */
export interface Random {
  bytes(count: number): Uint8Array;
  /** 0 <= x < 1. */
  float(): number;
}

/** What waits for its time. */
export type Timer =
  | { readonly kind: 'retransmit'; readonly confirmable: Confirmable }
  | { readonly kind: 'late-ack'; readonly incoming: Incoming }
  | { readonly kind: 'exchange'; readonly exchange: Exchange }
  | { readonly kind: 'upload'; readonly state: PeerState; readonly key: string; readonly upload: Upload }
  | { readonly kind: 'served'; readonly state: PeerState; readonly key: string; readonly served: Served };

/** Counters since start. Readable at any time; every name is stable. */
export interface CoapCounters {
  received: number;
  sent: number;
  formatErrors: number;
  duplicates: number;
  retransmissions: number;
  timeouts: number;
  resetsSent: number;
  resetsReceived: number;
  /** Acknowledgements, Resets and responses that match nothing of ours. */
  unmatched: number;
  /** Datagrams not taken because the peer table is full. */
  overloaded: number;
  requestsReceived: number;
  requestsSent: number;
  notifications: number;
  staleNotifications: number;
}

export function newCounters(): CoapCounters {
  return {
    received: 0,
    sent: 0,
    formatErrors: 0,
    duplicates: 0,
    retransmissions: 0,
    timeouts: 0,
    resetsSent: 0,
    resetsReceived: 0,
    unmatched: 0,
    overloaded: 0,
    requestsReceived: 0,
    requestsSent: 0,
    notifications: 0,
    staleNotifications: 0,
  };
}

/** What the layers of the core share. */
export interface CoapContext {
  readonly params: CoapParams;
  readonly sink: CoapSink;
  readonly random: Random;
  readonly counters: CoapCounters;
  readonly deadlines: Deadlines<Timer>;
  readonly peers: PeerTable;
  /** Bytes held in unfinished uploads, unfetched answers and unfinished downloads. */
  bodyBytes: number;
  /** Monotonic ms of the call in progress. */
  now: number;
}

export function transmit(context: CoapContext, data: Uint8Array, peer: Peer): void {
  context.counters.sent++;
  context.sink.send(data, peer);
}

export function clearTimer(context: CoapContext, timer: Deadline<Timer> | null): null {
  if (timer) context.deadlines.remove(timer);
  return null;
}
