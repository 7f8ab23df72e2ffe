import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import { dialogue } from '../../support/coap-dialogue';

const get = { code: Code.GET, path: ['3', '0', '9'] };
const to = (path: string) => ({ code: Code.GET, path: [path] });

describe('CoAP requests of ours', () => {
  it('[COAP-050] carry what they are told, with a fresh token of 8 bytes', () => {
    const t = dialogue();
    t.request({ code: Code.POST, path: ['a', 'b'], query: ['x=1', 'y'], contentFormat: 11542, accept: 0, payload: Buffer.from('p') });
    t.expectSent('CON POST /a/b query=x=1 query=y cf=11542 accept=0 token=0000000000000001 "p"');
    t.request({ code: Code.FETCH, path: [], options: [{ number: 292, value: Buffer.from([7]) }] }, 'b');
    t.expectSent('CON FETCH opt292=07 token=0000000000000002', 'b');
    t.request({ ...get, token: Buffer.from('beef', 'hex'), confirmable: false }, 'c');
    t.expectSent('NON GET /3/0/9 token=beef', 'c');
  });

  it('[COAP-050] a token in use at this peer is drawn again', () => {
    const tokens = ['0000000000000001', '0000000000000001', '0000000000000001', '0000000000000002'];
    const t = dialogue({ params: { nstart: 2 }, bytes: () => Buffer.from(tokens.shift()!, 'hex') });
    t.request(get);
    t.request(get, 'other');
    t.request(get);
    t.expectSent('CON GET /3/0/9 token=0000000000000001');
    t.expectSent('CON GET /3/0/9 token=0000000000000001', 'other');
    t.expectSent('CON GET /3/0/9 token=0000000000000002');
  });

  it('[COAP-051] a piggybacked answer is the outcome, with the time since the request left', () => {
    const t = dialogue();
    const id = t.request(get);
    t.expectNoOutcome();
    t.expectSent('CON GET /3/0/9 mid=$m token=$t');
    t.wait(40);
    t.receive('ACK 2.05 mid=$m token=$t cf=0 etag=01 maxage=9 "80"');
    const outcome = t.expectOutcome('2.05 "80"', id);
    assert.ok(outcome.kind === 'response');
    assert.equal(outcome.rtt, 40);
    assert.equal(outcome.response.contentFormat, 0);
    assert.equal(outcome.response.observe, undefined);
    assert.deepEqual(
      outcome.response.options.map(({ number }) => number),
      [4, 12, 14],
    );
    t.receive('ACK 2.05 mid=$m token=$t cf=0 "80"');
    t.expectNoOutcome();
    t.expectSilence();
    t.expectNothingLeft();
  });

  for (const text of ['2.01', '2.02', '2.04', '4.00', '4.04', '4.15', '4.22', '5.00', '5.03', '2.30', '4.31']) {
    it(`[COAP-051] ${text} is handed up as it is`, () => {
      const t = dialogue({ params: { busyRetries: 0 } });
      t.request(get);
      t.expectSent('CON GET /3/0/9 mid=$m token=$t');
      t.receive(`ACK ${text} mid=$m token=$t "why"`);
      t.expectOutcome(`${text} "why"`);
    });
  }

  for (const [what, script] of [
    ['after the Empty acknowledgement', ['ACK EMPTY mid=$m', 'CON 2.05 mid=900 token=$t "80"']],
    ['before it', ['CON 2.05 mid=900 token=$t "80"', 'ACK EMPTY mid=$m']],
    ['without it', ['CON 2.05 mid=900 token=$t "80"']],
  ] as const) {
    it(`[COAP-052] a separate answer ${what} is acknowledged, and its duplicate again`, () => {
      const t = dialogue();
      t.request(get);
      t.expectSent('CON GET /3/0/9 mid=$m token=$t');
      for (const message of script) t.receive(message);
      t.expectSent('ACK EMPTY mid=900 token=-');
      t.expectOutcome('2.05 "80"');
      t.receive('CON 2.05 mid=900 token=$t "80"');
      t.expectSent('ACK EMPTY mid=900 token=-');
      t.wait(60_000);
      t.expectSilence();
      t.expectNoOutcome();
      t.expectNothingLeft();
    });
  }

  it('[COAP-052] a Non-confirmable separate answer is not acknowledged, and its duplicate ignored', () => {
    const t = dialogue();
    t.request(get);
    t.expectSent('CON GET /3/0/9 mid=$m token=$t');
    t.receive('NON 2.05 mid=900 token=$t "80"');
    t.expectOutcome('2.05 "80"');
    t.receive('NON 2.05 mid=900 token=$t "80"');
    t.expectSilence();
    t.expectNoOutcome();
  });

  it('[COAP-053] an answer with a token nobody waits for gets a Reset, also a Non-confirmable one', () => {
    const t = dialogue();
    t.receive('CON 2.05 mid=900 token=0badcafe "80"');
    t.expectSent('RST EMPTY mid=900');
    t.receive('NON 2.05 mid=901 token=0badcafe "80"');
    t.expectSent('RST EMPTY mid=901');
    t.receive('CON 2.05 mid=900 token=0badcafe "80"');
    t.expectSent('RST EMPTY mid=900');
    assert.equal(t.core.sizes().peers, 0);
  });

  it('[COAP-054] an answer with an unknown critical option is a protocol error, and a separate one is rejected', () => {
    const t = dialogue();
    t.request(get);
    t.expectSent('CON GET /3/0/9 mid=$m token=$t');
    t.receive('ACK 2.05 mid=$m token=$t opt9=01 "80"');
    t.expectOutcome('protocol');
    t.expectSilence();
    t.forgetNames();
    t.request(get);
    t.expectSent('CON GET /3/0/9 mid=$m token=$t');
    t.receive('CON 2.05 mid=900 token=$t opt9=01 "80"');
    t.expectSent('RST EMPTY mid=900');
    t.expectOutcome('protocol');
    t.wait(60_000);
    t.expectSilence();
  });

  describe('one at a time', () => {
    it('[COAP-055] to one peer, in order; other peers are not held up', () => {
      const t = dialogue();
      const ids = ['a', 'b', 'c'].map((path) => t.request(to(path)));
      t.request(to('x'), 'other');
      t.expectSent('CON GET /a mid=$a token=$ta');
      t.expectSent('CON GET /x', 'other');
      t.expectSilence();
      t.receive('ACK 2.05 mid=$a token=$ta "1"');
      t.expectSent('CON GET /b mid=$b token=$tb');
      t.expectSilence();
      t.receive('RST EMPTY mid=$b');
      t.expectSent('CON GET /c mid=$c token=$tc');
      t.receive('NON 2.05 mid=5 token=$tc "3"');
      t.expectOutcome('2.05 "1"', ids[0]);
      t.expectOutcome('reset', ids[1]);
      t.expectOutcome('2.05 "3"', ids[2]);
    });

    it('[COAP-055] the next one leaves after the outcome of the one before', () => {
      const t = dialogue();
      t.onOutcome = () => t.expectSilence();
      t.request(to('a'));
      t.request(to('b'));
      t.expectSent('CON GET /a mid=$a token=$ta');
      t.receive('ACK 2.05 mid=$a token=$ta');
      t.expectSent('CON GET /b');
    });

    it('[COAP-055] and when the one before is given up', () => {
      const t = dialogue();
      t.request(to('a'));
      t.request(to('b'));
      t.expectSent('CON GET /a');
      t.wait(62_000);
      t.expectOutcome('no-ack');
      t.sent.splice(0, 4);
      t.expectSent('CON GET /b');
    });

    it('[COAP-056] an Empty acknowledgement makes room for the next', () => {
      const t = dialogue();
      t.request(to('slow'));
      t.request(to('b'));
      t.expectSent('CON GET /slow mid=$a token=$ta');
      t.receive('ACK EMPTY mid=$a');
      t.expectSent('CON GET /b mid=$b token=$tb');
      t.receive('ACK 2.05 mid=$b token=$tb "second"');
      t.expectOutcome('2.05 "second"');
      t.receive('CON 2.05 mid=9 token=$ta "first"');
      t.expectSent('ACK EMPTY mid=9');
      t.expectOutcome('2.05 "first"');
    });

    it('[COAP-056] blocks that follow a separate answer wait for their turn as well', () => {
      const t = dialogue();
      t.request(to('big'));
      t.request(to('b'));
      t.expectSent('CON GET /big mid=$a token=$ta');
      t.receive('ACK EMPTY mid=$a');
      t.expectSent('CON GET /b mid=$b token=$tb');
      t.receive('NON 2.05 mid=8 token=$ta b2=0/1/16 bytes=0..16');
      t.expectSilence();
      t.receive('ACK 2.05 mid=$b token=$tb');
      t.expectOutcome('2.05');
      t.expectSent('CON GET /big mid=$c token=$tc b2=1/0/16');
      t.receive('ACK 2.05 mid=$c token=$tc b2=1/0/16 bytes=16..20');
      t.expectOutcome('2.05 bytes=0..20');
      t.expectNothingLeft();
    });

    it('[COAP-056] an upload that goes on after a separate 2.31 waits as well, and ends once', () => {
      const t = dialogue({ params: { blockSize: 16 } });
      const upload = t.request({ code: Code.PUT, path: ['big'], payload: Buffer.alloc(20) });
      const other = t.request(to('b'));
      const zeros = '00'.repeat(16);
      t.expectSent(`CON PUT /big mid=$a token=$ta b1=0/1/16 size1=20 hex=${zeros}`);
      t.receive('ACK EMPTY mid=$a');
      t.expectSent('CON GET /b mid=$b token=$tb');
      t.receive('NON 2.31 mid=8 token=$ta b1=0/1/16');
      t.expectSilence();
      t.receive('ACK 2.05 mid=$b token=$tb');
      t.expectOutcome('2.05', other);
      t.expectSent('CON PUT /big mid=$c token=$ta b1=1/0/16 hex=00000000');
      t.core.gone(t.peer(), 'gone', t.now);
      t.expectOutcome('unreachable', upload);
      t.expectNoOutcome();
    });

    it('[COAP-057] NSTART may be more', () => {
      const t = dialogue({ params: { nstart: 2 } });
      for (const path of ['a', 'b', 'c']) t.request(to(path));
      t.expectSent('CON GET /a');
      t.expectSent('CON GET /b mid=$b');
      t.expectSilence();
      t.receive('RST EMPTY mid=$b');
      t.expectSent('CON GET /c');
    });

    it('[COAP-057] requests with one token do not overlap, others pass', () => {
      const t = dialogue({ params: { nstart: 2 } });
      const token = Buffer.from('aa', 'hex');
      t.request({ ...to('a'), token });
      t.request({ ...to('b'), token });
      t.request(to('c'));
      t.expectSent('CON GET /a mid=$a token=aa');
      t.expectSent('CON GET /c');
      t.expectSilence();
      t.receive('ACK 2.05 mid=$a token=aa');
      t.expectSent('CON GET /b token=aa');
    });
  });

  describe('ends that are no answers', () => {
    it('[COAP-060] no-response: acknowledged, then silence until the time is over', () => {
      const t = dialogue();
      t.request({ ...get, timeout: 30_000 });
      t.expectSent('CON GET /3/0/9 mid=$m');
      t.receive('ACK EMPTY mid=$m');
      t.wait(29_999);
      t.expectNoOutcome();
      t.wait(1);
      t.expectOutcome('no-response');
      t.expectNothingLeft();
    });

    it('[COAP-060] no-ack: the time of the request ends before its retransmissions do', () => {
      const t = dialogue();
      t.request({ ...get, timeout: 5_000 });
      t.wait(5_000);
      t.expectOutcome('no-ack');
      t.sent.length = 0;
      t.wait(100_000);
      t.expectSilence();
    });

    it('[COAP-060] no-ack: still waiting for its turn; the time counts from the call', () => {
      const t = dialogue();
      t.request(to('a'));
      const second = t.request({ ...to('b'), timeout: 1_000 });
      t.expectSent('CON GET /a');
      t.wait(1_000);
      t.expectOutcome('no-ack', second);
      t.expectSilence();
    });

    it('[COAP-060] no-response: a Non-confirmable request that is never answered', () => {
      const t = dialogue();
      t.request({ ...get, confirmable: false });
      t.expectSent('NON GET /3/0/9');
      t.wait(119_999);
      t.expectNoOutcome();
      t.expectSilence();
      t.wait(1);
      t.expectOutcome('no-response');
    });

    it('[COAP-060] reset, also after the Empty acknowledgement no more', () => {
      const t = dialogue();
      t.request(get);
      t.expectSent('CON GET /3/0/9 mid=$m token=$t');
      t.receive('RST EMPTY mid=$m');
      t.expectOutcome('reset');
      t.receive('ACK 2.05 mid=$m token=$t "late"');
      t.expectNoOutcome();
      t.expectSilence();
      t.expectNothingLeft();
    });

    it('[COAP-060] cancelled: under way and waiting ones, each once', () => {
      const t = dialogue();
      const [a, b] = [t.request(to('a')), t.request(to('b'))];
      t.expectSent('CON GET /a');
      t.core.cancel(b, t.now);
      t.expectOutcome('cancelled', b);
      t.core.cancel(a, t.now);
      t.expectOutcome('cancelled', a);
      t.core.cancel(a, t.now);
      t.core.cancel(999, t.now);
      t.expectNoOutcome();
      t.expectSilence();
      t.expectNothingLeft();
    });

    it('[COAP-060] busy: too many wait for one peer, told later, and nothing is sent', () => {
      const t = dialogue({ params: { maxQueue: 2 } });
      for (let index = 0; index < 3; index++) t.request(to('a'));
      t.expectSent('CON GET /a');
      const id = t.request(to('b'));
      t.expectNoOutcome();
      t.wait(0);
      t.expectOutcome('busy', id);
      t.expectSilence();
    });

    it('[COAP-060] busy: no room for another peer', () => {
      const t = dialogue({ params: { maxPeers: 1 } });
      t.request(to('a'));
      const id = t.request(to('b'), 'other');
      t.wait(0);
      t.expectOutcome('busy', id);
      t.expectSent('CON GET /a');
      t.expectSilence();
    });

    it('[COAP-061] unreachable: whatever belongs to a route that is gone, and nothing leaves any more', () => {
      const t = dialogue();
      const ids = ['a', 'b', 'c'].map((path) => t.request(to(path)));
      t.request(to('x'), 'other');
      t.sent.length = 0;
      t.core.gone(t.peer(), 'no such port', t.now);
      for (const id of ids) {
        const outcome = t.expectOutcome('unreachable', id);
        assert.ok(outcome.kind === 'failed');
        assert.equal(outcome.detail, 'no such port');
      }
      t.expectSilence();
      t.expectNoOutcome();
      t.core.gone(t.peer('nobody'), 'x', t.now);
      t.wait(1_000);
      t.expectSilence();
      assert.equal(t.core.sizes().exchanges, 1);
    });

    it('[COAP-062] closed: every request, those that are refused anyway too, and nothing leaves any more', () => {
      const t = dialogue({ params: { maxQueue: 1, maxPeers: 2 } });
      const ids = ['a', 'b', 'c'].map((path) => t.request(to(path)));
      ids.push(t.request(to('x'), 'other'), t.request(to('y'), 'third'));
      t.sent.length = 0;
      t.core.close(t.now);
      for (const id of ids) {
        const index = t.outcomes.findIndex((entry) => entry.id === id);
        assert.ok(index >= 0, `request ${id} ended`);
        const [{ outcome }] = t.outcomes.splice(index, 1) as [(typeof t.outcomes)[number]];
        assert.ok(outcome.kind === 'failed' && outcome.reason === 'closed');
      }
      t.expectNoOutcome();
      t.expectSilence();
      t.expectNothingLeft();
      t.expectSilence();
    });

    it('[COAP-063] each request ends once, also when callbacks cancel others or ask anew', () => {
      const t = dialogue();
      const ids = ['a', 'b', 'c'].map((path) => t.request(to(path)));
      t.sent.length = 0;
      let again = 0;
      t.onOutcome = (id) => {
        for (const other of ids) if (other !== id) t.core.cancel(other, t.now);
        if (again++ === 0) t.request(to('again'));
      };
      t.core.gone(t.peer(), 'gone', t.now);
      assert.deepEqual(t.outcomes.map(({ id }) => id).sort(), ids);
      assert.deepEqual(
        t.outcomes.map(({ outcome }) => outcome.kind === 'failed' && outcome.reason),
        ['unreachable', 'cancelled', 'cancelled'],
      );
      t.expectSent('CON GET /again');
    });
  });
});
