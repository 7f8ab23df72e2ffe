import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
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

/** Turns of the event loop while something runs: ms, the longest and the 99th of a hundred. */
async function turnsDuring(work: () => Promise<unknown>): Promise<{ longest: number; p99: number }> {
  const turns: number[] = [];
  let last = performance.now();
  let over = false;
  const turn = (): void => {
    const now = performance.now();
    turns.push(now - last);
    last = now;
    if (!over) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  over = true;
  turns.sort((a, b) => a - b);
  return { longest: turns.at(-1) ?? 0, p99: turns[Math.floor(turns.length * 0.99)] ?? 0 };
}

interface Round {
  readonly bytes: number;
  readonly set_us: number;
  readonly update_set_us: number;
  readonly flush_ms: number;
  readonly flush_cpu_ms: number;
  readonly flush_turn_ms: number;
  readonly flush_turn_p99_ms: number;
  readonly open_ms: number;
  readonly load_ms: number;
  readonly load_turn_ms: number;
  readonly load_turn_p99_ms: number;
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
  const cpu = processCpu(process.pid) ?? NaN;
  const began = performance.now();
  const flush = await turnsDuring(async () => {
    const { error } = await journal.flush();
    if (error) throw error;
  });
  const flush_ms = performance.now() - began;
  const flush_cpu_ms = ((processCpu(process.pid) ?? NaN) - cpu) * 1_000;
  set(1_767_312_100_000);
  const update_set_us = set(1_767_312_200_000);
  await journal.close();
  await first.store.close();

  const opening = performance.now();
  const { store, notices } = await openStore({ directory: folder });
  const open_ms = performance.now() - opening;
  if (notices.length > 0) throw new Error(notices[0]!.text);
  const loading = performance.now();
  let loaded = 0;
  const load = await turnsDuring(async () => {
    for await (const page of pagesOf(store, 'r/')) {
      for (const { value } of page) decodeValue(value);
      loaded += page.length;
    }
  });
  const load_ms = performance.now() - loading;
  await store.close();
  if (loaded !== count) throw new Error(`${loaded} of ${count} entries are there`);
  return {
    bytes,
    set_us,
    update_set_us,
    flush_ms,
    flush_cpu_ms,
    flush_turn_ms: flush.longest,
    flush_turn_p99_ms: flush.p99,
    open_ms,
    load_ms,
    load_turn_ms: load.longest,
    load_turn_p99_ms: load.p99,
  };
}

const LABELS: Readonly<Record<keyof Round, string>> = {
  bytes: 'bytes of an entry',
  set_us: 'journal.set, first of a key, µs',
  update_set_us: 'journal.set, again before it is written, µs',
  flush_ms: 'flush of all, ms',
  flush_cpu_ms: 'CPU of it, all threads, ms',
  flush_turn_ms: 'longest turn of the loop meanwhile, ms',
  flush_turn_p99_ms: '99 % of the turns, ms',
  open_ms: 'open, ms',
  load_ms: 'read and decode all, ms',
  load_turn_ms: 'longest turn of the loop meanwhile, ms',
  load_turn_p99_ms: '99 % of the turns, ms',
};

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
  for (const name of Object.keys(LABELS) as (keyof Round)[]) {
    const { median, min, max } = spread(rounds.map((one) => one[name]));
    console.log(`  ${LABELS[name].padEnd(46)} ${median.toFixed(2)} (${min.toFixed(2)}-${max.toFixed(2)})`);
    if (Number.isFinite(median)) figures[`store.${name}`] = Math.round(median * 1_000) / 1_000;
  }
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
}

main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
