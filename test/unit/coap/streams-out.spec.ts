import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import type { BodySink, BodySource, IncomingResponse, RequestSpec } from '../../../lib/coap/types';
import { settled, Sink, Source } from '../../support/body-streams';
import { body, dialogue, type Dialogue } from '../../support/coap-dialogue';

const small = { params: { blockSize: 16 } };

const put = (source: BodySource, spec: Partial<RequestSpec> = {}): RequestSpec => ({
  code: Code.PUT,
  path: ['fw'],
  body: source,
  ...spec,
});

function exchange(t: Dialogue, expected: string, answer: string): void {
  t.expectSent(`CON ${expected} mid=$m token=$t`);
  t.receive(`ACK ${answer} mid=$m token=$t`);
  t.forgetNames();
}

function failed(t: Dialogue, reason: string, detail: RegExp): void {
  const outcome = t.expectOutcome(reason);
  assert.ok(outcome.kind === 'failed');
  assert.match(outcome.detail, detail);
}

describe('CoAP bodies block by block, asked for by us', () => {
  describe('of our requests', () => {
    it('[COAP-152] each block is read when it is due, and the bytes are those of a body in one piece', () => {
      const t = dialogue(small);
      const source = new Source(40);
      t.request(put(source, { contentFormat: 42 }));
      assert.deepEqual(source.asked, ['0+16']);
      exchange(t, 'PUT /fw cf=42 b1=0/1/16 size1=40 bytes=0..16', '2.31 b1=0/1/16');
      assert.deepEqual(source.asked, ['0+16', '16+16']);
      exchange(t, 'PUT /fw cf=42 b1=1/1/16 bytes=16..32', '2.31 b1=1/1/16');
      exchange(t, 'PUT /fw cf=42 b1=2/0/16 bytes=32..40', '2.04 b1=2/0/16');
      t.expectOutcome('2.04');
      assert.deepEqual(source.asked, ['0+16', '16+16', '32+8']);
      source.expectEnd();
      t.expectNothingLeft();
    });

    it('[COAP-152] one that fits goes in one message, an empty one in none of its own', () => {
      const t = dialogue(small);
      const source = new Source(16);
      t.request(put(source));
      exchange(t, 'PUT /fw bytes=0..16', '2.04');
      t.expectOutcome('2.04');
      source.expectEnd();
      const empty = new Source(0);
      t.request(put(empty));
      exchange(t, 'PUT /fw', '2.04');
      t.expectOutcome('2.04');
      assert.deepEqual(empty.asked, []);
      empty.expectEnd();
    });

    it('[COAP-152] repetitions and a busy peer do not read again', () => {
      const t = dialogue(small);
      const source = new Source(20);
      t.request(put(source));
      t.expectSent('CON PUT /fw b1=0/1/16 size1=20 mid=$a token=$t bytes=0..16');
      t.wait(2_000);
      t.expectSent('CON PUT /fw b1=0/1/16 size1=20 mid=$a token=$t bytes=0..16');
      t.receive('ACK 5.03 mid=$a token=$t');
      t.wait(2_000);
      t.expectSent('CON PUT /fw b1=0/1/16 size1=20 mid=$b token=$t bytes=0..16');
      assert.deepEqual(source.asked, ['0+16']);
    });

    it('[COAP-152] while a source takes its time others have their turn, but nothing of the same object', async () => {
      const t = dialogue(small);
      const source = new Source(20, true);
      t.request(put(source, { path: ['5', '0', '0'] }));
      t.request({ code: Code.POST, path: ['5', '0', '2'] });
      t.request({ code: Code.GET, path: ['3'] });
      t.expectSent('CON GET /3 mid=$g token=$h');
      t.receive('ACK 2.05 mid=$g token=$h');
      t.expectOutcome('2.05');
      t.expectSilence();
      await source.wish().give();
      t.expectSent('CON PUT /5/0/0 b1=0/1/16 size1=20 mid=$a token=$t bytes=0..16');
      t.receive('ACK 2.31 mid=$a token=$t b1=0/1/16');
      t.expectSilence();
      await source.wish().give();
      t.expectSent('CON PUT /5/0/0 b1=1/0/16 mid=$b token=$t bytes=16..20');
      t.receive('ACK 2.04 mid=$b token=$t');
      t.expectOutcome('2.04');
      t.expectSent('CON POST /5/0/2');
    });

    for (const [what, read, detail] of [
      ['throws', (): Uint8Array => assert.fail('no such file'), /no such file/],
      ['rejects', (): Promise<Uint8Array> => Promise.reject(new Error('no such file')), /no such file/],
      ['gives too few bytes', (): Uint8Array => body(3), /3 bytes for the 16 at 0/],
      ['gives too many bytes', (): Promise<Uint8Array> => Promise.resolve(body(17)), /17 bytes/],
      ['gives no bytes at all', (): Uint8Array => 'text' as unknown as Uint8Array, /no bytes/],
    ] as const) {
      it(`[COAP-153] a source that ${what} ends the request as stream`, async () => {
        const t = dialogue(small);
        const ends: unknown[] = [];
        t.request(put({ size: 40, read, end: (failure) => ends.push(failure?.reason) }));
        await settled();
        failed(t, 'stream', detail);
        assert.deepEqual(ends, ['stream']);
        t.expectSilence();
        t.expectNothingLeft();
      });
    }

    it('[COAP-153] also in the middle; nothing more is sent, and others go on', async () => {
      const t = dialogue(small);
      const source = new Source(40, true);
      t.request(put(source));
      await source.wish().give();
      exchange(t, 'PUT /fw b1=0/1/16 size1=40 bytes=0..16', '2.31 b1=0/1/16');
      t.request({ code: Code.GET, path: ['fw'] });
      await source.wish().fail(new Error('the disk is gone'));
      failed(t, 'stream', /the disk is gone/);
      source.expectEnd('stream');
      t.expectSent('CON GET /fw');
      t.expectSilence();
    });

    it('[COAP-153] one that is not ready within the time of the request, too; what comes later is dropped', async () => {
      const t = dialogue(small);
      const source = new Source(40, true);
      t.request(put(source, { timeout: 5_000 }));
      t.wait(5_000);
      failed(t, 'stream', /not ready in time/);
      await source.wish().give();
      t.expectSilence();
      source.expectEnd('stream');
      t.expectNothingLeft();
    });

    it('[COAP-153] cancelled, closed, or its route gone while the source is at work', async () => {
      for (const [reason, end] of [
        ['cancelled', (t: Dialogue, id: number): void => t.core.cancel(id, t.now)],
        ['closed', (t: Dialogue): void => t.core.close(t.now)],
        ['unreachable', (t: Dialogue): void => t.core.gone(t.peer(), 'gone', t.now)],
      ] as const) {
        const t = dialogue(small);
        const source = new Source(40, true);
        end(t, t.request(put(source)));
        t.expectOutcome(reason);
        await source.wish().give();
        t.expectSilence();
        source.expectEnd(reason);
      }
    });

    it('[COAP-061] also while a busy peer is left alone', () => {
      const t = dialogue(small);
      t.request({ code: Code.GET, path: ['3'] });
      exchange(t, 'GET /3', '5.03');
      t.core.gone(t.peer(), 'gone', t.now);
      t.expectOutcome('unreachable');
      t.wait(10_000);
      t.expectSilence();
    });

    it('[COAP-133] one whose source is at work follows its device to a new route', async () => {
      const t = dialogue(small);
      const source = new Source(20, true);
      t.request(put(source));
      t.core.rebind(t.peer(), t.peer('moved'), t.now);
      await source.wish().give();
      t.expectSent('CON PUT /fw b1=0/1/16 size1=20 bytes=0..16', 'moved');
    });

    it('[COAP-154] 4.13 with a smaller size, and 4.08, read from the start again', () => {
      const t = dialogue({ params: { blockSize: 64 } });
      const source = new Source(100);
      t.request(put(source));
      exchange(t, 'PUT /fw b1=0/1/64 size1=100 bytes=0..64', '4.13 b1=0/1/32');
      exchange(t, 'PUT /fw b1=0/1/32 size1=100 bytes=0..32', '2.31 b1=0/1/32');
      exchange(t, 'PUT /fw b1=1/1/32 bytes=32..64', '4.08');
      exchange(t, 'PUT /fw b1=0/1/32 size1=100 bytes=0..32', '2.31 b1=0/1/16');
      t.expectSent('CON PUT /fw b1=2/1/16 bytes=32..48');
      assert.deepEqual(source.asked, ['0+64', '0+32', '32+32', '0+32', '32+16']);
    });

    it('[COAP-116] more blocks than there are numbers: too-large, and nothing is read', () => {
      const t = dialogue(small);
      const source = new Source(16 * 0x100000 + 1);
      t.request(put(source));
      t.expectNoOutcome();
      t.wait(0);
      t.expectOutcome('too-large');
      assert.deepEqual(source.asked, []);
      source.expectEnd('too-large');
    });
  });

  describe('of answers to us', () => {
    const get = (sink: BodySink, spec: Partial<RequestSpec> = {}): RequestSpec => ({ code: Code.GET, path: ['big'], sink, ...spec });
    const answerOf = (t: Dialogue, text: string): IncomingResponse => {
      const outcome = t.expectOutcome(text);
      assert.ok(outcome.kind === 'response');
      return outcome.response;
    };

    it('[COAP-155] go to the sink in order; the next is asked for when it has the one before', async () => {
      const t = dialogue();
      const sink = new Sink(true);
      t.request(get(sink));
      exchange(t, 'GET /big', '2.05 cf=42 etag=01 b2=0/1/16 bytes=0..16');
      t.expectSilence();
      await sink.done();
      exchange(t, 'GET /big accept=42 b2=1/0/16', '2.05 cf=42 etag=01 b2=1/1/16 bytes=16..32');
      await sink.done();
      exchange(t, 'GET /big accept=42 b2=2/0/16', '2.05 cf=42 etag=01 b2=2/0/16 bytes=32..40');
      t.expectNoOutcome();
      assert.deepEqual(sink.ends, []);
      await sink.done();
      assert.equal(answerOf(t, '2.05').contentFormat, 42);
      assert.ok(sink.data.equals(body(40)));
      sink.expectEnd();
      t.expectNothingLeft();
    });

    it('[COAP-155] others have their turn while the sink is at work', async () => {
      const t = dialogue();
      const sink = new Sink(true);
      t.request(get(sink));
      t.request({ code: Code.GET, path: ['3'] });
      exchange(t, 'GET /big', '2.05 b2=0/1/16 bytes=0..16');
      exchange(t, 'GET /3', '2.05');
      t.expectOutcome('2.05');
      await sink.done();
      t.expectSent('CON GET /big b2=1/0/16');
    });

    it('[COAP-155] a body in one message goes there as well, an empty one and that of an error does not', () => {
      const t = dialogue();
      const sink = new Sink();
      t.request(get(sink));
      exchange(t, 'GET /big', '2.05 bytes=0..10');
      answerOf(t, '2.05');
      assert.ok(sink.data.equals(body(10)));
      sink.expectEnd();
      const other = new Sink();
      t.request(get(other));
      exchange(t, 'GET /big', '2.05');
      answerOf(t, '2.05');
      const third = new Sink();
      t.request(get(third));
      exchange(t, 'GET /big', '4.04 b2=0/1/16 bytes=0..16');
      exchange(t, 'GET /big b2=1/0/16', '4.04 b2=1/0/16 bytes=16..20');
      answerOf(t, '4.04 bytes=0..20');
      assert.deepEqual([other.written, third.written], [[], []]);
      t.expectNothingLeft();
    });

    it('[COAP-156] what changes begins anew at 0', () => {
      const t = dialogue();
      const sink = new Sink();
      t.request(get(sink));
      exchange(t, 'GET /big', '2.05 etag=01 b2=0/1/16 bytes=16..32');
      exchange(t, 'GET /big b2=1/0/16', '2.05 etag=02 b2=1/0/16 bytes=16..20');
      exchange(t, 'GET /big', '2.05 etag=02 b2=0/1/16 bytes=0..16');
      exchange(t, 'GET /big b2=1/0/16', '2.05 etag=02 b2=1/0/16 bytes=16..20');
      answerOf(t, '2.05');
      assert.deepEqual(
        sink.written.map(([offset]) => offset),
        [0, 0, 16],
      );
      assert.ok(sink.data.equals(body(20)));
    });

    for (const [what, sink, spec, params] of [
      ['of the request', new Sink(), { maxBody: 20 }, {}],
      ['of the sink', new Sink(false, 20), {}, {}],
      ['of all', new Sink(), {}, { maxStream: 20 }],
    ] as const) {
      it(`[COAP-156] a body above the limit ${what} ends as too-large; that of bodies held as a whole does not matter`, () => {
        const t = dialogue({ params: { ...params, maxBody: 10, maxBodies: 10 } });
        t.request(get(sink, spec));
        exchange(t, 'GET /big', '2.05 b2=0/1/16 bytes=0..16');
        exchange(t, 'GET /big b2=1/0/16', '2.05 b2=1/1/16 bytes=16..32');
        t.expectOutcome('too-large');
        sink.expectEnd('too-large');
        assert.deepEqual(sink.written, [[0, 16]]);
        t.expectNothingLeft();
      });
    }

    it('[COAP-156] a sink that throws, rejects or is late ends it as stream', async () => {
      const cases: (() => void | Promise<void>)[] = [() => assert.fail('full'), () => Promise.reject(new Error('full'))];
      for (const write of cases) {
        const t = dialogue();
        t.request(get({ write }));
        exchange(t, 'GET /big', '2.05 b2=0/1/16 bytes=0..16');
        await settled();
        failed(t, 'stream', /full/);
        t.expectSilence();
        t.expectNothingLeft();
      }
      const t = dialogue();
      const sink = new Sink(true);
      t.request(get(sink));
      exchange(t, 'GET /big', '2.05 b2=0/1/16 bytes=0..16');
      t.wait(120_000);
      failed(t, 'stream', /sink of the body was not ready/);
      await sink.done();
      t.expectSilence();
      sink.expectEnd('stream');
    });
  });
});
