/** The device's side of npm `coap`: one guarded socket with a CoAP server and a CoAP client on it, so that requests leave from the server's port. */
import type { AddressInfo } from 'node:net';
import { Agent, ObserveWriteStream, Server, type CoapPacket, type IncomingMessage, type OutgoingMessage } from 'coap';
import { GuardedSocket, type GuardCounters, type Remote } from './guarded-socket';
import { DtlsTunnel } from '../dtls/tunnel';
import type { Channel } from './observations';
import type { Outcome, OutgoingRequest } from './registration';
import type { Reply } from './responder';
import { formatUint, readIncoming, type Incoming, type RawOption } from './wire';

export interface LinkOptions {
  readonly remote: Remote;
  /** 0 takes any free port. */
  readonly localPort: number;
  /** Of a device in queue mode, see `GuardedSocketOptions`. */
  readonly listenMs?: number;
  readonly now: () => number;
  /** Called synchronously for every request; never throws. */
  readonly respond: (incoming: Incoming) => Reply;
  /** An observation has begun with the reply just sent; its notifications take `channel`. */
  readonly observed: (incoming: Incoming, reply: Reply, channel: Channel) => void;
  /** The server has reset a notification or never acknowledged it. */
  readonly ended: (token: string, channel: Channel) => void;
  /** The reply to a request is on its way. */
  readonly answered: () => void;
  readonly fault: (error: Error) => void;
  /** Over DTLS, by this key. */
  readonly psk?: { readonly identity: Uint8Array; readonly key: Uint8Array } | undefined;
  /** Ends the opening of a DTLS session. */
  readonly signal?: AbortSignal;
  /** The server has ended the DTLS session. */
  readonly gone: (reason: string) => void;
}

export interface Link {
  /** The port in use, once open. */
  readonly port: number;
  readonly counters: GuardCounters;
  /** One request at a time. `done` is called at most once, and never after `abort`. */
  send(request: OutgoingRequest, done: (outcome: Outcome) => void): void;
  abort(): void;
  /** Frees the socket and every timer. */
  close(): Promise<void>;
}

const RETRANSMISSIONS = 3;
const LINK_FORMAT = Buffer.from([40]);
const METHOD_WITH_OBSERVE = '0.01';

/** Opens the socket, and the DTLS session on it. Rejects with the system's error, e.g. EADDRINUSE, or `ConnectError`. */
export async function openLink(options: LinkOptions): Promise<Link> {
  const type = options.remote.address.includes(':') ? 'udp6' : 'udp4';
  const socket = new GuardedSocket({
    type,
    remote: options.remote,
    onFault: options.fault,
    now: options.now,
    ...(options.listenMs !== undefined && { listenMs: options.listenMs }),
  });
  let tunnel: DtlsTunnel | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ port: options.localPort, exclusive: true }, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    tunnel = options.psk && (await secured(socket, options.psk, options));
  } catch (error) {
    socket.close();
    throw error;
  }
  const server = new DeviceServer(options, socket);
  const agent = new Agent({ socket });
  agent.on('error', options.fault);
  const requests = new Requests(agent, options);
  return {
    port: socket.address().port,
    counters: socket.counters,
    send: (request, done) => requests.send(request, done),
    abort: () => requests.abort(),
    close: async () => {
      requests.abort();
      agent.close();
      // Ends every retransmission: they hang on the server's cache.
      server.close();
      tunnel?.close();
      // What the tunnel says last is sent in the next turns of the loop.
      if (tunnel) await new Promise((turn) => setImmediate(turn));
      await new Promise<void>((resolve) => socket.close(resolve));
    },
  };
}

/** Rejects with `ConnectError`, and has then closed what it made. */
async function secured(
  socket: GuardedSocket,
  psk: NonNullable<LinkOptions['psk']>,
  { remote, fault, gone, signal }: LinkOptions,
): Promise<DtlsTunnel> {
  const tunnel = new DtlsTunnel({
    ...remote,
    psk,
    transmit: (datagram) => socket.transmit(datagram),
    receive: (message) => socket.deliver(message),
    gone,
    onError: (error) => fault(error instanceof Error ? error : new Error(String(error))),
  });
  socket.through(tunnel);
  const giveUp = (): void => tunnel.close();
  signal?.addEventListener('abort', giveUp);
  try {
    // Nobody else listens yet: the guard hands datagrams on all the same.
    await tunnel.connect();
    signal?.removeEventListener('abort', giveUp);
  } catch (error) {
    tunnel.close();
    throw error;
  }
  return tunnel;
}

/** The server half. What npm `coap` does badly is hidden from it: block-wise transfers, FETCH, Observe on anything but GET. */
class DeviceServer extends Server {
  private readonly incoming = new WeakMap<object, Incoming>();
  private sequence = 0;

  constructor(
    private readonly device: LinkOptions,
    private readonly socket: GuardedSocket,
  ) {
    // There is one client only, the guard sees to that.
    super({ clientIdentifier: () => 'server' });
    this.on('error', device.fault);
    this.on('request', (request: IncomingMessage, response: OutgoingMessage | ObserveWriteStream) => {
      request.on('error', device.fault);
      response.on('error', device.fault);
      this.answer(request, response);
    });
    this.listen(socket);
  }

