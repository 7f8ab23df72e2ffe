import assert from 'node:assert/strict';
import { changeAttributes, parseAttributes, worthTelling, type Attributes } from '../../../lib/device/attributes';
import { Observations, type Channel } from '../../../lib/device/observations';
import { Responder, type Reply } from '../../../lib/device/responder';
import { putResource } from '../../../lib/device/world';
import { ask, ground } from './ground';

/** A channel that keeps what it is given. */
class Ear implements Channel {
  readonly told: string[] = [];
  ended = false;
  last: string | undefined;
  isBusy = false;

  busy(): boolean {
    return this.isBusy;
  }

  notify(reply: Reply): void {
    this.told.push(Buffer.from(reply.payload).toString('utf8'));
  }

  end(reply?: Reply): void {
    this.ended = true;
    this.last = reply?.code;
  }
}

function observing(path: readonly number[] = [3, 0, 9], format = 0) {
  const { world } = ground();
  putResource(world, [3, 0, 9], 50);
  const observations = new Observations(world, new Responder(world));
  const ear = new Ear();
  observations.add({ token: 'aa', path, accept: undefined, format, channel: ear }, 0);
  const level = (value: number, now: number): void => {
    putResource(world, [3, 0, 9], value);
    observations.check(now);
  };
  return { world, observations, ear, level };
}

describe('notifications', () => {
  it('[DEV-021] come with a changed value, once', () => {
    const { observations, ear, level } = observing();
    observations.check(1000);
    level(49, 2000);
    observations.check(3000);
    assert.deepEqual(ear.told, ['49']);
  });

  it('[DEV-022] wait for pmin, and tell the newest value then', () => {
    const { world, observations, ear, level } = observing();
    ask(world, 'PUT', '/3/0/9', { query: ['pmin=10'] });
    level(49, 2000);
    level(48, 9999);
    assert.deepEqual(ear.told, []);
    assert.equal(observations.deadline(), 10_000);
    observations.check(10_000);
    assert.deepEqual(ear.told, ['48']);
    level(47, 11_000);
    assert.equal(observations.deadline(), 20_000);
  });

  it('[DEV-022] come at pmax without a change', () => {
    const { world, observations, ear } = observing();
    ask(world, 'PUT', '/3/0/9', { query: ['pmax=60'] });
    assert.equal(observations.deadline(), 60_000);
    observations.check(59_999);
    assert.deepEqual(ear.told, []);
    observations.check(60_000);
    assert.deepEqual(ear.told, ['50']);
    assert.equal(observations.deadline(), 120_000);
  });

  it('[DEV-022] ignore a pmax below pmin', () => {
    const { world, observations } = observing();
    ask(world, 'PUT', '/3/0/9', { query: ['pmin=60', 'pmax=10'] });
    assert.equal(observations.deadline(), Infinity);
  });

  it('[DEV-022] take the periods of the levels above, and those of the Server object last', () => {
    const { world, observations } = observing();
    ask(world, 'PUT', '/1/0/3', { payload: '100' });
    assert.equal(observations.deadline(), 100_000);
    ask(world, 'PUT', '/3', { query: ['pmax=50'] });
    assert.equal(observations.deadline(), 50_000);
    ask(world, 'PUT', '/3/0/9', { query: ['pmax=20'] });
    assert.equal(observations.deadline(), 20_000);
  });

  it('[DEV-022] come when a threshold is crossed, not for what lies between', () => {
    const { world, ear, level } = observing();
    ask(world, 'PUT', '/3/0/9', { query: ['lt=20', 'gt=80'] });
    for (const [second, value] of [50, 70, 81, 90, 80, 30, 19, 5, 20].entries()) level(value, second * 1000);
    assert.deepEqual(ear.told, ['81', '80', '19', '20']);
  });

  it('[DEV-022] come when a step is reached', () => {
    const { world, ear, level } = observing();
    ask(world, 'PUT', '/3/0/9', { query: ['st=5'] });
    for (const [second, value] of [52, 54, 55, 51, 50].entries()) level(value, second * 1000);
    assert.deepEqual(ear.told, ['55', '50']);
  });

  it('[DEV-026] wait for the acknowledgement of the one before', () => {
    const { observations, ear, level } = observing();
    ear.isBusy = true;
    level(49, 1000);
    level(48, 2000);
    assert.deepEqual(ear.told, []);
    assert.equal(observations.deadline(), Infinity);
    ear.isBusy = false;
    observations.check(3000);
    assert.deepEqual(ear.told, ['48']);
  });

  it('[DEV-024] end with 4.04 when the instance is deleted', () => {
    const { world, observations, ear } = observing([19, 0], 11542);
    ask(world, 'DELETE', '/19/0');
    observations.check(1000);
    assert.equal(ear.last, '4.04');
    assert.equal(observations.size, 0);
  });

  it('[DEV-021] of an instance do not come every second for its clock, those of the clock do', () => {
    const { world, pass } = ground();
    const observations = new Observations(world, new Responder(world));
    const [instance, clock] = [new Ear(), new Ear()];
    observations.add({ token: 'aa', path: [3, 0], accept: undefined, format: 11542, channel: instance }, 0);
    observations.add({ token: 'bb', path: [3, 0, 13], accept: undefined, format: 0, channel: clock }, 0);
    for (let second = 1; second <= 8; second += 1) {
      pass(1);
      observations.check(second * 1000);
    }
    assert.deepEqual(instance.told, []);
    assert.equal(clock.told.length, 8);
  });

  it('[DEV-023] end by cancelling, by the channel, and all at once', () => {
    const { observations, ear } = observing();
    const other = new Ear();
    observations.add({ token: 'bb', path: [3, 0, 10], accept: undefined, format: 0, channel: other }, 0);
    observations.ended('aa', other);
    assert.equal(observations.size, 2, 'a channel ends its own observation only');
    observations.ended('aa', ear);
    assert.equal(observations.size, 1);
    observations.cancel('bb');
    assert.ok(other.ended);
    assert.equal(observations.size, 0);
  });

  it('[DEV-021] the same token again takes the place of the observation before', () => {
    const { observations, ear } = observing();
    observations.add({ token: 'aa', path: [3, 0, 10], accept: undefined, format: 0, channel: new Ear() }, 0);
    assert.ok(ear.ended);
    assert.equal(observations.size, 1);
  });

  it('[DEV-021] has room for a hundred', () => {
    const { observations } = observing();
    for (let token = 1; token < 100; token += 1) {
      assert.ok(observations.accepts(String(token)));
      observations.add({ token: String(token), path: [3, 0, 9], accept: undefined, format: 0, channel: new Ear() }, 0);
    }
    assert.ok(!observations.accepts('one more'));
    assert.ok(observations.accepts('aa'));
  });
});

