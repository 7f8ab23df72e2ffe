import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import { textOption, uintOption } from '../../../lib/coap/options';
import { dialogue } from '../../support/coap-dialogue';

const content = { code: Code.CONTENT, payload: Buffer.from('hi') };

describe('CoAP requests to us', () => {
  it('[COAP-030] reach the handler as plain data', () => {
    const t = dialogue();
    t.receive('CON POST /rd/5a query=ep=x query=lt=60 cf=40 accept=110 opt2048=ff token=0102 "</>"');
    const request = t.expectRequest();
    assert.deepEqual(
      {
        ...request,
        options: request.options.length,
        payload: Buffer.from(request.payload).toString(),
        token: Buffer.from(request.token).toString('hex'),
      },
      {
        id: request.id,
        peer: t.peer(),
        code: Code.POST,
        confirmable: true,
        token: '0102',
        path: ['rd', '5a'],
        query: ['ep=x', 'lt=60'],
        contentFormat: 40,
        accept: 110,
        options: 6,
        payload: '</>',
      },
    );
    t.receive('NON FETCH /');
    const bare = t.expectRequest();
    assert.deepEqual([bare.code, bare.confirmable, bare.path, bare.query], [Code.FETCH, false, [], []]);
    assert.deepEqual([bare.contentFormat, bare.accept, bare.payload.length, bare.token.length], [undefined, undefined, 0, 0]);
  });

  it('[COAP-031] a fast answer is piggybacked on the acknowledgement', () => {
    const t = dialogue();
    t.receive('CON POST /rd mid=7 token=a1');
    t.respond(t.expectRequest(), {
      code: Code.CREATED,
      contentFormat: 0,
      options: [textOption(8, 'rd'), textOption(8, 'x1'), uintOption(14, 60)],
    });
    const message = t.expectSent('ACK 2.01 mid=7 token=a1 cf=0 maxage=60 opt8=7831');
    assert.equal(message.options.length, 4);
    t.wait(500_000);
    t.expectSilence();
  });

  it('[COAP-032] a slow one is acknowledged after 500 ms, and comes as a Confirmable message of its own', () => {
    const t = dialogue();
    const asked = t.encode('CON GET /slow mid=7 token=a1');
    t.receiveBytes(asked);
    t.wait(499);
    t.expectSilence();
    t.wait(1);
    t.expectSent('ACK EMPTY mid=7 token=-');
    t.wait(4_000);
    t.receiveBytes(asked);
    t.expectSent('ACK EMPTY mid=7 token=-');
    t.respond(t.expectRequest(), content);
    t.expectSent('CON 2.05 mid=$m token=a1 "hi"');
    assert.notEqual(t.value('$m'), '7');
    t.receiveBytes(asked);
    t.expectSent('ACK EMPTY mid=7 token=-');
    t.expectNoRequest();
    t.wait(2_000);
    t.expectSent('CON 2.05 mid=$m token=a1 "hi"');
    t.receive('ACK EMPTY mid=$m');
    t.wait(100_000);
    t.expectSilence();
    t.expectNothingLeft();
  });

  it('[COAP-032] a separate answer is sent five times in all, and a Reset ends it', () => {
    const t = dialogue();
    t.receive('CON GET /slow token=a1');
    t.wait(500);
    t.expectSent('ACK EMPTY');
    t.respond(t.expectRequest(), content);
    t.wait(100_000);
    assert.equal(t.takeTimes().length, 5);
    t.receive('CON GET /slow token=a2');
    t.wait(500);
    t.expectSent('ACK EMPTY');
    t.respond(t.expectRequest(), content);
    t.expectSent('CON 2.05 mid=$m token=a2 "hi"');
    t.receive('RST EMPTY mid=$m');
    t.wait(100_000);
    t.expectSilence();
  });

  it('[COAP-033] a Non-confirmable request is answered Non-confirmable with a message id of ours, however late', () => {
    const t = dialogue({ float: () => 0.25 });
    t.receive('NON GET /a mid=7 token=a1');
    t.wait(3_000);
    t.expectSilence();
    t.respond(t.expectRequest(), content);
    t.expectSent('NON 2.05 mid=16384 token=a1 "hi"');
    t.wait(100_000);
    t.expectSilence();
  });

  it('[COAP-034] only the first answer counts', () => {
    const t = dialogue();
    t.receive('CON GET /a token=a1');
    const request = t.expectRequest();
    t.respond(request, content);
    t.expectSent('ACK 2.05 token=a1 "hi"');
    t.respond(request, { code: Code.INTERNAL_SERVER_ERROR });
    t.core.respond(999, content, t.now);
    t.expectSilence();
  });

  it('[COAP-035] a path nobody serves and a method nobody knows are refused without keeping anything', () => {
    const t = dialogue();
    t.receive('CON GET /unknown mid=3 token=a1');
    t.expectSent('ACK 4.04 mid=3 token=a1');
    t.receive('NON GET /unknown token=a2');
    t.expectSent('NON 4.04 token=a2');
    t.receive('CON DELETE /a token=a3');
    t.expectSent('ACK 4.05 token=a3');
    t.expectNoRequest();
    assert.equal(t.core.sizes().peers, 0);
  });

  it('[COAP-036] an unknown critical option: 4.02 when Confirmable, else silence', () => {
    const t = dialogue();
    for (const option of ['opt9=01', 'opt19=-', 'opt1=aa', 'opt5=-', 'opt3=-', 'opt65001=-', 'b1=0/0/16 opt17=010203']) {
      t.receive(`CON GET /a ${option} mid=3 token=a1`);
      t.expectSent('ACK 4.02 mid=3 token=a1');
      t.receive(`NON GET /a ${option} token=a1`);
      t.expectSilence();
    }
    t.expectNoRequest();
    assert.equal(t.core.sizes().peers, 0);
  });

  it('[COAP-011] unknown elective options, and wrong elective ones, do not disturb', () => {
    const t = dialogue();
    t.receive('CON GET /a opt2048=0102 opt12=010203 opt258=0102');
    assert.deepEqual(
      t.expectRequest().options.map(({ number }) => number),
      [11],
    );
  });

  it('[COAP-037] we are no proxy: 5.05', () => {
    const t = dialogue();
    t.receive('CON GET /a opt35=636f61703a2f2f61 token=a1');
    t.expectSent('ACK 5.05 token=a1');
    t.receive('CON GET /a opt39=636f6170 token=a1');
    t.expectSent('ACK 5.05 token=a1');
    t.receive('NON GET /a opt39=636f6170 token=a1');
    t.expectSent('NON 5.05 token=a1');
    t.expectNoRequest();
  });

  it('[COAP-038] Uri-Host and Uri-Port are read over', () => {
    const t = dialogue();
    t.receive('CON GET /a opt3=6c6f63616c opt7=1633');
    assert.deepEqual(t.expectRequest().path, ['a']);
  });

  describe('No-Response', () => {
    for (const [value, classes] of [
      ['-', []],
      ['00', []],
      ['02', [2]],
      ['08', [4]],
      ['10', [5]],
      ['1a', [2, 4, 5]],
    ] as const) {
      it(`[COAP-039] ${value} holds back the classes [${classes.join(', ')}], and Confirmable requests are still acknowledged`, () => {
        for (const [major, code, text] of [
          [2, Code.CHANGED, '2.04'],
          [4, Code.NOT_FOUND, '4.04'],
          [5, Code.INTERNAL_SERVER_ERROR, '5.00'],
        ] as const) {
          const held = (classes as readonly number[]).includes(major);
          const t = dialogue();
          t.receive(`CON POST /a mid=4 token=a1 opt258=${value}`);
          t.respond(t.expectRequest(), { code });
          t.expectSent(held ? 'ACK EMPTY mid=4 token=-' : `ACK ${text} mid=4 token=a1`);
          t.receive(`CON POST /a mid=4 token=a1 opt258=${value}`);
          t.expectSent(held ? 'ACK EMPTY mid=4 token=-' : `ACK ${text} mid=4 token=a1`);
          t.receive(`NON POST /a token=a1 opt258=${value}`);
          t.respond(t.expectRequest(), { code });
          if (!held) t.expectSent(`NON ${text} token=a1`);
          t.expectSilence();
        }
      });
    }

    it('[COAP-039] refusals of the engine itself as well', () => {
      const t = dialogue();
      for (const [what, text] of [
        ['GET /unknown', '4.04'],
        ['DELETE /a', '4.05'],
      ] as const) {
        t.receive(`CON ${what} mid=4 token=a1 opt258=08`);
        t.expectSent('ACK EMPTY mid=4 token=-');
        t.receive(`NON ${what} token=a1 opt258=1a`);
        t.expectSilence();
        t.receive(`NON ${what} token=a1 opt258=12`);
        t.expectSent(`NON ${text} token=a1`);
      }
      t.receive('NON GET /a token=a1 opt39=636f6170 opt258=08');
      t.expectSent('NON 5.05 token=a1');
      t.receive('NON GET /a token=a1 opt39=636f6170 opt258=10');
      t.expectSilence();
      t.expectNoRequest();
    });

    it('[COAP-039] after a late acknowledgement nothing more comes', () => {
      const t = dialogue();
      t.receive('CON POST /a mid=4 opt258=1a');
      t.wait(500);
      t.expectSent('ACK EMPTY mid=4');
      t.respond(t.expectRequest(), { code: Code.CHANGED });
      t.wait(100_000);
      t.expectSilence();
      t.expectNothingLeft();
    });
  });

  it('[COAP-040] one peer has at most so many requests waiting for answers; the excess gets 5.03 and is counted', () => {
    const t = dialogue({ params: { maxExchanges: 4 } });
    for (let index = 0; index < 4; index++) t.receive('CON POST /slow');
    t.receive('CON POST /slow mid=50 token=a1');
    t.expectSent('ACK 5.03 mid=50 token=a1');
    t.wait(1);
    t.receive('CON POST /slow', 'other');
    assert.equal(t.requests.length, 5);
    t.wait(500);
    for (let index = 0; index < 4; index++) t.expectSent('ACK EMPTY');
    t.expectSent('ACK EMPTY', 'other');
    for (const request of t.requests.slice(0, 4)) t.respond(request, content);
    t.sent.length = 0;
    t.receive('CON POST /slow mid=51 token=a1');
    t.expectSent('ACK 5.03 mid=51 token=a1');
    t.wait(62_000);
    t.requests.length = 0;
    t.receive('CON POST /slow mid=52 token=a1');
    t.expectRequest();
    assert.equal(t.core.counters.refusedExchanges, 2);
  });
});
