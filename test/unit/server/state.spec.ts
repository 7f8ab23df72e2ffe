import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readValue, RecordReader, writeRegistration } from '../../../lib/server/records';
import type { LastValue } from '../../../lib/server/last-values';
import * as coap from '../../support/coap-message';
import { eventsOf, type Ground } from '../../support/ground';
import { answered, at, cancel, closeAll, createWorld, ELSEWHERE, failed, observe, perform, read, ScriptedPeer, story } from './fixture';

const { Accept, Observe } = coap.OptionNumber;
const DAY = 86_400_000;

function world(options: Parameters<typeof createWorld>[0] = {}) {
  const ground = createWorld(options);
  return { ground, peer: new ScriptedPeer(ground) };
}

/** Observes /3/0/9 with the answer 20 and the Observe number 10; gives back the token. */
async function observing(ground: Ground, peer: ScriptedPeer): Promise<Buffer> {
  const { request } = await perform(ground, peer, {
    operation: observe(3, 0, 9),
    answer: { payload: '20', contentFormat: 0, observe: 10 },
  });
  return request.token;
}

const notified = (ground: Ground) => eventsOf(ground.events, 'notification').map(({ nodes }) => nodes[0]?.value);

describe('what outlives the server', () => {
  afterEach(closeAll);

  it('[SRV-210] finds a registration again, with all its facts', () => {
    const { ground, peer } = world();
    const id = peer.register({
      query: ['lt=300', 'b=U', 'Q', 'sms=4912345', 'vendor=acme', 'x'],
      payload: '</dev>;rt="oma.lwm2m";ct="112 11542",</dev/1/0>,</dev/3/0>;ver=1.1,</dev/3303>',
    });
    const before = ground.server.registration('dev');
    assert.deepEqual(ground.restart({ off: 20_000 }), []);
    assert.deepEqual(ground.server.registration('dev'), before);
    assert.equal(ground.server.counters().registrations, 1);
    ground.events.length = 0;
    assert.equal(peer.code({ path: `/rd/${id}` }), '2.04');
    assert.deepEqual(story(ground.events), ['updated dev']);
    assert.equal(peer.code({ path: `/rd/${id}`, code: '0.04' }), '2.02');
    assert.equal(ground.server.registration('dev'), undefined);
    assert.deepEqual([...ground.kept().keys()], []);
  });

  it('[SRV-210] keeps all names of a certificate', () => {
    const { ground, peer } = world();
    peer.register();
    const identity = { scheme: 'coaps', mode: 'x509', name: 'dev', aliases: ['b', 'c'] } as const;
    const registration = { ...ground.server.registration('dev')!, identity };
    const record = JSON.parse(JSON.stringify(writeRegistration({ registration, expiresAt: undefined }))) as object;
    assert.deepEqual(new RecordReader().registration(registration.id, record)?.registration.identity, identity);
    assert.equal(new RecordReader().registration(registration.id, { ...record, identity: { ...identity, aliases: [5] } }), undefined);
  });

  it('[SRV-210] sends commands to where the device was heard last', async () => {
    const { ground, peer } = world();
    const id = peer.register();
    peer.host.move(ELSEWHERE);
    assert.equal(peer.code({ path: `/rd/${id}` }), '2.04');
    ground.restart();
    const { result } = await perform(ground, peer, { operation: read(3, 0, 9), answer: { payload: '33', contentFormat: 0 } });
    assert.equal(answered(result).nodes?.[0]?.value, 33);
  });

  it('[SRV-211] goes on counting a lifetime while the server is away', () => {
    const { ground, peer } = world();
    peer.register({ query: ['lt=300'] });
    ground.clock.advance(100_000);
    ground.restart({ off: 50_000 });
    ground.events.length = 0;
    ground.clock.advance(149_000);
    assert.deepEqual(story(ground.events), []);
    ground.clock.advance(2_000);
    assert.deepEqual(story(ground.events), ['expired dev']);
    assert.deepEqual([...ground.kept().keys()], []);
  });

  it('[SRV-260] keeps an Update that says nothing new in a record of its own, and the registration as it was', () => {
    const { ground, peer } = world();
    const id = peer.register({ query: ['lt=300'] });
    const registration = structuredClone(ground.kept().get(`reg/${id}`));
    ground.clock.advance(200_000);
    assert.equal(peer.code({ path: `/rd/${id}` }), '2.04');
    const wall = eventsOf(ground.events, 'updated')[0]!.at;
    assert.deepEqual(ground.kept().get(`reg/${id}`), registration);
    assert.deepEqual(ground.kept().get(`upd/${id}`), [wall, wall + 300_000]);
    assert.deepEqual(ground.restart(), []);
    assert.equal(ground.server.registration('dev')?.updatedAt, wall);
    ground.events.length = 0;
    ground.clock.advance(299_000);
    assert.deepEqual(story(ground.events), []);
    ground.clock.advance(2_000);
    assert.deepEqual(story(ground.events), ['expired dev']);
    assert.deepEqual([...ground.kept().keys()], []);
  });

  it('[SRV-260] takes the registration for true where a later Update changed it', () => {
    const { ground, peer } = world();
    const id = peer.register({ query: ['lt=300'] });
    ground.clock.advance(1000);
    peer.code({ path: `/rd/${id}` });
    ground.clock.advance(1000);
    peer.code({ path: `/rd/${id}`, query: ['lt=7000'] });
    const registration = ground.server.registration('dev');
    const { at } = eventsOf(ground.events, 'updated').at(-1)!;
    assert.deepEqual(ground.restart(), []);
    assert.deepEqual(ground.server.registration('dev'), registration);
    assert.deepEqual([registration?.updatedAt, registration?.lifetime], [at, 7000]);
    ground.events.length = 0;
    ground.clock.advance(6_999_000);
    assert.deepEqual(story(ground.events), []);
  });

  it('[SRV-260] keeps the number of a notification apart from what is observed', async () => {
    const { ground, peer } = world();
    peer.register();
    const token = await observing(ground, peer);
    const key = `obs/${token.toString('hex')}`;
    const observation = structuredClone(ground.kept().get(key));
    peer.push(token, '2.05', { payload: '21', contentFormat: 0, observe: 500 });
    assert.deepEqual(ground.kept().get(key), observation);
    assert.deepEqual(ground.kept().get(`seq/${token.toString('hex')}`), [500, eventsOf(ground.events, 'notification')[0]!.at]);
  });

  it('[SRV-211] ends a lifetime that ran out meanwhile with its event, and its observations too', async () => {
    const { ground, peer } = world();
    peer.register({ query: ['lt=300'] });
    await observing(ground, peer);
    ground.events.length = 0;
    assert.deepEqual(ground.restart({ off: DAY }), []);
    ground.clock.advance(1);
    assert.deepEqual(story(ground.events), ['observation-ended dev expired', 'expired dev']);
    assert.deepEqual([...ground.kept().keys()], []);
  });

  it('[SRV-211] ends many lifetimes a bounded number at a time, all in the end', () => {
    const { ground, peer } = world();
    for (let number = 0; number < 1000; number++) {
      assert.equal(peer.code({ query: [`ep=d${number}`, 'lt=60'], contentFormat: 40, payload: '</3/0>' }), '2.01');
      ground.clock.advance(10);
    }
    ground.events.length = 0;
    ground.restart({ off: DAY });
    ground.clock.advance(50);
    assert.equal(eventsOf(ground.events, 'expired').length, 1000);
  });

  it('[SRV-211] never ends a lifetime of 0', () => {
    const { ground, peer } = world();
    peer.register({ query: ['lt=0'] });
    ground.restart({ off: 400 * DAY });
    ground.clock.advance(DAY);
    assert.ok(ground.server.registration('dev'));
  });

  it('[SRV-212] takes a notification with a token of before, and says who and what it is', async () => {
    const { ground, peer } = world();
    peer.register();
    const token = await observing(ground, peer);
    const [observation] = ground.server.observations('dev');
    ground.restart({ off: 5_000 });
    ground.events.length = 0;
    const mid = peer.push(token, '2.05', { type: coap.CON, payload: '21', contentFormat: 0, observe: 11 });
    const acknowledgement = peer.take();
    assert.deepEqual([acknowledgement.type, acknowledgement.mid], [coap.ACK, mid]);
    const [event] = eventsOf(ground.events, 'notification');
    assert.ok(event);
    assert.deepEqual(event.observation, observation);
    assert.equal(event.nodes[0]?.value, 21);
  });

  for (const [number, delivered] of [
    [10, []],
    [9, []],
    [11, [21]],
    [10 + 2 ** 23 - 1, [21]],
    [(10 + 2 ** 23 + 1) % 2 ** 24, []],
  ] as const) {
    it(`[SRV-213] after a restart, ${number} behind 10 is ${delivered.length > 0 ? 'news' : 'confirmed, and no news'}`, async () => {
      const { ground, peer } = world();
      peer.register();
      const token = await observing(ground, peer);
      ground.restart({ off: 2_000 });
      peer.push(token, '2.05', { type: coap.CON, payload: '21', contentFormat: 0, observe: number });
      assert.equal(peer.take().type, coap.ACK);
      assert.deepEqual(notified(ground), delivered);
    });
  }

  it('[SRV-213] counts the last notification, not the first answer', async () => {
    const { ground, peer } = world();
    peer.register();
    const token = await observing(ground, peer);
    peer.push(token, '2.05', { payload: '21', contentFormat: 0, observe: 500 });
    ground.restart();
    peer.push(token, '2.05', { payload: '22', contentFormat: 0, observe: 499 });
    peer.push(token, '2.05', { payload: '23', contentFormat: 0, observe: 501 });
    assert.deepEqual(notified(ground), [21, 23]);
  });

  it('[SRV-213] takes any number again once it has been silent for 128 s', async () => {
    const { ground, peer } = world();
    peer.register();
    const token = await observing(ground, peer);
    ground.restart({ off: 129_000 });
    peer.push(token, '2.05', { payload: '21', contentFormat: 0, observe: 3 });
    assert.deepEqual(notified(ground), [21]);
  });

  it('[SRV-212] cancels an observation of before with its token and its Accept', async () => {
    const { ground, peer } = world();
    peer.register();
    const token = await observing(ground, peer);
    ground.restart();
    const { request, result } = await perform(ground, peer, { operation: cancel(3, 0, 9), answer: { payload: '20', contentFormat: 0 } });
    assert.deepEqual(request.token, token);
    assert.deepEqual([coap.number(request, Observe), coap.number(request, Accept)], [1, 110]);
    assert.equal(answered(result).cancelled, 1);
    assert.equal(
      [...ground.kept().keys()].some((key) => key.startsWith('obs/')),
      false,
    );
  });

  it('[SRV-212] resets the notification of an observation that ended before', async () => {
    const { ground, peer } = world();
    peer.register();
    const token = await observing(ground, peer);
    await perform(ground, peer, { operation: cancel(3, 0, 9), answer: { payload: '20', contentFormat: 0 } });
    ground.restart();
    peer.push(token, '2.05', { type: coap.CON, payload: '21', contentFormat: 0, observe: 11 });
    assert.equal(peer.take().type, coap.RST);
  });

  it('[SRV-214] remembers what a device said last, of every kind of message, until it leaves', async () => {
    const { ground, peer } = world();
    const id = peer.register();
    const token = await observing(ground, peer);
    peer.push(token, '2.05', { payload: '21', contentFormat: 0, observe: 11 });
    await perform(ground, peer, { operation: read(3, 0, 0), answer: { payload: 'ACME', contentFormat: 0 } });
    peer.code({ path: '/dp', contentFormat: 110, payload: '[{"n":"/3303/0/5700","v":22.5}]' });
    const expected = [
      ['/3/0/9', 'integer', 21],
      ['/3/0/0', 'string', 'ACME'],
      ['/3303/0/5700', 'float', 22.5],
    ];
    const told = () => Array.from(ground.server.lastValues('dev'), ([path, { type, value }]) => [path, type, value]);
    assert.deepEqual(told(), expected);
    ground.restart();
    assert.deepEqual(told(), expected);
    peer.code({ path: `/rd/${id}`, code: '0.04' });
    assert.deepEqual(told(), []);
    assert.deepEqual([...ground.kept().keys()], []);
  });

  describe('[SRV-214] of what a device said last', () => {
    const has = (ground: Ground): [string, unknown][] => Array.from(ground.server.lastValues('dev'), ([path, { value }]) => [path, value]);
    const sends = (peer: ScriptedPeer, records: readonly object[]): void =>
      assert.equal(peer.code({ path: '/dp', contentFormat: 110, payload: JSON.stringify(records) }), '2.04');
    const reads = (ground: Ground, peer: ScriptedPeer, path: readonly number[], records: readonly object[]) =>
      perform(ground, peer, { operation: read(...path), answer: { payload: JSON.stringify(records), contentFormat: 110 } });

    it('what is dated in the future keeps nothing out that comes later; of such values the latest counts', () => {
      const { ground, peer } = world();
      peer.register();
      const now = ground.clock.wall() / 1000;
      sends(peer, [
        { bt: now + 1e6, n: '/3/0/9', v: 2, t: 10 },
        { n: '/3/0/9', v: 1 },
      ]);
      assert.deepEqual(has(ground), [['/3/0/9', 2]]);
      sends(peer, [{ n: '/3/0/9', v: 3 }]);
      assert.deepEqual(has(ground), [['/3/0/9', 3]]);
      sends(peer, [{ n: '/3/0/9', v: 4, t: -60 }]);
      assert.deepEqual(has(ground), [['/3/0/9', 3]]);
    });

    it('instances that are no more go; those a Send does not name stay', async () => {
      const { ground, peer } = world();
      peer.register({ payload: '</3/0>,</19/0>,</19/1>' });
      await reads(
        ground,
        peer,
        [19, 0, 0],
        [0, 1, 2].map((id) => ({ n: `/19/0/0/${id}`, vd: 'AQ' })),
      );
      sends(peer, [{ n: '/19/0/0/1', vd: 'Ag' }]);
      assert.deepEqual(
        has(ground).map(([path]) => path),
        ['/19/0/0/0', '/19/0/0/1', '/19/0/0/2'],
      );
      await reads(
        ground,
        peer,
        [19, 0],
        [0, 2].map((id) => ({ n: `/19/0/0/${id}`, vd: 'AQ' })),
      );
      assert.deepEqual(
        has(ground).map(([path]) => path),
        ['/19/0/0/0', '/19/0/0/2'],
      );
      // Older than what is known: it says nothing of now.
      const then = ground.clock.wall() / 1000 - 3600;
      await reads(ground, peer, [19, 0, 0], [{ bt: then, n: '/19/0/0/0', vd: 'AQ' }]);
      assert.deepEqual(
        has(ground).map(([path]) => path),
        ['/19/0/0/0', '/19/0/0/2'],
      );
      await reads(ground, peer, [19, 0, 0, 0], [{ n: '/19/0/0/0', vd: 'AQ' }]);
      assert.deepEqual(
        has(ground).map(([path]) => path),
        ['/19/0/0/0', '/19/0/0/2'],
      );
      const nodes = [{ path: [19, 0, 0, 5], type: 'opaque', value: Uint8Array.of(1) }] as const;
      await perform(ground, peer, { operation: { kind: 'WriteReplace', path: at(19, 0, 0), nodes }, code: '2.04' });
      assert.deepEqual(
        has(ground).map(([path]) => path),
        ['/19/0/0/5'],
      );
      await perform(ground, peer, { operation: read(19, 0, 0), answer: { payload: '[]', contentFormat: 110 } });
      assert.deepEqual([has(ground), [...ground.kept().keys()].filter((key) => key.startsWith('val/'))], [[], []]);
    });

    it('it goes with its object instance', async () => {
      const { ground, peer } = world();
      const id = peer.register({ payload: '</3/0>,</19/0>,</19/1>,</5>' });
      sends(peer, [
        { n: '/3/0/9', v: 1 },
        { n: '/19/0/0/0', vd: 'AQ' },
        { n: '/19/1/0/0', vd: 'AQ' },
        { n: '/5/0/3', v: 0 },
      ]);
      await perform(ground, peer, { operation: { kind: 'Delete', path: at(19, 1) }, code: '2.02' });
      assert.deepEqual(
        has(ground).map(([path]) => path),
        ['/3/0/9', '/19/0/0/0', '/5/0/3'],
      );
      assert.equal(peer.code({ path: `/rd/${id}`, contentFormat: 40, payload: '</3/0>,</5>' }), '2.04');
      assert.deepEqual(
        has(ground).map(([path]) => path),
        ['/3/0/9', '/5/0/3'],
      );
      peer.register({ payload: '</5>' });
      assert.deepEqual(
        has(ground).map(([path]) => path),
        ['/5/0/3'],
      );
    });
  });

  it('[SRV-215] of two registrations of one device takes the newer', () => {
    const { ground, peer } = world();
    const first = peer.register();
    const stale = new Map(ground.kept());
    ground.clock.advance(1000);
    const second = peer.register();
    const both = new Map([...stale, ...ground.kept()]);
    assert.equal(both.size, 2);
    for (const records of [both, new Map([...both].reverse())]) {
      ground.restart({ records });
      assert.equal(ground.server.registration('dev')?.id, second);
      assert.equal(ground.server.counters().registrations, 1);
      assert.equal(peer.code({ path: `/rd/${first}` }), '4.04');
    }
  });

  const damaged: readonly [string, string, unknown][] = [
    ['no object', 'reg/ABCDEFGHIJ', 17],
    ['another id', 'reg/ABCDEFGHIJ', { id: 'other' }],
    ['nothing in it', 'reg/ABCDEFGHIJ', { id: 'ABCDEFGHIJ' }],
    ['an observation without a registration', 'obs/0102', { registrationId: 'x', endpoint: 'd', path: '/3', startedAt: 1, lastAt: 1 }],
    ['an observation with an odd token', 'obs/012', {}],
    ['the Update of nobody', 'upd/ABCDEFGHIJ', [1, 2]],
    ['an Update that is none', 'upd/ABCDEFGHIJ', ['1', -1]],
    ['the number of no observation', 'seq/0102', [1, 2]],
    ['a value of nobody', 'val//3/0/9|nobody', { type: 'integer', value: 1, at: 1 }],
  ];
  for (const [what, key, record] of damaged) {
    it(`[SRV-216] passes over a record with ${what}, and keeps it no longer`, () => {
      const { ground } = world();
      assert.deepEqual(ground.restart({ records: new Map([[key, record]]) }), [key]);
      assert.equal(ground.kept().has(key), false);
    });
  }

  it('[SRV-216] passes over a registration with one fact changed to anything', () => {
    const { ground, peer } = world();
    peer.register();
    const [[key, kept] = ['', {}]] = ground.kept();
    const record = kept as Record<string, unknown>;
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(record)), fc.jsonValue(), (name, value) => {
        const [lost] = ground.restart({ records: new Map([[key, { ...record, [name]: value }]]) });
        assert.equal(ground.server.counters().registrations, lost === undefined ? 1 : 0);
      }),
      { numRuns: 500 },
    );
  });

  it('[SRV-214] keeps every type of value exactly', () => {
    const values: LastValue[] = [
      { type: 'integer', value: -(2n ** 63n), at: 1 },
      { type: 'unsigned', value: 2n ** 64n - 1n, at: 2 },
      { type: 'float', value: Number.NaN, at: 3 },
      { type: 'float', value: -Infinity, at: 4 },
      { type: 'float', value: 0.1, at: 4.5 },
      { type: 'opaque', value: Uint8Array.of(0, 255), at: 5 },
      { type: 'boolean', value: false, at: 6 },
      { type: 'string', value: '"', at: 7 },
    ];
    for (const value of values) assert.deepEqual(readValue(structuredClone(value)), value);
  });
});

