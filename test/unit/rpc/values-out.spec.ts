import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { DataNode, ResourceType, Value } from '../../../lib/lwm2m/types';
import { valueOut } from '../../../lib/lwm2m/value-out';
import { shape } from '../../../lib/rpc/values-out';
import { model, versions } from './fixture';

const node = (path: number[], value: Value | null, type: ResourceType = 'string', time?: number): DataNode => ({
  path,
  type,
  value,
  ...(time === undefined ? {} : { time }),
});
const shaped = (nodes: DataNode[], path: number[], instanceKeys: 'id' | 'name' = 'id'): unknown =>
  shape(nodes, path, { model, versions, instanceKeys });

describe('values of the device towards a flow', () => {
  for (const [type, value, expected] of [
    ['integer', 75, 75],
    ['integer', 9007199254740991n, 9007199254740991],
    ['integer', 9007199254740993n, '9007199254740993'],
    ['integer', -(2n ** 63n), '-9223372036854775808'],
    ['unsigned', 2n ** 64n - 1n, '18446744073709551615'],
    ['float', 21.5, 21.5],
    ['float', NaN, NaN],
    ['boolean', false, false],
    ['string', '', ''],
    ['opaque', Uint8Array.of(1, 2), Buffer.from([1, 2])],
    ['time', 1714564800, 1714564800000],
    ['time', 1714564800.5, 1714564800500],
    ['time', 1714564800n, 1714564800000],
    ['time', -1, -1000],
    ['objlnk', '3:0', '3:0'],
    ['corelnk', '</3/0>', '</3/0>'],
    ['none', 'x', 'x'],
    ['string', null, null],
  ] as readonly (readonly [ResourceType, Value | null, unknown])[]) {
    it(`[RPC-023] shows ${type} ${String(value)}`, () => {
      assert.deepEqual(valueOut(node([3, 0, 0], value, type)), expected);
      assert.deepEqual(shaped([node([31024, 0, 0], value, type)], [31024, 0, 0]), expected);
    });
  }

  it('[RPC-023] gives opaque as a Buffer of its own', () => {
    const value = Uint8Array.of(1, 2);
    const shown = shaped([node([5, 0, 0], value, 'opaque')], [5, 0, 0]);
    assert.ok(Buffer.isBuffer(shown));
    value[0] = 9;
    assert.deepEqual(shown, Buffer.from([1, 2]));
  });

  const sources = [node([3, 0, 6, 0], 1, 'integer'), node([3, 0, 6, 5], 2, 'integer')];
  const device = [node([3, 0, 0], 'ACME'), ...sources, node([3, 0, 99], 'own')];
  for (const [title, nodes, path, expected] of [
    ['a multiple resource', sources, [3, 0, 6], { 0: 1, 5: 2 }],
    ['an instance of it', [sources[1]!], [3, 0, 6, 5], 2],
    ['a single value where the definition says multiple', [node([3, 0, 6], 1, 'integer')], [3, 0, 6], 1],
    ['instances where the definition says single', [node([3, 0, 9, 1], 7, 'integer')], [3, 0, 9], { 1: 7 }],
    ['an instance', device, [3, 0], { 0: 'ACME', 6: { 0: 1, 5: 2 }, 99: 'own' }],
    ['an object', [...device, node([3, 2, 9], 5, 'integer')], [3], { 0: { 0: 'ACME', 6: { 0: 1, 5: 2 }, 99: 'own' }, 2: { 9: 5 } }],
    ['part of an instance', [node([3, 0, 9], 5, 'integer')], [3, 0], { 9: 5 }],
    ['the root', [node([3, 0, 9], 5, 'integer'), node([5, 0, 3], 0, 'integer')], [], { 3: { 0: { 9: 5 } }, 5: { 0: { 3: 0 } } }],
    ['only what is at or below the path', [...device, node([3, 1, 0], 'other'), node([5, 0, 3], 1, 'integer')], [3, 0, 0], 'ACME'],
  ] as readonly (readonly [string, DataNode[], number[], unknown])[]) {
    it(`[RPC-024] shapes ${title}`, () => assert.deepEqual(shaped(nodes, path), expected));
  }

  it('[RPC-024] keys an instance by resource name where the node says so', () => {
    const named = { Manufacturer: 'ACME', 'Available Power Sources': { 0: 1, 5: 2 }, 99: 'own' };
    assert.deepEqual(shaped(device, [3, 0], 'name'), named);
    assert.deepEqual(shaped(device, [3], 'name'), { 0: named });
    assert.deepEqual(shaped(sources, [3, 0, 6], 'name'), { 0: 1, 5: 2 });
    assert.deepEqual(shaped([node([31024, 10, 1], 'x')], [31024, 10], 'name'), { 1: 'x' });
  });

  it('[RPC-024] keeps the id for names that occur twice, look like an id or would be a prototype', () => {
    const nodes = [30, 31, 32, 33, 7].map((id) => node([30000, 0, id], `v${id}`, id === 7 ? 'objlnk' : 'string'));
    const shown = shaped(nodes, [30000, 0], 'name') as Record<string, unknown>;
    assert.deepEqual(shown, { 30: 'v30', 31: 'v31', 32: 'v32', 33: 'v33', 'One objlnk': 'v7' });
    assert.equal(Object.getPrototypeOf(shown), Object.prototype);
    assert.deepEqual(shaped([nodes[0]!], [30000, 0], 'name'), { 30: 'v30' }, 'the key does not hang on which of the twins came');
  });

  for (const [title, nodes, path, expected] of [
    ['a resource without a value', [node([3, 0, 0], null)], [3, 0, 0], null],
    ['a resource that did not come', [], [3, 0, 0], null],
    ['a resource instance that did not come', [], [3, 0, 6, 1], null],
    ['a multiple resource without instances', [node([3, 0, 6], null, 'integer')], [3, 0, 6], {}],
    ['a multiple resource that did not come', [], [3, 0, 6], {}],
    ['an instance without resources', [node([3, 0], null, 'none')], [3, 0], {}],
    ['an instance that did not come', [], [3, 0], {}],
    ['an object without instances', [node([3], null, 'none')], [3], {}],
    ['an object with an empty instance', [node([19, 1], null, 'none'), node([19, 2, 0, 0], 'x')], [19], { 1: {}, 2: { 0: { 0: 'x' } } }],
    ['empty resources in an instance', [node([3, 0, 6], null, 'integer'), node([3, 0, 14], null)], [3, 0], { 6: {}, 14: null }],
    ['an empty mark beside values', [node([3, 0], null, 'none'), node([3, 0, 0], 'x'), node([3, 0], null, 'none')], [3], { 0: { 0: 'x' } }],
  ] as readonly (readonly [string, DataNode[], number[], unknown])[]) {
    it(`[RPC-025] shapes ${title}`, () => assert.deepEqual(shaped(nodes, path), expected));
  }

  it('[RPC-026] takes the latest of several values of one path', () => {
    const at = (time: number | undefined, value: number): DataNode => node([3, 0, 9], value, 'integer', time);
    assert.equal(shaped([at(100, 1), at(300, 3), at(200, 2)], [3, 0, 9]), 3);
    assert.equal(shaped([at(undefined, 4), at(300, 3)], [3, 0, 9]), 4, 'no time is now');
    assert.equal(shaped([at(100, 1), at(100, 2)], [3, 0, 9]), 2, 'of the same time the later one');
  });

  it('[RPC-026] makes objects with own members only, of whatever nodes', () => {
    const id = fc.nat(65534);
    const value = fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.bigInt(), fc.uint8Array(), fc.constant(null));
    const type = fc.constantFrom<ResourceType>(
      'string',
      'integer',
      'unsigned',
      'float',
      'boolean',
      'opaque',
      'time',
      'objlnk',
      'corelnk',
      'none',
    );
    const anyNode = fc.record({
      path: fc.array(fc.oneof(fc.constantFrom(0, 3, 6, 30000, 32), id), { minLength: 1, maxLength: 4 }),
      value,
      type,
    });
    fc.assert(
      fc.property(
        fc.array(anyNode, { maxLength: 12 }),
        fc.constantFrom<number[]>([], [3], [3, 0], [3, 0, 6], [30000, 0], [3, 0, 6, 0]),
        (nodes, path) => {
          const shown = shaped(nodes, path, 'name');
          if (path.length < 3) assert.equal(Object.getPrototypeOf(shown), Object.prototype);
          assert.notEqual(shown, undefined);
        },
      ),
      { seed: 56, numRuns: 1000 },
    );
  });
});
