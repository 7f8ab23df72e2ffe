import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openStore, pagesOf } from '../../lib/store/index';
import type { Store, StoreOperation } from '../../lib/store/index';
import { countEscapes, FUZZ } from '../support/fuzz';
import { createRandom } from '../support/random';
import type { Random } from '../support/random';
import { storeFolder } from '../support/store-folder';

const TIMES = Math.max(Math.round(FUZZ.count / 1_000), 100);

/** Values say whose they are, so that a wrong one would show. */
const valueOf = (key: string, round: number): Buffer => Buffer.from(`${key} ${round} `.repeat(20));

/** Tables of several ages, removals among them, and a log. */
async function fillStore(directory: string, random: Random): Promise<void> {
  for (let round = 0; round < 6; round += 1) {
    const { store } = await openStore({ directory, sync: false });
    for (let batch = 0; batch < 4; batch += 1) {
      const operations = Array.from({ length: 150 }, (): StoreOperation => {
        const key = `k${random.int(1_000)}`;
        return random.chance(0.2)
          ? { kind: 'delete', key }
          : { kind: 'put', key, value: valueOf(key, round), expiresAt: random.int(1_000_000) };
      });
      await store.batch(operations);
    }
    await store.close();
  }
}

function spoil(folder: string, random: Random): string {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(path.join(folder, name)).isFile());
  const what: string[] = [];
  for (let count = random.between(1, 3); count > 0; count -= 1) {
    const name = random.pick(files);
    const file = path.join(folder, name);
    const content = readFileSync(file);
    const at = random.int(content.length + 1);
    const way = random.int(6);
    what.push(`${name} ${way} at ${at}`);
    if (way === 0) writeFileSync(file, content.subarray(0, at));
    else if (way === 1) writeFileSync(file, Buffer.concat([content, random.bytes(random.between(1, 5_000))]));
    else if (way === 2) writeFileSync(file, Buffer.alloc(content.length));
    else if (way === 3) writeFileSync(file, Buffer.concat([content.subarray(0, at), random.bytes(30), content.subarray(at)]));
    else {
      for (let left = random.between(1, 10); left > 0 && content.length > 0; left -= 1)
        content[random.int(content.length)] = random.int(256);
      writeFileSync(file, content);
    }
  }
  return what.join(', ');
}

async function readAll(store: Store): Promise<number> {
  let count = 0;
  for await (const page of pagesOf(store, '')) {
    for (const { key, value } of page) {
      const round = Number(value.toString().split(' ')[1]);
      assert.ok(value.equals(valueOf(key, round)), `${key} has a value that nobody wrote`);
      count += 1;
    }
  }
  return count;
}

describe(`a store damaged ${TIMES} times, seed ${FUZZ.seed}`, () => {
  const place = storeFolder();

  it('[STORE-020] always opens, gives nothing that was not written, and can be used', async () => {
    const random = createRandom(FUZZ.seed + 21);
    const whole = place();
    await fillStore(whole, random);
    const sound = await openStore({ directory: whole });
    const all = await readAll(sound.store);
    await sound.store.close();
    const seen = { unharmed: 0, damaged: 0, emptied: 0 };
    const escapes = await countEscapes(async () => {
      for (let time = 0; time < TIMES; time += 1) {
        const directory = place();
        cpSync(whole, directory, { recursive: true });
        const what = spoil(directory, random);
        const opened = await openStore({ directory, sync: false });
        assert.equal(opened.store.kind, 'disk', what);
        const codes = opened.notices.map(({ code }) => code);
        assert.ok(codes.length === 0 || (codes.length === 1 && codes[0] === 'DAMAGED'), `${codes.join()} of ${what}`);
        const kept = await readAll(opened.store);
        if (codes.length === 0) assert.equal(kept, all, `silently lost after ${what}`);
        seen[codes.length === 0 ? 'unharmed' : kept === 0 ? 'emptied' : 'damaged'] += 1;
        for (let page = await opened.store.expiring(Infinity); page.length > 0; page = await opened.store.expiring(Infinity)) {
          await opened.store.batch(page.map(({ key }) => ({ kind: 'delete', key })));
        }
        assert.equal(await readAll(opened.store), 0, `entries without their expiry after ${what}`);
        await opened.store.put('new', valueOf('new', 0));
        await opened.store.close();
        rmSync(directory, { recursive: true });
      }
    });
    assert.deepEqual(escapes, []);
    assert.ok(seen.damaged > TIMES / 10 && seen.unharmed > 0, JSON.stringify(seen));
  }).timeout(TIMES * 3_000);
});
