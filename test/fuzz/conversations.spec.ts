import assert from 'node:assert/strict';
import type { Operation, OperationResult } from '../../lib/server/types';
import { corpus, countEscapes, FUZZ, liveHeap } from '../support/fuzz';
import { createGround, type Ground } from '../support/ground';
import { mutate } from '../support/mutate';
import { createRandom } from '../support/random';
import { ReplayingPeer } from '../support/replay';
import { createPopulation } from '../support/sim/population';
import { loadTraces } from '../support/traces';

const samples = corpus();

const OPERATIONS: readonly Operation[] = [
  { kind: 'Read', path: { ids: [3, 0, 2] } },
  { kind: 'Read', path: { ids: [3, 0] } },
  { kind: 'Read', path: { ids: [3303] } },
  { kind: 'Discover', path: { ids: [3] } },
  { kind: 'Observe', path: { ids: [3303, 0, 5700] } },
  { kind: 'Observe', path: { ids: [3, 0] } },
  { kind: 'ObserveCancel', path: { ids: [3, 0] } },
  { kind: 'Execute', path: { ids: [3303, 0, 5605] } },
  { kind: 'WriteReplace', path: { ids: [3, 0, 14] }, nodes: [{ path: [3, 0, 14], type: 'string', value: '+02:00' }] },
];

function sizes({ endpoint, server }: Ground): Record<string, number> {
  const { registrations, observations, pendingOperations } = server.counters();
  return { ...endpoint.sizes(), registrations, observations, pendingOperations };
}

const NOTHING = { peers: 0, exchanges: 0, bodyBytes: 0, seenBytes: 0, timers: 0, registrations: 0, observations: 0, pendingOperations: 0 };

describe(`conversations in which every fifth datagram is spoiled, seed ${FUZZ.seed}`, () => {
  it('harm nobody: every operation has one result, and all is well again afterwards', async () => {
    // What the ground notes for a restart would count as growth.
    const ground = createGround({ seed: FUZZ.seed, keeps: false });
    const population = createPopulation({
      count: 40,
      network: ground.network,
      clock: ground.clock,
      seed: FUZZ.seed,
      server: ground.at,
      lifetime: 120,
      measureEvery: 3_000,
      measurements: 63,
    });
    const random = createRandom(FUZZ.seed);
    const goal = Math.max(1_000, Math.floor(FUZZ.count / 4));
    let spoiled = 0;
    ground.network.mangle = (direction, data) => {
      if (direction === 'down' || !random.chance(0.2)) return data;
      spoiled += 1;
      return mutate(data, samples.all, random).data;
    };
    let asked = 0;
    const results = { answer: 0, failed: 0 };
    const heap = liveHeap();
    const escaped = await countEscapes(async () => {
      population.start(5_000);
      while (spoiled < goal) {
        for (const device of population.devices) {
          if (!random.chance(0.3)) continue;
          asked += 1;
          void ground.server
            .perform(device.endpoint, random.pick(OPERATIONS), { timeout: 60_000 })
            .then((result) => (results[result.kind] += 1));
        }
        await ground.clock.elapse(2_000);
        ground.events.length = 0;
      }
      ground.network.mangle = undefined;
      await ground.clock.elapse(400_000);
      assert.equal(results.answer + results.failed, asked, 'one result for each operation');
      // A Register whose name or formats were spoiled on the way is one all the same, and the device cannot know: it must begin anew.
      for (const device of population.devices) device.register();
      const back = await ground.clock.runUntil(() => population.count(({ state }) => state === 'registered') === 40, 600_000);
      assert.equal(back, true);
      for (const device of population.devices) {
        let answer: OperationResult | undefined;
        void ground.server.perform(device.endpoint, { kind: 'Read', path: { ids: [3, 0, 2] } }).then((result) => (answer = result));
        await ground.clock.runUntil(() => answer !== undefined, 200_000);
        assert.ok(answer?.kind === 'answer' && answer.ok, `${device.endpoint} ${JSON.stringify(answer)}`);
        assert.equal(answer.nodes?.[0]?.value, device.serial);
      }
      population.close();
      // Names that only exist because of a spoiled Register have the lifetime they said, or the default one, or none.
      await ground.clock.elapse(600_000);
    });
    assert.deepEqual(escaped, []);
    assert.deepEqual(ground.errors, []);
    assert.ok(results.answer > asked / 10 && results.failed > asked / 100, JSON.stringify(results));
    const { registrations, observations, pendingOperations, ...coap } = sizes(ground);
    const ghosts = ground.server.registrations().filter(({ lifetime }) => lifetime > 0 && lifetime < 600);
    assert.deepEqual(ghosts, []);
    assert.ok((registrations as number) < goal / 20, `${registrations} registrations left`);
    assert.equal(pendingOperations, 0);
    assert.ok((observations as number) <= 2 * (registrations as number));
    assert.equal(coap['exchanges'], 0);
    assert.equal(coap['bodyBytes'], 0);
    assert.equal(coap['timers'], 0);
    const grown = liveHeap() - heap;
    assert.ok(grown < 8_000_000, `the heap grew by ${grown} bytes`);
    ground.close();
    assert.deepEqual(ground.errors, []);
  });

  it('of every recorded client leave nothing behind', async () => {
    const random = createRandom(FUZZ.seed + 1);
    const rounds = Math.max(1, Math.floor(FUZZ.count / 10_000));
    let played = 0;
    const escaped = await countEscapes(async () => {
      for (let round = 0; round < rounds; round += 1) {
        for (const trace of loadTraces()) {
          const ground = createGround({ seed: FUZZ.seed + round, timeout: 30_000 });
          ground.network.mangle = (direction, data) =>
            direction === 'up' && ground.server.counters().registers > 0 && random.chance(0.2)
              ? mutate(data, samples.all, random).data
              : data;
          const peer = new ReplayingPeer({
            trace,
            network: ground.network,
            clock: ground.clock,
            host: { address: '2001:db8::2', port: 5_683 },
            server: ground.at,
          });
          peer.start();
          let left = 0;
          ground.server.subscribe((event) => {
            if (event.kind !== 'registered') return;
            for (const exchange of [...new Set(trace.records.map(({ step }) => /^(?:READ|OBSERVE) ((?:\/\d+)+)/.exec(step)?.[1]))]) {
              if (exchange === undefined) continue;
              const path = { ids: exchange.slice(1).split('/').map(Number) };
              left += 1;
              const kind = random.chance(0.5) ? 'Read' : 'Observe';
              void ground.server.perform(event.registration.endpoint, { kind, path }).then(() => (left -= 1));
            }
          });
          await ground.clock.elapse(900_000);
          played += peer.played.length;
          peer.close();
          assert.equal(left, 0, `${trace.name}: operations without a result`);
          assert.deepEqual(ground.errors, [], trace.name);
          assert.equal(ground.endpoint.sizes().exchanges, 0, trace.name);
          assert.equal(ground.endpoint.sizes().bodyBytes, 0, trace.name);
          assert.equal(ground.server.counters().pendingOperations, 0, trace.name);
          ground.close();
          assert.deepEqual(ground.errors, [], trace.name);
          const { registrations: _registrations, observations: _observations, ...rest } = sizes(ground);
          const { registrations: _none, observations: _neither, ...nothing } = NOTHING;
          assert.deepEqual(rest, nothing, trace.name);
        }
      }
    });
    assert.deepEqual(escaped, []);
    assert.ok(played > 100, `${played} requests of the server were answered`);
  });
});
