import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatBlock, parseBlock, sliceBody, Uploads } from '../../../lib/device/blocks';
import { Responder, type OptionName, type Reply } from '../../../lib/device/responder';
import { formatUint, readIncoming, type Incoming, type RawOption } from '../../../lib/device/wire';
import { putResource, resourceAt } from '../../../lib/device/world';
import { ground } from './ground';

const JSON_SENML = 110;

function incoming(code: string, path: string, more: { options?: RawOption[]; payload?: Uint8Array; token?: string } = {}): Incoming {
  const uriPath = path.split('/').slice(1).map((part): RawOption => ({ name: 'Uri-Path', value: Buffer.from(part) })); // prettier-ignore
  return readIncoming(code, Buffer.from(more.token ?? 'aa', 'hex'), [...uriPath, ...(more.options ?? [])], more.payload ?? Buffer.alloc(0));
}

function option(reply: Reply, name: OptionName): Buffer | undefined {
  const value = reply.options.find(([key]) => key === name)?.[1];
  return Array.isArray(value) ? value[0] : value;
}

const block1 = (num: number, more: boolean, szx = 0): RawOption => ({ name: 'Block1', value: formatBlock({ num, more, szx }) });
const block2 = (num: number, szx: number): RawOption => ({ name: 'Block2', value: formatBlock({ num, more: false, szx }) });
const accept = (format: number): RawOption => ({ name: 'Accept', value: formatUint(format) });

describe('block-wise upload', () => {
  const text = 'The description of a container, longer than one block.';
  const blocks = [text.slice(0, 16), text.slice(16, 32), text.slice(32, 48), text.slice(48)];

  it('[DEV-027] is put together whatever the tokens are, and is written once', () => {
    const { world } = ground();
    const responder = new Responder(world);
    const codes = blocks.map((part, num) => {
      const reply = responder.respond(
        incoming('0.03', '/19/0/3', { options: [block1(num, num < 3)], payload: Buffer.from(part), token: `0${num}` }),
        num,
      );
      assert.deepEqual(option(reply, 'Block1'), formatBlock({ num, more: num < 3, szx: 0 }));
      return reply.code;
    });
    assert.deepEqual(codes, ['2.31', '2.31', '2.31', '2.04']);
    assert.equal(resourceAt(world, [19, 0, 3]), text);
    assert.equal(world.events.length, 1);
  });

  it('[DEV-027] of two targets do not mix', () => {
    const { world } = ground();
    const responder = new Responder(world);
    const put = (path: string, num: number, part: string): string =>
      responder.respond(incoming('0.03', path, { options: [block1(num, num < 1)], payload: Buffer.from(part) }), 0).code;
    assert.deepEqual([put('/19/0/3', 0, 'aaaaaaaaaaaaaaaa'), put('/19/1/3', 0, 'bbbbbbbbbbbbbbbb')], ['2.31', '2.31']);
    assert.deepEqual([put('/19/0/3', 1, 'A'), put('/19/1/3', 1, 'B')], ['2.04', '2.04']);
    assert.equal(resourceAt(world, [19, 0, 3]), 'aaaaaaaaaaaaaaaaA');
    assert.equal(resourceAt(world, [19, 1, 3]), 'bbbbbbbbbbbbbbbbB');
  });

  const sixteen = Buffer.alloc(16);
  const wrong: [string, [number, boolean, Buffer][], string][] = [
    ['a block is left out', [[0, true, sixteen], [2, false, sixteen]], '4.08'], // prettier-ignore
    ['it begins in the middle', [[1, false, sixteen]], '4.08'],
    ['a block that is not the last is short', [[0, true, Buffer.alloc(15)]], '4.00'],
    ['a block is longer than its size', [[0, false, Buffer.alloc(17)]], '4.00'],
    ['a block comes after the refusal', [[0, true, sixteen], [5, true, sixteen], [1, true, sixteen]], '4.08'], // prettier-ignore
  ];
  for (const [name, steps, code] of wrong) {
    it(`[DEV-027] is refused with ${code} when ${name}`, () => {
      const uploads = new Uploads();
      const results = steps.map(([num, more, payload]) => uploads.take('x', { num, more, szx: 0 }, payload, 0));
      assert.deepEqual(results.at(-1), { kind: 'refused', code });
    });
  }

  it('[DEV-027] begins anew with block 0, is forgotten after 247 s, and has an end at 1 MiB', () => {
    const uploads = new Uploads();
    uploads.take('x', { num: 0, more: true, szx: 0 }, Buffer.alloc(16, 1), 0);
    uploads.take('x', { num: 0, more: true, szx: 0 }, Buffer.alloc(16, 2), 0);
    const whole = uploads.take('x', { num: 1, more: false, szx: 0 }, Buffer.from([3]), 0);
    assert.deepEqual(whole, { kind: 'whole', payload: Buffer.concat([Buffer.alloc(16, 2), Buffer.from([3])]) });

    uploads.take('x', { num: 0, more: true, szx: 0 }, sixteen, 0);
    assert.equal(uploads.take('x', { num: 1, more: true, szx: 0 }, sixteen, 247_000).kind, 'refused');

    const kilobyte = Buffer.alloc(1024);
    for (let num = 0; num < 1024; num += 1) assert.equal(uploads.take('x', { num, more: true, szx: 6 }, kilobyte, 0).kind, 'more');
    assert.deepEqual(uploads.take('x', { num: 1024, more: true, szx: 6 }, kilobyte, 0), { kind: 'refused', code: '4.13' });
  });

  it('[DEV-027] holds four at a time', () => {
    const uploads = new Uploads();
    for (const key of ['a', 'b', 'c', 'd', 'e']) uploads.take(key, { num: 0, more: true, szx: 0 }, sixteen, 0);
    assert.equal(uploads.take('a', { num: 1, more: false, szx: 0 }, sixteen, 0).kind, 'refused');
    assert.equal(uploads.take('b', { num: 1, more: false, szx: 0 }, sixteen, 0).kind, 'whole');
  });
});

