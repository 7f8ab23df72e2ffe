import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import packet from 'coap-packet';
import { acquireServer, createLwm2mServer, type Lwm2mServer, type Lwm2mServerOptions, type ServerEvent } from '../../../lib/index';

const OPEN: Lwm2mServerOptions = { port: 0, transportLog: false, unknownDevices: 'accept-without-security' };
const own = new Set(Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []));
/** Linux answers on all of 127/8, others on 127.0.0.1 alone. */
const HOSTS = ['127.0.0.1', ...(process.platform === 'linux' ? ['127.0.0.2'] : []), ...(own.has('::1') ? ['::1'] : [])];

/** A message and the address it came from. */
interface Arrival {
  readonly message: packet.ParsedPacket;
  readonly from: string;
}

/** A device that looks where its answers come from. */
class Device {
  readonly inbox: Arrival[] = [];
  #waiting: ((arrival: Arrival) => void) | undefined;
  #mid = 1;

  constructor(
    readonly socket: dgram.Socket,
    readonly port: number,
  ) {
    socket.on('message', (data, { address: from }) => {
      const arrival = { message: packet.parse(data), from };
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting) waiting(arrival);
      else this.inbox.push(arrival);
    });
  }

  next(): Promise<Arrival> {
    const arrival = this.inbox.shift();
    return arrival ? Promise.resolve(arrival) : new Promise((resolve) => (this.#waiting = resolve));
  }

  async ask(host: string, path: string, query: readonly string[] = [], payload = ''): Promise<Arrival> {
    const messageId = this.#mid++;
    const options = [
      ...path.split('/').map((value) => ({ name: 'Uri-Path', value: Buffer.from(value) })),
      ...query.map((value) => ({ name: 'Uri-Query', value: Buffer.from(value) })),
      ...(payload === '' ? [] : [{ name: 'Content-Format', value: Buffer.from([40]) }]),
    ];
    this.send(
      packet.generate({
        code: '0.02',
        confirmable: true,
        messageId,
        token: Buffer.from([messageId]),
        options,
        payload: Buffer.from(payload),
      }),
      host,
    );
    return this.next();
  }

  send(data: Buffer, host: string): void {
    this.socket.send(data, this.port, host);
  }

  register(host: string, endpoint: string): Promise<Arrival> {
    return this.ask(host, 'rd', [`ep=${endpoint}`, 'lt=300', 'lwm2m=1.1'], '</1/0>,</3/0>');
  }
}

describe('a server with a socket for each address', () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function start(options: Lwm2mServerOptions): Promise<Lwm2mServer> {
    const server = createLwm2mServer({ ...OPEN, ...options });
    ends.push(() => server.close());
    await server.start();
    return server;
  }

  /** A device that will ask `host`, on one address whichever of ours that is. */
  async function device(port: number, host: string, at = host.includes(':') ? '::1' : '127.0.0.1'): Promise<Device> {
    const socket = dgram.createSocket(at.includes(':') ? 'udp6' : 'udp4').bind(0, at);
    await once(socket, 'listening');
    ends.push(() => socket.close());
    return new Device(socket, port);
  }

  /** A socket that takes a port, or finds one. */
  async function block(address: string, port = 0): Promise<number> {
    const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4').bind({ address, port, exclusive: true });
    await once(socket, 'listening');
    ends.push(async () => {
      socket.close();
      await once(socket, 'close');
    });
    return socket.address().port;
  }

  async function isFree(address: string, port: number): Promise<void> {
    await block(address, port);
    await ends.pop()!();
  }

  const locationOf = ({ message }: Arrival): string =>
    message.options
      .filter(({ name }) => name === 'Location-Path')
      .map(({ value }) => value.toString())
      .join('/');

  for (const host of HOSTS) {
    it(`[SRV-190] answers, asks and goes on from ${host} when that was asked`, async () => {
      const server = await start({ host: HOSTS });
      const peer = await device(server.port, host);
      const registered = await peer.register(host, 'dev');
      assert.deepEqual([registered.message.code, registered.from], ['2.01', host]);
      const read = server.perform('dev', { kind: 'Read', path: { ids: [3, 0, 9] } });
      const request = await peer.next();
      assert.deepEqual([request.message.code, request.from], ['0.01', host]);
      const { messageId, token } = request.message;
      peer.send(packet.generate({ code: '2.05', ack: true, messageId, token, payload: Buffer.from('42') }), host);
      const result = await read;
      assert.equal(result.kind === 'answer' && result.nodes?.[0]?.value, 42);
      assert.equal((await peer.ask(host, 'nothing')).from, host, 'an error');
      peer.send(Buffer.from([0x40, 0, 0, 1]), host);
      assert.equal((await peer.next()).from, host, 'the Reset of a ping');
    });
  }

  it('[SRV-190] keeps the addresses apart and adds their counters up', async () => {
    const server = await start({ host: HOSTS });
    const answers: [string, string][] = [];
    for (const host of HOSTS) {
      const peer = await device(server.port, host);
      answers.push([host, (await peer.register(host, `dev at ${host}`)).from]);
    }
    assert.deepEqual(
      answers,
      HOSTS.map((host) => [host, host]),
    );
    const { registrations, datagramsReceived, datagramsSent, received, registers } = server.stats();
    const count = HOSTS.length;
    assert.deepEqual([registrations, datagramsReceived, datagramsSent, received, registers], [count, count, count, count, count]);
  });

  it('[SRV-191] follows a device that turns to another address, which is no change of its own address', async function () {
    const [first, second = ''] = HOSTS.filter((host) => !host.includes(':'));
    if (first === undefined || second === '') this.skip();
    const server = await start({ host: HOSTS });
    const events: ServerEvent[] = [];
    server.subscribe((event) => events.push(event));
    const peer = await device(server.port, first);
    const location = locationOf(await peer.register(first, 'dev'));
    const observe = server.perform('dev', { kind: 'Observe', path: { ids: [3, 0, 9] } });
    const request = (await peer.next()).message;
    const { messageId, token } = request;
    const value = { name: 'Observe' as const, value: Buffer.from([1]) };
    peer.send(packet.generate({ code: '2.05', ack: true, messageId, token, options: [value], payload: Buffer.from('1') }), first);
    await observe;
    const updated = await peer.ask(second, location);
    assert.deepEqual([updated.message.code, updated.from], ['2.04', second]);
    const notification = { code: '2.05', confirmable: true, messageId: 900, token, payload: Buffer.from('2') } as const;
    peer.send(packet.generate({ ...notification, options: [{ ...value, value: Buffer.from([2]) }] }), second);
    const ack = await peer.next();
    assert.deepEqual([ack.message.code, ack.message.messageId, ack.from], ['0.00', 900, second]);
    void server.perform('dev', { kind: 'Read', path: { ids: [3] } });
    assert.equal((await peer.next()).from, second, 'asked from there now');
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ['registered', 'updated', 'notification'],
    );
  });

  it('[SRV-192] opens no socket when one address cannot be had, and names it', async () => {
    const port = await block(HOSTS.at(-1)!);
    const server = createLwm2mServer({ ...OPEN, port, host: HOSTS });
    await assert.rejects(server.start(), { code: 'EADDRINUSE', address: HOSTS.at(-1) });
    for (const host of HOSTS.slice(0, -1)) await isFree(host, port);
    const missing = createLwm2mServer({ ...OPEN, port, host: [...HOSTS.slice(0, -1), '192.0.2.1'] });
    await assert.rejects(missing.start(), { code: 'EADDRNOTAVAIL', address: '192.0.2.1' });
    for (const host of HOSTS.slice(0, -1)) await isFree(host, port);
    await ends.pop()!();
    await server.start();
    ends.push(() => server.close());
    assert.equal(server.port, port, 'later it may work');
  });

  it('[SRV-192] frees every port when it closes', async () => {
    const server = await start({ host: HOSTS });
    const { port } = server;
    assert.ok(port > 0);
    await server.close();
    for (const host of HOSTS) await isFree(host, port);
  });

  it('[SRV-193] the order and repetition of addresses mean nothing; servers share all of them or none', async () => {
    const probe = await start({ host: HOSTS });
    const { port } = probe;
    await probe.close();
    const one = await start({ host: HOSTS, port, name: 'one' });
    const same = createLwm2mServer({ ...OPEN, port, host: [...HOSTS, ...HOSTS].reverse(), name: 'two' });
    await assert.rejects(same.start(), { code: 'ROUTE_TAKEN' });
    const some = createLwm2mServer({ ...OPEN, port, host: HOSTS[0]! });
    if (HOSTS.length > 1) await assert.rejects(some.start(), { code: 'EADDRINUSE', address: HOSTS[0] });
    const peer = await device(port, HOSTS[0]!);
    assert.equal((await peer.register(HOSTS[0]!, 'dev')).message.code, '2.01', 'and the first goes on');
    await one.close();
    await some.start();
    await some.close();
  });

  it('[SRV-194] is adopted with the same addresses, and not with others', async () => {
    const first = acquireServer('addresses', { ...OPEN, host: HOSTS });
    await first.ready;
    await first.release(false);
    const second = acquireServer('addresses', { ...OPEN, host: [...HOSTS].reverse() });
    assert.equal(second.adopted, true);
    await second.release(false);
    const third = acquireServer('addresses', { ...OPEN, host: HOSTS[0]! });
    ends.push(() => third.release(true));
    assert.equal(third.adopted, HOSTS.length === 1);
    await third.ready;
  });

  it('[SRV-196] goes on when a device has left its port: the system may report that on the socket', async () => {
    const server = await start({ host: HOSTS });
    for (const host of HOSTS) {
      const gone = await device(server.port, host);
      await gone.register(host, 'gone');
      await (ends.pop() as () => unknown)();
      const result = await server.perform('gone', { kind: 'Read', path: { ids: [3] } }, { timeout: 100 });
      assert.equal(result.kind, 'failed');
      const next = await device(server.port, host);
      assert.equal((await next.register(host, 'next')).from, host);
    }
  });

  it('[SRV-195] *each stands for every address of the machine', async () => {
    const server = await start({ host: '*each' });
    // What is link-local has the name of its interface behind it.
    for (const host of [...own].filter((address) => !/^fe[89ab]/i.test(address))) {
      const peer = await device(server.port, host, host);
      assert.equal((await peer.ask(host, 'nothing')).from, host);
    }
    const second = createLwm2mServer({ ...OPEN, port: server.port, host: '127.0.0.1' });
    await assert.rejects(second.start(), { code: 'EADDRINUSE' });
  });
});
