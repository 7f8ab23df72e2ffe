import { Driver } from '../transport/driver';
import type { Listener } from '../transport/listeners';
import { UdpPort, type UdpPortOptions } from '../transport/port';
import type { Clock, Peer } from '../transport/types';
import type { UdpCounters } from '../transport/udp';
import { CoapEndpoint } from './endpoint';
import type { CoapLimits } from './params';

export interface CoapListenerOptions extends UdpPortOptions {
  readonly params: Partial<CoapLimits>;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

/**
 * A CoAP endpoint on the sockets of one port, shared by all that serve routes there. There is one endpoint, however many
 * addresses: its limits hold for all together, and a device may go from one to another.
 */
export class CoapListener implements Listener {
  readonly driver: Driver;
  readonly endpoint: CoapEndpoint;
  readonly #port: UdpPort;

  constructor(options: CoapListenerOptions) {
    const { params, clock, onError } = options;
    this.driver = new Driver({ clock, onError });
    this.endpoint = new CoapEndpoint({ driver: this.driver, params, onError });
    this.#port = new UdpPort(options, this.endpoint);
  }

  /** The bound port; 0 while closed. */
  get port(): number {
    return this.#port.port;
  }

  /** Of each socket. */
  counters(): Readonly<UdpCounters>[] {
    return this.#port.counters();
  }

  /** Opens all sockets or none. Rejects with the system's error, whose `address` is the local address that cannot be had. */
  open(): Promise<void> {
    return this.#port.open();
  }

  async close(): Promise<void> {
    this.endpoint.close();
    await this.#port.close();
  }

  /** The route to a device that was heard of before, see `UdpPort.route`. */
  route(address: string, port: number, local?: string): Peer | undefined {
    return this.#port.route(address, port, local);
  }

  /** Whether the open sockets keep the process alive. */
  keepAlive(on: boolean): void {
    this.#port.keepAlive(on);
  }
}