describe('block-wise download', () => {
  it('[DEV-028] slices make the body again, at any size asked for', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.option(fc.integer({ min: 0, max: 6 })), (body, szx) => {
        const parts: Uint8Array[] = [];
        let asked = szx === null ? undefined : { num: 0, more: false, szx };
        for (;;) {
          const slice = sliceBody(body, asked);
          assert.ok(slice);
          parts.push(slice.payload);
          if (!slice.block?.more) break;
          assert.equal(slice.payload.length, 16 << slice.block.szx);
          asked = { num: slice.block.num + 1, more: false, szx: slice.block.szx };
        }
        assert.deepEqual(Buffer.concat(parts), Buffer.from(body));
      }),
      { seed: 7959, numRuns: 300 },
    );
  });

  it('[DEV-028] later blocks come from the state of the first one', () => {
    const { world } = ground();
    const responder = new Responder(world);
    const get = (num: number): Reply => responder.respond(incoming('0.01', '/3/0', { options: [accept(JSON_SENML), block2(num, 2)] }), 0);
    let reply = get(0);
    const [etag, parts] = [option(reply, 'ETag'), [reply.payload]];
    assert.ok(etag && etag.length > 0);
    putResource(world, [3, 0, 15], 'Europe/Berlin');
    for (let num = 1; parseBlock(option(reply, 'Block2') ?? Buffer.alloc(4))?.more; num += 1) {
      reply = get(num);
      assert.deepEqual(option(reply, 'ETag'), etag);
      parts.push(reply.payload);
    }
    assert.ok(parts.length > 2);
    const body = Buffer.concat(parts).toString('utf8');
    assert.ok(JSON.parse(body));
    assert.ok(body.includes('Etc/UTC') && !body.includes('Europe/Berlin'));
  });

  it('[DEV-028] a large notification can be read to its end', () => {
    const { world } = ground();
    putResource(world, [19, 0, 0], new Map(Array.from({ length: 60 }, (_, at) => [at, Buffer.alloc(20, at)])));
    const responder = new Responder(world);
    const first = responder.notification([19, 0], undefined, 11542);
    assert.equal(first.payload.length, 512);
    assert.equal(parseBlock(option(first, 'Block2') ?? Buffer.alloc(4))?.more, true);
    putResource(world, [19, 0, 0], new Map());
    const second = responder.respond(incoming('0.01', '/19/0', { options: [block2(1, 5)] }), 0);
    assert.equal(second.code, '2.05');
    assert.deepEqual(option(second, 'ETag'), option(first, 'ETag'));
  });

  it('[DEV-028] a block beyond the end is refused', () => {
    const responder = new Responder(ground().world);
    assert.equal(responder.respond(incoming('0.01', '/3/0/9', { options: [block2(3, 0)] }), 0).code, '4.00');
  });
});

