/** Handshakes with pre-shared and raw public keys and requests over DTLS, per second of server CPU, beside Eclipse Scandium. */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import dgram from 'node:dgram';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { processCpu, spread, waitForQuiet } from './measure';
import { onPath, tryRun, WORK } from './workspace';

const KINDS = ['handshakes', 'requests', 'rpk_handshakes'] as const;
type Kind = (typeof KINDS)[number];

interface Settings {
  readonly build: string;
  readonly devices: number;
  readonly seconds: number;
  readonly warmup: number;
  readonly rounds: number;
}

interface Running {
  readonly pid: number;
  readonly port: number;
  readonly read?: () => Promise<Record<string, number>>;
  readonly stop: () => void;
}

interface Sample {
  readonly cpuMicros: number;
  readonly perSecond: number;
  readonly counters: Record<string, number>;
}

/** The ratio that each is told as. */
const RATIOS: Readonly<Record<Kind, string>> = {
  handshakes: 'dtls.psk_handshakes_vs_scandium',
  requests: 'dtls.requests_vs_scandium',
  rpk_handshakes: 'dtls.rpk_handshakes_vs_scandium',
};

const keysFile = path.join(WORK, 'rpk-keys.json');
const loadProgram = path.join(WORK, 'dtls-load', 'load');
const scandium = path.join(WORK, 'scandium', 'scandium.jar');

function newest(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Math.max(...files.map((entry) => statSync(path.join(entry.parentPath, entry.name)).mtimeMs));
}

/** Builds what is older than its sources. Returns why it cannot, if it cannot. */
function prepare(): { load: string | undefined; scandium: string | undefined } {
  const upToDate = (made: string, folder: string): boolean => existsSync(made) && statSync(made).mtimeMs >= newest(folder);
  const sources = path.join(__dirname, 'dtls-load');
  let load: string | undefined;
  if (!upToDate(loadProgram, sources)) {
    if (!onPath('go')) load = 'there is no go to build the load with';
    else load = tryRun('go', ['build', '-o', loadProgram, '.'], sources);
  }
  const project = path.join(__dirname, 'scandium');
  let theirs: string | undefined;
  if (!onPath('java')) theirs = 'there is no java';
  else if (!upToDate(scandium, project)) {
    theirs = onPath('mvn')
      ? tryRun('mvn', ['-q', '-B', `-Dbench.output=${path.dirname(scandium)}`, 'clean', 'package'], project)
      : 'there is no mvn to build it with';
  }
  return { load, scandium: theirs };
}

function next<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const exited = (code: number | null): void => reject(new Error(`a server ended early (code ${code})`));
    child.once('exit', exited);
    child.once('message', (message) => {
      child.off('exit', exited);
      resolve(message as T);
    });
  });
}

function base64(key: KeyObject): string {
  const type = key.type === 'private' ? 'pkcs8' : 'spki';
  return key.export({ type, format: 'der' } as never).toString('base64');
}

/** Key pairs of the server and of so many devices, for both servers and the load. */
async function makeKeys(devices: number): Promise<{ privateKey: string; publicKey: string }> {
  const pair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const server = pair();
  const keys = { server: base64(server.privateKey), devices: Array.from({ length: devices }, () => base64(pair().privateKey)) };
  await writeFile(keysFile, JSON.stringify(keys));
  return { privateKey: keys.server, publicKey: base64(server.publicKey) };
}

async function startOurs(build: string, devices = 1000, rpk = false): Promise<Running> {
  const child = fork(path.join(__dirname, 'servers', 'ours-dtls.cjs'), {
    execArgv: ['--expose-gc'],
    env: { ...process.env, BENCH_BUILD: build, DEVICES: String(devices), ...(rpk && { BENCH_KEYS: keysFile }) },
  });
  const { port } = await next<{ port: number }>(child);
  const read = async (): Promise<Record<string, number>> => {
    child.send('read');
    return (await next<{ counters: Record<string, number> }>(child)).counters;
  };
  return { pid: child.pid!, port, read, stop: () => void child.kill('SIGKILL') };
}

async function startScandium(keys: readonly string[] = []): Promise<Running> {
  const socket = dgram.createSocket('udp4');
  await new Promise<void>((bound) => socket.bind(0, '127.0.0.1', bound));
  const { port } = socket.address();
  await new Promise<void>((closed) => socket.close(closed));
  const child = spawn('java', ['-jar', scandium, String(port), ...keys], { stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', () => resolve());
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`Scandium ended early (code ${code})`)));
  });
  return { pid: child.pid!, port, stop: () => void child.kill('SIGKILL') };
}

async function sample(start: () => Promise<Running>, kind: Kind, settings: Settings): Promise<Sample> {
  await waitForQuiet(5);
  const running = await start();
  const { devices, warmup, seconds } = settings;
  const options = { port: running.port, kind, devices, warmup, seconds };
  const rpk = kind === 'rpk_handshakes';
  const [program, first] = rpk ? [process.execPath, [path.join(__dirname, 'servers', 'rpk-load.cjs')]] : [loadProgram, []];
  const dashes = rpk ? '--' : '-';
  const load = spawn(program, [...first, ...Object.entries(options).map(([name, value]) => `${dashes}${name}=${value}`)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, BENCH_BUILD: settings.build, BENCH_KEYS: keysFile },
  });
  try {
    const lines = createInterface({ input: load.stdout })[Symbol.asyncIterator]();
    if ((await lines.next()).value !== 'ready') throw new Error('the load could not begin');
    await running.read?.();
    const before = processCpu(running.pid);
    load.stdin.write('\n');
    const result = JSON.parse((await lines.next()).value as string) as { done: number; failed: number; seconds: number };
    const after = processCpu(running.pid);
    const counters = (await running.read?.()) ?? {};
    if (result.failed > result.done / 100) throw new Error(`${result.failed} of ${result.done} ${kind} failed`);
    if (before === undefined || after === undefined) throw new Error('the system does not tell the CPU time of a process');
    return { cpuMicros: ((after - before) * 1e6) / result.done, perSecond: result.done / result.seconds, counters };
  } finally {
    load.kill('SIGKILL');
    running.stop();
  }
}

