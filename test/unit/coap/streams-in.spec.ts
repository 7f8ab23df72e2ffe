import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import { CoapEndpoint } from '../../../lib/coap/endpoint';
import type { BodySink, BodySource } from '../../../lib/coap/types';
import { Driver } from '../../../lib/transport/driver';
import type { Peer } from '../../../lib/transport/types';
import { settled, Sink, Source } from '../../support/body-streams';
import { body, dialogue, type Dialogue } from '../../support/coap-dialogue';
import * as coap from '../../support/coap-message';
import { VirtualClock } from '../../support/virtual-clock';

const small = { params: { blockSize: 16 } };

describe('CoAP bodies block by block, of requests to us', () => {
  describe('of our answers', () => {
    const serve = (t: Dialogue, source: BodySource): void =>
      t.respond(t.expectRequest(), { code: Code.CONTENT, contentFormat: 42, body: source });

    it('[COAP-157] are read as they are asked for', () => {
      const t = dialogue(small);
      const source = new Source(40);
      t.receive('CON GET /fw mid=1 token=a1');
      serve(t, source);
      t.expectSent('ACK 2.05 mid=1 token=a1 cf=42 b2=0/1/16 size2=40 bytes=0..16');
      t.receive('CON GET /fw mid=2 token=a2 b2=1/0/16');
      t.expectSent('ACK 2.05 mid=2 token=a2 cf=42 b2=1/1/16 bytes=16..32');
      t.receive('CON GET /fw mid=2 token=a2 b2=1/0/16');
      t.expectSent('ACK 2.05 mid=2 token=a2 cf=42 b2=1/1/16 bytes=16..32');
      t.receive('NON GET /fw mid=3 token=a3 b2=2/0/16');
      t.expectSent('NON 2.05 token=a3 cf=42 b2=2/0/16 bytes=32..40');
      assert.deepEqual(source.asked, ['0+16', '16+16', '32+8']);
      source.expectEnd();
      t.expectNoRequest();
      t.expectNothingLeft();
    });

    it('[COAP-157] by many peers at a time, nothing held for any of them', () => {
      const t = dialogue();
      const source = new Source(2_000);
      for (const name of ['a', 'b', 'c']) {
        t.receive('CON GET /fw token=01', name);
        serve(t, source);
        t.expectSent('ACK 2.05 token=01 cf=42 b2=0/1/1024 size2=2000 bytes=0..1024', name);
      }
      assert.equal(t.core.sizes().bodyBytes, 0);
      for (const name of ['c', 'a', 'b']) {
        t.receive('CON GET /fw token=02 b2=1/0/1024', name);
        t.expectSent('ACK 2.05 token=02 cf=42 b2=1/0/1024 bytes=1024..2000', name);
      }
      assert.deepEqual(source.ends, [undefined, undefined, undefined]);
    });

    it('[COAP-157] one that fits is not sliced; an empty one is none', () => {
      const t = dialogue(small);
      const source = new Source(16);
      t.receive('CON GET /fw token=a1');
      serve(t, source);
      t.expectSent('ACK 2.05 token=a1 cf=42 bytes=0..16');
      source.expectEnd();
      t.receive('CON GET /fw token=a2');
      serve(t, new Source(0));
      t.expectSent('ACK 2.05 token=a2 cf=42');
    });

    it('[COAP-157] a slow source has its request acknowledged first, for every block', async () => {
      const t = dialogue(small);
      const source = new Source(20, true);
      t.receive('CON GET /fw mid=1 token=a1');
      serve(t, source);
      t.wait(500);
      t.expectSent('ACK EMPTY mid=1');
      await source.wish().give();
      t.expectSent('CON 2.05 mid=$s token=a1 cf=42 b2=0/1/16 size2=20 bytes=0..16');
      t.receive('ACK EMPTY mid=$s');
      t.receive('CON GET /fw mid=2 token=a2 b2=1/0/16');
      t.receive('CON GET /fw mid=2 token=a2 b2=1/0/16');
      t.wait(500);
      t.expectSent('ACK EMPTY mid=2');
      await source.wish().give();
      t.expectSent('CON 2.05 token=a2 cf=42 b2=1/0/16 bytes=16..20');
      source.expectEnd();
    });

    it('[COAP-158] a source that fails is 5.00, at the first block and later; the rest is dropped', async () => {
      const t = dialogue(small);
      const source = new Source(40, true);
      t.receive('CON GET /fw mid=1 token=a1');
      serve(t, source);
      await source.wish().fail(new Error('gone'));
      t.expectSent('ACK 5.00 mid=1 token=a1');
      source.expectEnd('stream');
      const second = new Source(40, true);
      t.receive('CON GET /fw mid=2 token=a1');
      serve(t, second);
      await second.wish().give();
      t.expectSent('ACK 2.05 mid=2 token=a1 cf=42 b2=0/1/16 size2=40 bytes=0..16');
      t.receive('CON GET /fw mid=3 token=a1 b2=1/0/16');
      await second.wish().give(body(2));
      t.expectSent('ACK 5.00 mid=3 token=a1');
      second.expectEnd('stream');
      t.receive('CON GET /fw mid=4 token=a1 b2=1/0/16');
      t.expectSent('ACK 4.08 mid=4 token=a1');
      t.expectNothingLeft();
    });

    it('[COAP-158] its source hears when the peer does not go on, asks anew, or is gone', async () => {
      const begin = (t: Dialogue): Source => {
        const source = new Source(40);
        t.receive('CON GET /fw');
        serve(t, source);
        t.sent.length = 0;
        return source;
      };
      const t = dialogue(small);
      const first = begin(t);
      const second = begin(t);
      first.expectEnd('cancelled');
      t.wait(247_000);
      second.expectEnd('no-response');
      const third = begin(t);
      t.core.gone(t.peer(), 'gone', t.now);
      third.expectEnd('unreachable');
      const slow = new Source(40, true);
      t.receive('CON GET /fw');
      serve(t, slow);
      t.core.close(t.now);
      slow.expectEnd('closed');
      await slow.wish().give();
      t.expectSilence();
    });
  });

  describe('sent to us', () => {
    const streams = (sink: BodySink, params = {}): Dialogue =>
      dialogue({ params, accept: ({ path }) => (path[0] === 'fw' ? sink : undefined) });

    it('[COAP-159] each block is answered when the sink has it; the handler comes last', async () => {
      const sink = new Sink(true);
      const t = streams(sink);
      t.receive('CON PUT /fw mid=1 token=a1 cf=42 query=a=1 b1=0/1/16 bytes=0..16');
      t.receive('CON PUT /fw mid=1 token=a1 cf=42 query=a=1 b1=0/1/16 bytes=0..16');
      t.expectSilence();
      await sink.done();
      t.expectSent('ACK 2.31 mid=1 token=a1 b1=0/1/16');
      t.receive('CON PUT /fw mid=2 token=a2 query=a=1 b1=1/1/16 bytes=16..32');
      t.wait(500);
      t.expectSent('ACK EMPTY mid=2');
      await sink.done();
      t.expectSent('CON 2.31 mid=$s token=a2 b1=1/1/16');
      t.receive('ACK EMPTY mid=$s');
      t.receive('CON PUT /fw mid=3 token=a3 query=a=1 b1=2/0/16 bytes=32..40');
      t.expectNoRequest();
      await sink.done();
      const request = t.expectRequest();
      assert.deepEqual([request.contentFormat, request.query, request.payload.length, request.body], [42, ['a=1'], 0, sink]);
      assert.ok(sink.data.equals(body(40)));
      sink.expectEnd();
      t.respond(request, { code: Code.CHANGED });
      t.expectSent('ACK 2.04 mid=3 token=a3 b1=2/0/16');
      t.expectNothingLeft();
    });

    it('[COAP-159] nothing is held, and the limits of what is held do not matter', () => {
      const sink = new Sink();
      const t = streams(sink, { maxBody: 10, maxBodies: 10, blockSize: 32 });
      t.receive('CON PUT /fw token=a1 size1=80 b1=0/1/64 bytes=0..64');
      t.expectSent('ACK 2.31 token=a1 b1=0/1/32');
      assert.equal(t.core.sizes().bodyBytes, 0);
      t.receive('CON PUT /fw token=a1 b1=2/0/32 bytes=64..80');
      t.respond(t.expectRequest(), { code: Code.CHANGED });
      t.expectSent('ACK 2.04 token=a1 b1=2/0/32');
      assert.ok(sink.data.equals(body(80)));
    });

    it('[COAP-159] a body in one message, and one nobody wants block by block, is handed on whole', () => {
      const sink = new Sink();
      const t = streams(sink);
      t.receive('CON PUT /fw token=a1 b1=0/0/16 bytes=0..10');
      assert.equal(t.expectRequest().payload.length, 10);
      t.receive('CON PUT /other token=a1 b1=0/1/16 bytes=0..16');
      t.receive('CON PUT /other token=a1 b1=1/0/16 bytes=16..20');
      const request = t.expectRequest();
      assert.deepEqual([request.payload.length, 'body' in request], [20, false]);
      assert.deepEqual(sink.written, []);
    });

    it('[COAP-160] a sink that fails is 5.00; one that refuses is what it says', async () => {
      const sink = new Sink(true);
      const t = streams(sink);
      t.receive('CON PUT /fw mid=1 token=a1 b1=0/1/16 bytes=0..16');
      sink.waiting.shift()?.reject(new Error('full'));
      await settled();
      t.expectSent('ACK 5.00 mid=1 token=a1 b1=0/0/16');
      sink.expectEnd('stream');
      t.receive('CON PUT /fw mid=2 token=a1 b1=1/1/16 bytes=16..32');
      t.expectSent('ACK 4.08 mid=2 token=a1');
      const other = dialogue({ accept: () => Code.FORBIDDEN });
      other.receive('CON PUT /fw mid=1 token=a1 b1=0/1/16 bytes=0..16');
      other.expectSent('ACK 4.03 mid=1 token=a1');
      other.expectNothingLeft();
    });

    it('[COAP-160] a body above the limit of the sink, or of all, is 4.13 with it, also when announced', () => {
      const sink = new Sink(false, 20);
      const t = streams(sink);
      t.receive('CON PUT /fw token=a1 size1=21 b1=0/1/16 bytes=0..16');
      t.expectSent('ACK 4.13 token=a1 size1=20');
      sink.expectEnd('too-large');
      t.receive('CON PUT /fw token=a1 b1=0/1/16 bytes=0..16');
      t.expectSent('ACK 2.31 token=a1 b1=0/1/16');
      t.receive('CON PUT /fw token=a1 b1=1/0/16 bytes=16..30');
      t.expectSent('ACK 4.13 token=a1 size1=20');
      assert.deepEqual(
        sink.ends.map((failure) => failure?.reason),
        ['too-large', 'too-large'],
      );
      const all = streams(new Sink(), { maxStream: 10 });
      all.receive('CON PUT /fw token=a1 b1=0/1/16 bytes=0..16');
      all.expectSent('ACK 4.13 token=a1 size1=10');
    });

    it('[COAP-160] the sink hears when the peer does not go on, begins anew, or is gone; late blocks are 4.08', async () => {
      const t = dialogue({ accept: () => sinks.at(-1) });
      const sinks = [new Sink(), new Sink(true), new Sink()];
      const begin = (mid: number): void => t.receive(`CON PUT /fw mid=${mid} token=a1 b1=0/1/16 bytes=0..16`);
      begin(1);
      t.wait(247_000);
      sinks.pop()!.expectEnd('no-response');
      t.sent.length = 0;
      begin(2);
      const slow = sinks.pop()!;
      begin(3);
      t.expectSent('ACK 2.31 mid=3 token=a1 b1=0/1/16');
      slow.expectEnd('cancelled');
      await slow.done();
      t.expectSent('ACK 4.08 mid=2 token=a1 b1=0/0/16');
      t.core.gone(t.peer(), 'gone', t.now);
      sinks.pop()!.expectEnd('unreachable');
      t.expectNothingLeft();
    });
  });

  it('[COAP-161] what sources, sinks and those who are asked for them throw is reported and goes no further', async () => {
    const clock = new VirtualClock();
    const errors: string[] = [];
    const onError = (error: unknown): void => void errors.push((error as Error).message);
    const endpoint = new CoapEndpoint({ driver: new Driver({ clock: clock.createAlarmOwner(), onError }), onError });
    const sent: string[] = [];
    const peer: Peer = {
      key: 'p',
      address: '192.0.2.1',
      port: 5683,
      identity: { scheme: 'coap', mode: 'none', name: '' },
      transport: { maxMessage: 1152, send: (data) => void sent.push(coap.codeText(coap.decodeMessage(data).code)) },
    };
    const source: BodySource = { size: 20, read: () => Promise.reject(new Error('read')), end: () => assert.fail('end') };
    endpoint.route(
      'fw',
      {
        methods: [Code.GET, Code.PUT],
        handle: ({ id }) => endpoint.respond(id, { code: Code.CONTENT, body: source }),
        accept: () => assert.fail('accept'),
      },
      'test',
    );
    const options = coap.pathOptions('/fw');
    const message = { type: coap.CON as coap.MessageType, token: Buffer.alloc(0), payload: Buffer.alloc(0) };
    endpoint.receive(coap.encodeMessage({ ...message, code: coap.code('0.01'), mid: 1, options }), peer);
    await settled();
    const block1 = coap.blockOption(coap.OptionNumber.Block1, { num: 0, more: true, size: 16 });
    const upload = { ...message, code: coap.code('0.03'), mid: 2, options: [...options, block1], payload: Buffer.alloc(16) };
    endpoint.receive(coap.encodeMessage(upload), peer);
    assert.deepEqual(sent, ['5.00', '5.00']);
    assert.deepEqual(errors, ['the body of a request or its answer: read', 'end', 'accept']);
    endpoint.close();
  });
});