describe('attributes', () => {
  it('[DEV-017] are read from a query', () => {
    assert.deepEqual(parseAttributes(['pmin=10', 'gt=-1.5', 'pmax']), { pmin: 10, gt: -1.5, pmax: undefined });
    for (const query of ['pmin=', 'pmin=1.5', 'gt=1e3', 'toString=1', '']) assert.equal(parseAttributes([query]), undefined, query);
  });

  it('[DEV-017] go away by their name alone', () => {
    assert.deepEqual(changeAttributes({ pmin: 1, pmax: 2 }, { pmax: undefined }, 'integer'), { pmin: 1 });
  });

  const cases: [Attributes, number, number, boolean][] = [
    [{}, 1, 1, false],
    [{}, 1, 2, true],
    [{ gt: 10 }, 10, 11, true],
    [{ gt: 10 }, 9, 10, false],
    [{ lt: 10 }, 10, 9, true],
    [{ lt: 10 }, 11, 10, false],
    [{ st: 0 }, 1, 1.1, true],
    [{ st: 0 }, 1, 1, false],
    [{ st: 2, gt: 100 }, 1, 2, false],
    [{ st: 2, gt: 100 }, 1, 3, true],
  ];
  for (const [attributes, before, after, expected] of cases) {
    it(`[DEV-022] ${JSON.stringify(attributes)}: ${before} to ${after} is ${expected ? '' : 'not '}worth telling`, () => {
      const node = (value: number) => [{ path: [3, 0, 9], type: 'float' as const, value }];
      assert.equal(worthTelling(node(before), node(after), attributes), expected);
    });
  }
});
