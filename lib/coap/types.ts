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

/**
 * A body of ours that is read block by block, e.g. from a file: never held as a whole, and shared by any number of
 * transfers at a time.
 */
export interface BodySource {
  /** Bytes in all. */
  readonly size: number;
  /**
   * Exactly `length` bytes from `offset` on, now or later; the next block is asked for when the peer has this one. Earlier
   * ones may be asked for again. What is given must not change until the next call for this transfer.
   */
  read(offset: number, length: number): Uint8Array | Promise<Uint8Array>;
  /** Called once for each transfer: it needs no more, or why it has come to nothing. */
  end?(failure?: Failure): void;
}

/** Takes a body block by block. */
export interface BodySink {
  /** Largest body taken, bytes; default the parameter `maxStream`. */
  readonly maxBody?: number;
  /**
   * The next bytes, from `offset` on; the peer is asked for more when this is done. `data` is the sink's to keep. Offset 0
   * again: the peer begins anew, and what came before is void.
   */
  write(data: Uint8Array, offset: number): void | Promise<void>;
  /** Called once for each transfer: the body is whole, or why it never will be. */
  end?(failure?: Failure): void;
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
  /** The sink that has taken the body; `payload` is empty then. */
  readonly body?: BodySink;
}

/** What came of a ping. */
export type PingResult = { readonly kind: 'alive' } | ({ readonly kind: 'failed' } & Failure);

/** What is known of a request when the first block of its body is there. */
export type RequestHead = Omit<IncomingRequest, 'id' | 'payload' | 'body'>;

/** What a handler answers. */
export interface ResponseSpec {
  readonly code: number;
  readonly contentFormat?: number;
  readonly payload?: Uint8Array;
  /** Instead of `payload`: read as the peer asks for it. */
  readonly body?: BodySource;
  /** Further options, e.g. Location-Path, Max-Age. */
  readonly options?: readonly Option[];
  /** Grants the observation that the request asks for: `notify` with the request's id from now on (RFC 7641 4.1). */
  readonly observe?: boolean;
}

/** What an observer of a resource of ours is told (RFC 7641 4.2). */
export interface Notification extends Omit<ResponseSpec, 'observe' | 'body'> {
  /** Default true. At least one a day is. */
  readonly confirmable?: boolean;
}

/** A request of ours. Block-wise transfer, tokens, message ids and retransmission are the engine's business. */
export interface RequestSpec {
  readonly code: number;
  readonly path: readonly string[];
  readonly query?: readonly string[];
  readonly contentFormat?: number;
  readonly accept?: number;
  readonly payload?: Uint8Array;
  /** Instead of `payload`: read as the peer takes it. */
  readonly body?: BodySource;
  /** Takes the body of a successful answer as it comes; the outcome has none then. */
  readonly sink?: BodySink;
  readonly options?: readonly Option[];
  /** 0 registers an observation, 1 cancels one (RFC 7641 2). */
  readonly observe?: 0 | 1;
  /** Reuses a token: needed to cancel an observation (RFC 7641 3.6). */
  readonly token?: Uint8Array;
  /** Default true. */
  readonly confirmable?: boolean;
  /** How long the request may take in all, waiting for its turn included, ms. */
  readonly timeout?: number;
  /** Largest body of an answer, bytes. */
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
  | 'busy'
  /** The source or the sink of a body failed, or was not ready in time. */
  | 'stream';

/** Why something ended without what was wanted of it. */
export interface Failure {
  readonly reason: FailureReason;
  readonly detail: string;
}

/** A notification, the loss of one, or the end of an observation. Plain data; the token names the observation together with the peer. */
export type ObservationReport =
  | { readonly kind: 'notification'; readonly peer: Peer; readonly response: IncomingResponse }
  | { readonly kind: 'ended'; readonly peer: Peer; readonly token: Uint8Array; readonly response: IncomingResponse }
  /** A notification in blocks that could not be had whole; the observation goes on. */
  | { readonly kind: 'lost'; readonly peer: Peer; readonly token: Uint8Array; readonly detail: string };
