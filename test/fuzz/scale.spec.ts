import assert from 'node:assert/strict';
import { createGround, eventsOf } from '../support/ground';
import { VALUES_PER_DEVICE } from '../support/sim/device';
import { createPopulation } from '../support/sim/population';

/** `SCALE_COUNT` and `SCALE_SEED` of the environment; 100000 is the full measure. */
const COUNT = Number(process.env['SCALE_COUNT'] ?? 2_000);
const SEED = Number(process.env['SCALE_SEED'] ?? 1);
const NETWORK = { loss: 0.02, duplication: 0.02, reordering: 0.02, reorderBy: 200, delay: [5, 60] as [number, number] };
/** Commands under way at a time. */
const TOGETHER = 500;
const MEASUREMENTS = 12;
const MEASURE_EVERY = 60_000;
/** Virtual ms. */
const LONG = 7_200_000;

describe(`${COUNT} devices, one server, and its restart in the middle (seed ${SEED})`, function () {
  this.timeout(1_200_000);

  it('[SRV-217] all register, are observed, and go on after the restart: nobody registers anew, every value arrives once', async () => {
    const ground = createGround({ seed: SEED, up: NETWORK, down: NETWORK, maxOperations: TOGETHER });
    const population = createPopulation({
      count: COUNT,
      network: ground.network,
      clock: ground.clock,
      seed: SEED,
      server: ground.at,
      lifetime: 3_600,
      measureEvery: MEASURE_EVERY,
      measurements: MEASUREMENTS,
    });
    try {
      population.start(COUNT / 2);
      assert.equal(await ground.clock.runUntil(() => ground.server.counters().registrations === COUNT, LONG), true);
      const received = new Map<string, number[]>();
      const waiting = [...population.devices];
      let observed = 0;
      const next = (): void => {
        const device = waiting.pop();
        if (device) observe(device.endpoint);
      };
      const observe = (endpoint: string): void => {
        void ground.server.perform(endpoint, { kind: 'Observe', path: { ids: [3303, 0, 5700] } }).then((result) => {
          if (result.kind !== 'answer' || !result.observation) {
            observe(endpoint);
            return;
          }
          received.set(endpoint, [Number(result.nodes?.[0]?.value)]);
          observed += 1;
          next();
        });
      };
      for (let i = 0; i < TOGETHER; i += 1) next();
      assert.equal(await ground.clock.runUntil(() => observed === COUNT, LONG), true);
      const registers = ground.server.counters().registers;

      const take = (): void => {
        for (const { registration, nodes } of eventsOf(ground.events, 'notification')) {
          received.get(registration.endpoint)?.push(Number(nodes[0]?.value));
        }
        ground.events.length = 0;
      };
      take();
      await ground.clock.elapse(2 * MEASURE_EVERY);
      take();
      assert.deepEqual(ground.restart({ off: 5_000 }), []);
      assert.equal(ground.server.counters().registrations, COUNT);
      assert.equal(ground.server.counters().observations, COUNT);
      for (let minutes = 0; minutes < MEASUREMENTS + 5; minutes += 1) {
        await ground.clock.elapse(MEASURE_EVERY);
        take();
      }
      assert.equal(ground.server.counters().registers, 0, 'nobody registered anew');
      assert.ok(registers < COUNT * 1.05, 'nor before');
      for (const device of population.devices) {
        const own = device.value - (device.value % VALUES_PER_DEVICE);
        const values = received.get(device.endpoint) ?? [];
        const foreign = values.filter((value) => value < own || value > device.value);
        assert.deepEqual(foreign, [], device.endpoint);
        assert.ok(
          values.every((value, at) => at === 0 || value > values[at - 1]!),
          `${device.endpoint}: ${values.join(' ')}`,
        );
        assert.equal(values.at(-1), device.value, device.endpoint);
        const missing = device.acknowledged.filter((value) => !values.includes(value));
        assert.deepEqual(missing, [], device.endpoint);
      }
      assert.deepEqual(ground.errors, []);
    } finally {
      population.close();
      ground.close();
    }
  });
});
