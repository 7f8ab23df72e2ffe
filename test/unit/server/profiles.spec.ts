import assert from 'node:assert/strict';
import { profileIds, Profiles } from '../../../lib/server/profiles';
import { readObjectList, type ObjectList } from '../../../lib/server/object-list';
import type { Identity } from '../../../lib/transport/types';
import * as coap from '../../support/coap-message';
import { eventsOf, type Ground } from '../../support/ground';
import { closeAll, createWorld, ScriptedPeer } from './fixture';

// The fingerprint of ETS INT 1.2 case 110, for /1/0 and /3/0.
const PID = '6:27354b9a';
const WHOLE = '</>;rt="oma.lwm2m";ct="110 112",</1/0>,</3/0>;ver=1.1,</3303/7>';

let nextPort = 20_000;
const list = (text: string): ObjectList => readObjectList(Buffer.from(text), '') as ObjectList;
const none: Identity = { scheme: 'coap', mode: 'none', name: '' };
const psk: Identity = { scheme: 'coaps', mode: 'psk', name: 'a' };

describe('profile ids', () => {
  afterEach(closeAll);

  /** Registers and tells the code and the objects that the server knows then. */
  function registering(ground: Ground, endpoint: string, query: readonly string[], payload: string): [string, string[]] {
    const peer = new ScriptedPeer(ground, { address: '192.0.2.9', port: nextPort++ });
    const code = peer.code({ query: [`ep=${endpoint}`, 'lwm2m=1.2', ...query], contentFormat: 40, payload });
    const objects = ground.server.registration(endpoint)?.objects ?? [];
    return [code, objects.map(({ objectId, instanceId }) => `/${objectId}/${instanceId ?? ''}`)];
  }

  it('[SRV-012] stand for the whole list that came with them', () => {
    const ground = createWorld();
    assert.deepEqual(registering(ground, 'a', [`pid=${PID}`], ''), ['4.09', []], 'not known yet');
    assert.equal(eventsOf(ground.events, 'refused')[0]?.code, '4.09');
    assert.deepEqual(registering(ground, 'a', [`pid=${PID}`], WHOLE), ['2.01', ['/1/0', '/3/0', '/3303/7']]);
    assert.deepEqual(registering(ground, 'b', [`pid=${PID}`], ''), ['2.01', ['/1/0', '/3/0', '/3303/7']]);
    const { versions, contentFormats, extra } = ground.server.registration('b')!;
    assert.deepEqual([versions.get(3), versions.get(1), contentFormats, extra], ['1.1', '1.2', [110, 112], { pid: PID }]);
    assert.deepEqual(registering(ground, 'c', [`pid=${PID}`], '</4/0>'), ['2.01', ['/1/0', '/3/0', '/3303/7', '/4/0']], 'ETS int-111');
  });

  it('[SRV-012] are answered 4.09 beside a part of a list, and after which the device may come without them', () => {
    const ground = createWorld();
    assert.deepEqual(registering(ground, 'a', [`pid=${PID}`], '</4/0>'), ['4.09', []]);
    assert.deepEqual(registering(ground, 'a', [`pid=${PID}`], '</1/0>,</4/0>'), ['4.09', []], 'no /3');
    assert.deepEqual(registering(ground, 'a', [], WHOLE), ['2.01', ['/1/0', '/3/0', '/3303/7']]);
    assert.deepEqual(registering(ground, 'b', [`pid=${PID}`], ''), ['4.09', []], 'it did not say what they stand for');
  });

  it('[SRV-012] add up, each of them or all of them known', () => {
    const ground = createWorld();
    registering(ground, 'a', ['pid=oma:base'], WHOLE);
    assert.deepEqual(registering(ground, 'b', ['pid=oma:base', 'pid=v:more'], ''), ['4.09', []]);
    registering(ground, 'b', ['pid="v:more,oma:base"'], `${WHOLE},</5/0>`);
    assert.deepEqual(registering(ground, 'c', ['pid=oma:base', 'pid=v:more'], '')[1].at(-1), '/5/0');
    registering(ground, 'd', ['pid=1:00112233'], '</1/0>,</3/0>,</6/0>');
    assert.deepEqual(registering(ground, 'e', ['pid=1:00112233,oma:base'], '')[1].sort(), ['/1/0', '/3/0', '/3303/7', '/6/0']);
  });

  it('[SRV-012] are refused by 4.00 when they are none', () => {
    const ground = createWorld();
    for (const pid of ['', '77', '6:', '6:27354B9A', '6:12', 'oma:', 'x:y', 'oma:a b', `v:${'a'.repeat(100)}`]) {
      assert.equal(registering(ground, 'a', [`pid=${pid}`], WHOLE)[0], '4.00', pid);
    }
    assert.equal(registering(ground, 'a', ['pid'], WHOLE)[0], '4.00');
    assert.equal(profileIds(Array.from({ length: 17 }, (_, index) => `oma:${index}`)), undefined);
    assert.deepEqual(profileIds(['"v:b, oma:a"', 'v:b']), ['oma:a', 'v:b']);
  });

  it('[SRV-249] a Register with neither is answered 4.09', () => {
    const ground = createWorld();
    assert.deepEqual(registering(ground, 'a', [], ''), ['4.09', []]);
  });

  it('[SRV-038] give an Update its list, or 4.04', () => {
    const ground = createWorld();
    registering(ground, 'a', [`pid=${PID}`], WHOLE);
    const peer = new ScriptedPeer(ground);
    const id = peer.register({ endpoint: 'b', version: '1.2', payload: '</1/0>,</3/0>' });
    assert.equal(peer.code({ path: `/rd/${id}`, query: ['pid=oma:other'] }), '4.04');
    assert.equal(peer.code({ path: `/rd/${id}`, query: ['pid=other'] }), '4.00');
    assert.equal(ground.server.registration('b')?.objects.length, 2);
    assert.equal(peer.code({ path: `/rd/${id}`, query: [`pid=${PID}`] }), '2.04');
    assert.equal(ground.server.registration('b')?.objects.length, 3);
    assert.deepEqual(eventsOf(ground.events, 'updated')[0]?.changed, ['objects']);
    assert.equal(peer.code({ path: `/rd/${id}`, query: ['pid=oma:new'], contentFormat: 40, payload: WHOLE }), '2.04');
    assert.equal(registering(ground, 'c', ['pid=oma:new'], '')[0], '2.01');
  });

  it('[SRV-248] outlive the server', () => {
    const ground = createWorld();
    registering(ground, 'a', [`pid=${PID}`], '</lwm2m>;rt="oma.lwm2m";ct=112,</lwm2m/1/0>,</lwm2m/3/0>;ver=1.1,</lwm2m/5>');
    assert.deepEqual(ground.restart(), []);
    assert.deepEqual(registering(ground, 'b', [`pid=${PID}`], ''), ['2.01', ['/1/0', '/3/0', '/5/']]);
    const { rootPath, contentFormats, versions } = ground.server.registration('b')!;
    assert.deepEqual([rootPath, contentFormats, versions.get(3)], ['/lwm2m', [112], '1.1']);
    const records = new Map(ground.kept());
    for (const damaged of [5, '', '<', '</1/x', null]) {
      records.set(`pid/none|${PID}`, damaged);
      assert.deepEqual(ground.restart({ records }), [`pid/none|${PID}`]);
    }
    assert.equal(coap.codeText(0x89), '4.09');
  });

  it('[SRV-248] are bounded, the one unused for longest goes, and is no longer kept', () => {
    const touched: string[] = [];
    const profiles = new Profiles((name) => touched.push(name));
    const whole = list(WHOLE);
    for (let index = 0; index < 1000; index++) profiles.resolve(none, [`oma:${index}`], whole);
    assert.equal(profiles.resolve(none, ['oma:0'], undefined), whole);
    touched.length = 0;
    profiles.resolve(none, ['oma:1000'], whole);
    assert.deepEqual([profiles.size, touched], [1000, ['none|oma:1000', 'none|oma:1']]);
    assert.equal(profiles.resolve(none, ['oma:1'], undefined), undefined);
    assert.equal(profiles.record('none|oma:1'), undefined);
    assert.equal(profiles.resolve(none, ['oma:0'], undefined), whole);
  });

  it('[SRV-248] hold for devices with the same kind of proof', () => {
    const profiles = new Profiles(() => undefined);
    profiles.resolve(none, [PID], list('</1/0>,</3/0>,</6/0>'));
    assert.equal(profiles.resolve(psk, [PID], undefined), undefined);
    profiles.resolve(psk, [PID], list(WHOLE));
    profiles.resolve(none, [PID], list('</1/0>,</3/0>'));
    assert.equal(profiles.resolve({ ...psk, name: 'b' }, [PID], undefined)?.objects.length, 3);
  });
});
