import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import type { IncomingRequest } from '../../../lib/coap/types';
import { dialogue, observed, type Dialogue } from '../../support/coap-dialogue';
import { plainOnly } from '../../support/scheme';

const get = { code: Code.GET, path: ['a'] };
const hello = (request: IncomingRequest, t: Dialogue): void => t.respond(request, { code: Code.CONTENT });

describe('CoAP peers', () => {
  describe('how many are remembered', () => {
    it('[COAP-130] an idle one makes room for a new one, the longest silent first', () => {
      const t = dialogue({ params: { maxPeers: 2 }, onRequest: hello });
      t.receive('CON GET /a mid=1', 'one');
      t.receive('CON GET /a mid=1', 'two');
      t.receive('CON GET /a mid=2', 'one');
      t.receive('CON GET /a mid=1', 'three');
      assert.equal(t.core.sizes().peers, 2);
      assert.equal(t.requests.length, 4);
      t.receive('CON GET /a mid=2', 'one');
      assert.equal(t.requests.length, 4, 'a duplicate is still known');
      t.receive('CON GET /a mid=1', 'two');
      assert.equal(t.requests.length, 5, 'a peer that was forgotten is a new one');
    });

    it('[COAP-131] busy ones stay; for another there is no room: its requests are dropped and counted', () => {
      const t = dialogue({ params: { maxPeers: 2 } });
      t.receive('CON POST /slow', 'one');
      observed(t);
      t.sent.length = 0;
      t.receive('CON GET /a', 'three');
      t.expectSilence();
      assert.equal(t.requests.length, 1);
      assert.equal(t.core.counters.overloaded, 1);
      t.core.adoptObservation(t.peer('three'), Buffer.from([1]), get, t.now);
      assert.equal(t.core.sizes().peers, 2);
      t.respond(t.expectRequest(), { code: Code.CHANGED });
      t.receive('CON GET /a', 'three');
      t.expectRequest();
    });

    it('[COAP-132] one that was silent for 247 s is forgotten', () => {
      const t = dialogue({ onRequest: hello });
      t.receive('CON GET /a', 'one');
      t.wait(100_000);
      t.receive('CON GET /a', 'two');
      t.wait(146_999);
      assert.equal(t.core.sizes().peers, 2);
      t.wait(1);
      assert.equal(t.core.sizes().peers, 1);
      t.wait(99_999);
      assert.equal(t.core.sizes().peers, 1);
      t.wait(1);
      assert.equal(t.core.sizes().peers, 0);
      assert.equal(t.core.deadline(), Infinity);
    });

    it('[COAP-132] a session that is over is forgotten at once, with its message ids, unless something of it goes on', () => {
      const t = dialogue({ onRequest: hello });
      observed(t);
      t.receive('CON GET /a mid=1', 'one');
      t.receive('CON GET /a mid=1', 'three');
      t.core.gone({ ...t.peer('one'), ended: true }, 'closed', t.now);
      t.core.gone({ ...t.peer(), ended: true }, 'closed', t.now);
      t.core.gone({ ...t.peer('three'), ended: false }, 'unreachable', t.now);
      assert.equal(t.core.sizes().peers, 2);
      t.core.rebind({ ...t.peer(), ended: true }, t.peer('new'), t.now);
      assert.equal(t.core.sizes().peers, 2, 'what went on is with the new one');
      t.receive('NON 2.05 token=$o observe=11 "b"', 'new');
      t.expectReport('notification 2.05 "b"');
    });

    it('[COAP-132] one that makes room for its own successor is forgotten once, and the others in their time', () => {
      const t = dialogue({ params: { maxPeers: 3 }, onRequest: hello });
      for (const name of ['one', 'two', 'three']) t.receive('CON GET /a mid=1', name);
      t.core.rebind({ ...t.peer('one'), ended: true }, t.peer('new'), t.now);
      assert.equal(t.core.sizes().peers, 3);
      t.receive('CON GET /a mid=1', 'five');
      assert.deepEqual([t.core.sizes().peers, t.core.counters.overloaded], [3, 0], 'an idle one makes room still');
      t.wait(247_000);
      assert.deepEqual([t.core.sizes().peers, t.core.sizes().seenBytes], [0, 0]);
      assert.equal(t.core.deadline(), Infinity);
    });

    it('[COAP-132] everything that can begin comes to an end, and nothing is held', () => {
      const t = dialogue();
      t.receive('CON POST /a b1=0/1/16 bytes=0..16', 'upload');
      t.receive('CON GET /a b2=0/0/16', 'download');
      t.respond(t.expectRequest(), { code: Code.CONTENT, payload: Buffer.alloc(100) });
      t.receive('CON GET /slow', 'slow');
      t.wait(500);
      t.respond(t.expectRequest(), { code: Code.CONTENT });
      t.request(get, 'silent');
      t.request(get, 'silent');
      t.request({ ...get, confirmable: false }, 'non');
      t.sent.length = 0;
      t.request({ ...get, timeout: 1_000 }, 'acknowledged');
      t.expectSent('CON GET /a mid=$m', 'acknowledged');
      t.receive('ACK EMPTY mid=$m', 'acknowledged');
      assert.ok(t.core.sizes().bodyBytes > 0);
      t.expectNothingLeft();
      assert.equal(t.outcomes.length, 4);
    });
  });

  describe('another route', () => {
    it('[COAP-133] observations and waiting requests follow; what is under way ends where it is', () => {
      const t = dialogue();
      observed(t);
      t.expectOutcome('2.05 "a"');
      const under = t.request({ code: Code.GET, path: ['under-way'] });
      const waiting = t.request({ code: Code.GET, path: ['waiting'] });
      t.request({ code: Code.GET, path: ['last'] });
      t.expectSent('CON GET /under-way mid=$u token=$ut');
      t.core.rebind(t.peer(), t.peer('new'), t.now);
      t.expectSent('CON GET /waiting mid=$w token=$wt', 'new');
      t.expectSilence();
      t.receive('NON 2.05 token=$o observe=11 "b"', 'new');
      assert.equal(t.expectReport('notification 2.05 "b"').peer, t.peer('new'));
      t.receive('NON 2.05 mid=900 token=$o observe=12 "c"');
      t.expectSent('RST EMPTY mid=900');
      t.receive('ACK 2.05 mid=$w token=$wt', 'new');
      t.expectOutcome('2.05', waiting);
      t.expectSent('CON GET /last', 'new');
      t.receive('ACK 2.05 mid=$u token=$ut');
      t.expectOutcome('2.05', under);
    });

    it('[COAP-133] the numbers of notifications go on', () => {
      const t = dialogue();
      observed(t);
      t.core.rebind(t.peer(), t.peer('new'), t.now);
      t.receive('NON 2.05 token=$o observe=9 "old"', 'new');
      t.expectNoReport();
      t.receive('NON 2.05 token=$o observe=11 "b"', 'new');
      t.expectReport('notification 2.05 "b"');
    });

    it('[COAP-133] a notification that is being fetched is given up, and waiting requests do not go to the old route', () => {
      const t = dialogue();
      observed(t);
      t.receive('NON 2.05 token=$o observe=11 b2=0/1/16 bytes=0..16');
      t.expectSent('CON GET /3/0/9 b2=1/0/16');
      t.request(get);
      t.core.rebind(t.peer(), t.peer('new'), t.now);
      t.expectSent('CON GET /a', 'new');
      t.expectSilence();
      assert.equal(t.core.sizes().bodyBytes, 0);
    });

    it('[COAP-133] to the same key nothing happens, from an unknown peer neither', () => {
      const t = dialogue();
      observed(t);
      t.core.rebind(t.peer(), { ...t.peer() }, t.now);
      t.core.rebind(t.peer('nobody'), t.peer('new'), t.now);
      t.receive('NON 2.05 token=$o observe=11 "b"');
      t.expectReport('notification 2.05 "b"');
      assert.equal(t.core.sizes().peers, 1);
    });

    const routed = plainOnly('over DTLS a session is one object under one key, however it moves');
    routed('[COAP-134] the newest object for a key is the one that is used', () => {
      const t = dialogue();
      observed(t);
      const moved = { ...t.peer(), address: 'elsewhere' };
      t.core.receive(t.encode('CON GET /a'), moved, t.now);
      t.respond(t.expectRequest(), { code: Code.CONTENT });
      assert.equal(t.sent[0]!.peer, moved);
      t.request(get);
      assert.equal(t.sent[1]!.peer, moved);
    });
  });

  it('[COAP-135] answers to a peer that is gone are dropped, and so are its separate answers under way', () => {
    const t = dialogue();
    t.receive('CON GET /a');
    const request = t.expectRequest();
    t.receive('CON GET /slow');
    t.wait(500);
    t.respond(t.expectRequest(), { code: Code.CONTENT });
    t.sent.length = 0;
    t.core.gone(t.peer(), 'gone', t.now);
    t.respond(request, { code: Code.CONTENT });
    t.wait(100_000);
    t.expectSilence();
    t.expectNothingLeft();
  });

  it('[COAP-135] a request made from within the end of another, when the peer is gone, is repeated like any other', () => {
    const t = dialogue();
    t.request(get);
    t.onOutcome = () => {
      t.onOutcome = undefined;
      t.request(get);
    };
    t.core.gone(t.peer(), 'gone', t.now);
    t.expectOutcome('unreachable');
    t.sent.length = 0;
    t.wait(100_000);
    assert.equal(t.sent.length, 4);
    t.expectOutcome('no-ack');
  });

  it('[COAP-062] closing frees everything', () => {
    const t = dialogue();
    observed(t);
    t.receive('CON POST /a b1=0/1/16 bytes=0..16');
    t.receive('CON GET /a b2=0/0/16', 'download');
    t.respond(t.expectRequest(), { code: Code.CONTENT, payload: Buffer.alloc(100) });
    t.receive('CON GET /slow');
    t.receive('NON 2.05 token=$o observe=11 b2=0/1/16 bytes=0..16');
    t.core.close(t.now);
    assert.deepEqual(t.core.sizes(), { peers: 0, exchanges: 0, bodyBytes: 0, seenBytes: 0, timers: 0 });
    assert.equal(t.core.deadline(), Infinity);
  });
});
