import assert from 'node:assert/strict';
import { createRandom } from '../../support/random';
import { createGround, eventsOf } from '../../support/ground';
import { VALUES_PER_DEVICE } from '../../support/sim/device';
import { createPopulation } from '../../support/sim/population';

const COUNT = 60;
const BAD_NETWORK = { loss: 0.05, duplication: 0.1, reordering: 0.1, reorderBy: 200, delay: [5, 40] as [number, number] };

describe(`${COUNT} devices that change their addresses, and take those that others had`, function () {
  this.timeout(60_000);

  it('stay who they are: registration, observation and values', async () => {
    const ground = createGround({ seed: 11, up: BAD_NETWORK, down: BAD_NETWORK });
    const population = createPopulation({
      count: COUNT,
      network: ground.network,
      clock: ground.clock,
      seed: 11,
      server: ground.at,
      lifetime: 3_600,
      measureEvery: 8_000,
      measurements: 60,
    });
    const random = createRandom(11);
    const registered = (): boolean => population.devices.every(({ state }) => state === 'registered');
    population.start(5_000);
    assert.equal(await ground.clock.runUntil(registered, 600_000), true);
    const ids = new Map(population.devices.map((device) => [device.endpoint, device.registrationId]));

    const observe = (endpoint: string): void => {
      void ground.server.perform(endpoint, { kind: 'Observe', path: { ids: [3303, 0, 5700] } }).then((result) => {
        if (result.kind !== 'answer') observe(endpoint);
      });
    };
    for (const { endpoint } of population.devices) observe(endpoint);
    assert.equal(await ground.clock.runUntil(() => ground.server.counters().observations === COUNT, 600_000), true);

    // One free address goes round: each device takes the place another has left.
    let free = { address: '198.51.100.1', port: 40_000 };
    for (let round = 0; round < 150; round += 1) {
      const device = random.pick(population.devices);
      const left = device.address;
      device.move(free);
      free = left;
      await ground.clock.elapse(1_500);
    }
    await ground.clock.elapse(700_000);

    assert.ok(eventsOf(ground.events, 'address-changed').length > 100);
    const replaced = new Set(eventsOf(ground.events, 'replaced').map(({ registration }) => registration.endpoint));
    assert.ok(replaced.size <= COUNT / 10, `${[...replaced].join(' ')} had to register again`);
    const values = new Map<string, number[]>();
    for (const { registration, nodes } of eventsOf(ground.events, 'notification'))
      values.set(registration.endpoint, [...(values.get(registration.endpoint) ?? []), Number(nodes[0]?.value)]);
    for (const device of population.devices) {
      const registration = ground.server.registration(device.endpoint);
      assert.deepEqual({ address: registration?.address, port: registration?.port }, device.address, device.endpoint);
      if (!replaced.has(device.endpoint)) assert.equal(registration?.id, ids.get(device.endpoint), device.endpoint);
      const own = device.value - (device.value % VALUES_PER_DEVICE);
      const seen = values.get(device.endpoint) ?? [];
      assert.ok(
        seen.every((value, at) => value >= own && value <= device.value && value > (seen[at - 1] ?? -1)),
        `${device.endpoint} ${own}: ${seen.join(' ')}`,
      );
    }
    for (const device of population.devices) {
      let serial: unknown;
      const read = (): void => {
        void ground.server.perform(device.endpoint, { kind: 'Read', path: { ids: [3, 0, 2] } }).then((result) => {
          if (result.kind === 'answer') serial = result.nodes?.[0]?.value;
          else read();
        });
      };
      read();
      assert.equal(await ground.clock.runUntil(() => serial !== undefined, 600_000), true);
      assert.equal(serial, device.serial);
    }
    assert.deepEqual(ground.errors, []);
    population.close();
    ground.close();
  });
});
