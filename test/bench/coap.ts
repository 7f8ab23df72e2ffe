import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { contestants, type Contestant, type Kind, type Running } from './contestants';
import { Load, prepareLoad, type LoadProgram, type LoadResult } from './load/load';
import { machineCpu, processCpu, QUIET, spread, waitForQuiet, type Spread } from './measure';
import { printLimits, printRatios, printTable, type Ratio, type Row } from './print';

const KINDS: readonly Kind[] = ['get', 'register'];
/** Finished exchanges for the memory they hold: so few per peer that none is forgotten for the sake of another (`maxSeen`). */
const HELD_WARMUP = 10;
const HELD_EACH = 40;

interface Settings {
  readonly devices: number;
  readonly seconds: number;
  readonly warmup: number;
  readonly rounds: number;
  /** Seconds to wait at most, before each measurement, for a quiet machine. */
  readonly patience: number;
}

/** One server, one round. */
interface Sample extends LoadResult {
  /** Server CPU per answered request, µs. */
  readonly cpu_us: number;
  /** Cores of the machine that neither the server nor the load used; undefined where the system does not tell. */
  readonly other_cores: number | undefined;
  /** Share of a core the load used: near 1, it was the bottleneck. */
  readonly load_cores: number;
}

async function cpuSeconds(running: Running): Promise<number | undefined> {
  const counted = processCpu(running.pid);
  if (counted !== undefined || !running.read) return counted;
  return (await running.read()).cpuMicros / 1e6;
}

async function sample(
  contestant: Contestant,
  kind: Kind,
  program: LoadProgram,
  settings: Settings,
): Promise<Sample & { limits: Running['limits'] }> {
  const { devices, warmup, seconds, patience } = settings;
  await waitForQuiet(patience);
  const running = await contestant.start(kind);
  const load = new Load(program, { port: running.port, kind, devices, warmup, seconds });
  try {
    await load.warm();
    const [server, machine] = [await cpuSeconds(running), machineCpu()];
    const began = performance.now();
    const result = await load.measure();
    const elapsed = (performance.now() - began) / 1000;
    const [serverAfter, machineAfter] = [await cpuSeconds(running), machineCpu()];
    if (result.refused > 0) throw new Error(`${contestant.name} refused ${result.refused} of ${result.received} requests`);
    if (result.received === 0) throw new Error(`${contestant.name} answered nothing`);
    const used = server === undefined || serverAfter === undefined ? NaN : serverAfter - server;
    const other = machine === undefined || machineAfter === undefined ? undefined : machineAfter - machine - used - result.cpu_seconds;
    return {
      ...result,
      cpu_us: (used * 1e6) / result.received,
      other_cores: other === undefined ? undefined : Math.max(0, other / elapsed),
      load_cores: result.cpu_seconds / elapsed,
      limits: running.limits,
    };
  } finally {
    load.stop();
    await running.stop();
  }
}

