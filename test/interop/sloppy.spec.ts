import assert from 'node:assert/strict';
import type { Peer, PeerOptions } from './peers';
import { startCoapNode, startLwm2mNodeLib } from './peers';
import { withPeer } from './suite';

// No Content-Format on its Register nor on its answers, and never an answer to what it does not understand.
withPeer('lwm2m-node-lib', 'lwm2m-node-lib', startLwm2mNodeLib, (stage) => {
  it('registers with LwM2M 1.0', () => {
    assert.equal(stage().registered.lwm2m.registration.lwm2mVersion, '1.0');
  });

  it('is read, written, executed', async () => {
    const { world, peer, endpoint } = stage();
    const level = await world.rpc(endpoint, 'Read {"id":"/3/0/9"}');
    assert.equal(level.result, 'CONTENT', level.error);
    assert.equal(level.value, 77);
    const written = await world.rpc(endpoint, 'WriteReplace {"id":"/3/0/14","value":"+05:30"}');
    assert.equal(written.result, 'CHANGED', written.error);
    assert.equal((await peer.waitFor('written', '/3/0/14')).value, '+05:30');
    assert.equal((await world.rpc(endpoint, 'Read {"id":"/3/0/14"}')).value, '+05:30');
    const executed = await world.rpc(endpoint, 'Execute {"id":"/3/0/4"}');
    assert.equal(executed.result, 'CHANGED', executed.error);
    await peer.waitFor('executed', '/3/0/4');
  });

  it('is observed: a change arrives', async () => {
    const { world, peer, endpoint } = stage();
    const start = await world.rpc(endpoint, 'Observe {"id":"/3303/0/5700"}');
    assert.equal(start.value, 21.5, start.error);
    const from = world.events.seen.length;
    peer.command('set /3303/0/5700 33.5');
    assert.equal((await world.waitFor('notification', endpoint, { from })).payload, 33.5);
  });

  it('updates and de-registers', async () => {
    const { world, peer, endpoint } = stage();
    const from = world.events.seen.length;
    peer.command('update');
    await world.waitFor('updated', endpoint, { from });
    await peer.waitFor('updated');
    assert.equal(await peer.stop(), 0);
    await world.waitFor('deregistered', endpoint, { from });
  });
});

withPeer('coap-node as it comes', 'coap-node', startCoapNode, (stage) => {
  it('registers with "lwm2m=1.0.0" and counts as 1.0', async () => {
    const { world, endpoint, registered } = stage();
    assert.equal(registered.lwm2m.registration.lwm2mVersion, '1.0');
    assert.equal((await world.rpc(endpoint, 'Read {"id":"/3303/0/5700"}')).value, 21.5);
  });
});

// "mac=" in its Register, a root link with the bare attribute "hb", an instance wrapped in a TLV of its own.
const startCoapNode10 = (options: PeerOptions): Promise<Peer> => startCoapNode({ ...options, version: '1.0' });

withPeer('coap-node', 'coap-node', startCoapNode10, (stage) => {
  it('registers with LwM2M 1.0', () => {
    assert.equal(stage().registered.lwm2m.registration.lwm2mVersion, '1.0');
  });

  it('is read: a resource, an object instance', async () => {
    const { world, endpoint } = stage();
    const value = await world.rpc(endpoint, 'Read {"id":"/3303/0/5700"}');
    assert.equal(value.value, 21.5, value.error);
    const device = await world.rpc(endpoint, 'Read {"id":"/3/0"}');
    assert.equal(device.value?.['0'], 'Interop Works', device.error);
  });

  it('is written and executed', async () => {
    const { world, peer, endpoint } = stage();
    const written = await world.rpc(endpoint, 'WriteReplace {"id":"/3311/0/5850","value":true}');
    assert.equal(written.result, 'CHANGED', written.error);
    // It keeps the text it got, which for a Boolean is 0 or 1.
    assert.equal((await peer.waitFor('written', '/3311/0/5850')).value, '1');
    const executed = await world.rpc(endpoint, 'Execute {"id":"/3303/0/5605"}');
    assert.equal(executed.result, 'CHANGED', executed.error);
    await peer.waitFor('executed', '/3303/0/5605');
  });

  it('is observed: a change arrives', async () => {
    const { world, peer, endpoint } = stage();
    const start = await world.rpc(endpoint, 'Observe {"id":"/3303/0/5700"}');
    assert.equal(start.value, 21.5, start.error);
    const from = world.events.seen.length;
    peer.command('set /3303/0/5700 33.5');
    assert.equal((await world.waitFor('notification', endpoint, { from })).payload, 33.5);
  });

  it('updates and de-registers', async () => {
    const { world, peer, endpoint } = stage();
    const from = world.events.seen.length;
    peer.command('update');
    await world.waitFor('updated', endpoint, { from });
    assert.equal(await peer.stop(), 0);
    await world.waitFor('deregistered', endpoint, { from });
  });
});
