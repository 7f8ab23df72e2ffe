import assert from 'node:assert/strict';
import type { LearnedProfile } from '../../../lib/profile/learn';
import type { ProfileDefinition } from '../../../lib/profile/types';
import type { Ground } from '../../support/ground';
import { closeAll, createWorld, ScriptedPeer } from '../server/fixture';
import { able, line, serve, type Reply } from './dialogue';

const LIST = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>,</3303/3>';
const LINKS: Readonly<Record<string, string>> = {
  '/3': '</3>;ver=1.1,</3/0>,</3/0/0>,</3/0/4>,</3/0/7>;dim=2,</3/0/9>,</3/0/13>',
  '/3303': '</3303>,</3303/0>,</3303/0/5700>,</3303/0/5701>,</3303/3>,</3303/3/5700>',
};

async function learned(reply: Parameters<typeof serve>[1], payload = LIST): Promise<{ ground: Ground } & LearnedProfile> {
  const ground = createWorld();
  const peer = new ScriptedPeer(ground);
  peer.register({ payload });
  const learning = ground.profiles.learn('dev');
  await serve(peer, reply);
  return { ground, ...(await learning) };
}

describe('Learning a profile from a device', () => {
  afterEach(closeAll);

  const discover: Parameters<typeof serve>[1] = (request): Reply => {
    const links = LINKS[line(request).split(' ')[1] ?? ''];
    return links === undefined ? able(request) : { code: '2.05', contentFormat: 40, payload: links };
  };

  it('[PRF-050] takes what the device tells of itself: numbers as telemetry, texts and times as attributes, nothing to be executed', async () => {
    const { definition, ground } = await learned(discover);
    assert.deepEqual(definition, {
      resources: [
        { path: '/3/0/0', key: 'manufacturer', attribute: true },
        { path: '/3/0/7', key: 'powerSourceVoltage', telemetry: true, observe: true },
        { path: '/3/0/9', key: 'batteryLevel', telemetry: true, observe: true },
        { path: '/3/0/13', key: 'currentTime', attribute: true },
        { path: '/3303/*/5700', key: 'sensorValue', telemetry: true, observe: true },
        { path: '/3303/*/5701', key: 'sensorUnits', attribute: true },
      ],
    });
    assert.deepEqual(ground.profiles.set([{ id: 'x', name: 'x', definition }]), []);
  });

  it('[PRF-050] of a resource that came with a later version than the device names it knows what can be read: the profile can be used', async () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    peer.register({ payload: '</1/0>,</5/0>' });
    const learning = ground.profiles.learn('dev');
    await serve(peer, () => ({ code: '2.05', contentFormat: 40, payload: '</5>,</5/0>,</5/0/3>,</5/0/10>,</5/0/13>' }));
    const { definition } = await learning;
    assert.deepEqual(definition, {
      resources: [
        { path: '/5/0/3', key: 'state', telemetry: true, observe: true },
        { path: '/5/0/13', key: 'maximumDeferPeriod', telemetry: true, observe: true },
      ],
    });
    assert.deepEqual(ground.profiles.set([{ id: 'x', name: 'x', definition }]), []);
  });

  it('[PRF-050] reads the object of a device that does no Discover', async () => {
    const { definition } = await learned((request) => {
      const asked = line(request);
      const accept = request.options.find(({ number }) => number === 17)?.value.at(-1);
      if (accept === 40) return { code: '4.05' };
      if (asked === 'GET /3') return { code: '2.05', contentFormat: 110, payload: '[{"bn":"/3/0/","n":"9","v":80},{"n":"0","vs":"Acme"}]' };
      return asked === 'GET /3303' ? { code: '4.04' } : able(request);
    });
    assert.deepEqual(
      definition.resources.map(({ path }) => path),
      ['/3/0/0', '/3/0/9', '/3303/*/5700'],
    );
  });

  it('[PRF-050] says where a device has more than is taken', async () => {
    const many = Array.from({ length: 64 }, (_, at) => `</${10300 + at}/0>`).join();
    const { definition, remarks } = await learned((request) => {
      const object = line(request).split('/')[1];
      return { code: '2.05', contentFormat: 40, payload: `</${object}>,</${object}/0>,</${object}/0/1>` };
    }, many);
    assert.equal(definition.resources.length, 60);
    assert.deepEqual(
      remarks.map(({ text }) => text),
      ['The device has 64 objects: the first 60 of them were looked at.'],
    );

    const links = Array.from({ length: 301 }, (_, at) => `</33000/0/${at}>`).join();
    const large = await learned(
      () => ({ code: '2.05', contentFormat: 40, payload: `</33000>,</33000/0>,${links}` }),
      '</33000/0>,</33001/0>',
    );
    assert.equal(large.definition.resources.length, 300);
    assert.deepEqual(
      large.remarks.map(({ text }) => text),
      ['The device has more than 300 resources that can be read: the first of them are here.'],
    );
  });

  it('[PRF-051] says why a device cannot be asked', async () => {
    const ground = createWorld();
    await assert.rejects(ground.profiles.learn('nobody'), /"nobody" is not registered/);
    const peer = new ScriptedPeer(ground);
    peer.register({ query: ['lt=100000', 'Q'], payload: LIST });
    ground.clock.advance(100_000);
    await assert.rejects(ground.profiles.learn('dev'), /does not tell what object 3 has: .*the device sleeps/);
  });

  it('[PRF-052] shows beforehand what a profile would send to a device', async () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    peer.register({ payload: LIST });
    const definition: ProfileDefinition = {
      resources: [
        { path: '/3303/*/5700', observe: true, telemetry: true },
        { path: '/3/0/0', attribute: true },
      ],
      attributes: { '/3303/*/5700': { pmin: 5, hqmax: 3 } },
      strategy: 'composite',
    };
    const { requests, remarks } = ground.profiles.preview('dev', { id: 'x', name: 'x', definition });
    assert.deepEqual(
      [...requests, ...remarks.map(({ text }) => text)],
      [
        'Write-Attributes /3303/0/5700 pmin=5',
        'Write-Attributes /3303/3/5700 pmin=5',
        'Observe-Composite /3303/0/5700 /3303/3/5700',
        'Read /3/0/0',
        '/3303/0/5700: hqmax came with LwM2M 1.2, and the device has 1.1. It is left out.',
        '/3303/3/5700: hqmax came with LwM2M 1.2, and the device has 1.1. It is left out.',
      ],
    );
    assert.deepEqual(await serve(peer), [], 'and sends nothing');
    assert.throws(() => ground.profiles.preview('nobody', { id: 'x', name: 'x', definition }), /not registered/);
  });
});
