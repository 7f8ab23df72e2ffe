import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import { body, dialogue, observed } from '../../support/coap-dialogue';

const get = { code: Code.GET, path: ['a'] };

describe('CoAP peers that want to be asked again', () => {
  describe('a busy one', () => {
    it('[COAP-065] is asked again after 2, 4 and 8 s, and then its 5.03 is the outcome', () => {
      const t = dialogue();
      t.request(get);
      for (const [index, at] of [0, 2_000, 6_000, 14_000].entries()) {
        t.expectSent(`CON GET /a mid=$m${index} token=$t`);
        assert.equal(t.elapsed, at);
        t.receive(`ACK 5.03 mid=$m${index} token=$t "busy"`);
        if (index === 3) break;
        t.expectNoOutcome();
        t.wait(2_000 * 2 ** index - 1);
        t.expectSilence();
        t.wait(1);
      }
      t.expectOutcome('5.03 "busy"');
      t.expectSilence();
      t.expectNothingLeft();
    });

    it('[COAP-065] or when it says, but not at once', () => {
      const t = dialogue();
      t.request(get);
      t.expectSent('CON GET /a mid=$a token=$t');
      t.receive('ACK 5.03 mid=$a token=$t maxage=30');
      t.wait(29_999);
      t.expectSilence();
      t.wait(1);
      t.expectSent('CON GET /a mid=$b token=$t');
      t.receive('ACK 5.03 mid=$b token=$t maxage=0');
      t.wait(1_999);
      t.expectSilence();
      t.wait(1);
      t.expectSent('CON GET /a mid=$c token=$t');
      t.receive('ACK 2.05 mid=$c token=$t "a"');
      t.expectOutcome('2.05 "a"');
      t.expectNothingLeft();
    });

    it('[COAP-065] not beyond the time of the request', () => {
      const t = dialogue();
      t.request({ ...get, timeout: 10_000 });
      t.expectSent('CON GET /a mid=$a token=$t');
      t.receive('ACK 5.03 mid=$a token=$t maxage=10');
      t.expectOutcome('5.03');
      t.expectNothingLeft();
    });

    it('[COAP-065] others wait meanwhile; cancelled, it makes room', () => {
      const t = dialogue();
      const id = t.request(get);
      t.request({ code: Code.GET, path: ['b'] });
      t.expectSent('CON GET /a mid=$a token=$t');
      t.receive('ACK 5.03 mid=$a token=$t');
      t.expectSilence();
      t.core.cancel(id, t.now);
      t.expectOutcome('cancelled');
      t.expectSent('CON GET /b mid=$b token=$u');
      t.receive('ACK 2.05 mid=$b token=$u');
      t.expectOutcome('2.05');
      t.wait(10_000);
      t.expectSilence();
    });

    it("[COAP-065] after a separate answer it waits for its turn; a late answer meanwhile is nobody's", () => {
      const t = dialogue();
      t.request(get);
      t.expectSent('CON GET /a mid=$a token=$t');
      t.receive('ACK EMPTY mid=$a');
      t.receive('NON 5.03 token=$t');
      t.receive('NON 2.05 mid=40 token=$t');
      t.expectSent('RST EMPTY mid=40');
      t.request({ code: Code.GET, path: ['b'] });
      t.expectSent('CON GET /b mid=$b token=$u');
      t.wait(2_000);
      t.sent.length = 0;
      t.receive('ACK 2.05 mid=$b token=$u');
      t.expectSent('CON GET /a mid=$c token=$t');
      t.receive('ACK 2.05 mid=$c token=$t "a"');
      t.expectOutcome('2.05');
      t.expectOutcome('2.05 "a"');
    });

    it('[COAP-065] in the middle of a body the same block goes again', () => {
      const t = dialogue({ params: { blockSize: 16 } });
      t.request({ code: Code.PUT, path: ['fw'], payload: body(20) });
      t.expectSent('CON PUT /fw b1=0/1/16 size1=20 mid=$a token=$t bytes=0..16');
      t.receive('ACK 2.31 mid=$a token=$t b1=0/1/16');
      t.expectSent('CON PUT /fw b1=1/0/16 mid=$b token=$t bytes=16..20');
      t.receive('ACK 5.03 mid=$b token=$t');
      t.wait(2_000);
      t.expectSent('CON PUT /fw b1=1/0/16 mid=$c token=$t bytes=16..20');
      t.receive('ACK 2.04 mid=$c token=$t');
      t.expectOutcome('2.04');
    });

    it('[COAP-074] a notification 5.03 is the end all the same', () => {
      const t = dialogue();
      observed(t);
      t.receive('NON 5.03 token=$o');
      t.expectReport('ended 5.03');
    });
  });

  describe('one that wants to see an Echo', () => {
    it('[COAP-066] gets the same request with it, once', () => {
      const t = dialogue();
      t.request({ ...get, code: Code.POST, payload: Buffer.from('x') });
      t.expectSent('CON POST /a mid=$a token=$t "x"');
      t.receive('ACK 4.01 mid=$a token=$t opt252=0a0b0c');
      t.expectSent('CON POST /a mid=$b token=$t opt252=0a0b0c "x"');
      t.receive('ACK 2.04 mid=$b token=$t');
      t.expectOutcome('2.04');
    });

    it('[COAP-066] a second 4.01 is the outcome, and so is one without the option', () => {
      const t = dialogue();
      t.request(get);
      t.expectSent('CON GET /a mid=$a token=$t');
      t.receive('ACK 4.01 mid=$a token=$t opt252=01');
      t.expectSent('CON GET /a mid=$b token=$t opt252=01');
      t.receive('ACK 4.01 mid=$b token=$t opt252=02');
      t.expectOutcome('4.01');
      t.request(get);
      t.expectSent('CON GET /a mid=$c token=$u');
      t.receive('ACK 4.01 mid=$c token=$u');
      t.expectOutcome('4.01');
      t.expectNothingLeft();
    });

    it('[COAP-066] a body in blocks begins anew and carries it with each', () => {
      const t = dialogue({ params: { blockSize: 16 } });
      t.request({ code: Code.PUT, path: ['fw'], payload: body(20) });
      t.expectSent('CON PUT /fw b1=0/1/16 size1=20 mid=$a token=$t bytes=0..16');
      t.receive('ACK 4.01 mid=$a token=$t opt252=01');
      t.expectSent('CON PUT /fw b1=0/1/16 size1=20 mid=$b token=$t opt252=01 bytes=0..16');
      t.receive('ACK 2.31 mid=$b token=$t b1=0/1/16');
      t.expectSent('CON PUT /fw b1=1/0/16 mid=$c token=$t opt252=01 bytes=16..20');
    });
  });
});
