import assert from 'node:assert/strict';
import { putResource, readNodes, resourceAt, resetWorld, type World } from '../../../lib/device/world';
import { ask, ground, START, text } from './ground';

function numberAt(world: World, path: readonly number[]): number {
  const value = resourceAt(world, path);
  assert.equal(typeof value, 'number');
  return value as number;
}

function all(world: World): unknown {
  return [...world.objects.keys()].map((id) => readNodes(world, [id]));
}

describe('living values', () => {
  it('[DEV-031] are the same for the same seed, and others for another', () => {
    const [one, same, other] = [ground({ seed: 5 }), ground({ seed: 5 }), ground({ seed: 6 })];
    for (const each of [one, same, other]) each.pass(300);
    assert.deepEqual(all(one.world), all(same.world));
    assert.notDeepEqual(all(one.world), all(other.world));
  });

  it('[DEV-031] move by tick alone', () => {
    const { world, pass } = ground();
    const before = all(world);
    assert.deepEqual(all(world), before);
    pass(60);
    assert.notDeepEqual(all(world), before);
  });

  it('[DEV-032] the battery loses 1 % every 10 to 20 s and is charged at 10 %', () => {
    const { world, pass } = ground();
    putResource(world, [3, 0, 9], 30);
    const drops: number[] = [];
    let since = 0;
    let last = 30;
    let lowest = 100;
    let highest = 0;
    for (let second = 1; second <= 900; second += 1) {
      pass(1);
      const level = numberAt(world, [3, 0, 9]);
      if (level < last && last > 11 && highest === 0) {
        assert.equal(last - level, 1);
        if (since > 0) drops.push(second - since);
        since = second;
      }
      if (level > last) highest = Math.max(highest, level);
      lowest = Math.min(lowest, level);
      last = level;
    }
    assert.ok(drops.length > 10 && drops.every((seconds) => seconds >= 10 && seconds <= 21), drops.join(' '));
    assert.equal(lowest, 10);
    assert.equal(highest, 100);
  });

  it('[DEV-033] the temperature wanders by tenths and knows its lowest and highest', () => {
    const { world, pass } = ground();
    const seen: number[] = [numberAt(world, [3303, 0, 5700])];
    for (let second = 0; second < 600; second += 1) {
      pass(1);
      seen.push(numberAt(world, [3303, 0, 5700]));
    }
    assert.ok(new Set(seen).size > 10);
    assert.ok(seen.every((value) => value === Number(value.toFixed(1)) && value > 10 && value < 32));
    assert.equal(numberAt(world, [3303, 0, 5601]), Math.min(...seen));
    assert.equal(numberAt(world, [3303, 0, 5602]), Math.max(...seen));
  });

  it('[DEV-033] the position moves like someone walking', () => {
    const { world, pass } = ground();
    const before = [numberAt(world, [6, 0, 0]), numberAt(world, [6, 0, 1])] as const;
    pass(600);
    const metres = Math.hypot(numberAt(world, [6, 0, 0]) - before[0], (numberAt(world, [6, 0, 1]) - before[1]) * 0.67) * 111_320;
    assert.ok(metres > 5 && metres < 1300, `${metres} m in ten minutes`);
    assert.ok(numberAt(world, [6, 0, 5]) > START);
    assert.ok(numberAt(world, [6, 0, 6]) >= 1 && numberAt(world, [6, 0, 6]) <= 2);
  });

  it('[DEV-033] signal, link quality and memory stay in their ranges', () => {
    const { world, pass } = ground();
    for (let round = 0; round < 200; round += 1) {
      pass(15);
      const [signal, quality, memory] = [numberAt(world, [4, 0, 2]), numberAt(world, [4, 0, 3]), numberAt(world, [3, 0, 10])];
      assert.ok(signal >= -110 && signal <= -60 && quality >= 0 && quality <= 100 && memory >= 32 && memory <= 240);
    }
  });

  it('[DEV-033] the clock runs on from the time the server writes', () => {
    const { world, pass } = ground();
    pass(10);
    assert.equal(text(ask(world, 'GET', '/3/0/13')), String(START + 10));
    assert.equal(ask(world, 'PUT', '/3/0/13', { payload: String(START + 3610) }).code, '2.04');
    pass(5);
    assert.equal(numberAt(world, [3, 0, 13]), START + 3615);
  });
});

describe('firmware update', () => {
  it('[DEV-034] by URI: downloading, downloaded, updating, and a new version after the restart', () => {
    const { world, pass } = ground();
    const states: number[] = [];
    const note = (): void => void states.push(numberAt(world, [5, 0, 3]));
    note();
    assert.equal(ask(world, 'PUT', '/5/0/1', { payload: 'coap://192.0.2.1/fw.bin' }).code, '2.04');
    note();
    assert.equal(ask(world, 'POST', '/5/0/2').code, '4.05');
    pass(12);
    note();
    assert.equal(ask(world, 'POST', '/5/0/2').code, '2.04');
    note();
    assert.equal(ask(world, 'PUT', '/5/0/1', { payload: '', contentFormat: 0 }).code, '4.05');
    pass(7);
    note();
    assert.deepEqual(states, [0, 1, 2, 3, 0]);
    assert.equal(numberAt(world, [5, 0, 5]), 1);
    assert.equal(resourceAt(world, [3, 0, 3]), '1.0.1');
    assert.deepEqual([...world.actions], ['reboot']);
  });

  it('[DEV-034] by package: downloaded at once, an empty one goes back to idle; the bytes are not kept', () => {
    const { world } = ground();
    assert.equal(ask(world, 'PUT', '/5/0/0', { payload: Buffer.from([1, 2, 3]), contentFormat: 42 }).code, '2.04');
    assert.equal(numberAt(world, [5, 0, 3]), 2);
    assert.equal(resourceAt(world, [5, 0, 0]), null);
    assert.equal(ask(world, 'PUT', '/5/0/0', { contentFormat: 42 }).code, '2.04');
    assert.equal(numberAt(world, [5, 0, 3]), 0);
  });

  it('[DEV-034] knows what is no URI', () => {
    const { world } = ground();
    assert.equal(ask(world, 'PUT', '/5/0/1', { payload: 'somewhere' }).code, '2.04');
    assert.equal(numberAt(world, [5, 0, 3]), 0);
    assert.equal(numberAt(world, [5, 0, 5]), 7);
  });
});

it('[DEV-035] a reset gives back the values of the beginning', () => {
  const { world, pass } = ground();
  const before = readNodes(world, [3303]);
  ask(world, 'PUT', '/3303/0/5700', { query: ['pmin=5'] });
  ask(world, 'DELETE', '/19/0');
  pass(300);
  resetWorld(world);
  assert.deepEqual(readNodes(world, [3303]), before);
  assert.equal(world.attributes.size, 0);
  assert.equal(world.objects.get(19)?.instances.size, 2);
});

it('[DEV-035] Reboot and Factory Reset ask for a restart', () => {
  const { world } = ground();
  ask(world, 'POST', '/3/0/4');
  ask(world, 'POST', '/3/0/5');
  assert.deepEqual([...world.actions], ['reboot', 'factory-reset']);
});
