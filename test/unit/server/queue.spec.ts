import assert from 'node:assert/strict';
import type { Operation, OperationOptions, OperationResult } from '../../../lib/server/types';
import * as coap from '../../support/coap-message';
import { eventsOf, type Ground, type GroundOptions } from '../../support/ground';
import { at, closeAll, createWorld, ELSEWHERE, node, observe, perform, read, ScriptedPeer, story } from './fixture';

const SECOND = 1000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const WINDOW = 93 * SECOND;

const write = (value: number, ...ids: number[]): Operation => ({
  kind: 'WriteReplace',
  path: at(...ids),
  nodes: [node(ids.join('/'), 'integer', value)],
});
const update = (values: Readonly<Record<string, string>>): Operation => ({
  kind: 'WriteUpdate',
  path: at(3, 0),
  nodes: Object.entries(values).map(([id, value]) => node(`3/0/${id}`, 'string', value)),
});
const execute: Operation = { kind: 'Execute', path: at(3, 0, 4) };
const origin = (context: unknown) => ({ origin: { nodeId: 'n1', context } });

/** A registered device in queue mode, and the results of the commands given so far. */
function world(options: GroundOptions = {}, query: readonly string[] = ['lt=1000000', 'Q']) {
  const ground = createWorld(options);
  const peer = new ScriptedPeer(ground);
  const id = peer.register({ query });
  const results: string[] = [];
  const full: OperationResult[] = [];
  const give = (operation: Operation, how: OperationOptions = {}, name = ''): void => {
    void ground.server.perform('dev', operation, how).then((result) => {
      results.push(`${name}${result.kind === 'answer' ? result.result : result.code}`);
      full.push(result);
    });
  };
  return { ground, peer, id, results, full, give };
}

/** Promises have told of their results. */
const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const pathOf = (request: coap.CoapMessage): string => `/${coap.texts(request, coap.OptionNumber.UriPath).join('/')}`;
const errorOf = (result: OperationResult | undefined): string => (result?.kind === 'failed' ? result.error : '');

/** An Update, whose answer comes before anything else; what the server sends next stays in the inbox. */
function wake(peer: ScriptedPeer, id: string): void {
  const mid = peer.request({ path: `/rd/${id}` });
  peer.tick();
  const answer = peer.take();
  assert.equal(answer.mid, mid);
  assert.equal(coap.codeText(answer.code), '2.04');
}

/** Answers what the server asks, one after the other, and gives back the paths. */
function serve(peer: ScriptedPeer, code = '2.04'): string[] {
  const paths: string[] = [];
  while (peer.inbox.length > 0) {
    const request = peer.takeRequest();
    peer.quiet();
    paths.push(pathOf(request));
    peer.answer(request, code);
  }
  return paths;
}

/** Lets the device fall asleep, with nothing on the way. */
function sleep(ground: Ground, peer: ScriptedPeer, milliseconds = WINDOW): void {
  ground.clock.advance(milliseconds);
  peer.quiet();
  ground.events.length = 0;
}

