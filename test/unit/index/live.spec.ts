import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { acquireServer, DeviceTableError, type LiveServer, type Lwm2mServerOptions } from '../../../lib/index';
import { attachLive } from '../../../lib/server/live';
import { TinyPeer } from './tiny-peer';

const OPEN: Lwm2mServerOptions = { port: 0, unknownDevices: 'accept-without-security' };

const attached: LiveServer[] = [];
const peers: TinyPeer[] = [];
let lastId = 0;

function acquire(id: string, options: Lwm2mServerOptions = OPEN): LiveServer {
  const live = acquireServer(id, options);
  attached.push(live);
  return live;
}

async function registered(live: LiveServer, endpoint = 'dev'): Promise<TinyPeer> {
  await live.ready;
  const peer = await TinyPeer.open(live.server.port);
  peers.push(peer);
  await peer.register(endpoint);
  return peer;
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const socket = dgram.createSocket('udp4').bind(0, '0.0.0.0');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

describe('acquireServer', () => {
  let id = '';
  beforeEach(() => (id = `node-${++lastId}`));
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.close();
    for (const live of attached.splice(0)) await live.release(true);
    // What a test left parked belongs to nobody: take it and close it.
    const rest = acquireServer(id, OPEN);
    await rest.ready;
    await rest.release(true);
  });

  it('[SRV-130] starts a server the first time', async () => {
    const live = acquire(id);
    assert.equal(live.adopted, false);
    await registered(live);
    assert.equal(live.server.listening, true);
    assert.equal(live.server.registrations().length, 1);
  });

  it('[SRV-131] hands the parked server to its successor: same port, registrations still there', async () => {
    const first = acquire(id);
    const peer = await registered(first);
    const { port } = first.server;
    await first.release(false);
    assert.equal(first.server.listening, true, 'parked, not closed');

    const second = acquire(id);
    assert.equal(second.adopted, true);
    await second.ready;
    assert.equal(second.server, first.server);
    assert.equal(second.server.port, port);
    const [registration] = second.server.registrations();
    assert.equal(registration?.endpoint, 'dev');
    assert.equal((await peer.ask({ code: '0.02', path: `rd/${registration.id}` })).code, '2.04');
  });

  it('[SRV-131] takes devices in while it is parked', async () => {
    const first = acquire(id);
    await first.ready;
    await first.release(false);
    await registered(first, 'meanwhile');
    assert.equal(acquire(id).server.registration('meanwhile')?.endpoint, 'meanwhile');
  });

  it('[SRV-132] takes over the other settings of the successor', async () => {
    const errors: string[] = [];
    const first = acquire(id, { ...OPEN, onError: () => errors.push('first') });
    const peer = await registered(first);
    await first.release(false);
    const second = acquire(id, { port: 0, devices: [{ endpoint: 'dev', mode: 'none' }], onError: () => errors.push('second') });
    assert.equal(second.adopted, true);
    const register = { code: '0.02', path: 'rd', query: ['ep=other', 'lwm2m=1.1'], payload: '</3/0>' } as const;
    assert.equal((await peer.ask(register)).code, '4.03');
    second.server.subscribe(() => {
      throw new Error('boom');
    });
    await peer.register('dev');
    assert.deepEqual(new Set(errors), new Set(['second']), 'errors go to the node that lives');
  });

  it('[SRV-133] closes the parked server and starts another when the sockets differ', async () => {
    const first = acquire(id);
    await registered(first);
    await first.release(false);
    const port = await freePort();
    const second = acquire(id, { ...OPEN, port });
    assert.equal(second.adopted, false);
    await second.ready;
    assert.equal(second.server.port, port);
    assert.deepEqual(second.server.registrations(), []);
    assert.equal(first.server.listening, false);
  });

  for (const [what, options] of [
    ['host', { host: '127.0.0.1' }],
    ['receive buffer', { receiveBuffer: 65_536 }],
  ] as const) {
    it(`[SRV-133] does not adopt a server of another ${what}, on the same port either`, async () => {
      const port = await freePort();
      const first = acquire(id, { ...OPEN, port });
      await first.ready;
      await first.release(false);
      const second = acquire(id, { ...OPEN, port, ...options });
      assert.equal(second.adopted, false);
      await second.ready;
      assert.equal(second.server.port, port);
    });
  }

  it('[SRV-134] closes the server at once when its node is removed', async () => {
    const port = await freePort();
    const live = acquire(id, { ...OPEN, port });
    await live.ready;
    await live.release(true);
    assert.equal(live.server.listening, false);
    const socket = dgram.createSocket('udp4').bind({ port, exclusive: true });
    await once(socket, 'listening');
    socket.close();
    assert.equal(acquire(id).adopted, false);
  });

  it('[SRV-134] may be released again, by whoever, without harm to the successor', async () => {
    const first = acquire(id);
    await first.ready;
    await first.release(false);
    await first.release(false);
    const port = await freePort();
    const second = acquire(id, { ...OPEN, port });
    await second.ready;
    await first.release(true);
    await first.release(false);
    assert.equal(second.server.listening, true);
    await registered(second);
  });

  it('[SRV-135] rejects `ready` when the port is taken, and a later try works', async () => {
    const socket = dgram.createSocket('udp4').bind({ port: 0, address: '0.0.0.0', exclusive: true });
    await once(socket, 'listening');
    const { port } = socket.address();
    const failing = acquire(id, { ...OPEN, port });
    await assert.rejects(failing.ready, (error) => (error as { code?: unknown }).code === 'EADDRINUSE');
    await failing.release(false);
    socket.close();
    await once(socket, 'close');
    const live = acquire(id, { ...OPEN, port });
    assert.equal(live.adopted, false);
    await live.ready;
    assert.equal(live.server.port, port);
  });

  it('[SRV-135] works again after a failed try that nobody released', async () => {
    const socket = dgram.createSocket('udp4').bind({ port: 0, address: '0.0.0.0', exclusive: true });
    await once(socket, 'listening');
    const { port } = socket.address();
    await assert.rejects(acquire(id, { ...OPEN, port }).ready);
    socket.close();
    await once(socket, 'close');
    const live = acquire(id, { ...OPEN, port });
    await live.ready;
    assert.equal(live.server.listening, true);
  });

  it('[SRV-136] refuses a device table that makes no sense, and leaves the parked server parked', async () => {
    const twice: Lwm2mServerOptions = {
      port: 0,
      devices: [
        { endpoint: 'a', mode: 'none' },
        { endpoint: 'a', mode: 'none' },
      ],
    };
    assert.throws(() => acquireServer(id, twice), DeviceTableError);
    const first = acquire(id);
    await registered(first);
    await first.release(false);
    assert.throws(() => acquireServer(id, twice), DeviceTableError);
    const second = acquire(id);
    assert.equal(second.adopted, true, 'the next try still finds it');
    assert.equal(second.server.registrations().length, 1);
  });

  it('[SRV-137] keeps two nodes apart, and names both when they want one port', async () => {
    const port = await freePort();
    const one = acquire(id, { ...OPEN, port, name: 'one' });
    await one.ready;
    const two = acquire(`${id}-b`, { ...OPEN, port, name: 'two' });
    await assert.rejects(two.ready, (error) => {
      assert.equal((error as { code?: unknown }).code, 'ROUTE_TAKEN');
      assert.match((error as Error).message, /"two" and "one"/);
      return true;
    });
    await two.release(true);
    assert.equal(one.server.listening, true);
    await registered(one);
  });
});

