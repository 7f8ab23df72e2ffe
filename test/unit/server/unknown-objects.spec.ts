import assert from 'node:assert/strict';
import { omaModel } from '../../../lib/model/oma';
import { UnknownObjects } from '../../../lib/server/unknown-objects';
import { registration } from '../rpc/fixture';
import { closeAll, createWorld, ScriptedPeer } from './fixture';

describe('objects that no definition describes', () => {
  afterEach(closeAll);

  it('[SRV-046] are told of once, after the event of the registration, with where to get the definition', () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    const told = (objects: string, endpoint: string): string[] => {
      const before = ground.events.length;
      peer.ask({ query: [`ep=${endpoint}`], contentFormat: 40, payload: objects });
      return ground.events.slice(before).map((event) => (event.kind === 'log' ? `${event.level}: ${event.text}` : event.kind));
    };
    const [registered, text, ...rest] = told('</3/0>,</33333/0>,</33333/1>', 'one');
    assert.equal(registered, 'registered');
    assert.match(String(text), /^info: No definition of object 33333 is known.*github\.com\/OpenMobileAlliance\/lwm2m-registry/);
    assert.deepEqual(rest, []);
    assert.deepEqual(told('</3/0>,</33333/0>', 'two'), ['registered']);
    assert.deepEqual(told('</3/0>,</3303/0>', 'three'), ['registered']);
    const id = ground.server.registration('three')?.id ?? '';
    const before = ground.events.length;
    peer.ask({ path: `rd/${id}`, query: [], contentFormat: 40, payload: '</3/0>,</33334/0>,</33335/0>' });
    assert.match(
      ground.events
        .slice(before)
        .map((event) => (event.kind === 'log' ? event.text : event.kind))
        .join(),
      /^updated,No definition of objects 33334, 33335 is known/,
    );
  });

  it('[SRV-046] are told of up to a limit, since devices choose them', () => {
    const unknown = new UnknownObjects();
    let told = 0;
    for (let first = 40_000; first < 50_000; first += 7) {
      const objects = Array.from({ length: 7 }, (_, at) => ({ objectId: first + at, instanceId: 0 }));
      if (unknown.hint({ ...registration, objects }, omaModel()) !== undefined) told++;
    }
    assert.equal(told, Math.ceil(200 / 7));
  });
});
