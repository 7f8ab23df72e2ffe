import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import path from 'node:path';
import { WORK, tryRun } from '../workspace';

export interface LoadOptions {
  readonly port: number;
  readonly kind: 'get' | 'register';
  readonly devices: number;
  /** Seconds; with `each`, answers per device. */
  readonly warmup: number;
  readonly seconds: number;
  /** Answers per device to measure, instead of `seconds`. */
  readonly each?: number;
}

/** What the load saw while it was measured. Times in µs. */
export interface LoadResult {
  readonly received: number;
  readonly seconds: number;
  readonly per_second: number;
  readonly p50_us: number;
  readonly p90_us: number;
  readonly p99_us: number;
  readonly cpu_seconds: number;
  /** Answers with another code than the expected one. */
  readonly refused: number;
  /** Datagrams that were no piggybacked answer to what was asked. */
  readonly stray: number;
  readonly retransmitted: number;
  readonly send_errors: number;
}

/** The command that makes the load, and what is to be said about it. */
export interface LoadProgram {
  readonly command: readonly string[];
  readonly fallback: boolean;
  readonly note: string;
}

/** Compiles `load.c` when it changed; without a C compiler, or where it cannot run, the load comes from Node.js. */
export function prepareLoad(): LoadProgram {
  const source = path.join(__dirname, 'load.c');
  const program = path.join(WORK, 'load');
  if (process.platform !== 'linux') return fallback(`load.c needs Linux, this is ${process.platform}`);
  if (existsSync(program) && statSync(program).mtimeMs >= statSync(source).mtimeMs)
    return { command: [program], fallback: false, note: 'load.c' };
  mkdirSync(WORK, { recursive: true });
  const problems: string[] = [];
  for (const compiler of ['cc', 'gcc', 'clang']) {
    const problem = tryRun(compiler, ['-O2', '-Wall', '-o', program, source]);
    if (problem === undefined) return { command: [program], fallback: false, note: `load.c, compiled by ${compiler}` };
    problems.push(problem);
  }
  return fallback(`load.c could not be compiled (${problems.join('; ')})`);
}

function fallback(reason: string): LoadProgram {
  const script = path.join(__dirname, 'fallback.ts');
  return {
    command: [process.execPath, '--require', 'tsx/cjs', script],
    fallback: true,
    note: `FALL-BACK in Node.js, slower than the servers: requests/s and latencies are the load's, not theirs (${reason})`,
  };
}

/** Devices at work: warm up, then wait for `measure`. */
export class Load {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(program: LoadProgram, options: LoadOptions) {
    const [command = '', ...first] = program.command;
    const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.#child = spawn(command, [...first, ...flags], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** Resolves when the warm-up is over and nothing is on its way. */
  async warm(): Promise<void> {
    if ((await this.#line()) !== 'warm') throw new Error('the load ended before it was warm');
  }

  async measure(): Promise<LoadResult> {
    this.#child.stdin!.write('\n');
    const pairs = (await this.#line()).split(' ').map((pair) => pair.split('='));
    return Object.fromEntries(pairs.map(([name, value]) => [name, Number(value)]));
  }

  stop(): void {
    this.#child.kill();
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the load ended early (see above)');
    return value;
  }
}
