import dgram from 'node:dgram';
import { once } from 'node:events';
import packet from 'coap-packet';

export interface Request {
  readonly code: string;
  readonly path: string;
  readonly query?: readonly string[];
  readonly payload?: string;
}

/** The least of a device on a real socket, on npm `coap-packet`: enough to register and to be asked something. */
export class TinyPeer {
  readonly #socket: dgram.Socket;
  readonly #to: { readonly port: number; readonly address: string };
  readonly #inbox: packet.ParsedPacket[] = [];
  #waiting: ((message: packet.ParsedPacket) => void) | undefined;
  #mid = 1;

  private constructor(socket: dgram.Socket, to: { port: number; address: string }) {
    this.#socket = socket;
    this.#to = to;
    socket.on('message', (data) => {
      const message = packet.parse(data);
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting) waiting(message);
      else this.#inbox.push(message);
    });
  }

  static async open(port: number, family: 4 | 6 = 4): Promise<TinyPeer> {
    const address = family === 4 ? '127.0.0.1' : '::1';
    const socket = dgram.createSocket(family === 4 ? 'udp4' : 'udp6').bind(0, address);
    await once(socket, 'listening');
    return new TinyPeer(socket, { port, address });
  }

  close(): void {
    this.#socket.close();
  }

  raw(data: Buffer): void {
    this.#socket.send(data, this.#to.port, this.#to.address);
  }

  /** The next message from the server. */
  next(): Promise<packet.ParsedPacket> {
    const message = this.#inbox.shift();
    return message ? Promise.resolve(message) : new Promise((resolve) => (this.#waiting = resolve));
  }

  /** Sends a request and waits for the answer with its message id. */
  async ask({ code, path, query = [], payload = '' }: Request): Promise<packet.ParsedPacket> {
    const messageId = this.#mid++;
    const options = [
      ...path.split('/').map((value) => ({ name: 'Uri-Path', value: Buffer.from(value) })),
      ...query.map((value) => ({ name: 'Uri-Query', value: Buffer.from(value) })),
      ...(payload === '' ? [] : [{ name: 'Content-Format', value: Buffer.from([40]) }]),
    ];
    this.raw(
      packet.generate({ code, confirmable: true, messageId, token: Buffer.from([messageId]), options, payload: Buffer.from(payload) }),
    );
    for (;;) {
      const message = await this.next();
      if (message.ack && message.messageId === messageId) return message;
    }
  }

  /** Registers and gives back the registration id. */
  async register(endpoint: string, objects = '</1/0>,</3/0>'): Promise<string> {
    const query = [`ep=${endpoint}`, 'lt=300', 'lwm2m=1.1'];
    const answer = await this.ask({ code: '0.02', path: 'rd', query, payload: objects });
    if (answer.code !== '2.01') throw new Error(`Register was answered ${answer.code} ${answer.payload.toString()}`);
    const [, id] = answer.options.filter(({ name }) => name === 'Location-Path').map(({ value }) => value.toString());
    return id ?? '';
  }

  answer(request: packet.ParsedPacket, code: string, payload: string): void {
    const { messageId, token } = request;
    this.raw(packet.generate({ code, ack: true, messageId, token, payload: Buffer.from(payload) }));
  }
}