describe('awake and sleeping', () => {
  afterEach(closeAll);

  it('[SRV-230] tells of a device that wakes by registering, and sleeps 93 s after its last message', () => {
    const { ground, peer, id } = world();
    assert.deepEqual(story(ground.events), ['registered dev', 'awake dev']);
    assert.equal(ground.server.awake('dev'), true);
    ground.clock.advance(60 * SECOND);
    assert.equal(peer.code({ path: `/rd/${id}` }), '2.04');
    ground.clock.advance(WINDOW - 10);
    assert.equal(ground.server.awake('dev'), true);
    ground.clock.advance(10);
    assert.equal(ground.server.awake('dev'), false);
    assert.deepEqual(story(ground.events), ['registered dev', 'awake dev', 'updated dev', 'sleeping dev']);
    assert.equal(peer.code({ path: `/rd/${id}` }), '2.04');
    assert.deepEqual(story(ground.events).slice(4), ['updated dev', 'awake dev']);
  });

  for (const [version, query] of [
    ['1.0', ['b=UQ']],
    ['1.1', ['Q']],
    ['1.2', ['Q', 'b=U']],
  ] as const) {
    it(`[SRV-230] knows queue mode in LwM2M ${version}`, () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      peer.register({ version, query: ['lt=1000', ...query] });
      assert.equal(ground.server.awake('dev'), true);
    });
  }

  it('[SRV-230] takes a device without queue mode for awake', async () => {
    const { ground, peer } = world({}, ['lt=1000000']);
    ground.clock.advance(DAY);
    assert.equal(ground.server.awake('dev'), undefined);
    await perform(ground, peer, { operation: read(3, 0, 9), answer: { payload: '1', contentFormat: 0 } });
    assert.deepEqual(story(ground.events), ['registered dev']);
  });

  it('[SRV-231] takes a Send, a notification and an answer for a sign of life', async () => {
    const { ground, peer } = world();
    const { request } = await perform(ground, peer, {
      operation: observe(3, 0, 9),
      answer: { payload: '20', contentFormat: 0, observe: 1 },
    });
    const extended = (): void => {
      ground.clock.advance(WINDOW - 100);
      assert.equal(ground.server.awake('dev'), true);
    };
    extended();
    assert.equal(peer.code({ path: '/dp', contentFormat: 110, payload: '[{"n":"/3/0/9","v":5}]' }), '2.04');
    extended();
    peer.push(request.token, '2.05', { payload: '21', contentFormat: 0, observe: 2 });
    extended();
    await perform(ground, peer, { operation: read(3, 0, 9), answer: { payload: '1', contentFormat: 0 } });
    extended();
    ground.clock.advance(100);
    assert.equal(ground.server.awake('dev'), false);
  });

  it('[SRV-232] takes the window from the device table, else from the registration, else from the server', () => {
    const sleepsAfter = (options: GroundOptions, query: readonly string[], milliseconds: number): void => {
      const { ground } = world(options, ['lt=100000', 'Q', ...query]);
      ground.clock.advance(milliseconds - 10);
      assert.equal(ground.server.awake('dev'), true);
      ground.clock.advance(10);
      assert.equal(ground.server.awake('dev'), false);
    };
    const queue = { awakeWindow: 22_000, awakeParameter: 'at' };
    const devices = [{ endpoint: 'dev', mode: 'none', awakeWindow: 5_000 }] as const;
    sleepsAfter({ queue }, [], 22_000);
    sleepsAfter({ queue }, ['at=40'], 40_000);
    sleepsAfter({ queue }, ['at=2.5'], 2_500);
    for (const odd of ['at', 'at=0', 'at=-4', 'at=soon', 'at=1e9']) sleepsAfter({ queue }, [odd], 22_000);
    sleepsAfter({ queue, devices }, ['at=40'], 5_000);
    sleepsAfter({}, ['at=40'], WINDOW);
  });

  it('[SRV-233] takes a device that does not acknowledge for asleep', () => {
    const { ground, peer, give } = world({}, ['lt=1000000', 'Q']);
    give(read(3, 0, 9), { timeout: 10_000 });
    ground.clock.advance(10_000);
    assert.equal(ground.server.awake('dev'), false);
    assert.deepEqual(story(ground.events), ['registered dev', 'awake dev', 'sleeping dev']);
    assert.equal(ground.server.queue('dev').length, 1);
    assert.ok(peer.inbox.length > 1);
  });

  it('[SRV-230] goes on after a restart where it was', () => {
    const { ground, peer, id } = world();
    ground.events.length = 0;
    ground.restart({ off: 30 * SECOND });
    assert.equal(peer.code({ path: `/rd/${id}` }), '2.04');
    ground.restart({ off: WINDOW - 100 });
    ground.clock.advance(100);
    assert.deepEqual(story(ground.events), ['updated dev', 'sleeping dev']);
    ground.restart({ off: WINDOW });
    assert.equal(ground.server.awake('dev'), false);
    ground.clock.advance(DAY);
    assert.deepEqual(story(ground.events), ['updated dev', 'sleeping dev']);
  });

  it('[SRV-230] tells of nothing when the registration has ended', () => {
    const { ground, peer, id } = world();
    peer.code({ path: `/rd/${id}`, code: '0.04' });
    ground.clock.advance(DAY);
    assert.deepEqual(story(ground.events), ['registered dev', 'awake dev', 'deregistered dev']);
  });
});

