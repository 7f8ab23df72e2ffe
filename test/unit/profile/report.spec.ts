import assert from 'node:assert/strict';
import type { ResourceEntry } from '../../../lib/profile/types';
import type { KeyedValues } from '../../../lib/server/types';
import * as coap from '../../support/coap-message';
import { eventsOf, type Ground, type GroundOptions } from '../../support/ground';
import { at, closeAll, createWorld, read, ScriptedPeer } from '../server/fixture';
import { able, line, serve, turn } from './dialogue';

const LIST = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>';
const RESOURCES: readonly ResourceEntry[] = [
  { path: '/3/0/0', attribute: true },
  { path: '/3/0/9', telemetry: true, observe: true },
  { path: '/3303/*/5700', key: 'temperature', telemetry: true },
];

function world(options: GroundOptions = {}, resources = RESOURCES): { ground: Ground; peer: ScriptedPeer } {
  const ground = createWorld({
    profiles: [{ id: 'p', name: 'meter', isDefault: true, definition: { resources } }],
    ...options,
  });
  return { ground, peer: new ScriptedPeer(ground) };
}

const told = (ground: Ground): (readonly [string, number, unknown])[] =>
  ground.events
    .filter((event): event is KeyedValues => event.kind === 'telemetry' || event.kind === 'attributes')
    .map(({ kind, time, values }) => [kind, time, values]);

/** CBOR of what a SenML record is made of: small integers as labels, text and numbers as values. */
function cbor(value: unknown): Buffer {
  const head = (major: number, count: number): Buffer => {
    if (count < 24) return Buffer.from([(major << 5) | count]);
    if (count < 256) return Buffer.from([(major << 5) | 24, count]);
    const long = Buffer.alloc(9);
    long[0] = (major << 5) | 27;
    long.writeBigUInt64BE(BigInt(count), 1);
    return long;
  };
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)]);
  if (value instanceof Map) return Buffer.concat([head(5, value.size), ...[...value].flatMap(([key, each]) => [cbor(key), cbor(each)])]);
  if (typeof value !== 'number') throw new TypeError('not in SenML');
  if (Number.isInteger(value)) return value < 0 ? head(1, -1 - value) : head(0, value);
  const double = Buffer.alloc(9);
  double[0] = 0xfb;
  double.writeDoubleBE(value, 1);
  return double;
}

