/** Times in ms, sizes in bytes. */
export interface DtlsLimits {
  /** The largest datagram we send. */
  readonly mtu: number;
  /** Length of the connection IDs we ask to be sent: 1 to 20; 0 accepts the extension and asks for none. */
  readonly cidLength: number;
  /** Answer the extension at all: 1 yes, 0 no. */
  readonly cid: number;
  /** First wait before a flight is repeated; it doubles up to `maxRetransmit` (RFC 6347 4.2.4.1). */
  readonly retransmit: number;
  readonly maxRetransmit: number;
  /** How often a flight goes out at most, whoever caused it. */
  readonly maxFlights: number;
  /** How long a handshake may take. */
  readonly handshakeTimeout: number;
  /** What is left to a handshake once a record has come that the key does not open: time for a genuine one. */
  readonly wrongKeyGrace: number;
  /** Handshakes under way; beyond it the oldest gives way. */
  readonly maxHandshakes: number;
  /** Sessions; beyond it the one silent longest gives way if it has been so for `staleAfter`, else the newcomer is refused. */
  readonly maxSessions: number;
  readonly staleAfter: number;
  /** Handshakes per second of one source address (IPv6: one /64) and of all, and how many at once; 0 sets no limit. */
  readonly sourceRate: number;
  readonly sourceBurst: number;
  readonly totalRate: number;
  readonly totalBurst: number;
  /** The largest handshake message taken, and the bytes of unfinished ones of all handshakes together. */
  readonly maxMessage: number;
  readonly maxReassembly: number;
  /** Records that come before their keys are kept per handshake, this many. */
  readonly maxEarlyRecords: number;
  readonly cookieLifetime: number;
  /** Sessions that may be resumed by their id, and for how long; 0: none. */
  readonly maxResumable: number;
  readonly resumeFor: number;
  /** Bytes sent to an address a session has just moved to, before the session is heard from there again. */
  readonly unprovenBytes: number;
  /** Record numbers reserved at a time, where sessions are kept. */
  readonly reserve: number;
  /** Failed handshakes reported per second; the rest is counted. */
  readonly reportRate: number;
}

export const DEFAULT_LIMITS: DtlsLimits = {
  // The IPv6 minimum of 1280 less its headers.
  mtu: 1_232,
  cidLength: 6,
  cid: 1,
  retransmit: 2_000,
  maxRetransmit: 60_000,
  maxFlights: 12,
  handshakeTimeout: 90_000,
  wrongKeyGrace: 5_000,
  maxHandshakes: 1_000,
  maxSessions: 100_000,
  staleAfter: 3_600_000,
  sourceRate: 50,
  sourceBurst: 500,
  totalRate: 500,
  totalBurst: 1_000,
  // A chain of certificates with RSA keys has some 4 KiB.
  maxMessage: 16_384,
  maxReassembly: 4_194_304,
  maxEarlyRecords: 4,
  cookieLifetime: 60_000,
  maxResumable: 10_000,
  resumeFor: 86_400_000,
  unprovenBytes: 4_096,
  reserve: 1_024,
  reportRate: 10,
};

/** Limits with defaults for those that are not given. Throws RangeError on an unknown name or what is no number from 0 up. */
export function completeLimits(limits: Partial<DtlsLimits> = {}): DtlsLimits {
  const complete: DtlsLimits = { ...DEFAULT_LIMITS };
  for (const [name, value] of Object.entries(limits as Record<string, unknown>)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(DEFAULT_LIMITS, name)) throw new RangeError(`there is no DTLS limit ${name}`);
    if (typeof value !== 'number' || !(value >= 0)) throw new RangeError(`the DTLS limit ${name} must be a number from 0 up`);
    (complete as unknown as Record<string, number>)[name] = value;
  }
  if (complete.cidLength > 20 || !Number.isInteger(complete.cidLength)) throw new RangeError('connection IDs have 0 to 20 bytes');
  if (complete.mtu < 228) throw new RangeError('the MTU must be at least 228');
  return complete;
}
