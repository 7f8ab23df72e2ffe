import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { decodeValue, openStore, pagesOf } from '../../lib/store/index';
import { FUZZ } from '../support/fuzz';
import { createRandom } from '../support/random';
import { storeFolder } from '../support/store-folder';
import { lines, startStoreChild } from '../support/store-process';

/** The keys of `store-child.ts`: a change is of one of so many pairs, and every so many a removal. */
const PAIRS = 97;
const REMOVAL = 7;
/** A store lives through so many crashes before a new one begins. */
const LIVES = 10;

/** Lets a child write, kills it, and gives the number of the last change that a flush has confirmed. */
async function crash(folder: string, seed: number, after: number): Promise<number> {
  const child = startStoreChild('write', folder, String(seed));
  let text = '';
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const ended = new Promise((resolve) => child.once('close', resolve));
  // It is writing when it has confirmed something for the first time.
  while (!text.includes('confirmed') && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, after));
  child.kill('SIGKILL');
  await ended;
  const told = lines(text);
  assert.equal(child.signalCode, 'SIGKILL', text);
  assert.deepEqual([told[0]!['kind'], told[0]!['notices']], ['disk', []], text);
  assert.deepEqual(
    told.filter((line) => 'report' in line || 'failed' in line),
    [],
  );
  return told.reduce((last, line) => Math.max(last, (line['confirmed'] as number | undefined) ?? 0), 0);
}

/** Opens what is left: each pair is whole, and no older than what was confirmed. */
async function examine(folder: string, confirmed: number): Promise<void> {
  const { store, notices } = await openStore({ directory: folder });
  assert.deepEqual([store.kind, notices], ['disk', []], 'a crash is no damage');
  const found = new Map<string, { number: number; expiresAt: number | undefined }>();
  for await (const page of pagesOf(store, '')) {
    for (const { key, value, expiresAt } of page) {
      const number = key.startsWith('a') ? (decodeValue(value) as { number: number }).number : Number(value);
      found.set(key, { number, expiresAt });
    }
  }
  const last = found.get('last')!.number;
  assert.ok(last >= confirmed, `${confirmed} was confirmed, ${last} is there`);
  let withExpiry = 0;
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const [a, b] = [found.get(`a${pair}`), found.get(`b${pair}`)];
    assert.deepEqual(a, b, `pair ${pair} is whole`);
    // The last batch is all there, so the state is exactly the one after change `last`.
    const change = last - ((((last - pair) % PAIRS) + PAIRS) % PAIRS);
    const expected = change < 1 || change % REMOVAL === 0 ? undefined : change;
    assert.equal(a?.number, expected, `pair ${pair} after change ${last}`);
    if (a) withExpiry += 2;
    if (a) assert.equal(a.expiresAt, 1_800_000_000_000 + a.number);
  }
  const due = await store.expiring(Infinity);
  assert.deepEqual([due.length, found.size], [withExpiry, withExpiry + 1]);
  assert.deepEqual(
    due.map(({ expiresAt }) => expiresAt),
    due.map(({ expiresAt }) => expiresAt!).sort((x, y) => x - y),
  );
  await store.close();
}

describe(`a store whose process is killed ${FUZZ.crashes} times, seed ${FUZZ.seed}`, () => {
  const place = storeFolder();

  it('[STORE-011] always opens, has what a flush confirmed, and whole batches only', async () => {
    const random = createRandom(FUZZ.seed + 20);
    let folder = place();
    for (let life = 0; life < FUZZ.crashes; life += 1) {
      if (life % LIVES === 0) {
        rmSync(folder, { recursive: true, force: true });
        folder = place();
      }
      const seed = random.int(1_000_000);
      const confirmed = await crash(folder, seed, random.int(random.chance(0.2) ? 1_500 : 250));
      assert.ok(confirmed > 0);
      await examine(folder, confirmed).catch((error: unknown) => {
        throw new Error(`crash ${life}, seed ${seed}: ${(error as Error).message}`, { cause: error });
      });
    }
  }).timeout(FUZZ.crashes * 30_000);
});
