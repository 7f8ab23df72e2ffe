import assert from 'node:assert/strict';
import type { Operation, OperationOptions } from '../../../lib/server/types';
import * as coap from '../../support/coap-message';
import { eventsOf } from '../../support/ground';
import { answered, at, closeAll, createWorld, failed, node, perform, ScriptedPeer, story } from './fixture';

const METHODS = ['', 'GET', 'POST', 'PUT', 'DELETE', 'FETCH', 'PATCH', 'iPATCH'];
const LIST = '</>;ct="110 112",</1/0>,</3/0>,</5/0>,</19/0>';

/** The request in one line, its body as text or, where it is not, in hex. */
function line(message: coap.CoapMessage): string {
  const parts = [METHODS[message.code] ?? '', coap.uriPath(message)];
  const query = coap.texts(message, coap.OptionNumber.UriQuery);
  if (query.length > 0) parts.push(`?${query.join('&')}`);
  for (const [name, option] of [
    ['observe', coap.OptionNumber.Observe],
    ['ct', coap.OptionNumber.ContentFormat],
    ['accept', coap.OptionNumber.Accept],
  ] as const) {
    const value = coap.number(message, option);
    if (value !== undefined) parts.push(`${name}=${value}`);
  }
  const text = message.payload.toString();
  if (text !== '') parts.push(/^[ -~]*$/.test(text) ? text : message.payload.toString('hex'));
  return parts.join(' ');
}

const composite = (...paths: number[][]): { paths: { ids: number[] }[] } => ({ paths: paths.map((ids) => ({ ids })) });
const readAll = (...paths: number[][]): Operation => ({ kind: 'ReadComposite', ...composite(...paths) });
const observeAll = (...paths: number[][]): Operation => ({ kind: 'ObserveComposite', ...composite(...paths) });
const cancelAll = (...paths: number[][]): Operation => ({ kind: 'ObserveCompositeCancel', ...composite(...paths) });

interface Row {
  readonly operation: Operation;
  readonly options?: OperationOptions;
  readonly list?: string;
  readonly version?: string;
  readonly wire: string;
}

