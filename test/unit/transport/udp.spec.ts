import assert from 'node:assert/strict';
import { createSocket, Socket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import type { Peer, TransportSink } from '../../../lib/transport/types';
import { UdpTransport } from '../../../lib/transport/udp';

interface Arrival {
  readonly text: string;
  readonly peer: Peer;
}

/** Keeps what arrives and hands it out in order. */
class Sink implements TransportSink {
  readonly arrived: Arrival[] = [];
  #waiting: ((arrival: Arrival) => void) | undefined;
  receive(data: Buffer, peer: Peer): void {
    const arrival = { text: data.toString(), peer };
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) waiting(arrival);
    else this.arrived.push(arrival);
  }
  readonly lost: string[] = [];
  gone(peer: Peer, reason: string): void {
    this.lost.push(`${peer.address} ${peer.port} ${reason}`);
  }
  next(): Promise<Arrival> {
    const arrival = this.arrived.shift();
    return arrival ? Promise.resolve(arrival) : new Promise((resolve) => (this.#waiting = resolve));
  }
}

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));

describe('UDP transport', () => {
  const open: { close(): unknown }[] = [];
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  });

  /** `script` may make the socket say what the system rarely does. */
  async function listen(
    options: { port?: number; host?: string; receiveBuffer?: number } = {},
    script?: (socket: Socket) => void,
  ): Promise<{ transport: UdpTransport; sink: Sink }> {
    const sink = new Sink();
    const transport = new UdpTransport({ port: 0, ...options }, sink);
    const sockets: Socket[] = [];
    const on = Socket.prototype.on;
    Socket.prototype.on = function (this: Socket, ...parameters: Parameters<typeof on>) {
      sockets.push(this);
      return on.apply(this, parameters);
    } as typeof on;
    try {
      await transport.open();
    } finally {
      Socket.prototype.on = on;
    }
    open.push(transport);
    script?.(sockets[0]!);
    return { transport, sink };
  }

  async function client(type: 'udp4' | 'udp6'): Promise<Socket> {
    const socket = createSocket(type);
    socket.bind(0, type === 'udp4' ? '127.0.0.1' : '::1');
    await once(socket, 'listening');
    open.push({ close: () => new Promise<void>((closed) => socket.close(() => closed())) });
    return socket;
  }

  for (const type of ['udp4', 'udp6'] as const) {
    it(`[COAP-107] answers over ${type} to where a datagram came from, from the port it listens on`, async function () {
      if (type === 'udp6' && !hasIpv6) this.skip();
      const { transport, sink } = await listen();
      const socket = await client(type);
      const host = type === 'udp4' ? '127.0.0.1' : '::1';
      socket.send('ping', transport.port, host);
      const { text, peer } = await sink.next();
      assert.equal(text, 'ping');
      assert.equal(peer.address, host);
      assert.equal(peer.port, socket.address().port);
      assert.deepEqual(peer.identity, { scheme: 'coap', mode: 'none', name: '' });
      const answered = once(socket, 'message');
      peer.transport.send(Buffer.from('pong'), peer);
      const [data, from] = (await answered) as [Buffer, RemoteInfo];
      assert.equal(data.toString(), 'pong');
      assert.equal(from.port, transport.port);
      assert.deepEqual(
        { ...transport.counters },
        { datagramsReceived: 1, datagramsSent: 1, sendErrors: 0, socketErrors: 0, invalidSource: 0 },
      );
    });
  }

  it('[COAP-107] gives the same peer for the same address, another for another port', async () => {
    const { transport, sink } = await listen({ host: '127.0.0.1' });
    const [one, two] = [await client('udp4'), await client('udp4')];
    one.send('1', transport.port, '127.0.0.1');
    const first = (await sink.next()).peer;
    one.send('2', transport.port, '127.0.0.1');
    assert.equal((await sink.next()).peer, first);
    two.send('3', transport.port, '127.0.0.1');
    const other = (await sink.next()).peer;
    assert.notEqual(other.key, first.key);
  });

  it('[COAP-108] with port 0 takes a free port; a taken one is refused with EADDRINUSE', async () => {
    const { transport } = await listen();
    assert.ok(transport.port > 0);
    const second = new UdpTransport({ port: transport.port }, new Sink());
    await assert.rejects(second.open(), { code: 'EADDRINUSE' });
    assert.equal(second.port, 0);
  });

  it('[COAP-108] a port that is only free on IPv4 is given back when it is refused', async function () {
    if (!hasIpv6) this.skip();
    const taken = createSocket({ type: 'udp6', ipv6Only: true });
    taken.bind(0, '::');
    await once(taken, 'listening');
    open.push({ close: () => new Promise<void>((closed) => taken.close(() => closed())) });
    const { port } = taken.address();
    await assert.rejects(new UdpTransport({ port }, new Sink()).open(), { code: 'EADDRINUSE' });
    const { transport } = await listen({ port, host: '127.0.0.1' });
    assert.equal(transport.port, port);
  });

  it('refuses an address that is not ours', async () => {
    await assert.rejects(new UdpTransport({ port: 0, host: '192.0.2.1' }, new Sink()).open(), { code: 'EADDRNOTAVAIL' });
  });

  it('takes a host name and a receive buffer', async () => {
    const { transport } = await listen({ host: 'localhost', receiveBuffer: 262_144 });
    assert.ok(transport.port > 0);
  });

  it('[COAP-109] counts and drops what comes from port 0', async () => {
    // To send from port 0 takes a raw socket and special rights, so the socket is made to say that one came.
    const { transport, sink } = await listen({ host: '127.0.0.1' }, (socket) =>
      socket.emit('message', Buffer.from('evil'), { address: '127.0.0.1', port: 0, family: 'IPv4', size: 4 }),
    );
    assert.equal(transport.counters.invalidSource, 1);
    assert.deepEqual(sink.arrived, []);
  });

  it('[COAP-109] sending never throws, wherever to', async () => {
    const { transport, sink } = await listen({ host: '127.0.0.1' });
    const closed = await client('udp4');
    const { port } = closed.address();
    await (open.pop() as { close(): Promise<void> }).close();
    const data = Buffer.from('x');
    transport.send(data, transport.peer('127.0.0.1', port));
    transport.send(data, transport.peer('127.0.0.1', 0));
    transport.send(data, transport.peer('127.0.0.1', 70_000));
    transport.send(data, transport.peer('::1', 5683));
    transport.send(Buffer.alloc(70_000), transport.peer('127.0.0.1', port));
    for (let turns = 0; turns < 3; turns++) await new Promise((turn) => setImmediate(turn));
    const socket = await client('udp4');
    socket.send('still here', transport.port, '127.0.0.1');
    assert.equal((await sink.next()).text, 'still here');
    assert.ok(transport.counters.sendErrors >= 4, `send errors: ${transport.counters.sendErrors}`);
  });

  it('[COAP-109] an error the system reports on the socket, such as that of an earlier datagram, is counted and ends nothing', async () => {
    const { transport, sink } = await listen({ host: '127.0.0.1' }, (socket) => {
      for (const code of ['ECONNREFUSED', 'ECONNRESET', 'EMSGSIZE']) socket.emit('error', Object.assign(new Error(code), { code }));
    });
    const socket = await client('udp4');
    socket.send('still here', transport.port, '127.0.0.1');
    assert.equal((await sink.next()).text, 'still here');
    assert.equal(transport.counters.socketErrors, 3);
  });

  for (const [code, expected] of [
    ['ECONNREFUSED', ['192.0.2.1 5683 the system says ECONNREFUSED']],
    ['EHOSTUNREACH', ['192.0.2.1 5683 the system says EHOSTUNREACH']],
    ['ENETUNREACH', ['192.0.2.1 5683 the system says ENETUNREACH']],
    ['ENOBUFS', []],
    ['EPERM', []],
  ] as const) {
    it(`[COAP-149] when the system says ${code}, the route is ${expected.length > 0 ? '' : 'not '}gone`, async () => {
      const original = Object.getOwnPropertyDescriptor(Socket.prototype, 'send')!;
      const { transport, sink } = await listen({ host: '127.0.0.1' });
      let reported: (() => void) | undefined;
      Socket.prototype.send = function (...args: unknown[]) {
        const done = args.at(-1) as (error: Error) => void;
        reported = () => done(Object.assign(new Error(code), { code, address: args[2], port: args[1] }));
      } as Socket['send'];
      try {
        transport.send(Buffer.from('x'), transport.peer('192.0.2.1', 5683));
        await new Promise((turn) => setImmediate(turn));
      } finally {
        Object.defineProperty(Socket.prototype, 'send', original);
      }
      reported!();
      assert.deepEqual(sink.lost, expected);
      assert.equal(transport.counters.sendErrors, 1);
      await transport.close();
      reported!();
      assert.deepEqual(sink.lost, expected, 'nothing more after close');
    });
  }

  it('what is sent in one turn of the loop leaves in order, close or not', async () => {
    const { transport } = await listen({ host: '127.0.0.1' });
    const socket = await client('udp4');
    const arrived: string[] = [];
    const all = new Promise<void>((resolve) =>
      socket.on('message', (data) => {
        if (arrived.push(data.toString()) === 4) resolve();
      }),
    );
    const peer = transport.peer('127.0.0.1', socket.address().port);
    transport.send(Buffer.from('1'), peer);
    transport.send(Buffer.from('2'), peer);
    await new Promise((turn) => setImmediate(turn));
    transport.send(Buffer.from('3'), peer);
    transport.send(Buffer.from('4'), peer);
    await transport.close();
    await all;
    assert.deepEqual(arrived, ['1', '2', '3', '4']);
    assert.equal(transport.counters.datagramsSent, 4);
    assert.equal(transport.counters.sendErrors, 0);
  });

  it('is silent after close, and the port is free again', async () => {
    const { transport } = await listen({ host: '127.0.0.1' });
    const { port } = transport;
    await transport.close();
    assert.equal(transport.port, 0);
    transport.send(Buffer.from('x'), transport.peer('127.0.0.1', port));
    assert.equal(transport.counters.sendErrors, 1);
    await transport.close();
    const again = await listen({ port, host: '127.0.0.1' });
    assert.equal(again.transport.port, port);
  });

  it('[COAP-110] remembers a bounded number of peers, the recent ones as the same object', () => {
    const transport = new UdpTransport({ port: 0 }, new Sink());
    const first = transport.peer('192.0.2.1', 1);
    const address = (index: number): string => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
    for (let index = 0; index < 131_072; index++) transport.peer(address(index), 1);
    assert.equal(transport.peer('192.0.2.1', 1), first, 'one generation back');
    for (let index = 0; index < 270_000; index++) transport.peer(address(index), 2);
    const anew = transport.peer('192.0.2.1', 1);
    assert.notEqual(anew, first, 'long forgotten');
    assert.equal(anew.key, first.key);
  });

  it('can let the process end and keep it alive again', async () => {
    const { transport } = await listen();
    transport.keepAlive(false);
    transport.keepAlive(true);
  });
});
