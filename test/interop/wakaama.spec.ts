import assert from 'node:assert/strict';
import type { Peer, PeerOptions } from './peers';
import { startWakaamaFork } from './peers';
import { withPeer } from './suite';

/** It has no way to update at once, and takes Execute of /1/0/8 without doing anything: a short lifetime makes it update in time. */
const start = (options: PeerOptions): Promise<Peer> => startWakaamaFork({ ...options, lifetime: 20 });

// After each answer this client sends a stray empty message with code 5.00 and the Message ID of the request: all of this works beside it.
withPeer('A Wakaama fork', 'wakaama', start, (stage) => {
  it('registers with LwM2M 1.0', () => {
    const { registered } = stage();
    assert.equal(registered.lwm2m.registration.lwm2mVersion, '1.0');
    assert.equal(registered.lwm2m.registration.binding, 'U');
  });

  it('is read: a resource, an object instance, an object', async () => {
    const { world, endpoint } = stage();
    const level = await world.rpc(endpoint, 'Read {"id":"/3/0/9"}');
    assert.equal(level.value, 88, level.error);
    const device = await world.rpc(endpoint, 'Read {"id":"/3/0"}');
    assert.equal(device.value?.['0'], 'Interop Works', device.error);
    assert.deepEqual(device.value['6'], { 0: 1, 1: 5 });
    const object = await world.rpc(endpoint, 'Read {"id":"/3303"}');
    assert.equal(object.value?.['0']['5700'], 21.5, object.error);
  });

  it('is discovered', async () => {
    const { world, endpoint } = stage();
    const { result, value, error } = await world.rpc(endpoint, 'Discover {"id":"/3303/0"}');
    assert.equal(result, 'CONTENT', error);
    assert.ok(
      (value as { url: string }[]).some(({ url }) => url === '/3303/0/5700'),
      JSON.stringify(value),
    );
  });

  it('is not asked for composites, which LwM2M 1.0 does not have', async () => {
    const { world, endpoint } = stage();
    const { result, error } = await world.rpc(endpoint, 'ReadComposite {"ids":["/3/0/9","/3303/0/5700"]}');
    assert.equal(result, 'BAD_REQUEST');
    assert.match(String(error), /registered with LwM2M 1\.0, which has none/);
  });

  it('takes notification attributes', async () => {
    const { world, endpoint } = stage();
    const written = await world.rpc(endpoint, 'WriteAttributes {"id":"/3303/0/5700","attributes":{"pmin":1,"pmax":60}}');
    assert.equal(written.result, 'CHANGED', written.error);
  });

  it('is written and gives it back', async () => {
    const { world, peer, endpoint } = stage();
    const written = await world.rpc(endpoint, 'WriteReplace {"id":"/3/0/14","value":"+05:30"}');
    assert.equal(written.result, 'CHANGED', written.error);
    assert.equal((await peer.waitFor('written', '/3/0/14')).value, '+05:30');
    assert.equal((await world.rpc(endpoint, 'Read {"id":"/3/0/14"}')).value, '+05:30');
  });

  it('is executed', async () => {
    const { world, peer, endpoint } = stage();
    const answer = await world.rpc(endpoint, 'Execute {"id":"/3/0/4"}');
    assert.equal(answer.result, 'CHANGED', answer.error);
    await peer.waitFor('executed', '/3/0/4');
  });

  it('is observed: a change arrives', async () => {
    const { world, peer, endpoint } = stage();
    const start = await world.rpc(endpoint, 'Observe {"id":"/3303/0/5700"}');
    assert.equal(start.value, 21.5, start.error);
    const from = world.events.seen.length;
    peer.command('set /3303/0/5700 33.5');
    const event = await world.waitFor('notification', endpoint, { from, limit: 30_000 });
    assert.equal(event.topic, `${endpoint}/3303/0/5700`);
    assert.equal(event.payload, 33.5);
    const cancelled = await world.rpc(endpoint, 'ObserveCancel {"id":"/3303/0/5700"}');
    assert.equal(cancelled.result, 'CONTENT', cancelled.error);
  });

  it('updates its registration before its lifetime of 20 s is over', async () => {
    const { world, peer, endpoint } = stage();
    await world.waitFor('updated', endpoint, { limit: 25_000 });
    assert.equal(world.events.seen.filter(({ event }) => event === 'expired').length, 0, peer.log());
  });

  it('de-registers', async () => {
    const { world, peer, endpoint } = stage();
    const from = world.events.seen.length;
    assert.equal(await peer.stop(), 0);
    await world.waitFor('deregistered', endpoint, { from });
  });
});