  override _handle(packet: CoapPacket, from: AddressInfo): void {
    if (packet.code?.startsWith('0.') && packet.code !== '0.00') {
      const options = (packet.options ?? []) as RawOption[];
      const payload = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.alloc(0);
      this.incoming.set(packet, readIncoming(packet.code, packet.token ?? Buffer.alloc(0), [...options], payload));
      const hidden = ['Block1', 'Block2', ...(packet.code === METHOD_WITH_OBSERVE ? [] : ['Observe'])];
      packet.options = (packet.options ?? []).filter((option) => !hidden.includes(String(option.name)));
      // Without a Content-Format it refuses a FETCH itself, with an answer that nobody can match to the request.
      if (packet.code === '0.05') packet.options.push({ name: 'Content-Format', value: Buffer.alloc(0) });
    }
    super._handle(packet, from);
  }

  private answer(request: IncomingMessage, response: OutgoingMessage | ObserveWriteStream): void {
    const incoming = this.incoming.get(request._packet);
    if (!incoming) return;
    const reply = this.device.respond(incoming);
    if (response instanceof ObserveWriteStream) this.answerObserve(incoming, reply, response);
    else {
      response.code = reply.code;
      for (const [name, value] of reply.options) response.setOption(name, value);
      if (reply.payload.length > 0) response.end(Buffer.from(reply.payload));
      else response.end();
    }
    this.device.answered();
  }

  /** The stream's own `write` is not used: it would put an Observe option into errors, and knows no Block2. */
  private answerObserve(incoming: Incoming, reply: Reply, stream: ObserveWriteStream): void {
    const begins = reply.observe?.kind === 'start';
    this.put(stream, reply, begins);
    if (!begins) {
      stream.end();
      return;
    }
    let unacknowledged = -1;
    let over = false;
    const channel: Channel = {
      busy: () => unacknowledged >= 0 && this._lru.has(`server/${unacknowledged}`),
      notify: (notification) => {
        if (over) return;
        unacknowledged = this.notify(stream, notification, true);
      },
      end: (last) => {
        if (over) return;
        over = true;
        if (last) this.notify(stream, last, false);
        stream.end();
      },
    };
    stream.on('finish', () => {
      over = true;
      this.device.ended(incoming.token, channel);
    });
    this.device.observed(incoming, reply, channel);
  }

  /** Confirmable always: npm `coap` recognises the Reset that ends an observation for such a notification only. Returns the Message ID. */
  private notify(stream: ObserveWriteStream, reply: Reply, goesOn: boolean): number {
    stream._packet.confirmable = true;
    stream._packet.ack = false;
    this.put(stream, reply, goesOn);
    return this.socket.lastMessageId;
  }

  private put(stream: ObserveWriteStream, reply: Reply, observe: boolean): void {
    stream.statusCode = reply.code;
    for (const name of ['Observe', 'Content-Format', 'Block2', 'ETag'] as const) stream.setOption(name, []);
    for (const [name, value] of reply.options) stream.setOption(name, value);
    // One sequence for all, so that it also grows when an observation is begun again with the same token (RFC 7641 3.4).
    if (observe) stream.setOption('Observe', formatUint((this.sequence = (this.sequence + 1) & 0xffffff)));
    // Otherwise the stream would send something of its own when it ends.
    stream._counter = 1;
    stream._doSend(Buffer.from(reply.payload));
  }
}

/** The client half. */
class Requests {
  private current: { request: OutgoingMessage; done: (outcome: Outcome) => void } | undefined;

  constructor(
    private readonly agent: Agent,
    private readonly options: LinkOptions,
  ) {}

  send(outgoing: OutgoingRequest, done: (outcome: Outcome) => void): void {
    this.abort();
    const { address, port } = this.options.remote;
    const request = this.agent.request({
      host: address,
      port,
      method: outgoing.method,
      confirmable: true,
      retrySend: RETRANSMISSIONS,
      options: {
        'Uri-Path': outgoing.path.map((part) => Buffer.from(part)),
        ...(outgoing.query.length > 0 ? { 'Uri-Query': outgoing.query.map((part) => Buffer.from(part)) } : {}),
        ...(outgoing.payload === undefined ? {} : { 'Content-Format': LINK_FORMAT }),
      },
    });
    this.current = { request, done };
    request.on('error', (error: Error) => this.end(request, { kind: 'failed', error }));
    request.on('response', (response: IncomingMessage) => {
      response.on('error', this.options.fault);
      this.end(request, outcomeOf(response));
    });
    request.end(outgoing.payload === undefined ? undefined : Buffer.from(outgoing.payload));
  }

  abort(): void {
    const aborted = this.current;
    this.current = undefined;
    if (aborted) this.agent.abort(aborted.request);
  }

  private end(request: OutgoingMessage, outcome: Outcome): void {
    const { current } = this;
    if (current?.request !== request) return;
    this.current = undefined;
    if (outcome.kind === 'failed') this.agent.abort(request);
    current.done(outcome);
  }
}

function outcomeOf(response: IncomingMessage): Outcome {
  if (response.code === '0.00') return { kind: 'reset' };
  const options = response._packet.options ?? [];
  const location = options.filter((option) => option.name === 'Location-Path').map((option) => String(option.value));
  const diagnostic = /^[45]/.test(response.code) ? Buffer.from(response.payload).toString('utf8').slice(0, 200) : '';
  return { kind: 'response', code: response.code, location, diagnostic };
}
