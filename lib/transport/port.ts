import { acquireListener, listenerKey, releaseListener } from './listeners';
import type { Peer, TransportSink } from './types';
import { UdpTransport, type UdpCounters } from './udp';

export interface UdpPortOptions {
  /** The same on every address; 0 = any that is free on all of them. */
  readonly port: number;
  /** A socket for each, so that answers leave from the address that was asked; undefined = one for all addresses. */
  readonly addresses: readonly (string | undefined)[];
  /** SO_RCVBUF in bytes, of each socket. */
  readonly receiveBuffer?: number | undefined;
}

const PORT_0_ATTEMPTS = 8;

/** One port on several addresses of this machine. Each socket has an entry of its own in the table of listeners. */
export class UdpPort {
  readonly #options: UdpPortOptions;
  readonly #sink: TransportSink;
  /** The open sockets by their key in the table. */
  readonly #sockets = new Map<string, UdpTransport>();

  constructor(options: UdpPortOptions, sink: TransportSink) {
    this.#options = options;
    this.#sink = sink;
  }

  /** The bound port; 0 while closed. */
  get port(): number {
    const [first] = this.#sockets.values();
    return first?.port ?? 0;
  }

  /** Of each socket. */
  counters(): Readonly<UdpCounters>[] {
    return Array.from(this.#sockets.values(), ({ counters }) => counters);
  }

  /** Opens all sockets or none. Rejects with the system's error, whose `address` is the local address that cannot be had. */
  async open(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        for (const address of this.#options.addresses) await this.#openSocket(address, this.port || this.#options.port);
        return;
      } catch (error) {
        await this.close();
        // What is free on one address may be taken on another: with port 0, another one will do.
        const retry = this.#options.port === 0 && (error as NodeJS.ErrnoException).code === 'EADDRINUSE' && attempt < PORT_0_ATTEMPTS;
        if (!retry) throw error;
      }
    }
  }

  /**
   * The route to a device that was heard of before: by the socket of `local` where there still is one, else by the first that can
   * reach such an address; undefined when none can.
   */
  route(address: string, port: number, local?: string): Peer | undefined {
    const own = local === undefined ? undefined : this.#sockets.get(listenerKey(local, this.port));
    const socket = own ?? Array.from(this.#sockets.values()).find((each) => each.reaches(address));
    return socket?.peer(address, port);
  }

  /** Whether the open sockets keep the process alive. */
  keepAlive(on: boolean): void {
    for (const socket of this.#sockets.values()) socket.keepAlive(on);
  }

  async close(): Promise<void> {
    const keys = [...this.#sockets.keys()];
    this.#sockets.clear();
    const results = await Promise.allSettled(keys.map(releaseListener));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  async #openSocket(address: string | undefined, port: number): Promise<void> {
    const socket = new UdpTransport({ port, host: address, receiveBuffer: this.#options.receiveBuffer }, this.#sink);
    const key = listenerKey(address, port);
    let acquired: UdpTransport;
    try {
      acquired = await acquireListener(key, () => socket);
    } catch (error) {
      throw address === undefined ? error : Object.assign(error as Error, { address });
    }
    if (acquired === socket) {
      this.#sockets.set(key, socket);
      return;
    }
    // A socket has one endpoint: those that share it share all its addresses.
    await releaseListener(key);
    const place = { code: 'EADDRINUSE', address: address ?? '', port };
    throw Object.assign(new Error(`port ${port} of ${address ?? 'all addresses'} is in use by another server of this process`), place);
  }
}