describe('commands for a sleeping device', () => {
  afterEach(closeAll);

  it('[SRV-234] gives twenty commands to a device that slept a day, in order and one at a time', async () => {
    const { ground, peer, id, results, give } = world({ queue: { queueTtl: 2 * DAY } });
    sleep(ground, peer);
    for (let n = 0; n < 20; n++) give(write(n, 3303, 0, n), {}, `${n} `);
    assert.deepEqual(
      ground.server.queue('dev').map(({ position }) => position),
      Array.from({ length: 20 }, (_, n) => n + 1),
    );
    ground.clock.advance(DAY);
    peer.quiet();
    await settled();
    assert.deepEqual(results, []);
    wake(peer, id);
    const paths = serve(peer);
    assert.deepEqual(
      paths,
      Array.from({ length: 20 }, (_, n) => `/3303/0/${n}`),
    );
    await settled();
    assert.deepEqual(
      results,
      Array.from({ length: 20 }, (_, n) => `${n} CHANGED`),
    );
    assert.deepEqual(eventsOf(ground.events, 'awake').at(-1)?.waiting, 20);
    assert.deepEqual(ground.server.queue('dev'), []);
  });

  it('[SRV-234] sends nothing before the answer to the Update', () => {
    const { ground, peer, id, give } = world();
    sleep(ground, peer);
    give(read(3, 0, 9));
    const mid = peer.request({ path: `/rd/${id}` });
    peer.tick();
    assert.equal(peer.take().mid, mid);
    assert.equal(pathOf(peer.takeRequest()), '/3/0/9');
  });

  it('[SRV-235] says on the result where a command began to wait, and how many still do', async () => {
    const { ground, peer, id, full, give } = world();
    give(write(0, 3303, 0, 0));
    peer.tick();
    serve(peer);
    sleep(ground, peer);
    for (let n = 1; n < 4; n++) give(write(n, 3303, 0, n));
    wake(peer, id);
    serve(peer);
    await settled();
    assert.deepEqual(
      full.map(({ queue }) => queue),
      [undefined, { position: 1, waiting: 2 }, { position: 2, waiting: 1 }, { position: 3, waiting: 0 }],
    );
  });

  it('[SRV-236] puts a command back to the head when the device falls asleep over it', async () => {
    const { ground, peer, id, results, give } = world();
    sleep(ground, peer);
    give(write(1, 3303, 0, 1), {}, '1 ');
    give(write(2, 3303, 0, 2), {}, '2 ');
    wake(peer, id);
    ground.clock.advance(120 * SECOND);
    assert.ok(peer.inbox.length > 1);
    assert.ok(peer.inbox.every((message) => pathOf(message) === '/3303/0/1'));
    peer.inbox.length = 0;
    assert.equal(ground.server.awake('dev'), false);
    give(write(3, 3303, 0, 3), {}, '3 ');
    ground.clock.advance(HOUR);
    peer.quiet();
    wake(peer, id);
    assert.deepEqual(serve(peer), ['/3303/0/1', '/3303/0/2', '/3303/0/3']);
    await settled();
    assert.deepEqual(results, ['1 CHANGED', '2 CHANGED', '3 CHANGED']);
  });

  it('[SRV-237] ends a command whose time is over with EXPIRED, and sends the others', async () => {
    const { ground, peer, id, results, full, give } = world();
    sleep(ground, peer);
    give(write(1, 3303, 0, 1), { ttl: HOUR }, '1 ');
    give(write(2, 3303, 0, 2), {}, '2 ');
    ground.clock.advance(HOUR - 10);
    await settled();
    assert.deepEqual(results, []);
    ground.clock.advance(10);
    await settled();
    assert.deepEqual(results, ['1 EXPIRED']);
    assert.equal(errorOf(full[0]), 'WriteReplace /3303/0/1 of "dev": the device was not reached within the 3600 s the command had.');
    assert.equal(ground.server.counters().commandsExpired, 1);
    wake(peer, id);
    assert.deepEqual(serve(peer), ['/3303/0/2']);
    give(read(1, 0, 1), {}, '3 ');
    ground.clock.advance(2 * DAY);
    await settled();
    assert.deepEqual(results, ['1 EXPIRED', '2 CHANGED', '3 EXPIRED']);
  });

  it('[SRV-237] with a time of 0 does not wait', async () => {
    const { ground, peer, results, give } = world();
    sleep(ground, peer);
    give(read(3, 0, 9), { ttl: 0 });
    ground.clock.advance(1);
    await settled();
    assert.deepEqual(results, ['EXPIRED']);
  });

  it('[SRV-238] refuses more than may wait with BUSY, and counts it', async () => {
    const { ground, peer, id, results, full, give } = world({ queue: { queueLimit: 3 } });
    sleep(ground, peer);
    for (let n = 1; n <= 4; n++) give(write(n, 3303, 0, n), {}, `${n} `);
    await settled();
    assert.deepEqual(results, ['4 BUSY']);
    assert.match(errorOf(full[0]), /3 commands wait for "dev" already, which is the limit/);
    assert.equal(ground.server.counters().commandsOverflowed, 1);
    wake(peer, id);
    assert.deepEqual(serve(peer), ['/3303/0/1', '/3303/0/2', '/3303/0/3']);
  });

  it('[SRV-238] has a limit for all devices together', async () => {
    const { ground, peer, results, full, give } = world({ queue: { queueTotal: 2 } });
    sleep(ground, peer);
    for (let n = 1; n <= 3; n++) give(write(n, 3303, 0, n), {}, `${n} `);
    await settled();
    assert.deepEqual(results, ['3 BUSY']);
    assert.match(errorOf(full[0]), /2 commands wait for sleeping devices already/);
  });

  it('[SRV-239] calls back what waits of one caller, for one device or for all', async () => {
    const { ground, peer, id, results, give } = world();
    const other = new ScriptedPeer(ground, ELSEWHERE, 0x2000, 'other');
    other.register({ endpoint: 'other', query: ['lt=1000000', 'Q'] });
    sleep(ground, peer);
    give(execute, origin(1), 'mine ');
    give(execute, { origin: { nodeId: 'n2', context: 2 } }, 'theirs ');
    void ground.server.perform('other', execute, origin(3)).then(({ kind }) => results.push(`elsewhere ${kind}`));
    assert.equal(ground.server.cancelWaitingOf('n1', 'nobody'), 0);
    assert.equal(ground.server.cancelWaitingOf('n1', 'dev'), 1);
    await settled();
    assert.deepEqual(results, ['mine CANCELLED']);
    assert.equal(ground.server.cancelWaitingOf('n1'), 1);
    assert.equal(ground.server.cancelWaitingOf('n1'), 0);
    await settled();
    assert.deepEqual(results, ['mine CANCELLED', 'elsewhere failed']);
    wake(peer, id);
    assert.deepEqual(serve(peer), ['/3/0/4'], 'that of the other caller');
  });

  it('[SRV-239] calls back a command that waits, and one on its way', async () => {
    const { ground, peer, id, results, full, give } = world();
    sleep(ground, peer);
    for (let n = 1; n <= 3; n++) give(write(n, 3303, 0, n), {}, `${n} `);
    const second = ground.server.queue('dev')[1]!;
    assert.equal(ground.server.cancelQueued(second.id), true);
    assert.equal(ground.server.cancelQueued(second.id), false);
    await settled();
    assert.deepEqual(results, ['2 CANCELLED']);
    assert.equal(errorOf(full[0]), 'WriteReplace /3303/0/2 of "dev": it was called back before it was sent.');
    wake(peer, id);
    assert.equal(pathOf(peer.takeRequest()), '/3303/0/1');
    const first = ground.server.queue('dev')[0]!;
    assert.deepEqual([first.sending, first.position], [true, 0]);
    assert.equal(ground.server.cancelQueued(first.id), true);
    peer.tick();
    assert.equal(pathOf(peer.takeRequest()), '/3303/0/3');
    await settled();
    assert.deepEqual(results, ['2 CANCELLED', '1 CANCELLED']);
  });

  it('[SRV-240] on request lets a newer write to the same path take the place of an older one', async () => {
    const { ground, peer, id, results, full, give } = world({ queue: { replaceWrites: true } });
    sleep(ground, peer);
    give(write(1, 3303, 0, 1), {}, '1 ');
    give(read(3303, 0, 1), {}, '2 ');
    give(write(3, 3303, 0, 1), {}, '3 ');
    give(write(4, 3303, 0, 2), {}, '4 ');
    give(update({ 14: '+1' }), {}, '5 ');
    give(update({ 15: 'x' }), {}, '6 ');
    give(update({ 14: '+2', 16: 'U' }), {}, '7 ');
    await settled();
    assert.deepEqual(results, ['1 CANCELLED', '5 CANCELLED']);
    assert.match(errorOf(full[0]), /a newer write to the same path took its place/);
    wake(peer, id);
    assert.deepEqual(serve(peer), ['/3303/0/1', '/3303/0/1', '/3303/0/2', '/3/0', '/3/0']);
  });

  it('[SRV-240] keeps them all otherwise', async () => {
    const { ground, peer, results, give } = world();
    sleep(ground, peer);
    give(write(1, 3303, 0, 1));
    give(write(2, 3303, 0, 1));
    await settled();
    assert.deepEqual(results, []);
    assert.equal(ground.server.queue('dev').length, 2);
  });

  it('[SRV-241] tells at once of a command that cannot be done at all', async () => {
    const { ground, peer, results, give } = world();
    sleep(ground, peer);
    give({ kind: 'WriteReplace', path: at(3, 0, 15), nodes: [node('3/0/15', 'objlnk', 'nonsense')] });
    await settled();
    assert.deepEqual(results, ['BAD_REQUEST']);
    assert.equal(ground.server.awake('dev'), false);
  });

  it('[SRV-242] keeps commands over a new registration, from elsewhere too', async () => {
    const { ground, peer, results, give } = world();
    sleep(ground, peer);
    give(write(1, 3303, 0, 1), {}, '1 ');
    give(write(2, 3303, 0, 2), {}, '2 ');
    peer.host.move(ELSEWHERE);
    peer.request({ query: ['ep=dev', 'lwm2m=1.1', 'lt=1000', 'Q'], contentFormat: 40, payload: '</3/0>,</3303/0>' });
    peer.tick();
    assert.equal(coap.codeText(peer.take().code), '2.01');
    assert.equal(pathOf(peer.take()), '/3303/0/1');
    // Once more, while the first is on its way.
    peer.request({
      query: ['ep=dev', 'lwm2m=1.1', 'lt=1000', 'Q'],
      contentFormat: 40,
      payload: '</3/0>,</3303/0>',
      token: Buffer.from('b2', 'hex'),
    });
    peer.tick();
    assert.equal(coap.codeText(peer.take().code), '2.01');
    assert.deepEqual(serve(peer), ['/3303/0/1', '/3303/0/2']);
    await settled();
    assert.deepEqual(results, ['1 CHANGED', '2 CHANGED']);
  });

  it('[SRV-242] keeps them after the device has left, until their time is over', async () => {
    const { ground, peer, id, results, give } = world();
    sleep(ground, peer);
    give(write(1, 3303, 0, 1), { ttl: HOUR }, '1 ');
    give(write(2, 3303, 0, 2), {}, '2 ');
    // The answer to the Deregister, and no command.
    assert.equal(peer.code({ path: `/rd/${id}`, code: '0.04' }), '2.02');
    ground.clock.advance(2 * HOUR);
    await settled();
    assert.deepEqual(results, ['1 EXPIRED']);
    peer.request({ query: ['ep=dev', 'lwm2m=1.1', 'lt=1000'], contentFormat: 40, payload: '</3/0>,</3303/0>' });
    peer.tick();
    assert.equal(coap.codeText(peer.take().code), '2.01');
    assert.deepEqual(serve(peer), ['/3303/0/2']);
    await settled();
    assert.deepEqual(results, ['1 EXPIRED', '2 CHANGED']);
  });

  it('[SRV-242] does not execute again what a device may have begun before it registered anew', async () => {
    const { ground, peer, results, give } = world();
    give(execute);
    peer.tick();
    assert.equal(pathOf(peer.takeRequest()), '/3/0/4');
    peer.register({ query: ['lt=1000', 'Q'] });
    ground.clock.advance(200 * SECOND);
    peer.quiet();
    await settled();
    assert.deepEqual(results, ['CANCELLED']);
  });

  it('[SRV-243] tries a device with eDRX once a cycle, although it sleeps', async () => {
    const devices = [{ endpoint: 'dev', mode: 'none', edrxCycle: HOUR, timeout: 10_000 }] as const;
    const { ground, peer, results, give } = world({ devices });
    sleep(ground, peer);
    give(write(1, 3303, 0, 1), {}, '1 ');
    give(write(2, 3303, 0, 2), {}, '2 ');
    peer.tick();
    assert.equal(pathOf(peer.takeRequest()), '/3303/0/1');
    ground.clock.advance(10_000);
    peer.inbox.length = 0;
    ground.clock.advance(HOUR - 100);
    peer.quiet();
    ground.clock.advance(100);
    assert.deepEqual(serve(peer), ['/3303/0/1', '/3303/0/2']);
    await settled();
    assert.deepEqual(results, ['1 CHANGED', '2 CHANGED']);
    assert.equal(ground.server.awake('dev'), true);
  });
});

