import assert from 'node:assert/strict';
import { Driver } from '../../../lib/transport/driver';
import type { Core } from '../../../lib/transport/types';
import { VirtualClock } from '../../support/virtual-clock';

/** A core with one deadline; each advance that reaches it moves it by `every`. */
class Ticker implements Core {
  readonly rang: number[] = [];
  constructor(
    public at: number,
    readonly every = Infinity,
    readonly onRing: () => void = () => undefined,
  ) {}
  deadline(): number {
    return this.at;
  }
  advance(now: number): void {
    if (now < this.at) return;
    this.rang.push(now);
    this.at += this.every;
    this.onRing();
  }
}

/** A clock that counts how often its alarm is set. */
class CountingClock extends VirtualClock {
  readonly alarms: number[] = [];
  override alarm(at: number, wake: () => void): void {
    this.alarms.push(at);
    super.alarm(at, wake);
  }
}

function ground(): { clock: CountingClock; driver: Driver; errors: unknown[] } {
  const clock = new CountingClock({ start: 0 });
  const errors: unknown[] = [];
  return { clock, errors, driver: new Driver({ clock, onError: (error) => errors.push(error) }) };
}

describe('driver', () => {
  it('[COAP-103] tells each core the time when its deadline has come', () => {
    const { clock, driver } = ground();
    const fast = new Ticker(100, 100);
    const slow = new Ticker(250, 250);
    driver.attach(fast);
    driver.attach(slow);
    clock.advance(500);
    assert.deepEqual(fast.rang, [100, 200, 300, 400, 500]);
    assert.deepEqual(slow.rang, [250, 500]);
  });

  it('[COAP-103] sets the alarm again only when something became due earlier', () => {
    const { clock, driver } = ground();
    const core = new Ticker(1_000);
    driver.attach(core);
    assert.deepEqual(clock.alarms, [1_000]);
    core.at = 2_000;
    driver.changed();
    assert.deepEqual(clock.alarms, [1_000], 'a later deadline is found when the alarm rings');
    core.at = 500;
    driver.changed();
    assert.deepEqual(clock.alarms, [1_000, 500]);
    core.at = 800;
    clock.advance(600);
    assert.deepEqual(core.rang, [], 'rang for nothing');
    clock.advance(200);
    assert.deepEqual(core.rang, [800]);
  });

  it('[COAP-103] stays still while nothing waits, and wakes up again', () => {
    const { clock, driver } = ground();
    const core = new Ticker(Infinity);
    driver.attach(core);
    assert.equal(clock.next(), Infinity);
    core.at = 300;
    driver.changed();
    clock.advance(300);
    assert.deepEqual(core.rang, [300]);
    assert.equal(clock.next(), Infinity);
  });

  it('[COAP-104] a core that throws is reported and does not hold up the others', () => {
    const { clock, driver, errors } = ground();
    const bad = new Ticker(10, 10, () => {
      throw new Error('broken');
    });
    const good = new Ticker(10, 10);
    driver.attach(bad);
    driver.attach(good);
    clock.advance(30);
    assert.deepEqual(good.rang, [10, 20, 30]);
    assert.equal(errors.length, 3);
  });

  it('[COAP-103] hears of what changes while it advances', () => {
    const { clock, driver } = ground();
    const late = new Ticker(Infinity);
    driver.attach(late);
    driver.attach(
      new Ticker(50, Infinity, () => {
        late.at = 60;
        driver.changed();
      }),
    );
    clock.advance(100);
    assert.deepEqual(late.rang, [60]);
  });

  it('leaves a detached core alone, and has no alarm without cores', () => {
    const { clock, driver } = ground();
    const one = new Ticker(10, 10);
    const two = new Ticker(15, 10);
    driver.attach(one);
    driver.attach(two);
    driver.detach(one);
    clock.advance(20);
    assert.deepEqual(one.rang, []);
    assert.deepEqual(two.rang, [15]);
    driver.detach(two);
    driver.detach(two);
    assert.equal(clock.next(), Infinity);
  });
});
