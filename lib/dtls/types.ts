import type { KeyObject } from 'node:crypto';
import type { Identity, Peer } from '../transport/types';
import type { EphemeralKey } from './crypto/ecdh';
import type { GroupId } from './constants';

/** Where pre-shared keys come from; upper floors implement it. */
export interface KeyStore {
  /**
   * The key of this identity (any bytes), undefined when there is none. May take its time; a rejection counts as none and is
   * reported as an error.
   */
  psk(identity: Uint8Array): Uint8Array | undefined | Promise<Uint8Array | undefined>;
}

/** What a certificate message holds (RFC 7250 3): a key alone, or a chain of certificates. */
export type CertificateType = 'rpk' | 'x509';

/** A key pair of ours. */
export interface OwnKey {
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
  /** Certificates, DER, that of the key first; empty: the key can be shown only as it is. */
  readonly chain: readonly Buffer[];
}

/** What a peer shows of itself: SubjectPublicKeyInfo, or certificates, its own first; all DER. */
export type PeerCertificate =
  { readonly type: 'rpk'; readonly publicKey: Buffer } | { readonly type: 'x509'; readonly chain: readonly Buffer[] };

/** Whether what a peer shows counts. It has yet to prove that it has the private key. */
export type CertificateVerdict =
  | {
      readonly accepted: true;
      readonly identity: Identity;
      readonly publicKey: KeyObject;
      /** How long what was shown is still good, ms; default for ever. */
      readonly validFor?: number;
    }
  | {
      readonly accepted: false;
      readonly reason: 'unknown-key' | 'bad-certificate';
      /** `AlertDescription`. */
      readonly alert: number;
      /** Why, in plain words. */
      readonly detail: string;
      /** Who it says it is, where that can be read. */
      readonly claimed?: Identity;
    };

/** Where certificates and raw public keys come from and are judged; upper floors implement it. */
export interface CertificateStore {
  /** Our keys, the preferred first; `serverName` is what the peer called us (RFC 6066 3). None: only pre-shared keys are spoken of. */
  own(serverName: string | undefined): readonly OwnKey[];
  /** Whether the certificate of this key is for the name that the peer called us. */
  isFor(key: OwnKey, serverName: string): boolean;
  /** Which types of peers there may be, the preferred first. */
  accepts(): readonly CertificateType[];
  /** A rejection counts as a refusal and is reported as an error. */
  judge(shown: PeerCertificate): CertificateVerdict | Promise<CertificateVerdict>;
}

/** Work the core cannot do on the spot: look-ups and public-key operations. Answered by `DtlsCore.done` under the same number. */
export type DtlsJob =
  | { readonly kind: 'psk'; readonly identity: Buffer }
  | { readonly kind: 'generate'; readonly group: GroupId }
  | { readonly kind: 'agree'; readonly own: EphemeralKey; readonly point: Buffer }
  | { readonly kind: 'judge'; readonly shown: PeerCertificate }
  | { readonly kind: 'sign'; readonly scheme: number; readonly key: KeyObject; readonly data: Buffer }
  | { readonly kind: 'verify'; readonly scheme: number; readonly key: KeyObject; readonly data: Buffer; readonly signature: Buffer };

export type DtlsJobResult =
  | { readonly kind: 'psk'; readonly key: Uint8Array | undefined }
  | { readonly kind: 'generate'; readonly key: EphemeralKey }
  | { readonly kind: 'agree'; readonly shared: Uint8Array }
  | { readonly kind: 'judge'; readonly verdict: CertificateVerdict }
  | { readonly kind: 'sign'; readonly signature: Buffer }
  | { readonly kind: 'verify'; readonly right: boolean }
  | { readonly kind: 'failed'; readonly error: unknown };

/** Why there is no session. */
export type HandshakeFailure =
  | 'unknown-identity'
  | 'wrong-key'
  /** A raw public key that belongs to nobody. */
  | 'unknown-key'
  /** A certificate that does not count. */
  | 'bad-certificate'
  /** It shows neither certificate nor key. */
  | 'no-certificate'
  | 'no-common-suite'
  | 'no-common-group'
  /** The two sides have no kind of certificate, raw public key or signature in common. */
  | 'no-common-certificate'
  | 'protocol-version'
  | 'bad-message'
  | 'refused-by-peer'
  | 'timeout'
  | 'replaced'
  | 'no-room'
  | 'cancelled'
  | 'internal';

/** Why a session is no more. */
export type SessionEnd = 'closed-by-peer' | 'alert' | 'closed' | 'replaced' | 'evicted' | 'exhausted';

