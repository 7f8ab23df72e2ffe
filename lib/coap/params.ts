/** Transmission parameters (RFC 7252 4.8) and our limits. Times in ms, sizes in bytes. */
export interface CoapParams {
  readonly ackTimeout: number;
  readonly ackRandomFactor: number;
  readonly maxRetransmit: number;
  /** Requests of ours to one peer at a time (RFC 7252 4.7). */
  readonly nstart: number;
  /** How long a message id is remembered (RFC 7252 4.8.2). */
  readonly exchangeLifetime: number;
  /** A handler slower than this gets its request acknowledged first (RFC 7252 5.2.2). */
  readonly emptyAckDelay: number;
  /** How long a request may take in all, when it does not say. */
  readonly requestTimeout: number;
  /** Largest block we offer (RFC 7959 2.2). */
  readonly blockSize: number;
  /** Largest body taken from a peer. */
  readonly maxBody: number;
  /** Bytes of unfinished bodies, for all peers together; every block counts for 256 bytes more than it has. */
  readonly maxBodies: number;
  /** Peers remembered at a time. */
  readonly maxPeers: number;
  /** Message ids remembered per peer. */
  readonly maxSeen: number;
  /** Requests of ours waiting per peer. */
  readonly maxQueue: number;
  /** Unfinished uploads and unfetched large answers per peer, each. */
  readonly maxTransfers: number;
}

export const DEFAULT_PARAMS: CoapParams = {
  ackTimeout: 2_000,
  ackRandomFactor: 1.5,
  maxRetransmit: 4,
  nstart: 1,
  exchangeLifetime: 247_000,
  emptyAckDelay: 500,
  requestTimeout: 120_000,
  blockSize: 1024,
  maxBody: 1_048_576,
  maxBodies: 67_108_864,
  maxPeers: 150_000,
  maxSeen: 64,
  maxQueue: 1_000,
  maxTransfers: 4,
};
