import assert from 'node:assert/strict';
import { VirtualClock } from '../../support/virtual-clock';

describe('virtual clock', () => {
  it('stands still until it is told to move, and keeps monotonic and wall time in step', () => {
    const clock = new VirtualClock({ start: 500, wall: 1_000_000 });
    assert.equal(clock.now(), 500);
    assert.equal(clock.wall(), 1_000_000);
    clock.advance(250);
    assert.equal(clock.now(), 750);
    assert.equal(clock.wall(), 1_000_250);
  });

  it('runs what is due by time, and by order of scheduling where times are equal', () => {
    const clock = new VirtualClock({ start: 0 });
    const seen: string[] = [];
    const note = (text: string) => () => void seen.push(`${text}@${clock.now()}`);
    for (const [at, text] of [
      [30, 'c'],
      [10, 'a1'],
      [20, 'b'],
      [10, 'a2'],
      [10, 'a3'],
    ] as const)
      clock.schedule(at, note(text));
    clock.advance(29);
    assert.deepEqual(seen, ['a1@10', 'a2@10', 'a3@10', 'b@20']);
    assert.equal(clock.now(), 29);
    clock.advance(1);
    assert.equal(seen.at(-1), 'c@30');
  });

  it('keeps order with many appointments', () => {
    const clock = new VirtualClock({ start: 0 });
    const seen: number[] = [];
    for (let index = 0; index < 2_000; index += 1) {
      const at = (index * 7919) % 1_009;
      clock.schedule(at, () => seen.push(at));
    }
    clock.advance(2_000);
    assert.equal(seen.length, 2_000);
    assert.deepEqual(
      seen,
      [...seen].sort((left, right) => left - right),
    );
  });

  it('gives every owner one alarm; a new one takes the place of the old, Infinity removes it', () => {
    const clock = new VirtualClock({ start: 0 });
    const seen: string[] = [];
    const first = clock.createAlarmOwner();
    const second = clock.createAlarmOwner();
    first.alarm(10, () => seen.push('first, replaced'));
    second.alarm(10, () => seen.push('second'));
    clock.alarm(10, () => seen.push('own'));
    first.alarm(15, () => seen.push('first'));
    clock.alarm(Infinity, () => seen.push('never'));
    clock.advance(100);
    assert.deepEqual(seen, ['second', 'first']);
    assert.equal(clock.pending, 0);
  });

  it('runs an alarm for a time gone by at the next chance, not inside the call', () => {
    const clock = new VirtualClock({ start: 100 });
    let rang = false;
    clock.alarm(5, () => {
      rang = true;
    });
    assert.equal(rang, false);
    clock.advance(0);
    assert.equal(rang, true);
    assert.equal(clock.now(), 100);
  });

  it('gives promises their turn between two instants', async () => {
    const clock = new VirtualClock({ start: 0 });
    const seen: string[] = [];
    clock.schedule(10, () => {
      void Promise.resolve().then(() => clock.after(5, () => seen.push(`chained@${clock.now()}`)));
    });
    clock.schedule(100, () => seen.push('late'));
    await clock.elapse(50);
    assert.deepEqual(seen, ['chained@15']);
    assert.equal(clock.now(), 50);
  });

  it('runs until something holds, and says when it never came', async () => {
    const clock = new VirtualClock({ start: 0 });
    let count = 0;
    const tick = (): void => {
      count += 1;
      clock.after(10, tick);
    };
    clock.after(10, tick);
    assert.equal(await clock.runUntil(() => count === 5, 1_000), true);
    assert.equal(clock.now(), 50);
    assert.equal(await clock.runUntil(() => count === 1_000, 100), false);
    assert.equal(clock.now(), 150);
  });

  it('refuses to spin at one instant for ever', () => {
    const clock = new VirtualClock({ start: 0 });
    const spin = (): void => void clock.after(0, spin);
    clock.after(0, spin);
    assert.throws(() => clock.advance(1), /time stands still/);
  });
});
