import type { Identity, Peer } from '../../transport/types';
import type { CipherSuite } from '../constants';
import type { DtlsLimits } from '../limits';
import type { SecureLink } from '../record/link';
import type { DtlsCounters, DtlsJob, HandshakeFailure } from '../types';
import type { FlightStep } from './flight';
import type { Handshake } from './handshake';
import type { ReassemblyBudget } from './reassembly';

/** What a handshake asks of the core it runs in. */
export interface HandshakeHost {
  readonly limits: DtlsLimits;
  readonly counters: DtlsCounters;
  readonly suites: readonly CipherSuite[];
  readonly budget: ReassemblyBudget;
  /** Whether sessions are kept for resumption. */
  readonly resumes: boolean;
  randomBytes(count: number): Buffer;
  send(data: Buffer, route: Peer): void;
  /** Answered by `jobDone`, perhaps within the call. */
  work(handshake: Handshake, job: DtlsJob): void;
  /** When `advance` is next needed. */
  schedule(handshake: Handshake, at: number): void;
  /** Both sides have proven the key. False when there is no room for the session. */
  established(handshake: Handshake, made: Established, now: number): boolean;
  failed(handshake: Handshake, failure: Failure, now: number): void;
  keyLog(clientRandom: Buffer, master: Buffer): void;
}

/** A session as the handshake hands it over. */
export interface Established {
  readonly role: 'client' | 'server';
  readonly suite: CipherSuite;
  readonly link: SecureLink;
  readonly identity: Identity;
  readonly clientRandom: Buffer;
  readonly extendedMasterSecret: boolean;
  /** The server's last flight, which a client that missed it asks for by repeating its own. */
  readonly lastFlight: LastFlight | undefined;
  /** How long the certificate of the peer is valid yet, ms; left out where it showed none. */
  readonly validFor?: number;
  /** The session id that this session may be resumed by, and what of it; undefined when it may not. */
  readonly resumable?: { readonly id: Buffer; readonly master: Buffer; readonly terms: Buffer; readonly validFor: number } | undefined;
}

export interface LastFlight {
  readonly steps: readonly FlightStep[];
  plainSeq: number;
  sent: number;
}

export interface Failure {
  readonly reason: HandshakeFailure;
  readonly detail: string;
}
