import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import dgram from 'node:dgram';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import packet from 'coap-packet';
import {
  createLwm2mServer,
  DeviceTableError,
  type Lwm2mServer,
  type Lwm2mServerOptions,
  type ServerEvent,
  type ServerStats,
} from '../../../lib/index';
import { TinyPeer } from './tiny-peer';

const running: Lwm2mServer[] = [];
const peers: TinyPeer[] = [];

function create(options: Lwm2mServerOptions = {}): Lwm2mServer {
  const server = createLwm2mServer({ port: 0, transportLog: false, unknownDevices: 'accept-without-security', ...options });
  running.push(server);
  return server;
}

async function peerOf(server: Lwm2mServer, family: 4 | 6 = 4): Promise<TinyPeer> {
  const peer = await TinyPeer.open(server.port, family);
  peers.push(peer);
  return peer;
}

const code = (error: unknown): unknown => (error as { code?: unknown }).code;

describe('createLwm2mServer', () => {
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.close();
    await Promise.all(running.splice(0).map((server) => server.close()));
  });

  for (const [family, address] of [
    [4, '127.0.0.1'],
    [6, '::1'],
  ] as const) {
    it(`[SRV-120] registers, reads and de-registers a device over IPv${family}`, async function () {
      const server = create();
      const events: ServerEvent[] = [];
      server.subscribe((event) => events.push(event));
      await server.start();
      assert.equal(server.listening, true);
      assert.ok(server.port > 0);
      if (family === 6 && !(await hasIpv6())) this.skip();
      const peer = await peerOf(server, family);
      const id = await peer.register('dev');
      assert.equal(server.registration('dev')?.id, id);
      assert.equal(server.registration('dev')?.address, address);
      assert.equal(server.registrations().length, 1);

      const promise = server.perform('dev', { kind: 'Read', path: { ids: [3, 0, 9] } });
      const request = await peer.next();
      assert.equal(request.code, '0.01');
      peer.answer(request, '2.05', '42');
      const result = await promise;
      assert.equal(result.kind, 'answer');
      assert.deepEqual(result.nodes, [{ path: [3, 0, 9], type: 'integer', value: 42 }]);
      assert.deepEqual(server.observations('dev'), []);

      assert.equal((await peer.ask({ code: '0.04', path: `rd/${id}` })).code, '2.02');
      assert.deepEqual(
        events.map(({ kind }) => kind),
        ['registered', 'deregistered'],
      );
      const stats = server.stats();
      for (const [name, value] of Object.entries({
        registers: 1,
        deregisters: 1,
        operations: 1,
        datagramsReceived: 3,
        internalErrors: 0,
        registrations: 0,
      }))
        assert.equal(stats[name as keyof ServerStats], value, name);
    });
  }

  it('[SRV-121] is silent before its start and after its close', async () => {
    const server = create({ name: 'quiet' });
    const check = async (): Promise<void> => {
      assert.deepEqual([server.port, server.listening, server.registrations(), server.registration('dev')], [0, false, [], undefined]);
      assert.deepEqual(server.observations('dev'), []);
      assert.deepEqual(new Set(Object.values(server.stats())), new Set([0]));
      server.keepAlive(true);
      const result = await server.perform('dev', { kind: 'Read', path: { ids: [3] } });
      assert.deepEqual(result, { kind: 'failed', code: 'CLOSED', error: 'The server "quiet" is not running.' });
    };
    await check();
    await server.close();
    await server.start();
    await server.start();
    await server.close();
    await check();
    await server.close();
  });

  it('[SRV-121] may be started again', async () => {
    const server = create();
    await server.start();
    await server.close();
    await server.start();
    await (await peerOf(server)).register('dev');
    assert.equal(server.registrations().length, 1);
  });

  it('[SRV-121] may be started twice at once, and closed while it starts', async () => {
    const server = create();
    await Promise.all([server.start(), server.start()]);
    assert.equal(server.listening, true);
    const { port } = server;
    await server.close();
    const again = create({ port });
    const started = again.start();
    await again.close();
    await started;
    assert.equal(again.listening, false);
    const socket = dgram.createSocket('udp4').bind({ port, exclusive: true });
    await once(socket, 'listening');
    socket.close();
  });

  it('[SRV-122] ends what is under way with CLOSED, and frees the port', async () => {
    const server = create();
    await server.start();
    const { port } = server;
    const peer = await peerOf(server);
    await peer.register('dev');
    const promise = server.perform('dev', { kind: 'Read', path: { ids: [3] } });
    await peer.next();
    await server.close();
    const result = await promise;
    assert.equal(result.kind === 'failed' && result.code, 'CLOSED');
    const next = create({ port });
    await next.start();
    assert.equal(next.port, port);
  });

  it('[SRV-123] rejects its start with EADDRINUSE when the port is taken, and starts later', async () => {
    const socket = dgram.createSocket('udp4').bind({ port: 0, address: '0.0.0.0', exclusive: true });
    await once(socket, 'listening');
    const { port } = socket.address();
    const server = create({ port });
    await assert.rejects(server.start(), (error) => code(error) === 'EADDRINUSE');
    assert.equal(server.listening, false);
    socket.close();
    await once(socket, 'close');
    await server.start();
    assert.equal(server.port, port);
  });

  it('[SRV-123] rejects its start with ROUTE_TAKEN when another server of the process has the port, and names both', async () => {
    const first = create({ name: 'first' });
    await first.start();
    // Same address and port, so the same sockets: what clashes is the route.
    const { port } = first;
    await first.close();
    const one = create({ name: 'one', port });
    const two = create({ name: 'two', port });
    await one.start();
    await assert.rejects(two.start(), (error) => {
      assert.equal(code(error), 'ROUTE_TAKEN');
      assert.match((error as Error).message, /"two" and "one"/);
      return true;
    });
    assert.equal(one.listening, true);
    await (await peerOf(one)).register('dev');
    await one.close();
    await two.start();
    assert.equal(two.port, port);
  });

  it('[SRV-124] keeps its listeners apart: one that throws is reported and harms nobody', async () => {
    const errors: unknown[] = [];
    const server = create({ onError: (error) => errors.push(error) });
    const heard: string[] = [];
    const boom = new Error('boom');
    server.subscribe(() => {
      throw boom;
    });
    const end = server.subscribe((event) => heard.push(event.kind));
    await server.start();
    const peer = await peerOf(server);
    await peer.register('dev');
    end();
    await peer.register('dev');
    assert.deepEqual(heard, ['registered']);
    assert.ok(errors.length >= 2 && errors.every((error) => error === boom));
    assert.equal(server.stats()['internalErrors'], errors.length);
  });

  describe('with devices', () => {
    let folder = '';
    before(() => (folder = mkdtempSync(path.join(tmpdir(), 'server-'))));
    after(() => rmSync(folder, { recursive: true }));

    it('[SRV-125] refuses unknown ones unless told otherwise; those of table and file may come', async () => {
      const devicesFile = path.join(folder, 'devices.json');
      writeFileSync(devicesFile, '[{"endpoint":"filed"}]');
      const server = createLwm2mServer({ port: 0, devices: [{ endpoint: 'listed', mode: 'none' }], devicesFile });
      running.push(server);
      await server.start();
      const peer = await peerOf(server);
      await peer.register('listed');
      await peer.register('filed');
      const register = { code: '0.02', path: 'rd', query: ['ep=other', 'lwm2m=1.1'], payload: '</3/0>' } as const;
      assert.equal((await peer.ask(register)).code, '4.03');
      server.configure({ unknownDevices: 'accept-without-security' });
      assert.equal((await peer.ask(register)).code, '2.01');
      assert.equal(server.registrations().length, 3, 'nobody was sent away');
    });

    it('[SRV-125] refuses a table that makes no sense, at once, and keeps the one it has', async () => {
      const devicesFile = path.join(folder, 'broken.json');
      writeFileSync(devicesFile, '[{"endpoint":"a"},{"endpoint":"a"}]');
      const twice: Lwm2mServerOptions = { port: 0, devicesFile };
      assert.throws(() => createLwm2mServer(twice), DeviceTableError);
      const server = create();
      await server.start();
      assert.throws(() => server.configure(twice), DeviceTableError);
      await (await peerOf(server)).register('dev');
      assert.equal(server.registrations().length, 1);
    });
  });

  it('[SRV-126] listens on one address when told so', async () => {
    const server = create({ host: '127.0.0.1' });
    await server.start();
    await (await peerOf(server)).register('dev');
    const missing = create({ host: '192.0.2.1' });
    await assert.rejects(missing.start(), (error) => code(error) === 'EADDRNOTAVAIL');
  });

  it('[SRV-126] with port 0 takes a socket of its own, even when the package is loaded twice', async () => {
    const file = require.resolve('../../../lib/index');
    const ours = Object.entries(require.cache).filter(([name]) => name.startsWith(path.dirname(file)));
    const copy = (): typeof createLwm2mServer => {
      for (const [name] of ours) require.cache[name] = undefined;
      return (createRequire(__filename)(file) as { createLwm2mServer: typeof createLwm2mServer }).createLwm2mServer;
    };
    try {
      const copies = [copy(), copy()];
      assert.equal(new Set([...copies, createLwm2mServer]).size, 3);
      const servers = [...copies, ...copies].map((make) => make({ port: 0 }));
      running.push(...servers);
      await Promise.all(servers.map((server) => server.start()));
      assert.equal(new Set(servers.map(({ port }) => port)).size, 4);
    } finally {
      for (const [name, loaded] of ours) require.cache[name] = loaded;
    }
  });

  it('[SRV-127] takes whatever comes in without harm', async () => {
    const errors: unknown[] = [];
    const server = create({ onError: (error) => errors.push(error) });
    await server.start();
    const peer = await peerOf(server);
    for (const hex of ['', '00', 'ff'.repeat(40), '40', '4402', '40020001b27264ff', '5f45', '60ffffff']) peer.raw(Buffer.from(hex, 'hex'));
    peer.raw(packet.generate({ code: '0.02', messageId: 9, options: [{ name: 'Uri-Path', value: Buffer.from('rd') }] }));
    const id = await peer.register('dev');
    assert.equal(server.registration('dev')?.id, id);
    assert.deepEqual(errors, []);
  });
});

async function hasIpv6(): Promise<boolean> {
  const socket = dgram.createSocket('udp6');
  try {
    socket.bind(0, '::1');
    await once(socket, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}
