import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createDevice, type DeviceEvent, type DeviceOptions, type SimulatedDevice } from '../../../lib/device/index';
import { VirtualClock } from '../../support/virtual-clock';
import { location, Peer, type Received } from './peer';

const OBSERVE = { name: 'Observe' as const, value: Buffer.alloc(0) };
const CANCEL = { name: 'Observe' as const, value: Buffer.from([1]) };
const TLV = { name: 'Accept' as const, value: Buffer.from([0x2d, 0x16]) };

describe('a simulated device and its server', () => {
  let peer: Peer;
  let clock: VirtualClock;
  let device: SimulatedDevice;
  let events: DeviceEvent[];
  let react: (event: DeviceEvent) => void;
  let waiting: { matches: (event: DeviceEvent) => boolean; resolve: () => void }[];

  beforeEach(async () => {
    peer = await Peer.open();
    clock = new VirtualClock();
    events = [];
    waiting = [];
    react = () => undefined;
  });

  afterEach(async () => {
    const stopped = device.stop();
    await clock.elapse(2000);
    await stopped;
    await peer.close();
  });

  function start(options: Partial<DeviceOptions> = {}): void {
    device = createDevice({
      endpoint: 'lamp & co',
      server: { host: '127.0.0.1', port: peer.port },
      clock,
      onEvent: (event) => {
        events.push(event);
        react(event);
        for (const waiter of waiting.filter(({ matches }) => matches(event))) waiter.resolve();
      },
      ...options,
    });
    device.start();
  }

  function until(matches: (event: DeviceEvent) => boolean): Promise<void> {
    return events.some(matches) ? Promise.resolve() : new Promise((resolve) => waiting.push({ matches, resolve }));
  }

  const registered = (): Promise<void> => until((event) => event.kind === 'state' && event.state === 'registered');

  async function startRegistered(options: Partial<DeviceOptions> = {}): Promise<Received> {
    start(options);
    const register = await peer.accept();
    await registered();
    return register;
  }

  it('[DEV-005] registers with endpoint, lifetime, version, binding and objects', async () => {
    const register = await startRegistered();
    assert.equal(register.type, 'CON');
    assert.equal(register.code, '0.02');
    assert.deepEqual(register.texts('Uri-Path'), ['rd']);
    assert.deepEqual(register.texts('Uri-Query'), ['ep=lamp & co', 'lt=300', 'lwm2m=1.1', 'b=U']);
    assert.equal(register.uint('Content-Format'), 40);
    assert.equal(
      String(register.payload),
      '</>;rt="oma.lwm2m";ct="0 42 60 110 112 11542",</1/0>,</3/0>,</4/0>,</5/0>,</6/0>,</19/0>,</19/1>,</3303/0>',
    );
    assert.equal(peer.devicePort, device.localPort);
    assert.deepEqual(
      events.map((event) => (event.kind === 'state' ? event.state : event.kind)),
      ['resolving', 'registering', 'registered'],
    );
  });

  it('[DEV-011] answers a Read from the port it registers from, and the same to a duplicate', async () => {
    await startRegistered();
    const from = peer.devicePort;
    peer.ask('GET', '/3/0/3', { messageId: 7, token: Buffer.from('t1') });
    const first = await peer.next();
    assert.equal(first.type, 'ACK');
    assert.equal(first.messageId, 7);
    assert.equal(first.code, '2.05');
    assert.equal(String(first.payload), '1.0.0');
    assert.equal(String(first.token), 't1');
    assert.equal(peer.devicePort, from);
  });

  it('[DEV-030] acts once on a request that comes twice, and answers it twice alike', async () => {
    await startRegistered();
    const ask = (): Buffer => peer.ask('POST', '/19', { messageId: 8, token: Buffer.from('t2') });
    ask();
    const first = await peer.next();
    ask();
    // The Update that tells of the new instance goes out between the two answers.
    const [update, second] = [await peer.next(), await peer.next()];
    peer.reply(update, '2.04');
    assert.deepEqual(first.texts('Location-Path'), ['19', '2']);
    assert.deepEqual([second.code, second.texts('Location-Path')], [first.code, first.texts('Location-Path')]);
    assert.ok(String(update.payload).endsWith('</19/0>,</19/1>,</19/2>,</3303/0>'));
    assert.deepEqual(Object.keys(device.get('/19') as object), ['0', '1', '2']);
  });

  it('[DEV-021] notifies of a value that a flow sets', async () => {
    await startRegistered();
    const token = peer.ask('GET', '/3/0/9', { options: [OBSERVE, TLV] });
    const first = await peer.next();
    assert.equal(first.code, '2.05');
    device.set('/3/0/9', 42);
    const second = await peer.next();
    assert.equal(second.type, 'CON');
    assert.deepEqual(second.token, token);
    assert.equal(second.code, '2.05');
    assert.equal(second.payload.toString('hex'), 'c1092a');
    assert.equal(second.uint('Content-Format'), first.uint('Content-Format'));
    assert.ok((second.uint('Observe') ?? 0) > (first.uint('Observe') ?? 0));
    peer.acknowledge(second);
  });

  it('[DEV-021] notifies of values that live, as time goes by', async () => {
    await startRegistered();
    peer.ask('GET', '/3303/0/5700', { options: [OBSERVE] });
    const first = await peer.next();
    const next = peer.next();
    await clock.elapse(30_000);
    const second = await next;
    assert.notEqual(String(second.payload), String(first.payload));
    peer.acknowledge(second);
  });

  it('[DEV-026] holds the next notification back until the last is acknowledged', async () => {
    await startRegistered();
    peer.ask('GET', '/3/0/9', { options: [OBSERVE] });
    await peer.next();
    device.set('/3/0/9', 42);
    const second = await peer.next();
    device.set('/3/0/9', 43);
    device.set('/3/0/9', 44);
    // Were one sent, it would come before this answer.
    peer.ask('GET', '/3/0/3');
    assert.equal((await peer.next()).type, 'ACK');
    peer.acknowledge(second);
    peer.ask('GET', '/3/0/3');
    assert.equal((await peer.next()).type, 'ACK');
    const third = await peer.next();
    assert.equal(String(third.payload), '44');
    peer.acknowledge(third);
  });

  it('[DEV-023] stops at Observe 1 and at a Reset', async () => {
    await startRegistered();
    const token = peer.ask('GET', '/3/0/9', { options: [OBSERVE] });
    await peer.next();
    peer.ask('GET', '/3/0/9', { options: [CANCEL], token });
    assert.equal((await peer.next()).uint('Observe'), undefined);
    device.set('/3/0/9', 42);

    peer.ask('GET', '/3/0/10', { options: [OBSERVE] });
    await peer.next();
    device.set('/3/0/10', 99);
    const notification = await peer.next();
    assert.equal(String(notification.payload), '99');
    peer.reset(notification);
    peer.ask('GET', '/3/0/3');
    assert.equal(String((await peer.next()).payload), '1.0.0');
    device.set('/3/0/10', 98);
    device.set('/3/0/9', 41);
    peer.ask('GET', '/3/0/3');
    assert.equal((await peer.next()).type, 'ACK', 'no notification of either came before this answer');
  });

  it('[DEV-023] a refused Observe has its code and no Observe option', async () => {
    await startRegistered();
    peer.ask('GET', '/3/0/4', { options: [OBSERVE] });
    const reply = await peer.next();
    assert.equal(reply.code, '4.05');
    assert.equal(reply.uint('Observe'), undefined);
  });

  it('[DEV-024] ends the observation of a deleted instance with 4.04', async () => {
    await startRegistered();
    const token = peer.ask('GET', '/19/1', { options: [OBSERVE] });
    await peer.next();
    peer.ask('DELETE', '/19/1');
    assert.equal((await peer.next()).code, '2.02');
    const rest = [await peer.next(), await peer.next()];
    const end = rest.find((packet) => packet.code === '4.04');
    const update = rest.find((packet) => packet.code === '0.02');
    assert.ok(end && update);
    assert.deepEqual(end.token, token);
    assert.equal(end.uint('Observe'), undefined);
    assert.deepEqual(update.texts('Uri-Path'), ['rd', 'a1']);
    peer.acknowledge(end);
    peer.reply(update, '2.04');
  });

  it('[DEV-025] registering anew ends the observations', async () => {
    await startRegistered();
    peer.ask('GET', '/3/0/9', { options: [OBSERVE] });
    await peer.next();
    await clock.elapse(240_000);
    let packet = await peer.next();
    for (; packet.code !== '0.02'; packet = await peer.next()) peer.acknowledge(packet);
    peer.reply(packet, '4.04');
    const again = await peer.accept('b2');
    assert.deepEqual(again.texts('Uri-Path'), ['rd']);
    device.set('/3/0/9', 42);
    peer.ask('GET', '/3/0/3');
    assert.equal((await peer.next()).type, 'ACK');
  });

  it('[DEV-037] tells of a write after it has answered', async () => {
    await startRegistered();
    peer.ask('GET', '/3/0/9', { options: [OBSERVE] });
    await peer.next();
    react = (event) => {
      if (event.kind === 'written') device.set('/3/0/9', 42);
    };
    peer.ask('PUT', '/3/0/15', { payload: Buffer.from('Etc/GMT') });
    assert.equal((await peer.next()).code, '2.04', 'the answer comes before what the listener causes');
    const notification = await peer.next();
    assert.equal(String(notification.payload), '42');
    peer.acknowledge(notification);
  });

  it('[DEV-006] [DEV-015] tells the flow of a write, and the server of a new lifetime', async () => {
    await startRegistered();
    peer.ask('PUT', '/1/0/1', { payload: Buffer.from('600') });
    assert.equal((await peer.next()).code, '2.04');
    await until((event) => event.kind === 'written' && event.path === '/1/0/1' && event.value === 600);
    const update = await peer.next();
    assert.deepEqual(update.texts('Uri-Query'), ['lt=600']);
    peer.reply(update, '2.04');
  });

  it('[DEV-027] takes a block-wise write whose token changes with every block', async () => {
    await startRegistered();
    const body = Buffer.from('a text of more than sixteen bytes');
    for (let num = 0; num < 3; num += 1) {
      const block = Buffer.from([(num << 4) | (num < 2 ? 8 : 0)]);
      const options = [{ name: 'Block1' as const, value: block }];
      peer.ask('PUT', '/19/0/3', { options, payload: body.subarray(num * 16, num * 16 + 16), token: Buffer.from([1, num]) });
      const reply = await peer.next();
      assert.equal(reply.code, num < 2 ? '2.31' : '2.04');
      assert.equal(reply.uint('Block1'), block[0]);
    }
    assert.equal(device.get('/19/0/3'), String(body));
  });

  it('[DEV-028] a notification larger than a datagram comes in blocks', async () => {
    await startRegistered();
    peer.ask('GET', '/19/0', { options: [OBSERVE, TLV] });
    await peer.next();
    device.set('/19/0/0', { 0: Buffer.alloc(700, 1), 1: Buffer.alloc(700, 2) });
    const first = await peer.next();
    peer.acknowledge(first);
    const parts = [first.payload];
    assert.ok(first.uint('Observe') !== undefined);
    for (let num = 1; num < 3; num += 1) {
      peer.ask('GET', '/19/0', { options: [TLV, { name: 'Block2', value: Buffer.from([(num << 4) | 5]) }] });
      const next = await peer.next();
      assert.equal(next.code, '2.05');
      assert.equal(next.uint('Observe'), undefined);
      assert.deepEqual(next.texts('ETag'), first.texts('ETag'));
      parts.push(next.payload);
      assert.equal((next.uint('Block2') ?? 0) & 8, num < 2 ? 8 : 0);
    }
    assert.ok(Buffer.concat(parts).length > 1400);
  });

  it('[DEV-020] answers FETCH, also one without a Content-Format', async () => {
    await startRegistered();
    const options = [{ name: 'Content-Format' as const, value: Buffer.from([110]) }];
    peer.ask('FETCH', '/', { options, payload: Buffer.from('[{"n":"/3/0/3"}]') });
    assert.match(String((await peer.next()).payload), /1\.0\.0/);
    const token = peer.ask('FETCH', '/3/0');
    const reply = await peer.next();
    assert.equal(reply.code, '4.05');
    assert.deepEqual(reply.token, token);
  });

  it('[DEV-003] [DEV-002] outlives hostile datagrams of its server', async () => {
    await startRegistered();
    for (const hex of ['40', '60441234d00e', '40011234ff', '4f011234', '4001123400ff', '60458001d10a0e', '40ff1234', '4201ffffaabb6a']) {
      peer.raw(Buffer.from(hex, 'hex'));
    }
    peer.raw(Buffer.from('4000beef', 'hex'));
    const pong = await peer.next();
    assert.deepEqual([pong.type, pong.messageId], ['RST', 0xbeef]);
    peer.ask('GET', '/3/0/3');
    assert.equal(String((await peer.next()).payload), '1.0.0');
  });

  it('[DEV-006] updates in time, and [DEV-007] registers anew with a server that has forgotten it', async () => {
    await startRegistered();
    await clock.elapse(240_000);
    const update = await peer.next();
    assert.deepEqual(update.texts('Uri-Path'), ['rd', 'a1']);
    assert.deepEqual(update.texts('Uri-Query'), []);
    assert.equal(update.payload.length, 0);
    peer.reply(update, '4.04');
    const register = await peer.accept('b2');
    assert.deepEqual(register.texts('Uri-Path'), ['rd']);
    assert.ok(register.payload.length > 0);
  });

  it('[DEV-039] is deaf while it sleeps, until it is told to update', async () => {
    const register = await startRegistered({ binding: 'UQ', listenMs: 4000 });
    assert.deepEqual(register.texts('Uri-Query').slice(3), ['b=U', 'Q']);
    await clock.elapse(4000);
    peer.ask('GET', '/3/0/3', { token: Buffer.from('t1') });
    assert.equal(String((await peer.next()).token), 't1');
    await clock.elapse(4001);
    peer.ask('GET', '/3/0/3', { token: Buffer.from('t2') });
    // Sent, and read by the device, which is in the same loop.
    for (let turn = 0; turn < 5; turn += 1) await new Promise((done) => setImmediate(done));
    device.update();
    const update = await peer.next();
    assert.deepEqual(update.texts('Uri-Path'), ['rd', 'a1']);
    peer.reply(update, '2.04');
    peer.ask('GET', '/3/0/3', { token: Buffer.from('t3') });
    assert.equal(String((await peer.next()).token), 't3');
  });

  it('[DEV-039] wakes by itself to update', async () => {
    await startRegistered({ binding: 'UQ', listenMs: 4000, lwm2mVersion: '1.0' });
    await clock.elapse(240_000);
    const update = await peer.next();
    peer.reply(update, '2.04');
    peer.ask('GET', '/3/0/3', { token: Buffer.from('t1') });
    assert.equal(String((await peer.next()).token), 't1');
  });

  it('[DEV-005] takes a separate answer to its Register', async () => {
    start();
    const register = await peer.next();
    peer.acknowledge(register);
    peer.send({ confirmable: true, messageId: 9, token: register.token, code: '2.01', options: location('s1') });
    const acknowledgement = await peer.next();
    assert.deepEqual([acknowledgement.type, acknowledgement.messageId], ['ACK', 9]);
    await registered();
  });

  it('[DEV-008] waits and tries again when it is refused', async () => {
    start();
    const register = await peer.next();
    peer.send({ ack: true, messageId: register.messageId, token: register.token, code: '4.03', payload: Buffer.from('not you') });
    await until((event) => event.kind === 'state' && event.state === 'refused' && event.detail === '4.03 not you');
    assert.equal(device.state, 'refused');
    await clock.elapse(5000);
    await peer.accept();
    await registered();
  });

  it('[DEV-008] takes a Reset of its Register for a refusal', async () => {
    start();
    peer.reset(await peer.next());
    await until((event) => event.kind === 'state' && event.state === 'refused');
  });

  it('[DEV-008] finds a server that comes later', async () => {
    start();
    await peer.next();
    await clock.elapse(45_000);
    assert.equal(device.state, 'unreachable');
    await clock.elapse(5000);
    let register = await peer.next();
    // Retransmissions of the first attempt may still be on their way.
    for (; register.code !== '0.02'; register = await peer.next());
    peer.reply(register, '2.01', location('late'));
    await registered();
  });

  it('[DEV-008] a host without an address is unreachable, not an exception', async () => {
    start({ server: { host: 'no-such-host.invalid', port: 5683 } });
    await until((event) => event.kind === 'state' && event.state === 'unreachable');
  });

  it('[DEV-008] a local port that is taken is told', async () => {
    start({ localPort: peer.port });
    await until((event) => event.kind === 'state' && event.state === 'unreachable' && /EADDRINUSE/.test(event.detail ?? ''));
  });

  it('[DEV-009] de-registers when it stops', async () => {
    await startRegistered();
    const stopped = device.stop();
    const deregister = await peer.next();
    assert.equal(deregister.code, '0.04');
    assert.deepEqual(deregister.texts('Uri-Path'), ['rd', 'a1']);
    peer.reply(deregister, '2.02');
    await stopped;
    assert.equal(device.state, 'stopped');
    assert.equal(clock.pending, 0);
    assert.equal(device.localPort, 0);
  });

  it('[DEV-009] stops without an answer, and can be started again', async () => {
    await startRegistered();
    const stopped = device.stop();
    await clock.elapse(2000);
    await stopped;
    assert.equal(clock.pending, 0);
    assert.equal((await peer.next()).code, '0.04');
    device.start();
    await peer.accept('c3');
    await until((event) => event.kind === 'state' && event.state === 'registered');
  });

  it('[DEV-035] is back after a Reboot', async () => {
    await startRegistered();
    peer.ask('POST', '/3/0/4');
    assert.equal((await peer.next()).code, '2.04');
    await until((event) => event.kind === 'executed' && event.path === '/3/0/4');
    await clock.elapse(2000);
    assert.deepEqual((await peer.accept('r1')).texts('Uri-Path'), ['rd']);
  });

  it('[DEV-035] forgets what was set with a Factory Reset', async () => {
    await startRegistered();
    device.set('/3/0/0', 'Me');
    peer.ask('POST', '/3/0/5');
    assert.equal((await peer.next()).code, '2.04');
    await until((event) => event.kind === 'executed' && event.path === '/3/0/5');
    assert.equal(device.get('/3/0/0'), 'Node-RED LwM2M');
  });

  it('[DEV-004] a listener that throws does no harm', async () => {
    start({
      onEvent: () => {
        throw new Error('a bug in a flow');
      },
    });
    await peer.accept();
    peer.ask('PUT', '/3/0/15', { payload: Buffer.from('Etc/GMT') });
    assert.equal((await peer.next()).code, '2.04');
  });

  it('registers over IPv6', async function () {
    let six: Peer;
    try {
      six = await Peer.open('udp6');
    } catch {
      this.skip();
    }
    start({ server: { host: '[::1]', port: six.port } });
    await six.accept();
    await registered();
    six.ask('GET', '/3/0/3');
    assert.equal(String((await six.next()).payload), '1.0.0');
    await six.close();
  });
});

it('[DEV-010] leaves nothing behind that keeps a process alive', async () => {
  const script = path.join(__dirname, 'stopped-process.ts');
  const child = spawn(process.execPath, ['--require', require.resolve('tsx/cjs'), script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 20_000,
  });
  const output: string[] = [];
  child.stdout.on('data', (data: Buffer) => output.push(String(data)));
  const [code] = (await once(child, 'exit')) as [number];
  assert.equal(code, 0);
  assert.equal(output.join(''), 'stopped\n');
}).timeout(30_000);
