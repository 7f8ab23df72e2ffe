import assert from 'node:assert/strict';
import * as coap from '../../support/coap-message';
import { COAPS, deviceTable, plainOnly } from '../../support/scheme';
import { eventsOf } from '../../support/ground';
import {
  answered,
  closeAll,
  createWorld,
  DEVICE,
  ELSEWHERE,
  failed,
  observe,
  perform,
  read,
  recordOrder,
  ScriptedPeer,
  story,
} from './fixture';

const TEXT = { payload: '21', contentFormat: 0 } as const;

describe('a registration', () => {
  afterEach(closeAll);

  describe('replaced by a new Register', () => {
    for (const [where, address] of [
      ['the same address', DEVICE],
      ['another address', ELSEWHERE],
    ] as const) {
      it(`[SRV-030] from ${where} gets a new id, ends the old one with its observations, and says so in order`, async () => {
        const ground = createWorld({ observeAgain: false });
        const before = new ScriptedPeer(ground);
        const oldId = before.register();
        const { request } = await perform(ground, before, { operation: observe(3, 0, 9), answer: { ...TEXT, observe: 1 } });
        const old = ground.server.registration('dev');
        ground.events.length = 0;

        const after = address === DEVICE ? before : new ScriptedPeer(ground, address);
        const newId = after.register({ version: '1.0' });
        assert.notEqual(newId, oldId);
        // Over DTLS the new session alone tells where the device is.
        const moved = COAPS && after !== before ? ['address-changed dev'] : [];
        assert.deepEqual(story(ground.events), [...moved, 'observation-ended dev replaced', 'replaced dev', 'registered dev']);
        const [replaced] = eventsOf(ground.events, 'replaced');
        assert.deepEqual(replaced?.registration, moved.length > 0 ? { ...old, ...address } : old);
        assert.equal(replaced?.by.id, newId);
        assert.equal(ground.server.registrations().length, 1);
        assert.equal(ground.server.registration('dev')?.port, address.port);
        assert.deepEqual(ground.server.observations('dev'), []);

        assert.equal(after.code({ path: `/rd/${oldId}` }), '4.04');
        assert.equal(after.code({ path: `/rd/${oldId}`, code: '0.04' }), '4.04');
        assert.equal(after.code({ path: `/rd/${newId}` }), '2.04');
        // Over DTLS the session it had is no more: what it still has to say comes in the new one.
        const late = COAPS ? after : before;
        late.push(request.token, '2.05', { ...TEXT, observe: 2 });
        assert.equal(late.take().type, coap.RST, 'the old observation is refused');
      });
    }
  });

  describe('Update', () => {
    it('[SRV-031] changes what it names and nothing else, and tells what changed', () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const id = peer.register({ query: ['lt=300', 'sms=1', 'at=5'] });
      const before = ground.server.registration('dev');
      assert.ok(before);
      ground.clock.advance(60_000);
      ground.events.length = 0;
      assert.equal(peer.code({ path: `/rd/${id}`, query: ['lt=600', 'b=UT', 'Q', 'sms=2', 'at=6', 'new=x'] }), '2.04');
      const after = ground.server.registration('dev');
      assert.deepEqual(after, {
        ...before,
        lifetime: 600,
        binding: 'UT',
        queueMode: true,
        smsNumber: '2',
        extra: { at: '6', new: 'x' },
        updatedAt: ground.clock.wall() - 1,
        lastSeenAt: ground.clock.wall() - 1,
      });
      assert.deepEqual(ground.events, [
        { kind: 'updated', at: after.updatedAt, registration: after, changed: ['lifetime', 'binding', 'queueMode', 'smsNumber'] },
        { kind: 'awake', at: after.updatedAt, registration: after, waiting: 0 },
      ]);
      assert.equal(ground.server.counters().updates, 1);
    });

    it('[SRV-031] without parameters only says that the device is there', () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const id = peer.register();
      assert.equal(peer.code({ path: `/rd/${id}` }), '2.04');
      assert.deepEqual(eventsOf(ground.events, 'updated')[0]?.changed, []);
    });

    it('[SRV-031] may be Non-confirmable', () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      assert.equal(peer.code({ path: `/rd/${peer.register()}`, type: coap.NON, query: ['lt=9'] }), '2.04');
      assert.equal(ground.server.registration('dev')?.lifetime, 9);
    });

    for (const [contentFormat, what] of [
      [40, 'as link-format'],
      [undefined, 'without Content-Format, as Wakaama sends it'],
      [0, 'as text, as Wakaama calls it in later blocks'],
    ] as const) {
      it(`[SRV-032] takes a new object list ${what}`, () => {
        const ground = createWorld();
        const peer = new ScriptedPeer(ground);
        const id = peer.register();
        assert.equal(peer.code({ path: `/rd/${id}`, contentFormat, payload: '</1/0>,</3/0>,</3304/0>;ver=1.1' }), '2.04');
        const { objects, versions, contentFormats } = ground.server.registration('dev') ?? assert.fail();
        assert.deepEqual(
          objects.map(({ objectId }) => objectId),
          [1, 3, 3304],
        );
        assert.deepEqual(Object.fromEntries(versions), { 1: '1.1', 3: '1.1', 3304: '1.1' });
        assert.deepEqual(contentFormats, [110], 'a list without a root keeps the formats');
        assert.deepEqual(eventsOf(ground.events, 'updated')[0]?.changed, ['objects']);
      });
    }

    it('[SRV-032] knows the alternate path of the Register, and takes a new one', () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const id = peer.register({ payload: '</a>;rt="oma.lwm2m";ct=110,</a/3/0>' });
      assert.equal(peer.code({ path: `/rd/${id}`, contentFormat: 40, payload: '</a/3/0>,</a/4/0>' }), '2.04');
      assert.equal(ground.server.registration('dev')?.rootPath, '/a');
      assert.equal(ground.server.registration('dev')?.objects.length, 2);
      assert.equal(peer.code({ path: `/rd/${id}`, contentFormat: 40, payload: '</>;rt="oma.lwm2m";ct=112,</3/0>' }), '2.04');
      assert.equal(ground.server.registration('dev')?.rootPath, '');
      assert.deepEqual(ground.server.registration('dev')?.contentFormats, [112]);
    });

    it('[SRV-033] of an unknown id is answered 4.04 without an event', () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      peer.register();
      ground.events.length = 0;
      for (const path of ['/rd/nobody', '/rd/__proto__', '/rd/dev']) assert.equal(peer.code({ path, query: ['lt=5'] }), '4.04');
      assert.deepEqual(ground.events, []);
    });

    for (const [what, asked, version] of [
      ['a lifetime that is no number', { query: ['lt=x'] }, '1.1'],
      ['a binding of another version', { query: ['b=UQ'] }, '1.1'],
      ['a Q that LwM2M 1.0 does not have', { query: ['Q'] }, '1.0'],
      ['a parameter twice', { query: ['lt=1', 'lt=2'] }, '1.1'],
      ['an object list without objects', { contentFormat: 40, payload: '</>' }, '1.1'],
      ['an object list that is none', { contentFormat: 40, payload: 'x' }, '1.1'],
      ['another content format', { contentFormat: 60, payload: '</3/0>' }, '1.1'],
      ['an id too large', { contentFormat: 40, payload: '</3/65535>' }, '1.1'],
    ] as const) {
      it(`[SRV-034] with ${what} is refused by 4.00 and changes nothing`, () => {
        const ground = createWorld();
        const peer = new ScriptedPeer(ground);
        const id = peer.register({ version });
        const before = ground.server.registration('dev');
        ground.events.length = 0;
        assert.equal(peer.code({ path: `/rd/${id}`, ...asked }), '4.00');
        assert.equal(ground.server.registration('dev'), before);
        assert.deepEqual(story(ground.events), ['refused dev 4.00']);
      });
    }

    it('[SRV-035] from another address moves the device: events, operations and observations follow', async () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const id = peer.register();
      const { request } = await perform(ground, peer, { operation: observe(3, 0, 9), answer: { ...TEXT, observe: 1 } });
      ground.events.length = 0;
      peer.host.move(ELSEWHERE);
      assert.equal(peer.code({ path: `/rd/${id}` }), '2.04');
      assert.deepEqual(story(ground.events), ['address-changed dev', 'updated dev']);
      const [moved] = eventsOf(ground.events, 'address-changed');
      assert.deepEqual(moved?.from, DEVICE);
      assert.deepEqual({ address: moved.registration.address, port: moved.registration.port }, ELSEWHERE);
      assert.deepEqual(eventsOf(ground.events, 'updated')[0]?.changed, ['address']);

      peer.push(request.token, '2.05', { ...TEXT, observe: 2, type: coap.CON });
      assert.equal(peer.take().type, coap.ACK);
      assert.equal(eventsOf(ground.events, 'notification').length, 1);
      const { result } = await perform(ground, peer, { operation: read(3, 0, 9), answer: TEXT });
      assert.equal(answered(result).ok, true);
    });

    const rerouted = plainOnly('over DTLS with a connection ID the route is the same from any address, and nothing ends where it was');
    rerouted('[SRV-035] from another address takes the waiting requests along, and they leave after its 2.04', async () => {
      const ground = createWorld({ timeout: 5_000 });
      const peer = new ScriptedPeer(ground);
      const id = peer.register();
      const underWay = ground.server.perform('dev', read(3, 0, 0));
      const waiting = ground.server.perform('dev', read(3, 0, 1));
      peer.tick();
      assert.equal(coap.uriPath(peer.takeRequest()), '/3/0/0');
      peer.host.move(ELSEWHERE);
      const order = recordOrder(ground);
      peer.request({ path: `/rd/${id}` });
      peer.tick();
      assert.deepEqual(order, ['sent 2.04', 'sent 0.01', 'address-changed', 'updated']);
      peer.take();
      const request = peer.takeRequest();
      assert.equal(coap.uriPath(request), '/3/0/1');
      peer.answer(request, '2.05', TEXT);
      assert.equal(answered(await waiting).ok, true);
      ground.clock.advance(5_000);
      assert.equal(failed(await underWay).code, 'TIMEOUT_NO_ACK', 'what was under way ends where it was');
    });

    it('[SRV-036] by a device that has lost its right is refused by 4.00, with the reason in the event', () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const id = peer.register();
      ground.events.length = 0;
      ground.server.configure({
        devices: deviceTable({ devices: [{ endpoint: 'dev', mode: 'none', disabled: true }] }),
        timeout: 1_000,
      });
      assert.equal(peer.code({ path: `/rd/${id}`, query: ['lt=1'] }), '4.00');
      assert.equal(ground.server.registration('dev')?.lifetime, 300);
      assert.deepEqual(story(ground.events), ['refused dev 4.00']);
      assert.match(eventsOf(ground.events, 'refused')[0]?.reason ?? '', /disabled/);
    });

    it('[SRV-037] keeps 32 parameters nobody standardised, however many Updates bring new ones', () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const id = peer.register({ query: Array.from({ length: 20 }, (_, index) => `first${index}=a`) });
      for (let round = 0; round < 4; round++) {
        peer.code({ path: `/rd/${id}`, query: Array.from({ length: 20 }, (_, index) => `round${round}-${index}=b`) });
      }
      const extra = ground.server.registration('dev')?.extra ?? {};
      assert.equal(Object.keys(extra).length, 32);
      assert.equal(peer.code({ path: `/rd/${id}`, query: ['first3=changed', 'late=x'] }), '2.04');
      assert.equal(ground.server.registration('dev')?.extra['first3'], 'changed', 'what is known still changes');
    });

    it('[SRV-037] keeps hostile parameter names as plain data', () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const id = peer.register();
      peer.code({ path: `/rd/${id}`, query: ['__proto__=evil'] });
      const extra = ground.server.registration('dev')?.extra ?? {};
      assert.deepEqual(Object.entries(extra), [['__proto__', 'evil']]);
      assert.equal(Object.getPrototypeOf(extra), Object.prototype);
    });

    it('[SRV-038] with a profile id of LwM2M 1.2 is answered 4.04, so that the device registers with its list', () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const id = peer.register({ version: '1.2' });
      assert.equal(peer.code({ path: `/rd/${id}`, query: ['pid=6:27354b9a'] }), '4.04');
      const other = new ScriptedPeer(ground, ELSEWHERE);
      const id11 = other.register({ endpoint: 'other', version: '1.1' });
      assert.equal(other.code({ path: `/rd/${id11}`, query: ['pid=77'] }), '2.04');
    });
  });

  describe('De-register', () => {
    it('[SRV-040] is answered 2.02 and ends the registration and its observations', async () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const id = peer.register();
      const { request } = await perform(ground, peer, { operation: observe(3, 0, 9), answer: { ...TEXT, observe: 1 } });
      ground.events.length = 0;
      const order = recordOrder(ground);
      assert.equal(peer.code({ code: '0.04', path: `/rd/${id}` }), '2.02');
      assert.deepEqual(order, ['sent 2.02', 'observation-ended', 'deregistered']);
      assert.deepEqual(story(ground.events), ['observation-ended dev deregistered', 'deregistered dev']);
      assert.deepEqual(ground.server.registrations(), []);
      assert.equal(peer.code({ code: '0.04', path: `/rd/${id}` }), '4.04');
      assert.equal(failed(await ground.server.perform('dev', read(3))).code, 'UNKNOWN_ENDPOINT');
      peer.push(request.token, '2.05', { ...TEXT, observe: 2 });
      assert.equal(peer.take().type, coap.RST);
      assert.equal(ground.server.counters().deregisters, 1);
    });

    it('[SRV-040] of an unknown id is answered 4.04 without an event', () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      assert.equal(peer.code({ code: '0.04', path: '/rd/nobody' }), '4.04');
      assert.deepEqual(ground.events, []);
    });

    it('[SRV-041] by a device that has lost its right is refused by 4.00, with the reason in the event', () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const id = peer.register();
      ground.events.length = 0;
      ground.server.configure({ devices: deviceTable({}), timeout: 1_000 });
      assert.equal(peer.code({ code: '0.04', path: `/rd/${id}` }), '4.00');
      assert.ok(ground.server.registration('dev'));
      assert.deepEqual(story(ground.events), ['refused dev 4.00']);
    });
  });

  describe('lifetime', () => {
    it('[SRV-042] ends the registration to the millisecond, with its observations', async () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const id = peer.register({ query: ['lt=60'] });
      const due = ground.clock.now() - 1 + 60_000;
      await perform(ground, peer, { operation: observe(3, 0, 9), answer: { ...TEXT, observe: 1 } });
      ground.events.length = 0;
      ground.clock.advance(due - 1 - ground.clock.now());
      assert.deepEqual(ground.events, []);
      ground.clock.advance(1);
      assert.deepEqual(story(ground.events), ['observation-ended dev expired', 'expired dev']);
      assert.deepEqual(ground.server.registrations(), []);
      assert.equal(ground.server.counters().expirations, 1);
      assert.equal(peer.code({ path: `/rd/${id}` }), '4.04');
    });

    it('[SRV-042] is counted anew from each Update, with the lifetime it gives', () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const id = peer.register({ query: ['lt=60'] });
      ground.clock.advance(59_000);
      peer.code({ path: `/rd/${id}` });
      ground.clock.advance(59_000);
      assert.equal(ground.server.registrations().length, 1, 'prolonged');
      peer.code({ path: `/rd/${id}`, query: ['lt=5'] });
      ground.clock.advance(5_000);
      assert.equal(ground.server.registrations().length, 0, 'shortened');
      assert.deepEqual(story(ground.events), ['registered dev', 'updated dev', 'updated dev', 'expired dev']);
    });

    it('[SRV-042] is not prolonged by an Update that is refused', () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const id = peer.register({ query: ['lt=60'] });
      ground.clock.advance(59_000);
      assert.equal(peer.code({ path: `/rd/${id}`, query: ['lt=x'] }), '4.00');
      ground.clock.advance(1_000);
      assert.equal(ground.server.registrations().length, 0);
    });

    it('[SRV-043] ends registrations in the order they are due', () => {
      const ground = createWorld();
      for (const [index, lifetime] of [30, 10, 20, 40, 5].entries()) {
        const peer = new ScriptedPeer(ground, { address: '192.0.2.30', port: 1_000 + index });
        peer.register({ endpoint: `d${lifetime}`, query: [`lt=${lifetime}`] });
      }
      ground.events.length = 0;
      ground.clock.advance(35_000);
      assert.deepEqual(story(ground.events), ['expired d5', 'expired d10', 'expired d20', 'expired d30']);
      const ats = ground.events.map(({ at }) => at);
      assert.deepEqual(
        ats,
        ats.toSorted((a, b) => a - b),
      );
    });

    it('[SRV-044] of 0 never ends', () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const id = peer.register({ query: ['lt=0'] });
      ground.clock.advance(1e15);
      assert.equal(ground.server.registration('dev')?.id, id);
      assert.equal(peer.code({ path: `/rd/${id}`, query: ['lt=10'] }), '2.04');
      ground.clock.advance(10_000);
      assert.equal(ground.server.registration('dev'), undefined);
    });

    it('[SRV-044] may be longer than 2^31 milliseconds', () => {
      const ground = createWorld();
      new ScriptedPeer(ground).register({ query: ['lt=4294967295'] });
      ground.clock.advance(4_294_967_295_000 - 10);
      assert.equal(ground.server.registrations().length, 1);
      ground.clock.advance(10);
      assert.equal(ground.server.registrations().length, 0);
    });
  });

  describe('on a route that another one uses too', () => {
    const shared = plainOnly('over DTLS a route is a session, and that is one device alone');

    shared('[SRV-045] is found by a Send again when the one that spoke last has gone', () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      peer.register({ endpoint: 'one' });
      const id = peer.register({ endpoint: 'two' });
      const send = { path: '/dp', contentFormat: 110, payload: '[{"n":"/3303/0/5700","v":1}]' } as const;
      assert.equal(peer.code(send), '2.04');
      assert.equal(peer.code({ code: '0.04', path: `/rd/${id}` }), '2.02');
      assert.equal(peer.code(send), '2.04');
      assert.deepEqual(
        eventsOf(ground.events, 'send').map(({ registration }) => registration.endpoint),
        ['two', 'one'],
      );
    });

    shared('[SRV-045] is the one that spoke last, whoever registered last', () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const ids = ['one', 'two', 'three'].map((endpoint) => peer.register({ endpoint }));
      const speaker = () => {
        peer.code({ path: '/dp', contentFormat: 110, payload: '[{"n":"/3303/0/5700","v":1}]' });
        return eventsOf(ground.events, 'send').at(-1)?.registration.endpoint;
      };
      assert.equal(speaker(), 'three');
      for (const [at, endpoint] of ['one', 'two', 'one'].entries()) {
        assert.equal(peer.code({ path: `/rd/${ids[endpoint === 'one' ? 0 : 1]}`, ...(at === 2 && { query: ['lt=500'] }) }), '2.04');
        assert.equal(speaker(), endpoint);
      }
      for (const id of ids.slice(0, 2)) assert.equal(peer.code({ code: '0.04', path: `/rd/${id}` }), '2.02');
      assert.equal(speaker(), 'three');
    });

    shared('[SRV-045] keeps its observations when the other one moves away', async () => {
      const ground = createWorld();
      const stays = new ScriptedPeer(ground);
      const moves = new ScriptedPeer(ground, ELSEWHERE);
      // A new device has got the address that an old one had behind its NAT.
      const oldId = stays.register({ endpoint: 'old' });
      const own = await perform(ground, stays, { endpoint: 'old', operation: observe(3303, 0, 5700), answer: { ...TEXT, observe: 1 } });
      stays.register({ endpoint: 'new' });
      const { request } = await perform(ground, stays, { endpoint: 'new', operation: observe(3, 0, 9), answer: { ...TEXT, observe: 1 } });
      ground.events.length = 0;
      assert.equal(moves.code({ path: `/rd/${oldId}` }), '2.04');
      stays.push(request.token, '2.05', { ...TEXT, observe: 2 });
      stays.quiet();
      moves.push(own.request.token, '2.05', { ...TEXT, observe: 2 });
      moves.quiet();
      assert.deepEqual(story(ground.events), ['address-changed old', 'updated old', 'notification new', 'notification old']);
    });

    shared('[SRV-045] keeps its waiting requests when the other one moves away', async () => {
      const ground = createWorld();
      const stays = new ScriptedPeer(ground);
      const moves = new ScriptedPeer(ground, ELSEWHERE);
      const oldId = stays.register({ endpoint: 'old' });
      stays.register({ endpoint: 'new' });
      const results = [ground.server.perform('new', read(3, 0, 0)), ground.server.perform('new', read(3, 0, 1))];
      stays.tick();
      const first = stays.takeRequest();
      assert.equal(moves.code({ path: `/rd/${oldId}` }), '2.04');
      moves.quiet();
      stays.answer(first, '2.05', TEXT);
      stays.answer(stays.takeRequest(), '2.05', TEXT);
      for (const result of await Promise.all(results)) assert.equal(answered(result).ok, true);
    });
  });
});
