import assert from 'node:assert/strict';
import type { Operation, OperationResult } from '../../../lib/server/types';
import * as coap from '../../support/coap-message';
import { eventsOf, type Ground } from '../../support/ground';
import { answered, at, closeAll, createWorld, failed, node, observe, perform, ScriptedPeer } from './fixture';

const WINDOW = 93_000;
const HOUR = 3_600_000;
const lineOf = (request: coap.CoapMessage): string =>
  `${coap.codeText(request.code)} /${coap.texts(request, coap.OptionNumber.UriPath).join('/')}`;

const write: Operation = {
  kind: 'WriteComposite',
  paths: [at(3, 0, 14), at(3, 0, 15)],
  nodes: [node('3/0/14', 'string', 'a'), node('3/0/15', 'string', 'b')],
};
const read: Operation = { kind: 'ReadComposite', paths: [at(3, 0, 9), at(3, 0, 15)] };

/** A device in queue mode that sleeps. */
function world(): { ground: Ground; peer: ScriptedPeer; wake: () => void; sleep: () => void } {
  const ground = createWorld();
  const peer = new ScriptedPeer(ground);
  const id = peer.register({ query: ['lt=1000000', 'Q'] });
  const sleep = (): void => {
    ground.clock.advance(WINDOW);
    peer.inbox.length = 0;
    ground.events.length = 0;
  };
  sleep();
  const wake = (): void => {
    const mid = peer.request({ path: `/rd/${id}` });
    peer.tick();
    assert.equal(peer.take().mid, mid);
  };
  return { ground, peer, wake, sleep };
}

/** The next step, answered; what follows it comes a turn later, as its result is a promise. */
async function step(peer: ScriptedPeer, expected: string, code: string, answer = {}): Promise<void> {
  const request = peer.takeRequest();
  assert.equal(lineOf(request), expected);
  peer.quiet();
  peer.answer(request, code, answer);
  await new Promise((turn) => void setImmediate(turn));
  peer.tick();
}

describe('operations of several steps for a sleeping device', () => {
  afterEach(closeAll);

  it('[SRV-247] wait as one command and are done at wake', async () => {
    const { ground, peer, wake } = world();
    const result = ground.server.perform('dev', read, { oneByOne: true });
    assert.deepEqual(
      ground.server.queue('dev').map(({ operation }) => operation.kind),
      ['ReadComposite'],
    );
    wake();
    await step(peer, '0.01 /3/0/9', '2.05', { payload: '75', contentFormat: 0 });
    await step(peer, '0.01 /3/0/15', '4.04');
    peer.quiet();
    const { nodes, queue } = answered(await result);
    assert.deepEqual([nodes?.length, queue], [1, { position: 1, waiting: 0 }]);
  });

  it('[SRV-247] begin anew when it fell asleep in their midst, and after a restart', async () => {
    const { ground, peer, wake, sleep } = world();
    void ground.server.perform('dev', write, { oneByOne: true, origin: { nodeId: 'n', context: 1 } });
    wake();
    await step(peer, '0.03 /3/0/14', '2.04');
    assert.equal(lineOf(peer.takeRequest()), '0.03 /3/0/15');
    ground.clock.advance(HOUR);
    await new Promise((turn) => void setImmediate(turn));
    assert.equal(ground.server.queue('dev')[0]?.sending, false);
    assert.deepEqual(ground.restart({ off: HOUR }), []);
    sleep();
    wake();
    await step(peer, '0.03 /3/0/14', '2.04');
    await step(peer, '0.03 /3/0/15', '2.04');
    peer.quiet();
    const [event] = eventsOf(ground.events, 'command');
    assert.deepEqual([event?.operation.kind, event?.origin], ['WriteComposite', { nodeId: 'n', context: 1 }]);
    assert.equal(answered(event!.result).result, 'CHANGED');
    assert.deepEqual(
      [...ground.kept().keys()].filter((key) => key.startsWith('cmd/')),
      [],
    );
  });

  it('[SRV-247] are called back whole', async () => {
    const { ground, peer, wake } = world();
    const result = ground.server.perform('dev', write, { oneByOne: true });
    wake();
    await step(peer, '0.03 /3/0/14', '2.04');
    assert.equal(lineOf(peer.takeRequest()), '0.03 /3/0/15');
    assert.equal(ground.server.cancelQueued(ground.server.queue('dev')[0]!.id), true);
    const { code, error } = failed(await result);
    assert.equal(code, 'CANCELLED');
    assert.match(error, /Done before, one by one: \/3\/0\/14\.$/);
    peer.quiet();
    assert.deepEqual(ground.server.queue('dev'), []);
  });

  it('[SRV-247] are refused at once where a value cannot be encoded', async () => {
    const { ground } = world();
    const odd: Operation = { kind: 'WriteComposite', paths: [at(3, 0, 14)], nodes: [node('3/0/14', 'string', 5)] };
    assert.equal(failed(await ground.server.perform('dev', odd, { oneByOne: true, contentFormat: 60 })).code, 'BAD_REQUEST');
  });

  it('[SRV-247] ObserveCancelAll ends what is observed by the time it is sent', async () => {
    const { ground, peer, wake, sleep } = world();
    const asked: Promise<OperationResult>[] = [];
    wake();
    await perform(ground, peer, { operation: observe(3, 0, 9), answer: { payload: '75', contentFormat: 0, observe: 1 } });
    sleep();
    asked.push(ground.server.perform('dev', observe(3, 0, 15)), ground.server.perform('dev', { kind: 'ObserveCancelAll' }));
    assert.deepEqual(
      ground.server.queue('dev').map(({ operation }) => operation.kind),
      ['Observe', 'ObserveCancelAll'],
    );
    assert.deepEqual(ground.restart(), []);
    wake();
    await step(peer, '0.01 /3/0/15', '2.05', { payload: 'x', contentFormat: 0, observe: 1 });
    // The requests to one device go one at a time.
    await step(peer, '0.01 /3/0/9', '2.05', { payload: '75', contentFormat: 0 });
    await step(peer, '0.01 /3/0/15', '2.05', { payload: 'x', contentFormat: 0 });
    assert.equal(answered(eventsOf(ground.events, 'command')[1]!.result).cancelled, 2);
    assert.equal(asked.length, 2);
  });
});
