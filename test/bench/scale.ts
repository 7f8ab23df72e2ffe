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

/** What one population costs. CPU in µs, memory in bytes per device. */
interface Population {
  readonly idle: number;
  readonly observed: number;
  readonly update: number;
  readonly notification: number;
  /** Seconds. */
  readonly restart: number;
}

interface Plan {
  readonly devices: number;
  /** A round. */
  readonly messages: number;
  readonly rounds: number;
  /** Seconds of quiet before memory counts as at rest: V8 gives back what a burst has left behind only then, after about a minute. */
  readonly rest: number;
}

async function measure(build: string, fleetProgram: string, { devices, messages, rounds, rest }: Plan): Promise<Population> {
  const store = mkdtempSync(path.join(os.tmpdir(), 'lwm2m-scale-'));
  let server = await Server.start(build, store);
  const fleet = new Fleet(fleetProgram, server.ready.port, devices);
  try {
    const empty = await server.ask<Memory>('memory');
    const registered = await fleet.run('register');
    const atRest = async (): Promise<Memory> => {
      const { rss } = await server.ask<Memory>('memory');
      await new Promise((rested) => setTimeout(rested, rest * 1000));
      const memory = await server.ask<Memory>('memory');
      if (rest > 0) console.log(`  RSS right after the burst ${mib(rss)} MiB, after ${rest} s of rest ${mib(memory.rss)} MiB`);
      return memory;
    };
    const idle = await atRest();
    const { failed } = await server.ask<{ failed: number }>('observe');
    if (failed > 0) throw new Error(`${failed} of ${devices} devices could not be observed`);
    const observed = await atRest();
    console.log(
      `${devices} devices: registered in ${registered.seconds.toFixed(1)} s; RSS ${mib(empty.rss)} empty, ${mib(idle.rss)} registered, ` +
        `${mib(observed.rss)} observed; heap and external ${mib(held(empty))}, ${mib(held(idle))}, ${mib(held(observed))} MiB`,
    );
    const cpu = async (command: string): Promise<number> => {
      const taken: number[] = [];
      await fleet.run(`${command} ${messages}`);
      for (let round = 0; round < rounds; round++) {
        const { micros } = await server.ask<{ micros: number }>('cpu');
        const { answered } = await fleet.run(`${command} ${messages}`);
        taken.push(((await server.ask<{ micros: number }>('cpu')).micros - micros) / answered);
      }
      return spread(taken).median;
    };
    const update = await cpu('update');
    const notification = await cpu('notify');
    await server.stop();
    server = await Server.start(build, store, server.ready.port);
    if (server.ready.registrations !== devices) throw new Error(`only ${server.ready.registrations} of ${devices} were found again`);
    await fleet.run(`update ${Math.min(devices, 2000)}`);
    await fleet.run(`notify ${Math.min(devices, 2000)}`);
    return {
      idle: (idle.rss - empty.rss) / devices,
      observed: (observed.rss - empty.rss) / devices,
      update,
      notification,
      restart: server.ready.readyAfter / 1000,
    };
  } finally {
    fleet.stop();
    server.kill();
    rmSync(store, { recursive: true, force: true });
  }
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
      rounds: { type: 'string', default: '3' },
      rest: { type: 'string', default: '75' },
    },
  });
  const [many, few, messages, rounds] = [values.devices, values.few, values.messages, values.rounds].map(Number);
  if (![many, few, messages, rounds].every((number) => number! > 0)) throw new Error('numbers must be above 0');
  const program = compileFleet();
  const build = path.resolve(values.build);
  console.log(
    `Scale: real sockets on loopback, store on disk, ${messages} messages a round, median of ${rounds}. Node.js ${process.versions.node}.`,
  );
  const rest = Number(values.rest);
  const small = await measure(build, program, { devices: few!, messages: messages!, rounds: rounds!, rest: 0 });
  const large = await measure(build, program, { devices: many!, messages: messages!, rounds: rounds!, rest });
  const figures: Record<string, number> = {
    'scale.devices': many!,
    'scale.memory_idle_bytes': large.idle,
    'scale.memory_observed_bytes': large.observed,
    'scale.update.cpu_us_1k': small.update,
    'scale.update.cpu_us_100k': large.update,
    'scale.update.cpu_100k_vs_1k': large.update / small.update,
    'scale.notification.cpu_us_1k': small.notification,
    'scale.notification.cpu_us_100k': large.notification,
    'scale.notification.cpu_100k_vs_1k': large.notification / small.notification,
    'scale.restart_ready_s': large.restart,
  };
  for (const [name, value] of Object.entries(figures)) console.log(`${name} ${value < 100 ? value.toFixed(2) : value.toFixed(0)}`);
  if (values.json) await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
}

main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
