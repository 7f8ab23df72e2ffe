import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import type { RequestSpec } from '../../../lib/coap/types';
import { body, dialogue, type Dialogue } from '../../support/coap-dialogue';

const small = { params: { blockSize: 16 } };
const put = (length: number, spec: Partial<RequestSpec> = {}): RequestSpec => ({
  code: Code.PUT,
  path: ['fw'],
  contentFormat: 42,
  payload: body(length),
  ...spec,
});
const get = { code: Code.GET, path: ['big'] };

/** Says what the next message is, answers it, and lets the names be used again. */
function exchange(t: Dialogue, expected: string, answer: string): void {
  t.expectSent(`CON ${expected} mid=$m token=$t`);
  t.receive(`ACK ${answer} mid=$m token=$t`);
  t.forgetNames();
}

describe('CoAP bodies in blocks, sent by us', () => {
  it('[COAP-111] go out one after the other under one token, the size with the first', () => {
    const t = dialogue(small);
    const id = t.request(put(40));
    t.expectSent('CON PUT /fw cf=42 b1=0/1/16 size1=40 mid=$a token=$t bytes=0..16');
    t.receive('ACK 2.31 mid=$a token=$t b1=0/1/16');
    t.expectSent('CON PUT /fw cf=42 b1=1/1/16 mid=$b token=$t bytes=16..32');
    t.receive('ACK 2.31 mid=$b token=$t b1=1/1/16');
    t.expectSent('CON PUT /fw cf=42 b1=2/0/16 mid=$c token=$t bytes=32..40');
    t.expectNoOutcome();
    t.receive('ACK 2.04 mid=$c token=$t b1=2/0/16');
    t.expectOutcome('2.04', id);
    t.expectSilence();
    t.expectNothingLeft();
  });

  it('[COAP-111] a body of exactly one block goes in one message', () => {
    const t = dialogue(small);
    t.request(put(16));
    t.expectSent('CON PUT /fw cf=42 bytes=0..16');
  });

  it('[COAP-111] a last block may be full', () => {
    const t = dialogue(small);
    t.request(put(32));
    exchange(t, 'PUT /fw cf=42 b1=0/1/16 size1=32 bytes=0..16', '2.31 b1=0/1/16');
    exchange(t, 'PUT /fw cf=42 b1=1/0/16 bytes=16..32', '2.04 b1=1/0/16');
    t.expectOutcome('2.04');
  });

  it('[COAP-111] the size of blocks can be chosen', () => {
    const t = dialogue();
    t.request(put(100, { blockSize: 100 }));
    t.expectSent('CON PUT /fw cf=42 b1=0/1/64 size1=100 bytes=0..64');
  });

  it('[COAP-111] lost blocks are repeated, separate answers count', () => {
    const t = dialogue(small);
    t.request(put(20));
    t.expectSent('CON PUT /fw cf=42 b1=0/1/16 size1=20 mid=$a token=$t bytes=0..16');
    t.wait(2_000);
    t.expectSent('CON PUT /fw cf=42 b1=0/1/16 size1=20 mid=$a token=$t bytes=0..16');
    t.receive('ACK EMPTY mid=$a');
    t.receive('CON 2.31 mid=700 token=$t b1=0/1/16');
    t.expectSent('ACK EMPTY mid=700');
    t.expectSent('CON PUT /fw cf=42 b1=1/0/16 mid=$b token=$t bytes=16..20');
    t.receive('CON 2.31 mid=700 token=$t b1=0/1/16');
    t.expectSent('ACK EMPTY mid=700');
    t.expectSilence();
    t.receive('ACK 2.04 mid=$b token=$t');
    t.expectOutcome('2.04');
  });

  it('[COAP-112] a smaller size in the 2.31 is taken, the numbers go on by bytes', () => {
    const t = dialogue({ params: { blockSize: 64 } });
    t.request(put(100));
    exchange(t, 'PUT /fw cf=42 b1=0/1/64 size1=100 bytes=0..64', '2.31 b1=0/1/16');
    exchange(t, 'PUT /fw cf=42 b1=4/1/16 bytes=64..80', '2.31 b1=4/1/64');
    exchange(t, 'PUT /fw cf=42 b1=5/1/16 bytes=80..96', '2.31 b1=5/1/16');
    exchange(t, 'PUT /fw cf=42 b1=6/0/16 bytes=96..100', '2.04 b1=6/0/16');
    t.expectOutcome('2.04');
  });

  it('[COAP-112] a 4.13 with a smaller size starts anew with it', () => {
    const t = dialogue({ params: { blockSize: 64 } });
    t.request(put(100));
    exchange(t, 'PUT /fw cf=42 b1=0/1/64 size1=100 bytes=0..64', '4.13 b1=0/1/32');
    exchange(t, 'PUT /fw cf=42 b1=0/1/32 size1=100 bytes=0..32', '2.31 b1=0/1/32');
    t.expectSent('CON PUT /fw cf=42 b1=1/1/32 bytes=32..64');
  });

  it('[COAP-112] also when the body went in one message', () => {
    const t = dialogue({ params: { blockSize: 64 } });
    t.request(put(50));
    exchange(t, 'PUT /fw cf=42 bytes=0..50', '4.13 b1=0/0/32');
    exchange(t, 'PUT /fw cf=42 b1=0/1/32 size1=50 bytes=0..32', '2.31 b1=0/1/32');
    exchange(t, 'PUT /fw cf=42 b1=1/0/32 bytes=32..50', '2.04 b1=1/0/32');
    t.expectOutcome('2.04');
  });

  for (const text of ['4.13', '4.13 b1=0/1/16', '4.13 b1=0/1/64', '4.00 b1=0/1/16', '4.03', '5.00', '5.03']) {
    it(`[COAP-113] ${text} stops it at once`, () => {
      const t = dialogue({ params: { ...small.params, busyRetries: 0 } });
      t.request(put(1_000));
      exchange(t, 'PUT /fw cf=42 b1=0/1/16 size1=1000 bytes=0..16', text);
      t.expectOutcome(text.slice(0, 4));
      t.wait(100_000);
      t.expectSilence();
    });
  }

  it('[COAP-114] each block answered 2.04 on its own: the next one follows', () => {
    const t = dialogue(small);
    t.request(put(40));
    exchange(t, 'PUT /fw cf=42 b1=0/1/16 size1=40 bytes=0..16', '2.04 b1=0/0/16');
    exchange(t, 'PUT /fw cf=42 b1=1/1/16 bytes=16..32', '2.04 b1=1/1/16');
    t.expectNoOutcome();
    exchange(t, 'PUT /fw cf=42 b1=2/0/16 bytes=32..40', '2.04 b1=2/0/16');
    t.expectOutcome('2.04');
  });

  it('[COAP-114] a 2.31 without a Block1 option goes on, a 2.04 without one is the answer', () => {
    const t = dialogue(small);
    t.request(put(40));
    exchange(t, 'PUT /fw cf=42 b1=0/1/16 size1=40 bytes=0..16', '2.31');
    exchange(t, 'PUT /fw cf=42 b1=1/1/16 bytes=16..32', '2.04');
    t.expectOutcome('2.04');
    t.expectSilence();
  });

  it('[COAP-115] 4.08 starts it anew, three times at most', () => {
    const t = dialogue(small);
    t.request(put(40));
    for (let times = 0; times < 4; times++) {
      exchange(t, 'PUT /fw cf=42 b1=0/1/16 size1=40 bytes=0..16', '2.31 b1=0/1/16');
      t.expectNoOutcome();
      exchange(t, 'PUT /fw cf=42 b1=1/1/16 bytes=16..32', '4.08 b1=1/1/16');
    }
    t.expectOutcome('4.08');
    t.expectSilence();
  });

  it('[COAP-115] 4.08 to the first block is the answer', () => {
    const t = dialogue(small);
    t.request(put(40));
    exchange(t, 'PUT /fw cf=42 b1=0/1/16 size1=40 bytes=0..16', '4.08');
    t.expectOutcome('4.08');
  });

  for (const [what, length, answers] of [
    ['2.31 to a request in one message', 5, ['2.31 b1=0/1/16']],
    ['2.31 for another block', 40, ['2.31 b1=1/1/16']],
    ['2.31 after the last block', 20, ['2.31 b1=0/1/16', '2.31 b1=1/1/16']],
    ['2.04 for another block', 40, ['2.31 b1=0/1/16', '2.04 b1=0/0/16']],
    ['the reserved size', 40, ['2.31 b1=0/1/2048']],
  ] as const) {
    it(`[COAP-116] a protocol error: ${what}`, () => {
      const t = dialogue(small);
      t.request(put(length));
      for (const answer of answers) {
        const { token, mid } = message(t);
        t.receive(`ACK ${answer} mid=${mid} token=${token}`);
      }
      t.expectOutcome('protocol');
      t.wait(100_000);
      t.expectSilence();
    });
  }

  it('[COAP-116] more blocks than there are numbers: too-large', () => {
    const t = dialogue({ params: { blockSize: 32 } });
    t.request(put(0, { payload: Buffer.alloc(16 * 0x100000 + 1) }));
    const { token, mid } = message(t);
    t.receive(`ACK 2.31 b1=0/1/16 mid=${mid} token=${token}`);
    t.expectOutcome('too-large');
    t.expectSilence();
  });

  it('[COAP-119] between its blocks others have their turn, one after each', () => {
    const t = dialogue(small);
    const upload = t.request(put(40));
    for (const path of ['a', 'b', 'c']) t.request({ code: Code.GET, path: [path] });
    exchange(t, 'PUT /fw cf=42 b1=0/1/16 size1=40 bytes=0..16', '2.31 b1=0/1/16');
    exchange(t, 'GET /a', '2.05 "a"');
    exchange(t, 'PUT /fw cf=42 b1=1/1/16 bytes=16..32', '2.31 b1=1/1/16');
    exchange(t, 'GET /b', '2.05 "b"');
    exchange(t, 'PUT /fw cf=42 b1=2/0/16 bytes=32..40', '2.04 b1=2/0/16');
    exchange(t, 'GET /c', '2.05 "c"');
    t.expectOutcome('2.05 "a"');
    t.expectOutcome('2.05 "b"');
    t.expectOutcome('2.04', upload);
    t.expectOutcome('2.05 "c"');
    t.expectSilence();
    t.expectNothingLeft();
  });

  it('[COAP-119] between the blocks of a download too', () => {
    const t = dialogue();
    t.request(get);
    t.request({ code: Code.GET, path: ['a'] });
    exchange(t, 'GET /big', '2.05 b2=0/1/16 bytes=0..16');
    exchange(t, 'GET /a', '2.05 "a"');
    exchange(t, 'GET /big b2=1/0/16', '2.05 b2=1/0/16 bytes=16..20');
    t.expectOutcome('2.05 "a"');
    t.expectOutcome('2.05 bytes=0..20');
    t.expectNothingLeft();
  });

  it('[COAP-119] a slow one of them does not hold the transfer up, a lost one only for its time', () => {
    const t = dialogue(small);
    const upload = t.request(put(20));
    t.request({ code: Code.GET, path: ['lost'], timeout: 5_000 });
    exchange(t, 'PUT /fw cf=42 b1=0/1/16 size1=20 bytes=0..16', '2.31 b1=0/1/16');
    t.expectSent('CON GET /lost');
    t.wait(5_000);
    t.expectOutcome('no-ack');
    t.sent.splice(0, t.sent.length - 1);
    exchange(t, 'PUT /fw cf=42 b1=1/0/16 bytes=16..20', '2.04');
    t.expectOutcome('2.04', upload);
  });

  for (const [what, spec] of [
    ['a second upload, elsewhere', { code: Code.PUT, path: ['3', '0', '1'], payload: body(17) }],
    ['a request for the same path', { code: Code.GET, path: ['5', '0', '0'] }],
    ['one for the same object instance', { code: Code.POST, path: ['5', '0', '2'] }],
    ['one for the object', { code: Code.GET, path: ['5'] }],
    ['one for many paths', { code: Code.FETCH, path: [] }],
  ] as const) {
    it(`[COAP-117] ${what} waits until it is through`, () => {
      const t = dialogue(small);
      t.request(put(20, { path: ['5', '0', '0'] }));
      t.request(spec);
      t.request({ code: Code.GET, path: ['5', '1', '3'] });
      exchange(t, 'PUT /5/0/0 cf=42 b1=0/1/16 size1=20 bytes=0..16', '2.31 b1=0/1/16');
      exchange(t, 'GET /5/1/3', '2.05');
      exchange(t, 'PUT /5/0/0 cf=42 b1=1/0/16 bytes=16..20', '2.04');
      assert.equal(t.sent.length, 1);
      t.expectOutcome('2.05');
      t.expectOutcome('2.04');
    });
  }

  it('[COAP-117] also while it waits for its turn after a separate answer, and with room for two', () => {
    const t = dialogue({ params: { blockSize: 16, nstart: 2 } });
    t.request(put(20));
    t.request(put(30));
    t.expectSent('CON PUT /fw cf=42 b1=0/1/16 size1=20 mid=$m token=$t bytes=0..16');
    t.expectSilence();
    t.receive('ACK EMPTY mid=$m');
    t.expectSilence();
    t.receive('NON 2.31 token=$t b1=0/1/16');
    t.expectSent('CON PUT /fw cf=42 b1=1/0/16 mid=$n token=$t bytes=16..20');
    t.expectSilence();
    t.receive('ACK 2.04 mid=$n token=$t');
    t.expectSent('CON PUT /fw cf=42 b1=0/1/16 size1=30 bytes=0..16');
  });

  it('[COAP-133] one that waits between its blocks goes on by the new route', () => {
    const t = dialogue(small);
    t.request(put(20));
    t.request({ code: Code.GET, path: ['a'] });
    exchange(t, 'PUT /fw cf=42 b1=0/1/16 size1=20 bytes=0..16', '2.31 b1=0/1/16');
    t.expectSent('CON GET /a');
    t.core.rebind(t.peer(), t.peer('new'), t.now);
    t.expectSent('CON PUT /fw cf=42 b1=1/0/16 mid=$m token=$t bytes=16..20', 'new');
    t.receive('ACK 2.04 mid=$m token=$t', 'new');
    t.expectOutcome('2.04');
    t.expectNothingLeft();
  });

  it('[COAP-117] cancelled in the middle, nothing more is sent', () => {
    const t = dialogue(small);
    const id = t.request(put(40));
    exchange(t, 'PUT /fw cf=42 b1=0/1/16 size1=40 bytes=0..16', '2.31 b1=0/1/16');
    t.expectSent('CON PUT /fw cf=42 b1=1/1/16 mid=$m token=$t bytes=16..32');
    t.core.cancel(id, t.now);
    t.receive('ACK 2.31 mid=$m token=$t b1=1/1/16');
    t.expectOutcome('cancelled');
    t.expectSilence();
    t.expectNothingLeft();
  });

  for (const [method, code] of [
    ['FETCH', Code.FETCH],
    ['iPATCH', Code.IPATCH],
  ] as const) {
    it(`[COAP-118] ${method} in blocks, answered in blocks: the later ones are asked for without the body`, () => {
      const t = dialogue(small);
      t.request({ code, path: [], contentFormat: 110, accept: 112, payload: body(20) });
      exchange(t, `${method} cf=110 accept=112 b1=0/1/16 size1=20 bytes=0..16`, '2.31 b1=0/1/16');
      exchange(t, `${method} cf=110 accept=112 b1=1/0/16 bytes=16..20`, '2.05 cf=112 b1=1/0/16 b2=0/1/16 bytes=0..16');
      exchange(t, `${method} cf=110 accept=112 b2=1/0/16`, '2.05 cf=112 b2=1/0/16 bytes=16..24');
      t.expectOutcome('2.05 bytes=0..24');
      t.expectNothingLeft();
    });

    it(`[COAP-118] ${method} in one message, answered in blocks: the body goes along`, () => {
      const t = dialogue({ params: { blockSize: 32 } });
      t.request({ code, path: [], contentFormat: 110, payload: body(20) });
      exchange(t, `${method} cf=110 bytes=0..20`, '2.05 cf=112 b2=0/1/16 bytes=0..16');
      exchange(t, `${method} cf=110 accept=112 b2=1/0/16 bytes=0..20`, '2.05 cf=112 b2=1/0/16 bytes=16..24');
      t.expectOutcome('2.05 bytes=0..24');
    });
  }

  it('[COAP-118] a FETCH in blocks whose answer changes meanwhile is sent anew from its first block', () => {
    const t = dialogue(small);
    t.request({ code: Code.FETCH, path: [], payload: body(20) });
    exchange(t, 'FETCH b1=0/1/16 size1=20 bytes=0..16', '2.31 b1=0/1/16');
    exchange(t, 'FETCH b1=1/0/16 bytes=16..20', '2.05 etag=01 b2=0/1/16 bytes=0..16');
    exchange(t, 'FETCH b2=1/0/16', '2.05 etag=02 b2=1/0/16 bytes=16..24');
    exchange(t, 'FETCH b1=0/1/16 size1=20 bytes=0..16', '2.31 b1=0/1/16');
    exchange(t, 'FETCH b1=1/0/16 bytes=16..20', '2.05 etag=02 "whole"');
    t.expectOutcome('2.05 "whole"');
  });
});

