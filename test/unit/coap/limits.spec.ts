import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import { textOption, uintOption } from '../../../lib/coap/options';
import { completeParams, DEFAULT_PARAMS } from '../../../lib/coap/params';
import { Buckets, network } from '../../../lib/transport/rates';
import type { IncomingRequest, ResponseSpec } from '../../../lib/coap/types';
import { dialogue, observed, type Dialogue } from '../../support/coap-dialogue';

const hello = (request: IncomingRequest, t: Dialogue): void => t.respond(request, { code: Code.CONTENT });
const answering = (spec: ResponseSpec) => (request: IncomingRequest, t: Dialogue) => t.respond(request, spec);
const refusal = (text: string): ResponseSpec => ({ code: Code.FORBIDDEN, payload: Buffer.from(text) });

describe('CoAP towards peers that have proven nothing', () => {
  describe('the size of errors', () => {
    it('[COAP-041] an error is not larger than its question: its text is cut', () => {
      const t = dialogue({ onRequest: answering(refusal('0123456789')) });
      // 4 + 1 + 3 bytes of question leave 4 + 1 + 1 + 2.
      t.receive('CON GET /ab token=a1');
      t.expectSent('ACK 4.03 token=a1 "01"');
      t.receive('NON GET /abcdefgh token=a1');
      t.expectSent('NON 4.03 token=a1 "01234567"');
      t.receive('CON GET /abcdefghijklmno token=a1');
      t.expectSent('ACK 4.03 token=a1 "0123456789"');
    });

    it('[COAP-041] never inside a character, and options go when nothing else does', () => {
      const t = dialogue({ onRequest: answering(refusal('a\u20acb')) });
      t.receive('CON GET /abc');
      t.expectSent('ACK 4.03 "a"');
      t.receive('CON GET /abcd');
      t.expectSent('ACK 4.03 "a\u20ac"');
      const u = dialogue({
        onRequest: answering({ code: Code.SERVICE_UNAVAILABLE, options: [uintOption(14, 70_000), textOption(8, 'long')] }),
      });
      u.receive('CON GET /a');
      u.expectSent('ACK 5.03');
    });

    for (let length = 0; length < 40; length++) {
      const path = `/${'p'.repeat(length + 1)}`;
      it(`[COAP-041] whatever the lengths: a question of ${length + 6} bytes`, () => {
        for (let text = 0; text < 60; text++) {
          const t = dialogue({ onRequest: answering({ ...refusal('\u00e9'.repeat(text)), contentFormat: 0 }) });
          const question = t.encode(`CON GET ${path}`);
          t.receiveBytes(question);
          assert.ok(t.sent[0]!.data.length <= question.length);
        }
      });
    }

    it('[COAP-041] a late one as well; nor is one in blocks', () => {
      const t = dialogue({ params: { blockSize: 16 } });
      const question = t.encode('CON GET /slow token=a1');
      t.receiveBytes(question);
      t.wait(500);
      t.expectSent('ACK EMPTY');
      t.respond(t.expectRequest(), refusal('x'.repeat(100)));
      assert.ok(t.sent[0]!.data.length <= question.length);
      t.expectSent('CON 4.03 token=a1 "xxxx"');
    });

    it('[COAP-041] successes say what they have to', () => {
      const t = dialogue({ onRequest: answering({ code: Code.CONTENT, payload: Buffer.from('0123456789') }) });
      t.receive('CON GET /a');
      t.expectSent('ACK 2.05 "0123456789"');
    });

    it('[COAP-042] a peer that answered under a token of ours has proven that it is there', () => {
      const t = dialogue({ onRequest: answering(refusal('0123456789')) });
      observed(t);
      t.receive('CON GET /a');
      t.expectSent('ACK 4.03 "0123456789"');
      t.request({ code: Code.GET, path: ['b'] }, 'separate');
      t.expectSent('CON GET /b token=$t', 'separate');
      t.receive('NON 2.05 token=$t', 'separate');
      t.receive('CON GET /a', 'separate');
      t.expectSent('ACK 4.03 "0123456789"', 'separate');
    });

    it('[COAP-042] an Empty acknowledgement proves nothing: its id can be guessed', () => {
      const t = dialogue({ onRequest: answering(refusal('0123456789')) });
      t.request({ code: Code.GET, path: ['b'] });
      t.expectSent('CON GET /b mid=$m');
      t.receive('ACK EMPTY mid=$m');
      t.receive('CON GET /a');
      t.expectSent('ACK 4.03 "0"');
    });

    it('[COAP-042] so has one that is said to be by those above, until they take it back', () => {
      const t = dialogue({ onRequest: answering(refusal('0123456789')) });
      t.receive('CON GET /a');
      t.core.setStanding(t.peer(), 'registered');
      t.receive('CON GET /a');
      t.core.setStanding(t.peer(), 'proven');
      t.core.setStanding(t.peer(), 'registered');
      t.receive('CON GET /a');
      t.core.setStanding(t.peer(), 'unproven');
      t.receive('CON GET /a');
      for (const text of ['0', '0', '0123456789', '0']) t.expectSent(`ACK 4.03 "${text}"`);
    });

    it('[COAP-042] and one whose route is secure, whatever is said', () => {
      const t = dialogue({ onRequest: answering(refusal('0123456789')), params: { sourceRate: 1, sourceBurst: 1 } });
      const secure = { ...t.peer(), identity: { scheme: 'coaps', mode: 'psk', name: 'x' } as const };
      for (let i = 0; i < 3; i++) {
        t.core.receive(t.encode('CON GET /a'), secure, t.now);
        t.expectSent('ACK 4.03 "0123456789"');
        t.core.setStanding(secure, 'unproven');
      }
    });

    it('[COAP-042] what is said of a peer nobody has heard of is not kept', () => {
      const t = dialogue();
      t.core.setStanding(t.peer(), 'registered');
      assert.equal(t.core.sizes().peers, 0);
    });
  });

  describe('how much they may send', () => {
    const slow = { sourceRate: 10, sourceBurst: 3, addressRate: 100, addressBurst: 5 };

    it('[COAP-137] one address and port: a burst, then its rate; the rest is dropped in silence and counted', () => {
      const t = dialogue({ onRequest: hello, params: slow });
      for (let i = 0; i < 5; i++) t.receive('CON GET /a');
      assert.equal(t.requests.length, 3);
      assert.equal(t.core.counters.droppedSourceRate, 2);
      t.wait(99);
      t.receive('CON GET /a');
      assert.equal(t.requests.length, 3);
      t.wait(1);
      t.receive('CON GET /a');
      t.receive('CON GET /a');
      assert.equal(t.requests.length, 4);
      assert.equal(t.sent.length, 4);
      t.wait(10_000);
      for (let i = 0; i < 5; i++) t.receive('CON GET /a');
      assert.equal(t.requests.length, 7, 'never more than a burst at once');
    });

    it('[COAP-137] garbage, pings and answers to nothing count too', () => {
      const t = dialogue({ params: slow });
      t.receiveBytes('40');
      t.receiveBytes('40000001');
      t.receive('CON 2.05 token=01');
      t.sent.length = 0;
      t.receiveBytes('40000002');
      t.expectSilence();
      assert.equal(t.core.counters.droppedSourceRate, 1);
    });

    it('[COAP-137] all ports of one address together; what a port has too much is not charged to its neighbours', () => {
      const t = dialogue({ onRequest: hello, params: slow });
      const from = (port: number) => ({ ...t.peer(), key: `udp|192.0.2.1|${port}`, address: '192.0.2.1', port });
      for (let i = 0; i < 100; i++) t.core.receive(t.encode('CON GET /a'), from(1), t.now);
      assert.equal(t.core.counters.droppedSourceRate, 97);
      for (const port of [2, 3, 4]) t.core.receive(t.encode('CON GET /a'), from(port), t.now);
      assert.equal(t.requests.length, 5);
      assert.equal(t.core.counters.droppedAddressRate, 1);
      t.receive('CON GET /a', 'another');
      assert.equal(t.requests.length, 6);
    });

    it('[COAP-138] registered and proven peers have no limit', () => {
      const t = dialogue({ onRequest: hello, params: slow });
      for (const standing of ['registered', 'proven'] as const) {
        t.receive('CON GET /a', standing);
        t.core.setStanding(t.peer(standing), standing);
        for (let i = 0; i < 50; i++) t.receive('CON GET /a', standing);
      }
      assert.equal(t.requests.length, 102);
      t.core.setStanding(t.peer('registered'), 'unproven');
      for (let i = 0; i < 50; i++) t.receive('CON GET /a', 'registered');
      assert.equal(t.requests.length, 104);
    });

    it('[COAP-137] a thousand devices behind one address are served at once, while a flood is not', () => {
      const t = dialogue({ onRequest: hello });
      const from = (port: number) => ({ ...t.peer(), key: `udp|192.0.2.1|${port}`, address: '192.0.2.1', port });
      for (let i = 0; i < 1_000; i++) t.core.receive(t.encode('CON GET /a'), from(9), t.now);
      assert.equal(t.requests.length, DEFAULT_PARAMS.sourceBurst);
      for (let port = 1_000; port < 2_000; port++) {
        for (let i = 0; i < 5; i++) t.core.receive(t.encode('CON GET /a'), from(port), t.now);
      }
      assert.equal(t.requests.length, DEFAULT_PARAMS.sourceBurst + 5_000);
    });

    it('[COAP-139] what is remembered for this is bounded, however many sources there are', () => {
      const buckets = new Buckets(10, 2, 8);
      for (let i = 0; i < 100; i++) assert.ok(buckets.take(`source ${i}`, 0));
      assert.ok(buckets.size <= 16);
      assert.ok(buckets.take('source 99', 0));
      assert.equal(buckets.take('source 99', 0), false, 'the latest are still known');
      buckets.clear();
      assert.equal(buckets.size, 0);
    });

    it('[COAP-139] one that keeps sending is not forgotten with the older ones', () => {
      const buckets = new Buckets(0.001, 100, 8);
      for (let i = 0; i < 100; i++) {
        buckets.take(`source ${i}`, 0);
        assert.ok(buckets.take('flood', 0));
      }
      assert.equal(buckets.take('flood', 0), false);
    });

    it('[COAP-151] are forgotten when all are full again, also without another message', () => {
      const buckets = new Buckets(10, 20);
      assert.equal(buckets.deadline(), Infinity);
      for (let source = 0; source < 1000; source++) buckets.take(`s${source}`, 0);
      assert.equal(buckets.size, 1000);
      let turns = 0;
      for (let now = buckets.deadline(); now < Infinity; now = buckets.deadline()) {
        buckets.advance(now);
        turns++;
      }
      assert.equal(buckets.size, 0);
      assert.equal(turns, 2);
      // What was used in between is kept: an empty bucket is still empty.
      for (let i = 0; i < 20; i++) assert.equal(buckets.take('busy', 10_000), true);
      buckets.advance(buckets.deadline() - 1);
      assert.equal(buckets.take('busy', 10_001), false);
    });

    it('[COAP-137] a rate of 0 is no limit', () => {
      const buckets = new Buckets(0, 1);
      for (let i = 0; i < 1_000; i++) assert.ok(buckets.take('source', 0));
      assert.equal(buckets.size, 0);
    });

    for (const [address, expected] of [
      ['192.0.2.1', '192.0.2.1'],
      ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
      ['2001:db8:1:2::1', '2001:db8:1:2'],
      ['2001:db8::1', '2001:db8:0:0'],
      ['2001::3:4:5:6:7:8', '2001:0:3:4'],
      ['::1', '0:0:0:0'],
      ['fe80::1%eth0', 'fe80:0:0:0'],
      ['2001:db8:1:2:3::', '2001:db8:1:2'],
    ] as const) {
      it(`[COAP-139] ${address} counts as ${expected}`, () => assert.equal(network(address), expected));
    }
  });

  describe('settings', () => {
    it('[COAP-148] have defaults, and what is not given keeps them', () => {
      assert.deepEqual(completeParams(), DEFAULT_PARAMS);
      assert.deepEqual(completeParams({ maxPeers: 7 }), { ...DEFAULT_PARAMS, maxPeers: 7 });
    });

    for (const [name, params] of [
      ['a negative number', { maxPeers: -1 }],
      ['no number', { maxPeers: Number.NaN }],
      ['text', { maxPeers: '7' as unknown as number }],
      ['an unknown name', { maxPeer: 7 } as object],
    ] as const) {
      it(`[COAP-148] ${name} is refused`, () => assert.throws(() => completeParams(params), RangeError));
    }
  });
});
