import assert from 'node:assert/strict';
import { codecFor } from '../../../lib/codec';
import { at, bytes, node } from './support';
import type { DataNode } from '../../../lib/lwm2m/types';
import type * as Cborg from 'cborg';

type Plain = string | number | bigint | boolean | null | Uint8Array | readonly Plain[] | ReadonlyMap<Plain, Plain>;

/** The values of LwM2M CBOR as a reader finds them that knows maps and arrays, and nothing else. */
function flatten(value: Plain, path: readonly number[] = []): [string, Plain][] {
  if (!(value instanceof Map)) return [[path.join('/'), value]];
  const map = value as ReadonlyMap<Plain, Plain>;
  if (map.size === 0) return [[path.join('/'), null]];
  return [...map].flatMap(([key, below]) => flatten(below, [...path, ...(Array.isArray(key) ? (key as number[]) : [key as number])]));
}

const shown = (value: DataNode['value']): Plain => (value instanceof Uint8Array ? new Uint8Array(value) : value);
const sameBytes = (value: Plain): Plain => (value instanceof Uint8Array ? new Uint8Array(value) : value);

describe('our CBOR and that of a library', () => {
  let cborg: typeof Cborg;
  before(async () => {
    cborg = await import('cborg');
  });

  const trees: readonly (readonly [string, readonly DataNode[]])[] = [
    [
      'every type',
      [
        node([100, 0, 0], 'string', 'Grüße, '.repeat(10)),
        node([100, 0, 1], 'integer', -(2n ** 63n)),
        node([100, 0, 2], 'unsigned', 2n ** 64n - 1n),
        node([100, 0, 3], 'float', 0.1),
        node([100, 0, 4], 'boolean', false),
        node([100, 0, 5], 'opaque', bytes('00ff')),
        node([100, 0, 6], 'time', 1_700_000_000),
        node([100, 0, 7], 'objlnk', '65535:65535'),
      ],
    ],
    ['a single value', [node([65534, 65534, 65534, 65534], 'integer', -1)]],
    [
      'many lengths of integers',
      [0, 23, 24, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1].map((value, i) => node([9, i, 0], 'integer', value)),
    ],
    ['many lengths of texts', [0, 23, 24, 255, 256, 70_000].map((length, i) => node([9, 0, 1, i], 'string', 'x'.repeat(length)))],
    [
      'floats',
      [0, -0, 1.5, 65504, 65520, 1e10, 0.1, 2 ** -24, 2 ** -25, Infinity, -Infinity].map((value, i) => node([9, 0, 2, i], 'float', value)),
    ],
    [
      'mixed depths',
      [node([1, 0, 1], 'integer', 1), node([3, 0, 6, 0], 'integer', 1), node([3, 0, 6, 1], 'integer', 2), node([3, 1, 0], 'string', 'a')],
    ],
  ];

  for (const [what, nodes] of trees) {
    it(`[LANG-151] LwM2M CBOR of ${what} is read by it`, () => {
      const payload = codecFor(11544)!.encode(nodes, at([]));
      const read = flatten(cborg.decode(payload, { useMaps: true, allowBigInt: true }) as Plain);
      assert.deepEqual(
        read.map(([path, value]) => [path, sameBytes(value)]),
        nodes.map(({ path, value }) => [path.join('/'), shown(value)]),
      );
    });

    it(`[LANG-140] SenML CBOR of ${what} is read by it`, () => {
      for (const format of [112, 322]) {
        const payload = codecFor(format)!.encode(nodes, at([]));
        const read = cborg.decode(payload, { useMaps: true, allowBigInt: true }) as ReadonlyMap<Plain, Plain>[];
        const labels = { string: 3, boolean: 4, opaque: 8, objlnk: 'vlo' } as Record<string, Plain>;
        assert.deepEqual(
          read.map((record) => [...record].map(([label, value]) => [label, sameBytes(value)])),
          nodes.map(({ path, type, value }) => [
            [0, `/${path.join('/')}`],
            [labels[type] ?? 2, shown(value)],
          ]),
        );
      }
    });
  }

  it('[LANG-110] what is written is as short as it writes it, floats included', () => {
    for (const value of [0, 1, 23, 24, 1.5, 65504, 65505.5, 1e10, 0.1, 2 ** -24, -5.5, 3.4e38, 1e300]) {
      const nodes = [node([100, 0, 3], 'float', value)];
      // A whole number of ours stays a float, which the library would write as an integer.
      const expected = Number.isInteger(value) ? undefined : Buffer.from(cborg.encode(value)).toString('hex');
      const written = Buffer.from(codecFor(60)!.encode(nodes, at([100, 0, 3]))).toString('hex');
      if (expected !== undefined) assert.equal(written, expected, String(value));
      assert.equal(cborg.decode(Buffer.from(written, 'hex')), value);
    }
  });
});
