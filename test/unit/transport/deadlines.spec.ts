import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Deadlines, type Deadline } from '../../../lib/transport/deadlines';

type Step =
  | { readonly kind: 'add'; readonly at: number }
  | { readonly kind: 'remove'; readonly pick: number }
  | { readonly kind: 'move'; readonly pick: number; readonly at: number }
  | { readonly kind: 'due'; readonly at: number };

const time = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.constant(Infinity), fc.double({ min: 0, max: 200, noNaN: true }));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const), at: time }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), pick: fc.nat(1000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('move' as const), pick: fc.nat(1000), at: time }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('due' as const), at: fc.integer({ min: 0, max: 30 }) }) },
);

describe('deadlines', () => {
  it('[COAP-101] gives what is due earliest first, as a sorted list would', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
        const deadlines = new Deadlines<number>();
        const held: { readonly entry: Deadline<number>; at: number; readonly item: number }[] = [];
        let item = 0;
        for (const action of steps) {
          if (action.kind === 'add') {
            item += 1;
            held.push({ entry: deadlines.add(action.at, item), at: action.at, item });
          } else if (action.kind === 'remove') {
            const [gone] = held.splice(action.pick % Math.max(held.length, 1), 1);
            if (gone) deadlines.remove(gone.entry);
            if (gone) assert.equal(gone.entry.index, -1);
          } else if (action.kind === 'move') {
            const moved = held[action.pick % Math.max(held.length, 1)];
            if (moved) deadlines.move(moved.entry, (moved.at = action.at));
          } else {
            for (let taken = deadlines.takeDue(action.at); taken !== undefined; taken = deadlines.takeDue(action.at)) {
              const index = held.findIndex((other) => other.item === taken);
              const earliest = Math.min(...held.map(({ at }) => at));
              assert.equal(held[index]?.at, earliest, 'the earliest leaves first');
              assert.ok(earliest <= action.at, 'only what is due leaves');
              held.splice(index, 1);
            }
            assert.ok(
              held.every(({ at }) => at > action.at),
              'nothing that is due stays',
            );
          }
          assert.equal(deadlines.size, held.length);
          assert.equal(deadlines.next(), Math.min(Infinity, ...held.map(({ at }) => at)));
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('[COAP-101] never finds Infinity due', () => {
    const deadlines = new Deadlines<string>();
    deadlines.add(Infinity, 'never');
    assert.equal(deadlines.takeDue(Number.MAX_VALUE), undefined);
    assert.equal(deadlines.next(), Infinity);
    assert.equal(deadlines.size, 1);
  });

  it('removes an entry once, and none of another heap', () => {
    const deadlines = new Deadlines<string>();
    const other = new Deadlines<string>();
    const first = deadlines.add(1, 'a');
    const foreign = other.add(1, 'b');
    deadlines.remove(foreign);
    assert.equal(deadlines.size, 1);
    assert.equal(other.size, 1);
    assert.equal(deadlines.takeDue(1), 'a');
    deadlines.add(2, 'c');
    deadlines.remove(first);
    assert.equal(deadlines.takeDue(2), 'c');
  });

  it('takes an entry back that has left, when it is moved', () => {
    const deadlines = new Deadlines<string>();
    const entry = deadlines.add(1, 'a');
    assert.equal(deadlines.takeDue(1), 'a');
    deadlines.move(entry, 2);
    assert.deepEqual([deadlines.size, deadlines.takeDue(1), deadlines.takeDue(2)], [1, undefined, 'a']);
  });

  it('is empty after clear, and what was in it can still be removed', () => {
    const deadlines = new Deadlines<number>();
    const entries = [3, 1, 2].map((at) => deadlines.add(at, at));
    deadlines.clear();
    deadlines.add(5, 5);
    for (const entry of entries) deadlines.remove(entry);
    assert.equal(deadlines.size, 1);
    assert.equal(deadlines.next(), 5);
  });
});
