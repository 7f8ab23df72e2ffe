import assert from 'node:assert/strict';
import type { Operation, OperationOptions, OperationResult } from '../../../lib/server/types';
import * as coap from '../../support/coap-message';
import { eventsOf, type Ground, type GroundOptions } from '../../support/ground';
import { at, closeAll, createWorld, node, ScriptedPeer } from './fixture';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const pathOf = (request: coap.CoapMessage): string => `/${coap.texts(request, coap.OptionNumber.UriPath).join('/')}`;

/** Twenty commands of all kinds, each to a path of its own. */
const TWENTY: readonly Operation[] = Array.from({ length: 20 }, (_, index): Operation => {
  const path = at(3303, 0, index);
  switch (index % 4) {
    case 0:
      return { kind: 'WriteReplace', path, nodes: [node(`3303/0/${index}`, 'integer', index)] };
    case 1:
      return { kind: 'Execute', path };
    case 2:
      return { kind: 'WriteAttributes', path, attributes: [['pmin', '10']] };
    default:
      return { kind: 'Read', path };
  }
});
const PATHS = TWENTY.map((_, index) => `/3303/0/${index}`);
const ANSWERS = ['2.04', '2.04', '2.04', '2.05'];

/** A device in queue mode that sleeps, what was given to it, and every result that came, by promise or as an event. */
function world(options: GroundOptions = {}) {
  const ground: Ground = createWorld(options);
  const peer = new ScriptedPeer(ground);
  const id = peer.register({ query: ['lt=1000000', 'Q'] });
  ground.clock.advance(93_000);
  peer.quiet();
  const told = new Map<unknown, string[]>();
  const tell = (name: unknown, result: OperationResult): void => {
    told.set(name, [...(told.get(name) ?? []), result.kind === 'answer' ? result.result : result.code]);
  };
  const give = (operation: Operation, name: unknown, how: OperationOptions = {}): void => {
    const origin = { nodeId: 'n', context: name };
    void ground.server.perform('dev', operation, { ttl: 2 * DAY, ...how, origin }).then((result) => tell(name, result));
  };
  const results = async (): Promise<Map<unknown, string[]>> => {
    await new Promise((turn) => void setImmediate(turn));
    for (const { origin, result } of eventsOf(ground.events, 'command').splice(0)) tell(origin?.context, result);
    return told;
  };
  /** An Update, then every command answered as it comes; gives back the paths. */
  const wake = (): string[] => {
    const mid = peer.request({ path: `/rd/${id}` });
    peer.tick();
    assert.equal(peer.take().mid, mid, 'its own answer first');
    const paths: string[] = [];
    while (peer.inbox.length > 0) {
      const request = peer.takeRequest();
      peer.quiet();
      const path = pathOf(request);
      const code = ANSWERS[Number(path.split('/')[3]) % 4]!;
      paths.push(path);
      peer.answer(request, code, code === '2.05' ? { payload: '1', contentFormat: 0 } : {});
    }
    return paths;
  };
  return { ground, peer, id, give, results, wake };
}

describe('a device in queue mode that sleeps for a day', () => {
  afterEach(closeAll);

  it('[SRV-234] gets its twenty waiting commands in order at wake', async () => {
    const { ground, peer, give, results, wake } = world();
    for (const [index, operation] of TWENTY.entries()) {
      give(operation, index);
      ground.clock.advance(DAY / 20);
    }
    peer.quiet();
    assert.equal(ground.server.counters().waitingCommands, 20);
    assert.deepEqual(wake(), PATHS);
    const told = await results();
    assert.equal(told.size, 20);
    for (const [index, names] of told) assert.deepEqual(names, [Number(index) % 4 === 3 ? 'CONTENT' : 'CHANGED']);
    assert.equal(ground.server.counters().waitingCommands, 0);
  });

  it('[SRV-244] gets them in order with restarts in between, and each is told of once', async () => {
    const { ground, give, results, wake } = world();
    for (const [index, operation] of TWENTY.entries()) {
      give(operation, index);
      // Not all have a time to live that outlasts the day; one is called back.
      if (index % 5 === 4) assert.deepEqual(ground.restart({ off: HOUR }), []);
    }
    give(TWENTY[0]!, 'expires', { ttl: 10 * HOUR });
    give(TWENTY[1]!, 'cancelled');
    assert.deepEqual(ground.restart({ off: 19 * HOUR }), []);
    const [cancelled] = ground.server.queue('dev').slice(-1);
    assert.equal(ground.server.cancelQueued(cancelled!.id), true);
    assert.deepEqual(wake(), PATHS);
    const told = await results();
    assert.deepEqual(told.get('expires'), ['EXPIRED']);
    assert.deepEqual(told.get('cancelled'), ['CANCELLED']);
    assert.equal(told.size, 22);
    for (let index = 0; index < 20; index++) assert.deepEqual(told.get(index), [index % 4 === 3 ? 'CONTENT' : 'CHANGED']);
  });

  it('[SRV-238] tells of each that is too much, and of each that is too late', async () => {
    const { ground, peer, give, results, wake } = world({ queue: { queueLimit: 15 } });
    for (const [index, operation] of TWENTY.entries()) give(operation, index, { ttl: index < 5 ? HOUR : 2 * DAY });
    ground.clock.advance(DAY);
    peer.quiet();
    assert.deepEqual(wake(), PATHS.slice(5, 15));
    const told = await results();
    const expected = (index: number): string => (index < 5 ? 'EXPIRED' : index >= 15 ? 'BUSY' : index % 4 === 3 ? 'CONTENT' : 'CHANGED');
    for (let index = 0; index < 20; index++) assert.deepEqual(told.get(index), [expected(index)]);
    const { commandsQueued, commandsExpired, commandsOverflowed } = ground.server.counters();
    assert.deepEqual([commandsQueued, commandsExpired, commandsOverflowed], [15, 5, 5]);
  });
});
