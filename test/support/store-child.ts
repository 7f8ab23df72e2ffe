/**
 * A process that uses a store, for tests that take its rights, its disk or its life: `node --require tsx/cjs store-child.ts MODE FOLDER`.
 * It prints JSON lines. Modes: `open` opens, tells kind, notices and what is there, and closes; `hold` opens and waits; `fill` writes
 * until it is refused; `write SEED` writes for ever, see `crash.spec.ts`.
 */
import { writeSync } from 'node:fs';
import { Journal, openStore, pagesOf, StoreError } from '../../lib/store/index';
import type { JournalReport, Store } from '../../lib/store/index';
import { createRealClock } from '../../lib/transport/clock';
import { createRandom } from './random';

const [mode = '', folder = '', seed = '1'] = process.argv.slice(2);
const tell = (line: unknown): void => void writeSync(1, `${JSON.stringify(line)}\n`);

/** Gives up the rights of root once everything is loaded: the project may lie where only root can read. */
async function dropRights(uid: number): Promise<void> {
  if (!(uid > 0)) return;
  await import('classic-level');
  process.setgroups?.([]);
  process.setgid?.(uid);
  process.setuid?.(uid);
}

async function main(): Promise<void> {
  await dropRights(Number(process.env['STORE_CHILD_UID']));
  const { store, notices } = await openStore({ directory: folder, lockWait: 0 });
  tell({ kind: store.kind, notices });
  switch (mode) {
    case 'open':
      await store.put('written', Buffer.from('x'));
      tell({ keys: await keysOf(store) });
      await store.close();
      break;
    case 'hold':
      setInterval(() => undefined, 1_000);
      break;
    case 'fill':
      await fill(store);
      break;
    case 'write':
      await write(store);
      break;
    default:
      throw new Error(`no such mode: ${mode}`);
  }
}

async function keysOf(store: Store): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of pagesOf(store, '')) keys.push(...page.map(({ key }) => key));
  return keys;
}

/** 100 entries of 4,000 bytes a batch, of which nothing can be compressed, until a batch fails; then once more. */
async function fill(store: Store): Promise<void> {
  const reports: JournalReport['kind'][] = [];
  const codes = new Set<string>();
  const journal = new Journal({
    store,
    clock: createRealClock(),
    report: (report) => {
      if (!reports.includes(report.kind)) reports.push(report.kind);
      if (report.kind === 'write-failed') codes.add(report.error.code);
    },
  });
  const random = createRandom(Number(seed));
  let kept = 0;
  for (let batch = 0; batch < 500 && reports.length === 0; batch += 1) {
    for (let at = 0; at < 100; at += 1) journal.set(`k${batch * 100 + at}`, random.bytes(4_000));
    if (!(await journal.flush()).error) kept += 100;
  }
  const { pending } = journal.stats;
  const again = await store.put('again', Buffer.alloc(5_000_000, 'x')).catch((error: unknown) => (error as StoreError).code);
  const missing = [];
  for (let at = 0; at < kept; at += 1) {
    const found = await store.get(`k${at}`).catch((error: unknown) => (error instanceof StoreError ? error.code : String(error)));
    if (typeof found !== 'object') missing.push(found ?? at);
  }
  tell({ kept, reports, codes: [...codes], again: again ?? 'written', missing: missing.slice(0, 5), pending });
  await store.close();
}

/** Two entries a change, set or removed together, with the number of the change; tells which number a flush has confirmed. */
async function write(store: Store): Promise<void> {
  const random = createRandom(Number(seed));
  const journal = new Journal({ store, clock: createRealClock(), interval: 20, report: (report) => tell({ report: report.kind }) });
  const [last] = await store.range('last');
  let number = last ? Number(last.value) : 0;
  for (;;) {
    for (let left = random.between(1, 60); left > 0; left -= 1) {
      number += 1;
      const [a, b] = [`a${number % 97}`, `b${number % 97}`];
      if (number % 7 === 0) {
        journal.remove(a);
        journal.remove(b);
      } else {
        const filling = random.bytes(random.pick([0, 10, 600, 600, 600, 20_000]));
        const current = number;
        journal.set(a, () => ({ number: current, filling }), 1_800_000_000_000 + number);
        journal.set(b, Buffer.from(String(number)), 1_800_000_000_000 + number);
      }
      journal.set('last', Buffer.from(String(number)));
    }
    if (random.chance(0.5)) {
      const confirmed = number;
      if (!(await journal.flush()).error) tell({ confirmed });
    } else await new Promise((resolve) => setTimeout(resolve, random.between(0, 30)));
  }
}

main().catch((error: unknown) => {
  tell({ failed: String(error) });
  process.exitCode = 1;
});
