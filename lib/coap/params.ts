/** Transmission parameters (RFC 7252 4.8) and our limits. Times in ms, sizes in bytes. */
export interface CoapParams {
  readonly ackTimeout: number;
  readonly ackRandomFactor: number;
  readonly maxRetransmit: number;
  /** Requests of ours to one peer at a time (RFC 7252 4.7). */
  readonly nstart: number;
  /** Bytes a second, on average, towards a peer that does not answer Non-confirmable requests; 0 sets no limit (RFC 7252 4.7). */
  readonly probingRate: number;
  /** How long a message id is remembered (RFC 7252 4.8.2). */
  readonly exchangeLifetime: number;
  /** A handler slower than this gets its request acknowledged first (RFC 7252 5.2.2). */
  readonly emptyAckDelay: number;
  /** How long a request may take in all, when it does not say. */
  readonly requestTimeout: number;
  /** How often a peer that answers 5.03 is asked again, within the request's time. */
  readonly busyRetries: number;
  /** How long it is left alone at least; twice as long each time, or as long as its Max-Age says. */
  readonly busyDelay: number;
  /** Largest block we offer (RFC 7959 2.2). */
  readonly blockSize: number;
  /** Largest body taken from a peer. */
  readonly maxBody: number;
  /** Largest body taken block by block, held by nobody here. */
  readonly maxStream: number;
  /** Bytes of unfinished bodies, for all peers together; every block counts for 256 bytes more than it has. */
  readonly maxBodies: number;
  /** Peers remembered at a time. */
  readonly maxPeers: number;
  /** Message ids remembered per peer. */
  readonly maxSeen: number;
  /** Requests of one peer, and separate answers to it, under way at a time. */
  readonly maxExchanges: number;
  /** Requests of ours waiting per peer. */
  readonly maxQueue: number;
  /** Unfinished uploads and unfetched large answers per peer, each. */
  readonly maxTransfers: number;
  /** Observations of our resources per peer. */
  readonly maxObservers: number;
  /** Bytes of remembered message ids and their answers, for all peers together. */
  readonly maxSeenBytes: number;
  /**
   * Strangers show that they receive what is sent to their address before anything else is done for them, by an Echo that
   * is good for so long, ms; 0 does not ask for it (RFC 9175 2.4).
   */
  readonly echoLifetime: number;
  /** Datagrams per second of one unproven address and port, and how many at once; a rate of 0 sets no limit. */
  readonly sourceRate: number;
  readonly sourceBurst: number;
  /** The same of all unproven ports of one address (IPv6: of one /64) together. */
  readonly addressRate: number;
  readonly addressBurst: number;
}

export const DEFAULT_PARAMS: CoapParams = {
  ackTimeout: 2_000,
  ackRandomFactor: 1.5,
  maxRetransmit: 4,
  nstart: 1,
  probingRate: 1,
  exchangeLifetime: 247_000,
  emptyAckDelay: 500,
  requestTimeout: 120_000,
  busyRetries: 3,
  busyDelay: 2_000,
  blockSize: 1024,
  maxBody: 1_048_576,
  maxStream: 67_108_864,
  maxBodies: 67_108_864,
  maxPeers: 150_000,
  maxSeen: 64,
  maxExchanges: 64,
  maxQueue: 1_000,
  maxTransfers: 4,
  maxObservers: 16,
  maxSeenBytes: 134_217_728,
  // Few devices know the option.
  echoLifetime: 0,
  // A device registers with a handful of datagrams; a thousand behind one NAT do so at once after a power cut.
  sourceRate: 50,
  sourceBurst: 200,
  addressRate: 5_000,
  addressBurst: 10_000,
};

/** What whoever runs a server may want to set; the rest is the protocol's own. */
export type CoapLimits = Pick<
  CoapParams,
  | 'maxPeers'
  | 'maxExchanges'
  | 'maxQueue'
  | 'maxBody'
  | 'maxStream'
  | 'maxBodies'
  | 'maxSeen'
  | 'maxSeenBytes'
  | 'maxTransfers'
  | 'sourceRate'
  | 'sourceBurst'
  | 'addressRate'
  | 'addressBurst'
  | 'busyRetries'
  | 'busyDelay'
  | 'echoLifetime'
>;

/** Parameters with defaults for those that are not given. Throws RangeError on one that is no number from 0 up. */
export function completeParams(params: Partial<CoapParams> = {}): CoapParams {
  const complete: CoapParams = { ...DEFAULT_PARAMS };
  for (const [name, value] of Object.entries(params as Record<string, unknown>)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(DEFAULT_PARAMS, name)) throw new RangeError(`there is no CoAP parameter ${name}`);
    if (typeof value !== 'number' || !(value >= 0)) throw new RangeError(`the CoAP parameter ${name} must be a number from 0 up`);
    (complete as unknown as Record<string, number>)[name] = value;
  }
  return complete;
}
