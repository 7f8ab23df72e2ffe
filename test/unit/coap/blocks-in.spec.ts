import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import type { IncomingRequest, ResponseSpec } from '../../../lib/coap/types';
import { body, dialogue, type Dialogue } from '../../support/coap-dialogue';
import { plainOnly } from '../../support/scheme';

const changed = { code: Code.CHANGED };

function expectBody(request: IncomingRequest, expected: Buffer): void {
  assert.equal(Buffer.from(request.payload).toString('hex'), expected.toString('hex'));
}

const strangers = plainOnly('over DTLS nobody is a stranger: who has no key has no session');

describe('CoAP bodies in blocks, sent to us', () => {
  it('[COAP-090] is put together, whatever the tokens; the handler runs once with the whole', () => {
    const t = dialogue();
    t.receive('CON POST /rd query=ep=x cf=40 mid=1 token=01 b1=0/1/64 size1=150 bytes=0..64');
    t.expectSent('ACK 2.31 mid=1 token=01 b1=0/1/64');
    t.receive('CON POST /rd query=ep=x cf=40 mid=2 token=02 b1=1/1/64 bytes=64..128');
    t.expectSent('ACK 2.31 mid=2 token=02 b1=1/1/64');
    t.expectNoRequest();
    assert.equal(t.core.sizes().bodyBytes, 128);
    t.receive('CON POST /rd query=ep=x cf=40 mid=3 token=03 b1=2/0/64 bytes=128..150');
    const request = t.expectRequest();
    expectBody(request, body(150));
    assert.deepEqual([request.path, request.query, request.contentFormat], [['rd'], ['ep=x'], 40]);
    assert.equal(t.core.sizes().bodyBytes, 0);
    t.respond(request, { code: Code.CREATED });
    t.expectSent('ACK 2.01 mid=3 token=03 b1=2/0/64');
    t.expectNothingLeft();
  });

  it('[COAP-090] without a token, Non-confirmable, and with a slow handler', () => {
    const t = dialogue();
    t.receive('NON POST /dp b1=0/1/16 bytes=0..16');
    t.expectSent('NON 2.31 token=- b1=0/1/16');
    t.receive('CON POST /dp mid=2 b1=1/0/16 bytes=16..20');
    t.wait(500);
    t.expectSent('ACK EMPTY mid=2');
    const request = t.expectRequest();
    expectBody(request, body(20));
    t.respond(request, changed);
    t.expectSent('CON 2.04 token=- b1=1/0/16');
  });

  it('[COAP-090] a body that fits one block is handed up at once', () => {
    const t = dialogue();
    t.receive('CON PUT /a token=01 b1=0/0/64 "small"');
    const request = t.expectRequest();
    expectBody(request, Buffer.from('small'));
    t.respond(request, changed);
    t.expectSent('ACK 2.04 token=01 b1=0/0/64');
  });

  it('[COAP-091] repeated blocks are answered the same and counted once', () => {
    const t = dialogue();
    const [one, two] = [
      t.encode('CON POST /a mid=1 token=01 b1=0/1/16 bytes=0..16'),
      t.encode('CON POST /a mid=2 token=02 b1=1/0/16 bytes=16..20'),
    ];
    for (let times = 0; times < 2; times++) {
      t.receiveBytes(one);
      t.expectSent('ACK 2.31 mid=1 token=01 b1=0/1/16');
    }
    t.receiveBytes(two);
    const request = t.expectRequest();
    expectBody(request, body(20));
    t.respond(request, changed);
    for (let times = 0; times < 2; times++) {
      t.expectSent('ACK 2.04 mid=2 token=02 b1=1/0/16');
      t.receiveBytes(two);
    }
    t.expectNoRequest();
  });

  it('[COAP-092] bodies of two peers, two URIs, two methods and two Request-Tags do not mix', () => {
    const t = dialogue({ params: { maxTransfers: 10 } });
    const kinds: readonly (readonly [string, string])[] = [
      ['POST /a', 'one'],
      ['POST /a', 'two'],
      ['PUT /a', 'one'],
      ['POST /b', 'one'],
      ['POST /a/b', 'one'],
      ['POST /a query=x', 'one'],
      ['POST /a opt292=01', 'one'],
      ['POST /a opt292=02', 'one'],
    ];
    kinds.forEach(([kind, from], index) => t.receive(`CON ${kind} b1=0/1/16 bytes=${index}..${index + 16}`, from));
    kinds.forEach(([kind, from], index) => t.receive(`CON ${kind} b1=1/0/16 bytes=${index + 16}..${index + 20}`, from));
    assert.equal(t.requests.length, kinds.length);
    t.requests.forEach((request, index) => {
      expectBody(request, body(index + 20).subarray(index));
      assert.equal(request.peer.address, kinds[index]![1]);
    });
  });

  it('[COAP-092] neither do paths that look alike', () => {
    const t = dialogue();
    t.receive('CON POST /a|11:b b1=0/1/16 bytes=0..16');
    t.receive('CON POST /a/b b1=1/0/16 bytes=16..20 token=01');
    t.expectSent('ACK 2.31 b1=0/1/16');
    t.expectSent('ACK 4.08 token=01');
    t.expectNoRequest();
  });

  it('[COAP-093] a missing block is answered 4.08, and number 0 starts anew', () => {
    const t = dialogue();
    t.receive('CON POST /a token=01 b1=1/1/16 bytes=16..32');
    t.expectSent('ACK 4.08 token=01');
    t.receive('CON POST /a b1=0/1/16 bytes=0..16');
    t.expectSent('ACK 2.31 b1=0/1/16');
    t.receive('CON POST /a b1=2/0/16 bytes=32..40');
    t.expectSent('ACK 4.08');
    t.receive('CON POST /a b1=0/1/16 bytes=100..116');
    t.expectSent('ACK 2.31 b1=0/1/16');
    assert.equal(t.core.sizes().bodyBytes, 16);
    t.receive('CON POST /a b1=1/0/16 bytes=116..120');
    expectBody(t.expectRequest(), body(120).subarray(100));
  });

  it('[COAP-093] a gap does not lose what has come', () => {
    const t = dialogue();
    t.receive('CON POST /a b1=0/1/16 bytes=0..16');
    t.receive('CON POST /a b1=2/0/16 bytes=32..40');
    t.receive('CON POST /a b1=1/0/16 bytes=16..20');
    expectBody(t.expectRequest(), body(20));
  });

  it('[COAP-094] over the largest body: 4.13 with Size1, the same when repeated, and nothing is kept', () => {
    const t = dialogue({ params: { maxBody: 40 } });
    t.receive('CON POST /a b1=0/1/16 bytes=0..16');
    t.receive('CON POST /a b1=1/1/16 bytes=16..32');
    t.expectSent('ACK 2.31 b1=0/1/16');
    t.expectSent('ACK 2.31 b1=1/1/16');
    for (let times = 0; times < 2; times++) {
      t.receive('CON POST /a mid=99 b1=2/1/16 bytes=32..48');
      t.expectSent('ACK 4.13 mid=99 size1=40');
    }
    assert.equal(t.core.sizes().bodyBytes, 0);
    t.expectNoRequest();
    t.expectNothingLeft();
  });

  it('[COAP-088] a size announced above the largest body is refused at once, and one below counts for nothing', () => {
    const t = dialogue({ params: { maxBody: 40 } });
    t.receive('CON POST /a b1=0/1/16 size1=41 bytes=0..16');
    t.expectSent('ACK 4.13 size1=40');
    assert.equal(t.core.sizes().bodyBytes, 0);
    t.receive('CON POST /a b1=0/1/16 size1=40 bytes=0..16');
    t.expectSent('ACK 2.31 b1=0/1/16');
    t.receive('CON POST /a b1=1/0/16 size1=41 bytes=16..20');
    expectBody(t.expectRequest(), body(20));
  });

  it('[COAP-089] its options are those of block 0, whatever later blocks say or leave out', () => {
    const t = dialogue();
    t.receive('CON POST /a cf=11543 accept=110 opt258=02 b1=0/1/16 bytes=0..16');
    t.receive('CON POST /a cf=0 opt258=08 b1=1/1/16 bytes=16..32');
    t.receive('CON POST /a mid=5 b1=2/0/16 bytes=32..40');
    const request = t.expectRequest();
    expectBody(request, body(40));
    assert.deepEqual([request.contentFormat, request.accept], [11_543, 110]);
    t.sent.length = 0;
    t.respond(request, { code: Code.CHANGED });
    t.expectSent('ACK 2.04 mid=5 b1=2/0/16');
  });

  it('[COAP-089] nothing of the datagram of block 0 is held, and large options count', () => {
    const t = dialogue({ params: { maxBodies: 700 } });
    const first = t.encode('CON POST /a cf=50 b1=0/1/16 bytes=0..16');
    t.receiveBytes(first);
    first.fill(0xff);
    t.receive('CON POST /a b1=1/0/16 bytes=16..20');
    const request = t.expectRequest();
    assert.equal(request.contentFormat, 50);
    t.respond(request, { code: Code.CHANGED });
    t.sent.length = 0;
    const long = 'x'.repeat(250);
    t.receive(`CON POST /a query=${long}&${long}&${long} b1=0/1/16 bytes=0..16`);
    t.expectSent('ACK 4.13 size1=1048576');
    t.expectNothingLeft();
  });

  it('[COAP-094] exactly the largest body is taken', () => {
    const t = dialogue({ params: { maxBody: 32 } });
    t.receive('CON POST /a b1=0/1/16 bytes=0..16');
    t.receive('CON POST /a b1=1/0/16 bytes=16..32');
    expectBody(t.expectRequest(), body(32));
  });

  it('[COAP-095] over the limit of all bodies together: 4.13, other peers included', () => {
    const t = dialogue({ params: { maxBodies: 48 + 2 * 256 } }); // a held block costs 256 bytes more
    for (const name of ['one', 'two']) {
      t.receive('CON GET /a', name);
      t.core.respond(t.expectRequest().id, { code: Code.CONTENT }, t.now);
      t.expectSent('ACK 2.05', name);
      t.core.setStanding(t.peer(name), 'registered');
    }
    t.receive('CON POST /a b1=0/1/32 bytes=0..32', 'one');
    t.expectSent('ACK 2.31 b1=0/1/32', 'one');
    t.receive('CON POST /a b1=0/1/32 bytes=0..32', 'two');
    t.expectSent('ACK 4.13 size1=1048576', 'two');
    t.receive('CON POST /a b1=0/1/16 bytes=0..16', 'two');
    t.expectSent('ACK 2.31 b1=0/1/16', 'two');
    assert.equal(t.core.sizes().bodyBytes, 48);
    t.receive('CON POST /a b1=1/0/32 "end"', 'one');
    t.expectSent('ACK 4.13 size1=1048576', 'one');
    t.receive('CON POST /a b1=1/0/16 "end"', 'two');
    t.expectRequest();
    assert.equal(t.core.sizes().bodyBytes, 0);
  });

  strangers('[COAP-150] strangers share a quarter of the room: their oldest unfinished bodies make way, and keep nobody out', () => {
    const t = dialogue({ params: { maxBodies: 4 * 3 * (16 + 256) } });
    t.receive('CON GET /a', 'known');
    t.core.respond(t.expectRequest().id, { code: Code.CONTENT }, t.now);
    t.expectSent('ACK 2.05', 'known');
    t.core.setStanding(t.peer('known'), 'registered');
    t.receive('CON POST /a b1=0/1/16 bytes=0..16', 'known');
    t.expectSent('ACK 2.31 b1=0/1/16', 'known');
    for (let stranger = 1; stranger <= 20; stranger++) {
      t.receive('CON POST /a b1=0/1/16 bytes=0..16', `stranger ${stranger}`);
      t.expectSent('ACK 2.31 b1=0/1/16', `stranger ${stranger}`);
    }
    assert.equal(t.core.sizes().bodyBytes, 4 * 16, 'the last three strangers, and the known one');
    t.receive('CON POST /a b1=1/0/16 "x"', 'stranger 1');
    t.expectSent('ACK 4.08', 'stranger 1');
    for (const name of ['known', 'stranger 20']) {
      t.receive('CON POST /a b1=1/0/16 bytes=16..20', name);
      expectBody(t.expectRequest(), body(20));
    }
  });

  strangers(
    '[COAP-175] a flood of first blocks from 4000 strangers does not end the upload of a registered device; a stranger can go on when it is over',
    () => {
      const t = dialogue({ params: { maxBodies: 262_144, addressRate: 0, sourceRate: 0 } });
      t.receive('CON GET /a token=a1', 'known');
      t.respond(t.expectRequest(), { code: Code.CONTENT });
      t.core.setStanding(t.peer('known'), 'registered');
      t.sent.length = 0;
      const blocks = 200;
      for (let num = 0; num < blocks; num += 1) {
        const more = num < blocks - 1 ? 1 : 0;
        for (const name of ['known', 'honest']) {
          t.receive(`CON PUT /fw token=a1 b1=${num}/${more}/64 bytes=${num * 64}..${(num + 1) * 64}`, name);
        }
        for (let index = 0; index < 20; index += 1) t.receive('CON PUT /fw token=a1 b1=0/1/64 bytes=0..64', `flood ${num} ${index}`);
        assert.ok(t.core.sizes().bodyBytes <= 262_144);
        // What shares the room with the flood, a quarter of it, may be pushed out; it begins anew when the flood is over.
        t.sent.length = 0;
      }
      assert.equal(t.requests.filter(({ peer, payload }) => peer === t.peer('known') && payload.length === blocks * 64).length, 1);
      for (let num = 0; num < blocks; num += 1) {
        t.receive(`CON PUT /fw token=a1 b1=${num}/${num < blocks - 1 ? 1 : 0}/64 bytes=${num * 64}..${(num + 1) * 64}`, 'honest');
      }
      assert.ok(t.requests.some(({ peer, payload }) => peer === t.peer('honest') && payload.length === blocks * 64));
      t.wait(247_000);
      assert.equal(t.core.sizes().bodyBytes, 0);
    },
  );

  it('[COAP-096] the reserved block size is 4.00', () => {
    const t = dialogue();
    t.receive('CON POST /a token=01 b1=0/1/2048 bytes=0..16');
    t.expectSent('ACK 4.00 token=01');
    t.receive('CON GET /a token=02 b2=0/0/2048');
    t.expectSent('ACK 4.00 token=02');
    t.receive('NON GET /a token=03 b2=0/0/2048');
    t.expectSent('NON 4.00 token=03');
    t.expectNoRequest();
  });

  for (const [what, block] of [
    ['shorter than its size', 'b1=1/1/16 bytes=16..31'],
    ['longer than its size', 'b1=1/1/16 bytes=16..33'],
    ['longer than its size, as the last', 'b1=1/0/16 bytes=16..33'],
  ] as const) {
    it(`[COAP-096] a block ${what} is 4.00, the same when repeated, and the body is dropped`, () => {
      const t = dialogue();
      t.receive('CON POST /a b1=0/1/16 bytes=0..16');
      t.expectSent('ACK 2.31 b1=0/1/16');
      for (let times = 0; times < 2; times++) {
        t.receive(`CON POST /a mid=99 ${block}`);
        t.expectSent('ACK 4.00 mid=99');
      }
      assert.equal(t.core.sizes().bodyBytes, 0);
      t.receive('CON POST /a b1=1/0/16 bytes=16..20');
      t.expectSent('ACK 4.08');
      t.expectNoRequest();
    });
  }

  it('[COAP-097] an unfinished body is dropped 247 s after its last block', () => {
    const t = dialogue();
    t.receive('CON POST /a b1=0/1/16 bytes=0..16');
    t.wait(246_999);
    t.receive('CON POST /a b1=1/1/16 bytes=16..32');
    t.wait(246_999);
    assert.equal(t.core.sizes().bodyBytes, 32);
    t.wait(1);
    assert.equal(t.core.sizes().bodyBytes, 0);
    t.sent.length = 0;
    t.receive('CON POST /a b1=2/0/16 bytes=32..40');
    t.expectSent('ACK 4.08');
    t.expectNothingLeft();
  });

  it('[COAP-097] of one peer, the oldest of more than four unfinished ones is dropped', () => {
    const t = dialogue();
    for (const name of ['a', 'b', 'c', 'd', 'e']) t.receive(`CON POST /${name} b1=0/1/16 bytes=0..16`);
    assert.equal(t.core.sizes().bodyBytes, 64);
    t.sent.length = 0;
    t.receive('CON POST /a b1=1/0/16 "x"');
    t.expectSent('ACK 4.08');
    for (const name of ['b', 'c', 'd', 'e']) t.receive(`CON POST /${name} b1=1/0/16 "x"`);
    assert.equal(t.requests.length, 4);
  });

  it('[COAP-097] and when its peer is gone', () => {
    const t = dialogue();
    t.receive('CON POST /a b1=0/1/16 bytes=0..16');
    t.core.gone(t.peer(), 'gone', t.now);
    assert.equal(t.core.sizes().bodyBytes, 0);
    t.expectNothingLeft();
  });

  it('[COAP-098] we may ask for smaller blocks; the numbers go on by bytes', () => {
    const t = dialogue({ params: { blockSize: 16 } });
    t.receive('CON POST /a b1=0/1/64 bytes=0..64');
    t.expectSent('ACK 2.31 b1=0/1/16');
    t.receive('CON POST /a b1=4/1/16 bytes=64..80');
    t.expectSent('ACK 2.31 b1=4/1/16');
    t.receive('CON POST /a b1=5/0/16 bytes=80..90');
    expectBody(t.expectRequest(), body(90));
  });

  it('[COAP-090] FETCH and iPATCH bodies as well', () => {
    for (const method of ['FETCH', 'iPATCH', 'PATCH']) {
      const t = dialogue();
      t.receive(`CON ${method} / cf=110 b1=0/1/16 bytes=0..16`);
      t.expectSent('ACK 2.31 b1=0/1/16');
      t.receive(`CON ${method} / cf=110 b1=1/0/16 bytes=16..20`);
      expectBody(t.expectRequest(), body(20));
    }
  });
});

