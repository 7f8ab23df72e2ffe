/** A real Node-RED in a child process, with this package linked into a user directory of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const packageRoot = path.resolve(__dirname, '../..');
/** The Node-RED to test on: the folder that LWM2M_TEST_NODE_RED names, or else the one of the devDependencies. */
export const nodeRedDir = path.resolve(packageRoot, process.env['LWM2M_TEST_NODE_RED'] || 'node_modules/node-red');
const startLimit = 60_000;
const stopLimit = 8_000;

export interface NodeRedOptions {
  /** The flow as an array of nodes, or the path of a flow file. Without it the editor starts empty. */
  flow?: readonly object[] | string;
  /** Default: any free TCP port. */
  uiPort?: number;
  /** The folder to load the package from; default this repository (run the build first). */
  packageDir?: string;
  /** The `red.js` to run; default that of `nodeRedDir`. */
  red?: string;
  /** Added to the settings file. */
  settings?: Readonly<Record<string, unknown>>;
  /** Environment variables added to those of the tests. */
  env?: Readonly<Record<string, string>>;
}

export interface NodeRed {
  /** With a slash at the end. */
  readonly url: string;
  /** The user directory; gone after `stop`. */
  readonly dir: string;
  readonly pid: number;
  /** Everything it wrote so far. */
  log(): string;
  /** Resolves once the output matches; rejects with the output when Node-RED ends first or `limit` ms pass. */
  waitFor(pattern: RegExp, limit?: number): Promise<void>;
  /** Ends the process by a signal, default SIGTERM, and starts it again on the same user directory. Resolves at its "Started flows". */
  restart(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Deploys the flows as they are, as the editor's buttons do. Resolves when Node-RED has answered. */
  deploy(
    type: 'full' | 'flows' | 'nodes' | 'reload',
    change?: (flows: Record<string, unknown>[]) => Record<string, unknown>[],
  ): Promise<void>;
  stop(): Promise<void>;
}

/** Starts Node-RED and resolves at its "Started flows". Rejects with its output when it does not come up. */
export async function startNodeRed(options: NodeRedOptions = {}): Promise<NodeRed> {
  const dir = await mkdtemp(path.join(tmpdir(), 'lwm2m-node-red-'));
  const uiPort = options.uiPort ?? (await freeTcpPort());
  await prepare(dir, uiPort, options);
  const red = options.red ?? path.join(nodeRedDir, 'red.js');
  let output = '';
  /** Where the output of the present process begins. */
  let begin = 0;
  let ended = false;
  const watchers = new Set<() => void>();
  const wake = (): void => {
    for (const watcher of [...watchers]) watcher();
  };
  const collect = (chunk: Buffer): void => {
    output += chunk.toString('utf8');
    wake();
  };
  const launch = (): { child: ChildProcess; exited: Promise<void> } => {
    begin = output.length;
    ended = false;
    const child = spawn(process.execPath, [red, '-u', dir, '-s', path.join(dir, 'settings.js')], {
      cwd: dir,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const exited = new Promise<void>((resolve) => {
      child.once('exit', () => {
        ended = true;
        wake();
        resolve();
      });
    });
    return { child, exited };
  };
  let running = launch();

  const waitFor = (pattern: RegExp, limit = startLimit): Promise<void> =>
    new Promise((resolve, reject) => {
      const finish = (problem?: string): void => {
        clearTimeout(timer);
        watchers.delete(look);
        if (problem === undefined) resolve();
        else reject(new Error(`${problem}\n${output}`));
      };
      const look = (): void => {
        if (pattern.test(output.slice(begin))) finish();
        else if (ended) finish(`Node-RED ended before it said ${pattern}`);
      };
      const timer = setTimeout(() => finish(`Node-RED did not say ${pattern} within ${limit} ms`), limit);
      watchers.add(look);
      look();
    });

  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    if (ended) return;
    const { child, exited } = running;
    child.kill(signal);
    const force = setTimeout(() => child.kill('SIGKILL'), stopLimit);
    await exited;
    clearTimeout(force);
  };
  const restart = async (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> => {
    await end(signal);
    running = launch();
    await waitFor(/Started flows/);
  };
  const deploy: NodeRed['deploy'] = async (type, change = (flows) => flows) => {
    const url = `http://127.0.0.1:${uiPort}/flows`;
    const version = { 'Node-RED-API-Version': 'v2' };
    const { rev, flows } = (await (await fetch(url, { headers: version })).json()) as { rev: string; flows: Record<string, unknown>[] };
    const headers = { ...version, 'content-type': 'application/json', 'Node-RED-Deployment-Type': type };
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ rev, flows: change(flows) }) });
    if (!response.ok) throw new Error(`Node-RED answered ${response.status} to a deploy: ${await response.text()}`);
  };
  const stop = async (): Promise<void> => {
    await end('SIGTERM');
    await rm(dir, { recursive: true, force: true });
  };

  try {
    await waitFor(/Started flows/);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `http://127.0.0.1:${uiPort}/`,
    dir,
    get pid() {
      return running.child.pid ?? 0;
    },
    log: () => output,
    waitFor,
    restart,
    deploy,
    stop,
  };
}

/**
 * Ports are looked for below those that the system hands out by itself: there another process, or a connection of the browser, could
 * take one before its user does.
 */
const lowestPort = 12_000;
const portCount = 20_000;

/** A TCP port of 127.0.0.1 that is free now. */
export function freeTcpPort(): Promise<number> {
  return freePort(async (port) => {
    const probe = createServer().listen(port, '127.0.0.1');
    await once(probe, 'listening');
    probe.close();
    await once(probe, 'close');
  });
}

/** A UDP port that is free now on all addresses. */
export function freeUdpPort(): Promise<number> {
  return freePort(async (port) => {
    const probe = createSocket('udp6');
    try {
      probe.bind(port);
      await once(probe, 'listening');
    } finally {
      await new Promise<void>((resolve) => probe.close(() => resolve()));
    }
  });
}

/** The first of ports drawn by chance that `take` can take and give back. */
async function freePort(take: (port: number) => Promise<void>): Promise<number> {
  for (;;) {
    const port = randomInt(lowestPort, lowestPort + portCount);
    try {
      await take(port);
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}

async function prepare(dir: string, uiPort: number, options: NodeRedOptions): Promise<void> {
  const packageDir = options.packageDir ?? packageRoot;
  const { name } = JSON.parse(await readFile(path.join(packageDir, 'package.json'), 'utf8')) as { name: string };
  const link = path.join(dir, 'node_modules', name);
  await mkdir(path.dirname(link), { recursive: true });
  await symlink(packageDir, link, 'junction');
  const settings = {
    flowFile: 'flows.json',
    uiHost: '127.0.0.1',
    uiPort,
    credentialSecret: 'test',
    telemetry: { enabled: false, updateNotification: false },
    editorTheme: { tours: false, palette: { catalogues: [] }, projects: { enabled: false } },
    externalModules: { palette: { allowInstall: false } },
    logging: { console: { level: 'info', metrics: false, audit: false } },
    ...options.settings,
  };
  await writeFile(path.join(dir, 'settings.js'), `module.exports = ${JSON.stringify(settings, null, 2)};\n`);
  await writeFile(path.join(dir, 'package.json'), '{ "name": "user-directory", "private": true }\n');
  const { flow } = options;
  if (typeof flow === 'string') await writeFile(path.join(dir, 'flows.json'), await readFile(flow));
  else if (flow) await writeFile(path.join(dir, 'flows.json'), JSON.stringify(flow));
}
