import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EventPump, type EventPumpOptions } from '../../../lib/server/event-pump';
import type { DataNode } from '../../../lib/lwm2m/types';
import type { Observation, Registration, ServerEvent } from '../../../lib/server/types';

const registration = { id: 'reg', endpoint: 'dev' } as unknown as Registration;

function notification(id: string, ...nodes: DataNode[]): ServerEvent {
  const observation = { id, registrationId: 'reg', endpoint: 'dev', path: { ids: [3, 0] }, startedAt: 0 } as Observation;
  return { kind: 'notification', at: 0, registration, observation, nodes, contentFormat: 112, code: '2.05', sequence: undefined };
}

const value = (path: number[], number: number, time?: number): DataNode => ({
  path,
  type: 'integer',
  value: number,
  ...(time !== undefined && { time }),
});
const updated = (at: number): ServerEvent => ({ kind: 'updated', at, registration, changed: [] });

/** A pump whose turns of the loop are called by hand. */
function bench(options: Partial<EventPumpOptions> = {}) {
  const turns: (() => void)[] = [];
  const seen: ServerEvent[] = [];
  const pump = new EventPump({ deliver: (event) => seen.push(event), later: (work) => turns.push(work), ...options });
  const turn = (): boolean => {
    const work = turns.shift();
    work?.();
    return work !== undefined;
  };
  return { pump, seen, turn, turns };
}

describe('event pump', () => {
  it('[SRV-200] hands events over at once while the turn has room, the rest in later turns, in order', () => {
    const { pump, seen, turn } = bench({ perTurn: 3 });
    for (let at = 0; at < 8; at++) pump.push(updated(at));
    const after: number[] = [seen.length];
    while (turn()) after.push(seen.length);
    assert.deepEqual(after, [3, 6, 8, 8]);
    assert.deepEqual(
      seen.map(({ at }) => at),
      [0, 1, 2, 3, 4, 5, 6, 7],
    );
    pump.push(updated(8));
    assert.equal(seen.length, 9);
  });

  it('[SRV-201] joins waiting notifications of one observation only under load, and counts each', () => {
    const { pump, seen, turn } = bench({ perTurn: 1, coalesceAbove: 2 });
    const push = (...numbers: number[]): void => numbers.forEach((number) => pump.push(notification('a', value([3, 0, 9], number))));
    push(1, 2, 3, 4, 5, 6, 7);
    while (turn());
    const told = seen.map((event) => (event.kind === 'notification' ? [event.nodes[0]?.value, event.coalesced] : []));
    // 1 at once; 2, 3 and 4 wait below the threshold; 5, 6 and 7 become one.
    assert.deepEqual(told, [
      [1, undefined],
      [2, undefined],
      [3, undefined],
      [4, undefined],
      [7, 2],
    ]);
    assert.equal(pump.counters.coalescedNotifications, 2);
  });

  it('[SRV-202] keeps what the later notification of an instance does not give anew', () => {
    const { pump, seen, turn } = bench({ perTurn: 1, coalesceAbove: 0 });
    pump.push(updated(0));
    pump.push(updated(1));
    pump.push(notification('a', value([3, 0, 9], 1), value([3, 0, 6, 0], 2), value([3, 0, 6, 1], 3), value([3, 0, 13], 4)));
    pump.push(notification('a', value([3, 0, 9], 5), value([3, 0, 6, 0], 6)));
    while (turn());
    const last = seen.at(-1);
    assert.ok(last?.kind === 'notification');
    assert.deepEqual(
      last.nodes.map(({ path, value: held }) => [path.join('/'), held]),
      [
        ['3/0/13', 4],
        ['3/0/9', 5],
        ['3/0/6/0', 6],
      ],
    );
  });

  it('[SRV-203] never joins values with times of their own, nor those of other observations', () => {
    const { pump, seen, turn } = bench({ perTurn: 1, coalesceAbove: 0 });
    pump.push(updated(0));
    pump.push(updated(1));
    pump.push(notification('a', value([3, 0, 9], 1, 1000)));
    pump.push(notification('b', value([3, 0, 9], 2)));
    pump.push(notification('a', value([3, 0, 9], 3, 1001)));
    pump.push(notification('b', value([3, 0, 9], 4)));
    while (turn());
    assert.deepEqual(
      seen.slice(2).map((event) => (event.kind === 'notification' ? [event.observation.id, event.nodes[0]?.value] : [])),
      [
        ['a', 1],
        ['a', 3],
        ['b', 4],
      ],
    );
  });

  it('[SRV-204] holds a bounded number of events and counts what is lost beyond it', () => {
    const { pump, seen, turn } = bench({ perTurn: 1, limit: 10 });
    for (let at = 0; at < 15; at++) pump.push(updated(at));
    assert.equal(pump.waiting, 10);
    assert.equal(pump.full, true);
    assert.equal(pump.counters.lostEvents, 4);
    while (turn());
    assert.equal(seen.length, 11);
    assert.equal(pump.full, false);
  });

  it('[SRV-207] keeps all events while it is paused, and hands them over in order, some a turn, when it goes on', () => {
    const { pump, seen, turn } = bench({ perTurn: 2, limit: 6 });
    pump.pause();
    for (let at = 0; at < 8; at++) pump.push(updated(at));
    while (turn());
    assert.equal(seen.length, 0);
    assert.equal(pump.counters.lostEvents, 2);
    pump.resume();
    turn();
    assert.equal(seen.length, 2);
    pump.push(updated(99));
    while (turn());
    assert.deepEqual(
      seen.map(({ at }) => at),
      [0, 1, 2, 3, 4, 5, 99],
    );
  });

  it('[SRV-207] gives what it keeps to the one that takes its place', () => {
    const [before, after] = [bench(), bench()];
    before.pump.pause();
    for (let at = 0; at < 5; at++) before.pump.push(updated(at));
    for (const event of before.pump.take()) after.pump.push(event);
    assert.deepEqual([before.pump.waiting, after.seen.length], [0, 5]);
  });

  it('[SRV-201] loses no notification and keeps order within an observation, whatever the load', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.nat({ max: 4 }), fc.constant('turn' as const)), { maxLength: 400 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 10 }),
        (steps, perTurn, coalesceAbove) => {
          const { pump, seen, turn } = bench({ perTurn, coalesceAbove });
          let pushed = 0;
          for (const step of steps) {
            if (step === 'turn') turn();
            else pump.push(notification(`o${step}`, value([3, 0, 9], pushed++)));
          }
          while (turn());
          const last = new Map<string, number>();
          let told = 0;
          for (const event of seen) {
            assert.ok(event.kind === 'notification');
            const number = Number(event.nodes[0]?.value);
            assert.ok(number > (last.get(event.observation.id) ?? -1));
            last.set(event.observation.id, number);
            told += 1 + (event.coalesced ?? 0);
          }
          assert.equal(told, pushed);
          assert.equal(pump.waiting, 0);
        },
      ),
    );
  });

  it('forgets places and keeps order when a long queue is drained while it grows', () => {
    const { pump, seen, turn } = bench({ perTurn: 2, coalesceAbove: 3 });
    for (let round = 0; round < 12_000; round++) {
      pump.push(round % 5 === 0 ? notification(`o${round % 7}`, value([3, 0, 9], round)) : updated(round));
      if (round % 3 === 0) turn();
    }
    while (turn());
    const order = seen.filter((event) => event.kind === 'updated').map(({ at }) => at);
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
    assert.equal(seen.length + pump.counters.coalescedNotifications, 12_000);
  });
});
