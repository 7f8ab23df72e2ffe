import assert from 'node:assert/strict';
import type { ProfileDefinition, ProfileSettings } from '../../../lib/profile/types';
import * as coap from '../../support/coap-message';
import { eventsOf, type Ground, type GroundOptions } from '../../support/ground';
import { at, closeAll, createWorld, observe, ScriptedPeer } from '../server/fixture';
import { able, line, serve, turn, type Reply } from './dialogue';

const definition = (changes: Partial<ProfileDefinition> = {}): ProfileDefinition => ({
  resources: [
    { path: '/3/0/0', attribute: true },
    { path: '/3/0/9', telemetry: true, observe: true },
    { path: '/3303/*/5700', key: 'temperature', telemetry: true, observe: true },
  ],
  attributes: { '/3/0/9': { pmin: 10, pmax: 60 } },
  ...changes,
});

const settings = (changes: Partial<ProfileDefinition> = {}, more: Partial<ProfileSettings> = {}): ProfileSettings => ({
  id: 'p1',
  name: 'meter',
  isDefault: true,
  definition: definition(changes),
  ...more,
});

const LIST = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>';

function world(options: GroundOptions = {}): { ground: Ground; peer: ScriptedPeer } {
  const ground = createWorld({ profiles: [settings()], ...options });
  return { ground, peer: new ScriptedPeer(ground) };
}

const texts = (ground: Ground): string[] => eventsOf(ground.events, 'log').map(({ text }) => text);
const observed = (ground: Ground): string[] =>
  ground.server.observations('dev').map(({ path, paths }) => (paths ?? [path]).map(({ ids }) => `/${ids.join('/')}`).join(' '));

