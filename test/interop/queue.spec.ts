import assert from 'node:assert/strict';
import type { OperationResult } from '../../lib/index';
import { createLwm2mServer } from '../../lib/index';
import * as coap from '../support/coap-message';
import { UdpRecorder } from '../support/udp-recorder';
import type { Peer, PeerName, PeerOptions } from './peers';
import { reasonMissing, startLeshan, startWakaamaFork } from './peers';
import { skipWithout } from './suite';
import type { FlowEvent, World } from './world';
import { startWorld } from './world';

/** Milliseconds a device listens after it was heard; short, because each test has to wait for its end. */
const WINDOW = 1_500;
const METHODS = ['', 'GET', 'POST', 'PUT', 'DELETE', 'FETCH', 'PATCH', 'iPATCH'];

/** What the tests of one device share. */
interface Stage {
  readonly world: World;
  readonly peer: Peer;
  readonly endpoint: string;
  readonly recorder: UdpRecorder;
  readonly registered: FlowEvent;
}

/** `start` starts a device in queue mode. Between it and the server stands a recorder, which can be the radio that is off. */
function withSleeper(title: string, name: PeerName, start: (options: PeerOptions) => Promise<Peer>, tests: (stage: () => Stage) => void) {
  describe(title, () => {
    const endpoint = `sleeper-${name}`;
    let stage: Stage | undefined;
    const ends: (() => unknown)[] = [];

    before(async function () {
      skipWithout(this, name, reasonMissing(name));
      const world = await startWorld({ server: { awakeWindow: WINDOW, replaceWrites: true, statsInterval: 1 } });
      ends.unshift(() => world.stop());
      const recorder = await UdpRecorder.open(world.port);
      ends.unshift(() => recorder.close());
      const peer = await start({ port: recorder.port, endpoint });
      ends.unshift(() => peer.stop());
      stage = { world, peer, endpoint, recorder, registered: await world.waitFor('registered', endpoint) };
    });

    after(async () => {
      for (const end of ends) await end();
    });

    afterEach(function () {
      if (this.currentTest?.state !== 'failed') return;
      console.error(`--- ${name} ---\n${stage?.peer.log().slice(-2000)}\n--- Node-RED ---\n${stage?.world.nodeRed.log().slice(-3000)}`);
    });

    tests(() => {
      if (!stage) throw new Error(`${title} is not running`);
      return stage;
    });
  });
}

/** Waits until the device sleeps, and turns its radio off. */
async function sleep({ world, endpoint, recorder }: Stage): Promise<void> {
  const last = (): FlowEvent | undefined =>
    world.events.seen.findLast(({ event, endpoint: of }) => of === endpoint && (event === 'awake' || event === 'sleeping'));
  await world.events.waitFor(() => last()?.event === 'sleeping', `"sleeping" of ${endpoint}`);
  recorder.hears = 0;
}

/** The radio is on again, and the device updates its registration. */
function wake({ peer, recorder }: Stage): void {
  recorder.hears = Infinity;
  peer.command('update');
}

/** Gives commands in order, and resolves when the server says that so many wait. */
async function giveAndWait({ world, endpoint }: Stage, commands: readonly string[], waiting = commands.length): Promise<void> {
  const from = world.events.seen.length;
  await world.give(endpoint, commands);
  const counted = ({ event, payload }: FlowEvent): boolean => event === 'stats' && payload.waitingCommands === waiting;
  await world.events.waitFor(counted, `stats with ${waiting} waiting commands`, { from });
}

/** The first so many answers from an index of the events on, in the order they came. */
async function answers({ world }: Stage, count: number, from: number): Promise<FlowEvent[]> {
  const all = (): FlowEvent[] => world.events.seen.slice(from).filter(({ event }) => event === 'answer');
  await world.events.waitFor(() => all().length >= count, `${count} answers`, { limit: 80_000 });
  return all();
}

