import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import type { IncomingRequest } from '../../../lib/coap/types';
import { createRandom } from '../../support/random';
import { dialogue, type Dialogue } from '../../support/coap-dialogue';

const hello = (request: IncomingRequest, t: Dialogue): void => t.respond(request, { code: Code.CONTENT, payload: Buffer.from('hello') });
const get = { code: Code.GET, path: ['a'] };

describe('CoAP messages on their way', () => {
  describe('what is no request and no answer', () => {
    it('[COAP-003] a format error in a Confirmable message gets a Reset, in others silence', () => {
      const t = dialogue();
      t.receiveBytes('49011234010203040506070809');
      t.expectSent('RST EMPTY mid=4660 token=-');
      for (const bytes of [
        '59011234010203040506070809',
        '69011234010203040506070809',
        '79011234010203040506070809',
        '4001',
        'c0011234',
        '',
      ]) {
        t.receiveBytes(bytes);
      }
      t.expectSilence();
      assert.equal(t.core.counters.formatErrors, 7);
      assert.equal(t.core.sizes().peers, 0);
    });

    it('[COAP-014] a ping is answered with one Reset, and no handler hears of it', () => {
      const t = dialogue();
      t.receive('CON EMPTY mid=99');
      t.expectSent('RST EMPTY mid=99 token=-');
      t.receive('NON EMPTY mid=100');
      t.expectSilence();
      t.expectNoRequest();
      assert.equal(t.core.sizes().peers, 0);
    });

    for (const code of ['1.00', '1.31', '3.01', '6.00', '7.01', '7.31']) {
      it(`[COAP-015] the reserved code ${code}: Reset when Confirmable, else silence`, () => {
        const t = dialogue();
        t.receive(`CON ${code} mid=5 token=01`);
        t.expectSent('RST EMPTY mid=5 token=-');
        t.receive(`NON ${code} mid=6 token=01`);
        t.receive(`ACK ${code} mid=7 token=01`);
        t.receive(`RST ${code} mid=8 token=01`);
        t.expectSilence();
        t.expectNoRequest();
      });
    }

    it('[COAP-016] nothing is ever sent in answer to an acknowledgement or a Reset', () => {
      const t = dialogue();
      for (const code of ['EMPTY', 'GET', 'POST', '2.05', '4.04', '5.00', '2.31', '1.01', '7.31']) {
        t.receive(`ACK ${code} mid=9`);
        t.receive(`RST ${code} mid=9`);
      }
      t.receiveBytes('6f001234');
      t.receiveBytes('70001234ff');
      t.expectSilence();
      assert.equal(t.core.counters.unmatched, 18);
      assert.equal(t.core.sizes().peers, 0);
    });
  });

  describe('retransmission', () => {
    it('[COAP-020] sends at 0, t, 3t, 7t and 15t, and gives up at 31t', () => {
      const t = dialogue();
      t.request(get);
      const { data } = t.sent[0]!;
      t.wait(61_999);
      assert.ok(
        t.sent.every((sent) => sent.data.equals(data)),
        'the same bytes every time',
      );
      assert.deepEqual(t.takeTimes(), [0, 2_000, 6_000, 14_000, 30_000]);
      t.expectNoOutcome();
      t.wait(1);
      assert.equal(t.elapsed, 62_000);
      t.expectOutcome('no-ack');
      t.expectSilence();
      t.expectNothingLeft();
      t.expectNoOutcome();
      assert.equal(t.core.counters.retransmissions, 4);
      assert.equal(t.core.counters.timeouts, 1);
    });

    it('[COAP-020] draws t from 2 to 3 s', () => {
      for (const [float, first, end] of [
        [0, 2_000, 62_000],
        [0.5, 2_500, 77_500],
        [0.999999, 2_999.999, 92_999.969],
      ] as const) {
        const t = dialogue({ float: () => float });
        t.request(get);
        t.wait(first - 1);
        assert.equal(t.sent.length, 1);
        t.wait(1);
        assert.equal(t.sent.length, 2);
        t.wait(end - first + 1);
        t.expectOutcome('no-ack');
      }
    });

    it('[COAP-020] every message draws its own t', () => {
      const { next } = createRandom(5);
      const t = dialogue({ float: next });
      t.request(get, 'a');
      t.request(get, 'b');
      t.wait(3_000);
      const [, , one, two] = t.takeTimes();
      assert.ok(one !== two && one! >= 2_000 && two! >= 2_000 && two! < 3_000);
    });

    it('[COAP-020] parameters change it all', () => {
      const t = dialogue({ params: { ackTimeout: 100, maxRetransmit: 1 } });
      t.request(get);
      t.wait(300);
      assert.deepEqual(t.takeTimes(), [0, 100]);
      t.expectOutcome('no-ack');
    });

    for (const [what, stop] of [
      ['an Empty acknowledgement', 'ACK EMPTY mid=$m'],
      ['a piggybacked answer', 'ACK 2.05 mid=$m token=$t'],
      ['a separate answer', 'NON 2.05 mid=1 token=$t'],
      ['a Reset', 'RST EMPTY mid=$m'],
    ] as const) {
      it(`[COAP-021] ${what} stops it`, () => {
        const t = dialogue();
        t.request(get);
        t.expectSent('CON GET /a mid=$m token=$t');
        t.wait(2_000);
        t.expectSent('CON GET /a mid=$m token=$t');
        t.receive(stop);
        t.wait(60_000);
        t.expectSilence();
      });
    }

    it('[COAP-021] cancelling stops it', () => {
      const t = dialogue();
      const id = t.request(get);
      t.expectSent('CON GET /a');
      t.core.cancel(id, t.now);
      t.expectOutcome('cancelled', id);
      t.wait(60_000);
      t.expectSilence();
    });

    it('[COAP-022] acknowledgements, Resets and answers count from the peer that was asked, only', () => {
      const t = dialogue();
      t.request(get);
      t.expectSent('CON GET /a mid=$m token=$t');
      t.receive('CON POST /rd', 'other');
      t.receive('RST EMPTY mid=$m', 'other');
      t.receive('ACK EMPTY mid=$m', 'other');
      t.receive('ACK 2.05 mid=$m token=$t "forged"', 'other');
      t.expectNoOutcome();
      t.receive('NON 2.05 mid=500 token=$t "forged"', 'other');
      t.expectSent('RST EMPTY mid=500', 'other');
      t.expectNoOutcome();
      t.wait(2_000);
      t.sent.splice(
        0,
        t.sent.findIndex(({ peer }) => peer === t.peer()),
      );
      t.expectSent('CON GET /a mid=$m token=$t');
      t.receive('ACK 2.05 mid=$m token=$t "true"');
      t.expectOutcome('2.05 "true"');
    });

    it('[COAP-022] an acknowledgement with another token or a request code is none', () => {
      const t = dialogue();
      t.request(get);
      t.expectSent('CON GET /a mid=$m token=$t');
      t.receive('ACK 2.05 mid=$m token=ff "x"');
      t.receive('ACK 2.05 mid=$m "x"');
      t.receive('ACK GET /a mid=$m token=$t');
      t.receive('ACK 7.00 mid=$m token=$t');
      t.expectNoOutcome();
      t.wait(2_000);
      t.expectSent('CON GET /a mid=$m token=$t');
    });
  });

  describe('message ids', () => {
    it('[COAP-023] start at random for each peer, and go up', () => {
      const floats = [0.5, 0, 0.99999, 0];
      const t = dialogue({ float: () => floats.shift() ?? 0, params: { probingRate: 0 } });
      t.request({ ...get, confirmable: false }, 'a');
      t.request({ ...get, confirmable: false }, 'b');
      t.expectSent('NON GET /a mid=32768', 'a');
      t.expectSent('NON GET /a mid=0', 'b');
      t.core.cancel(1, t.now);
      t.request(get, 'a');
      t.expectSent('CON GET /a mid=32769', 'a');
    });

    it('[COAP-023] wrap', () => {
      const t = dialogue({ float: () => 0.99999, params: { nstart: 2 } });
      t.request(get);
      t.expectSent('CON GET /a mid=65535');
      t.request(get);
      t.expectSent('CON GET /a mid=0');
    });

    it('[COAP-023] [COAP-064] are not used again within 247 s: requests wait until there are some', function () {
      // All 65,536 numbers, over coaps with a record each.
      this.timeout(60_000);
      const t = dialogue({ float: () => 0.25, params: { nstart: 2, probingRate: 0 } });
      const used = new Set<number>();
      const spend = (count: number): void => {
        for (let i = 0; i < count; i++) {
          t.core.cancel(t.request({ ...get, confirmable: false }), t.now);
          used.add(t.sent.shift()!.data.readUInt16BE(2));
        }
        t.outcomes.length = 0;
      };
      spend(40_000);
      t.wait(100_000);
      spend(65_536 - 40_000);
      assert.equal(used.size, 65_536, 'each once');
      t.request({ ...get, timeout: 200_000 });
      t.expectSilence();
      t.wait(147_000 - 1);
      t.expectSilence();
      t.wait(1);
      t.expectSent('CON GET /a mid=16384');
      assert.ok(t.core.counters.midsExhausted > 0);
    });

    it('[COAP-064] answers that need one are not sent', function () {
      // All 65,536 numbers, over coaps with a record each.
      this.timeout(60_000);
      const t = dialogue({ float: () => 0.25, onRequest: hello, params: { probingRate: 0 } });
      for (let i = 0; i < 65_536; i++) t.core.cancel(t.request({ ...get, confirmable: false }), t.now);
      t.sent.length = 0;
      t.receive('NON GET /a token=a1');
      t.expectSilence();
      t.receive('CON GET /a mid=5 token=a2');
      t.expectSent('ACK 2.05 mid=5 token=a2 "hello"');
      t.wait(247_000);
      t.receive('NON GET /a token=a3');
      t.expectSent('NON 2.05 token=a3 "hello"');
    });
  });

  describe('duplicates', () => {
    it('[COAP-024] a repeated Confirmable request gets the same bytes again, and its handler runs once', () => {
      const t = dialogue({ onRequest: hello });
      const request = t.encode('CON GET /a mid=77 token=aa');
      t.receiveBytes(request);
      const { data } = t.sent[0]!;
      t.expectSent('ACK 2.05 mid=77 token=aa "hello"');
      t.wait(246_000);
      t.receiveBytes(request);
      t.expectSentBytes(data);
      assert.equal(t.requests.length, 1);
      assert.equal(t.core.counters.duplicates, 1);
    });

    it('[COAP-024] also while the handler still runs: silence, then one answer', () => {
      const t = dialogue();
      const request = t.encode('CON POST /a mid=78 token=aa');
      t.receiveBytes(request);
      t.wait(100);
      t.receiveBytes(request);
      t.expectSilence();
      t.wait(100);
      t.respond(t.expectRequest(), { code: Code.CHANGED });
      t.expectNoRequest();
      t.expectSent('ACK 2.04 mid=78 token=aa');
      t.expectSilence();
      t.receiveBytes(request);
      t.expectSent('ACK 2.04 mid=78 token=aa');
      t.expectNoRequest();
    });

    it('[COAP-024] after the exchange lifetime it is a new request', () => {
      const t = dialogue({ onRequest: hello });
      t.receive('CON GET /a mid=77');
      t.wait(247_000);
      t.receive('CON GET /a mid=77');
      assert.equal(t.requests.length, 2);
    });

    it('[COAP-024] also when the peer was busy all the time', () => {
      const t = dialogue({ onRequest: hello });
      t.receive('CON GET /a mid=77');
      for (let minute = 0; minute < 4; minute++) {
        t.wait(61_750);
        t.receive('CON GET /a');
      }
      t.receive('CON GET /a mid=77');
      assert.equal(t.requests.length, 6);
    });

    it('[COAP-025] a repeated Non-confirmable request is ignored', () => {
      const t = dialogue({ onRequest: hello });
      t.receive('NON GET /a mid=77');
      t.expectSent('NON 2.05 "hello"');
      t.wait(144_000);
      t.receive('NON GET /a mid=77');
      t.expectSilence();
      assert.equal(t.requests.length, 1);
    });

    for (const [what, other] of [
      ['token', 'CON GET /a mid=77 token=ab'],
      ['method', 'CON PUT /a mid=77 token=aa'],
      ['length', 'CON GET /aa mid=77 token=aa'],
    ] as const) {
      it(`[COAP-029] the same id with another ${what} is another request`, () => {
        const t = dialogue({ onRequest: hello });
        t.receive('CON GET /a mid=77 token=aa');
        t.receive(other);
        assert.equal(t.requests.length, 2);
        t.receive(other);
        assert.equal(t.requests.length, 2);
        assert.equal(t.core.counters.duplicates, 1);
      });
    }

    it('[COAP-029] neither is a notification lost whose device counts from the start again', () => {
      const t = dialogue();
      t.request({ ...get, observe: 0 });
      t.expectSent('CON GET /a observe=0 mid=$m token=$o');
      t.receive('CON GET /b mid=9 token=01');
      t.receive('ACK 2.05 mid=$m token=$o observe=1 "a"');
      t.receive('CON 2.05 mid=9 token=$o observe=2 "b"');
      t.expectReport('notification 2.05 "b"');
    });

    it('[COAP-028] the ids of all peers have a limit: those of the peers silent longest go first', () => {
      // Each counts for 100 bytes and its answer of 4 + 1 + 5.
      const t = dialogue({ onRequest: hello, params: { maxSeenBytes: 3 * 110 } });
      t.receive('CON GET /a mid=1', 'one');
      t.receive('CON GET /a mid=2', 'one');
      t.receive('CON GET /a mid=1', 'two');
      assert.equal(t.core.sizes().seenBytes, 3 * 110);
      t.receive('CON GET /a mid=1', 'three');
      assert.equal(t.core.counters.forgottenIds, 2);
      assert.equal(t.core.sizes().seenBytes, 2 * 110);
      t.receive('CON GET /a mid=1', 'two');
      t.receive('CON GET /a mid=1', 'three');
      assert.equal(t.requests.length, 4, 'they are known');
      t.receive('CON GET /a mid=2', 'one');
      assert.equal(t.requests.length, 5, 'forgotten');
      t.expectNothingLeft();
    });

    it('[COAP-028] of a single peer its own oldest, whatever else it has', () => {
      const t = dialogue({ onRequest: hello, params: { maxSeenBytes: 3 * 110 } });
      for (let mid = 1; mid <= 6; mid++) t.receive(`CON GET /a mid=${mid}`);
      assert.equal(t.core.sizes().seenBytes, 3 * 110);
      t.receive('CON GET /a mid=5');
      assert.equal(t.requests.length, 6);
      t.receive('CON GET /a mid=3');
      assert.equal(t.requests.length, 7);
    });

    it('[COAP-028] a peer in use loses its ids and nothing else', () => {
      const t = dialogue({ params: { maxSeenBytes: 3 * 100 } });
      t.receive('CON POST /slow mid=1', 'one');
      const slow = t.expectRequest();
      for (let mid = 1; mid <= 4; mid++) t.receive(`CON GET /a mid=${mid}`, 'two');
      assert.ok(t.core.sizes().seenBytes <= 3 * 100);
      t.respond(slow, { code: Code.CHANGED });
      t.expectSent('ACK 2.04 mid=1', 'one');
      t.core.gone(t.peer('two'), 'gone', t.now);
      t.expectNothingLeft();
    });

    it('[COAP-026] one message id from two peers is two requests', () => {
      const t = dialogue({
        onRequest: (request) => t.respond(request, { code: Code.CONTENT, payload: Buffer.from(request.peer.address) }),
      });
      const request = t.encode('CON GET /a mid=77 token=aa');
      t.receiveBytes(request, 'one');
      t.receiveBytes(request, 'two');
      t.expectSent('ACK 2.05 mid=77 token=aa "one"', 'one');
      t.expectSent('ACK 2.05 mid=77 token=aa "two"', 'two');
      t.receiveBytes(request, 'one');
      t.expectSent('ACK 2.05 mid=77 token=aa "one"', 'one');
    });

    it('[COAP-027] of one peer, 64 message ids are remembered', () => {
      const t = dialogue({ onRequest: hello });
      for (let mid = 0; mid < 65; mid++) t.receive(`CON GET /a mid=${mid}`);
      t.receive('CON GET /a mid=1');
      assert.equal(t.requests.length, 65);
      t.receive('CON GET /a mid=0');
      assert.equal(t.requests.length, 66);
    });
  });
});
