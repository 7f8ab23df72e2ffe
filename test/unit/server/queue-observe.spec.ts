import assert from 'node:assert/strict';
import type { Operation } from '../../../lib/server/types';
import * as coap from '../../support/coap-message';
import { eventsOf, type Ground, type GroundOptions } from '../../support/ground';
import { at, closeAll, createWorld, node, observe, perform, ScriptedPeer, story } from './fixture';

const WINDOW = 93_000;
const HOUR = 3_600_000;
const QUERY = ['lt=1000000', 'Q'];
const value = { payload: '20', contentFormat: 0, observe: 1 };
const write: Operation = { kind: 'WriteReplace', path: at(3303, 0, 1), nodes: [node('3303/0/1', 'integer', 1)] };
const pathOf = (request: coap.CoapMessage): string => `/${coap.texts(request, coap.OptionNumber.UriPath).join('/')}`;

/** A device in queue mode that is observed in three places and sleeps. */
async function world(options: GroundOptions = {}): Promise<{ ground: Ground; peer: ScriptedPeer; observed: () => string[] }> {
  const ground = createWorld(options);
  const peer = new ScriptedPeer(ground);
  peer.register({ query: QUERY });
  for (const id of [9, 13, 14]) {
    await perform(ground, peer, { operation: observe(3, 0, id), answer: value });
    ground.clock.advance(10);
  }
  ground.clock.advance(WINDOW);
  ground.events.length = 0;
  return { ground, peer, observed: () => ground.server.observations('dev').map(({ path }) => `/${path.ids.join('/')}`) };
}

/** Takes the next request, which has to be for this path, and answers it. */
function grant(peer: ScriptedPeer, path: string, answer = value): void {
  const request = peer.takeRequest();
  assert.equal(pathOf(request), path);
  peer.quiet();
  peer.answer(request, '2.05', answer);
}

/** Registers; what the server sends next stays in the inbox. */
function registerAnew(peer: ScriptedPeer, payload = '</1/0>,</3/0>,</3303/0>'): void {
  peer.request({ query: ['ep=dev', 'lwm2m=1.1', ...QUERY], contentFormat: 40, payload });
  peer.tick();
  assert.equal(coap.codeText(peer.take().code), '2.01');
}

describe('what a sleeping device is asked again', () => {
  afterEach(closeAll);

  it('[SRV-246] goes before the commands of flows, one at a time', async () => {
    const { ground, peer, observed } = await world({ queue: { queueLimit: 1 } });
    const result = ground.server.perform('dev', write);
    registerAnew(peer);
    for (const id of [9, 13, 14]) grant(peer, `/3/0/${id}`);
    assert.equal(pathOf(peer.takeRequest()), '/3303/0/1');
    assert.deepEqual(observed(), ['/3/0/9', '/3/0/13', '/3/0/14']);
    assert.deepEqual(story(ground.events.slice(-3)), ['notification dev', 'notification dev', 'notification dev']);
    ground.close();
    assert.equal((await Promise.race([result, Promise.resolve({ kind: 'open' })])).kind, 'open', 'it is kept');
  });

  it('[SRV-246] goes on at the next wake, also after a restart', async () => {
    const { ground, peer, observed } = await world();
    registerAnew(peer);
    grant(peer, '/3/0/9');
    assert.equal(pathOf(peer.takeRequest()), '/3/0/13');
    // It has fallen asleep early.
    ground.clock.advance(HOUR);
    peer.inbox.length = 0;
    assert.equal(eventsOf(ground.events, 'sleeping').length, 1);
    assert.deepEqual(ground.restart({ off: HOUR }), []);
    const { id } = ground.server.registration('dev')!;
    const mid = peer.request({ path: `/rd/${id}` });
    peer.tick();
    assert.equal(peer.take().mid, mid);
    grant(peer, '/3/0/13');
    grant(peer, '/3/0/14');
    peer.quiet();
    assert.deepEqual(observed(), ['/3/0/9', '/3/0/13', '/3/0/14']);
    assert.deepEqual(eventsOf(ground.events, 'log'), []);
    assert.deepEqual(eventsOf(ground.events, 'command'), []);
  });

  it('[SRV-246] is told of when it cannot be had', async () => {
    const { ground, peer, observed } = await world();
    registerAnew(peer);
    peer.answer(peer.takeRequest(), '4.04');
    grant(peer, '/3/0/13', { payload: '20', contentFormat: 0 } as typeof value);
    ground.clock.advance(1000 * HOUR);
    assert.deepEqual(
      eventsOf(ground.events, 'log').map(({ text }) => text.replace(/: the device was not reached.*/, ': too late')),
      [
        '/3/0/9 is not observed any more: the device answered NOT_FOUND',
        '/3/0/13 is not observed any more: the device does not observe it any more',
        '/3/0/14 is not observed any more: Observe /3/0/14 of "dev": too late',
      ],
    );
    assert.deepEqual(observed(), []);
    assert.equal(ground.server.counters().waitingCommands, 0);
  });

  it('[SRV-246] is told of when its time is over', async () => {
    const { ground, peer } = await world({ queue: { queueTtl: HOUR } });
    registerAnew(peer);
    ground.clock.advance(2 * HOUR);
    assert.deepEqual(
      eventsOf(ground.events, 'log').map(({ text }) => text.slice(0, 32)),
      ['/3/0/9 is not observed any more:', '/3/0/13 is not observed any more', '/3/0/14 is not observed any more'],
    );
  });

  it('[SRV-246] gives way to an Observe of a flow, and to the end of the registration', async () => {
    const { ground, peer } = await world();
    registerAnew(peer);
    const own = ground.server.perform('dev', observe(3, 0, 14));
    grant(peer, '/3/0/9');
    grant(peer, '/3/0/13');
    grant(peer, '/3/0/14');
    peer.quiet();
    assert.equal((await own).kind, 'answer');
    ground.clock.advance(WINDOW);
    registerAnew(peer);
    const request = peer.takeRequest();
    assert.equal(peer.code({ code: '0.04', path: `/rd/${ground.server.registration('dev')!.id}` }), '2.02');
    peer.answer(request, '2.05', value);
    assert.deepEqual(ground.server.queue('dev'), []);
    registerAnew(peer);
    peer.quiet();
  });
});
