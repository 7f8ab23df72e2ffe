/** The foreign LwM2M clients, each in a child process: JSON lines tell what happens there, lines on its input are commands to it. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { freeUdpPort } from '../support/node-red';
import { EventLog, lineSplitter } from './event-log';

const peersFolder = path.join(__dirname, '.peers');
const stopLimit = 10_000;

export const peerNames = ['leshan', 'wakaama', 'lwm2m-node-lib', 'coap-node'] as const;
export type PeerName = (typeof peerNames)[number];

/** What a peer tells: started, registered, updated, deregistered, written, executed, observed, set, sent, error, stopped. */
export interface PeerEvent {
  readonly event: string;
  readonly path?: string;
  readonly value?: unknown;
  readonly args?: string;
  readonly location?: string;
  readonly code?: string;
  readonly message?: string;
}

export interface PeerOptions {
  /** UDP port of the server, on 127.0.0.1. */
  readonly port: number;
  readonly endpoint: string;
  /** Seconds. Default 300. */
  readonly lifetime?: number;
}

export interface LeshanOptions extends PeerOptions {
  /** The only format for more than one value that the client then speaks; default all of them. */
  readonly format?: 'tlv' | 'senml-json' | 'senml-cbor';
  readonly queueMode?: boolean;
  readonly bootstrap?: boolean;
  readonly psk?: { readonly identity: string; readonly key: string };
  /** Key pair of the device and what it expects of the server, a raw public key or a certificate: DER, the private key as PKCS#8. */
  readonly certificate?: {
    readonly mode: 'rpk' | 'x509';
    readonly shown: Buffer;
    readonly privateKey: Buffer;
    readonly server: Buffer;
  };
  /** Length of the connection ID it asks for; by default it uses the server's and asks for none. */
  readonly cid?: number;
  /** Default those the library offers by itself. */
  readonly cipherSuites?: readonly string[];
  /** ACK_TIMEOUT of CoAP in ms, and so when it gives a server up; default 2000. */
  readonly ackTimeout?: number;
}

export interface WakaamaOptions extends PeerOptions {
  readonly bootstrap?: boolean;
  /** Default 'U'. */
  readonly binding?: 'U' | 'UQ';
  readonly psk?: { readonly identity: string; readonly key: string };
}

export interface Peer {
  readonly name: PeerName;
  readonly pid: number;
  readonly events: EventLog<PeerEvent>;
  /** Waits for an event of this name, of this path if one is given. */
  waitFor(event: string, path?: string, options?: { limit?: number; from?: number }): Promise<PeerEvent>;
  /** One line to its input: `set /3/0/9 55`, `update`, `send /3303/0/5700`, `stop`. Which there are depends on the peer. */
  command(line: string): void;
  /** De-registers, ends the process and resolves with its exit code. Not an error when it has ended already. */
  stop(): Promise<number | null>;
  /** All it wrote, with what its libraries log. */
  log(): string;
}

/** Why this peer cannot run here; undefined when it can. */
export function reasonMissing(name: PeerName): string | undefined {
  const folder = name === 'lwm2m-node-lib' || name === 'coap-node' ? 'sloppy' : name;
  if (!existsSync(path.join(peersFolder, `${folder}.ready`))) {
    const note = path.join(peersFolder, `${folder}.missing`);
    return existsSync(note) ? readFileSync(note, 'utf8').trim() : 'not prepared; test/interop/prepare.sh does it';
  }
  if (name === 'leshan' && spawnSync('java', ['-version']).error) return 'there is no java';
  return undefined;
}

export function available(name: PeerName): boolean {
  return reasonMissing(name) === undefined;
}

