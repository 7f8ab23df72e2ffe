import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import packet from 'coap-packet';
import {
  acquireServer,
  createLwm2mServer,
  CredentialsError,
  type Lwm2mServer,
  type Lwm2mServerOptions,
  type ServerEvent,
} from '../../../lib/index';
import { storeFolder } from '../../support/store-folder';
import { SecurePeer } from './secure-peer';
import { TinyPeer } from './tiny-peer';

const KEY = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');
const psk = (endpoint: string, identity = endpoint, key = KEY) => ({ endpoint, mode: 'psk' as const, identity, key: key.toString('hex') });
const LOCAL: Lwm2mServerOptions = { port: 0, securePort: 0, host: '127.0.0.1' };

describe('a server with CoAP over DTLS', () => {
  const place = storeFolder();
  const ends: (() => unknown)[] = [];
  const notices: string[] = [];
  const errors: unknown[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    assert.deepEqual(errors.splice(0), []);
    notices.length = 0;
  });

  async function start(options: Lwm2mServerOptions = {}): Promise<{ server: Lwm2mServer; events: ServerEvent[] }> {
    const server = createLwm2mServer({
      ...LOCAL,
      onNotice: (text) => notices.push(text),
      onError: (error) => errors.push(error),
      ...options,
    });
    ends.push(() => server.close());
    const events: ServerEvent[] = [];
    server.subscribe((event) => events.push(event));
    await server.start();
    return { server, events };
  }

  async function device(server: Lwm2mServer, identity: string, key = KEY): Promise<SecurePeer> {
    const peer = await SecurePeer.open({ port: server.securePort, identity, key });
    ends.push(() => peer.close());
    return peer;
  }

  async function plain(server: Lwm2mServer): Promise<TinyPeer> {
    const peer = await TinyPeer.open(server.port);
    ends.push(() => peer.close());
    return peer;
  }

  const heard = async (events: readonly ServerEvent[], kind: ServerEvent['kind'], from = 0): Promise<ServerEvent> => {
    for (;;) {
      const found = events.slice(from).find((event) => event.kind === kind);
      if (found) return found;
      await new Promise((turn) => setImmediate(turn));
    }
  };
  /** A handshake that the server ends. */
  async function fails(server: Lwm2mServer, identity: string, key = KEY): Promise<void> {
    const before = server.stats().dtlsHandshakesFailed;
    const trying = await SecurePeer.begin({ port: server.securePort, identity, key });
    while (server.stats().dtlsHandshakesFailed === before) await new Promise((turn) => setImmediate(turn));
    trying.close();
  }

  const names = (server: Lwm2mServer): string[] => server.registrations().map(({ endpoint }) => endpoint);
  const readLevel = (server: Lwm2mServer, endpoint: string) =>
    server.perform(endpoint, { kind: 'Read', path: { ids: [3, 0, 9] } }, { timeout: 10_000 });

  async function answered(server: Lwm2mServer, peer: SecurePeer, endpoint: string): Promise<string> {
    const result = readLevel(server, endpoint);
    peer.answer(await peer.next(), '2.05', '42');
    const done = await result;
    return done.kind === 'answer' ? done.result : done.code;
  }

  it('[SEC-001] serves both ports at once, and opens none for DTLS unless told to', async () => {
    const { server } = await start({ devices: [psk('safe'), { endpoint: 'open', mode: 'none' }] });
    await (await plain(server)).register('open');
    const peer = await device(server, 'safe');
    await peer.register('safe');
    assert.deepEqual(names(server).sort(), ['open', 'safe']);
    assert.deepEqual(server.registration('safe')?.identity, { scheme: 'coaps', mode: 'psk', name: 'safe' });
    assert.equal(await answered(server, peer, 'safe'), 'CONTENT');
    const { dtlsSessions, dtlsHandshakesCompleted, datagramsReceived, dtlsDatagrams } = server.stats();
    assert.deepEqual([dtlsSessions, dtlsHandshakesCompleted], [1, 1]);
    assert.ok(datagramsReceived > dtlsDatagrams);
    const without = createLwm2mServer({ port: 0, host: '127.0.0.1' });
    ends.push(() => without.close());
    await without.start();
    assert.equal(without.securePort, 0);
  });

  it('[SEC-002] an identity may register its own endpoint only, and nobody else may: 4.03', async () => {
    const { server, events } = await start({ devices: [psk('a', 'id-a'), psk('b', 'id-b')], unknownDevices: 'accept-without-security' });
    const peer = await device(server, 'id-a');
    await assert.rejects(peer.register('b'), /4\.03 this endpoint name does not belong to the identity/);
    await assert.rejects(peer.register('stranger'), /4\.03/);
    const open = await plain(server);
    await assert.rejects(open.register('a'), /4\.03 this device must use security mode psk/);
    const id = await peer.register('a');
    // Whoever knows the id without having proven anything may not act by it either.
    assert.equal((await open.ask({ code: '0.02', path: `rd/${id}` })).code, '4.00');
    assert.equal((await open.ask({ code: '0.04', path: `rd/${id}` })).code, '4.00');
    assert.deepEqual(names(server), ['a']);
    assert.equal(events.filter(({ kind }) => kind === 'refused').length, 5);
  });

  it('[SEC-002] a Register without a name is that of the device of the identity', async () => {
    const { server } = await start({ devices: [psk('a', 'id-a')] });
    const peer = await device(server, 'id-a');
    const answer = await peer.ask({ code: '0.02', path: 'rd', query: ['lwm2m=1.1'], payload: '</3/0>' });
    assert.equal(answer.code, '2.01');
    assert.deepEqual(names(server), ['a']);
  });

  for (const [what, identity, key, text, reason] of [
    ['an unknown identity', 'nobody', KEY, /unknown identity "nobody"\. No device of the table has this identity/, 'unknown-identity'],
    [
      'a wrong key',
      'a',
      Buffer.alloc(16, 9),
      /wrong key for the identity "a"\. The key in the device and the one in the server differ/,
      'wrong-key',
    ],
    ['a disabled device', 'off', KEY, /unknown identity "off"\. The device "off" of this identity is disabled/, 'unknown-identity'],
  ] as const) {
    it(`[SEC-003] says in plain words that a handshake failed of ${what}, without keys, and not again and again`, async () => {
      const dtlsLimits = { wrongKeyGrace: 50 };
      const { server, events } = await start({ devices: [psk('a'), { ...psk('off'), disabled: true }], dtlsLimits });
      for (let round = 0; round < 4; round++) await fails(server, identity, key);
      await new Promise((turn) => setImmediate(turn));
      const logs = events.filter((event) => event.kind === 'log');
      assert.equal(logs.length, 2);
      assert.match(logs[0]!.text, text);
      assert.deepEqual([logs[0]!.reason, logs[0]!.endpoint], [reason, identity === 'a' ? 'a' : undefined]);
      assert.doesNotMatch(JSON.stringify([logs, server.knownDevices()]), /000102|090909/);
    });
  }

  it('[SEC-004] a device added at run time connects at once; removed, its session and registration end at once', async () => {
    const { server, events } = await start({ storeDir: place(), dtlsLimits: { wrongKeyGrace: 50 } });
    await fails(server, 'late');
    server.addDevice(psk('late'));
    const peer = await device(server, 'late');
    await peer.register('late');
    const waiting = readLevel(server, 'late');
    await peer.next();
    server.removeDevice('late');
    assert.deepEqual([names(server), server.stats().dtlsSessions], [[], 0]);
    const result = await waiting;
    assert.ok(result.kind === 'failed' && result.code === 'UNREACHABLE', JSON.stringify(result));
    const ended = await heard(events, 'deregistered');
    assert.ok(ended.kind === 'deregistered' && ended.reason === 'its credentials were removed or changed');
    assert.equal(server.stats().revocations, 1);
    while (!peer.gone) await new Promise((turn) => setImmediate(turn));
    await fails(server, 'late');
    assert.throws(() => server.removeDevice('late'), CredentialsError);
  });

  it('[SEC-004] another key ends what the old one proved; a name for people does not', async () => {
    const { server } = await start({ devices: [psk('a')] });
    await (await device(server, 'a')).register('a');
    server.configure({ ...LOCAL, devices: [{ ...psk('a'), name: 'Cellar' }] });
    assert.deepEqual([names(server), server.stats().dtlsSessions], [['a'], 1]);
    const other = Buffer.alloc(16, 7);
    server.configure({ ...LOCAL, devices: [psk('a', 'a', other)] });
    assert.deepEqual([names(server), server.stats().dtlsSessions], [[], 0]);
    await (await device(server, 'a', other)).register('a');
  });

  it('[SEC-005] a device without security loses its registration when its name becomes that of a secured one', async () => {
    const { server } = await start({ unknownDevices: 'accept-without-security' });
    const open = await plain(server);
    await open.register('dev');
    await open.register('other');
    server.addDevice(psk('dev'));
    assert.deepEqual(names(server), ['other']);
    await assert.rejects(open.register('dev'), /4\.03/);
  });

  it('[SEC-006] the same device from elsewhere takes its registration, and its observations, along', async () => {
    const { server, events } = await start({ devices: [psk('a')] });
    const peer = await device(server, 'a');
    await peer.register('a');
    const observing = server.perform('a', { kind: 'Observe', path: { ids: [3, 0, 9] } });
    const request = await peer.next();
    peer.answer(request, '2.05', '50', 1);
    await observing;
    const again = await device(server, 'a');
    const moved = await heard(events, 'address-changed');
    assert.ok(moved.kind === 'address-changed' && moved.registration.port === again.localPort);
    assert.equal(server.stats().dtlsSessions, 1);
    again.raw(notification(request.token, 51, 2));
    assert.equal((await again.next()).ack, true, 'not reset');
    const told = await heard(events, 'notification');
    assert.ok(told.kind === 'notification');
    assert.equal(await answered(server, again, 'a'), 'CONTENT');
  });

  it('[SEC-007] a change of port needs no handshake; the registration goes along', async () => {
    const { server, events } = await start({ devices: [psk('a')] });
    const peer = await device(server, 'a');
    const id = await peer.register('a');
    await peer.move();
    assert.equal((await peer.ask({ code: '0.02', path: `rd/${id}` })).code, '2.04');
    const moved = await heard(events, 'address-changed');
    assert.ok(moved.kind === 'address-changed' && moved.registration.port === peer.localPort);
    assert.equal(server.registration('a')?.port, peer.localPort);
    assert.equal(await answered(server, peer, 'a'), 'CONTENT');
    assert.equal(server.stats().dtlsHandshakesCompleted, 1);
  });

  it('[SEC-008] a device that closed its session keeps its registration, and is found again after the next handshake', async () => {
    const { server } = await start({ devices: [psk('a')] });
    await (await device(server, 'a')).register('a');
    const again = await device(server, 'a');
    assert.equal(await answered(server, again, 'a'), 'CONTENT');
    assert.deepEqual(names(server), ['a']);
  });

  for (const [what, options] of [
    ['no store', () => ({})],
    ['a store', () => ({ storeDir: place(), storeId: 'deploy' })],
  ] as const) {
    it(`[SEC-009] a Deploy leaves sessions alone, with ${what}`, async () => {
      const common = { ...LOCAL, ...options(), devices: [psk('a')] };
      const first = acquireServer(`secure-${what}`, common);
      await first.ready;
      const peer = await device(first.server, 'a');
      const id = await peer.register('a');
      await first.release(false);
      const second = acquireServer(`secure-${what}`, common);
      ends.push(() => second.release(true));
      assert.equal(second.adopted, true);
      assert.equal((await peer.ask({ code: '0.02', path: `rd/${id}` })).code, '2.04');
      assert.equal(await answered(second.server, peer, 'a'), 'CONTENT');
      assert.equal(second.server.stats().dtlsHandshakesCompleted, 1);
    });
  }

  describe('with a store', () => {
    const opened = async (storeDir: string, more: Lwm2mServerOptions = {}) =>
      start({ storeDir, storeId: 'kept', devices: [psk('a')], ...more });

    it('[SEC-010] after a clean stop sessions go on, both ways, without a handshake; once', async () => {
      const storeDir = place();
      const first = await opened(storeDir);
      const { port, securePort } = first.server;
      const peer = await device(first.server, 'a');
      const id = await peer.register('a');
      await first.server.close();
      const second = await opened(storeDir, { port, securePort });
      assert.equal(await answered(second.server, peer, 'a'), 'CONTENT');
      assert.equal((await peer.ask({ code: '0.02', path: `rd/${id}` })).code, '2.04');
      assert.equal(second.server.stats().dtlsHandshakesCompleted, 0);
      // Twice more: the state that is handed out is always the last one.
      await second.server.close();
      const third = await opened(storeDir, { port, securePort });
      assert.equal(await answered(third.server, peer, 'a'), 'CONTENT');
    });

    it('[SEC-011] a session whose key was changed or removed meanwhile does not come back, and its registration neither', async () => {
      for (const devices of [[psk('a', 'a', Buffer.alloc(16, 7))], []]) {
        const storeDir = place();
        const first = await opened(storeDir);
        const peer = await device(first.server, 'a');
        await peer.register('a');
        await first.server.close();
        const second = await opened(storeDir, { devices });
        assert.equal(second.server.stats().dtlsSessions, 0);
        // One whose device is still known may prove itself anew and go on.
        assert.deepEqual(names(second.server), devices.length > 0 ? ['a'] : []);
      }
    });

    it('[SEC-012] nothing of a session or a key is in the store in the clear', async () => {
      const storeDir = place();
      const { server } = await opened(storeDir);
      server.addDevice(psk('secret-device', 'secret-device', Buffer.from('5ec2e75ec2e75ec2e75ec2e75ec2e75e', 'hex')));
      await (await device(server, 'a')).register('a');
      await server.close();
      const files = readAll(storeDir);
      assert.ok(files.length > 0);
      const text = Buffer.concat(files);
      assert.ok(text.includes('reg/'), 'registrations are there');
      for (const hidden of ['5ec2e75ec2e7', '000102030405', 'secret-device']) assert.ok(!text.includes(hidden), hidden);
      assert.ok(!text.includes(KEY) && !text.includes(Buffer.from('5ec2e75ec2e7', 'hex')));
      assert.equal(statSync(`${storeDir}.key`).mode & 0o077, 0);
    });

    it('[SEC-013] devices added at run time are there again', async () => {
      const storeDir = place();
      const first = await opened(storeDir);
      first.server.addDevice({ ...psk('late'), name: 'Cellar' });
      await first.server.close();
      const second = await opened(storeDir);
      await (await device(second.server, 'late')).register('late');
      assert.deepEqual(
        second.server.knownDevices().map(({ endpoint, source, name }) => [endpoint, source, name]),
        [
          ['late', 'runtime', 'Cellar'],
          ['a', 'dialog', undefined],
        ],
      );
    });

    it('[SEC-018] a device whose session was lost keeps its registration, and is asked again for what it observed', async () => {
      const storeDir = place();
      const first = await opened(storeDir);
      const peer = await device(first.server, 'a');
      await peer.register('a');
      const observing = first.server.perform('a', { kind: 'Observe', path: { ids: [3, 0, 9] } });
      peer.answer(await peer.next(), '2.05', '50', 1);
      await observing;
      await first.server.close();
      // As after a power cut.
      for (const file of markFiles(storeDir)) rmSync(file);
      const second = await opened(storeDir);
      const [observation] = second.server.observations('a');
      const asked = await second.server.perform('a', { kind: 'Read', path: { ids: [3, 0, 9] } });
      assert.ok(asked.kind === 'failed' && asked.code === 'UNREACHABLE', 'it has no session: told at once');
      const again = await device(second.server, 'a');
      const request = await again.next();
      assert.deepEqual([request.code, request.options.some(({ name }) => name === 'Observe')], ['0.01', true]);
      assert.equal(request.token.toString('hex'), observation?.id, 'as the one that is replaced');
      again.answer(request, '2.05', '51', 1);
      const told = await heard(second.events, 'notification');
      assert.ok(told.kind === 'notification');
      assert.deepEqual([names(second.server), second.server.observations('a').map(({ id }) => id)], [['a'], [observation?.id]]);
    });

    it('[SEC-014] an older copy of the store gives no session back', async () => {
      const storeDir = place();
      const first = await opened(storeDir);
      await (await device(first.server, 'a')).register('a');
      await first.server.close();
      const marks = markFiles(storeDir);
      const copies = marks.map((file) => readFileSync(file));
      assert.equal(copies.length, 1);
      const second = await opened(storeDir);
      assert.equal(second.server.stats().dtlsSessions, 1);
      await second.server.close();
      marks.forEach((file, index) => writeFileSync(file, copies[index]!));
      const third = await opened(storeDir);
      assert.equal(third.server.stats().dtlsSessions, 0);
    });
  });

  it('[SEC-015] a devices file that changes is followed; while it is broken the last good one counts, over a Deploy too', async () => {
    const devicesFile = path.join(place(), '..', `devices-${process.pid}.json`);
    writeFileSync(devicesFile, JSON.stringify([psk('filed')]), { mode: 0o600 });
    const options = { ...LOCAL, devicesFile, onNotice: (text: string) => notices.push(text) };
    const first = acquireServer('secure-file', options);
    await first.ready;
    const peer = await device(first.server, 'filed');
    await peer.register('filed');
    writeFileSync(devicesFile, '[{');
    await first.release(false);
    const second = acquireServer('secure-file', options);
    ends.push(() => second.release(true));
    assert.equal(second.adopted, true);
    assert.deepEqual(names(second.server), ['filed']);
    assert.throws(() => acquireServer('secure-file-other', options), /cannot be read: it is no JSON/);
    while (notices.length === 0) await new Promise((turn) => setImmediate(turn));
    assert.match(notices[0]!, /no JSON.*what it held before counts/);
    writeFileSync(devicesFile, JSON.stringify([psk('other')]));
    while (names(second.server).length > 0) await new Promise((turn) => setImmediate(turn));
    await (await device(second.server, 'other')).register('other');
  }).timeout(20_000);

  it('[SEC-016] writes a key log only when told to, and warns', async () => {
    const keyLogFile = path.join(place(), '..', `keys-${process.pid}.txt`);
    const { server } = await start({ devices: [psk('a')], keyLogFile });
    await device(server, 'a');
    assert.match(notices.join(), /keys of all DTLS sessions are written to .*keys-/);
    for (let text = ''; !text.endsWith('\n');) {
      await new Promise((turn) => setImmediate(turn));
      try {
        text = readFileSync(keyLogFile, 'utf8');
      } catch {
        continue;
      }
      if (text.endsWith('\n')) assert.match(text, /^CLIENT_RANDOM [0-9a-f]{64} [0-9a-f]{96}\n$/);
    }
    assert.equal(statSync(keyLogFile).mode & 0o077, 0);
  });
});

function notification(token: Buffer, value: number, observe: number): Buffer {
  const options = [{ name: 'Observe' as const, value: Buffer.from([observe]) }];
  return packet.generate({
    code: '2.05',
    confirmable: true,
    messageId: 60_000 + observe,
    token,
    options,
    payload: Buffer.from(String(value)),
  });
}

const readAll = (folder: string): Buffer[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(path.join(entry.parentPath, entry.name)));

const markFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.startsWith('mark-dtls-'))
    .map((name) => path.join(folder, name));
