import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DecodeError, codecFor, codecs } from '../../../lib/codec';
import { omaModel, omaObjects } from '../../../lib/model/oma';
import type { CodecContext } from '../../../lib/codec';
import type { DataNode, ResourceType, Value } from '../../../lib/lwm2m/types';
import type { ObjectDefinition, ResourceDefinition } from '../../../lib/model/types';

/** Formats of whole instances; those of one value hold each of them alone. */
const TREES = codecs.filter(({ contentFormat }) => contentFormat >= 110).map(({ contentFormat }) => contentFormat);
const SINGLE = [0, 60];
/** JSON and text have no infinities. */
const FINITE_ONLY = new Set([0, 110, 320, 11543]);

const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value));
const edges = [0n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n];
const asValue = (value: bigint): Value => (Number.isSafeInteger(Number(value)) ? Number(value) : value);
const integer = fc
  .oneof(fc.constantFrom(...edges.flatMap((edge) => [edge, -edge]), -(2n ** 63n)), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))
  .map(asValue);
const VALUES: Readonly<Record<Exclude<ResourceType, 'none'>, fc.Arbitrary<Value>>> = {
  string: fc.string({ unit: 'binary', maxLength: 40 }),
  integer,
  unsigned: fc.oneof(fc.constantFrom(...edges, 2n ** 63n, 2n ** 64n - 1n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })).map(asValue),
  float: finite,
  boolean: fc.boolean(),
  opaque: fc.uint8Array({ maxLength: 40 }),
  time: integer,
  objlnk: fc.tuple(fc.nat(65535), fc.nat(65535)).map(([object, instance]) => `${object}:${instance}`),
  corelnk: fc.constantFrom('</3/0>', '</>;rt="oma.lwm2m",</1/0>', ''),
};

/** A few instances of an object with values for its resources, none where nothing can be read. */
function instances(definition: ObjectDefinition): fc.Arbitrary<DataNode[]> {
  const resources = [...definition.resources.values()].filter((resource) => resource.type !== 'none').sort((a, b) => a.id - b.id);
  const instance = fc.tuple(...resources.map((resource) => fc.option(valuesOf(resource), { freq: 4, nil: [] })));
  const ids = definition.multiple ? fc.uniqueArray(fc.nat(65534), { minLength: 1, maxLength: 2 }) : fc.constant([0]);
  return fc
    .tuple(ids, instance, instance)
    .map(([chosen, ...all]) =>
      [...chosen]
        .sort((a, b) => a - b)
        .flatMap((id, at) => (all[at] ?? []).flat().map(({ rest, ...node }) => ({ path: [definition.id, id, ...rest], ...node }))),
    );
}

function valuesOf({ id, type, multiple }: ResourceDefinition): fc.Arbitrary<{ rest: number[]; type: ResourceType; value: Value }[]> {
  const value = VALUES[type as keyof typeof VALUES];
  if (!multiple) return value.map((one) => [{ rest: [id], type, value: one }]);
  return fc
    .uniqueArray(fc.tuple(fc.nat(65534), value), { minLength: 1, maxLength: 3, selector: ([instance]) => instance })
    .map((all) => all.sort(([a], [b]) => a - b).map(([instance, one]) => ({ rest: [id, instance], type, value: one })));
}