describe('options of a request', () => {
  const refused: [string, RawOption, string][] = [
    ['an unknown critical option', { name: '9999', value: Buffer.from([1]) }, '4.02'],
    ['If-Match', { name: 'If-Match', value: Buffer.alloc(0) }, '4.02'],
    ['OSCORE', { name: 'OSCORE', value: Buffer.alloc(0) }, '4.02'],
    ['an Accept of three bytes', { name: 'Accept', value: Buffer.alloc(3) }, '4.02'],
    ['Proxy-Uri', { name: 'Proxy-Uri', value: Buffer.from('coap://x') }, '5.05'],
    ['Proxy-Scheme', { name: 'Proxy-Scheme', value: Buffer.from('coap') }, '5.05'],
    ['a Block2 with the reserved size', { name: 'Block2', value: Buffer.from([7]) }, '4.00'],
  ];
  for (const [name, raw, code] of refused) {
    it(`[DEV-029] ${name} is refused with ${code}`, () => {
      assert.equal(new Responder(ground().world).respond(incoming('0.01', '/3/0/9', { options: [raw] }), 0).code, code);
    });
  }

  const ignored: [string, RawOption][] = [
    ['an unknown elective option', { name: '9998', value: Buffer.from([1]) }],
    ['Uri-Host', { name: 'Uri-Host', value: Buffer.from('device') }],
    ['Uri-Port', { name: 'Uri-Port', value: Buffer.from([22, 51]) }],
    ['an Observe of four bytes', { name: 'Observe', value: Buffer.alloc(4) }],
  ];
  for (const [name, raw] of ignored) {
    it(`[DEV-029] ${name} is ignored`, () => {
      const reply = new Responder(ground().world).respond(incoming('0.01', '/3/0/9', { options: [raw] }), 0);
      assert.equal(reply.code, '2.05');
      assert.equal(reply.observe, undefined);
    });
  }

  it('[DEV-029] says when it cannot be a second Accept', () => {
    assert.equal(incoming('0.01', '/3/0/9', { options: [accept(0), accept(60)] }).refused, '4.02');
  });

  it('reads path, query and numbers', () => {
    const read = incoming('0.02', '/rd/x', {
      options: [
        { name: 'Uri-Query', value: Buffer.from('pmin=1') },
        { name: 'Content-Format', value: formatUint(11542) },
      ],
    });
    assert.deepEqual(read.request, {
      method: 'POST',
      path: ['rd', 'x'],
      query: ['pmin=1'],
      contentFormat: 11542,
      payload: Buffer.alloc(0),
    });
    assert.equal(read.token, 'aa');
  });

  it('block options survive writing and reading', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xfffff }), fc.boolean(), fc.integer({ min: 0, max: 6 }), (num, more, szx) => {
        assert.deepEqual(parseBlock(formatBlock({ num, more, szx })), { num, more, szx });
      }),
      { seed: 7959 },
    );
    assert.equal(parseBlock(Buffer.from([7])), undefined);
    assert.equal(parseBlock(Buffer.alloc(4)), undefined);
  });
});
