import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import { dialogue, type Dialogue } from '../../support/coap-dialogue';

const non = { code: Code.GET, path: ['a'], confirmable: false } as const;
const ping = { code: Code.EMPTY, path: [] };

describe('CoAP peers that may not be there', () => {
  describe('a ping of ours', () => {
    it('[COAP-168] is four bytes, repeated like any Confirmable message; the Reset is the sign of life', () => {
      const t = dialogue();
      t.request(ping);
      t.expectSentBytes(Buffer.from('40000000', 'hex'));
      t.wait(2_000);
      t.expectSentBytes(Buffer.from('40000000', 'hex'));
      t.receive('RST EMPTY mid=0', 'other');
      t.expectNoOutcome();
      t.receive('RST EMPTY mid=0');
      t.expectOutcome('reset');
      t.wait(100_000);
      t.expectSilence();
      t.expectNothingLeft();
    });

    it('[COAP-168] so is an Empty acknowledgement; silence is no-ack', () => {
      const t = dialogue();
      t.request(ping);
      t.expectSent('CON EMPTY mid=$m token=-');
      t.receive('ACK EMPTY mid=$m');
      t.expectOutcome('reset');
      t.request(ping);
      t.wait(62_000);
      t.expectOutcome('no-ack');
    });

    it('[COAP-168] has its turn between the blocks of a transfer', () => {
      const t = dialogue({ params: { blockSize: 16 } });
      t.request({ code: Code.PUT, path: ['fw'], payload: Buffer.alloc(32) });
      t.request(ping);
      t.sent.length = 0;
      t.receive('ACK 2.31 mid=0 token=0000000000000001 b1=0/1/16');
      t.expectSent('CON EMPTY token=-');
    });
  });

  describe('the probing rate of 1 byte a second', () => {
    /** Sends one that is not answered; returns its bytes. */
    function unanswered(t: Dialogue, end: (id: number) => void): number {
      const id = t.request(non);
      const [sent] = t.sent.splice(0);
      end(id);
      t.outcomes.length = 0;
      return sent!.data.length;
    }

    it('[COAP-169] holds back what follows an unanswered Non-confirmable request, cancelled or timed out', () => {
      for (const [time, end] of [
        [0, (t: Dialogue, id: number): void => t.core.cancel(id, t.now)],
        [5_000, (t: Dialogue): void => t.wait(5_000)],
      ] as const) {
        const t = dialogue();
        const spec = { ...non, timeout: 5_000 };
        const id = t.request(spec);
        const [sent] = t.sent.splice(0);
        end(t, id);
        t.request(non);
        t.request(non, 'other');
        t.expectSent('NON GET /a', 'other');
        t.wait(sent!.data.length * 1000 - time - 1);
        t.expectSilence();
        t.wait(1);
        t.expectSent('NON GET /a');
      }
    });

    it('[COAP-169] on average: of many that nobody answers, a byte a second leaves', () => {
      const t = dialogue();
      for (let index = 0; index < 50; index += 1) t.request({ ...non, timeout: 1_000_000 });
      let bytes = 0;
      for (let id = 1; id <= 50; id += 1) {
        bytes += t.sent.splice(0).reduce((sum, { data }) => sum + data.length, 0);
        t.core.cancel(id, t.now);
        t.wait(1_000);
      }
      assert.ok(bytes > 14 && bytes <= 50 + 14, `${bytes} bytes in 50 s`);
    });

    it('[COAP-169] not after an answer; 0 sets no limit; nothing is left of it', () => {
      const t = dialogue();
      t.request(non);
      t.expectSent('NON GET /a token=$t');
      t.receive('NON 2.05 token=$t');
      t.expectOutcome('2.05');
      t.request(non);
      t.expectSent('NON GET /a');
      t.wait(120_000);
      t.expectOutcome('no-response');
      t.expectNothingLeft();
      const free = dialogue({ params: { probingRate: 0 } });
      unanswered(free, (id) => free.core.cancel(id, free.now));
      free.request(non);
      free.expectSent('NON GET /a');
    });
  });
});