/** What passed from an index on: requests to the device as `> GET /3/0/9`, its answers to them as `<`, its own requests as `* POST /rd/x`. */
function talk({ recorder }: Stage, from: number): string[] {
  const tokens = new Set<string>();
  return recorder.passed.slice(from).flatMap(({ direction, data }) => {
    const message = coap.decodeMessage(data);
    const token = message.token.toString('hex');
    if (coap.isRequest(message)) {
      const text = `${METHODS[message.code]} ${coap.uriPath(message)}`;
      if (direction === 'up') return [`* ${text}`];
      tokens.add(token);
      return [`> ${text}`];
    }
    // Of a token that is known: the answer to a request that passed since.
    return direction === 'up' && coap.isResponse(message) && tokens.has(token) ? ['<'] : [];
  });
}

/** Each request goes out after the answer to the one before. */
function oneByOne(lines: readonly string[], requests: readonly string[]): void {
  const ours = lines.filter((line) => !line.startsWith('*'));
  assert.deepEqual(
    ours,
    requests.flatMap((request) => [`> ${request}`, '<']),
  );
}

withSleeper(
  'Eclipse Leshan in queue mode',
  'leshan',
  (options) => startLeshan({ ...options, queueMode: true }),
  (stage) => {
    it('registers with Q, is awake, and sleeps when nothing was heard of it for the awake window', async () => {
      const { world, endpoint, registered } = stage();
      const { lwm2mVersion, queueMode } = registered.lwm2m.registration;
      assert.deepEqual([lwm2mVersion, queueMode], ['1.1', true]);
      const awake = await world.waitFor('awake', endpoint);
      const sleeping = await world.waitFor('sleeping', endpoint);
      assert.deepEqual([awake.payload.waiting, sleeping.payload.waiting], [0, 0]);
      assert.ok(sleeping.lwm2m.at - awake.lwm2m.at >= WINDOW - 5, 'not before its window is over');
    });

    it('gets what was asked of it while it slept at its next Update, in order, one by one, and each has its late answer', async () => {
      const on = stage();
      await sleep(on);
      const [begin, from, peerFrom] = [on.recorder.passed.length, on.world.events.seen.length, on.peer.events.seen.length];
      const commands = [
        'Read {"id":"/3/0/9"}',
        'WriteReplace {"id":"/3/0/14","value":"+05:30"}',
        'WriteAttributes {"id":"/3/0/9","attributes":{"pmin":1}}',
        'Execute {"id":"/3/0/4"}',
        'Discover {"id":"/3/0/9"}',
        'WriteComposite {"nodes":{"/3442/0/120":7,"/3/0/15":"Europe/Vienna"}}',
        'ReadComposite {"ids":["/3442/0/120","/3/0/15"]}',
        'Create {"id":"/3303/7","value":{"5700":1.5}}',
        'Delete {"id":"/3303/7"}',
        'Observe {"id":"/3303/0/5700"}',
      ];
      await giveAndWait(on, commands);
      assert.deepEqual(talk(on, begin), [], 'nothing passed while it slept');
      assert.deepEqual(on.recorder.unheard, [], 'and nothing was sent in vain');
      assert.equal(on.world.events.seen.slice(from).filter(({ event }) => event === 'answer').length, 0);

      wake(on);
      const came = await answers(on, commands.length, from);
      assert.deepEqual(
        came.map(({ command }) => command),
        commands,
      );
      assert.deepEqual(
        came.map(({ payload }) => payload.value ?? payload.result),
        [
          100,
          'CHANGED',
          'CHANGED',
          'CHANGED',
          [{ url: '/3/0/9', attributes: { pmin: 1 } }],
          'CHANGED',
          { '/3442/0/120': 7, '/3/0/15': 'Europe/Vienna' },
          '/3303/7',
          'DELETED',
          21.5,
        ],
      );
      assert.deepEqual(
        came.map(({ lwm2m }) => lwm2m.queue),
        commands.map((_, at) => ({ waiting: commands.length - 1 - at, position: at + 1 })),
      );
      const awake = await on.world.waitFor('awake', on.endpoint, { from });
      assert.equal(awake.payload.waiting, commands.length);
      const lines = talk(on, begin);
      assert.match(lines[0] ?? '', /^\* POST \/rd\//, 'the Update comes first');
      oneByOne(lines, [
        ...['GET /3/0/9', 'PUT /3/0/14', 'PUT /3/0/9', 'POST /3/0/4', 'GET /3/0/9', 'iPATCH /', 'FETCH /'],
        ...['POST /3303', 'DELETE /3303/7', 'GET /3303/0/5700'],
      ]);
      assert.equal((await on.peer.waitFor('written', '/3/0/14', { from: peerFrom })).value, '+05:30');
      await on.peer.waitFor('executed', '/3/0/4', { from: peerFrom });
    });

    it('gets them at its next notification, too', async () => {
      const on = stage();
      await sleep(on);
      const from = on.world.events.seen.length;
      await giveAndWait(on, ['Read {"id":"/3/0/0"}', 'Read {"id":"/3/0/1"}']);
      on.recorder.hears = Infinity;
      on.peer.command('set /3303/0/5700 22.5');
      const came = await answers(on, 2, from);
      assert.deepEqual(
        came.map(({ payload }) => payload.value),
        ['Interop Works', 'Model L'],
      );
      const notification = await on.world.waitFor('notification', on.endpoint, { from });
      assert.equal(notification.payload, 22.5);
    });

    it('what its radio misses waits at the head, ahead of what was given later', async () => {
      const on = stage();
      await sleep(on);
      const before = on.peer.events.seen.length;
      wake(on);
      await on.peer.waitFor('updated', undefined, { from: before });
      on.recorder.hears = 0;
      const [unheard, from] = [on.recorder.unheard.length, on.world.events.seen.length];
      // Not acknowledged while the device listens, the first goes back.
      await giveAndWait(on, ['Read {"id":"/3/0/2"}', 'Read {"id":"/3/0/3"}']);
      await sleep(on);
      const sent = on.recorder.unheard.slice(unheard).map(({ data }) => coap.uriPath(coap.decodeMessage(data)));
      assert.deepEqual([...new Set(sent)], ['/3/0/2'], 'the second is not sent before the first is done');
      const begin = on.recorder.passed.length;
      wake(on);
      const came = await answers(on, 2, from);
      assert.deepEqual(
        came.map(({ payload }) => payload.value),
        ['SN-0001', '1.0.7'],
      );
      oneByOne(talk(on, begin), ['GET /3/0/2', 'GET /3/0/3']);
    });

    it('is not asked what expired or was replaced meanwhile, and each of that is told', async () => {
      const on = stage();
      await sleep(on);
      const [begin, from] = [on.recorder.passed.length, on.world.events.seen.length];
      const older = 'WriteReplace {"id":"/3/0/14","value":"+01:00"}';
      const newer = 'WriteReplace {"id":"/3/0/14","value":"+02:00"}';
      const short = 'Read {"id":"/3/0/9","ttl":500}';
      const last = 'Read {"id":"/3/0/14"}';
      const none = 'Read {"id":"/3/0/1","ttl":0}';
      await giveAndWait(on, [older, short, newer, last, none], 2);
      const ended = await answers(on, 3, from);
      const told = new Map(ended.map(({ command, payload }) => [command, payload]));
      assert.equal(told.get(older)?.result, 'CANCELLED');
      assert.match(told.get(older)?.error, /a newer write to the same path took its place/);
      assert.equal(told.get(short)?.result, 'EXPIRED');
      assert.equal(told.get(none)?.result, 'EXPIRED');
      wake(on);
      const came = (await answers(on, 5, from)).slice(3);
      assert.deepEqual(
        came.map(({ command, payload }) => [command, payload.value ?? payload.result]),
        [
          [newer, 'CHANGED'],
          [last, '+02:00'],
        ],
      );
      oneByOne(talk(on, begin), ['PUT /3/0/14', 'GET /3/0/14']);
      assert.equal(on.world.events.seen.slice(from).filter(({ event }) => event === 'answer').length, 5, 'each has one result');
    });

    it('finds them when it left and comes back', async () => {
      const on = stage();
      await sleep(on);
      const from = on.world.events.seen.length;
      await giveAndWait(on, ['Read {"id":"/3/0/0"}', 'WriteReplace {"id":"/3/0/14","value":"+09:00"}']);
      on.recorder.hears = Infinity;
      assert.equal(await on.peer.stop(), 0);
      await on.world.waitFor('deregistered', on.endpoint, { from });
      const again = await startLeshan({ port: on.recorder.port, endpoint: on.endpoint, queueMode: true });
      try {
        const came = await answers(on, 2, from);
        assert.deepEqual(
          came.map(({ payload }) => payload.value ?? payload.result),
          ['Interop Works', 'CHANGED'],
        );
        assert.equal((await again.waitFor('written', '/3/0/14')).value, '+09:00');
      } finally {
        await again.stop();
      }
    });
  },
);

withSleeper(
  'A Wakaama fork in queue mode',
  'wakaama',
  // It updates when half of its lifetime is over, and has no way to do it earlier.
  (options) => startWakaamaFork({ ...options, lifetime: 20, binding: 'UQ' }),
  (stage) => {
    it('registers with LwM2M 1.0 and b=UQ, and gets what was asked of it while it slept in order, one by one', async () => {
      const on = stage();
      const { lwm2mVersion, queueMode } = on.registered.lwm2m.registration;
      assert.deepEqual([lwm2mVersion, queueMode], ['1.0', true]);
      await sleep(on);
      const [begin, from] = [on.recorder.passed.length, on.world.events.seen.length];
      const commands = [
        'Read {"id":"/3/0/9"}',
        'WriteReplace {"id":"/3/0/14","value":"+05:30"}',
        'Execute {"id":"/3/0/4"}',
        'Read {"id":"/3/0/14"}',
      ];
      await giveAndWait(on, commands);
      assert.deepEqual(on.recorder.unheard, []);
      on.recorder.hears = Infinity;
      const came = await answers(on, commands.length, from);
      assert.deepEqual(
        came.map(({ command, payload }) => [command, payload.value ?? payload.result]),
        commands.map((command, at) => [command, [88, 'CHANGED', 'CHANGED', '+05:30'][at]]),
      );
      oneByOne(talk(on, begin), ['GET /3/0/9', 'PUT /3/0/14', 'POST /3/0/4', 'GET /3/0/14']);
    });
  },
);

describe('A server without Node-RED and Eclipse Leshan in queue mode', () => {
  it('calls commands back while they wait, and the device does not hear of them', async function () {
    skipWithout(this, 'leshan', reasonMissing('leshan'));
    const endpoint = 'sleeper-called-back';
    const server = createLwm2mServer({
      port: 0,
      host: '127.0.0.1',
      unknownDevices: 'accept-without-security',
      queue: { awakeWindow: 500 },
    });
    const asleep = new Promise<void>((resolve) => server.subscribe(({ kind }) => kind === 'sleeping' && resolve()));
    await server.start();
    const recorder = await UdpRecorder.open(server.port);
    const peer = await startLeshan({ port: recorder.port, endpoint, queueMode: true });
    try {
      await asleep;
      const begin = recorder.passed.length;
      const write = (resource: number, value: string): Promise<OperationResult> =>
        server.perform(endpoint, {
          kind: 'WriteReplace',
          path: { ids: [3, 0, resource] },
          nodes: [{ path: [3, 0, resource], type: 'string', value }],
        });
      const results = [write(14, '+01:00'), write(15, 'Europe/Rome'), write(14, '+03:00')];
      const waiting = server.queue(endpoint);
      assert.deepEqual(
        waiting.map(({ position, sending }) => [position, sending]),
        [
          [1, false],
          [2, false],
          [3, false],
        ],
      );
      assert.equal(server.cancelQueued(waiting[1]!.id), true);
      assert.equal(server.cancelQueued(waiting[1]!.id), false, 'there is none any more');
      const called = await results[1]!;
      assert.deepEqual(called.kind === 'failed' && called.code, 'CANCELLED');
      peer.command('update');
      assert.deepEqual(
        (await Promise.all(results)).map(({ code }) => code),
        ['2.04', 'CANCELLED', '2.04'],
      );
      const sent = recorder.passed.slice(begin).filter(({ direction }) => direction === 'down');
      const paths = sent.map(({ data }) => coap.decodeMessage(data)).filter(coap.isRequest);
      assert.deepEqual(paths.map(coap.uriPath), ['/3/0/14', '/3/0/14']);
      assert.deepEqual(
        peer.events.seen.filter(({ event }) => event === 'written').map(({ value }) => value),
        ['+01:00', '+03:00'],
      );
    } finally {
      await peer.stop();
      recorder.close();
      await server.close();
    }
  });
});