/** Bytes a finished exchange leaves behind within EXCHANGE_LIFETIME: what Node.js holds after a garbage collection, before and after. */
async function heldBytes(contestant: Contestant, kind: Kind, program: LoadProgram, devices: number): Promise<number | undefined> {
  const running = await contestant.start(kind);
  const load = new Load(program, { port: running.port, kind, devices, warmup: HELD_WARMUP, seconds: 0, each: HELD_EACH });
  try {
    if (!running.read) return undefined;
    await load.warm();
    const before = await running.read();
    const { received } = await load.measure();
    const after = await running.read();
    return (after.heldBytes - before.heldBytes) / received;
  } finally {
    load.stop();
    await running.stop();
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: 'string' },
      only: { type: 'string' },
      kind: { type: 'string' },
      build: { type: 'string', default: path.resolve(__dirname, '../../dist') },
      // All of them wait in the server's receive buffer; the default one of Linux takes some 190 such datagrams.
      devices: { type: 'string', default: '100' },
      seconds: { type: 'string', default: '3' },
      warmup: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '3' },
      patience: { type: 'string', default: '5' },
    },
  });
  const settings: Settings = {
    devices: positive('devices', values.devices),
    seconds: positive('seconds', values.seconds),
    warmup: positive('warmup', values.warmup),
    rounds: positive('rounds', values.rounds),
    patience: positive('patience', values.patience),
  };
  const build = path.resolve(values.build);
  if (!existsSync(path.join(build, 'lib/index.js'))) throw new Error(`there is no compiled code in ${build}`);
  const wanted = values.only?.split(',');
  const kinds = KINDS.filter((kind) => !values.kind || values.kind === kind);
  const program = prepareLoad();
  const all = contestants(build);
  const stranger = wanted?.find((name) => !all.some((each) => each.name === name));
  if (stranger !== undefined) throw new Error(`--only: there is no ${stranger}, only ${all.map(({ name }) => name).join(', ')}`);
  const present = all
    .filter(({ name }) => !wanted || wanted.includes(name))
    .filter(({ name, missing }) => {
      const reason = missing();
      if (reason) console.log(`!! SKIPPED ${name}: ${reason}. Its figures and ratios are missing below.`);
      return !reason;
    });

  console.log(`CoAP over loopback, ${settings.devices} devices, one Confirmable request outstanding each, closed loop.`);
  console.log(`Load: ${program.note}.`);
  console.log(
    `Machine: ${os.cpus().length} x ${os.cpus()[0]?.model ?? 'unknown'}, Node.js ${process.versions.node}, ${os.type()} ${os.release()}.`,
  );
  console.log(
    `${settings.rounds} rounds, servers in turn; each ${settings.warmup} s warm-up, ${settings.seconds} s measured. Median (min-max).`,
  );

  const figures: Record<string, number> = { 'coap.load_is_fallback': program.fallback ? 1 : 0 };
  const limits = new Map<string, Running['limits']>();
  const busy: number[] = [];
  for (const kind of kinds) {
    const samples = new Map<string, Sample[]>(present.map(({ name }) => [name, []]));
    for (let round = 0; round < settings.rounds; round++) {
      for (const contestant of present) {
        const taken = await sample(contestant, kind, program, settings);
        samples.get(contestant.name)!.push(taken);
        limits.set(contestant.name, taken.limits);
        if (taken.other_cores !== undefined) busy.push(taken.other_cores);
      }
    }
    const rows: Row[] = [];
    for (const contestant of present) {
      const held = contestant.name === 'dgram' ? undefined : await heldBytes(contestant, kind, program, settings.devices);
      const taken = samples.get(contestant.name)!;
      rows.push(row(contestant, kind, taken, held));
      record(figures, `coap.${kind}.${contestant.name}`, taken, held);
    }
    printTable(kind, rows);
    const ratios = ratiosOf(samples);
    for (const { against, value } of ratios) figures[`coap.${kind}.cpu_vs_${against}`] = value.median;
    printRatios(kind, ratios);
  }
  const held = kinds.map((kind) => figures[`coap.${kind}.ours.held_bytes`]).filter((bytes) => bytes !== undefined);
  if (held.length > 0) {
    figures['coap.held_bytes_per_exchange'] = Math.max(...held);
    console.log(`\ncoap.held_bytes_per_exchange ${Math.max(...held).toFixed(0)} (ours, the larger of ${kinds.join(' and ')})`);
  }
  printLimits(limits);
  if (busy.length > 0) {
    const other = spread(busy);
    figures['coap.other_cpu_cores'] = other.median;
    const warning = other.max > QUIET ? ' THE MACHINE WAS BUSY: figures are noisy, ratios less so.' : '';
    console.log(
      `\nOther CPU on the machine meanwhile: ${other.median.toFixed(2)} (${other.min.toFixed(2)}-${other.max.toFixed(2)}) cores.${warning}`,
    );
  }
  if (values.json) await writeFile(values.json, `${JSON.stringify(rounded(figures), null, 2)}\n`);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} must be a number above 0`);
  return value;
}

function row(contestant: Contestant, kind: Kind, taken: readonly Sample[], held: number | undefined): Row {
  const of = (pick: (sample: Sample) => number): Spread => spread(taken.map(pick));
  return {
    label: contestant.label[kind],
    cpu: of((each) => each.cpu_us),
    rate: of((each) => each.per_second),
    p50: of((each) => each.p50_us),
    p99: of((each) => each.p99_us),
    load: of((each) => each.load_cores),
    held,
    lost: taken.reduce((sum, each) => sum + each.retransmitted, 0),
  };
}

function record(figures: Record<string, number>, key: string, taken: readonly Sample[], held: number | undefined): void {
  const cpu = spread(taken.map((each) => each.cpu_us));
  figures[`${key}.cpu_us`] = cpu.median;
  figures[`${key}.cpu_us_min`] = cpu.min;
  figures[`${key}.cpu_us_max`] = cpu.max;
  figures[`${key}.per_second`] = spread(taken.map((each) => each.per_second)).median;
  figures[`${key}.p50_us`] = spread(taken.map((each) => each.p50_us)).median;
  figures[`${key}.p99_us`] = spread(taken.map((each) => each.p99_us)).median;
  if (held !== undefined) figures[`${key}.held_bytes`] = held;
}

/** Ours against every other, round by round: what slows the machine down for a while slows both. */
function ratiosOf(samples: ReadonlyMap<string, readonly Sample[]>): Ratio[] {
  const ours = samples.get('ours') ?? [];
  if (ours.length === 0) return [];
  return [...samples]
    .filter(([name]) => name !== 'ours')
    .map(([name, theirs]) => ({ against: name, value: spread(ours.map((each, round) => each.cpu_us / theirs[round]!.cpu_us)) }));
}

/** JSON has no NaN: a figure the system could not tell is left out. */
function rounded(figures: Readonly<Record<string, number>>): Record<string, number> {
  const finite = Object.entries(figures).filter(([, value]) => Number.isFinite(value));
  return Object.fromEntries(finite.map(([name, value]) => [name, Math.round(value * 1000) / 1000]));
}

main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
