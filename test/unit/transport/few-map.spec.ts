import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FewMap } from '../../../lib/transport/few-map';

const KEYS = Array.from({ length: 20 }, (_, at) => String.fromCharCode(97 + at));

describe('a map for few entries', () => {
  it('is as a Map is, with few entries and with many', () => {
    const key = fc.constantFrom(...KEYS);
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ set: key, value: fc.oneof(fc.nat(99), fc.constant(undefined), fc.constant([1])) }) },
      { weight: 2, arbitrary: fc.record({ drop: key }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const few = new FewMap<unknown>();
        const map = new Map<string, unknown>();
        for (const each of steps) {
          if ('set' in each) {
            few.set(each.set, each.value);
            map.set(each.set, each.value);
          } else assert.equal(few.delete(each.drop), map.delete(each.drop));
          assert.equal(few.size, map.size);
          assert.deepEqual([...few.entries()], [...map]);
          for (const one of KEYS) {
            assert.equal(few.has(one), map.has(one));
            assert.equal(few.get(one), map.get(one));
          }
        }
      }),
      { seed: 1 },
    );
  });
});
