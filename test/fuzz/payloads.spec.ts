import assert from 'node:assert/strict';
import { codecFor, DecodeError, decodePayload, EncodeError } from '../../lib/codec/index';
import { parseLinks, LinkFormatError } from '../../lib/lwm2m/link-format';
import { omaModel } from '../../lib/model/oma';
import { FUZZ, liveHeap } from '../support/fuzz';
import { createRandom } from '../support/random';
import { bodiesOf } from '../support/recorded-exchanges';
import { MUTATIONS } from '../support/mutate';
import { readLinks } from '../support/register-parser';
import { loadTraces } from '../support/traces';

const FORMATS = [undefined, 0, 40, 42, 60, 110, 112, 320, 322, 1542, 1543, 11542, 11543, 11544];
/** Those of the mutations that work on bytes, not on CoAP messages. */
const ON_BYTES = ['flipBits', 'setByte', 'truncate', 'extend', 'removePiece', 'repeatPiece', 'splice', 'noise', 'identity'] as const;
const PATHS = [[], [3], [3, 0], [3, 0, 9], [3, 0, 6], [3, 0, 6, 1], [3303, 0, 5700], [5, 0, 0], [33605, 0], [65_534, 0, 1]];

const bodies = loadTraces()
  .flatMap(bodiesOf)
  .filter(({ payload, path }) => payload.length > 0 && /^(\/\d+)*\/?$/.test(path));
const payloads = bodies.map(({ payload }) => payload);

describe(`${FUZZ.count} spoiled payloads, seed ${FUZZ.seed}`, () => {
  it('are read, or refused with DecodeError, in any format and for any path', () => {
    const random = createRandom(FUZZ.seed + 3);
    const model = omaModel();
    const before = Object.getOwnPropertyNames(Object.prototype).length;
    let read = 0;
    for (let index = 0; index < FUZZ.count; index += 1) {
      const body = random.pick(bodies);
      let payload = body.payload;
      for (let left = random.pick([0, 1, 1, 1, 2]); left > 0; left -= 1)
        payload = MUTATIONS[random.pick(ON_BYTES)]?.(payload, payloads, random) ?? payload;
      const contentFormat = random.chance(0.7) ? body.contentFormat : random.pick(FORMATS);
      const own = body.path
        .split('/')
        .filter((segment) => segment !== '')
        .map(Number);
      const path = random.chance(0.7) ? own : random.pick(PATHS);
      const name = `format ${contentFormat}, /${path.join('/')}, ${payload.toString('hex')}`;
      try {
        const nodes = decodePayload(contentFormat, payload, { path, model });
        read += 1;
        assert.ok(nodes.length <= 4 * payload.length + 1, `${nodes.length} nodes from ${name}`);
        for (const node of nodes) {
          assert.ok(node.path.length <= 4 && node.path.every((id) => Number.isInteger(id) && id >= 0 && id <= 65_535), name);
          if (node.value === null) continue;
          assert.equal(node.path.length >= 3, true, name);
          assert.deepEqual(node.path.slice(0, path.length), path.slice(0, node.path.length), `outside the path: ${name}`);
        }
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        assert.ok(error instanceof DecodeError, `${String(error)} from ${name}`);
        assert.ok(error.message.length < 1_000, name);
      }
    }
    assert.ok(read > FUZZ.count / 10, `${read} read`);
    assert.equal(Object.getOwnPropertyNames(Object.prototype).length, before);
  });

  it('that were read are written and read again to the same values', () => {
    const random = createRandom(FUZZ.seed + 4);
    const model = omaModel();
    let again = 0;
    for (let index = 0; index < FUZZ.count / 5; index += 1) {
      const body = random.pick(bodies);
      const codec = codecFor(body.contentFormat ?? 0);
      if (codec === undefined || body.contentFormat === 40) continue;
      const path = body.path
        .split('/')
        .filter((segment) => segment !== '')
        .map(Number);
      const payload = MUTATIONS[random.pick(['flipBits', 'setByte', 'identity', 'removePiece'] as const)]?.(
        body.payload,
        payloads,
        random,
      ) as Buffer;
      let nodes: ReturnType<typeof codec.decode>;
      try {
        nodes = codec.decode(payload, { path, model });
      } catch {
        continue;
      }
      // An empty instance or object, and a resource without a value, have no place in every format.
      if (nodes.length === 0 || nodes.some(({ value }) => value === null)) continue;
      const name = `format ${body.contentFormat}, ${body.path}, ${payload.toString('hex')}`;
      let written: Uint8Array;
      try {
        written = codec.encode(nodes, { path, model });
      } catch (error) {
        // E.g. a spoiled time that could only be written as a relative one.
        assert.ok(error instanceof EncodeError, `${String(error)} from ${name}`);
        continue;
      }
      // Of objects nobody knows the type is a guess from the way a value is written, so only the values must stay.
      const bare = (all: typeof nodes): unknown =>
        all.map((node) => ({ ...node, type: model.object(node.path[0] ?? -1) ? node.type : '' }));
      assert.deepEqual(
        bare(codec.decode(written, { path, model })),
        bare(nodes),
        `${name} written as ${Buffer.from(written).toString('hex')}`,
      );
      again += 1;
    }
    assert.ok(again > FUZZ.count / 25, `${again} written`);
  });

  it('are link-format for the engine when they are for an independent reader', () => {
    const random = createRandom(FUZZ.seed + 5);
    const lists = payloads.filter((payload) => payload[0] === 0x3c);
    const pieces = [
      '<',
      '>',
      '/',
      ',',
      ';',
      '=',
      '"',
      '\\',
      ' ',
      '\n',
      'a',
      '1',
      ';ver="1.1"',
      ';ct=60',
      '</3/0>',
      ';hb',
      '\u00e9',
      '\u0000',
    ];
    let valid = 0;
    for (let index = 0; index < FUZZ.count; index += 1) {
      let text = random.pick(lists).toString('utf8').slice(0, 200);
      for (let left = random.between(0, 4); left > 0; left -= 1) {
        const at = random.int(text.length + 1);
        text = text.slice(0, at) + random.pick(pieces) + text.slice(at + random.int(3));
      }
      const theirs = readLinks(text);
      try {
        const ours = parseLinks(text);
        assert.notEqual(typeof theirs, 'string', `the server reads ${JSON.stringify(text)}, although: ${JSON.stringify(theirs)}`);
        valid += 1;
        assert.deepEqual(
          ours.map(({ target, attributes }) => ({ target, attributes: attributes.map(([name, value]) => [name, value ?? undefined]) })),
          theirs,
          JSON.stringify(text),
        );
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        assert.ok(error instanceof LinkFormatError, String(error));
        assert.equal(typeof theirs, 'string', `the server refuses ${JSON.stringify(text)}: ${error.message}`);
      }
    }
    assert.ok(valid > FUZZ.count / 20, `${valid} valid`);
  });

  it('leave the heap as it was', () => {
    const model = omaModel();
    const decode = (): void => {
      for (const { payload, contentFormat } of bodies) {
        try {
          decodePayload(contentFormat, payload, { path: [], model });
        } catch (error) {
          assert.ok(error instanceof DecodeError);
        }
      }
    };
    decode();
    const heap = liveHeap();
    for (let round = 0; round < 10; round += 1) decode();
    const grown = liveHeap() - heap;
    assert.ok(grown < 2_000_000, `the heap grew by ${grown} bytes`);
  });
});
