/**
 * npm run bench -- scale: a whole server with a store and 1,000 and then 100,000 registered devices, idle and observed: memory per
 * device, CPU per Update and per notification as a flow gets it, and how soon a restarted server is ready.
 */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { spread } from './measure';
import { tryRun, WORK } from './workspace';

interface Memory {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
}

interface Ready {
  readonly port: number;
  /** Milliseconds from the start of the program to open sockets with everything restored. */
  readonly readyAfter: number;
  readonly registrations: number;
}

interface FleetResult {
  readonly answered: number;
  readonly refused: number;
  readonly retransmitted: number;
  readonly seconds: number;
}

/** A server in a process of its own. */
class Server {
  readonly #child: ChildProcess;
  ready!: Ready;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(build: string, store: string, port = 0): Promise<Server> {
    const env = { ...process.env, BENCH_BUILD: build, BENCH_STORE: store, BENCH_PORT: String(port) };
    const server = new Server(fork(path.join(__dirname, 'servers/scale.cjs'), { execArgv: ['--expose-gc'], env }));
    server.ready = await server.#next<Ready>();
    return server;
  }

  #next<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      const exited = (code: number | null): void => reject(new Error(`the server ended early (code ${code}, see above)`));
      this.#child.once('exit', exited);
      this.#child.once('message', (message) => {
        this.#child.off('exit', exited);
        resolve(message as T);
      });
    });
  }

  ask<T>(what: 'memory' | 'cpu' | 'observe' | 'close'): Promise<T> {
    this.#child.send(what);
    return this.#next<T>();
  }

  async stop(): Promise<void> {
    await this.ask('close');
    this.kill();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** The devices, see `load/fleet.c`. */
class Fleet {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(program: string, port: number, devices: number) {
    this.#child = spawn(program, ['--port', String(port), '--devices', String(devices)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async run(command: string): Promise<FleetResult> {
    this.#child.stdin!.write(`${command}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the fleet ended early (see above)');
    const result = Object.fromEntries(
      value.split(' ').map((pair) => [pair.split('=')[0]!, Number(pair.split('=')[1])]),
    ) as unknown as FleetResult;
    if (result.refused > 0 || result.answered === 0) throw new Error(`${command}: ${result.answered} answered, ${result.refused} refused`);
    return result;
  }

  stop(): void {
    this.#child.kill();
  }
}

function compileFleet(): string {
  const source = path.join(__dirname, 'load/fleet.c');
  const program = path.join(WORK, 'fleet');
  if (existsSync(program) && statSync(program).mtimeMs >= statSync(source).mtimeMs) return program;
  mkdirSync(WORK, { recursive: true });
  const problem = tryRun('cc', ['-O2', '-Wall', '-o', program, source]);
  if (problem !== undefined) throw new Error(`fleet.c could not be compiled: ${problem}. This benchmark needs Linux and a C compiler.`);
  return program;
}

interface Plan {
  /** A round. */
  readonly messages: number;
  readonly rounds: number;
  /** Seconds of quiet before memory counts as at rest: V8 gives back what a burst has left behind only then, after about a minute. */
  readonly rest: number;
}

/** RSS of a device, bytes. */
interface PerDevice {
  readonly idle: number;
  readonly observed: number;
}

/** A server and its devices. */
class Population {
  readonly #build: string;
  readonly #store: string;
  readonly devices: number;
  #server: Server;
  readonly #fleet: Fleet;

  private constructor(build: string, store: string, server: Server, fleetProgram: string, devices: number) {
    this.#build = build;
    this.#store = store;
    this.#server = server;
    this.devices = devices;
    this.#fleet = new Fleet(fleetProgram, server.ready.port, devices);
  }

  static async start(build: string, fleetProgram: string, devices: number): Promise<Population> {
    const store = mkdtempSync(path.join(os.tmpdir(), 'lwm2m-scale-'));
    return new Population(build, store, await Server.start(build, store), fleetProgram, devices);
  }

  /** Registers and observes all of them. */
  async settle(rest: number): Promise<PerDevice> {
    const { devices } = this;
    const empty = await this.#server.ask<Memory>('memory');
    const registered = await this.#fleet.run('register');
    const idle = await this.#atRest(rest);
    const { failed } = await this.#server.ask<{ failed: number }>('observe');
    if (failed > 0) throw new Error(`${failed} of ${devices} devices could not be observed`);
    const observed = await this.#atRest(rest);
    console.log(
      `${devices} devices: registered in ${registered.seconds.toFixed(1)} s; RSS ${mib(empty.rss)} empty, ${mib(idle.rss)} registered, ` +
        `${mib(observed.rss)} observed; heap and external ${mib(held(empty))}, ${mib(held(idle))}, ${mib(held(observed))} MiB`,
    );
    return { idle: (idle.rss - empty.rss) / devices, observed: (observed.rss - empty.rss) / devices };
  }

  async #atRest(rest: number): Promise<Memory> {
    const { rss } = await this.#server.ask<Memory>('memory');
    await new Promise((rested) => setTimeout(rested, rest * 1000));
    const memory = await this.#server.ask<Memory>('memory');
    if (rest > 0) console.log(`  RSS right after the burst ${mib(rss)} MiB, after ${rest} s of rest ${mib(memory.rss)} MiB`);
    return memory;
  }

  /** CPU of the server for each message, µs. */
  async round(command: string, messages: number): Promise<number> {
    const { micros } = await this.#server.ask<{ micros: number }>('cpu');
    const { answered } = await this.#fleet.run(`${command} ${messages}`);
    return ((await this.#server.ask<{ micros: number }>('cpu')).micros - micros) / answered;
  }

  /** Seconds until a new server has everything again. */
  async restart(): Promise<number> {
    const { devices } = this;
    await this.#server.stop();
    this.#server = await Server.start(this.#build, this.#store, this.#server.ready.port);
    const { registrations, readyAfter } = this.#server.ready;
    if (registrations !== devices) throw new Error(`only ${registrations} of ${devices} were found again`);
    await this.#fleet.run(`update ${Math.min(devices, 2000)}`);
    await this.#fleet.run(`notify ${Math.min(devices, 2000)}`);
    return readyAfter / 1000;
  }

  stop(): void {
    this.#fleet.stop();
    this.#server.kill();
    rmSync(this.#store, { recursive: true, force: true });
  }
}

interface Comparison {
  readonly few: number;
  readonly many: number;
  readonly ratio: number;
}

/** By turns, a round of one and a round of the other: what else the machine does, and how fast it is just now, meets both. */
async function compare(few: Population, many: Population, command: string, { messages, rounds }: Plan): Promise<Comparison> {
  const taken: { few: number; many: number }[] = [];
  for (let round = -1; round < rounds; round++) {
    const pair = { few: await few.round(command, messages), many: await many.round(command, messages) };
    // The first one warms up.
    if (round >= 0) taken.push(pair);
  }
  const median = (of: (pair: { few: number; many: number }) => number): number => spread(taken.map(of)).median;
  const ratios = taken.map((pair) => (pair.many / pair.few).toFixed(2));
  console.log(`${command}: ${ratios.join(', ')} times the CPU at ${many.devices} devices of that at ${few.devices}`);
  return { few: median((pair) => pair.few), many: median((pair) => pair.many), ratio: median((pair) => pair.many / pair.few) };
}

const held = ({ heapUsed, external }: Memory): number => heapUsed + external;
const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: 'string' },
      build: { type: 'string', default: path.resolve(__dirname, '../../dist') },
      devices: { type: 'string', default: '100000' },
      few: { type: 'string', default: '1000' },
      messages: { type: 'string', default: '100000' },
      rounds: { type: 'string', default: '7' },
      rest: { type: 'string', default: '75' },
    },
  });
  const [many, few, messages, rounds] = [values.devices, values.few, values.messages, values.rounds].map(Number);
  if (![many, few, messages, rounds].every((number) => number! > 0)) throw new Error('numbers must be above 0');
  const program = compileFleet();
  const build = path.resolve(values.build);
  console.log(
    `Scale: real sockets on loopback, store on disk, ${messages} messages a round, median of ${rounds} pairs of rounds. Node.js ${process.versions.node}.`,
  );
  const plan: Plan = { messages: messages!, rounds: rounds!, rest: Number(values.rest) };
  const small = await Population.start(build, program, few!);
  const large = await Population.start(build, program, many!).catch((error: unknown) => {
    small.stop();
    throw error;
  });
  let figures: Record<string, number>;
  try {
    await small.settle(0);
    const { idle, observed } = await large.settle(plan.rest);
    const update = await compare(small, large, 'update', plan);
    const notification = await compare(small, large, 'notify', plan);
    figures = {
      'scale.devices': many!,
      'scale.memory_idle_bytes': idle,
      'scale.memory_observed_bytes': observed,
      'scale.update.cpu_us_1k': update.few,
      'scale.update.cpu_us_100k': update.many,
      'scale.update.cpu_100k_vs_1k': update.ratio,
      'scale.notification.cpu_us_1k': notification.few,
      'scale.notification.cpu_us_100k': notification.many,
      'scale.notification.cpu_100k_vs_1k': notification.ratio,
      'scale.restart_ready_s': await large.restart(),
    };
  } finally {
    small.stop();
    large.stop();
  }
  for (const [name, value] of Object.entries(figures)) console.log(`${name} ${value < 100 ? value.toFixed(2) : value.toFixed(0)}`);
  if (values.json) await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
}

main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