/** Eclipse Leshan on Californium: LwM2M 1.1, objects 1, 3 to 6, 9, 19, 3303 (two instances), 3442. */
export function startLeshan(options: LeshanOptions): Promise<Peer> {
  const { certificate } = options;
  const scheme = options.psk || certificate ? 'coaps' : 'coap';
  return start('leshan', 'java', [
    '-jar',
    path.join(peersFolder, 'leshan', 'leshan-client.jar'),
    ...['--server', `${scheme}://127.0.0.1:${options.port}`, '--endpoint', options.endpoint],
    ...['--lifetime', String(options.lifetime ?? 300)],
    ...(options.psk ? ['--security', 'psk', '--identity', options.psk.identity, '--key', options.psk.key] : []),
    ...(certificate
      ? [
          ...['--security', certificate.mode, '--public-key', certificate.shown.toString('hex')],
          ...['--private-key', certificate.privateKey.toString('hex'), '--server-key', certificate.server.toString('hex')],
        ]
      : []),
    ...(options.cid === undefined ? [] : ['--cid', String(options.cid)]),
    ...(options.cipherSuites ? ['--cipher-suites', options.cipherSuites.join(',')] : []),
    ...(options.ackTimeout === undefined ? [] : ['--ack-timeout', String(options.ackTimeout)]),
    ...(options.format ? ['--format', options.format] : []),
    ...(options.queueMode ? ['--queue-mode'] : []),
    ...(options.bootstrap ? ['--bootstrap'] : []),
  ]);
}

/** node-red-contrib-lwm2m, a Wakaama fork in C: LwM2M 1.0, objects 1, 2, 3, 3303. It looks for changed values every 5 s. */
export async function startWakaamaFork(options: WakaamaOptions): Promise<Peer> {
  return runner('wakaama', options, [
    ...['--client-port', String(await freeUdpPort())],
    ...(options.psk ? ['--identity', options.psk.identity, '--key', options.psk.key] : []),
    ...(options.bootstrap ? ['--bootstrap', 'true'] : []),
    ...(options.binding ? ['--binding', options.binding] : []),
  ]);
}

/** lwm2m-node-lib: LwM2M 1.0 as text only, objects 3, 3303. */
export function startLwm2mNodeLib(options: PeerOptions): Promise<Peer> {
  return runner('lwm2m-node-lib', options, []);
}

export interface CoapNodeOptions extends PeerOptions {
  /** The `lwm2m` it registers with; default its own, "1.0.0". */
  readonly version?: string;
}

/** coap-node: LwM2M 1.0 with extensions of its own, objects 3, 4, 3303, 3311. */
export function startCoapNode(options: CoapNodeOptions): Promise<Peer> {
  return runner('coap-node', options, options.version ? ['--version', options.version] : []);
}

function runner(name: PeerName, { port, endpoint, lifetime = 300 }: PeerOptions, more: readonly string[]): Promise<Peer> {
  const script = path.join(__dirname, 'runners', `${name}.cjs`);
  return start(name, process.execPath, [
    script,
    ...['--host', '127.0.0.1', '--port', String(port), '--endpoint', endpoint, '--lifetime', String(lifetime)],
    ...more,
  ]);
}

/** Resolves when the peer says that it has started; it then registers by itself. */
async function start(name: PeerName, command: string, args: readonly string[]): Promise<Peer> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const events = new EventLog<PeerEvent>();
  let output = '';
  const exited = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      events.end(error.message);
      resolve(null);
    });
    child.once('close', (code) => {
      events.end(`${name} ended with code ${code}: ${output.slice(-2000)}`);
      resolve(code);
    });
  });
  const onLine = lineSplitter((line) => {
    if (line.startsWith('{')) events.push(JSON.parse(line) as PeerEvent);
  });
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
    onLine(chunk);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
  });
  // A command to a peer that has just ended is no reason for the tests to crash.
  child.stdin.on('error', () => undefined);

  const stop = async (): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.stdin.end('stop\n');
      const force = setTimeout(() => child.kill('SIGKILL'), stopLimit);
      await exited;
      clearTimeout(force);
    }
    return exited;
  };
  const peer: Peer = {
    name,
    pid: child.pid ?? 0,
    events,
    waitFor: (event, at, options) =>
      events.waitFor(
        (seen) => seen.event === event && (at === undefined || seen.path === at),
        `event "${event}"${at === undefined ? '' : ` of ${at}`} at ${name}`,
        options,
      ),
    command: (line) => void child.stdin.write(`${line}\n`),
    stop,
    log: () => output,
  };
  try {
    await peer.waitFor('started');
  } catch (error) {
    await stop();
    throw error;
  }
  return peer;
}
