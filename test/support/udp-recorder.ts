import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** One datagram that passed. */
export interface Passed {
  readonly direction: 'up' | 'down';
  readonly data: Buffer;
  /** Milliseconds, as of `performance.now`. */
  readonly at: number;
}

/** Stands between one device and a server on 127.0.0.1, passes all datagrams on and keeps a copy. */
export class UdpRecorder {
  readonly passed: Passed[] = [];
  readonly #device: Socket;
  readonly #server: Socket;
  readonly #serverPort: number;
  #devicePort = 0;
  /** How many datagrams of the server the device still hears; what comes after that is kept in `unheard` and goes no further. */
  hears = Infinity;
  readonly unheard: Passed[] = [];

  private constructor(device: Socket, server: Socket, serverPort: number) {
    this.#device = device;
    this.#server = server;
    this.#serverPort = serverPort;
  }

  /** The port the device must send to. */
  get port(): number {
    return this.#device.address().port;
  }

  static async open(serverPort: number): Promise<UdpRecorder> {
    const [device, server] = [createSocket('udp4'), createSocket('udp4')];
    const recorder = new UdpRecorder(device, server, serverPort);
    device.on('message', (data, { port }) => {
      recorder.#devicePort = port;
      recorder.#pass('up', data);
    });
    server.on('message', (data) => recorder.#pass('down', data));
    for (const socket of [device, server]) {
      // A server that is away for a moment is what the recorder is for.
      socket.on('error', () => undefined);
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
    }
    return recorder;
  }

  close(): void {
    this.#device.close();
    this.#server.close();
  }

  #pass(direction: 'up' | 'down', data: Buffer): void {
    const passed = { direction, data, at: performance.now() };
    if (direction === 'down' && this.hears-- <= 0) {
      this.hears = 0;
      this.unheard.push(passed);
      return;
    }
    this.passed.push(passed);
    if (direction === 'up') this.#server.send(data, this.#serverPort, '127.0.0.1', () => undefined);
    else this.#device.send(data, this.#devicePort, '127.0.0.1', () => undefined);
  }
}
