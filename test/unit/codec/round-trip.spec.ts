import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EncodeError, codecFor, decodePayload } from '../../../lib/codec';
import { isWithin } from '../../../lib/lwm2m/path';
import { R, TYPES, at, bytes, hex, node, utf8 } from './support';
import type { DataNode, ResourceType, Value } from '../../../lib/lwm2m/types';

const TEXT = 0;
const CBOR = 60;
const JSON_PACK = 110;
const CBOR_PACK = 112;
const ETCH_JSON = 320;
const ETCH_CBOR = 322;
const TLV = 11542;
const OLD_JSON = 11543;
const LWM2M_CBOR = 11544;

function shrink(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

const edges = [
  0n,
  1n,
  127n,
  128n,
  255n,
  256n,
  32767n,
  32768n,
  65535n,
  65536n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
];
const integers = fc.oneof(
  fc.constantFrom(...edges.flatMap((edge) => [edge, -edge, -edge - 1n]), -(2n ** 63n), 2n ** 63n - 1n),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);
const unsigned = fc.oneof(fc.constantFrom(...edges, 2n ** 63n, 2n ** 64n - 1n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const ids = fc.integer({ min: 0, max: 65535 });
/** Minus zero is not told from zero in text formats. */
const positiveZero = (value: number): number => (value === 0 ? 0 : value);
const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map(positiveZero);
const anyFloat = fc
  .oneof(fc.double(), fc.float(), fc.constantFrom(Number.MAX_VALUE, Number.MIN_VALUE, 0.1, Infinity, -Infinity, NaN))
  .map(positiveZero);

function values(float: fc.Arbitrary<number>): Record<Exclude<ResourceType, 'none'>, fc.Arbitrary<Value>> {
  return {
    string: fc.string({ unit: 'binary' }),
    integer: integers.map(shrink),
    unsigned: unsigned.map(shrink),
    float,
    boolean: fc.boolean(),
    opaque: fc.uint8Array({ maxLength: 300 }),
    time: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    objlnk: fc.tuple(ids, ids).map(([object, instance]) => `${object}:${instance}`),
    corelnk: fc.constantFrom('</3/0>', '</>;rt="oma.lwm2m",</1/0>', ''),
  };
}

function typed(float: fc.Arbitrary<number>): fc.Arbitrary<{ type: ResourceType; value: Value }> {
  const all = values(float);
  return fc.oneof(...TYPES.map((type) => all[type as keyof typeof all].map((value) => ({ type, value }))));
}

/** The nodes of whole instances, in the order of their resources, as any format keeps it. */
function tree(float: fc.Arbitrary<number>, objects: readonly number[]): fc.Arbitrary<DataNode[]> {
  const leaf = fc.record({
    object: fc.constantFrom(...objects),
    instance: ids,
    sub: fc.integer({ min: 0, max: 300 }),
    many: fc.boolean(),
    of: typed(float),
  });
  return fc.array(leaf, { maxLength: 20 }).map((leaves) => {
    const found = new Map<string, DataNode>();
    for (const { object, instance, sub, many, of } of leaves) {
      const resource = [object, Math.min(instance, 65534) % 3, R[of.type] + (many ? 10 : 0)];
      const path = many ? [...resource, sub] : resource;
      found.set(path.join('/'), node(path, of.type, of.value));
    }
    return [...found.values()].sort((a, b) => compare(a.path, b.path));
  });
}

function compare(a: readonly number[], b: readonly number[]): number {
  const differs = a.findIndex((id, level) => id !== b[level]);
  return differs < 0 ? 0 : (a[differs] ?? 0) - (b[differs] ?? 0);
}

describe('codec round trips', () => {
  for (const [format, float] of [
    [TEXT, finite],
    [CBOR, anyFloat],
    [TLV, anyFloat],
    [JSON_PACK, finite],
    [CBOR_PACK, anyFloat],
    [ETCH_JSON, finite],
    [ETCH_CBOR, anyFloat],
    [OLD_JSON, finite],
    [LWM2M_CBOR, anyFloat],
  ] as const) {
    it(`[LANG-090] format ${format}: any single value comes back`, () => {
      const codec = codecFor(format)!;
      fc.assert(
        fc.property(typed(float), fc.boolean(), ({ type, value }, instance) => {
          const path = instance ? [100, 0, R[type] + 10, 7] : [100, 0, R[type]];
          const nodes = [node(path, type, value)];
          assert.deepEqual(codec.decode(codec.encode(nodes, at(path)), at(path)), nodes);
        }),
        { seed: 10 + format, numRuns: 400 },
      );
    });
  }

  for (const [format, float] of [
    [TLV, anyFloat],
    [JSON_PACK, finite],
    [CBOR_PACK, anyFloat],
    [ETCH_JSON, finite],
    [ETCH_CBOR, anyFloat],
    [OLD_JSON, finite],
    [LWM2M_CBOR, anyFloat],
  ] as const) {
    it(`[LANG-090] format ${format}: instances and objects come back`, () => {
      const codec = codecFor(format)!;
      fc.assert(
        fc.property(tree(float, [100]), fc.integer({ min: 1, max: 3 }), (all, depth) => {
          const path = all[0]?.path.slice(0, depth);
          if (!path) return;
          const nodes = all.filter((one) => isWithin(one.path, path));
          assert.deepEqual(codec.decode(codec.encode(nodes, at(path)), at(path)), nodes);
        }),
        { seed: 20 + format, numRuns: 150 },
      );
    });
  }

  for (const format of [JSON_PACK, CBOR_PACK, ETCH_JSON, ETCH_CBOR, OLD_JSON]) {
    it(`[LANG-136] format ${format}: composites with times come back`, () => {
      const codec = codecFor(format)!;
      const time = fc.option(fc.double({ min: 2 ** 28, max: 4e9, noNaN: true }), { nil: undefined });
      fc.assert(
        fc.property(
          tree(finite, [100, 101]),
          fc.array(time, { minLength: 20, maxLength: 20 }),
          fc.constantFrom('', '/lwm2m'),
          (all, times, rootPath) => {
            const nodes = all.map((one, at) => node(one.path, one.type, one.value, times[at]));
            const context = at([], { rootPath });
            assert.deepEqual(codec.decode(codec.encode(nodes, context), context), nodes);
          },
        ),
        { seed: 30 + format, numRuns: 150 },
      );
    });
  }

  it(`[LANG-151] format ${LWM2M_CBOR}: composites come back, grouped by what they share`, () => {
    const codec = codecFor(LWM2M_CBOR)!;
    fc.assert(
      fc.property(tree(anyFloat, [100, 101]), fc.constantFrom(undefined, 'dev0'), fc.boolean(), (all, prefix, shuffled) => {
        if (all.length === 0) return;
        const given = shuffled ? all.filter((_, at) => at % 2 === 0).concat(all.filter((_, at) => at % 2 === 1)) : all;
        const context = at([], prefix === undefined ? {} : { prefix });
        const back = codec.decode(codec.encode(given, context), context);
        assert.deepEqual(
          [...back].sort((a, b) => compare(a.path, b.path)),
          all,
        );
        // What belongs together stands together: written again, nothing moves any more.
        assert.deepEqual(codec.decode(codec.encode(back, context), context), back);
      }),
      { seed: 44, numRuns: 150 },
    );
  });

  it('[LANG-110] writes every float in the fewest bytes that keep it', () => {
    const codec = codecFor(CBOR)!;
    for (let bits = 0; bits < 0x10000; bits += 1) {
      const payload = Uint8Array.of(0xf9, bits >> 8, bits & 0xff);
      const nodes = codec.decode(payload, at([100, 0, 3]));
      // Of all the ways to be no number there is one that is written.
      const expected = Number.isNaN(nodes[0]?.value) ? Uint8Array.of(0xf9, 0x7e, 0) : payload;
      assert.deepEqual(codec.encode(nodes, at([100, 0, 3])), expected, bits.toString(16));
    }
  });

  const unwritable: [string, number, readonly number[], DataNode[]][] = [
    ['an integer over 2^63 - 1', TLV, [100, 0, 1], [node([100, 0, 1], 'integer', 2n ** 63n)]],
    ['a negative unsigned', CBOR, [100, 0, 2], [node([100, 0, 2], 'unsigned', -1)]],
    ['a fraction for an integer', TEXT, [100, 0, 1], [node([100, 0, 1], 'integer', 1.5)]],
    ['NaN for an integer', TLV, [100, 0, 1], [node([100, 0, 1], 'integer', NaN)]],
    ['NaN for a time', TLV, [100, 0, 6], [node([100, 0, 6], 'time', NaN)]],
    ['text for a float', TLV, [100, 0, 3], [node([100, 0, 3], 'float', '1')]],
    ['a number for a text', TLV, [100, 0, 0], [node([100, 0, 0], 'string', 1)]],
    ['a number for a boolean', TLV, [100, 0, 4], [node([100, 0, 4], 'boolean', 1)]],
    ['text for an opaque', TLV, [100, 0, 5], [node([100, 0, 5], 'opaque', '00')]],
    ['a link too large', TLV, [100, 0, 7], [node([100, 0, 7], 'objlnk', '65536:1')]],
    ['NaN as text', TEXT, [100, 0, 3], [node([100, 0, 3], 'float', NaN)]],
    ['infinity as JSON', JSON_PACK, [100, 0, 3], [node([100, 0, 3], 'float', Infinity)]],
    ['a number as octets', 42, [100, 0, 1], [node([100, 0, 1], 'integer', 1)]],
    ['a number as core links', 40, [100, 0, 1], [node([100, 0, 1], 'integer', 1)]],
    ['two values as text', TEXT, [100, 0, 11], [node([100, 0, 11, 0], 'integer', 1), node([100, 0, 11, 1], 'integer', 1)]],
    ['no value as text', TEXT, [100, 0, 1], []],
    ['an empty resource as CBOR', CBOR, [100, 0, 11], [node([100, 0, 11], 'integer', null)]],
    ['a value of another path', TLV, [100, 0], [node([100, 1, 1], 'integer', 1)]],
    ['a value of another path as SenML', JSON_PACK, [100, 0], [node([100, 1, 1], 'integer', 1)]],
    ['a composite as TLV', TLV, [], [node([100, 1, 1], 'integer', 1)]],
    ['a path of 5 ids', JSON_PACK, [], [node([100, 1, 1, 1, 1], 'integer', 1)]],
    ['an id of 65535', TLV, [100], [node([100, 65535, 1], 'integer', 1)]],
    ['a value of an instance', TLV, [100], [node([100, 0], 'integer', 1)]],
    ['a value of an instance as SenML', JSON_PACK, [100], [node([100, 0], 'integer', 1)]],
    ['a resource twice', TLV, [100, 0], [node([100, 0, 1], 'integer', 1), node([100, 0, 1], 'integer', 2)]],
    ['a resource instance twice', TLV, [100, 0, 11], [node([100, 0, 11, 0], 'integer', 1), node([100, 0, 11, 0], 'integer', 2)]],
    ['a record twice', JSON_PACK, [100, 0], [node([100, 0, 1], 'integer', 1), node([100, 0, 1], 'integer', 2)]],
    ['a resource single and multiple', TLV, [100, 0], [node([100, 0, 11], 'integer', 1), node([100, 0, 11, 0], 'integer', 2)]],
    ['a time of 1970', JSON_PACK, [100, 0, 1], [node([100, 0, 1], 'integer', 1, 100)]],
    ['a time beyond dates', CBOR_PACK, [100, 0, 1], [node([100, 0, 1], 'integer', 1, 1e300)]],
    ['a time in TLV', TLV, [100, 0, 1], [node([100, 0, 1], 'integer', 1, 1_700_000_000)]],
    ['a time in CBOR', CBOR, [100, 0, 1], [node([100, 0, 1], 'integer', 1, 1_700_000_000)]],
    ['a time in LwM2M CBOR', LWM2M_CBOR, [100, 0, 1], [node([100, 0, 1], 'integer', 1, 1_700_000_000)]],
    ['nothing in LwM2M CBOR', LWM2M_CBOR, [100], []],
    ['a resource twice in LwM2M CBOR', LWM2M_CBOR, [100, 0], [node([100, 0, 1], 'integer', 1), node([100, 0, 1], 'integer', 2)]],
    ['a value and instances in LwM2M CBOR', LWM2M_CBOR, [100, 0], [node([100, 0, 11], 'integer', 1), node([100, 0, 11, 0], 'integer', 2)]],
    ['a value of an instance in LwM2M CBOR', LWM2M_CBOR, [100], [node([100, 0], 'integer', 1)]],
    ['a removal in LwM2M CBOR', LWM2M_CBOR, [], [{ ...node([100, 0, 11, 0], 'integer', null), remove: true }]],
    ['a removal in SenML', CBOR_PACK, [], [{ ...node([100, 0, 11, 0], 'integer', null), remove: true }]],
    ['a removal of a whole resource', ETCH_CBOR, [], [{ ...node([100, 0, 11], 'integer', null), remove: true }]],
    ['a removal in TLV', TLV, [100, 0, 11], [{ ...node([100, 0, 11, 0], 'integer', null), remove: true }]],
    ['an instance without a value in old JSON', OLD_JSON, [100], [node([100, 0], 'none', null), node([100, 1, 1], 'integer', 1)]],
    ['infinity as old JSON', OLD_JSON, [100, 0, 3], [node([100, 0, 3], 'float', Infinity)]],
    ['a record twice in old JSON', OLD_JSON, [100, 0], [node([100, 0, 1], 'integer', 1), node([100, 0, 1], 'integer', 2)]],
    ['16 MiB in one element', TLV, [100, 0, 5], [node([100, 0, 5], 'opaque', new Uint8Array(2 ** 24))]],
  ];
  for (const [what, format, path, nodes] of unwritable) {
    it(`[LANG-091] does not write ${what}`, () => {
      assert.throws(
        () => codecFor(format)!.encode(nodes, at(path)),
        (error: unknown) => error instanceof EncodeError && error.format === codecFor(format)?.name,
      );
    });
  }

  it('[LANG-093] writes time in whole seconds', () => {
    const nodes = [node([100, 0, 6], 'time', 1700000000.9)];
    assert.equal(hex(codecFor(TEXT)!.encode(nodes, at([100, 0, 6]))), hex(utf8('1700000000')));
    assert.equal(hex(codecFor(CBOR)!.encode(nodes, at([100, 0, 6]))), '1a6553f100');
  });

  it('[LANG-094] writes a value without a type as what it looks like', () => {
    const write = (value: Value): string => hex(codecFor(CBOR)!.encode([node([100, 0, 99], 'none', value)], at([100, 0, 99])));
    assert.deepEqual([1, 1.5, -1n, true, 'A', new Uint8Array([1])].map(write), ['01', 'f93e00', '20', 'f5', '6141', '4101']);
  });

  it('[LANG-095] does not keep a view on the payload', () => {
    const payload = bytes('c305010203');
    const [read] = decodePayload(TLV, payload, at([100, 0, 5]));
    payload.fill(0);
    assert.deepEqual(read?.value, bytes('010203'));
  });
});
