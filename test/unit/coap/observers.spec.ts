import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import type { Notification } from '../../../lib/coap/types';
import { body, dialogue, type Dialogue, type DialogueOptions } from '../../support/coap-dialogue';

const value = (text: string, more: Partial<Notification> = {}): Notification => ({
  code: Code.CONTENT,
  payload: Buffer.from(text),
  ...more,
});

/** Registers an observer of /a under this token, and returns its name. */
function observe(t: Dialogue, token = 'aa', answer = 'observe=1', from?: string): number {
  t.receive(`CON GET /a mid=100 token=${token} observe=0`, from);
  const request = t.expectRequest();
  t.respond(request, { code: Code.CONTENT, payload: Buffer.from('now'), observe: true });
  t.expectSent(`ACK 2.05 mid=100 token=${token} ${answer} "now"`, from);
  return request.id;
}

function observing(options: DialogueOptions = {}): { t: Dialogue; id: number } {
  const t = dialogue(options);
  return { t, id: observe(t) };
}

describe('CoAP observers of our resources', () => {
  it('[COAP-163] a GET with Observe 0 is granted with a number; each notification is Confirmable and counts on', () => {
    const { t, id } = observing();
    assert.equal(t.core.notify(id, value('b', { contentFormat: 0 }), t.now), true);
    t.expectSent('CON 2.05 mid=$m token=aa observe=2 cf=0 "b"');
    t.receive('ACK EMPTY mid=$m');
    t.forgetNames();
    t.core.notify(id, value('c'), t.now);
    t.expectSent('CON 2.05 mid=$m token=aa observe=3 "c"');
    t.wait(2_000);
    t.expectSent('CON 2.05 mid=$m token=aa observe=3 "c"');
    t.receive('ACK EMPTY mid=$m');
    t.wait(1_000_000);
    t.expectSilence();
    assert.equal(t.core.notify(id, value('d'), t.now), true, 'silence alone does not end it');
  });

  it('[COAP-163] not without the option, with another value, by an error, or when the handler does not want it', () => {
    const t = dialogue();
    for (const [option, answer, grant] of [
      ['', { code: Code.CONTENT }, true],
      ['observe=1', { code: Code.CONTENT }, true],
      ['observe=7', { code: Code.CONTENT }, true],
      ['observe=0', { code: Code.NOT_FOUND }, true],
      ['observe=0', { code: Code.CONTENT }, false],
    ] as const) {
      t.receive(`CON GET /a token=aa ${option}`.trim());
      const request = t.expectRequest();
      t.respond(request, { ...answer, observe: grant });
      t.expectSent(`ACK ${answer.code === Code.CONTENT ? '2.05' : '4.04'} token=aa`);
      assert.equal(t.core.notify(request.id, value('b'), t.now), false);
    }
    t.expectNothingLeft();
  });

  it('[COAP-163] also in a late answer, by a FETCH and Non-confirmable', () => {
    const t = dialogue();
    t.receive('CON FETCH /a mid=1 token=aa observe=0 "q"');
    t.wait(500);
    t.expectSent('ACK EMPTY mid=1');
    t.respond(t.expectRequest(), { code: Code.CONTENT, observe: true });
    t.expectSent('CON 2.05 token=aa observe=1');
    t.receive('NON GET /a token=bb observe=0');
    t.respond(t.expectRequest(), { code: Code.CONTENT, observe: true });
    t.expectSent('NON 2.05 token=bb observe=1');
  });

  it('[COAP-164] while one is not acknowledged, only the newest state waits', () => {
    const { t, id } = observing();
    t.core.notify(id, value('b'), t.now);
    t.core.notify(id, value('c'), t.now);
    t.core.notify(id, value('d'), t.now);
    t.expectSent('CON 2.05 mid=$m token=aa observe=2 "b"');
    t.expectSilence();
    t.receive('ACK EMPTY mid=$m');
    t.expectSent('CON 2.05 token=aa observe=3 "d"');
    t.expectSilence();
  });

  it('[COAP-164] Non-confirmable when asked for, but one in 24 h is Confirmable', () => {
    const { t, id } = observing();
    t.core.notify(id, value('b', { confirmable: false }), t.now);
    t.expectSent('NON 2.05 token=aa observe=2 "b"');
    t.wait(86_400_000 - 1);
    t.core.notify(id, value('c', { confirmable: false }), t.now);
    t.expectSent('NON 2.05 token=aa observe=3 "c"');
    t.wait(1);
    t.core.notify(id, value('d', { confirmable: false }), t.now);
    t.expectSent('CON 2.05 mid=$m token=aa observe=4 "d"');
    t.receive('ACK EMPTY mid=$m');
    t.core.notify(id, value('e', { confirmable: false }), t.now);
    t.expectSent('NON 2.05 token=aa observe=5 "e"');
  });

  it('[COAP-164] the numbers begin at random and have 24 bits', () => {
    const t = dialogue({ float: () => 0xfffffd / 0x1000000 });
    const id = observe(t, 'aa', 'observe=16777214');
    for (const number of [0xffffff, 0, 1]) {
      t.core.notify(id, value('b', { confirmable: false }), t.now);
      t.expectSent(`NON 2.05 token=aa observe=${number} "b"`);
    }
  });

  describe('end', () => {
    const over = (t: Dialogue, id: number, why: string): void => {
      assert.deepEqual(t.unobserved, [`${id} /a ${why}`]);
      assert.equal(t.core.notify(id, value('z'), t.now), false);
      t.expectSilence();
      t.expectNothingLeft();
    };

    it('[COAP-165] by Observe 1 under the same token; one of another token is none', () => {
      const { t, id } = observing();
      t.receive('CON GET /a token=bb observe=1');
      t.respond(t.expectRequest(), { code: Code.CONTENT });
      t.expectSent('ACK 2.05 token=bb');
      assert.equal(t.core.notify(id, value('b'), t.now), true);
      t.expectSent('CON 2.05 token=aa observe=2 "b"');
      t.receive('CON GET /a token=aa observe=1');
      t.respond(t.expectRequest(), { code: Code.CONTENT, observe: true });
      t.expectSent('ACK 2.05 token=aa');
      over(t, id, 'cancelled');
    });

    it('[COAP-165] by a Reset of a notification, Confirmable or not, from that peer', () => {
      const { t, id } = observing();
      t.core.notify(id, value('b'), t.now);
      t.expectSent('CON 2.05 mid=$m token=aa observe=2 "b"');
      t.receive('RST EMPTY mid=$m', 'other');
      assert.deepEqual(t.unobserved, []);
      t.receive('RST EMPTY mid=$m');
      over(t, id, 'reset');
      const second = observing();
      second.t.core.notify(second.id, value('b', { confirmable: false }), second.t.now);
      second.t.expectSent('NON 2.05 mid=$m token=aa observe=2 "b"');
      second.t.receive('RST EMPTY mid=999');
      assert.deepEqual(second.t.unobserved, []);
      second.t.receive('RST EMPTY mid=$m');
      over(second.t, second.id, 'reset');
    });

    it('[COAP-165] when a notification is never acknowledged; what waited is not sent', () => {
      const { t, id } = observing();
      t.core.notify(id, value('b'), t.now);
      t.core.notify(id, value('c'), t.now);
      t.wait(62_000);
      assert.equal(t.sent.splice(0).length, 5);
      over(t, id, 'no-ack');
    });

    it('[COAP-165] by an error notification, which has no number', () => {
      const { t, id } = observing();
      t.core.notify(id, { code: Code.NOT_FOUND }, t.now);
      t.expectSent('CON 4.04 mid=$m token=aa');
      t.receive('ACK EMPTY mid=$m');
      assert.equal(t.core.notify(id, value('z'), t.now), false);
      assert.deepEqual(t.unobserved, []);
      t.expectNothingLeft();
    });

    it('[COAP-165] with the route, and with the endpoint', () => {
      const { t, id } = observing();
      t.core.gone(t.peer(), 'gone', t.now);
      over(t, id, 'unreachable');
      const second = observing();
      second.t.core.close(second.t.now);
      assert.deepEqual(second.t.unobserved, [`${second.id} /a closed`]);
    });

    it('[COAP-165] registering anew under the token takes its place, and the numbers go on', () => {
      const { t, id } = observing();
      t.receive('CON GET /a mid=101 token=aa observe=0');
      const request = t.expectRequest();
      t.respond(request, { code: Code.CONTENT, observe: true });
      t.expectSent('ACK 2.05 token=aa observe=2');
      assert.deepEqual(t.unobserved, [`${id} /a cancelled`]);
      assert.equal(t.core.notify(id, value('z'), t.now), false);
      t.core.notify(request.id, value('b'), t.now);
      t.expectSent('CON 2.05 token=aa observe=3 "b"');
    });
  });

  it('[COAP-166] a peer has at most 16; one more is answered without the option', () => {
    const t = dialogue({ params: { maxObservers: 2 } });
    observe(t, 'aa');
    t.receive('CON GET /a token=bb observe=0');
    t.respond(t.expectRequest(), { code: Code.CONTENT, observe: true });
    t.expectSent('ACK 2.05 token=bb observe=1');
    t.receive('CON GET /a token=cc observe=0');
    t.respond(t.expectRequest(), { code: Code.CONTENT, observe: true });
    t.expectSent('ACK 2.05 token=cc');
    observe(t, 'aa', 'observe=1', 'other');
  });

  it('[COAP-167] a large notification has its first block; the rest is fetched without Observe under any token', () => {
    const { t, id } = observing({ params: { blockSize: 16 } });
    t.core.notify(id, { code: Code.CONTENT, contentFormat: 42, payload: body(40) }, t.now);
    t.expectSent('CON 2.05 mid=$m token=aa observe=2 cf=42 b2=0/1/16 size2=40 bytes=0..16');
    t.receive('ACK EMPTY mid=$m');
    t.receive('CON GET /a token=b1 b2=1/0/16');
    t.expectSent('ACK 2.05 token=b1 cf=42 b2=1/1/16 bytes=16..32');
    t.receive('CON GET /a token=b2 b2=2/0/16');
    t.expectSent('ACK 2.05 token=b2 cf=42 b2=2/0/16 bytes=32..40');
    assert.equal(t.core.sizes().bodyBytes, 0);
    assert.deepEqual(t.unobserved, []);
  });
});
