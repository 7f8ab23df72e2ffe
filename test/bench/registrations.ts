import { fork, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { registerLoad } from './load';
import type { Reading } from './servers/report';

const WARM_UP = 5_000;
const MEASURED = 20_000;
const DEVICES = 50;
const ROUNDS = 3;
const SERVERS = ['ours', 'npm-coap'] as const;

interface Result {
  readonly cpuMicros: number;
  readonly heldBytes: number;
  readonly perSecond: number;
}

const next = <T>(child: ChildProcess): Promise<T> => new Promise((resolve) => child.once('message', (message) => resolve(message as T)));

async function measure(name: string): Promise<Result> {
  const child = fork(path.join(__dirname, 'servers', `${name}.ts`), { execArgv: ['--expose-gc', '--require', 'tsx/cjs'] });
  const { port } = await next<{ port: number }>(child);
  await registerLoad({ port, devices: DEVICES, total: WARM_UP });
  const read = async (): Promise<Reading> => {
    child.send('read');
    return next<Reading>(child);
  };
  const before = await read();
  const seconds = await registerLoad({ port, devices: DEVICES, total: MEASURED });
  const after = await read();
  child.kill();
  return {
    cpuMicros: (after.cpuMicros - before.cpuMicros) / MEASURED,
    heldBytes: (after.heapUsed - before.heapUsed) / MEASURED,
    perSecond: MEASURED / seconds,
  };
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

/** Registrations over loopback: server CPU per request, and heap held per request, ours beside npm `coap` in the same run. */
async function main(): Promise<void> {
  const results = new Map<string, Result[]>(SERVERS.map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) for (const name of SERVERS) results.get(name)!.push(await measure(name));
  const cpu = new Map<string, number>();
  for (const [name, rounds] of results) {
    cpu.set(name, median(rounds.map((round) => round.cpuMicros)));
    const held = median(rounds.map((round) => round.heldBytes)).toFixed(0);
    const rate = median(rounds.map((round) => round.perSecond)).toFixed(0);
    console.log(
      `${name.padEnd(10)} ${cpu.get(name)!.toFixed(1)} us CPU/request, ${held} bytes held/request, ${rate} requests/s (load on the same machine)`,
    );
  }
  console.log(`registrations.cpu_vs_npm_coap ${(cpu.get('ours')! / cpu.get('npm-coap')!).toFixed(2)} (lower is better)`);
}

void main();
