import assert from 'node:assert/strict';
import { DecodeError, codecs } from '../../../lib/codec';
import { parsePath } from '../../../lib/lwm2m/path';
import { textFormats, vectors as basic } from '../../vectors/codecs';
import { hierarchyVectors } from '../../vectors/hierarchy';
import { at, bytes, utf8 } from './support';

const RUNS = 20_000;
const vectors = [...basic, ...hierarchyVectors];

/** A small seeded generator (mulberry32): the same bytes on every run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Random bytes, or a good payload with bytes changed, cut out, doubled or cut off. */
function mutate(good: Uint8Array, next: (below: number) => number): Uint8Array {
  if (good.length === 0 || next(10) === 0) return Uint8Array.from({ length: next(40) }, () => next(256));
  let bytesNow = [...good];
  for (let change = 0; change <= next(4); change += 1) {
    const at = next(bytesNow.length + 1);
    switch (next(5)) {
      case 0:
        bytesNow[at] = next(256);
        break;
      case 1:
        bytesNow[at] = (bytesNow[at] ?? 0) ^ (1 << next(8));
        break;
      case 2:
        bytesNow.splice(at, next(4) + 1);
        break;
      case 3:
        bytesNow.splice(at, 0, ...bytesNow.slice(at, at + next(8)));
        break;
      default:
        bytesNow = bytesNow.slice(0, at);
    }
  }
  return Uint8Array.from(bytesNow);
}

describe('codecs and hostile payloads', () => {
  for (const codec of codecs) {
    it(`[LANG-096] ${codec.name}: ${RUNS} payloads give nodes or a DecodeError`, () => {
      const next = random(codec.contentFormat);
      const good = vectors.filter((vector) => vector.format === codec.contentFormat);
      const payloads = good.map(({ payload, format }) => (textFormats.includes(format) ? utf8(payload) : bytes(payload)));
      const paths = good.map(({ path }) => (path === '' ? [] : [...parsePath(path).ids]));
      const others = [...paths, [], [100], [100, 0], [100, 0, 1], [100, 0, 11, 1]];
      let read = 0;
      for (let run = 0; run < RUNS; run += 1) {
        const which = next(good.length);
        const path = next(4) === 0 ? (others[next(others.length)] ?? []) : (paths[which] ?? []);
        const payload = mutate(payloads[which] ?? new Uint8Array(0), next);
        try {
          for (const node of codec.decode(payload, at(path, { now: 1_700_000_000 }))) {
            assert.ok(node.path.length <= 4 && node.path.every((id) => id >= 0 && id <= 65534));
            assert.ok(path.every((id, level) => node.path[level] === id));
            // What was read can be looked at: a time is a date.
            if (node.time !== undefined) new Date(node.time * 1000).toISOString();
          }
          read += 1;
        } catch (error) {
          if (!(error instanceof DecodeError))
            throw new Error(`${Buffer.from(payload).toString('hex')} for /${path.join('/')}: ${String(error)}`, { cause: error });
        }
      }
      assert.ok(read > 0 && read < RUNS, `${read} of ${RUNS} payloads were readable`);
    });
  }

  const codec = (contentFormat: number) => codecs.find((one) => one.contentFormat === contentFormat)!;
  const large: [string, number, readonly number[], Uint8Array][] = [
    ['TLV: a million empty elements', 11542, [100, 0, 11], new Uint8Array(1_000_000).fill(0x40)],
    [
      'TLV: more values than allowed',
      11542,
      [100],
      Uint8Array.from({ length: 30_000 * 6 }, (_, at) => [0x23, (at / 6) >> 8, (at / 6) & 255, 0xc1, 1, 1][at % 6]!),
    ],
    ['CBOR: a million nested arrays', 60, [100, 0, 99], new Uint8Array(1_000_000).fill(0x81)],
    ['CBOR: a million nested tags', 60, [100, 0, 99], new Uint8Array(1_000_000).fill(0xc6)],
    ['CBOR: chunks without an end', 60, [100, 0, 0], Uint8Array.from({ length: 1_000_000 }, (_, at) => (at === 0 ? 0x7f : 0x60))],
    ['SenML CBOR: too many records', 112, [], Uint8Array.from({ length: 1_000_001 }, (_, at) => (at === 0 ? 0x9f : 0xa0))],
    ['SenML JSON: too many records', 110, [], utf8(`[${'{},'.repeat(30_000)}{}]`)],
    ['SenML JSON: a long name again and again', 110, [], utf8(`[{"bn":"${'/1'.repeat(100_000)}"},${'{"v":1},'.repeat(10_000)}{}]`)],
    ['SenML JSON: quotes without an end', 110, [], utf8(`["${'\\"'.repeat(500_000)}`)],
    ['SenML JSON: a number of a million digits', 110, [], utf8(`[{"n":"/100/0/1","v":${'9'.repeat(1_000_000)}}]`)],
    ['SenML-ETCH CBOR: too many records', 322, [], Uint8Array.from({ length: 1_000_001 }, (_, at) => (at === 0 ? 0x9f : 0xa0))],
    ['SenML-ETCH JSON: too many records', 320, [], utf8(`[${'{},'.repeat(30_000)}{}]`)],
    ['LwM2M CBOR: a million nested maps', 11544, [], Uint8Array.from({ length: 1_000_000 }, (_, at) => (at % 2 === 0 ? 0xa1 : 0x01))],
    [
      'LwM2M CBOR: a million nested lists as value',
      11544,
      [],
      Uint8Array.from({ length: 1_000_000 }, (_, at) => [0xa1, 0x83, 1, 1, 1][at] ?? 0x81),
    ],
    ['LwM2M CBOR: a key that never ends', 11544, [], Uint8Array.from({ length: 1_000_000 }, (_, at) => [0xa1, 0x9f][at] ?? 1)],
    ['LwM2M CBOR: a prefix in a prefix', 11544, [], Uint8Array.from({ length: 1_000_000 }, (_, at) => [0xa1, 0x61, 0x61][at % 3]!)],
    [
      'LwM2M CBOR: more values than allowed',
      11544,
      [],
      Uint8Array.from({ length: 3 + 30_000 * 4 + 1 }, (_, at) => {
        if (at < 3) return [0xa1, 0x82, 0x18][at]!;
        const i = at - 5;
        return at === 3 ? 100 : at === 4 ? 0 : i === 0 ? 0xbf : [0x19, ((i - 1) / 4) >> 8, ((i - 1) / 4) & 255, 1][(i - 1) % 4]!;
      }),
    ],
    ['LwM2M JSON: too many records', 11543, [], utf8(`{"e":[${'{},'.repeat(30_000)}{}]}`)],
    ['LwM2M JSON: a million nested lists', 11543, [], utf8(`{"x":${'['.repeat(1_000_000)}`)],
    ['text: a number of a million digits', 0, [100, 0, 1], utf8('9'.repeat(1_000_000))],
    ['text: a large exponent', 0, [100, 0, 1], utf8('1e99999999999')],
    ['text: a million characters that are no base64', 0, [100, 0, 5], utf8(`${'A'.repeat(1_000_000)}!`)],
  ];
  for (const [what, format, path, payload] of large) {
    it(`[LANG-097] refuses ${what}`, () => {
      assert.throws(() => codec(format).decode(payload, at(path)), DecodeError);
    });
  }
});
