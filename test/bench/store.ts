import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import type * as StoreModule from '../../lib/store/index';
import type { createRealClock as CreateRealClock } from '../../lib/transport/clock';
import { processCpu, spread, waitForQuiet } from './measure';

/** What a registration of ten object instances is like when it is kept: about 600 bytes. */
function registration(index: number): object {
  return {
    endpoint: `urn:imei:${356_000_000_000_000 + index}`,
    id: (index * 2_654_435_761).toString(36).padStart(10, 'x'),
    route: { address: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`, port: 56_830 },
    lifetime: 86_400,
    version: '1.1',
    binding: 'UQ',
    registered: 1_767_225_600_000 + index,
    updated: 1_767_225_600_000 + 7 * index,
    objects: Array.from({ length: 10 }, (_, at) => ({ path: `/${3_300 + at}/0`, version: '1.1' })),
    attributes: { sms: null, extra: 'x'.repeat(40) },
  };
}

interface Cost {
  readonly ms: number;
  /** Of all threads; NaN where the system does not tell. */
  readonly cpu_ms: number;
  /** How late a timer of 1 ms came: at worst, and 99 of 100 times. */
  readonly late_ms: number;
  readonly late_p99_ms: number;
}

async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const cpu = processCpu(process.pid) ?? NaN;
  const began = performance.now();
  delay.enable();
  await work();
  delay.disable();
  return {
    ms: performance.now() - began,
    cpu_ms: ((processCpu(process.pid) ?? NaN) - cpu) * 1_000,
    late_ms: delay.max / 1e6,
    late_p99_ms: delay.percentile(99) / 1e6,
  };
}

interface Round {
  readonly bytes: number;
  readonly set_us: number;
  readonly update_set_us: number;
  readonly flush: Cost;
  readonly open: Cost;
  readonly load: Cost;
}

async function round(library: string, folder: string, count: number): Promise<Round> {
  /* eslint-disable @typescript-eslint/no-require-imports */
  const { Journal, openStore, pagesOf, encodeValue, decodeValue } = require(path.join(library, 'lib/store/index.js')) as typeof StoreModule;
  const { createRealClock } = require(path.join(library, 'lib/transport/clock.js')) as { createRealClock: typeof CreateRealClock };
  /* eslint-enable @typescript-eslint/no-require-imports */
  const all = Array.from({ length: count }, (_, index) => registration(index));
  const keys = all.map((_, index) => `r/urn:imei:${356_000_000_000_000 + index}`);
  const bytes = all.reduce((sum: number, one) => sum + encodeValue(one).length, 0) / count;

  const first = await openStore({ directory: folder });
  if (first.store.kind !== 'disk') throw new Error(first.notices[0]?.text);
  const journal = new Journal({ store: first.store, clock: createRealClock(), interval: 3_600_000 });
  const set = (from: number): number => {
    const began = performance.now();
    for (let index = 0; index < count; index += 1) journal.set(keys[index]!, all[index]!, from + index);
    return ((performance.now() - began) * 1_000) / count;
  };
  const set_us = set(1_767_312_000_000);
  const flush = await costOf(async () => {
    const { error } = await journal.flush();
    if (error) throw error;
  });
  set(1_767_312_100_000);
  const update_set_us = set(1_767_312_200_000);
  await journal.close();
  await first.store.close();

  let opened: StoreModule.OpenedStore | undefined;
  const open = await costOf(async () => (opened = await openStore({ directory: folder })));
  const { store, notices } = opened!;
  if (notices.length > 0) throw new Error(notices[0]!.text);
  let loaded = 0;
  const load = await costOf(async () => {
    for await (const page of pagesOf(store, 'r/', 250)) {
      for (const { value } of page) decodeValue(value);
      loaded += page.length;
    }
  });
  await store.close();
  if (loaded !== count) throw new Error(`${loaded} of ${count} entries are there`);
  return { bytes, set_us, update_set_us, flush, open, load };
}

const COSTS: Readonly<Record<keyof Cost, string>> = {
  ms: 'ms',
  cpu_ms: 'ms of CPU, all threads',
  late_ms: 'ms the loop was late, at worst',
  late_p99_ms: 'ms the loop was late, 99 %',
};
/** Key of the JSON, what it is, and where it stands. */
const FIGURES: readonly (readonly [string, string, (one: Round) => number])[] = [
  ['bytes', 'bytes of an entry', (one) => one.bytes],
  ['set_us', 'journal.set, first of a key: us', (one) => one.set_us],
  ['update_set_us', 'journal.set, again before it is written: us', (one) => one.update_set_us],
  ...(['flush', 'open', 'load'] as const).flatMap((part) =>
    (Object.keys(COSTS) as (keyof Cost)[]).map(
      (cost) => [`${part}.${cost}`, `${part}: ${COSTS[cost]}`, (one: Round) => one[part][cost]] as const,
    ),
  ),
];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: 'string' },
      build: { type: 'string', default: 'dist' },
      entries: { type: 'string', default: '100000' },
      rounds: { type: 'string', default: '3' },
      patience: { type: 'string', default: '5' },
    },
  });
  const count = Number(values.entries);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'lwm2m-store-bench-'));
  const rounds: Round[] = [];
  try {
    for (let number = 0; number < Number(values.rounds); number += 1) {
      await waitForQuiet(Number(values.patience));
      rounds.push(await round(path.resolve(values.build), path.join(folder, String(number)), count));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`\n${count} entries, ${rounds.length} rounds: median (smallest-largest)`);
  const figures: Record<string, number> = { 'store.entries': count };
  for (const [key, label, read] of FIGURES) {
    const { median, min, max } = spread(rounds.map(read));
    console.log(`  ${label.padEnd(46)} ${median.toFixed(2)} (${min.toFixed(2)}-${max.toFixed(2)})`);
    if (Number.isFinite(median)) figures[`store.${key}`] = Math.round(median * 1_000) / 1_000;
  }
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
}

main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
