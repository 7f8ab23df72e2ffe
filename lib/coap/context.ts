import type { Deadline, Deadlines } from '../transport/deadlines';
import type { Random } from '../transport/random';
import type { Peer } from '../transport/types';
import type { BodyJob } from './body-job';
import type { Confirmable } from './reliability';
import type { EchoChallenge } from './echo';
import type { Exchange } from './exchange';
import type { Incoming } from './incoming';
import type { Upload } from './incoming-body';
import type { CoapParams } from './params';
import type { PeerState, PeerTable } from './peers';
import type { RateLimits } from './rates';
import type { Served } from './served-body';
import type { BodySink, BodySource, Failure, IncomingRequest, ObservationReport, Outcome, RequestHead } from './types';

/** What the core hands back. Called from inside `receive`, `advance` and the commands; may call commands in turn. */
export interface CoapSink {
  send(data: Uint8Array, peer: Peer): void;
  /** 0 when somebody serves this path, else the error code to answer. Asked before any state is kept. */
  admit(code: number, path: readonly string[]): number;
  request(request: IncomingRequest): void;
  outcome(id: number, outcome: Outcome): void;
  observation(report: ObservationReport): void;
  /** Where the body of a request is to go block by block; undefined to have it as a whole, or the error code to answer. */
  accept(head: RequestHead): BodySink | number | undefined;
  /** A peer observes no more what it did by the request of this id, at this path. */
  unobserved(id: number, path: readonly string[], why: Failure): void;
  /** To be done by the source or the sink of a body; `bodyDone` is called with the result, within this call or later. */
  body(job: BodyJob): void;
  /** A transfer needs this source or sink no more; `failure` when it has come to nothing. */
  bodyEnd(body: BodySource | BodySink, failure?: Failure): void;
}

/** What waits for its time. */
export type Timer =
  | { readonly kind: 'retransmit'; readonly confirmable: Confirmable }
  | { readonly kind: 'late-ack'; readonly incoming: Incoming }
  | { readonly kind: 'exchange'; readonly exchange: Exchange }
  /** A busy peer is asked again. */
  | { readonly kind: 'retry'; readonly exchange: Exchange }
  /** A place that an unanswered Non-confirmable request held. */
  | { readonly kind: 'probe'; readonly state: PeerState }
  /** Message ids towards a peer are free again. */
  | { readonly kind: 'mids'; readonly state: PeerState }
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
  /** Datagrams of unproven peers above the rate of one address and port, and of one address. */
  droppedSourceRate: number;
  droppedAddressRate: number;
  /** Requests answered 5.03 because their peer had too many under way. */
  refusedExchanges: number;
  /** Requests of ours not sent, because too many waited for their peer or there were too many peers. */
  refusedRequests: number;
  /** Requests of strangers answered with an Echo to be repeated. */
  challenges: number;
  /** Message ids forgotten before their time, because all together were too large. */
  forgottenIds: number;
  /** Answers and requests held back, because all message ids towards a peer were in use lately. */
  midsExhausted: number;
  requestsReceived: number;
  requestsSent: number;
  notifications: number;
  staleNotifications: number;
  /** Block-wise notifications whose later blocks could not be fetched. */
  lostNotifications: number;
}

/** What the engine holds at the moment. */
export interface CoapSizes {
  readonly peers: number;
  readonly exchanges: number;
  readonly bodyBytes: number;
  readonly seenBytes: number;
  readonly timers: number;
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
    droppedSourceRate: 0,
    droppedAddressRate: 0,
    refusedExchanges: 0,
    refusedRequests: 0,
    challenges: 0,
    forgottenIds: 0,
    midsExhausted: 0,
    requestsReceived: 0,
    requestsSent: 0,
    notifications: 0,
    staleNotifications: 0,
    lostNotifications: 0,
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
  readonly rates: RateLimits;
  /** Undefined when strangers are not asked for one. */
  readonly echo: EchoChallenge | undefined;
  /** Bytes held in unfinished uploads, unfetched answers and unfinished downloads. */
  bodyBytes: number;
  /** Blocks those bytes are held in: each costs memory of its own, which small blocks make the larger part. */
  bodyBlocks: number;
  /** Unfinished uploads of peers that have proven nothing, the oldest first, and what they hold. */
  readonly unprovenUploads: Map<Upload, { readonly state: PeerState; readonly key: string }>;
  unprovenBytes: number;
  /** Monotonic ms of the call in progress. */
  now: number;
}

/** What holding one block costs beside its bytes, measured. */
export const BLOCK_OVERHEAD = 256;

/** Whether one more block would go over the limit on unfinished bodies of all peers together. */
export function bodiesFull(context: CoapContext, bytes: number): boolean {
  return context.bodyBytes + bytes + (context.bodyBlocks + 1) * BLOCK_OVERHEAD > context.params.maxBodies;
}

export function transmit(context: CoapContext, data: Uint8Array, peer: Peer): void {
  context.counters.sent++;
  context.sink.send(data, peer);
}

export function clearTimer(context: CoapContext, timer: Deadline<Timer> | null): null {
  if (timer) context.deadlines.remove(timer);
  return null;
}