describe('waiting commands that outlive the server', () => {
  afterEach(closeAll);

  it('[SRV-244] are sent in order after a restart, and end as events with what the caller gave', () => {
    const { ground, peer, id, give } = world();
    sleep(ground, peer);
    const context = { msg: { _msgid: 'a', bytes: new Uint8Array([0, 255]), big: 2n ** 60n } };
    give(write(1, 3303, 0, 1), { ...origin(context), timeout: 5000 });
    give({ kind: 'Execute', path: at(3, 0, 4), args: "0='x'" }, origin(2));
    give({ kind: 'Execute', path: at(3, 0, 9) });
    assert.equal(ground.server.waitingOf('n1'), 2);
    assert.deepEqual(ground.restart({ off: HOUR }), []);
    assert.equal(ground.server.waitingOf('n1'), 2);
    assert.equal(ground.server.queue('dev').length, 3);
    wake(peer, id);
    assert.deepEqual(serve(peer), ['/3303/0/1', '/3/0/4', '/3/0/9']);
    assert.equal(ground.server.counters().waitingCommands, 0);
    const results = eventsOf(ground.events, 'command');
    assert.deepEqual(
      results.map(({ operation, endpoint, origin: from }) => [operation.kind, endpoint, from]),
      [
        ['WriteReplace', 'dev', { nodeId: 'n1', context }],
        ['Execute', 'dev', { nodeId: 'n1', context: 2 }],
        ['Execute', 'dev', undefined],
      ],
    );
    assert.deepEqual(story(results), ['command dev CHANGED', 'command dev CHANGED', 'command dev CHANGED']);
    assert.deepEqual(
      [...ground.kept().keys()].filter((key) => key.startsWith('cmd/')),
      [],
    );
  });

  it('[SRV-244] count their time while the server is away', () => {
    const { ground, peer, give } = world();
    sleep(ground, peer);
    give(write(1, 3303, 0, 1), { ttl: HOUR });
    give(write(2, 3303, 0, 2), { ttl: 3 * HOUR });
    assert.deepEqual(ground.restart({ off: 2 * HOUR }), []);
    ground.clock.advance(1);
    assert.deepEqual(story(ground.events), ['command dev EXPIRED']);
    ground.clock.advance(HOUR);
    assert.deepEqual(story(ground.events), ['command dev EXPIRED', 'command dev EXPIRED']);
  });

  it('[SRV-244] among them the one that was on its way', () => {
    const { ground, peer, id, give } = world();
    give(write(1, 3303, 0, 1));
    give(write(2, 3303, 0, 2));
    peer.tick();
    assert.equal(pathOf(peer.takeRequest()), '/3303/0/1');
    ground.restart({ off: HOUR });
    wake(peer, id);
    assert.deepEqual(serve(peer), ['/3303/0/1', '/3303/0/2']);
    assert.equal(eventsOf(ground.events, 'command').length, 2);
  });

  it('[SRV-244] leave at once when the device should still be awake, or needs no waking', () => {
    const { ground, peer, give } = world();
    give(write(1, 3303, 0, 1));
    peer.tick();
    peer.takeRequest();
    ground.restart({ off: 10_000 });
    ground.clock.advance(2);
    assert.deepEqual(serve(peer), ['/3303/0/1']);
  });

  it('[SRV-244] can be called back after a restart', () => {
    const { ground, peer, give } = world();
    sleep(ground, peer);
    give(write(1, 3303, 0, 1));
    ground.restart({ off: HOUR });
    ground.events.length = 0;
    assert.equal(ground.server.cancelQueued(ground.server.queue('dev')[0]!.id), true);
    assert.deepEqual(story(ground.events), ['command dev CANCELLED']);
  });

  it('[SRV-245] passes over a damaged record, and one that cannot be done ends with its result', () => {
    const { ground, peer, id, give } = world();
    sleep(ground, peer);
    give(write(1, 3303, 0, 1));
    const [key, record] = [...ground.kept()].find(([name]) => name.startsWith('cmd/'))! as [string, Record<string, unknown>];
    const damaged: unknown[] = [
      null,
      7,
      'x',
      [],
      {},
      { ...record, endpoint: '' },
      { ...record, seq: -1 },
      { ...record, expiresAt: 'soon' },
      { ...record, operation: null },
      { ...record, operation: { kind: 'Read' } },
      { ...record, operation: { kind: 'Read', path: '/3/x' } },
      { ...record, operation: { kind: 'WriteReplace', path: '/3/0/1', nodes: [{ path: [3, 0, 70000], type: 'string' }] } },
      { ...record, timeout: 'long' },
      { ...record, nodeId: 5 },
    ];
    for (const [at, value] of damaged.entries()) {
      const records = new Map(ground.kept());
      records.set(key, value);
      assert.deepEqual(ground.restart({ records }), [key], `record ${at}`);
    }
    const records = new Map(ground.kept());
    records.set(key, { ...record, operation: { kind: 'Levitate', path: '/3/0/1' } });
    assert.deepEqual(ground.restart({ records }), []);
    ground.events.length = 0;
    wake(peer, id);
    peer.quiet();
    assert.deepEqual(story(ground.events).at(-1), 'command dev BAD_REQUEST');
  });
});
