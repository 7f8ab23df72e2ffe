import { SessionKeeper } from '../dtls/keeper';
import type { DtlsLimits } from '../dtls/limits';
import { DtlsTransport } from '../dtls/transport';
import type { CertificateStore, DtlsCounters, DtlsReport, SessionStore } from '../dtls/types';
import type { Driver } from '../transport/driver';
import { pskName } from '../transport/identity';
import { UdpPort } from '../transport/port';
import type { Identity, Peer, Transport, TransportSink } from '../transport/types';
import type { UdpCounters } from '../transport/udp';

export interface SecurePortOptions {
  readonly port: number;
  readonly addresses: readonly (string | undefined)[];
  readonly receiveBuffer?: number | undefined;
  readonly driver: Driver;
  /** Gets what sessions carry. */
  readonly sink: TransportSink;
  /** The key of an identity, by its name. */
  readonly key: (identity: string) => Uint8Array | undefined;
  /** What raw public keys and certificates count, and our own. */
  readonly certificates: CertificateStore;
  /** A fingerprint of what proves an identity at present: a session is resumed while it is the same. */
  readonly proof: (identity: Identity) => string | undefined;
  readonly limits?: Partial<DtlsLimits>;
  readonly onReport: (report: DtlsReport) => void;
  readonly onError: (error: unknown) => void;
  /** Where sessions outlast the process; default: they end with it. */
  readonly sessions?: SessionStore;
  readonly keyLog?: (line: string) => void;
}

/** DTLS on the sockets of one port, and what is kept of it. */
export class SecurePort {
  readonly #dtls: DtlsTransport;
  readonly #udp: UdpPort;
  readonly #keeper: SessionKeeper | undefined;
  /** Sessions that are still to be restored would not know what comes. */
  #open = false;
  #stopped = false;

  constructor(options: SecurePortOptions) {
    const { driver, sink, key, certificates, proof, limits, onReport, onError, sessions, keyLog } = options;
    this.#keeper = sessions && new SessionKeeper({ store: sessions, onError });
    this.#dtls = new DtlsTransport({
      driver,
      sink,
      keys: { psk: (identity) => key(pskName(identity)) },
      certificates,
      proof,
      onReport,
      onError,
      ...(limits && { limits }),
      ...(this.#keeper && { persist: this.#keeper.persist }),
      ...(keyLog && { keyLog }),
    });
    this.#udp = new UdpPort(options, {
      receive: (data, route) => {
        if (this.#open) this.#dtls.receive(data, route);
      },
      gone: (route, reason) => this.#dtls.gone(route, reason),
    });
  }

  /** Opens the sockets and takes the kept sessions back. Rejects with the system's error. */
  async open(): Promise<void> {
    await this.#udp.open();
    const nowhere: Transport = { send: () => undefined, maxMessage: this.#dtls.maxMessage };
    await this.#keeper?.begin(this.#dtls, (address, port) => this.#udp.route(address, port) ?? unreachable(address, port, nowhere));
    this.#open = true;
  }

  get port(): number {
    return this.#udp.port;
  }

  get counters(): Readonly<DtlsCounters> {
    return this.#dtls.counters;
  }

  sizes(): ReturnType<DtlsTransport['sizes']> {
    return this.#dtls.sizes();
  }

  udpCounters(): Readonly<UdpCounters>[] {
    return this.#udp.counters();
  }

  keepAlive(on: boolean): void {
    this.#udp.keepAlive(on);
  }

  peers(): readonly Peer[] {
    return this.#dtls.peers();
  }

  /** Stands for a device that has no session any more: what is asked of it fails at once until it has one. */
  absent(identity: Identity, address: string, port: number): Peer {
    const transport: Transport = { send: () => undefined, maxMessage: this.#dtls.maxMessage };
    return { key: `dtls|absent|${identity.mode}|${identity.name}`, address, port, identity, transport, ended: true };
  }

  /** Ends handshakes under way of those who do not count any more. */
  dropHandshakes(which: (claimed: Identity) => boolean): void {
    this.#dtls.dropHandshakes(which);
  }

  /** Ends session and handshakes of one whose credentials were removed. */
  closePrincipal(identity: Identity): void {
    this.#dtls.closePrincipal(identity);
  }

  /** Nothing is sent from here on. With a store the sessions are kept, else the devices are told. Synchronous; may be called again. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#keeper && this.#open) this.#keeper.finish();
    else this.#dtls.close();
  }

  async close(): Promise<void> {
    this.stop();
    await this.#udp.close();
  }
}

function unreachable(address: string, port: number, transport: Transport): Peer {
  return { key: `udp|none|${address}|${port}`, address, port, identity: { scheme: 'coap', mode: 'none', name: '' }, transport };
}