describe('composites, creation, deletion and attributes on the wire', () => {
  afterEach(closeAll);

  const write: Operation = {
    kind: 'WriteComposite',
    ...composite([3, 0, 14], [1, 0, 2]),
    nodes: [node('3/0/14', 'string', '+02'), node('1/0/2', 'integer', 10)],
  };
  const data = [node('19/2/0/0', 'opaque', Buffer.from('00ad', 'hex'))];
  const anyInstance = [node('19/0/0/0', 'opaque', Buffer.from('00ad', 'hex'))];
  const json = '</>;ct=110,</1/0>,</3/0>,</19/0>,</19/1>';
  const bare = '</1/0>,</3/0>,</19/0>';

  const rows: readonly (readonly [string, Row])[] = [
    // [{0:"/3/0/9"}, {0:"/1"}] in CBOR.
    ['[SRV-222]', { operation: readAll([3, 0, 9], [1]), wire: 'FETCH / ct=112 accept=112 82a100662f332f302f39a100622f31' }],
    ['[SRV-222]', { operation: readAll([3, 0, 9]), list: json, wire: 'FETCH / ct=110 accept=110 [{"n":"/3/0/9"}]' }],
    [
      '[SRV-222]',
      {
        operation: readAll([3, 0, 9], [1]),
        options: { contentFormat: 110 },
        wire: 'FETCH / ct=110 accept=110 [{"n":"/3/0/9"},{"n":"/1"}]',
      },
    ],
    ['[SRV-222]', { operation: readAll([3, 0, 9]), list: bare, wire: 'FETCH / ct=112 accept=112 81a100662f332f302f39' }],
    [
      '[SRV-222]',
      { operation: readAll([3, 0, 9]), list: '</r>;rt="oma.lwm2m";ct=110,</r/3/0>', wire: 'FETCH /r ct=110 accept=110 [{"n":"/r/3/0/9"}]' },
    ],
    ['[SRV-222]', { operation: write, list: json, wire: 'iPATCH / ct=110 [{"n":"/3/0/14","vs":"+02"},{"n":"/1/0/2","v":10}]' }],
    [
      '[SRV-112]',
      { operation: observeAll([3, 0, 9], [1]), list: json, wire: 'FETCH / observe=0 ct=110 accept=110 [{"n":"/3/0/9"},{"n":"/1"}]' },
    ],
    [
      '[SRV-112]',
      {
        operation: { kind: 'ObserveComposite', ...composite([3, 0, 9]), attributes: [['pmin', '5']] },
        list: json,
        version: '1.2',
        wire: 'FETCH / ?pmin=5 observe=0 ct=110 accept=110 [{"n":"/3/0/9"}]',
      },
    ],
    [
      '[SRV-112]',
      { operation: { kind: 'Observe', path: at(3, 0, 9), attributes: [['pmin', '5']] }, list: bare, wire: 'GET /3/0/9 ?pmin=5 observe=0' },
    ],
    ['[SRV-220]', { operation: { kind: 'Discover', path: at(3), depth: 3 }, wire: 'GET /3 ?depth=3 accept=40' }],
    ['[SRV-220]', { operation: { kind: 'Delete', path: at(19, 1) }, wire: 'DELETE /19/1' }],
    [
      '[SRV-220]',
      {
        operation: {
          kind: 'WriteAttributes',
          path: at(3, 0, 9),
          attributes: [
            ['pmin', '10'],
            ['pmax', null],
          ],
        },
        wire: 'PUT /3/0/9 ?pmin=10&pmax',
      },
    ],
    // TLV: instance 2 of 6 bytes, multiple resource 0 of 4, instance 0 with 00ad; without an id the resource alone.
    [
      '[SRV-221]',
      { operation: { kind: 'Create', path: at(19, 2), nodes: data }, list: bare, wire: 'POST /19 ct=11542 060284004200' + '00ad' },
    ],
    ['[SRV-221]', { operation: { kind: 'Create', path: at(19), nodes: anyInstance }, list: bare, wire: 'POST /19 ct=11542 8400420000ad' }],
    ['[SRV-221]', { operation: { kind: 'Create', path: at(19), nodes: [] }, list: bare, wire: 'POST /19 ct=11542' }],
    [
      '[SRV-221]',
      {
        operation: { kind: 'Create', path: at(19), nodes: anyInstance },
        list: json,
        wire: 'POST /19 ct=110 [{"n":"/19/2/0/0","vd":"AK0"}]',
      },
    ],
    ['[SRV-221]', { operation: { kind: 'Create', path: at(19, 7), nodes: [] }, list: json, wire: 'POST /19 ct=110 [{"n":"/19/7"}]' }],
    [
      '[SRV-221]',
      {
        operation: { kind: 'Create', path: at(19), nodes: anyInstance },
        list: '</>;ct="110 11542",</19/0>',
        wire: 'POST /19 ct=11542 8400420000ad',
      },
    ],
  ];
  for (const [id, { operation, options, list = LIST, version = '1.1', wire }] of rows) {
    it(`${id} sends ${operation.kind} (${list.split(',')[0]}) as ${wire.slice(0, 60)}`, async () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      peer.register({ payload: list, version });
      const { request } = await perform(ground, peer, { operation, ...(options && { options }), code: '4.04' });
      assert.equal(line(request), wire);
    });
  }

  function world(payload = LIST): { ground: ReturnType<typeof createWorld>; peer: ScriptedPeer } {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    peer.register({ payload });
    return { ground, peer };
  }

  it('[SRV-222] sends nothing for a format that holds no paths', async () => {
    const { ground, peer } = world();
    for (const contentFormat of [0, 11_542]) {
      const result = failed(await ground.server.perform('dev', readAll([3, 0, 9]), { contentFormat }));
      assert.equal(result.code, 'BAD_REQUEST');
      assert.match(result.error, /a composite goes in SenML/);
    }
    peer.quiet();
  });

  it('[SRV-223] leaves out what was not asked for, with a warning; nothing at all is an answer too', async () => {
    const { ground, peer } = world();
    const payload = '[{"n":"/3/0/9","v":75},{"n":"/5/0/3","v":0}]';
    const { result } = await perform(ground, peer, { operation: readAll([3, 0, 9], [1]), answer: { payload, contentFormat: 110 } });
    assert.deepEqual(answered(result).nodes, [node('3/0/9', 'integer', 75)]);
    assert.match(String(answered(result).warnings), /also gave \/5\/0\/3, which was not asked for/);
    const empty = await perform(ground, peer, { operation: readAll([3, 0, 9]), answer: { payload: '[]', contentFormat: 110 } });
    assert.deepEqual(answered(empty.result).nodes, []);
  });

  it('[SRV-223] says of a time-out that the device may not know composites', async () => {
    const { ground, peer } = world();
    const result = ground.server.perform('dev', readAll([3, 0, 9]), { timeout: 5000 });
    peer.tick();
    peer.acknowledge(peer.takeRequest());
    ground.clock.advance(6000);
    const { code, error } = failed(await result);
    assert.equal(code, 'TIMEOUT_NO_RESPONSE');
    assert.match(error, /ReadComposite \/3\/0\/9 of "dev".*without composite operations.*one by one/);
  });

  it('[SRV-082] keeps the code of a refused Write-Composite', async () => {
    const { ground, peer } = world();
    const { result } = await perform(ground, peer, { operation: write, code: '4.05', answer: { payload: 'read-only' } });
    const { ok, code, error } = answered(result);
    assert.deepEqual({ ok, code, error }, { ok: false, code: '4.05', error: 'read-only' });
  });

  it('[SRV-221] tells where a new instance is', async () => {
    const { ground, peer } = world('</r>;rt="oma.lwm2m",</r/19/0>');
    const create = (ids: number[]): Operation => ({ kind: 'Create', path: { ids }, nodes: [] });
    const location = (...segments: string[]) => ({
      options: segments.map((text) => ({ number: coap.OptionNumber.LocationPath, value: Buffer.from(text) })),
    });
    for (const [ids, answer, expected] of [
      [[19], location('19', '2'), [19, 2]],
      [[19], location('r', '19', '2'), [19, 2]],
      [[19, 5], {}, [19, 5]],
      [[19], {}, undefined],
      [[19], location('x', 'y'), undefined],
      [[19], location('19', '70000'), undefined],
    ] as const) {
      const { result } = await perform(ground, peer, { operation: create([...ids]), code: '2.01', answer });
      assert.equal(answered(result).result, 'CREATED');
      assert.deepEqual(answered(result).location, expected);
    }
  });

  it('[SRV-081] says of links that are none that they cannot be read', async () => {
    const { ground, peer } = world();
    const { result } = await perform(ground, peer, {
      operation: { kind: 'Discover', path: at(3) },
      answer: { payload: '3/0', contentFormat: 40 },
    });
    assert.equal(failed(result).code, 'BAD_RESPONSE');
    assert.match(failed(result).error, /links cannot be read/);
  });

  it('[SRV-224] answers DiscoverAll and ObserveReadAll without asking the device', async () => {
    const { ground, peer } = world('</>;rt="oma.lwm2m";ct="110 112",</31024>;ver=1.0,</31024/10>,</3/0>,</44/0>;ver=2.2');
    const { links } = answered(await ground.server.perform('dev', { kind: 'DiscoverAll' }));
    assert.equal(links, '</>;rt="oma.lwm2m";ct="110 112",</3/0>,</44/0>;ver=2.2,</31024>;ver=1.0,</31024/10>');
    assert.deepEqual(answered(await ground.server.perform('dev', { kind: 'ObserveReadAll' })).observations, []);
    peer.quiet();
    assert.equal(failed(await ground.server.perform('nobody', { kind: 'ObserveReadAll' })).code, 'UNKNOWN_ENDPOINT');
  });

  describe('an observation of several paths', () => {
    const values = (value: number, observe?: number) => ({
      payload: `[{"n":"/3/0/9","v":${value}}]`,
      contentFormat: 110,
      ...(observe === undefined ? {} : { observe }),
    });

    it('[SRV-112] brings values, and is cancelled by the same request', async () => {
      const { ground, peer } = world('</>;ct=110,</1/0>,</3/0>');
      const begun = await perform(ground, peer, { operation: observeAll([3, 0, 9], [1]), answer: values(75, 1) });
      const { observation } = answered(begun.result);
      assert.deepEqual(observation?.paths, [{ ids: [3, 0, 9] }, { ids: [1] }]);
      assert.deepEqual(observation.path, { ids: [] });
      peer.push(begun.request.token, '2.05', values(76, 2));
      const [notification] = eventsOf(ground.events, 'notification');
      assert.deepEqual(notification?.nodes, [node('3/0/9', 'integer', 76)]);
      assert.equal(notification.observation.id, observation.id);

      // Other paths, or a part of them, are no observation that runs; the order does not matter.
      for (const other of [cancelAll([3, 0, 9]), cancelAll([3, 0, 9], [1], [5]), { kind: 'ObserveCancel', path: at(3, 0, 9) } as const]) {
        const refused = failed(await ground.server.perform('dev', other));
        assert.equal(refused.code, 'BAD_REQUEST');
        if (other.kind !== 'ObserveCancel') assert.match(refused.error, /is not observed as a composite\. Observed are \[\/3\/0\/9, \/1\]/);
      }
      peer.quiet();
      const ended = await perform(ground, peer, { operation: cancelAll([1], [3, 0, 9]), answer: values(76) });
      assert.equal(line(ended.request), line(begun.request).replace('observe=0', 'observe=1'));
      assert.deepEqual(ended.request.token, begun.request.token);
      assert.equal(answered(ended.result).cancelled, 1);
      assert.deepEqual(story(ground.events).slice(-1), ['observation-ended dev cancelled']);
      assert.deepEqual(ground.server.observations('dev'), []);
      peer.push(begun.request.token, '2.05', values(77, 3));
      assert.equal(peer.take().type, coap.RST);
    });

    it('[SRV-112] takes the same token when it is asked for again', async () => {
      const { ground, peer } = world('</>;ct=110,</1/0>,</3/0>');
      const first = await perform(ground, peer, { operation: observeAll([3, 0, 9], [1]), answer: values(75, 1) });
      const second = await perform(ground, peer, { operation: observeAll([1], [3, 0, 9]), answer: values(75, 2) });
      assert.deepEqual(second.request.token, first.request.token);
      assert.equal(ground.server.observations('dev').length, 1);
    });

    it('[SRV-112] survives an Update and a restart', async () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const id = peer.register({ payload: '</>;ct=110,</1/0>,</3/0>' });
      const { request } = await perform(ground, peer, {
        operation: { kind: 'ObserveComposite', ...composite([3, 0, 9], [1]), attributes: [['pmin', '5']] },
        answer: values(75, 1),
      });
      assert.equal(peer.code({ path: `/rd/${id}` }), '2.04');
      const [before] = ground.server.observations('dev');
      assert.deepEqual(ground.restart(), []);
      assert.deepEqual(ground.server.observations('dev'), [before]);
      ground.events.length = 0;
      peer.push(request.token, '2.05', values(76, 2));
      assert.deepEqual(story(ground.events), ['notification dev']);
      const ended = await perform(ground, peer, { operation: cancelAll([3, 0, 9], [1]), answer: values(76) });
      assert.equal(line(ended.request), line(request).replace('observe=0', 'observe=1'));
    });

    it('[SRV-118] is cancelled among all others', async () => {
      const { ground, peer } = world('</>;ct=110,</1/0>,</3/0>');
      await perform(ground, peer, { operation: observeAll([3, 0, 9], [1]), answer: values(75, 1) });
      await perform(ground, peer, { operation: { kind: 'Observe', path: at(3, 0, 9) }, answer: values(75, 1) });
      const all = ground.server.perform('dev', { kind: 'ObserveCancelAll' });
      for (const expected of ['FETCH', 'GET']) {
        peer.tick();
        const request = peer.takeRequest();
        assert.match(line(request), new RegExp(`^${expected} .*observe=1`));
        peer.answer(request, '2.05', values(75));
      }
      assert.equal(answered(await all).cancelled, 2);
      const none = answered(await ground.server.perform('dev', { kind: 'ObserveCancelAll' }));
      assert.equal(none.cancelled, 0);
      assert.equal(failed(await ground.server.perform('nobody', { kind: 'ObserveCancelAll' })).code, 'UNKNOWN_ENDPOINT');
      peer.quiet();
    });
  });

  describe('after the device registers anew', () => {
    const value = (path: string, number: number, observe: number) => ({
      payload: `[{"n":"${path}","v":${number}}]`,
      contentFormat: 110,
      observe,
    });
    const list = '</>;ct=110,</1/0>,</3/0>,</5/0>';
    async function observed(observeAgain = true): Promise<{ ground: ReturnType<typeof createWorld>; peer: ScriptedPeer }> {
      const ground = createWorld({ observeAgain });
      const peer = new ScriptedPeer(ground);
      peer.register({ payload: list });
      await perform(ground, peer, { operation: { kind: 'Observe', path: at(3, 0, 9) }, answer: value('/3/0/9', 75, 1) });
      ground.clock.advance(10);
      await perform(ground, peer, { operation: observeAll([5, 0, 3], [5, 0, 5]), answer: value('/5/0/3', 0, 1) });
      ground.clock.advance(10);
      await perform(ground, peer, { operation: { kind: 'Observe', path: at(1, 0, 1) }, answer: value('/1/0/1', 300, 1) });
      ground.events.length = 0;
      return { ground, peer };
    }
    function registerAnew(peer: ScriptedPeer, payload = list): void {
      peer.request({ query: ['ep=dev', 'lwm2m=1.1', 'lt=300'], contentFormat: 40, payload });
      peer.tick();
      assert.equal(coap.codeText(peer.take().code), '2.01');
    }

    it('[SRV-113] is asked again for everything, in order, after the event', async () => {
      const { ground, peer } = await observed();
      registerAnew(peer);
      assert.deepEqual(story(ground.events).slice(-2), ['replaced dev', 'registered dev']);
      ground.events.length = 0;
      for (const [expected, path] of [
        ['GET /3/0/9 observe=0 accept=110', '/3/0/9'],
        ['FETCH / observe=0 ct=110 accept=110 [{"n":"/5/0/3"},{"n":"/5/0/5"}]', '/5/0/3'],
        ['GET /1/0/1 observe=0 accept=110', '/1/0/1'],
      ] as const) {
        const request = peer.takeRequest();
        assert.equal(line(request), expected);
        peer.quiet();
        peer.answer(request, '2.05', value(path, 1, 1));
        await Promise.resolve();
        peer.tick();
      }
      peer.quiet();
      assert.deepEqual(story(ground.events), ['notification dev', 'notification dev', 'notification dev']);
      assert.equal(ground.server.observations('dev').length, 3);
      const present = ground.server.registration('dev')!.id;
      assert.ok(ground.server.observations('dev').every(({ registrationId }) => registrationId === present));
    });

    it('[SRV-113] tells what it does not grant, and goes on', async () => {
      const { ground, peer } = await observed();
      registerAnew(peer, '</>;ct=110,</1/0>,</3/0>');
      peer.answer(peer.takeRequest(), '4.04');
      peer.tick();
      // Object 5 has left the list; /1/0/1 comes without Observe.
      peer.answer(peer.takeRequest(), '2.05', { payload: '[{"n":"/1/0/1","v":300}]', contentFormat: 110 });
      peer.quiet();
      assert.deepEqual(
        eventsOf(ground.events, 'log').map(({ text }) => text),
        [
          '/3/0/9 is not observed any more: the device answered NOT_FOUND',
          '/5/0/3, /5/0/5 is not observed any more: the device did not register object 5 again',
          '/1/0/1 is not observed any more: the device does not observe it any more',
        ],
      );
      assert.deepEqual(ground.server.observations('dev'), []);
    });

    it('[SRV-114] lets an Observe of a flow take its place', async () => {
      const { ground, peer } = await observed();
      registerAnew(peer);
      const again = peer.takeRequest();
      const own = ground.server.perform('dev', { kind: 'Observe', path: at(3, 0, 9) });
      peer.tick();
      const next = peer.takeRequest();
      assert.match(line(next), /^FETCH/, 'the others go on');
      peer.answer(next, '2.05', value('/5/0/3', 1, 1));
      peer.tick();
      const observe = peer.takeRequest();
      assert.equal(line(observe), line(again));
      assert.notDeepEqual(observe.token, again.token);
      peer.answer(observe, '2.05', value('/3/0/9', 1, 1));
      assert.ok(answered(await own).observation);
      assert.ok(!story(ground.events).includes('observation-ended dev observed anew'));
      peer.push(again.token, '2.05', value('/3/0/9', 2, 2));
      assert.ok(peer.inbox.some(({ type }) => type === coap.RST));
    });

    it('[SRV-114] asks nothing where the setting says so', async () => {
      const { ground, peer } = await observed(false);
      registerAnew(peer);
      peer.quiet();
      assert.deepEqual(ground.server.observations('dev'), []);
    });

    it('[SRV-114] asks nothing after good-bye', async () => {
      const { ground, peer } = await observed();
      const { id } = ground.server.registration('dev')!;
      assert.equal(peer.code({ path: `/rd/${id}`, code: '0.04' }), '2.02');
      registerAnew(peer);
      peer.quiet();
    });
  });
});
