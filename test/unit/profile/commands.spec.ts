import assert from 'node:assert/strict';
import { runCommand } from '../../../lib/rpc/run';
import type { RunOptions } from '../../../lib/rpc/run';
import type { ResourceEntry } from '../../../lib/profile/types';
import * as coap from '../../support/coap-message';
import type { Ground } from '../../support/ground';
import { closeAll, createWorld, ScriptedPeer } from '../server/fixture';
import { able, line, serve, turn, type Reply } from './dialogue';

const LIST = '</>;rt="oma.lwm2m";ct="110 0",</1/0>,</3/0>,</3303/0>,</3303/2>,</19/0>';
const RESOURCES: readonly ResourceEntry[] = [
  { path: '/3/0/15', key: 'zone', attribute: true },
  { path: '/3/0/14', key: 'offset', attribute: true },
  { path: '/1/0/2', key: 'every', attribute: true, factor: 0.5 },
  { path: '/3303/*/5700', key: 't', telemetry: true, factor: 10, offset: -5 },
  { path: '/19/0/0', key: 'blobs' },
];

async function world(query = ['lt=100000']): Promise<{ ground: Ground; peer: ScriptedPeer; id: string }> {
  const ground = createWorld({ profiles: [{ id: 'p', name: 'meter', isDefault: true, definition: { resources: RESOURCES } }] });
  const peer = new ScriptedPeer(ground);
  const id = peer.register({ query, payload: LIST });
  await serve(peer, (request) =>
    line(request) === 'GET /1/0/2' ? { code: '2.05', contentFormat: 110, payload: '[{"n":"/1/0/2","v":60}]' } : able(request),
  );
  return { ground, peer, id };
}

function start(ground: Ground, command: unknown, options: RunOptions = {}) {
  const { server, profiles } = ground;
  const rpc = {
    registrations: () => server.registrations(),
    registration: (endpoint: string) => server.registration(endpoint),
    perform: server.perform.bind(server),
    lastValues: (endpoint: string) => server.lastValues(endpoint),
    underway: (endpoint: string) => server.underway(endpoint),
    keysOf: (endpoint: string) => profiles.keysOf(endpoint),
    scalesOf: (endpoint: string) => profiles.scalesOf(endpoint),
  };
  return runCommand(rpc, 'dev', command, options);
}

async function run(
  ground: Ground,
  peer: ScriptedPeer,
  command: unknown,
  reply: (request: coap.CoapMessage) => Reply = able,
  options: RunOptions = {},
) {
  const result = start(ground, command, options);
  const asked = await serve(peer, reply);
  return { asked, ...(await result) };
}