describe('a parked server', () => {
  const real = { setTimeout, clearTimeout };
  let waiting = new Map<object, { left: number; readonly run: () => void }>();
  beforeEach(() => {
    waiting = new Map();
    const fake = (run: () => void, left: number): object => {
      const timer = { unref: () => timer };
      waiting.set(timer, { left, run });
      return timer;
    };
    Object.assign(globalThis, { setTimeout: fake, clearTimeout: (timer: object) => waiting.delete(timer) });
  });
  afterEach(() => void Object.assign(globalThis, real));

  function pass(ms: number): void {
    for (const [timer, entry] of [...waiting]) {
      entry.left -= ms;
      if (entry.left <= 0 && waiting.delete(timer)) entry.run();
    }
  }

  /** What the table of live servers asks of a server. */
  function recorded() {
    const calls: string[] = [];
    const server = {
      start: () => Promise.resolve(void calls.push('start')),
      close: () => Promise.resolve(void calls.push('close')),
      flush: () => Promise.resolve(void calls.push('flush')),
      keepAlive: (on: boolean) => void calls.push(`keepAlive ${on}`),
    };
    return { calls, server };
  }
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  it('[SRV-138] does not keep the process alive, and closes when nobody adopts it in ten seconds', async () => {
    const { calls, server } = recorded();
    const live = attachLive('parked-1', 'key', () => server);
    await live.ready;
    await live.release(false);
    assert.deepEqual(calls, ['start', 'keepAlive false', 'flush']);
    pass(9_999);
    await settle();
    assert.deepEqual(calls, ['start', 'keepAlive false', 'flush']);
    pass(1);
    await settle();
    assert.deepEqual(calls, ['start', 'keepAlive false', 'flush', 'close']);
    const next = attachLive('parked-1', 'key', () => server);
    assert.equal(next.adopted, false);
    await next.release(true);
  });

  it('[SRV-138] stays open once adopted', async () => {
    const { calls, server } = recorded();
    const live = attachLive('parked-2', 'key', () => server);
    await live.ready;
    await live.release(false);
    const next = attachLive('parked-2', 'key', () => server);
    assert.equal(next.adopted, true);
    pass(60_000);
    await settle();
    assert.deepEqual(calls, ['start', 'keepAlive false', 'flush', 'keepAlive true']);
    await next.release(true);
    assert.equal(calls.at(-1), 'close');
  });

  it('[SRV-138] waits for the old one to close before the new one starts', async () => {
    const order: string[] = [];
    let closed = (): void => undefined;
    const make = (name: string) => ({
      start: () => Promise.resolve(void order.push(`start ${name}`)),
      close: () => new Promise<void>((resolve) => (closed = () => resolve(void order.push(`closed ${name}`)))),
      keepAlive: () => undefined,
      flush: () => Promise.resolve(),
    });
    const live = attachLive('parked-3', 'a', () => make('old'));
    await live.ready;
    await live.release(false);
    const next = attachLive('parked-3', 'b', () => make('new'));
    await settle();
    assert.deepEqual(order, ['start old']);
    closed();
    await next.ready;
    assert.deepEqual(order, ['start old', 'closed old', 'start new']);
    const released = next.release(true);
    await settle();
    closed();
    await released;
  });
});