describe('What a profile asks of a device', () => {
  afterEach(closeAll);

  it('[PRF-001] at registration: attributes, then observations, then reads, each once and after the answer to Register', async () => {
    const { ground, peer } = world();
    peer.register({ payload: LIST });
    assert.deepEqual(await serve(peer), ['PUT /3/0/9?pmin=10&pmax=60', 'GET /3/0/9 observe=0', 'GET /3303/0/5700 observe=0', 'GET /3/0/0']);
    assert.deepEqual(observed(ground), ['/3/0/9', '/3303/0/5700']);
    assert.deepEqual(texts(ground), ['The device reports what the profile "meter" says. Requests: 4, observations: 2.']);
  });

  it('[PRF-002] at another registration: the same again, and nothing twice', async () => {
    const { ground, peer } = world();
    peer.register({ payload: LIST });
    await serve(peer);
    peer.register({ payload: LIST });
    assert.deepEqual(await serve(peer), ['PUT /3/0/9?pmin=10&pmax=60', 'GET /3/0/9 observe=0', 'GET /3303/0/5700 observe=0', 'GET /3/0/0']);
    assert.deepEqual(observed(ground), ['/3/0/9', '/3303/0/5700']);
  });

  it('[PRF-002] what a flow observes besides runs again as ever, and what the profile observes only once', async () => {
    const { ground, peer } = world();
    peer.register({ payload: LIST });
    await serve(peer);
    void ground.server.perform('dev', observe(3, 0, 15));
    await serve(peer);
    peer.request({ query: ['ep=dev', 'lwm2m=1.1', 'lt=300'], contentFormat: 40, payload: LIST });
    peer.tick();
    assert.equal(coap.codeText(peer.take().code), '2.01');
    const lines = await serve(peer);
    assert.deepEqual([...lines].sort(), [
      'GET /3/0/0',
      'GET /3/0/15 observe=0',
      'GET /3/0/9 observe=0',
      'GET /3303/0/5700 observe=0',
      'PUT /3/0/9?pmin=10&pmax=60',
    ]);
  });

  it('[PRF-003] an Update that says nothing new asks for nothing; one that brings an object asks for what is new', async () => {
    const { ground, peer } = world();
    const id = peer.register({ payload: LIST });
    await serve(peer);
    assert.equal(peer.code({ path: `/rd/${id}` }), '2.04');
    assert.deepEqual(await serve(peer), []);
    assert.equal(peer.code({ path: `/rd/${id}`, contentFormat: 40, payload: `${LIST},</3303/1>` }), '2.04');
    assert.deepEqual(await serve(peer), ['GET /3303/1/5700 observe=0']);
    assert.deepEqual(observed(ground), ['/3/0/9', '/3303/0/5700', '/3303/1/5700']);
  });

  it('[PRF-004] a change of the profile sends the difference only: an attribute removed, one changed, one observed less, one more', async () => {
    const { ground, peer } = world();
    peer.register({ payload: LIST });
    await serve(peer);
    const changed = settings({
      resources: [
        { path: '/3/0/0', attribute: true },
        { path: '/3/0/9', telemetry: true, observe: true },
        { path: '/3/0/15', attribute: true, observe: true },
      ],
      attributes: { '/3/0/9': { pmax: 120 } },
    });
    ground.profiles.set([changed]);
    assert.deepEqual(await serve(peer), ['PUT /3/0/9?pmax=120&pmin', 'GET /3303/0/5700 observe=1', 'GET /3/0/15 observe=0']);
    assert.deepEqual(observed(ground), ['/3/0/9', '/3/0/15']);
    ground.profiles.set([changed]);
    assert.deepEqual(await serve(peer), []);
  });

  it('[PRF-004] another key, another scale: nothing is sent', async () => {
    const { ground, peer } = world();
    peer.register({ payload: LIST });
    await serve(peer);
    const resources = definition().resources.map((entry) => ({ ...entry, key: `k${entry.path}`, factor: 2 }));
    ground.profiles.set([settings({ resources })]);
    assert.deepEqual(await serve(peer), []);
  });

  it('[PRF-005] without a profile any more a device is asked to forget it', async () => {
    const { ground, peer } = world();
    peer.register({ payload: LIST });
    await serve(peer);
    ground.profiles.set([]);
    assert.deepEqual(await serve(peer), ['PUT /3/0/9?pmin&pmax', 'GET /3/0/9 observe=1', 'GET /3303/0/5700 observe=1']);
    assert.deepEqual(observed(ground), []);
    assert.equal(ground.profiles.record('dev'), undefined);
  });

  it('[PRF-005] a mistake in a profile takes nothing back, neither at once nor after a restart', async () => {
    const { ground, peer } = world();
    peer.register({ query: ['lt=100000'], payload: LIST });
    await serve(peer);
    const broken = settings({ resources: [{ path: '/3/0' }] });
    for (const run of ['live', 'restarted']) {
      if (run === 'restarted') ground.restart();
      const [problem] = ground.profiles.set([broken]);
      assert.equal(problem?.id, 'p1');
      assert.match(problem.error.message, /resources\[0\]: \/3\/0 is no resource/);
      assert.deepEqual(await serve(peer), []);
    }
    // What was right once holds on.
    peer.register({ query: ['lt=100000'], payload: LIST });
    assert.equal((await serve(peer)).length, 4);
    // Where it never was, what was observed runs again as without a profile.
    const other = createWorld({ profiles: [broken] });
    const device = new ScriptedPeer(other);
    other.restart({ records: new Map(ground.kept()) });
    assert.deepEqual(await serve(device), []);
    device.request({ query: ['ep=dev', 'lwm2m=1.1', 'lt=100000'], contentFormat: 40, payload: LIST });
    device.tick();
    device.take();
    assert.deepEqual(await serve(device), ['GET /3/0/9 observe=0', 'GET /3303/0/5700 observe=0']);
  });

  it('[PRF-011] a record that is none is dropped', async () => {
    const { ground, peer } = world();
    peer.register({ query: ['lt=100000'], payload: LIST });
    await serve(peer);
    const records = new Map(ground.kept());
    const right = records.get('prf/dev') as Record<string, unknown>;
    for (const wrong of [
      null,
      'x',
      { ...right, read: ['/99999/0/1'] },
      { ...right, observed: { '+/3/0 x': true } },
      { ...right, attributes: 5 },
    ]) {
      records.set('prf/dev', wrong);
      assert.deepEqual(ground.restart({ records }), ['prf/dev']);
      await serve(peer);
    }
  });

  it('[PRF-006] a change while the device sleeps is sent when it wakes, as one difference of several changes', async () => {
    const { ground, peer } = world();
    const id = peer.register({ query: ['lt=100000', 'Q'], payload: LIST });
    await serve(peer);
    ground.clock.advance(93_000);
    assert.equal(ground.server.awake('dev'), false);
    ground.profiles.set([settings({ attributes: { '/3/0/9': { pmin: 20, pmax: 60 } } })]);
    assert.deepEqual(await serve(peer), []);
    ground.profiles.set([settings({ attributes: { '/3/0/9': { pmin: 30, pmax: 60 } } })]);
    assert.deepEqual(await serve(peer), []);
    peer.request({ path: `/rd/${id}` });
    peer.tick();
    assert.equal(coap.codeText(peer.take().code), '2.04');
    assert.deepEqual(await serve(peer), ['PUT /3/0/9?pmin=30']);
  });

  it('[PRF-006] a device that falls asleep in the middle is asked for the rest when it wakes', async () => {
    const { ground, peer } = world();
    const id = peer.register({ query: ['lt=100000', 'Q'], payload: LIST });
    await turn();
    peer.tick();
    const first = peer.takeRequest();
    assert.equal(line(first), 'PUT /3/0/9?pmin=10&pmax=60');
    ground.clock.advance(200_000);
    await turn();
    assert.equal(ground.server.awake('dev'), false);
    peer.inbox.length = 0;
    assert.deepEqual(await serve(peer), []);
    peer.request({ path: `/rd/${id}` });
    peer.tick();
    assert.equal(coap.codeText(peer.take().code), '2.04');
    const rest = await serve(peer);
    assert.deepEqual(rest.slice(-3), ['GET /3/0/9 observe=0', 'GET /3303/0/5700 observe=0', 'GET /3/0/0']);
  });

  for (const [strategy, composites] of [
    ['composite', ['FETCH / observe=0 /3/0/9 /3303/0/5700']],
    ['composite-by-object', ['FETCH / observe=0 /3/0/9', 'FETCH / observe=0 /3303/0/5700']],
  ] as const) {
    it(`[PRF-007] strategy ${strategy}: composite observations, and a composite read where that is wanted`, async () => {
      const { ground, peer } = world({ profiles: [settings({ strategy, initialRead: 'composite' })] });
      peer.register({ payload: LIST });
      assert.deepEqual(await serve(peer), ['PUT /3/0/9?pmin=10&pmax=60', ...composites, 'FETCH / /3/0/0']);
      assert.equal(ground.server.observations('dev').length, composites.length);
    });
  }

  it('[PRF-007] a new object makes the one composite observation anew; one that is gone leaves it', async () => {
    const { peer } = world({ profiles: [settings({ strategy: 'composite', attributes: {} })] });
    const id = peer.register({ payload: LIST });
    assert.deepEqual(await serve(peer), ['FETCH / observe=0 /3/0/9 /3303/0/5700', 'GET /3/0/0']);
    assert.equal(peer.code({ path: `/rd/${id}`, contentFormat: 40, payload: `${LIST},</3303/1>` }), '2.04');
    assert.deepEqual(await serve(peer), ['FETCH / observe=1 /3/0/9 /3303/0/5700', 'FETCH / observe=0 /3/0/9 /3303/0/5700 /3303/1/5700']);
    assert.equal(peer.code({ path: `/rd/${id}`, contentFormat: 40, payload: LIST }), '2.04');
    assert.deepEqual(await serve(peer), []);
  });

  it('[PRF-008] a refused composite: each resource is observed by itself, once and for all, and it is said', async () => {
    const { ground, peer } = world({ profiles: [settings({ strategy: 'composite', initialRead: 'composite', attributes: {} })] });
    const refuse = (request: coap.CoapMessage): Reply => (line(request).startsWith('FETCH') ? { code: '4.05' } : able(request));
    peer.register({ payload: LIST });
    const lines = ['FETCH / observe=0 /3/0/9 /3303/0/5700', 'GET /3/0/9 observe=0', 'GET /3303/0/5700 observe=0', 'GET /3/0/0'];
    assert.deepEqual(await serve(peer, refuse), lines);
    assert.match(
      texts(ground)[0] ?? '',
      /^Profile "meter": Observe-Composite \/3\/0\/9 \/3303\/0\/5700: the device answered 4\.05 METHOD_NOT_ALLOWED\. From now on each/,
    );
    peer.register({ payload: LIST });
    assert.deepEqual(await serve(peer, refuse), lines.slice(1));
  });

  it('[PRF-008] an unanswered composite: the same, after 30 s', async () => {
    const { ground, peer } = world({ profiles: [settings({ strategy: 'composite', attributes: {} })] });
    peer.register({ payload: LIST });
    await turn();
    peer.tick();
    const composite = peer.takeRequest();
    assert.equal(line(composite), 'FETCH / observe=0 /3/0/9 /3303/0/5700');
    peer.acknowledge(composite);
    ground.clock.advance(29_000);
    assert.deepEqual(await serve(peer), []);
    ground.clock.advance(2000);
    assert.deepEqual(await serve(peer), ['GET /3/0/9 observe=0', 'GET /3303/0/5700 observe=0', 'GET /3/0/0']);
    assert.equal(
      texts(ground)[0],
      'Profile "meter": Observe-Composite /3/0/9 /3303/0/5700: acknowledged, but not answered in time. From now on each resource is asked for by itself.',
    );
  });

  it('[PRF-008] of what a composite is answered without it is said', async () => {
    const { ground, peer } = world({ profiles: [settings({ strategy: 'composite', initialRead: 'composite', attributes: {} })] });
    peer.register({ payload: LIST });
    const some = { code: '2.05', contentFormat: 110, payload: '[{"n":"/3303/0/5700","v":1}]' };
    await serve(peer, (request) => ({ ...some, ...(line(request).includes('observe=0') ? { observe: 1 } : { payload: '[]' }) }));
    assert.deepEqual(texts(ground), [
      'Profile "meter": Observe-Composite /3/0/9 /3303/0/5700: the device gave no value of /3/0/9.',
      'Profile "meter": Read-Composite /3/0/0: the device gave no value of /3/0/0.',
      'The device reports what the profile "meter" says. Requests: 2, observations: 1.',
    ]);
  });

  it('[PRF-008] a device of LwM2M 1.0 is not asked for composites, nor for attributes it cannot know', async () => {
    const profile = settings({ strategy: 'composite', attributes: { '/3/0/9': { pmin: 10, epmin: 5 } } });
    const { ground, peer } = world({ profiles: [profile] });
    peer.register({ version: '1.0', payload: '</1/0>,</3/0>,</3303/0>' });
    assert.deepEqual(await serve(peer), ['PUT /3/0/9?pmin=10', 'GET /3/0/9 observe=0', 'GET /3303/0/5700 observe=0', 'GET /3/0/0']);
    assert.match(texts(ground).join(), /announces no composite operations.*epmin came with LwM2M 1\.1/);
  });

  it('[PRF-009] what cannot be read is not asked for, and that is said', async () => {
    const resources = [
      { path: '/3/0/4', key: 'reboot', telemetry: true, observe: true },
      { path: '/5/*/0', attribute: true },
      { path: '/3/0/9', telemetry: true, observe: true },
      { path: '/3/0/5', key: 'reset' },
    ];
    const { ground, peer } = world({ profiles: [settings({ resources, attributes: {} })] });
    peer.register({ payload: '</1/0>,</3/0>,</5/0>,</5/1>' });
    assert.deepEqual(await serve(peer), ['GET /3/0/9 observe=0']);
    assert.deepEqual(texts(ground), [
      'The device reports what the profile "meter" says. Requests: 1, observations: 1. /3/0/4 (Reboot) cannot be read: it is left out. ' +
        '/5/0/0 (Package) cannot be read: it is left out. /5/1/0 (Package) cannot be read: it is left out.',
    ]);
  });

  it('[PRF-009] what is refused is said once and not asked again; what cannot be observed is read', async () => {
    const { ground, peer } = world();
    const refuse = (request: coap.CoapMessage): Reply => {
      const asked = line(request);
      if (asked.startsWith('PUT')) return { code: '4.00', payload: 'no attributes' };
      if (asked === 'GET /3/0/9 observe=0') return { code: '4.05' };
      return asked === 'GET /3303/0/5700 observe=0' ? { code: '4.04' } : able(request);
    };
    const id = peer.register({ payload: LIST });
    assert.deepEqual(await serve(peer, refuse), [
      'PUT /3/0/9?pmin=10&pmax=60',
      'GET /3/0/9 observe=0',
      'GET /3303/0/5700 observe=0',
      'GET /3/0/9',
      'GET /3/0/0',
    ]);
    assert.deepEqual(observed(ground), []);
    assert.deepEqual(texts(ground).slice(0, 3), [
      'Profile "meter": Write-Attributes /3/0/9 pmin=10 pmax=60: the device answered 4.00 BAD_REQUEST (no attributes).',
      'Profile "meter": Observe /3/0/9: the device answered 4.05 METHOD_NOT_ALLOWED. It is read once instead.',
      'Profile "meter": Observe /3303/0/5700: the device answered 4.04 NOT_FOUND.',
    ]);
    assert.equal(peer.code({ path: `/rd/${id}` }), '2.04');
    assert.deepEqual(await serve(peer, refuse), []);
  });

  it('[PRF-010] a device that does not acknowledge is left alone after two requests, until it is heard', async () => {
    const { ground, peer } = world();
    const id = peer.register({ query: ['lt=100000'], payload: LIST });
    const asked = new Set<string>();
    for (let second = 0; second < 400; second++) {
      await turn();
      ground.clock.advance(1000);
      for (const request of peer.inbox.splice(0)) asked.add(line(request));
    }
    assert.deepEqual([...asked], ['PUT /3/0/9?pmin=10&pmax=60', 'GET /3/0/9 observe=0']);
    peer.request({ path: `/rd/${id}` });
    peer.tick();
    assert.equal(coap.codeText(peer.take().code), '2.04');
    assert.deepEqual(await serve(peer), ['PUT /3/0/9?pmin=10&pmax=60', 'GET /3/0/9 observe=0', 'GET /3303/0/5700 observe=0', 'GET /3/0/0']);
    assert.deepEqual(observed(ground), ['/3/0/9', '/3303/0/5700']);
  });

  it('[PRF-010] a device that was silent to a composite and all that came then is asked for composites when it is heard', async () => {
    const { ground, peer } = world({ profiles: [settings({ strategy: 'composite', attributes: {} })] });
    const id = peer.register({ query: ['lt=100000'], payload: LIST });
    const composite = 'FETCH / observe=0 /3/0/9 /3303/0/5700';
    const asked = await silentTo(ground, peer, 400, () => true);
    assert.deepEqual(asked, [composite, 'GET /3/0/9 observe=0', 'GET /3303/0/5700 observe=0']);
    peer.request({ path: `/rd/${id}` });
    peer.tick();
    assert.equal(coap.codeText(peer.take().code), '2.04');
    assert.deepEqual(await serve(peer), [composite, 'GET /3/0/0']);
    assert.deepEqual(observed(ground), ['/3/0/9 /3303/0/5700']);
  });

  it('[PRF-010] so is one that registers anew before it has answered anything', async () => {
    const { ground, peer } = world({ profiles: [settings({ strategy: 'composite', attributes: {} })] });
    peer.register({ query: ['lt=100000'], payload: LIST });
    const composite = 'FETCH / observe=0 /3/0/9 /3303/0/5700';
    assert.deepEqual(await silentTo(ground, peer, 40, () => true), [composite, 'GET /3/0/9 observe=0']);
    peer.register({ query: ['lt=100000'], payload: LIST });
    assert.deepEqual(await serve(peer), [composite, 'GET /3/0/0']);
  });

  it('[PRF-010] a Send is heard too', async () => {
    const { ground, peer } = world();
    peer.register({ query: ['lt=100000'], payload: LIST });
    await silentTo(ground, peer, 400, () => true);
    assert.equal(peer.code({ path: '/dp', contentFormat: 110, payload: '[{"n":"/3/0/9","v":7}]' }), '2.04');
    assert.equal((await serve(peer)).length, 4);
  });

  /** Lets `seconds` pass; the device is silent to some requests, and answers the others. Gives back each request once. */
  async function silentTo(ground: Ground, peer: ScriptedPeer, seconds: number, silent: (asked: string) => boolean): Promise<string[]> {
    const asked: string[] = [];
    for (let second = 0; second < seconds; second++) {
      await turn();
      ground.clock.advance(1000);
      for (const request of peer.inbox.splice(0)) {
        if (asked.at(-1) !== line(request)) asked.push(line(request));
        const answer = able(request);
        if (answer !== 'nothing' && !silent(line(request))) peer.answer(request, answer.code, answer);
      }
    }
    return asked;
  }

  it('[PRF-010] a request that was not acknowledged is made once more, after the others', async () => {
    const { ground, peer } = world();
    peer.register({ query: ['lt=100000'], payload: LIST });
    const asked = await silentTo(ground, peer, 600, (text) => text === 'GET /3/0/9 observe=0' && ground.clock.now() < 90_000);
    assert.deepEqual(asked, [
      'PUT /3/0/9?pmin=10&pmax=60',
      'GET /3/0/9 observe=0',
      'GET /3303/0/5700 observe=0',
      'GET /3/0/0',
      'GET /3/0/9 observe=0',
    ]);
    assert.deepEqual(observed(ground), ['/3303/0/5700', '/3/0/9']);
    assert.equal(
      texts(ground)[0],
      'Profile "meter": Observe /3/0/9: not acknowledged after all retransmissions. It is asked for once more, after the rest.',
    );
  });

  it('[PRF-010] a device that is silent to some requests whenever they come is asked all the others, and then no more', async () => {
    const { ground, peer } = world();
    const id = peer.register({ query: ['lt=100000'], payload: LIST });
    const silent = (asked: string): boolean => asked.startsWith('PUT') || asked === 'GET /3/0/9 observe=0';
    const rounds: string[][] = [];
    for (let round = 0; round < 5; round++) {
      rounds.push(await silentTo(ground, peer, 600, silent));
      peer.request({ path: `/rd/${id}` });
      peer.tick();
      assert.equal(coap.codeText(peer.take().code), '2.04');
    }
    const put = 'PUT /3/0/9?pmin=10&pmax=60';
    const get = 'GET /3/0/9 observe=0';
    assert.deepEqual(rounds, [[put, get], [put, get], ['GET /3303/0/5700 observe=0', 'GET /3/0/0', put, get], [get], []]);
    assert.deepEqual(observed(ground), ['/3303/0/5700']);
  });

  it('[PRF-011] after a restart nothing is asked that was asked before; what was left is asked for', async () => {
    const { ground, peer } = world();
    peer.register({ query: ['lt=100000'], payload: LIST });
    await serve(peer);
    assert.deepEqual(ground.restart({ off: 1000 }), []);
    assert.deepEqual(await serve(peer), []);
    // A change while the server was away.
    ground.profiles.set([settings({ attributes: {} })]);
    assert.deepEqual(await serve(peer), ['PUT /3/0/9?pmin&pmax']);
  });

  it('[PRF-011] before the profiles are there after a restart, nothing is taken back', async () => {
    const { ground, peer } = world();
    peer.register({ query: ['lt=100000'], payload: LIST });
    await serve(peer);
    const records = new Map(ground.kept());
    const again = createWorld();
    const other = new ScriptedPeer(again);
    again.restart({ records });
    other.register({ query: ['lt=100000'], payload: LIST });
    assert.deepEqual(await serve(other), []);
    again.profiles.set([settings()]);
    assert.deepEqual(await serve(other), [
      'PUT /3/0/9?pmin=10&pmax=60',
      'GET /3/0/9 observe=0',
      'GET /3303/0/5700 observe=0',
      'GET /3/0/0',
    ]);
  });

  it('[PRF-012] an observation that a flow cancels is not asked for again before the device registers anew', async () => {
    const { ground, peer } = world();
    const id = peer.register({ payload: LIST });
    await serve(peer);
    void ground.server.perform('dev', { kind: 'ObserveCancel', path: at(3, 0, 9) });
    assert.deepEqual(await serve(peer), ['GET /3/0/9 observe=1']);
    assert.equal(peer.code({ path: `/rd/${id}`, contentFormat: 40, payload: `${LIST},</3303/1>` }), '2.04');
    assert.deepEqual(await serve(peer), ['GET /3303/1/5700 observe=0']);
    peer.register({ payload: LIST });
    assert.ok((await serve(peer)).includes('GET /3/0/9 observe=0'));
  });

  it('[PRF-013] Mute Send is written first, to devices that have it', async () => {
    const { peer } = world({ profiles: [settings({ muteSend: true, attributes: {}, resources: [] })] });
    peer.register({ payload: LIST });
    const [first, ...rest] = await serve(peer);
    assert.match(first ?? '', /^PUT \/1\/0\/23/);
    assert.deepEqual(rest, []);
  });

  it('[PRF-014] the profile of the device table, the longest pattern that fits, the default, in this order', async () => {
    const one = (name: string, path: string, more: Partial<ProfileSettings> = {}): ProfileSettings => ({
      id: name,
      name,
      definition: { resources: [{ path, attribute: true }] },
      ...more,
    });
    const profiles = [
      one('default', '/3/0/0', { isDefault: true }),
      one('pattern', '/3/0/1', { endpoints: 'de*, other-*' }),
      one('longer', '/3/0/2', { endpoints: 'dev*' }),
      one('named', '/3/0/3'),
    ];
    for (const [endpoint, path] of [
      ['zzz', '/3/0/0'],
      ['other-7', '/3/0/1'],
      ['dev', '/3/0/2'],
      ['known', '/3/0/3'],
    ] as const) {
      const ground = createWorld({ profiles, devices: [{ endpoint: 'known', mode: 'none', profile: 'named' }] });
      const peer = new ScriptedPeer(ground, undefined, undefined, endpoint);
      peer.register({ endpoint, payload: LIST });
      assert.deepEqual(await serve(peer), [`GET ${path}`]);
    }
  });
});