/** What became of handshakes and sessions; plain data. */
export type DtlsReport =
  | {
      readonly kind: 'established';
      readonly peer: Peer;
      readonly suite: string;
      readonly role: 'client' | 'server';
      /** What `connect` returned; undefined where the peer began. */
      readonly attempt: number | undefined;
      /** Whether the peer is found by a connection ID of ours. */
      readonly cid: boolean;
      readonly extendedMasterSecret: boolean;
      /** How long the certificate of the peer is valid yet, ms; left out where it showed none in this handshake. */
      readonly validFor?: number;
    }
  /** The same principal has a new session; what belonged to `from` belongs to `to`. */
  | { readonly kind: 'rebind'; readonly from: Peer; readonly to: Peer }
  /** The session is heard from another address now. */
  | { readonly kind: 'moved'; readonly peer: Peer; readonly address: string; readonly port: number }
  /** `replaced` comes without a `rebind` when the new session is another principal's. */
  | { readonly kind: 'ended'; readonly peer: Peer; readonly reason: SessionEnd; readonly detail: string }
  | {
      readonly kind: 'failed';
      readonly attempt: number | undefined;
      readonly address: string;
      readonly port: number;
      readonly reason: HandshakeFailure;
      readonly detail: string;
      /** Who the peer said it is. Proves nothing. */
      readonly claimed?: Identity | undefined;
      /** Failures not reported before this one, because there were too many. */
      readonly suppressed: number;
    };

/** Where the core's effects go. None of these may call the core back, except `work`, whose job may be done at once. */
export interface DtlsSink {
  /** A datagram for the wire. */
  send(data: Buffer, route: Peer): void;
  /** Application data of a session. */
  receive(data: Buffer, peer: Peer): void;
  report(report: DtlsReport): void;
  work(id: number, job: DtlsJob): void;
  /** A session is to be kept under this key before more than `reserved` numbers are used, or is no more. See `SessionStore`. */
  persist?(change: SessionChange): void;
  /** A line of an NSS key log; only where secrets are wanted in a file. */
  keyLog?(line: string): void;
}

/** All that makes a session, secrets included. What is kept of it is sealed by whoever keeps it. */
export interface SessionState {
  readonly key: string;
  readonly role: 'client' | 'server';
  readonly suite: number;
  readonly writeKey: Buffer;
  readonly writeSalt: Buffer;
  /** Of the HMAC of CBC; else empty, as the salts are with CBC. */
  readonly writeMac: Buffer;
  readonly readKey: Buffer;
  readonly readSalt: Buffer;
  readonly readMac: Buffer;
  readonly encryptThenMac: boolean;
  readonly peerCid: Buffer;
  readonly ownCid: Buffer;
  /** The largest plaintext that the peer takes in a record. */
  readonly recordSize: number;
  /** The first number never used, in a state taken once sending has stopped; else the first number not reserved. */
  readonly sendSeq: number;
  readonly window: readonly [newest: number, low: number, high: number];
  readonly address: string;
  readonly port: number;
  readonly identity: Identity;
}

export type SessionChange =
  { readonly kind: 'save'; readonly key: string; readonly reserved: number } | { readonly kind: 'remove'; readonly key: string };

/**
 * Where sessions outlast the process; upper floors implement it, seal what they write, and forget before they hand out.
 * A session may be used again only if it was written after its last record was sent and received.
 */
export interface SessionStore {
  /** Removes all that was kept and returns it, if it was all written after sending had stopped; else an empty list. */
  takeAll(): Promise<readonly Buffer[]>;
  /** Keeps the state of a session under its key, at the latest when the promise is fulfilled. */
  save(key: string, state: Buffer): Promise<void>;
  remove(key: string): void;
  /** Writes final states and the mark that they are final, before it returns: sending has stopped. */
  finish(states: ReadonlyMap<string, Buffer>): void;
}

export interface DtlsCounters {
  datagrams: number;
  records: number;
  malformedDatagrams: number;
  malformedHellos: number;
  fragmentedHellos: number;
  helloVerifyRequests: number;
  wrongCookies: number;
  spentHellos: number;
  rateLimited: number;
  handshakesStarted: number;
  handshakesCompleted: number;
  handshakesFailed: number;
  handshakesDisplaced: number;
  unknownCids: number;
  unknownPeers: number;
  plaintextIgnored: number;
  replayedRecords: number;
  forgedRecords: number;
  quietRecords: number;
  malformedRecords: number;
  reassemblyRefused: number;
  retransmissions: number;
  moves: number;
  sendsRefused: number;
  sessionsEvicted: number;
  reportsSuppressed: number;
  internalErrors: number;
}
