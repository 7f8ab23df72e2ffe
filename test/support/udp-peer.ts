/** A device made of a socket: it sends the CoAP messages a test gives it and hands out those that come. */
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import { generate, parse } from 'coap-packet';
import type { Packet, ParsedPacket } from 'coap-packet';

export class UdpPeer {
  private messageId = 1;
  private readonly inbox: ParsedPacket[] = [];
  private readonly waiting: ((packet: ParsedPacket) => void)[] = [];

  private constructor(
    private readonly socket: Socket,
    private readonly serverPort: number,
  ) {
    socket.on('message', (data) => {
      const packet = parse(data);
      const taker = this.waiting.shift();
      if (taker) taker(packet);
      else this.inbox.push(packet);
    });
  }

  static async open(serverPort: number): Promise<UdpPeer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new UdpPeer(socket, serverPort);
  }

  send(packet: Packet): void {
    this.socket.send(generate({ messageId: this.messageId++, token: Buffer.from('t'), ...packet }), this.serverPort, '127.0.0.1');
  }

  next(): Promise<ParsedPacket> {
    const packet = this.inbox.shift();
    return packet ? Promise.resolve(packet) : new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Registers with the objects /3/0 and /3303/0; the answer of the server. */
  async register(endpoint: string): Promise<ParsedPacket> {
    const query = [`ep=${endpoint}`, 'lt=300', 'lwm2m=1.1', 'b=U'].map((value) => ({
      name: 'Uri-Query' as const,
      value: Buffer.from(value),
    }));
    this.send({
      confirmable: true,
      code: '0.02',
      options: [{ name: 'Uri-Path', value: Buffer.from('rd') }, { name: 'Content-Format', value: Buffer.from([40]) }, ...query],
      payload: Buffer.from('</>;rt="oma.lwm2m",</3/0>,</3303/0>'),
    });
    return this.next();
  }

  close(): void {
    this.socket.close();
  }
}
