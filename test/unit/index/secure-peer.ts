import dgram from 'node:dgram';
import { once } from 'node:events';
import packet from 'coap-packet';
import type { ClientCredentials } from '../../../lib/dtls/handshake/client';
import { DtlsTransport } from '../../../lib/dtls/transport';
import type { CertificateType, OwnKey } from '../../../lib/dtls/types';
import { createRealClock } from '../../../lib/transport/clock';
import { Driver } from '../../../lib/transport/driver';
import { NO_IDENTITY } from '../../../lib/transport/identity';
import type { Peer, Transport } from '../../../lib/transport/types';
import { testStore } from '../../support/dtls/certificate-store';
import type { Request } from './tiny-peer';

export type SecurePeerOptions = { readonly port: number } & (
  | { readonly identity: string; readonly key: Buffer }
  | {
      readonly own: OwnKey;
      readonly type: CertificateType;
      readonly serverType?: CertificateType;
      /** What of the server's counts, DER. */ readonly server: Buffer;
    }
);

/** The least of a device over DTLS on a real socket, which may change its port. */
export class SecurePeer {
  readonly #driver = new Driver({ clock: createRealClock(), onError: (error) => console.error(error) });
  readonly #port: number;
  readonly #dtls: DtlsTransport;
  readonly #route: Peer;
  readonly #inbox: packet.ParsedPacket[] = [];
  #socket: dgram.Socket;
  #waiting: ((message: packet.ParsedPacket) => void) | undefined;
  #peer: Peer | undefined;
  #mid = 1;
  /** Whether the server said goodbye. */
  gone = false;

  private constructor(socket: dgram.Socket, options: SecurePeerOptions) {
    const { port } = options;
    this.#socket = socket;
    this.#port = port;
    const transport: Transport = { maxMessage: 1152, send: (data) => this.#socket.send(data, port, '127.0.0.1') };
    this.#route = { key: 'server', address: '127.0.0.1', port, identity: NO_IDENTITY, transport };
    this.#dtls = new DtlsTransport({
      driver: this.#driver,
      keys: { psk: () => undefined },
      ...('own' in options && {
        certificates: testStore({ own: [options.own], known: new Map([[options.server.toString('hex'), 'server']]) }),
      }),
      sink: { receive: (data) => this.#take(packet.parse(data)), gone: () => (this.gone = true) },
      onError: (error) => console.error(error),
    });
    this.#listen();
  }

  static async open(options: SecurePeerOptions): Promise<SecurePeer> {
    const peer = new SecurePeer(await bound(), options);
    try {
      peer.#peer = await peer.#dtls.connect(peer.#route, credentialsOf(options));
    } catch (error) {
      peer.close();
      throw error;
    }
    return peer;
  }

  /** Only begins a handshake. */
  static async begin(options: SecurePeerOptions): Promise<SecurePeer> {
    const peer = new SecurePeer(await bound(), options);
    peer.#dtls.connect(peer.#route, credentialsOf(options)).catch(() => undefined);
    return peer;
  }

  get localPort(): number {
    return this.#socket.address().port;
  }

  close(): void {
    this.#dtls.stop();
    this.#driver.clock.alarm(Infinity, () => undefined);
    try {
      this.#socket.close();
    } catch {
      // It is closed.
    }
  }

  /** Goes on from another port. */
  async move(): Promise<void> {
    this.#socket.close();
    this.#socket = await bound();
    this.#listen();
  }

  raw(data: Buffer): void {
    if (this.#peer) this.#dtls.send(data, this.#peer);
  }

  /** The next message from the server. */
  next(): Promise<packet.ParsedPacket> {
    const message = this.#inbox.shift();
    return message ? Promise.resolve(message) : new Promise((resolve) => (this.#waiting = resolve));
  }

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

  /** Registers and gives back the registration id; rejects with the code of a refusal. */
  async register(endpoint: string): Promise<string> {
    const query = [`ep=${endpoint}`, 'lt=300', 'lwm2m=1.1'];
    const answer = await this.ask({ code: '0.02', path: 'rd', query, payload: '</1/0>,</3/0>' });
    if (answer.code !== '2.01') throw new Error(`Register was answered ${answer.code} ${answer.payload.toString()}`);
    const [, id] = answer.options.filter(({ name }) => name === 'Location-Path').map(({ value }) => value.toString());
    return id ?? '';
  }

  answer(request: packet.ParsedPacket, code: string, payload: string, observe?: number): void {
    const { messageId, token } = request;
    const options = observe === undefined ? [] : [{ name: 'Observe' as const, value: Buffer.from([observe]) }];
    this.raw(packet.generate({ code, ack: true, messageId, token, options, payload: Buffer.from(payload) }));
  }

  #take(message: packet.ParsedPacket): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) waiting(message);
    else this.#inbox.push(message);
  }

  #listen(): void {
    this.#socket.on('message', (data, from) => {
      if (from.port === this.#port) this.#dtls.receive(data, this.#route);
    });
  }
}

function credentialsOf(options: SecurePeerOptions): ClientCredentials {
  if ('key' in options) return { identity: Buffer.from(options.identity), key: options.key };
  const { own, type, serverType = type } = options;
  return { own, type, serverType };
}

async function bound(): Promise<dgram.Socket> {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}
