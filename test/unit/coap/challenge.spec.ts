import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import * as coap from '../../support/coap-message';
import { dialogue, type Dialogue, type DialogueOptions } from '../../support/coap-dialogue';

const asking: DialogueOptions = {
  params: { echoLifetime: 10_000 },
  onRequest: ({ id }, t) => t.core.respond(id, { code: Code.CHANGED }, t.now),
};

/** Sends a request that is challenged, and returns the Echo value as hex. */
function challenged(t: Dialogue, text: string, type: 'ACK' | 'NON' = 'ACK'): string {
  t.receive(text);
  const { data } = t.sent.shift()!;
  const message = coap.decodeMessage(data);
  assert.equal(message.type, type === 'ACK' ? coap.ACK : coap.NON);
  assert.equal(coap.codeText(message.code), '4.01');
  assert.deepEqual(
    message.options.map(({ number }) => number),
    [252],
  );
  assert.equal(message.payload.length, 0);
  return message.options[0]!.value.toString('hex');
}

describe('CoAP: strangers are asked to show their address', () => {
  it('[COAP-170] only when that is set', () => {
    const t = dialogue({ onRequest: ({ id }, d) => d.core.respond(id, { code: Code.CHANGED }, d.now) });
    t.receive('CON POST /a token=a1');
    t.expectSent('ACK 2.04 token=a1');
  });

  it('[COAP-170] 4.01 with an Echo of 12 bytes, nothing kept; with it the request is served, and later ones without', () => {
    const t = dialogue(asking);
    const echo = challenged(t, 'CON POST /a mid=1 token=a1');
    assert.equal(echo.length, 24);
    assert.equal(t.core.sizes().peers, 0);
    t.receive(`CON POST /a mid=2 token=a2 opt252=${echo}`);
    t.expectSent('ACK 2.04 mid=2 token=a2');
    t.receive('CON POST /a mid=3 token=a3');
    t.expectSent('ACK 2.04 mid=3 token=a3');
    assert.equal(t.core.counters.challenges, 1);
  });

  it('[COAP-170] one of another address, of old, of another length or made up is asked for again', () => {
    const t = dialogue(asking);
    const echo = challenged(t, 'CON POST /a token=a1');
    t.receive(`CON POST /a token=a1 opt252=${echo}`, 'other');
    assert.equal(coap.codeText(coap.decodeMessage(t.sent.shift()!.data).code), '4.01');
    const bad = [echo.slice(2), `${echo}00`, `ff${echo.slice(2)}`, `${echo.slice(0, -2)}${echo.endsWith('00') ? '01' : '00'}`];
    for (const value of bad) challenged(t, `CON POST /a token=a1 opt252=${value}`);
    t.wait(10_000);
    challenged(t, `NON POST /a token=a1 opt252=${echo}`, 'NON');
    t.receive('NON POST /a token=a1 opt258=08');
    t.expectSilence();
    t.expectNoRequest();
    assert.equal(t.core.sizes().peers, 0);
  });

  it('[COAP-170] peers that are known are not asked; those that were forgotten are', () => {
    const t = dialogue(asking);
    const echo = challenged(t, 'CON POST /a token=a1');
    t.receive(`CON POST /a token=a1 opt252=${echo}`);
    t.expectSent('ACK 2.04 token=a1');
    t.wait(247_000);
    challenged(t, 'CON POST /a token=a1');
    t.request({ code: Code.GET, path: ['x'] }, 'asked');
    t.expectSent('CON GET /x mid=$m token=$t', 'asked');
    t.receive('ACK 2.05 mid=$m token=$t', 'asked');
    t.receive('CON POST /a token=a1', 'asked');
    t.expectSent('ACK 2.04 token=a1', 'asked');
  });
});

describe('CoAP: a body after one that was broken off', () => {
  const small = { params: { blockSize: 16 } };
  const put = { code: Code.PUT, path: ['fw'], payload: Buffer.alloc(20) };

  it('[COAP-171] carries a Request-Tag with each block, another after each such end', () => {
    const t = dialogue(small);
    for (const tag of ['', ' opt292=01', ' opt292=02']) {
      const id = t.request(put);
      t.expectSent(`CON PUT /fw b1=0/1/16 size1=20${tag} mid=$m token=$t hex=${'00'.repeat(16)}`);
      t.receive('ACK 2.31 mid=$m token=$t b1=0/1/16');
      t.expectSent(`CON PUT /fw b1=1/0/16${tag} token=$t hex=00000000`);
      t.core.cancel(id, t.now);
      t.outcomes.length = 0;
      t.forgetNames();
    }
  });

  it('[COAP-171] none after one that came to an answer, or that never left', () => {
    const t = dialogue(small);
    t.request(put);
    t.expectSent(`CON PUT /fw b1=0/1/16 size1=20 mid=$m token=$t hex=${'00'.repeat(16)}`);
    const waiting = t.request(put);
    t.core.cancel(waiting, t.now);
    t.receive('ACK 4.00 mid=$m token=$t b1=0/0/16');
    t.request(put);
    t.expectSent(`CON PUT /fw b1=0/1/16 size1=20 hex=${'00'.repeat(16)}`);
  });

  it('[COAP-172] and a block size that the peer brought down holds for its next body, not for what is fetched', () => {
    const t = dialogue({ params: { blockSize: 64 } });
    const big = { ...put, payload: Buffer.alloc(100) };
    t.request(big);
    t.expectSent(`CON PUT /fw b1=0/1/64 size1=100 mid=$m token=$t hex=${'00'.repeat(64)}`);
    t.receive('ACK 4.13 mid=$m token=$t b1=0/0/32');
    t.expectSent(`CON PUT /fw b1=0/1/32 size1=100 mid=$n token=$t hex=${'00'.repeat(32)}`);
    t.receive('ACK 4.00 mid=$n token=$t');
    t.forgetNames();
    t.request(big);
    t.expectSent(`CON PUT /fw b1=0/1/32 size1=100 mid=$m token=$t hex=${'00'.repeat(32)}`);
    t.receive('ACK 4.00 mid=$m token=$t');
    t.request({ code: Code.GET, path: ['a'], blockSize: 64 });
    t.expectSent('CON GET /a b2=0/0/64');
    t.request(big, 'other');
    t.expectSent(`CON PUT /fw b1=0/1/64 size1=100 hex=${'00'.repeat(64)}`, 'other');
  });
});
