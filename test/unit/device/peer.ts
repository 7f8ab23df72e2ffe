import dgram from 'node:dgram';
import { once } from 'node:events';
import { generate, parse, type Packet, type ParsedPacket } from 'coap-packet';

/** A received packet, its type in one word, and option values by name. */
export interface Received extends ParsedPacket {
  readonly type: 'CON' | 'NON' | 'ACK' | 'RST';
  texts(name: string): string[];
  /** undefined when the option is not there. */
  uint(name: string): number | undefined;
}

/**
 * The server's end of a loopback conversation, scripted packet by packet. Packets are handed out in the order they come;
 * `next` waits for one.
 */
export class Peer {
  readonly socket: dgram.Socket;
  private readonly queue: Received[] = [];
  private readonly waiting: ((packet: Received) => void)[] = [];
  private device: dgram.RemoteInfo | undefined;
  private messageId = 100;
  private token = 1;

  private constructor(family: 'udp4' | 'udp6') {
    this.socket = dgram.createSocket(family);
    this.socket.on('message', (data, from) => {
      this.device = from;
      const packet = describePacket(parse(data));
      const taker = this.waiting.shift();
      if (taker) taker(packet);
      else this.queue.push(packet);
    });
  }

  static async open(family: 'udp4' | 'udp6' = 'udp4'): Promise<Peer> {
    const peer = new Peer(family);
    peer.socket.bind(0, family === 'udp4' ? '127.0.0.1' : '::1');
    await once(peer.socket, 'listening');
    return peer;
  }

  get port(): number {
    return this.socket.address().port;
  }

  /** Where the last packet came from. */
  get devicePort(): number {
    return this.device?.port ?? 0;
  }

  next(): Promise<Received> {
    const packet = this.queue.shift();
    return packet ? Promise.resolve(packet) : new Promise((resolve) => this.waiting.push(resolve));
  }

  send(packet: Packet): void {
    this.raw(generate(packet));
  }

  raw(data: Uint8Array): void {
    this.socket.send(data, this.device?.port ?? 0, this.device?.address);
  }

  /** A piggybacked response. */
  reply(to: ParsedPacket, code: string, options: Packet['options'] = []): void {
    this.send({ ack: true, messageId: to.messageId, token: to.token, code, options });
  }

  acknowledge(to: ParsedPacket): void {
    this.send({ ack: true, messageId: to.messageId, code: '0.00' });
  }

  reset(to: ParsedPacket): void {
    this.send({ reset: true, messageId: to.messageId, code: '0.00' });
  }

  /** Sends a confirmable request; returns the token. */
  ask(
    code: string,
    path: string,
    extra: { options?: Packet['options']; payload?: Buffer; token?: Buffer; messageId?: number } = {},
  ): Buffer {
    const token = extra.token ?? Buffer.from([0xaa, (this.token += 1)]);
    const options = [
      ...path.split('/').filter((part) => part !== '').map((part) => ({ name: 'Uri-Path' as const, value: Buffer.from(part) })), // prettier-ignore
      ...(extra.options ?? []),
    ];
    this.send({
      confirmable: true,
      messageId: extra.messageId ?? (this.messageId += 1),
      token,
      code,
      options,
      ...(extra.payload ? { payload: extra.payload } : {}),
    });
    return token;
  }

  /** Takes the Register that comes next and answers 2.01 with that location. */
  async accept(id = 'a1'): Promise<Received> {
    const register = await this.next();
    this.reply(register, '2.01', location(id));
    return register;
  }

  async close(): Promise<void> {
    this.socket.close();
    await once(this.socket, 'close');
  }
}

export function location(id: string): NonNullable<Packet['options']> {
  return ['rd', id].map((part) => ({ name: 'Location-Path' as const, value: Buffer.from(part) }));
}

function describePacket(packet: ParsedPacket): Received {
  const type = packet.confirmable ? 'CON' : packet.ack ? 'ACK' : packet.reset ? 'RST' : 'NON';
  const values = (name: string): Buffer[] => packet.options.filter((option) => String(option.name) === name).map((option) => option.value);
  return {
    ...packet,
    type,
    texts: (name) => values(name).map(String),
    uint: (name) => {
      const [value] = values(name);
      return value?.reduce((sum, byte) => sum * 256 + byte, 0);
    },
  };
}