describe('load', () => {
  afterEach(closeAll);

  it('[SRV-205] puts Registers and Sends off with 5.03 and Max-Age while the flows cannot follow, and serves Updates', () => {
    let overloaded = false;
    const { ground, peer } = world({ overloaded: () => overloaded });
    const id = peer.register();
    ground.events.length = 0;
    overloaded = true;
    const other = new ScriptedPeer(ground, ELSEWHERE);
    const refusals = [
      other.ask({ query: ['ep=other', 'lt=60'], contentFormat: 40, payload: '</3/0>' }),
      peer.ask({ path: '/dp', contentFormat: 110, payload: '[{"n":"/3303/0/5700","v":22.5}]' }),
    ];
    for (const answer of refusals) {
      assert.equal(coap.codeText(answer.code), '5.03');
      assert.equal(coap.number(answer, coap.OptionNumber.MaxAge), 30);
    }
    assert.equal(ground.server.counters().shed, 2);
    assert.equal(peer.code({ path: `/rd/${id}` }), '2.04');
    assert.deepEqual(story(ground.events), ['updated dev']);
    overloaded = false;
    assert.equal(other.code({ query: ['ep=other', 'lt=60'], contentFormat: 40, payload: '</3/0>' }), '2.01');
  });

  it('[SRV-206] refuses a command with BUSY when as many are under way as the setting says', async () => {
    const { ground, peer } = world({ maxOperations: 2 });
    peer.register();
    const pending = [ground.server.perform('dev', read(3, 0, 0)), ground.server.perform('dev', read(3, 0, 1))];
    const third = failed(await ground.server.perform('dev', read(3, 0, 2)));
    assert.equal(third.code, 'BUSY');
    assert.match(third.error, /2 commands are under way/);
    assert.equal(ground.server.counters().busyOperations, 1);
    for (const promise of pending) {
      peer.tick();
      peer.answer(peer.takeRequest(), '2.05', { payload: 'x', contentFormat: 0 });
      assert.equal((await promise).kind, 'answer');
    }
    const { result } = await perform(ground, peer, { operation: read(3, 0, 2), answer: { payload: 'x', contentFormat: 0 } });
    assert.equal(answered(result).code, '2.05');
  });
});
