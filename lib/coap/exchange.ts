import type { Deadline } from '../transport/deadlines';
import { lean } from '../transport/lean';
import type { BodyJob } from './body-job';
import type { Timer } from './context';
import { findUint, OptionNumber } from './options';
import type { PeerState } from './peers';
import type { Confirmable } from './reliability';
import { tokenKey } from './tokens';
import type { Failure, FailureReason, IncomingResponse, Message, Option, RequestSpec } from './types';

/** A request of ours from its call to its one outcome. */
export interface Exchange {
  readonly id: number;
  state: PeerState;
  readonly spec: RequestSpec;
  /** Present when this collects the rest of a block-wise notification: reported as one, not as an outcome. */
  readonly notification: IncomingResponse | null;
  token: Uint8Array;
  key: string;
  phase: 'queued' | 'sent' | 'acknowledged';
  /** When the first message of it left, for the round-trip time. */
  sentAt: number;
  holdsSlot: boolean;
  confirmable: Confirmable | null;
  timer: Deadline<Timer> | null;
  blockSize: number;
  /** Upload: bytes the peer has confirmed. */
  offset: number;
  restarts: number;
  /** How often a busy peer was asked again, and what rings for the next time. */
  retries: number;
  retryTimer: Deadline<Timer> | null;
  /** The Echo option the peer wants to see (RFC 9175 2.3). */
  echo: Uint8Array | null;
  /** Request-Tag of its blocks; 0 for none. */
  tag: number;
  /** Bytes of its last message. */
  size: number;
  /** Not even queued, and why. */
  refused: Failure | null;
  /** The block of `spec.body` at `offset`, once it is read. */
  chunk: Uint8Array | null;
  /** What the source or the sink of a body is at. */
  job: BodyJob | null;
  /** What comes when the sink has taken a block: the next one, or this answer. */
  written: 'more' | IncomingResponse | null;
  /** The first answer to the whole request; its token and number are those of an observation it makes. */
  begun: IncomingResponse | null;
  /** Download: what has come so far; `first` gives code and options of the whole. */
  first: IncomingResponse | null;
  chunks: Uint8Array[];
  received: number;
}

const MAX_RESTARTS = 3;

export function newExchange(options: {
  readonly id: number;
  readonly state: PeerState;
  readonly spec: RequestSpec;
  readonly notification: IncomingResponse | null;
  readonly token: Uint8Array;
  readonly blockSize: number;
  readonly now: number;
}): Exchange {
  const { id, state, spec, notification, token, blockSize, now } = options;
  return {
    id,
    state,
    spec,
    notification,
    token,
    key: tokenKey(token),
    phase: 'queued',
    sentAt: now,
    holdsSlot: false,
    confirmable: null,
    timer: null,
    blockSize,
    offset: 0,
    restarts: 0,
    retries: 0,
    retryTimer: null,
    echo: null,
    tag: 0,
    size: 0,
    refused: null,
    chunk: null,
    job: null,
    written: null,
    begun: null,
    first: null,
    chunks: [],
    received: 0,
  };
}

export const failure = (reason: FailureReason, detail: string): Failure => ({ reason, detail });

/** Bytes of the body of a request. */
export const bodyLength = (spec: RequestSpec): number => spec.body?.size ?? spec.payload?.length ?? 0;

/** Block-wise transfers that do not fit together may begin anew a few times. */
export function mayRestart(exchange: Exchange): boolean {
  return exchange.restarts++ < MAX_RESTARTS;
}

const Response = lean<IncomingResponse, [Message, readonly Option[]]>(function (message, options) {
  this.code = message.code;
  this.token = message.token;
  this.contentFormat = findUint(options, OptionNumber.CONTENT_FORMAT);
  this.observe = findUint(options, OptionNumber.OBSERVE);
  this.options = options;
  this.payload = message.payload;
});

export function toResponse(message: Message, options: readonly Option[]): IncomingResponse {
  return new Response(message, options);
}