describe('CoAP bodies in blocks, fetched from us', () => {
  const serve =
    (length: number, spec: Partial<ResponseSpec> = {}) =>
    (request: IncomingRequest, t: Dialogue): void =>
      t.respond(request, { code: Code.CONTENT, contentFormat: 42, payload: body(length), ...spec });

  it('[COAP-100] are sliced; each block may come under another token; the last one frees it', () => {
    const t = dialogue({ onRequest: serve(40, { options: [{ number: 4, value: Buffer.from([9]) }] }) });
    t.receive('CON GET /big mid=1 token=01 b2=0/0/16');
    t.expectSent('ACK 2.05 mid=1 token=01 cf=42 etag=09 b2=0/1/16 size2=40 bytes=0..16');
    assert.equal(t.core.sizes().bodyBytes, 40);
    t.receive('CON GET /big mid=2 token=02 b2=1/0/16');
    t.expectSent('ACK 2.05 mid=2 token=02 cf=42 etag=09 b2=1/1/16 bytes=16..32');
    t.receive('NON GET /big token=03 b2=2/0/16');
    t.expectSent('NON 2.05 token=03 cf=42 etag=09 b2=2/0/16 bytes=32..40');
    assert.equal(t.requests.length, 1);
    assert.equal(t.core.sizes().bodyBytes, 0);
    t.expectNothingLeft();
  });

  it('[COAP-100] the size is ours when the peer does not ask, or asks for more', () => {
    const t = dialogue({ onRequest: serve(40), params: { blockSize: 32 } });
    t.receive('CON GET /big');
    t.expectSent('ACK 2.05 cf=42 b2=0/1/32 size2=40 bytes=0..32');
    t.receive('CON GET /other b2=0/0/1024');
    t.expectSent('ACK 2.05 cf=42 b2=0/1/32 size2=40 bytes=0..32');
    t.receive('CON GET /big b2=1/0/32');
    t.expectSent('ACK 2.05 cf=42 b2=1/0/32 bytes=32..40');
  });

  it('[COAP-100] the peer may go on with smaller blocks', () => {
    const t = dialogue({ onRequest: serve(40) });
    t.receive('CON GET /big b2=0/0/32');
    t.expectSent('ACK 2.05 cf=42 b2=0/1/32 size2=40 bytes=0..32');
    t.receive('CON GET /big b2=2/0/16');
    t.expectSent('ACK 2.05 cf=42 b2=2/0/16 bytes=32..40');
  });

  it('[COAP-100] what fits is not sliced', () => {
    const t = dialogue({ onRequest: serve(16) });
    t.receive('CON GET /small b2=0/0/16');
    t.expectSent('ACK 2.05 cf=42 bytes=0..16');
    assert.equal(t.core.sizes().bodyBytes, 0);
  });

  it('[COAP-100] a repeated request gets the same block again, also the last', () => {
    const t = dialogue({ onRequest: serve(20) });
    t.receive('CON GET /big b2=0/0/16');
    t.sent.length = 0;
    for (let times = 0; times < 2; times++) {
      t.receive('CON GET /big mid=9 b2=1/0/16');
      t.expectSent('ACK 2.05 mid=9 cf=42 b2=1/0/16 bytes=16..20');
    }
  });

  it('[COAP-100] a new request for the first block runs the handler again', () => {
    let length = 20;
    const t = dialogue({ onRequest: (request) => serve(length++)(request, t) });
    t.receive('CON GET /big b2=0/0/16');
    t.receive('CON GET /big b2=0/0/16');
    t.sent.length = 0;
    assert.equal(t.core.sizes().bodyBytes, 21);
    t.receive('CON GET /big b2=1/0/16');
    t.expectSent('ACK 2.05 cf=42 b2=1/0/16 bytes=16..21');
  });

  it('[COAP-100] after a late acknowledgement, and after an upload in blocks', () => {
    const t = dialogue();
    t.receive('CON FETCH /big b1=0/1/16 bytes=0..16');
    t.expectSent('ACK 2.31 b1=0/1/16');
    t.receive('CON FETCH /big token=07 b1=1/0/16 b2=0/0/16 bytes=16..20');
    t.wait(500);
    t.expectSent('ACK EMPTY');
    t.respond(t.expectRequest(), { code: Code.CONTENT, payload: body(20) });
    t.expectSent('CON 2.05 mid=$m token=07 b1=1/0/16 b2=0/1/16 size2=20 bytes=0..16');
    t.receive('ACK EMPTY mid=$m');
    t.receive('CON FETCH /big b2=1/0/16');
    t.expectSent('ACK 2.05 b2=1/0/16 bytes=16..20');
    t.expectNothingLeft();
  });

  it('[COAP-099] a block of nothing is 4.08, one beyond the end 4.00', () => {
    const t = dialogue({ onRequest: serve(20) });
    t.receive('CON GET /big b2=1/0/16');
    t.expectSent('ACK 4.08');
    t.receive('CON GET /big b2=0/0/16');
    t.sent.length = 0;
    t.receive('CON GET /big b2=2/0/16');
    t.expectSent('ACK 4.00');
    t.receive('CON GET /big b2=1/0/16', 'other');
    t.expectSent('ACK 4.08', 'other');
    t.receive('CON GET /other b2=1/0/16');
    t.expectSent('ACK 4.08');
    t.receive('CON GET /big b2=1/0/16');
    t.expectSent('ACK 2.05 cf=42 b2=1/0/16 bytes=16..20');
  });

  it('[COAP-099] what is not fetched is dropped after 247 s; of one peer, the oldest of more than four', () => {
    const t = dialogue({ onRequest: serve(20) });
    for (const name of ['a', 'b', 'c', 'd', 'e']) t.receive(`CON GET /${name} b2=0/0/16`);
    assert.equal(t.core.sizes().bodyBytes, 80);
    t.sent.length = 0;
    t.receive('CON GET /a b2=1/0/16');
    t.expectSent('ACK 4.08');
    t.wait(247_000);
    assert.equal(t.core.sizes().bodyBytes, 0);
    t.receive('CON GET /b b2=1/0/16');
    t.expectSent('ACK 4.08');
    t.expectNothingLeft();
  });

  it('[COAP-099] the time counts from the last block that was fetched', () => {
    const t = dialogue({ onRequest: serve(48) });
    t.receive('CON GET /a b2=0/0/16');
    t.wait(246_999);
    t.receive('CON GET /a b2=1/0/16');
    t.wait(246_999);
    assert.equal(t.core.sizes().bodyBytes, 48);
    t.wait(1);
    assert.equal(t.core.sizes().bodyBytes, 0);
  });
});
