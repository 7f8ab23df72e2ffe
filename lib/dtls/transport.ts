import type { Driver } from '../transport/driver';
import { systemRandom, type Random } from '../transport/random';
import type { Identity, Peer, Transport, TransportSink } from '../transport/types';
import { DtlsCore } from './core';
import { createJobs, type Jobs } from './jobs';
import type { ClientCredentials } from './handshake/client';
import type { DtlsLimits } from './limits';
import type { CertificateStore, DtlsCounters, DtlsReport, DtlsSink, KeyStore, SessionChange, SessionState } from './types';

export interface DtlsTransportOptions {
  readonly driver: Driver;
  readonly keys: KeyStore;
  /** For suites with certificates or raw public keys; default none. */
  readonly certificates?: CertificateStore;
  /**
   * A fingerprint of what proves an identity at present; undefined when nothing does. A session is resumed only while it is the same as
   * when the session was made; without this none can be resumed.
   */
  readonly proof?: (identity: Identity) => string | undefined;
  /** Gets the application data of sessions, as a plain UDP transport would give it datagrams. */
  readonly sink: TransportSink;
  /** What became of handshakes and sessions. `rebind` is to be passed on to whoever holds peers. */
  readonly onReport?: (report: DtlsReport) => void;
  readonly onError: (error: unknown) => void;
  readonly random?: Random;
  readonly limits?: Partial<DtlsLimits>;
  readonly suites?: readonly string[];
  readonly cidPrefix?: Buffer;
  /** Asked to keep sessions; answered by `persisted`. */
  readonly persist?: (change: SessionChange) => void;
  /** Gets the lines of an NSS key log: the secrets of all sessions. */
  readonly keyLog?: (line: string) => void;
}

/** No server is there, or it does not accept us; `reason` is that of the report. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** RFC 7252 4.6; the record around it still fits the smallest MTU of IPv6. */
const MAX_MESSAGE = 1152;

/**
 * DTLS between a transport of datagrams below, whose sink this is, and one of messages above, whose transport it is.
 * Never throws on traffic.
 */
export class DtlsTransport implements Transport, TransportSink {
  readonly maxMessage: number;
  readonly #core: DtlsCore;
  readonly #driver: Driver;
  readonly #sink: TransportSink;
  readonly #onReport: ((report: DtlsReport) => void) | undefined;
  readonly #onError: (error: unknown) => void;
  readonly #jobs: Jobs;
  readonly #attempts = new Map<number, { resolve: (peer: Peer) => void; reject: (error: Error) => void }>();
  #closed = false;

