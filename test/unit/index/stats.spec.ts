import assert from 'node:assert/strict';
import { acquireServer, createLwm2mServer, type Lwm2mServer, type Lwm2mServerOptions, type ServerEvent } from '../../../lib/index';
import { VirtualClock } from '../../support/virtual-clock';
import { TinyPeer } from './tiny-peer';

type StatsEvent = Extract<ServerEvent, { kind: 'stats' }>;

const OPEN: Lwm2mServerOptions = { port: 0, transportLog: false, host: '127.0.0.1', unknownDevices: 'accept-without-security' };

describe('stats of a server', () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  function heard(server: Lwm2mServer): StatsEvent[] {
    const events: StatsEvent[] = [];
    server.subscribe((event) => event.kind === 'stats' && events.push(event));
    return events;
  }

  async function start(options: Lwm2mServerOptions = {}): Promise<{ server: Lwm2mServer; clock: VirtualClock; events: StatsEvent[] }> {
    const clock = new VirtualClock();
    const server = createLwm2mServer({ ...OPEN, clock, ...options });
    ends.push(() => server.close());
    const events = heard(server);
    await server.start();
    return { server, clock, events };
  }

  async function peerOf(server: Lwm2mServer): Promise<TinyPeer> {
    const peer = await TinyPeer.open(server.port);
    ends.push(() => peer.close());
    return peer;
  }

  it('[SRV-180] counts what comes, what goes and what is dropped and why', async () => {
    const { server, clock } = await start({ limits: { sourceRate: 1, sourceBurst: 4 } });
    const peer = await peerOf(server);
    await peer.register('dev');
    const read = server.perform('dev', { kind: 'Read', path: { ids: [3, 0, 9] } }, { timeout: 10_000 });
    const request = await peer.next();
    assert.equal(server.stats().pendingOperations, 1, 'a command in flight');
    clock.advance(3_000);
    assert.deepEqual(await peer.next(), request, 'sent again');
    peer.answer(request, '2.05', '42');
    await read;
    const flood = await peerOf(server);
    flood.raw(Buffer.from('ff', 'hex'));
    for (let mid = 1; mid <= 5; mid++) flood.raw(Buffer.from([0x40, 0, 0, mid]));
    // The rate lets four through: the broken one and three pings, each of which is answered with a Reset.
    for (let i = 0; i < 3; i++) await flood.next();
    await peer.ask({ code: '0.04', path: 'rd/none' });
    const { datagramsReceived, received, requestsReceived, requestsSent, retransmissions, resetsSent, ...rest } = server.stats();
    assert.deepEqual([datagramsReceived, received, requestsReceived, requestsSent, retransmissions, resetsSent], [9, 9, 2, 1, 1, 3]);
    assert.deepEqual([rest.droppedMalformed, rest.droppedSourceRate, rest.droppedAddressRate, rest.droppedPort0], [1, 2, 0, 0]);
    assert.deepEqual([rest.registrations, rest.pendingOperations, rest.operations, rest.observations, rest.uptime], [1, 0, 1, 0, 3]);
  });

  it('[SRV-181] are told of every so many seconds, with the numbers of that moment', async () => {
    const { server, clock, events } = await start({ statsInterval: 60 });
    const at = clock.wall();
    clock.advance(59_999);
    assert.equal(events.length, 0);
    clock.advance(1);
    await (await peerOf(server)).register('dev');
    clock.advance(60_000);
    assert.deepEqual(
      events.map((event) => [event.kind, event.at - at, event.interval, event.counters.uptime, event.counters.registers]),
      [
        ['stats', 60_000, 60, 60, 0],
        ['stats', 120_000, 60, 120, 1],
      ],
    );
    for (const [name, value] of Object.entries(events[1]!.counters)) assert.equal(Number.isFinite(value), true, name);
  });

  it('[SRV-181] are not told of unless an interval is set, nor after the close', async () => {
    const quiet = await start();
    quiet.clock.advance(86_400_000);
    assert.equal(quiet.events.length, 0);
    const { server, clock, events } = await start({ statsInterval: 1 });
    clock.advance(1_000);
    assert.equal(events.length, 1);
    await server.close();
    clock.advance(10_000);
    assert.equal(events.length, 1);
    assert.equal(server.stats().uptime, 0);
  });

  it('[SRV-181] are told of once after a standstill, not once for every interval missed', async () => {
    let now = 0;
    let ring = (): void => undefined;
    const clock = { now: () => now, wall: () => now, alarm: (_at: number, wake: () => void) => void (ring = wake) };
    const { events } = await start({ statsInterval: 10, clock });
    for (const at of [95_000, 104_999, 105_000]) {
      now = at;
      ring();
    }
    assert.deepEqual(
      events.map(({ at }) => at),
      [95_000, 105_000],
    );
  });

  for (const statsInterval of [0.5, -1, NaN, Infinity]) {
    it(`[SRV-182] refuses an interval of ${statsInterval} s`, () => {
      assert.throws(() => createLwm2mServer({ ...OPEN, statsInterval }), RangeError);
    });
  }

  it('[SRV-182] follow a new interval without a break in the numbers; the same interval goes on', async () => {
    const { server, clock, events } = await start({ statsInterval: 10 });
    await (await peerOf(server)).register('dev');
    clock.advance(6_000);
    server.configure({ ...OPEN, statsInterval: 10 });
    clock.advance(4_000);
    assert.equal(events.length, 1, 'not begun anew');
    server.configure({ ...OPEN, statsInterval: 60 });
    clock.advance(59_999);
    assert.equal(events.length, 1);
    clock.advance(1);
    assert.deepEqual([events[1]!.interval, events[1]!.counters.registers], [60, 1]);
    server.configure({ ...OPEN });
    clock.advance(600_000);
    assert.equal(events.length, 2, 'off');
  });

  it('[SRV-182] go on with the interval of the node that adopts the server', async () => {
    const clock = new VirtualClock();
    const first = acquireServer('stats-node', { ...OPEN, clock, statsInterval: 60 });
    await first.ready;
    const events = heard(first.server);
    await (await peerOf(first.server)).register('dev');
    await first.release(false);
    const second = acquireServer('stats-node', { ...OPEN, clock, statsInterval: 5 });
    ends.push(() => second.release(true));
    assert.equal(second.adopted, true);
    clock.advance(5_000);
    assert.deepEqual(
      events.map(({ interval, counters }) => [interval, counters.registers]),
      [[5, 1]],
    );
  });

  it('[SRV-183] count what should not have happened', async () => {
    const { server } = await start();
    server.subscribe(() => {
      throw new Error('boom');
    });
    await (await peerOf(server)).register('dev');
    assert.equal(server.stats().internalErrors, 1);
  });

  it('[SRV-184] measure how late the event loop is, while there is an interval', async () => {
    const off = await start();
    const on = await start({ statsInterval: 3_600 });
    const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));
    // The first samples, then a block that any sampling sees.
    while (on.server.stats().eventLoopDelayMax === 0) {
      await turn();
      const until = performance.now() + 60;
      while (performance.now() < until);
    }
    const { eventLoopDelayMax, eventLoopDelayMean } = on.server.stats();
    assert.ok(eventLoopDelayMax >= eventLoopDelayMean && eventLoopDelayMean > 0);
    assert.equal(off.server.stats().eventLoopDelayMax, 0);
    on.clock.advance(3_600_000);
    assert.equal(on.events[0]!.counters.eventLoopDelayMax >= eventLoopDelayMax, true, 'told of');
    assert.ok(on.server.stats().eventLoopDelayMax <= on.events[0]!.counters.eventLoopDelayMax, 'and begun anew');
  });
});
