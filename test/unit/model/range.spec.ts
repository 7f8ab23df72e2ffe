import assert from 'node:assert/strict';
import { outsideRange } from '../../../lib/model/range';
import { omaObjects } from '../../../lib/model/oma';
import type { Value } from '../../../lib/lwm2m/types';
import type { ResourceDefinition } from '../../../lib/model/types';

function definition(type: ResourceDefinition['type'], range: string): ResourceDefinition {
  return { id: 1, name: 'x', operations: 'RW', multiple: false, mandatory: false, type, range };
}

describe('ranges of definitions', () => {
  // type, range as registries write it, values inside, values outside
  const cases: [ResourceDefinition['type'], string, Value[], Value[]][] = [
    ['integer', '0..100', [0, 50, 100], [-1, 101, 2n ** 62n]],
    ['integer', '0 .. 100', [0, 100], [101]],
    ['integer', '-24..24', [-24, 0, 24], [-25, 25]],
    ['integer', '1...15', [1, 15], [0, 16]],
    ['integer', '0-255', [0, 255], [-1, 256]],
    ['integer', '-30..-120', [-30, -120, -64], [-29, -121, 0]],
    ['integer', '5, 10, 15, 20', [5, 20], [0, 6, 21]],
    ['integer', '0..247, 255', [0, 247, 255], [248, 254, 256]],
    ['integer', '0: RELEASED 1: PRESSED 2: FAULT', [0, 1, 2], [3, -1]],
    ['unsigned', '0: disabled 1: normal 255: non_responsive', [0, 1, 255], [2, 254]],
    ['unsigned', '0..18446744073709551615', [0, 2n ** 64n - 1n], []],
    ['integer', '0..9223372036854775806', [2n ** 63n - 2n], [2n ** 63n - 1n]],
    ['float', '0.000001..1.0', [0.000001, 1, 0.5], [0, 1.0000001]],
    ['float', '0; 3.8..20.5', [0, 3.8, 20.5], [0.1, 20.6]],
    ['string', '0..4', ['', 'abcd', 'ää'], ['abcde', 'äää']],
    ['string', '1..64 bytes', ['a'], ['', 'x'.repeat(65)]],
    ['string', '15', ['', 'x'.repeat(15)], ['x'.repeat(16)]],
    ['string', '10,26', ['x'.repeat(10), 'x'.repeat(26)], ['x'.repeat(11)]],
    ['string', '32 bytes', ['x'.repeat(32)], ['x'.repeat(33)]],
    ['opaque', '16,32,48', [new Uint8Array(16), new Uint8Array(48)], [new Uint8Array(17)]],
    ['opaque', '6', [new Uint8Array(6)], [new Uint8Array(7)]],
  ];
  for (const [type, range, inside, outside] of cases) {
    it(`[LANG-068] ${type} "${range}"`, () => {
      for (const value of inside) assert.equal(outsideRange(definition(type, range), value), undefined, `${String(value)} is inside`);
      for (const value of outside)
        assert.match(String(outsideRange(definition(type, range), value)), /outside its range/, `${String(value)} is outside`);
    });
  }

  const unclear: [ResourceDefinition['type'], string][] = [
    ['integer', '255'],
    ['integer', '8-Bits'],
    ['integer', '2 Instances'],
    ['integer', '1 bytes'],
    ['integer', '<7 to >12.5'],
    ['integer', '[1:4]'],
    ['integer', '1..'],
    ['integer', ''],
    ['integer', `${'1,'.repeat(400)}1`],
    ['string', 'The possible values are those listed in the LwM2M Core Specification'],
    ['string', 'ON;OFF'],
    ['opaque', '0 or 26 Bytes'],
    ['boolean', '0..65535'],
    ['time', '0..1'],
  ];
  for (const [type, range] of unclear) {
    it(`[LANG-068] ${type} "${range.slice(0, 30)}" can mean several things and keeps nothing out`, () => {
      for (const value of [-1e12, 2n ** 63n, '', 'x'.repeat(1000), new Uint8Array(1000), true]) {
        assert.equal(outsideRange(definition(type, range), value), undefined);
      }
    });
  }

  it('[LANG-068] a resource without a range takes everything', () => {
    const { range: _, ...free } = definition('integer', '');
    assert.equal(outsideRange(free, -1), undefined);
  });

  it('[LANG-068] nearly all number ranges of the registry are understood', () => {
    const resources = omaObjects().flatMap((object) => [...object.resources.values()]);
    const numbers = resources.filter(
      ({ type, range }) => range !== undefined && (type === 'integer' || type === 'unsigned' || type === 'float'),
    );
    const understood = numbers.filter((resource) => outsideRange(resource, -(2n ** 100n)) !== undefined);
    assert.ok(numbers.length > 500);
    assert.ok(understood.length > numbers.length * 0.97, `${understood.length} of ${numbers.length}`);
  });
});