  constructor(options: DtlsTransportOptions) {
    const {
      driver,
      sink,
      onReport,
      onError,
      random = systemRandom,
      limits,
      suites,
      cidPrefix,
      persist,
      keyLog,
      keys,
      certificates,
      proof,
    } = options;
    this.#driver = driver;
    this.#sink = sink;
    this.#onReport = onReport;
    this.#onError = onError;
    this.#jobs = createJobs({ keys, certificates, onError });
    const effects: DtlsSink = {
      send: (data, route) => route.transport.send(data, route),
      receive: (data, peer) => this.#sink.receive(data, peer),
      report: (report) => this.#report(report),
      work: (id, job) => this.#jobs.run(job, (result) => this.#enter((now) => this.#core.done(id, result, now))),
      ...(persist && { persist }),
      ...(keyLog && { keyLog }),
    };
    this.#core = new DtlsCore({
      sink: effects,
      transport: this,
      random,
      now: driver.clock.now(),
      persistent: persist !== undefined,
      ...(limits && { limits }),
      ...(suites && { suites }),
      ...(certificates && { certificates }),
      ...(proof && { proof }),
      ...(cidPrefix && { cidPrefix }),
    });
    // 1232 bytes leave room for 1152 and the longest header with connection ID and tag.
    this.maxMessage = Math.min(MAX_MESSAGE, this.#core.limits.mtu - 80);
    driver.attach(this.#core);
  }

  get counters(): Readonly<DtlsCounters> {
    return this.#core.counters;
  }

  sizes(): ReturnType<DtlsCore['sizes']> {
    return this.#core.sizes();
  }

  receive(data: Buffer, route: Peer): void {
    this.#enter((now) => this.#core.receive(data, route, now));
  }

  /** An address cannot be reached: what runs there ends, the session stays, as anybody can forge such news. */
  gone(route: Peer, reason: string): void {
    const peer = this.#core.sessionAt(route);
    if (peer) this.#sink.gone(peer, reason);
  }

  send(data: Uint8Array, peer: Peer): void {
    this.#enter((now) => this.#core.send(data, peer, now));
  }

  /** A handshake as client; resolves with the peer, rejects with `ConnectError`. */
  connect(route: Peer, credentials: ClientCredentials): Promise<Peer> {
    return new Promise((resolve, reject) => {
      if (this.#closed) reject(new ConnectError('cancelled', 'the transport is closed'));
      this.#enter((now) => {
        const id = this.#core.connect(route, credentials, now);
        this.#attempts.set(id, { resolve, reject });
      });
    });
  }

  /** Ends one session with a close_notify. */
  closePeer(peer: Peer): void {
    this.#enter((now) => this.#core.close(peer, now));
  }

  /** Ends the session and the handshakes of this principal at once: its credentials were removed. */
  closePrincipal(identity: Identity): void {
    this.#enter((now) => this.#core.closePrincipal(identity, now));
  }

  /** Ends handshakes under way, of whom `which` says so by what was shown in them. */
  dropHandshakes(which: (claimed: Identity) => boolean): void {
    this.#enter((now) => this.#core.dropHandshakes(which, now));
  }

  peers(): readonly Peer[] {
    return this.#core.sessions();
  }

  state(key: string, reserved: number): SessionState | undefined {
    return this.#core.state(key, reserved);
  }

  persisted(key: string, reserved: number): void {
    this.#core.persisted(key, reserved);
  }

  restore(states: readonly SessionState[], routeFor: (address: string, port: number) => Peer): readonly Peer[] {
    return this.#core.restore(states, routeFor, this.#driver.clock.now());
  }

  /** Stops for good. Returns the final states of the sessions, which may go on elsewhere. Synchronous, for an exit handler. */
  stop(): SessionState[] {
    if (this.#closed) return [];
    this.#closed = true;
    const states = this.#core.stop();
    this.#driver.detach(this.#core);
    return states;
  }

  /** Stops for good and tells every peer. */
  close(): void {
    if (this.#closed) return;
    for (const peer of this.#core.sessions()) this.closePeer(peer);
    this.stop();
  }

  #enter(work: (now: number) => void): void {
    if (this.#closed) return;
    try {
      work(this.#driver.clock.now());
    } catch (error) {
      this.#onError(error);
    }
    this.#driver.changed();
  }

  #report(report: DtlsReport): void {
    try {
      this.#onReport?.(report);
    } catch (error) {
      this.#onError(error);
    }
    switch (report.kind) {
      case 'established':
        this.#settle(report.attempt, ({ resolve }) => resolve(report.peer));
        break;
      case 'failed':
        this.#settle(report.attempt, ({ reject }) => reject(new ConnectError(report.reason, report.detail)));
        break;
      case 'ended':
        this.#sink.gone(report.peer, report.detail);
        break;
      case 'rebind':
        // A turn later: what belongs to the device has gone over to its new session by then, and the rest ends.
        queueMicrotask(() => this.#gone(report.from));
        break;
      case 'moved':
        break;
    }
  }

  #gone(peer: Peer): void {
    try {
      this.#sink.gone(peer, 'the device has another session');
    } catch (error) {
      this.#onError(error);
    }
  }

  #settle(attempt: number | undefined, how: (of: { resolve: (peer: Peer) => void; reject: (error: Error) => void }) => void): void {
    if (attempt === undefined) return;
    const waiting = this.#attempts.get(attempt);
    this.#attempts.delete(attempt);
    // A turn later: `connect` may not have noted the number yet, and callers must not run within the core.
    if (waiting) queueMicrotask(() => how(waiting));
  }
}

/** Whether the first byte is that of a DTLS record; CoAP messages (version 1) begin with 64 to 127. */
export function isDtls(data: Buffer): boolean {
  const first = data[0];
  return first !== undefined && first >= 20 && first <= 63;
}

/** One port for both: datagrams go to one or the other sink by their first byte. */
export class SplitSink implements TransportSink {
  readonly #secure: TransportSink;
  readonly #plain: TransportSink;

  constructor(sinks: { secure: TransportSink; plain: TransportSink }) {
    this.#secure = sinks.secure;
    this.#plain = sinks.plain;
  }

  receive(data: Buffer, peer: Peer): void {
    if (isDtls(data)) this.#secure.receive(data, peer);
    else this.#plain.receive(data, peer);
  }

  gone(peer: Peer, reason: string): void {
    this.#secure.gone(peer, reason);
    this.#plain.gone(peer, reason);
  }
}