describe('CoAP bodies in blocks, fetched by us', () => {
  it('[COAP-120] block by block, each under a new token', () => {
    const t = dialogue();
    const id = t.request({ ...get, query: ['x'], accept: 11542 });
    t.expectSent('CON GET /big query=x accept=11542 mid=$a token=$ta');
    t.wait(10);
    t.receive('ACK 2.05 mid=$a token=$ta cf=11542 etag=01 size2=40 b2=0/1/16 bytes=0..16');
    t.expectSent('CON GET /big query=x accept=11542 b2=1/0/16 mid=$b token=$tb');
    t.receive('ACK 2.05 mid=$b token=$tb cf=11542 etag=01 b2=1/1/16 bytes=16..32');
    t.expectSent('CON GET /big query=x accept=11542 b2=2/0/16 mid=$c token=$tc');
    assert.equal(t.core.sizes().bodyBytes, 32);
    t.wait(10);
    t.receive('ACK 2.05 mid=$c token=$tc cf=11542 etag=01 b2=2/0/16 bytes=32..40');
    const outcome = t.expectOutcome('2.05 bytes=0..40', id);
    assert.ok(outcome.kind === 'response');
    assert.equal(outcome.response.contentFormat, 11542);
    assert.equal(outcome.rtt, 20);
    assert.equal(new Set([t.value('$ta'), t.value('$tb'), t.value('$tc')]).size, 3);
    t.expectNothingLeft();
  });

  it('[COAP-121] later blocks are asked for in the format of the first', () => {
    const t = dialogue();
    t.request(get);
    exchange(t, 'GET /big', '2.05 cf=11542 b2=0/1/16 bytes=0..16');
    t.expectSent('CON GET /big accept=11542 b2=1/0/16');
  });

  it('[COAP-122] a size can be asked for, and a smaller one is taken', () => {
    const t = dialogue();
    t.request({ ...get, blockSize: 64 });
    exchange(t, 'GET /big b2=0/0/64', '2.05 b2=0/1/32 bytes=0..32');
    exchange(t, 'GET /big b2=1/0/32', '2.05 b2=1/1/32 bytes=32..64');
    exchange(t, 'GET /big b2=2/0/32', '2.05 b2=4/1/16 bytes=64..80');
    exchange(t, 'GET /big b2=5/0/16', '2.05 b2=5/0/16 bytes=80..90');
    t.expectOutcome('2.05 bytes=0..90');
  });

  it('[COAP-122] one block that says it is all is all', () => {
    const t = dialogue();
    t.request(get);
    exchange(t, 'GET /big', '2.05 b2=0/0/16 "all"');
    t.expectOutcome('2.05 "all"');
  });

  it('[COAP-122] empty values of Block2 are block 0 of 16 bytes, the last', () => {
    const t = dialogue();
    t.request(get);
    exchange(t, 'GET /big', '2.05 opt23=- opt27=- "all"');
    t.expectOutcome('2.05 "all"');
  });

  for (const [what, answers] of [
    ['it starts in the middle', ['2.05 b2=1/1/16 bytes=0..16']],
    ['it starts with its last block', ['2.05 b2=1/0/16 bytes=0..16']],
    ['the same block again', ['2.05 b2=0/1/16 bytes=0..16', '2.05 b2=0/1/16 bytes=0..16']],
    ['a block is left out', ['2.05 b2=0/1/16 bytes=0..16', '2.05 b2=2/1/16 bytes=32..48']],
    ['a block shorter than it says', ['2.05 b2=0/1/16 bytes=0..16', '2.05 b2=1/1/16 bytes=16..31']],
    ['a first block shorter than it says', ['2.05 b2=0/1/16 bytes=0..8']],
    ['an empty block with more to come', ['2.05 b2=0/1/16 bytes=0..16', '2.05 b2=1/1/16']],
    ['a block longer than it says', ['2.05 b2=0/1/16 bytes=0..17']],
    ['the reserved size', ['2.05 b2=0/1/16 bytes=0..16', '2.05 b2=1/1/2048 bytes=0..16']],
    ['a last block longer than it says', ['2.05 b2=0/1/16 bytes=0..16', '2.05 b2=1/0/16 bytes=16..33']],
  ] as const) {
    it(`[COAP-123] a protocol error: ${what}`, () => {
      const t = dialogue();
      t.request(get);
      for (const answer of answers) {
        const { token, mid } = message(t);
        t.receive(`ACK ${answer} mid=${mid} token=${token}`);
      }
      t.expectOutcome('protocol');
      assert.equal(t.core.sizes().bodyBytes, 0);
      t.wait(100_000);
      t.expectSilence();
    });
  }

  it('[COAP-124] a body that changes is read anew', () => {
    const t = dialogue();
    t.request(get);
    exchange(t, 'GET /big', '2.05 etag=01 b2=0/1/16 bytes=0..16');
    exchange(t, 'GET /big b2=1/0/16', '2.05 etag=02 b2=1/1/16 bytes=20..36');
    assert.equal(t.core.sizes().bodyBytes, 0);
    exchange(t, 'GET /big', '2.05 etag=02 b2=0/1/16 bytes=4..20');
    exchange(t, 'GET /big b2=1/0/16', '2.05 etag=02 b2=1/0/16 bytes=20..30');
    t.expectOutcome('2.05 bytes=4..30');
  });

  it('[COAP-124] three times at most', () => {
    const t = dialogue();
    t.request(get);
    for (let times = 0; times < 4; times++) {
      exchange(t, 'GET /big', `2.05 etag=0${times} b2=0/1/16 bytes=0..16`);
      t.expectNoOutcome();
      exchange(t, 'GET /big b2=1/0/16', '2.05 etag=ff b2=1/0/16 bytes=16..20');
    }
    t.expectOutcome('protocol');
    t.expectSilence();
  });

  it('[COAP-124] the answer to a POST is not asked for anew', () => {
    const t = dialogue();
    t.request({ ...get, code: Code.POST });
    exchange(t, 'POST /big', '2.04 etag=01 b2=0/1/16 bytes=0..16');
    exchange(t, 'POST /big b2=1/0/16', '2.04 etag=02 b2=1/0/16 bytes=16..20');
    t.expectOutcome('protocol');
    t.expectSilence();
  });

  it('[COAP-125] an error among the blocks is the outcome', () => {
    for (const answer of ['4.04 "no"', '4.04 b2=1/0/16 "no"', '5.03 b2=0/0/16 "no"']) {
      const t = dialogue({ params: { busyRetries: 0 } });
      t.request(get);
      exchange(t, 'GET /big', '2.05 b2=0/1/16 bytes=0..16');
      exchange(t, 'GET /big b2=1/0/16', answer);
      t.expectOutcome(`${answer.slice(0, 4)} "no"`);
      assert.equal(t.core.sizes().bodyBytes, 0);
    }
  });

  it('[COAP-125] a device that answers with the whole body instead of a block is believed', () => {
    const t = dialogue();
    t.request(get);
    exchange(t, 'GET /big', '2.05 b2=0/1/16 bytes=0..16');
    exchange(t, 'GET /big b2=1/0/16', '2.05 bytes=0..20');
    t.expectOutcome('2.05 bytes=0..20');
  });

  it('[COAP-126] an endless body ends as too-large', () => {
    const t = dialogue({ params: { maxBody: 100 } });
    t.request(get);
    for (let num = 0; num < 6; num++) {
      const { mid, token } = message(t);
      t.receive(`ACK 2.05 mid=${mid} token=${token} b2=${num}/1/16 bytes=0..16`);
    }
    const { mid, token } = message(t);
    t.receive(`ACK 2.05 mid=${mid} token=${token} b2=6/1/16 bytes=0..16`);
    t.expectOutcome('too-large');
    t.expectSilence();
    t.expectNothingLeft();
  });

  it('[COAP-126] the request may set the limit, and exactly as much is taken', () => {
    const t = dialogue();
    t.request({ ...get, maxBody: 20 });
    exchange(t, 'GET /big', '2.05 b2=0/1/16 bytes=0..16');
    exchange(t, 'GET /big b2=1/0/16', '2.05 b2=1/0/16 bytes=16..20');
    t.expectOutcome('2.05 bytes=0..20');
    t.request({ ...get, maxBody: 20 });
    exchange(t, 'GET /big', '2.05 b2=0/1/16 bytes=0..16');
    exchange(t, 'GET /big b2=1/0/16', '2.05 b2=1/0/16 bytes=16..21');
    t.expectOutcome('too-large');
  });

  it('[COAP-126] the limit of all bodies together counts, too', () => {
    const t = dialogue({ params: { maxBodies: 40 + 2 * 256 } }); // a held block costs 256 bytes more
    t.request(get);
    t.request(get, 'other');
    t.expectSent('CON GET /big mid=$a token=$ta');
    t.expectSent('CON GET /big mid=$b token=$tb', 'other');
    t.receive('ACK 2.05 mid=$a token=$ta b2=0/1/32 bytes=0..32');
    t.receive('ACK 2.05 mid=$b token=$tb b2=0/1/16 bytes=0..16', 'other');
    t.expectOutcome('too-large', 2);
    assert.equal(t.core.sizes().bodyBytes, 32);
  });

  it('[COAP-127] cancelled, or out of time, it frees what came', () => {
    for (const end of ['cancelled', 'no-ack']) {
      const t = dialogue();
      const id = t.request({ ...get, timeout: 3_000 });
      exchange(t, 'GET /big', '2.05 b2=0/1/16 bytes=0..16');
      assert.equal(t.core.sizes().bodyBytes, 16);
      if (end === 'cancelled') t.core.cancel(id, t.now);
      else t.wait(3_000);
      t.expectOutcome(end);
      assert.equal(t.core.sizes().bodyBytes, 0);
      t.expectNothingLeft();
    }
  });

  it('[COAP-127] a duplicate of a block that was answered separately asks for nothing twice', () => {
    const t = dialogue();
    t.request(get);
    t.expectSent('CON GET /big mid=$a token=$ta');
    const block = 'CON 2.05 mid=600 token=$ta b2=0/1/16 bytes=0..16';
    t.receive(block);
    t.expectSent('ACK EMPTY mid=600');
    t.expectSent('CON GET /big b2=1/0/16 mid=$b token=$tb');
    t.receive(block);
    t.expectSent('ACK EMPTY mid=600');
    t.expectSilence();
    t.receive('ACK 2.05 mid=$b token=$tb b2=1/0/16 bytes=16..20');
    t.expectOutcome('2.05 bytes=0..20');
  });
});

/** The next message of ours, whatever it is. */
function message(t: Dialogue): { readonly mid: number; readonly token: string } {
  const sent = t.sent.shift();
  assert.ok(sent, 'nothing was sent');
  return { mid: sent.data.readUInt16BE(2), token: sent.data.subarray(4, 12).toString('hex') };
}