/** Resident memory of a session that is only there, in bytes: `rest` seconds later, for V8 gives back what a burst left only then. */
async function sessionBytes(build: string, sessions: number, rest: number): Promise<number> {
  const running = await startOurs(build, sessions);
  const load = spawn(loadProgram, [`-port=${running.port}`, '-kind=sessions', `-devices=${sessions}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    const lines = createInterface({ input: load.stdout })[Symbol.asyncIterator]();
    await lines.next();
    const before = await running.read!();
    load.stdin.write('\n');
    const { failed } = JSON.parse((await lines.next()).value as string) as { failed: number };
    await running.read!();
    await new Promise((rested) => setTimeout(rested, rest * 1000));
    const after = await running.read!();
    if (failed > 0 || after['sessions'] !== sessions) throw new Error(`only ${after['sessions']} of ${sessions} sessions are there`);
    return (after['rss']! - before['rss']!) / sessions;
  } finally {
    load.kill('SIGKILL');
    running.stop();
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: 'string' },
      // One of the kinds alone.
      only: { type: 'string' },
      build: { type: 'string', default: path.resolve(__dirname, '../../dist') },
      devices: { type: 'string', default: '20' },
      seconds: { type: 'string', default: '5' },
      // The JVM needs it; ours gets the same.
      warmup: { type: 'string', default: '30' },
      rounds: { type: 'string', default: '3' },
      sessions: { type: 'string', default: '20000' },
      rest: { type: 'string', default: '75' },
    },
    // Options of the other benchmarks do not matter here.
    strict: false,
  });
  const number = (name: keyof typeof values): number => {
    const value = Number(values[name]);
    if (!(value > 0)) throw new Error(`--${name} must be a number above 0`);
    return value;
  };
  const settings: Settings = {
    build: path.resolve(String(values.build)),
    devices: number('devices'),
    seconds: number('seconds'),
    warmup: number('warmup'),
    rounds: number('rounds'),
  };
  const missing = prepare();
  if (missing.load !== undefined) {
    console.log(`!! SKIPPED dtls: ${missing.load}.`);
    if (values.json) await writeFile(String(values.json), '{}\n');
    return;
  }
  if (missing.scandium !== undefined) console.log(`!! SKIPPED scandium: ${missing.scandium}. The ratios are missing below.`);
  console.log(
    `\nDTLS with AES_128_CCM_8 and connection IDs, ${settings.devices} devices on pion (raw public keys: on our own client), ${settings.rounds} rounds of ${settings.warmup} s warm-up and ${settings.seconds} s.`,
  );
  const figures: Record<string, number> = {};
  const wanted = KINDS.filter((kind) => values.only === undefined || kind === values.only);
  for (const kind of wanted) {
    const ours: Sample[] = [];
    const theirs: Sample[] = [];
    for (let round = 0; round < settings.rounds; round += 1) {
      const rpk = kind === 'rpk_handshakes';
      const { privateKey, publicKey } = await makeKeys(settings.devices);
      ours.push(await sample(() => startOurs(settings.build, 1000, rpk), kind, settings));
      const scandiumKeys = rpk ? [privateKey, publicKey] : [];
      if (missing.scandium === undefined) theirs.push(await sample(() => startScandium(scandiumKeys), kind, settings));
    }
    for (const [name, samples] of Object.entries({ ours, scandium: theirs })) {
      if (samples.length === 0) continue;
      const cpu = spread(samples.map(({ cpuMicros }) => cpuMicros));
      const rate = spread(samples.map(({ perSecond }) => perSecond));
      figures[`dtls.${kind}.${name}.cpu_us`] = cpu.median;
      figures[`dtls.${kind}.${name}.per_second`] = rate.median;
      console.log(`${kind.padEnd(14)} ${name.padEnd(9)} server CPU ${cpu.median.toFixed(0)} us, ${rate.median.toFixed(0)} a second`);
    }
    const delays = spread(ours.map(({ counters }) => counters['delay_p99_ms'] ?? NaN));
    const longest = spread(ours.map(({ counters }) => counters['delay_max_ms'] ?? NaN));
    figures[`dtls.${kind}.event_loop_delay_p99_ms`] = delays.median;
    figures[`dtls.${kind}.event_loop_delay_max_ms`] = longest.max;
    console.log(`${kind.padEnd(14)} event-loop delay of ours: p99 ${delays.median.toFixed(1)} ms, longest ${longest.max.toFixed(1)} ms`);
    if (theirs.length > 0) {
      const name = RATIOS[kind];
      // Per second of server CPU: above 1, ours does more than theirs.
      const ratio = spread(ours.map((each, round) => theirs[round]!.cpuMicros / each.cpuMicros));
      figures[name] = ratio.median;
      console.log(`${name} ${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}-${ratio.max.toFixed(2)})`);
    }
  }
  if (values.only === undefined) {
    const sessions = number('sessions');
    figures['dtls.session_bytes'] = await sessionBytes(settings.build, sessions, number('rest'));
    console.log(`dtls.session_bytes ${figures['dtls.session_bytes'].toFixed(0)}, resident, of ${sessions} idle sessions`);
  }
  const rounded = Object.entries(figures).map(([name, value]) => [name, Math.round(value * 1000) / 1000]);
  if (values.json) await writeFile(String(values.json), `${JSON.stringify(Object.fromEntries(rounded), null, 2)}\n`);
}

main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
