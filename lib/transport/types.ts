/**
 * The seam between the wire and CoAP: who a peer is, how bytes reach it, and what time it is.
 * Everything above this line is the same over UDP and over DTLS.
 */

/**
 * How a peer proved who it is; handed up with every message. `name` is empty for mode `none`, the identity for `psk` (see `pskName`),
 * the SHA-256 of the SubjectPublicKeyInfo in hex for `rpk`, and for `x509` the device that the certificate stands for.
 */
export interface Identity {
  readonly scheme: 'coap' | 'coaps';
  readonly mode: 'none' | 'psk' | 'rpk' | 'x509';
  readonly name: string;
  /** Mode `x509`: the other names the certificate holds, any of which its device may call itself. */
  readonly aliases?: readonly string[];
}

/**
 * A route to one remote endpoint. `key` names it for as long as it lives: family, address and port over UDP,
 * the session over DTLS (where address and port may change under the same key).
 */
export interface Peer {
  readonly key: string;
  readonly address: string;
  readonly port: number;
  readonly identity: Identity;
  readonly transport: Transport;
  /** The local address it came to, where each has a socket of its own. */
  readonly local?: string;
  /** The largest message it takes, bytes, where it has said so; what is larger is not sent. */
  readonly maxMessage?: number | undefined;
  /** Over for good: nothing will come by this key again. A route over UDP never is. */
  readonly ended?: boolean;
}

/** Sends whole CoAP messages; may drop them (CoAP retransmits). Never throws. */
export interface Transport {
  send(data: Uint8Array, peer: Peer): void;
  /** The largest message worth sending, in bytes (RFC 7252 4.6: 1152 over UDP). */
  readonly maxMessage: number;
}

/** What a transport reports upwards. Implementations never throw into the socket. */
export interface TransportSink {
  receive(data: Buffer, peer: Peer): void;
  /** The route is no more (ICMP unreachable, close_notify, table full). */
  gone(peer: Peer, reason: string): void;
}

/** Monotonic and wall-clock milliseconds, and the one timer of a driver. */
export interface Clock {
  /** Monotonic milliseconds; never jumps. Deadlines are on this scale. */
  now(): number;
  /** Milliseconds since 1970, for people and for messages. */
  wall(): number;
  /** Calls `wake` once at or after `at` (monotonic ms, `Infinity` = never). Replaces the alarm set before. */
  alarm(at: number, wake: () => void): void;
}

/** A state machine without sockets and clocks: the driver tells it the time and asks when it wants to hear again. */
export interface Core {
  /** Does all that is due at `now` (monotonic ms). */
  advance(now: number): void;
  /** When `advance` is next needed (monotonic ms); `Infinity` when nothing waits. */
  deadline(): number;
}
