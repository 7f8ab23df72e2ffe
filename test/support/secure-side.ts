import { DtlsTransport } from '../../lib/dtls/transport';
import { Driver } from '../../lib/transport/driver';
import { NO_IDENTITY } from '../../lib/transport/identity';
import type { Clock, Peer } from '../../lib/transport/types';
import type { Random } from './random';
import { KEY } from './scheme';

/** Neither side needs a turn of the loop for it: tests that advance the clock by hand give none. */
export const SUITES = ['TLS_PSK_WITH_AES_128_CCM_8'];

export interface SecureSideOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Puts a datagram on the way to the server. */
  readonly transmit: (data: Uint8Array) => void;
  /** A message of the server. */
  readonly receive: (data: Buffer) => void;
}

/** The device's end of DTLS: sessions with one server, one for each identity. */
export class SecureSide {
  readonly errors: unknown[] = [];
  readonly #dtls: DtlsTransport;
  readonly #route: Peer;
  readonly #sessions = new Map<string, Peer>();

  constructor({ clock, random, transmit, receive }: SecureSideOptions) {
    const onError = (error: unknown): void => void this.errors.push(error);
    const transport = { maxMessage: 1152, send: transmit };
    this.#route = { key: 'server', address: 'server', port: 5683, identity: NO_IDENTITY, transport };
    this.#dtls = new DtlsTransport({
      driver: new Driver({ clock, onError }),
      keys: { psk: () => undefined },
      random: { bytes: (count) => random.bytes(count), float: () => random.next() },
      suites: SUITES,
      sink: {
        receive,
        gone: (peer) => {
          if (this.#sessions.get(peer.identity.name) === peer) this.#sessions.delete(peer.identity.name);
        },
      },
      onReport: (report) => {
        if (report.kind === 'established') this.#sessions.set(report.peer.identity.name, report.peer);
      },
      onError,
    });
  }

  has(identity: string): boolean {
    return this.#sessions.has(identity);
  }

  /** Begins a handshake. */
  connect(identity: string): void {
    this.#dtls.connect(this.#route, { identity: Buffer.from(identity), key: KEY }).catch(() => undefined);
  }

  /** A datagram from the wire. */
  take(data: Buffer): void {
    this.#dtls.receive(data, this.#route);
  }

  /** Sends in the session of this identity; without one nothing leaves. */
  send(data: Uint8Array, identity: string): void {
    const peer = this.#sessions.get(identity);
    if (peer) this.#dtls.send(data, peer);
  }
}
