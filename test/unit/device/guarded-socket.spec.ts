import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { canonicalAddress, GuardedSocket } from '../../../lib/device/guarded-socket';

const GET = Buffer.from('40011234', 'hex');

describe('the guarded socket', () => {
  let server: dgram.Socket;
  let guarded: GuardedSocket;
  let heard: string[];
  let faults: Error[];

  beforeEach(async () => {
    server = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await once(server, 'listening');
    heard = [];
    faults = [];
    const remote = { address: '127.0.0.1', port: server.address().port };
    guarded = new GuardedSocket({ type: 'udp4', remote, onFault: (error) => faults.push(error) });
    guarded.bind(0, '127.0.0.1');
    await once(guarded, 'listening');
    guarded.on('message', (data: Buffer) => heard.push(data.toString('hex')));
  });

  afterEach(() => {
    guarded.close();
    server.close();
  });

  const from = (address: string, port: number): dgram.RemoteInfo => ({ address, port, family: 'IPv4', size: 4 });

  it('is a dgram.Socket, as npm coap wants it for its duplicate detection', () => assert.ok(guarded instanceof dgram.Socket));

  it('[DEV-001] hears its server', async () => {
    const message = once(guarded, 'message');
    server.send(GET, guarded.address().port, '127.0.0.1');
    await message;
    assert.deepEqual(heard, ['40011234']);
    assert.equal(guarded.counters.passed, 1);
  });

  it('[DEV-001] is deaf to everybody else, port 0 among them', () => {
    const { port } = server.address();
    for (const source of [from('127.0.0.1', port === 1 ? 2 : port - 1), from('127.0.0.2', port), from('127.0.0.1', 0)])
      guarded.emit('message', GET, source);
    assert.deepEqual(heard, []);
    assert.equal(guarded.counters.foreign, 3);
  });

  it('[DEV-039] hears nothing when it has neither sent nor heard anything for as long as it listens', async () => {
    let now = 0;
    const { port } = server.address();
    const remote = { address: '127.0.0.1', port };
    const sleeper = new GuardedSocket({ type: 'udp4', remote, listenMs: 1000, now: () => now });
    // Only a bound socket closes at once.
    sleeper.bind(0, '127.0.0.1');
    await once(sleeper, 'listening');
    const passed: number[] = [];
    sleeper.on('message', () => passed.push(now));
    const at = (time: number): void => {
      now = time;
      sleeper.emit('message', GET, from('127.0.0.1', port));
    };
    at(0);
    assert.deepEqual(passed, [], 'it sleeps until it says something');
    sleeper.send(GET, 0, 4, port, '127.0.0.1');
    for (const time of [1000, 2000, 3001, 3500]) at(time);
    assert.deepEqual(passed, [1000, 2000]);
    now = 5000;
    sleeper.send(GET, 0, 4, port, '127.0.0.1');
    at(5900);
    assert.deepEqual(passed, [1000, 2000, 5900]);
    assert.equal(sleeper.counters.asleep, 3);
    sleeper.close();
  });

  it('[DEV-002] drops and counts what is malformed', () => {
    guarded.emit('message', Buffer.from('4001123', 'hex'), from('127.0.0.1', server.address().port));
    guarded.emit('message', Buffer.from('40011234ff', 'hex'), from('127.0.0.1', server.address().port));
    assert.deepEqual(heard, []);
    assert.equal(guarded.counters.short, 1);
    assert.equal(guarded.counters.marker, 1);
  });

  it('[DEV-003] answers a ping with one Reset, and nobody else hears of it', async () => {
    const answer = once(server, 'message');
    guarded.emit('message', Buffer.from('4000beef', 'hex'), from('127.0.0.1', server.address().port));
    assert.equal(((await answer)[0] as Buffer).toString('hex'), '7000beef');
    assert.deepEqual(heard, []);
  });

  it('[DEV-004] keeps exceptions of listeners in, and lets the other listeners hear', () => {
    guarded.removeAllListeners('message');
    guarded.on('message', () => assert.fail('a bug in a listener'));
    guarded.on('message', () => heard.push('second'));
    guarded.emit('message', GET, from('127.0.0.1', server.address().port));
    assert.deepEqual(heard, ['second']);
    assert.equal(faults[0]?.message, 'a bug in a listener');
    assert.equal(guarded.counters.faults, 1);
  });

  it('[DEV-001] sends to its server alone, whatever address is asked', async () => {
    const message = once(server, 'message');
    guarded.send(GET, 0, 4, 9);
    assert.equal(((await message)[0] as Buffer).toString('hex'), '40011234');
    assert.equal(guarded.lastMessageId, 0x1234);
  });

  it('[DEV-004] counts a failed send as a lost datagram', async () => {
    const error = await new Promise<Error | null>((resolve) => guarded.send(Buffer.alloc(70_000, 1), 0, 70_000, 1, 'x', resolve));
    assert.equal(error, null);
    assert.equal(guarded.counters.sendErrors, 1);
    assert.equal(faults.length, 1);
  });

  it('[DEV-004] takes a send and a close after it is closed', async () => {
    await new Promise<void>((resolve) => guarded.close(resolve));
    await new Promise<void>((resolve) => guarded.close(resolve));
    const error = await new Promise<Error | null>((resolve) => guarded.send(GET, 0, 4, 1, 'x', resolve));
    assert.equal(error, null);
  });

  const spellings: [string, string][] = [
    ['127.0.0.1', '127.0.0.1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:0DB8::0001', '2001:db8::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['fe80::1%eth0', 'fe80::1'],
  ];
  for (const [address, canonical] of spellings) {
    it(`spells ${address} as ${canonical}`, () => assert.equal(canonicalAddress(address), canonical));
  }
});
