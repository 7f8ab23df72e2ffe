import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import { dialogue, observed, type Dialogue } from '../../support/coap-dialogue';

const observe = { code: Code.GET, path: ['3', '0', '9'], observe: 0 } as const;
const other = { code: Code.GET, path: ['other'] };

/** An observation of which the device has told the number 10. */
function observing(options: Parameters<typeof dialogue>[0] = {}): Dialogue {
  const t = dialogue(options);
  observed(t);
  t.expectOutcome('2.05 "a"');
  return t;
}

function token(t: Dialogue): Buffer {
  return Buffer.from(t.value('$o'), 'hex');
}

describe('CoAP observations', () => {
  it('[COAP-070] an answer with the option makes one; notifications are acknowledged when Confirmable', () => {
    const t = dialogue();
    const id = observed(t);
    const outcome = t.expectOutcome('2.05 "a"', id);
    assert.ok(outcome.kind === 'response');
    assert.equal(outcome.response.observe, 10);
    assert.equal(Buffer.from(outcome.response.token).toString('hex'), t.value('$o'));
    t.receive('CON 2.05 mid=500 token=$o observe=11 cf=0 "b"');
    t.expectSent('ACK EMPTY mid=500 token=-');
    const report = t.expectReport('notification 2.05 "b"');
    assert.equal(report.peer, t.peer());
    assert.equal(report.response.observe, 11);
    assert.equal(report.response.contentFormat, 0);
    assert.equal(Buffer.from(report.response.token).toString('hex'), t.value('$o'));
    t.receive('NON 2.05 token=$o observe=12 "c"');
    t.expectSilence();
    t.expectReport('notification 2.05 "c"');
    assert.equal(t.core.counters.notifications, 2);
  });

  it('[COAP-070] also a separate answer', () => {
    const t = dialogue();
    t.request(observe);
    t.expectSent('CON GET /3/0/9 observe=0 mid=$m token=$o');
    t.receive('ACK EMPTY mid=$m');
    t.receive('CON 2.05 mid=500 token=$o observe=3 "a"');
    t.expectSent('ACK EMPTY mid=500');
    t.expectOutcome('2.05 "a"');
    t.expectNoReport();
    t.receive('NON 2.05 token=$o observe=4 "b"');
    t.expectReport('notification 2.05 "b"');
  });

  for (const [what, answer] of [
    ['without the option', '2.05 "a"'],
    ['with an error', '4.04 observe=3'],
  ] as const) {
    it(`[COAP-071] an answer ${what} makes none`, () => {
      const t = dialogue();
      t.request(observe);
      t.expectSent('CON GET /3/0/9 observe=0 mid=$m token=$o');
      t.receive(`ACK ${answer.replace(' ', ' mid=$m token=$o ')}`);
      t.outcomes.length = 0;
      t.receive('CON 2.05 mid=500 token=$o observe=4 "b"');
      t.expectSent('RST EMPTY mid=500');
      t.expectNoReport();
      t.expectNothingLeft();
    });
  }

  it('[COAP-071] an answer with the option to a request without makes none', () => {
    const t = dialogue();
    t.request({ code: Code.GET, path: ['3'] });
    t.expectSent('CON GET /3 mid=$m token=$o');
    t.receive('ACK 2.05 mid=$m token=$o observe=3 "a"');
    t.receive('NON 2.05 mid=500 token=$o observe=4 "b"');
    t.expectSent('RST EMPTY mid=500');
  });

  it('[COAP-072] a notification nobody wants gets a Reset, Confirmable or not', () => {
    const t = observing();
    t.receive('CON 2.05 mid=500 token=ffff observe=4 "b"');
    t.expectSent('RST EMPTY mid=500');
    t.receive('NON 2.05 mid=501 token=ffff observe=4 "b"');
    t.expectSent('RST EMPTY mid=501');
    t.receive('CON 2.05 mid=502 token=$o observe=11 "b"', 'other');
    t.expectSent('RST EMPTY mid=502', 'other');
    t.expectNoReport();
  });

  describe('freshness', () => {
    const H = 2 ** 23;
    const table: readonly (readonly [what: string, last: number, next: number, after: number, news: boolean])[] = [
      ['one more', 10, 11, 0, true],
      ['the same', 10, 10, 0, false],
      ['one less', 10, 9, 0, false],
      ['just under half the circle ahead', 10, 10 + H - 1, 0, true],
      ['half the circle ahead', 10, 10 + H, 0, false],
      ['over the end of the circle', 0xffffff, 0, 0, true],
      ['far over the end of the circle', 0xffffff, H - 2, 0, true],
      ['half the circle back, over its start', 5, 5 + H + 1, 0, false],
      ['back over the start of the circle', 0, 0xffffff, 0, false],
      ['more than half the circle back is ahead', 0xfffff0, 0x10, 0, true],
      ['older, 128 s later', 10, 9, 128_000, false],
      ['older, after more than 128 s', 10, 9, 128_001, true],
      ['the same, after more than 128 s', 10, 10, 128_001, true],
    ];
    for (const [what, last, next, after, news] of table) {
      it(`[COAP-073] ${what}: ${news ? 'news' : 'stale, acknowledged and not told'}`, () => {
        const t = dialogue();
        observed(t, {}, `observe=${last} "a"`);
        t.wait(after);
        t.receive(`CON 2.05 mid=500 token=$o observe=${next} "b"`);
        t.expectSent('ACK EMPTY mid=500');
        if (news) t.expectReport('notification 2.05 "b"');
        t.expectNoReport();
        assert.equal(t.core.counters.staleNotifications, news ? 0 : 1);
      });
    }

    it('[COAP-073] a repeated notification is acknowledged again and told once', () => {
      const t = observing();
      for (let times = 0; times < 3; times++) {
        t.receive('CON 2.05 mid=500 token=$o observe=11 "b"');
        t.expectSent('ACK EMPTY mid=500');
      }
      t.expectReport('notification 2.05 "b"');
      t.expectNoReport();
    });
  });

  describe('the end', () => {
    for (const code of ['4.04', '4.01', '5.03', '4.15']) {
      it(`[COAP-074] a notification ${code} ends it`, () => {
        const t = observing();
        t.receive(`CON ${code} mid=500 token=$o "no"`);
        t.expectSent('ACK EMPTY mid=500');
        const report = t.expectReport(`ended ${code} "no"`);
        assert.ok(report.kind === 'ended');
        assert.equal(Buffer.from(report.token).toString('hex'), t.value('$o'));
        t.receive('NON 2.05 mid=501 token=$o observe=12 "c"');
        t.expectSent('RST EMPTY mid=501');
        t.expectNoReport();
        t.expectNothingLeft();
      });
    }

    it('[COAP-074] one without the option ends it, and its value counts', () => {
      const t = observing();
      t.receive('NON 2.05 token=$o "last"');
      t.expectReport('ended 2.05 "last"');
      t.receive('NON 2.05 mid=501 token=$o observe=12 "c"');
      t.expectSent('RST EMPTY mid=501');
    });

    it('[COAP-075] cancelling uses the same token; notifications that overtake the answer are told', () => {
      const t = observing();
      t.request({ ...observe, observe: 1, token: token(t) });
      t.expectSent('CON GET /3/0/9 observe=1 mid=$c token=$o');
      t.receive('CON 2.05 mid=500 token=$o observe=11 "b"');
      t.expectSent('ACK EMPTY mid=500');
      t.expectReport('notification 2.05 "b"');
      t.expectNoOutcome();
      t.receive('ACK 2.05 mid=$c token=$o "now"');
      t.expectOutcome('2.05 "now"');
      assert.equal(t.core.forgetObservation(t.peer(), token(t), t.now), true);
      t.receive('NON 2.05 mid=501 token=$o observe=12 "c"');
      t.expectSent('RST EMPTY mid=501');
      t.expectNothingLeft();
    });

    it('[COAP-075] a separate answer to the cancellation', () => {
      const t = observing();
      t.request({ ...observe, observe: 1, token: token(t) });
      t.expectSent('CON GET /3/0/9 observe=1 mid=$c token=$o');
      t.receive('ACK EMPTY mid=$c');
      t.receive('CON 2.05 mid=500 token=$o "now"');
      t.expectSent('ACK EMPTY mid=500');
      t.expectOutcome('2.05 "now"');
      t.expectNoReport();
    });

    it('[COAP-075] of a FETCH, the same body goes along', () => {
      const t = dialogue();
      const fetch = { code: Code.FETCH, path: [], contentFormat: 110, payload: Buffer.from('[]'), accept: 112 };
      t.request({ ...fetch, observe: 0 });
      t.expectSent('CON FETCH observe=0 cf=110 accept=112 mid=$m token=$o "[]"');
      t.receive('ACK 2.05 mid=$m token=$o observe=1');
      t.request({ ...fetch, observe: 1, token: token(t) });
      t.expectSent('CON FETCH observe=1 cf=110 accept=112 token=$o "[]"');
    });

    it('[COAP-076] forgetting is on our side only: the next notification gets a Reset', () => {
      const t = observing();
      assert.equal(t.core.forgetObservation(t.peer('other'), token(t), t.now), false);
      assert.equal(t.core.forgetObservation(t.peer(), token(t), t.now), true);
      assert.equal(t.core.forgetObservation(t.peer(), token(t), t.now), false);
      t.expectSilence();
      t.receive('CON 2.05 mid=500 token=$o observe=11 "b"');
      t.expectSent('RST EMPTY mid=500');
      t.expectNoReport();
      t.expectNothingLeft();
    });

    it('[COAP-076] an Observe that was cancelled before its answer makes no observation', () => {
      const t = dialogue();
      const id = t.request(observe);
      t.expectSent('CON GET /3/0/9 observe=0 mid=$m token=$o');
      t.core.cancel(id, t.now);
      t.expectOutcome('cancelled');
      t.receive('ACK 2.05 mid=$m token=$o observe=10 "a"');
      t.receive('NON 2.05 mid=500 token=$o observe=11 "b"');
      t.expectSent('RST EMPTY mid=500');
      t.expectNoReport();
    });
  });

  describe('once more with the same token', () => {
    const again = (t: Dialogue): void => {
      t.request({ ...observe, token: token(t) });
      t.expectSent('CON GET /3/0/9 observe=0 mid=$again token=$o');
    };

    it('[COAP-077] a piggybacked answer starts the numbers anew', () => {
      const t = observing();
      again(t);
      t.receive('ACK 2.05 mid=$again token=$o observe=2 "b"');
      t.expectOutcome('2.05 "b"');
      t.receive('NON 2.05 token=$o observe=3 "c"');
      t.expectReport('notification 2.05 "c"');
    });

    it('[COAP-077] a separate answer is the outcome, not a notification', () => {
      const t = observing();
      again(t);
      t.receive('ACK EMPTY mid=$again');
      t.receive('CON 2.05 mid=500 token=$o observe=2 "b"');
      t.expectSent('ACK EMPTY mid=500');
      t.expectOutcome('2.05 "b"');
      t.expectNoReport();
      t.receive('NON 2.05 token=$o observe=3 "c"');
      t.expectReport('notification 2.05 "c"');
    });

    it('[COAP-077] a refusal ends the observation', () => {
      const t = observing();
      again(t);
      t.receive('ACK 4.04 mid=$again token=$o');
      t.expectOutcome('4.04');
      t.receive('NON 2.05 mid=500 token=$o observe=12 "c"');
      t.expectSent('RST EMPTY mid=500');
    });

    it('[COAP-077] without an answer the observation stays', () => {
      const t = observing();
      again(t);
      t.wait(62_000);
      t.expectOutcome('no-ack');
      t.receive('NON 2.05 token=$o observe=12 "c"');
      t.expectReport('notification 2.05 "c"');
    });
  });

  describe('larger than a message', () => {
    it('[COAP-080] the rest of a notification is fetched without Observe under another token, and told as one', () => {
      const t = dialogue();
      observed(t, { accept: 11542 });
      t.expectOutcome('2.05 "a"');
      t.receive('CON 2.05 mid=500 token=$o observe=11 cf=11542 etag=01 b2=0/1/16 bytes=0..16');
      t.expectSent('ACK EMPTY mid=500');
      t.expectSent('CON GET /3/0/9 accept=11542 b2=1/0/16 mid=$f token=$t');
      assert.notEqual(t.value('$t'), t.value('$o'));
      t.receive('ACK 2.05 mid=$f token=$t cf=11542 etag=01 b2=1/1/16 bytes=16..32');
      t.expectSent('CON GET /3/0/9 accept=11542 b2=2/0/16 mid=$g token=$u');
      t.expectNoReport();
      t.receive('ACK 2.05 mid=$g token=$u cf=11542 etag=01 b2=2/0/16 bytes=32..40');
      const { response } = t.expectReport('notification 2.05 bytes=0..40');
      assert.equal(response.observe, 11);
      assert.equal(response.contentFormat, 11542);
      assert.equal(Buffer.from(response.token).toString('hex'), t.value('$o'));
      t.expectNoOutcome();
      assert.equal(t.core.sizes().bodyBytes, 0);
      assert.equal(t.core.sizes().exchanges, 0);
    });

    it('[COAP-080] later blocks are asked for in the format of the first', () => {
      const t = observing();
      t.receive('NON 2.05 token=$o observe=11 cf=110 b2=0/1/16 bytes=0..16');
      t.expectSent('CON GET /3/0/9 accept=110 b2=1/0/16');
    });

    it('[COAP-080] of a FETCH, with its body', () => {
      const t = dialogue();
      t.request({ code: Code.FETCH, path: [], contentFormat: 110, payload: Buffer.from('[]'), observe: 0 });
      t.expectSent('CON FETCH observe=0 cf=110 mid=$m token=$o "[]"');
      t.receive('ACK 2.05 mid=$m token=$o observe=1');
      t.receive('NON 2.05 token=$o observe=2 cf=112 b2=0/1/16 bytes=0..16');
      t.expectSent('CON FETCH cf=110 accept=112 b2=1/0/16 "[]"');
    });

    it('[COAP-081] overtaken by a newer one, only the newer is told', () => {
      const t = observing();
      t.receive('NON 2.05 token=$o observe=11 b2=0/1/16 bytes=0..16');
      t.expectSent('CON GET /3/0/9 b2=1/0/16 mid=$f token=$t');
      t.receive('NON 2.05 token=$o observe=12 "short"');
      t.expectReport('notification 2.05 "short"');
      t.receive('ACK 2.05 mid=$f token=$t b2=1/0/16 bytes=16..20');
      t.expectNoReport();
      t.receive('NON 2.05 token=$o observe=13 b2=0/1/16 bytes=0..16');
      t.expectSent('CON GET /3/0/9 b2=1/0/16 mid=$g token=$u');
      t.receive('NON 2.05 token=$o observe=14 b2=0/1/16 bytes=16..32');
      t.expectSent('CON GET /3/0/9 b2=1/0/16 mid=$h token=$v');
      t.receive('ACK 2.05 mid=$g token=$u b2=1/0/16 bytes=16..20');
      t.expectNoReport();
      t.receive('ACK 2.05 mid=$h token=$v b2=1/0/16 bytes=32..40');
      t.expectReport('notification 2.05 bytes=16..40');
      t.expectNoReport();
      assert.equal(t.core.sizes().bodyBytes, 0);
    });

    it('[COAP-081] a stale one does not disturb the fetching', () => {
      const t = observing();
      t.receive('NON 2.05 token=$o observe=12 b2=0/1/16 bytes=0..16');
      t.expectSent('CON GET /3/0/9 b2=1/0/16 mid=$f token=$t');
      t.receive('NON 2.05 token=$o observe=11 "stale"');
      t.receive('ACK 2.05 mid=$f token=$t b2=1/0/16 bytes=16..20');
      t.expectReport('notification 2.05 bytes=0..20');
      t.expectNoReport();
    });

    it('[COAP-082] when the fetching is given up, waiting requests have their turn', () => {
      const t = observing();
      t.receive('NON 2.05 token=$o observe=11 b2=0/1/16 bytes=0..16');
      t.expectSent('CON GET /3/0/9 b2=1/0/16');
      t.request(other);
      t.expectSilence();
      t.receive('NON 2.05 token=$o observe=12 "short"');
      t.expectSent('CON GET /other');
      t.expectReport('notification 2.05 "short"');
    });

    it('[COAP-082] also when the observation is forgotten', () => {
      const t = observing();
      t.receive('NON 2.05 token=$o observe=11 b2=0/1/16 bytes=0..16');
      t.expectSent('CON GET /3/0/9 b2=1/0/16 mid=$f token=$t');
      t.request(other);
      t.core.forgetObservation(t.peer(), token(t), t.now);
      t.expectSent('CON GET /other mid=$x token=$y');
      t.receive('ACK 2.05 mid=$f token=$t b2=1/0/16 bytes=16..20');
      t.receive('ACK 2.05 mid=$x token=$y');
      t.expectOutcome('2.05');
      t.expectNoReport();
      t.expectNothingLeft();
    });

    for (const [what, answer] of [
      ['an error', 'ACK 4.04 mid=$f token=$t'],
      ['a Reset', 'RST EMPTY mid=$f'],
      ['a block that does not fit', 'ACK 2.05 mid=$f token=$t b2=3/0/16 "x"'],
    ] as const) {
      it(`[COAP-083] one whose rest is answered by ${what} is counted as lost; the observation goes on`, () => {
        const t = observing();
        t.receive('NON 2.05 token=$o observe=11 b2=0/1/16 bytes=0..16');
        t.expectSent('CON GET /3/0/9 b2=1/0/16 mid=$f token=$t');
        t.receive(answer);
        t.expectLost(/later blocks/);
        t.expectNoReport();
        t.expectNoOutcome();
        assert.equal(t.core.counters.lostNotifications, 1);
        assert.equal(t.core.sizes().bodyBytes, 0);
        t.receive('NON 2.05 token=$o observe=12 "b"');
        t.expectReport('notification 2.05 "b"');
      });
    }

    for (const [what, block] of [
      ['of the reserved size', 'b2=0/1/2048 bytes=0..16'],
      ['that is not the first', 'b2=1/0/16 bytes=0..16'],
      ['shorter than it says', 'b2=0/1/32 bytes=0..16'],
    ] as const) {
      it(`[COAP-083] one that begins with a block ${what} is counted as lost, never told in part`, () => {
        const t = observing();
        t.receive(`CON 2.05 mid=500 token=$o observe=11 ${block}`);
        t.expectSent('ACK EMPTY mid=500');
        t.expectSilence();
        t.expectLost(/first block/);
        t.expectNoReport();
        assert.equal(t.core.counters.lostNotifications, 1);
      });
    }

    it('[COAP-083] one over the limit of all bodies is counted as lost, and nothing is asked', () => {
      const t = observing({ params: { maxBodies: 15 } });
      t.receive('NON 2.05 token=$o observe=11 b2=0/1/16 bytes=0..16');
      t.expectSilence();
      t.expectLost(/later blocks/);
      assert.equal(t.core.counters.lostNotifications, 1);
      assert.equal(t.core.sizes().exchanges, 0);
      t.receive('NON 2.05 token=$o observe=12 "b"');
      t.expectReport('notification 2.05 "b"');
    });

    it('[COAP-084] the rest of the first answer is fetched without Observe; the outcome names the observation', () => {
      const t = dialogue();
      observed(t, {}, 'observe=5 b2=0/1/16 bytes=0..16');
      t.expectSent('CON GET /3/0/9 b2=1/0/16 mid=$f token=$t');
      t.receive('ACK 2.05 mid=$f token=$t b2=1/0/16 bytes=16..20');
      const outcome = t.expectOutcome('2.05 bytes=0..20');
      assert.ok(outcome.kind === 'response');
      assert.equal(outcome.response.observe, 5);
      assert.equal(Buffer.from(outcome.response.token).toString('hex'), t.value('$o'));
      t.receive('NON 2.05 token=$o observe=6 "b"');
      t.expectReport('notification 2.05 "b"');
    });

    it('[COAP-084] when it changes meanwhile it is read anew, without a second observation', () => {
      const t = dialogue();
      observed(t, {}, 'observe=5 etag=01 b2=0/1/16 bytes=0..16');
      t.expectSent('CON GET /3/0/9 b2=1/0/16 mid=$f token=$t');
      t.receive('ACK 2.05 mid=$f token=$t etag=02 b2=1/0/16 bytes=16..20');
      t.expectSent('CON GET /3/0/9 mid=$g token=$u');
      t.receive('ACK 2.05 mid=$g token=$u etag=02 b2=0/1/16 bytes=16..32');
      t.expectSent('CON GET /3/0/9 b2=1/0/16 mid=$h token=$v');
      t.receive('ACK 2.05 mid=$h token=$v etag=02 b2=1/0/16 bytes=32..36');
      const outcome = t.expectOutcome('2.05 bytes=16..36');
      assert.ok(outcome.kind === 'response');
      assert.equal(outcome.response.observe, 5);
      assert.equal(Buffer.from(outcome.response.token).toString('hex'), t.value('$o'));
      t.receive('NON 2.05 token=$o observe=6 "b"');
      t.expectReport('notification 2.05 "b"');
    });

    for (const [what, answer] of [
      ['a Reset', 'RST EMPTY mid=$f'],
      ['a block that does not fit', 'ACK 2.05 mid=$f token=$t b2=3/0/16 "x"'],
      ['an error', 'ACK 4.04 mid=$f token=$t'],
    ] as const) {
      it(`[COAP-084] when the rest is answered by ${what}, there is no observation`, () => {
        const t = dialogue();
        observed(t, {}, 'observe=5 b2=0/1/16 bytes=0..16');
        t.expectSent('CON GET /3/0/9 b2=1/0/16 mid=$f token=$t');
        t.receive(answer);
        assert.equal(t.outcomes.length, 1);
        t.receive('NON 2.05 mid=500 token=$o observe=6 "b"');
        t.expectSent('RST EMPTY mid=500');
        t.expectNoReport();
      });
    }
  });

  it('[COAP-085] a token can be adopted without asking the device', () => {
    const t = dialogue();
    t.core.adoptObservation(t.peer(), Buffer.from('feed', 'hex'), observe, t.now);
    t.expectSilence();
    t.wait(1_000_000);
    t.receive('CON 2.05 mid=500 token=feed observe=7 "a"');
    t.expectSent('ACK EMPTY mid=500');
    t.expectReport('notification 2.05 "a"');
    t.receive('NON 2.05 token=feed observe=6 "old"');
    t.expectNoReport();
    t.receive('NON 2.05 token=feed observe=8 b2=0/1/16 bytes=0..16');
    t.expectSent('CON GET /3/0/9 b2=1/0/16');
  });

  it('[COAP-085] adopting copies the token', () => {
    const t = dialogue();
    const bytes = Buffer.from('feed', 'hex');
    t.core.adoptObservation(t.peer(), bytes, observe, t.now);
    bytes.fill(0);
    t.receive('NON 4.04 token=feed');
    const report = t.expectReport('ended 4.04');
    assert.ok(report.kind === 'ended');
    assert.equal(Buffer.from(report.token).toString('hex'), 'feed');
  });

  it('[COAP-086] observations outlive silence and a route that is gone', () => {
    const t = observing();
    t.wait(10_000_000);
    t.core.gone(t.peer(), 'gone', t.now);
    t.receive('NON 2.05 token=$o observe=11 "b"');
    t.expectReport('notification 2.05 "b"');
    assert.equal(t.core.sizes().peers, 1);
  });
});
