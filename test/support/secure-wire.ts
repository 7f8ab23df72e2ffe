import type { DtlsTransport } from '../../lib/dtls/transport';
import { Driver } from '../../lib/transport/driver';
import type { Clock, Peer } from '../../lib/transport/types';
import { createRandom } from './random';
import { KEY } from './scheme';
import { secureServer } from './secure-server';
import { SecureSide } from './secure-side';
import { VirtualClock } from './virtual-clock';
import { VirtualNetwork } from './virtual-network';

const SERVER = { address: '192.0.2.1', port: 5684 };

export interface SecureWireOptions {
  readonly now: () => number;
  /** A message has come to the server. */
  readonly received: (data: Buffer, peer: Peer) => void;
  /** A message has come to the device of this name. */
  readonly delivered: (data: Buffer, name: string) => void;
}

/** DTLS between a server and devices by their names, over a wire that takes no time and loses nothing. */
export class SecureWire {
  readonly #network = new VirtualNetwork({ clock: new VirtualClock() });
  readonly #random = createRandom(1);
  readonly #server: DtlsTransport;
  readonly #sides = new Map<string, SecureSide>();
  readonly #peers = new Map<string, Peer>();
  readonly #clock: Clock;
  readonly #errors: unknown[] = [];
  readonly #delivered: SecureWireOptions['delivered'];

  constructor({ now, received, delivered }: SecureWireOptions) {
    const onError = (error: unknown): void => void this.#errors.push(error);
    this.#delivered = delivered;
    // Nothing is lost: no timer has anything to do.
    this.#clock = { now, wall: now, alarm: () => undefined };
    this.#server = secureServer({
      driver: new Driver({ clock: this.#clock, onError }),
      key: () => KEY,
      random: this.#random.fork(),
      sink: { receive: received, gone: () => undefined },
      onReport: (report) => {
        if (report.kind === 'established') this.#peers.set(report.peer.identity.name, report.peer);
      },
      onError,
    });
    const send = this.#server.send.bind(this.#server);
    // Arrives at once, or after what the server is doing now with what has come to it.
    this.#server.send = (data, peer) => this.#instantly(() => send(data, peer));
    this.#network.transport(SERVER, () => this.#server);
  }

  /** The session of a device, made when it is first asked for. */
  peer(name: string): Peer {
    const known = this.#peers.get(name);
    if (known) return known;
    const receive = (data: Buffer): void => this.#delivered(data, name);
    const transmit = (data: Uint8Array): void => host.send(data, SERVER);
    const side: SecureSide = new SecureSide({ clock: this.#clock, random: this.#random.fork(), receive, transmit });
    const host = this.#network.host({ address: name, port: 5683 }, (data) => side.take(data));
    this.#sides.set(name, side);
    this.#instantly(() => side.connect(name));
    const peer = this.#peers.get(name);
    if (!peer) throw new Error(`${name} got no session`);
    return peer;
  }

  /** From the device. */
  up(data: Uint8Array, name: string): void {
    this.peer(name);
    this.#instantly(() => this.#sides.get(name)?.send(data, name));
  }

  /** DTLS keeps errors from whoever sends: a test that fails within it fails here. */
  #instantly(work: () => void): void {
    this.#network.instantly(work);
    if (this.#network.isInstant) return;
    for (const error of this.#errors.splice(0)) throw error;
    for (const side of this.#sides.values()) for (const error of side.errors.splice(0)) throw error;
  }
}