describe('What a profile reports', () => {
  afterEach(closeAll);

  it('[PRF-027] what is observed and what is read at registration, each under its key', async () => {
    const { ground, peer } = world();
    peer.register({ payload: LIST });
    await serve(peer);
    assert.deepEqual(
      told(ground).map(([kind, , values]) => [kind, values]),
      [
        ['telemetry', { batteryLevel: 80 }],
        ['attributes', { manufacturer: 'Acme' }],
        ['telemetry', { temperature: 21.5 }],
      ],
    );
    const [{ keys, profile, registration } = {} as KeyedValues] = eventsOf(ground.events, 'telemetry');
    assert.deepEqual(
      [keys, profile, registration.endpoint],
      [{ batteryLevel: { path: '/3/0/9', type: 'integer', unit: '/100' } }, 'meter', 'dev'],
    );
  });

  it('[PRF-027] a notification, after the event of its own, and a Read of a flow', async () => {
    const { ground, peer } = world();
    peer.register({ payload: LIST });
    await serve(peer);
    const token = Buffer.from(ground.server.observations('dev')[0]?.id ?? '', 'hex');
    ground.events.length = 0;
    peer.push(token, '2.05', { payload: '[{"n":"/3/0/9","v":55}]', contentFormat: 110, observe: 2 });
    assert.deepEqual(
      ground.events.map(({ kind }) => kind),
      ['notification', 'telemetry'],
    );
    assert.deepEqual(
      told(ground).map(([, , values]) => values),
      [{ batteryLevel: 55 }],
    );
    ground.events.length = 0;
    void ground.server.perform('dev', read(3303, 0));
    await serve(peer, () => ({
      code: '2.05',
      contentFormat: 110,
      payload: '[{"n":"/3303/0/5700","v":19},{"n":"/3303/0/5701","vs":"Cel"}]',
    }));
    assert.deepEqual(
      told(ground).map(([, , values]) => values),
      [{ temperature: 19 }],
    );
  });

  it('[PRF-027] a Send counts without an observation, and from a device nobody has asked anything', () => {
    const { ground, peer } = world();
    peer.request({ query: ['ep=dev', 'lwm2m=1.1', 'lt=300'], contentFormat: 40, payload: LIST });
    peer.tick();
    peer.take();
    peer.request({ path: '/dp', contentFormat: 110, payload: '[{"n":"/3303/0/5700","v":7}]' });
    peer.tick();
    assert.equal(coap.codeText(peer.take().code), '2.04');
    assert.deepEqual(told(ground), [['telemetry', ground.clock.wall() - 1, { temperature: 7 }]]);
  });

  for (const format of ['SenML JSON', 'SenML CBOR']) {
    it(`[PRF-028] a Send of 100 records of five times gives five messages with exactly these times, ${format}`, async () => {
      const keys = Array.from({ length: 20 }, (_, at) => `k${at}`);
      const { ground, peer } = world(
        {},
        keys.map((key, at) => ({ path: `/3303/0/${5000 + at}`, key, telemetry: true })),
      );
      peer.register({ payload: LIST });
      await serve(peer);
      ground.events.length = 0;
      const times = [1_700_000_000, 1_699_999_990.25, 1_700_000_010.5, 1_700_000_020.125, 1_700_000_030.001];
      const records = times.flatMap((time, round) => keys.map((_, at) => ({ n: `/3303/0/${5000 + at}`, t: time, v: round * 100 + at })));
      assert.equal(records.length, 100);
      const payload =
        format === 'SenML JSON'
          ? JSON.stringify(records)
          : cbor(
              records.map(
                ({ n, t, v }) =>
                  new Map<number, unknown>([
                    [0, n],
                    [6, t],
                    [2, v],
                  ]),
              ),
            );
      // Too much for one datagram.
      const bytes = Buffer.from(payload);
      const size = 1024;
      for (let at = 0; at < bytes.length; at += size) {
        const more = at + size < bytes.length;
        peer.send({
          type: coap.CON,
          code: coap.code('0.02'),
          mid: 0x7000 + at / size,
          token: Buffer.from('b1', 'hex'),
          options: [
            ...coap.pathOptions('/dp'),
            coap.uintOption(coap.OptionNumber.ContentFormat, format === 'SenML JSON' ? 110 : 112),
            coap.uintOption(coap.OptionNumber.Block1, ((at / size) << 4) | (more ? 8 : 0) | 6),
          ],
          payload: bytes.subarray(at, at + size),
        });
        peer.tick();
        assert.equal(coap.codeText(peer.take().code), more ? '2.31' : '2.04');
      }
      const sorted = times.map((time, round) => [time, round] as const).sort(([a], [b]) => a - b);
      assert.deepEqual(
        told(ground),
        sorted.map(([time, round]) => [
          'telemetry',
          Math.round(time * 1000),
          Object.fromEntries(keys.map((key, at) => [key, round * 100 + at])),
        ]),
      );
    });
  }

  it('[PRF-029] the values there are now: at most one event of each kind, also after a restart', async () => {
    const { ground, peer } = world();
    peer.register({ query: ['lt=100000'], payload: LIST });
    await serve(peer);
    const now = (): unknown => ground.profiles.currentValues('dev').map(({ kind, values }) => [kind, values]);
    const expected = [
      ['telemetry', { batteryLevel: 80, temperature: 21.5 }],
      ['attributes', { manufacturer: 'Acme' }],
    ];
    assert.deepEqual(now(), expected);
    ground.restart();
    assert.deepEqual(now(), expected);
    assert.deepEqual(ground.profiles.currentValues('nobody'), []);
  });

  it('[PRF-040] what goes to and fro, in words, and as telemetry where the profile says so', async () => {
    const definition = { resources: [RESOURCES[0]!, { path: '/3/0/1', attribute: true }], transportLog: true };
    const { ground, peer } = world({ transportLog: true, profiles: [{ id: 'p', name: 'meter', isDefault: true, definition }] });
    const id = peer.register({ query: ['lt=100000', 'Q'], payload: LIST });
    await serve(peer, (request) => (line(request) === 'GET /3/0/1' ? { code: '4.04' } : able(request)));
    peer.request({ path: `/rd/${id}` });
    peer.tick();
    peer.inbox.length = 0;
    ground.clock.advance(93_000);
    const logs = eventsOf(ground.events, 'log').filter(({ transport }) => transport === true);
    const port = String(peer.host.port);
    assert.deepEqual(
      logs.map(({ level, text }) => `${level} ${text.replace(/after \d+ ms/, 'after n ms').replace(port, 'p')}`),
      [
        'info Registered from 192.0.2.10:p: LwM2M 1.1, a lifetime of 100000 s, sleeps. It has /1/0, /3/0, /3303/0.',
        'info Awake. No command is sent to it now.',
        'info Request: Read /3/0/0.',
        'info Answer: Read /3/0/0: 2.05 CONTENT after n ms.',
        'info Request: Read /3/0/1.',
        'warn Answer: Read /3/0/1: 4.04 NOT_FOUND after n ms.',
        'info Registration updated.',
        'info Asleep. No command waits for it.',
      ],
    );
    const telemetry = eventsOf(ground.events, 'telemetry').filter(({ values }) => 'transportLog' in values);
    assert.deepEqual(
      telemetry.map(({ values }) => values['transportLog']),
      eventsOf(ground.events, 'log').map(({ text }) => text),
    );
    const times = telemetry.map(({ time }) => time);
    assert.equal(new Set(times).size, times.length, 'each has a time of its own');
  });

  it('[PRF-041] without values, and no more than so many a second; what is left out is counted', async () => {
    const { ground, peer } = world({ transportLog: true, profiles: [] });
    const id = peer.register({ query: ['lt=100000'], payload: LIST });
    void ground.server.perform('dev', {
      kind: 'WriteReplace',
      path: at(3, 0, 15),
      nodes: [{ path: [3, 0, 15], type: 'string', value: 'top-secret' }],
    });
    await serve(peer);
    // A value that does not fit its format is in the error, and not in the log.
    const wrong = { path: [3, 0, 13], type: 'time', value: 'top-secret' } as const;
    void ground.server.perform('dev', { kind: 'WriteReplace', path: at(3, 0, 13), nodes: [wrong] });
    await turn();
    // Nor is what the device gives in the place of a number.
    void ground.server.perform('dev', read(3, 0, 13));
    await serve(peer, () => ({ code: '2.05', contentFormat: 0, payload: 'top-secret' }));
    const logs = (): string[] => eventsOf(ground.events, 'log').map(({ text }) => text);
    assert.match(logs().at(-1) ?? '', /^Failed: Read \/3\/0\/13: BAD_RESPONSE\. .* a text of 10 characters where the type is time/);
    for (let round = 0; round < 600; round++) {
      peer.request({ path: `/rd/${id}` });
      peer.inbox.length = 0;
    }
    peer.tick();
    assert.ok(logs().includes('Request: WriteReplace /3/0/15.'));
    assert.ok(!logs().some((text) => text.includes('secret')));
    assert.equal(logs().length, 500);
    ground.clock.advance(1000);
    peer.inbox.length = 0;
    peer.request({ path: `/rd/${id}` });
    peer.tick();
    assert.match(logs()[500] ?? '', /^Registration updated\. \(107 entries before this one/);
    await turn();
  });

  it('[PRF-042] when a device was heard last: any message of its own', async () => {
    const { ground, peer } = world({ profiles: [] });
    const id = peer.register({ query: ['lt=100000'], payload: LIST });
    const seen = (): number => ground.clock.wall() - (ground.server.registration('dev')?.lastSeenAt ?? 0);
    const later = (): void => ground.clock.advance(50_000);
    later();
    assert.ok(seen() >= 50_000);
    peer.request({ path: `/rd/${id}` });
    peer.tick();
    assert.ok(seen() < 10, 'an Update');
    later();
    peer.inbox.length = 0;
    peer.request({ path: '/dp', contentFormat: 110, payload: '[{"n":"/3303/0/5700","v":7}]' });
    peer.tick();
    assert.ok(seen() < 10, 'a Send');
    later();
    peer.inbox.length = 0;
    void ground.server.perform('dev', { kind: 'Observe', path: at(3, 0, 9) });
    await serve(peer);
    assert.ok(seen() < 10, 'an answer');
    later();
    const token = Buffer.from(ground.server.observations('dev')[0]?.id ?? '', 'hex');
    peer.push(token, '2.05', { payload: '[{"n":"/3/0/9","v":55}]', contentFormat: 110, observe: 2 });
    assert.ok(seen() < 10, 'a notification');
    assert.ok(ground.clock.wall() - (ground.server.registration('dev')?.updatedAt ?? 0) > 100_000);
  });
});
