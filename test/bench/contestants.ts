import { fork, spawn, type ChildProcess } from 'node:child_process';
import dgram from 'node:dgram';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { onPath, tryRun, WORK } from './workspace';

export type Kind = 'get' | 'register';

/** What a Node.js server says of itself, after a garbage collection. */
export interface Reading {
  readonly cpuMicros: number;
  readonly heldBytes: number;
  readonly counters: Readonly<Record<string, number>>;
}

/** A server at work in a process of its own. */
export interface Running {
  readonly pid: number;
  readonly port: number;
  /** The limits in force, to print. */
  readonly limits: Readonly<Record<string, unknown>>;
  /** Servers in Node.js only. */
  readonly read?: () => Promise<Reading>;
  readonly stop: () => Promise<void>;
}

export interface Contestant {
  readonly name: string;
  readonly label: Readonly<Record<Kind, string>>;
  /** Why it cannot take part here; undefined when it can. */
  readonly missing: () => string | undefined;
  readonly start: (kind: Kind) => Promise<Running>;
}

const START_TIMEOUT = 20_000;

const once = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    const exited = (code: number | null): void => reject(new Error(`a server ended early (code ${code}, see above)`));
    child.once('exit', exited);
    child.once('message', (message) => {
      child.off('exit', exited);
      resolve(message as T);
    });
  });

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

/** A server of `servers/`, running plain JavaScript; ours load the compiled code of the folder `build`. */
async function startNode(script: string, build: string): Promise<Running> {
  const child = fork(path.join(__dirname, 'servers', script), { execArgv: ['--expose-gc'], env: { ...process.env, BENCH_BUILD: build } });
  const { port, limits } = await once<{ port: number; limits: Record<string, unknown> }>(child);
  const read = (): Promise<Reading> => {
    child.send('read');
    return once<Reading>(child);
  };
  return { pid: child.pid!, port, limits, read, stop: () => stop(child) };
}

/** A foreign program; ready when it answers a ping (RFC 7252 4.3). `limits` reads what it prints, if it prints anything of use. */
async function startForeign(command: string, parameters: (port: number) => string[], printsLimits = false): Promise<Running> {
  const port = await freePort();
  const child = spawn(command, parameters(port), { stdio: ['ignore', printsLimits ? 'pipe' : 'ignore', 'ignore'] });
  const failed = new Promise<never>((_resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${command} ended early (code ${code})`)));
  });
  // It ends when it is stopped, too; nobody waits for it any more then.
  failed.catch(() => undefined);
  const line = printsLimits ? new Promise<string>((resolve) => createInterface({ input: child.stdout! }).once('line', resolve)) : '{}';
  await Promise.race([answersPing(port), failed]);
  return { pid: child.pid!, port, limits: JSON.parse(await line) as Record<string, unknown>, stop: () => stop(child) };
}

async function freePort(): Promise<number> {
  const socket = dgram.createSocket('udp4');
  await new Promise<void>((bound) => socket.bind(0, '127.0.0.1', bound));
  const { port } = socket.address();
  await new Promise<void>((closed) => socket.close(closed));
  return port;
}

async function answersPing(port: number): Promise<void> {
  const socket = dgram.createSocket('udp4');
  let pinging: NodeJS.Timeout | undefined;
  let givingUp: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('message', () => resolve());
      socket.on('error', () => undefined);
      pinging = setInterval(() => socket.send(Buffer.of(0x40, 0, 0, 1), port, '127.0.0.1', () => undefined), 50);
      givingUp = setTimeout(() => reject(new Error(`nothing answers on port ${port}`)), START_TIMEOUT);
    });
  } finally {
    clearInterval(pinging);
    clearTimeout(givingUp);
    socket.close();
  }
}

const libcoap = { get: 'coap-server-notls', register: 'coap-rd-notls' } as const;
const californium = path.join(WORK, 'californium', 'californium.jar');

/** Builds our small Californium server when its sources changed. */
function prepareCalifornium(): string | undefined {
  const folder = path.join(__dirname, 'californium');
  const sources = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const newest = Math.max(...sources.map((entry) => statSync(path.join(entry.parentPath, entry.name)).mtimeMs));
  if (!onPath('java')) return 'there is no java';
  if (existsSync(californium) && statSync(californium).mtimeMs >= newest) return undefined;
  if (!onPath('mvn')) return 'there is no mvn to build it with';
  console.log('Building the Californium server (Maven Central) ...');
  const problem = tryRun('mvn', ['-q', '-B', `-Dbench.output=${path.dirname(californium)}`, 'clean', 'package'], folder);
  return problem && `mvn could not build it: ${problem}`;
}

/** Who takes part, the floor first. `build` is the folder with our compiled code. */
export function contestants(build: string): Contestant[] {
  return [
    {
      name: 'dgram',
      label: { get: 'bare dgram, answer made before', register: 'bare dgram, answer made before' },
      missing: () => undefined,
      start: () => startNode('dgram.cjs', build),
    },
    {
      name: 'ours',
      label: { get: 'ours: CoapEndpoint, one resource', register: 'ours: createLwm2mServer, whole Register' },
      missing: () => undefined,
      start: (kind) => startNode(`ours-${kind}.cjs`, build),
    },
    {
      name: 'npm_coap',
      label: { get: 'npm coap: one constant', register: 'npm coap: query read, 2.01' },
      missing: () => undefined,
      start: () => startNode('npm-coap.cjs', build),
    },
    {
      name: 'libcoap',
      label: { get: `libcoap ${libcoap.get}`, register: `libcoap ${libcoap.register}` },
      missing: () =>
        Object.values(libcoap).every(onPath) ? undefined : `there is no ${libcoap.get} or ${libcoap.register} (Debian: libcoap3-bin)`,
      start: (kind) => startForeign(libcoap[kind], (port) => ['-A', '127.0.0.1', '-p', String(port)]),
    },
    {
      name: 'californium',
      label: { get: 'Californium: one constant', register: 'Californium: query read, 2.01' },
      missing: prepareCalifornium,
      start: () => startForeign('java', (port) => ['-jar', californium, String(port)], true),
    },
  ];
}
