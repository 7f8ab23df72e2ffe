import type { Peer } from '../transport/types';

/** RFC 7252 3: message types. */
export const Type = { CON: 0, NON: 1, ACK: 2, RST: 3 } as const;
export type Type = (typeof Type)[keyof typeof Type];

/** One option as it stands on the wire (RFC 7252 3.1). */
export interface Option {
  readonly number: number;
  readonly value: Uint8Array;
}

/** A CoAP message (RFC 7252 3). `code` is the byte: 0x45 is 2.05. Options are sorted by number. */
export interface Message {
  readonly type: Type;
  readonly code: number;
  readonly mid: number;
  readonly token: Uint8Array;
  readonly options: readonly Option[];
  readonly payload: Uint8Array;
}

/** What a handler gets: a whole request (block-wise transfers put together). Plain data. */
export interface IncomingRequest {
  /** Names the exchange for `respond`. */
  readonly id: number;
  readonly peer: Peer;
  readonly code: number;
  readonly confirmable: boolean;
  readonly token: Uint8Array;
  readonly path: readonly string[];
  readonly query: readonly string[];
  readonly contentFormat: number | undefined;
  readonly accept: number | undefined;
  readonly options: readonly Option[];
  readonly payload: Uint8Array;
}

/** What a handler answers. */
export interface ResponseSpec {
  readonly code: number;
  readonly contentFormat?: number;
  readonly payload?: Uint8Array;
  /** Further options, e.g. Location-Path, Max-Age. */
  readonly options?: readonly Option[];
}

/** A request of ours. Block-wise transfer, tokens, message ids and retransmission are the engine's business. */
export interface RequestSpec {
  readonly code: number;
  readonly path: readonly string[];
  readonly query?: readonly string[];
  readonly contentFormat?: number;
  readonly accept?: number;
  readonly payload?: Uint8Array;
  readonly options?: readonly Option[];
  /** 0 registers an observation, 1 cancels one (RFC 7641 2). */
  readonly observe?: 0 | 1;
  /** Reuses a token: needed to cancel an observation (RFC 7641 3.6). */
  readonly token?: Uint8Array;
  /** Default true. */
  readonly confirmable?: boolean;
  /** How long the request may take in all, waiting for its turn included, ms. */
  readonly timeout?: number;
  /** Largest body taken, bytes. */
  readonly maxBody?: number;
  /** Largest block, bytes: 16, 32, ... 1024. */
  readonly blockSize?: number;
}

/** A whole answer (block-wise transfers put together). */
export interface IncomingResponse {
  readonly code: number;
  readonly token: Uint8Array;
  readonly contentFormat: number | undefined;
  /** The Observe sequence number, when there is one (RFC 7641 2). */
  readonly observe: number | undefined;
  readonly options: readonly Option[];
  readonly payload: Uint8Array;
}

/** How a request ended. Every request ends in exactly one of these. */
export type Outcome =
  | { readonly kind: 'response'; readonly response: IncomingResponse; readonly rtt: number }
  | { readonly kind: 'failed'; readonly reason: FailureReason; readonly detail: string };

/** Failures a caller can tell apart. */
export type FailureReason =
  /** Nothing came back: the device is off, asleep or unreachable. */
  | 'no-ack'
  /** The device acknowledged and never answered. */
  | 'no-response'
  /** The device answered with a Reset. */
  | 'reset'
  | 'unreachable'
  | 'cancelled'
  | 'closed'
  /** A body over the limit, ours or theirs. */
  | 'too-large'
  /** The peer broke the protocol, e.g. blocks that do not fit together. */
  | 'protocol'
  /** Too many requests wait for this peer or in all. */
  | 'busy';

/** A notification, the loss of one, or the end of an observation. Plain data; the token names the observation together with the peer. */
export type ObservationReport =
  | { readonly kind: 'notification'; readonly peer: Peer; readonly response: IncomingResponse }
  | { readonly kind: 'ended'; readonly peer: Peer; readonly token: Uint8Array; readonly response: IncomingResponse }
  /** A notification in blocks that could not be had whole; the observation goes on. */
  | { readonly kind: 'lost'; readonly peer: Peer; readonly token: Uint8Array; readonly detail: string };
