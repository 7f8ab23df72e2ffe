import assert from 'node:assert/strict';
import { createRealClock } from '../../../lib/transport/clock';

const MAX_TIMER = 2 ** 31 - 1;

interface Timer {
  readonly run: () => void;
  readonly delay: number;
  cleared: boolean;
  unref: boolean;
}

/** Stands in for the timers and the monotonic time of Node.js. */
class Timers {
  now = 5_000.25;
  readonly set: Timer[] = [];
  readonly #real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout, now: performance.now };

  install(): void {
    const fake = (run: () => void, delay: number): unknown => {
      assert.ok(delay >= 0 && delay <= MAX_TIMER, `a delay Node.js would turn into 1 ms: ${delay}`);
      const timer: Timer = { run, delay, cleared: false, unref: false };
      this.set.push(timer);
      return Object.assign(timer, { unref: () => (timer.unref = true) });
    };
    globalThis.setTimeout = fake as unknown as typeof setTimeout;
    globalThis.clearTimeout = ((timer: Timer) => (timer.cleared = true)) as unknown as typeof clearTimeout;
    performance.now = () => this.now;
  }

  restore(): void {
    globalThis.setTimeout = this.#real.setTimeout;
    globalThis.clearTimeout = this.#real.clearTimeout;
    performance.now = this.#real.now;
  }

  get armed(): Timer[] {
    return this.set.filter((timer) => !timer.cleared);
  }

  /** Rings the one armed timer, `early` ms before its time. */
  ring(early = 0): void {
    const [timer, ...others] = this.armed;
    assert.ok(timer && others.length === 0, 'exactly one timer is armed');
    timer.cleared = true;
    this.now += timer.delay - early;
    timer.run();
  }
}

describe('real clock', () => {
  const timers = new Timers();
  let woken: string[] = [];
  beforeEach(() => {
    timers.now = 5_000.25;
    timers.set.length = 0;
    woken = [];
    timers.install();
  });
  afterEach(() => timers.restore());

  const wake = (name: string) => () => void woken.push(name);

  it('[COAP-102] wakes at the time it was asked for, never before', () => {
    const clock = createRealClock();
    clock.alarm(5_100, wake('a'));
    assert.equal(timers.armed[0]!.delay, 100);
    timers.ring(0.5);
    assert.deepEqual(woken, [], 'the timer rang early');
    timers.ring();
    assert.deepEqual(woken, ['a']);
    assert.ok(clock.now() >= 5_100);
    assert.deepEqual(timers.armed, []);
  });

  it('[COAP-102] reaches alarms beyond 2^31 ms in several hops', () => {
    const clock = createRealClock();
    const at = 5_000.25 + 2.5 * MAX_TIMER;
    clock.alarm(at, wake('far'));
    assert.equal(timers.armed[0]!.delay, MAX_TIMER);
    timers.ring();
    assert.equal(timers.armed[0]!.delay, MAX_TIMER);
    timers.ring();
    assert.deepEqual(woken, []);
    assert.equal(timers.armed[0]!.delay, Math.ceil(MAX_TIMER / 2));
    timers.ring();
    assert.deepEqual(woken, ['far']);
  });

  it('[COAP-102] has one alarm: a new one replaces the old one, Infinity takes it away', () => {
    const clock = createRealClock();
    clock.alarm(6_000, wake('old'));
    clock.alarm(5_500, wake('new'));
    timers.ring();
    assert.deepEqual(woken, ['new']);
    clock.alarm(7_000, wake('never'));
    clock.alarm(Infinity, wake('nor this'));
    assert.deepEqual(timers.armed, []);
  });

  it('[COAP-102] wakes whoever asked last, also for the same time', () => {
    const clock = createRealClock();
    clock.alarm(6_000, wake('first'));
    clock.alarm(6_000, wake('second'));
    timers.ring();
    assert.deepEqual(woken, ['second']);
  });

  it('takes a time gone by for now, and can be set again from within', () => {
    const clock = createRealClock();
    clock.alarm(4_000, () => clock.alarm(timers.now + 7, wake('again')));
    assert.equal(timers.armed[0]!.delay, 0);
    timers.ring();
    assert.equal(timers.armed[0]!.delay, 7);
    timers.ring();
    assert.deepEqual(woken, ['again']);
  });

  it('does not keep the process alive', () => {
    createRealClock().alarm(9_000, wake('a'));
    assert.equal(timers.armed[0]!.unref, true);
  });

  it('knows the time of day', () => {
    const before = Date.now();
    const wall = createRealClock().wall();
    assert.ok(wall >= before && wall <= Date.now());
  });
});