describe('codecs over the registry', () => {
  const model = omaModel();
  const objects = omaObjects();

  it(`[LANG-103] ${objects.length} object versions come back from ${TREES.length} formats for trees and ${SINGLE.length} for values`, function () {
    this.timeout(120_000);
    let values = 0;
    for (const [index, definition] of objects.entries()) {
      const versions = new Map([[definition.id, definition.version]]);
      for (const nodes of fc.sample(instances(definition), { seed: 100 + index, numRuns: 2 })) {
        values += nodes.length;
        const [first] = nodes;
        if (!first) continue;
        for (const format of TREES) {
          for (const path of [[definition.id], first.path.slice(0, 2), first.path.slice(0, 3)]) {
            const below = nodes.filter((node) => path.every((id, level) => node.path[level] === id));
            comesBack(format, below, { path, model, versions });
          }
        }
        for (const format of SINGLE) for (const node of nodes) comesBack(format, [node], { path: node.path, model, versions });
      }
    }
    assert.ok(values > 5 * objects.length, `${values} values`);
  });

  function comesBack(format: number, nodes: readonly DataNode[], context: CodecContext): void {
    const codec = codecFor(format)!;
    assert.deepEqual(codec.decode(codec.encode(nodes, context), context), nodes, `${codec.name} of ${context.path.join('/')}`);
  }

  const boundaries: readonly (readonly [ResourceType, bigint])[] = [
    ...(['integer', 'unsigned', 'time'] as const).flatMap((type) =>
      [2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n].map((value) => [type, value] as const),
    ),
    ...(['integer', 'time'] as const).flatMap((type) => [-(2n ** 53n) - 1n, -(2n ** 63n)].map((value) => [type, value] as const)),
    ['unsigned', 2n ** 63n],
    ['unsigned', 2n ** 64n - 1n],
  ];
  for (const format of [...SINGLE, ...TREES]) {
    it(`[LANG-104] format ${format}: the boundaries of 64 bits stay exact, and what is beyond is refused`, () => {
      const codec = codecFor(format)!;
      for (const [type, exact] of boundaries) {
        const resource: ResourceDefinition = { id: 1, name: 'x', operations: 'RW', multiple: false, mandatory: false, type };
        const definition = { id: 7000, name: 'x', version: '1.0', multiple: false, mandatory: false, resources: new Map([[1, resource]]) };
        const own = { object: () => definition, resource: () => resource };
        const context: CodecContext = { path: [7000, 0, 1], model: own };
        const value = asValue(exact);
        const [node] = codec.decode(codec.encode([{ path: [7000, 0, 1], type, value }], context), context);
        assert.deepEqual(node, { path: [7000, 0, 1], type, value });
        const beyond = type === 'unsigned' ? 2n ** 64n : exact < 0n ? -(2n ** 63n) - 1n : 2n ** 63n;
        assert.throws(() => codec.encode([{ path: [7000, 0, 1], type, value: beyond }], context), /does not fit/);
      }
    });
  }

  it('[LANG-096] spoiled payloads of real objects give nodes or a DecodeError, in any format', function () {
    this.timeout(120_000);
    const spoil = fc.array(fc.tuple(fc.nat(1000), fc.nat(255), fc.constantFrom('set', 'cut', 'insert', 'end')), {
      minLength: 1,
      maxLength: 4,
    });
    const some = objects.filter((_, index) => index % 7 === 0);
    let read = 0;
    let refused = 0;
    for (const [index, definition] of some.entries()) {
      const [nodes = []] = fc.sample(instances(definition), { seed: 500 + index, numRuns: 1 });
      if (nodes.length === 0) continue;
      const context: CodecContext = { path: [definition.id], model, versions: new Map([[definition.id, definition.version]]) };
      for (const format of TREES) {
        const payload = codecFor(format)!.encode(nodes, context);
        for (const changes of fc.sample(spoil, { seed: index * 10 + format, numRuns: 20 })) {
          const bytes = [...payload];
          for (const [where, byte, how] of changes) {
            const at = where % (bytes.length + 1);
            if (how === 'set') bytes[at] = byte;
            else if (how === 'cut') bytes.splice(at, 1 + (byte % 4));
            else if (how === 'insert') bytes.splice(at, 0, byte);
            else bytes.length = at;
          }
          for (const other of [format, TREES[(index + bytes.length) % TREES.length]!]) {
            try {
              for (const node of codecFor(other)!.decode(Uint8Array.from(bytes), context)) assert.equal(node.path[0], definition.id);
              read += 1;
            } catch (error) {
              assert.ok(error instanceof DecodeError, `${String(error)} from ${Buffer.from(bytes).toString('hex')} in ${other}`);
              refused += 1;
            }
          }
        }
      }
    }
    assert.ok(read > 100 && refused > 100, `${read} read, ${refused} refused`);
  });

  it('[LANG-103] infinities and NaN come back where the format has them', () => {
    for (const format of [...SINGLE, ...TREES]) {
      const codec = codecFor(format)!;
      const context: CodecContext = { path: [3303, 0, 5700], model };
      for (const value of [Infinity, -Infinity, NaN]) {
        const nodes: DataNode[] = [{ path: [3303, 0, 5700], type: 'float', value }];
        if (FINITE_ONLY.has(format)) assert.throws(() => codec.encode(nodes, context), /text|JSON/);
        else assert.deepEqual(codec.decode(codec.encode(nodes, context), context), nodes);
      }
    }
  });
});