describe('Commands by the keys of a profile', () => {
  afterEach(closeAll);

  it('[PRF-043] read, write and observe by key, in the scale of the profile; the table of the node comes first', async () => {
    const { ground, peer } = await world();
    const one = await run(ground, peer, 'Read {"key":"t"}');
    assert.deepEqual([one.asked, one.payload], [['GET /3303/0/5700'], { result: 'CONTENT', value: { t: 210 } }]);
    const two = await run(ground, peer, 'ReadComposite {"keys":["t","zone"]}');
    assert.deepEqual(two.payload, { result: 'CONTENT', value: { t: 210, zone: 'Europe/Vienna' } });
    const other = await run(ground, peer, 'Read {"key":"t2"}');
    assert.deepEqual(other.asked, ['GET /3303/2/5700']);
    const written = await run(ground, peer, 'WriteReplace {"key":"every","value":15,"format":"text"}');
    assert.deepEqual([written.asked, written.payload], [['PUT /1/0/2 30'], { result: 'CHANGED' }]);
    const own = await run(ground, peer, 'Read {"key":"t"}', able, { keys: { t: '/3/0/15' } });
    assert.deepEqual([own.asked, own.payload], [['GET /3/0/15'], { result: 'CONTENT', value: { t: 'Europe/Vienna' } }]);
    const unknown = await run(ground, peer, 'Read {"key":"nothing"}');
    assert.match(String(unknown.payload.error), /There is no key "nothing"\. There are "zone", "offset", "every", "t", "t2", "blobs"/);
  });

  it('[PRF-044] UpdateAttributes writes what differs from the last known value, and names the result of each key', async () => {
    const { ground, peer } = await world();
    const first = await run(ground, peer, { method: 'UpdateAttributes', params: { zone: 'Europe/Vienna', offset: '+02', every: 30 } });
    assert.deepEqual(
      first.asked.map((text) => text.split(' ').slice(0, 2).join(' ')),
      ['PUT /3/0/14'],
    );
    assert.deepEqual(first.payload, { result: 'CHANGED', value: { zone: 'UNCHANGED', offset: 'CHANGED', every: 'UNCHANGED' } });
    const again = await run(ground, peer, 'UpdateAttributes {"offset":"+02"}');
    assert.deepEqual([again.asked, again.payload], [[], { result: 'CHANGED', value: { offset: 'UNCHANGED' } }]);
    const back = await run(ground, peer, 'UpdateAttributes {"offset":"+01"}');
    assert.equal(back.asked.length, 1);
  });

  it('[PRF-044] what stands beside the keys is none of them: a timeout counts, other things are passed over with a warning', async () => {
    const { ground, peer } = await world();
    const command = { method: 'UpdateAttributes', params: { zone: 'UTC', offset: '+03' }, timeout: 5000, persistent: false };
    const { asked, payload, meta } = await run(ground, peer, command);
    assert.deepEqual([asked.length, payload], [2, { result: 'CHANGED', value: { zone: 'CHANGED', offset: 'CHANGED' } }]);
    assert.deepEqual(meta.warnings, [
      'Ignored: "persistent". The parameters of WriteReplace are id, key, value, timeout, format, strict, ttl.',
    ]);
    const wrong = await run(ground, peer, { ...command, params: { zone: 'X' }, timeout: 'soon' });
    assert.deepEqual([wrong.asked, wrong.payload.result], [[], 'BAD_REQUEST']);
    assert.match(String(wrong.payload.error), /"timeout" is in milliseconds/);
    // Without params all the others are.
    const { payload: plain } = await run(ground, peer, { method: 'UpdateAttributes', zone: 'Mars' });
    assert.deepEqual(plain.value, { zone: 'CHANGED' });
  });

  it('[PRF-044] of a multiple resource the instances that differ', async () => {
    const { ground, peer } = await world();
    const first = await run(ground, peer, 'UpdateAttributes {"blobs":{"0":"0a","1":"0b"}}');
    assert.match(first.asked[0] ?? '', /^PUT \/19\/0\/0 0 1$/);
    const second = await run(ground, peer, 'UpdateAttributes {"blobs":{"0":"0a","1":"0c"}}');
    assert.equal(second.asked.length, 1);
    assert.match(second.asked[0] ?? '', /^POST \/19\/0\/0 \/19\/0\/0\/1$/);
    const third = await run(ground, peer, 'UpdateAttributes {"blobs":{"0":"0a","1":"0c"}}');
    assert.deepEqual(third.asked, []);
    // A PUT would take the other one away.
    const one = await run(ground, peer, 'UpdateAttributes {"blobs":{"0":"0f"}}');
    assert.match(one.asked[0] ?? '', /^POST \/19\/0\/0 \/19\/0\/0\/0$/);
    const all = await run(ground, peer, 'UpdateAttributes {"blobs":{"0":"01","1":"02"}}');
    assert.match(all.asked[0] ?? '', /^PUT /);
  });

  it('[PRF-044] what the device took by another command counts, and what it gave in the place of it', async () => {
    const { ground, peer } = await world();
    const written = (request: coap.CoapMessage): Reply => (line(request).startsWith('GET') ? able(request) : { code: '2.04' });
    for (const command of [
      'WriteReplace {"id":"/3/0/15","value":"UTC"}',
      'WriteUpdate {"id":"/3/0","value":{"15":"UTC"}}',
      'WriteComposite {"nodes":{"/3/0/15":"UTC"}}',
    ]) {
      assert.equal((await run(ground, peer, command, written)).payload.result, 'CHANGED');
      const same = await run(ground, peer, 'UpdateAttributes {"zone":"UTC"}', written);
      assert.deepEqual([same.asked, same.payload.value], [[], { zone: 'UNCHANGED' }], command);
      const back = await run(ground, peer, 'UpdateAttributes {"zone":"Europe/Vienna"}', written);
      assert.deepEqual([back.asked.length, back.payload.value], [1, { zone: 'CHANGED' }], command);
    }
    const long = { code: '2.05', contentFormat: 110, payload: JSON.stringify([{ n: '/3/0/15', vs: 'x'.repeat(2000) }]) };
    await run(ground, peer, 'Read {"key":"zone"}', () => long);
    assert.equal((await run(ground, peer, 'UpdateAttributes {"zone":"Europe/Vienna"}', written)).asked.length, 1);
  });

  it('[PRF-045] what is refused, unknown or wrong is said by key, and does not keep the others from being written', async () => {
    const { ground, peer } = await world();
    const { payload, failure } = await run(
      ground,
      peer,
      { method: 'UpdateAttributes', params: { zone: 'UTC', offset: '+02', nothing: 1 } },
      (request) => (line(request).startsWith('PUT /3/0/15') ? { code: '4.05' } : able(request)),
    );
    assert.deepEqual(
      [payload.result, payload.value, failure],
      ['METHOD_NOT_ALLOWED', { zone: 'METHOD_NOT_ALLOWED', offset: 'CHANGED', nothing: 'BAD_REQUEST' }, undefined],
    );
    assert.match(String(payload.error), /zone: .*4\.05.*nothing: There is no key "nothing"/);
    // It was not taken, so it is tried again.
    assert.equal((await run(ground, peer, 'UpdateAttributes {"zone":"UTC"}')).asked.length, 1);
    assert.equal((await run(ground, peer, 'UpdateAttributes {}')).payload.result, 'BAD_REQUEST');
  });

  it('[PRF-044] what is on its way to the device, or waits until it wakes, is written after all when it is to be as it was', async () => {
    const { ground, peer, id } = await world(['lt=100000', 'Q']);
    ground.clock.advance(93_000);
    assert.equal(ground.server.awake('dev'), false);
    const first = start(ground, 'UpdateAttributes {"zone":"UTC"}');
    const second = start(ground, 'UpdateAttributes {"zone":"Europe/Vienna"}');
    const third = start(ground, 'UpdateAttributes {"every":30}');
    assert.deepEqual((await third).payload, { result: 'CHANGED', value: { every: 'UNCHANGED' } });
    peer.request({ path: `/rd/${id}` });
    peer.tick();
    assert.equal(coap.codeText(peer.take().code), '2.04');
    const asked = await serve(peer);
    assert.deepEqual(
      asked.map((text) => text.split(' ').slice(0, 2).join(' ')),
      ['PUT /3/0/15', 'PUT /3/0/15'],
    );
    assert.deepEqual([(await first).payload, (await second).payload], Array(2).fill({ result: 'CHANGED', value: { zone: 'CHANGED' } }));
    assert.equal(ground.server.lastValues('dev').get('/3/0/15')?.value, 'Europe/Vienna');
  });

  it('[PRF-044] what the device may have taken, and did not answer, is not known any more', async () => {
    const { ground, peer } = await world();
    const lost = start(ground, 'UpdateAttributes {"zone":"UTC","every":30,"blobs":{"0":"0a"}}');
    await turn();
    for (let i = 0; i < 20; i++) {
      ground.clock.advance(30_000);
      await turn();
    }
    peer.inbox.length = 0;
    const { value } = (await lost).payload;
    assert.deepEqual(value, { zone: 'TIMEOUT_NO_ACK', every: 'UNCHANGED', blobs: 'TIMEOUT_NO_ACK' });
    assert.equal(ground.server.lastValues('dev').get('/3/0/15')?.value, 'Europe/Vienna');
    ground.restart();
    for (const result of ['CHANGED', 'UNCHANGED']) {
      const { payload } = await run(ground, peer, 'UpdateAttributes {"zone":"Europe/Vienna"}');
      assert.deepEqual(payload.value, { zone: result });
    }
  });
});
