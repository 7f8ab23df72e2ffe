/** A command on its way when the awake window of its device ends. */
import assert from 'node:assert/strict';
import * as coap from '../../support/coap-message';
import type { Operation, OperationResult } from '../../../lib/server/types';
import type { Ground } from '../../support/ground';
import { closeAll, createWorld, observe, read, ScriptedPeer, story } from './fixture';

const SECOND = 1000;
/** Much shorter than the 45 to 93 s for which a request is repeated. */
const WINDOW = 5 * SECOND;

const perform = (ground: Ground, operation: Operation): Promise<OperationResult> => ground.server.perform('dev', operation);
const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** A device in queue mode that registered just now. */
function world(devices: readonly object[] = []) {
  const ground = createWorld({ queue: { awakeWindow: WINDOW }, ...(devices.length > 0 && { devices: devices as never }) });
  const peer = new ScriptedPeer(ground);
  const id = peer.register({ query: ['lt=1000000', 'Q'] });
  const wake = (): void => {
    peer.request({ path: `/rd/${id}` });
    peer.tick();
    assert.equal(coap.codeText(peer.take().code), '2.04');
  };
  return { ground, peer, wake };
}

describe('a command that is not acknowledged when the awake window ends', () => {
  afterEach(closeAll);

  it('[SRV-250] is repeated for a window from when it was sent, then not any longer, and is the first at the next wake', async () => {
    const { ground, peer, wake } = world();
    ground.clock.advance(4 * SECOND);
    const results = [perform(ground, read(3, 0, 9)), perform(ground, read(3, 0, 0))];
    ground.clock.advance(4 * SECOND);
    assert.equal(ground.server.awake('dev'), true, 'until 9 s, 5 s after it was sent');
    ground.clock.advance(1 * SECOND);
    assert.equal(ground.server.awake('dev'), false);
    assert.deepEqual(story(ground.events), ['registered dev', 'awake dev', 'sleeping dev']);
    assert.equal(ground.events.findLast(({ kind }) => kind === 'sleeping')?.['waiting' as never], 2, 'the one on its way waits, too');
    const repeated = peer.inbox.splice(0);
    assert.ok(repeated.length > 1);
    assert.equal(new Set(repeated.map(({ mid }) => mid)).size, 1);
    ground.clock.advance(200 * SECOND);
    peer.quiet();
    wake();
    for (const [resource, value] of [
      ['9', '55'],
      ['0', '56'],
    ] as const) {
      const request = peer.takeRequest();
      assert.equal(coap.uriPath(request), `/3/0/${resource}`);
      peer.answer(request, '2.05', { payload: value, contentFormat: 0 });
    }
    for (const result of await Promise.all(results)) assert.equal(result.kind, 'answer');
  });

  it('[SRV-250] goes on once it is acknowledged: the answer may take its time', async () => {
    const { ground, peer } = world();
    const result = perform(ground, read(3, 0, 9));
    peer.tick();
    const request = peer.takeRequest();
    peer.send({ type: coap.ACK, code: 0, mid: request.mid });
    ground.clock.advance(WINDOW);
    assert.equal(ground.server.awake('dev'), false);
    assert.equal(ground.server.queue('dev')[0]?.sending, true);
    peer.send({
      type: coap.CON,
      code: coap.code('2.05'),
      mid: 9000,
      token: request.token,
      options: [coap.uintOption(coap.OptionNumber.ContentFormat, 0)],
      payload: Buffer.from('55'),
    });
    peer.tick();
    const answer = await result;
    assert.equal(answer.kind === 'answer' && answer.code, '2.05');
  });

  it('[SRV-250] goes on with eDRX, because the network keeps it for the device', () => {
    const { ground, peer } = world([{ endpoint: 'dev', mode: 'none', edrxCycle: 600 * SECOND, timeout: 700 * SECOND }]);
    void perform(ground, read(3, 0, 9));
    peer.tick();
    peer.inbox.length = 0;
    ground.clock.advance(30 * SECOND);
    assert.equal(ground.server.awake('dev'), false);
    assert.ok(peer.inbox.length > 0, 'it is repeated');
    assert.equal(ground.server.queue('dev')[0]?.sending, true);
  });

  it('[SRV-250] goes back whole when it goes in several steps', async () => {
    const { ground, peer, wake } = world();
    const paths = [{ ids: [3, 0, 9] }, { ids: [3, 0, 0] }];
    const result = ground.server.perform('dev', { kind: 'ReadComposite', paths }, { oneByOne: true });
    peer.tick();
    peer.answer(peer.takeRequest(), '2.05', { payload: '55', contentFormat: 0 });
    await settled();
    ground.clock.advance(WINDOW + SECOND);
    await settled();
    assert.equal(ground.server.awake('dev'), false);
    assert.equal(ground.server.queue('dev')[0]?.sending, false);
    assert.ok(peer.inbox.splice(0).every((message) => coap.uriPath(message) === '/3/0/0'));
    ground.clock.advance(200 * SECOND);
    peer.quiet();
    wake();
    for (const resource of ['9', '0']) {
      const request = peer.takeRequest();
      assert.equal(coap.uriPath(request), `/3/0/${resource}`);
      peer.answer(request, '2.05', { payload: '55', contentFormat: 0 });
      await settled();
      peer.tick();
    }
    assert.equal((await result).kind, 'answer');
  });

  it('[SRV-250] nothing of several requests at once is sent any more', async () => {
    const { ground, peer } = world();
    for (const path of [
      [3, 0, 9],
      [3, 0, 0],
      [3, 0, 1],
    ]) {
      void perform(ground, observe(...path));
      peer.tick();
      peer.answer(peer.takeRequest(), '2.05', { payload: '1', contentFormat: 0, observe: 1 });
      ground.clock.advance(10);
    }
    void perform(ground, { kind: 'ObserveCancelAll' });
    ground.clock.advance(WINDOW);
    await settled();
    const sent = new Set(peer.inbox.splice(0).map(({ mid }) => mid));
    assert.equal(sent.size, 1);
    assert.equal(ground.server.awake('dev'), false);
    ground.clock.advance(200 * SECOND);
    await settled();
    peer.quiet();
  });
});
