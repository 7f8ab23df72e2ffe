/** libcoap's example programs (Debian: libcoap3-bin) as child processes. */
import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { freeUdpPort } from '../support/node-red';

const clientProgram = 'coap-client-notls';
const serverProgram = 'coap-server-notls';
/** Nothing here takes longer unless it hangs, ms. */
const limit = 60_000;

/** Why libcoap's programs cannot run here; undefined when they can. */
export function libcoapMissing(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  const absent = [clientProgram, serverProgram].filter((program) => !folders.some((folder) => existsSync(path.join(folder, program))));
  if (absent.length === 0) return undefined;
  const note = path.join(__dirname, '.peers', 'libcoap.missing');
  return existsSync(note)
    ? readFileSync(note, 'utf8').trim()
    : `there is no ${absent.join(', no ')}; test/interop/prepare.sh installs them`;
}

/** One run of the client with these arguments. Resolves with what it wrote on both outputs; rejects when it fails or hangs. */
export function coapClient(...args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(clientProgram, args, { timeout: limit, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${clientProgram} ${args.join(' ')}: ${error.message}\n${stdout}${stderr}`));
      else resolve(stdout + stderr);
    });
  });
}

export interface CoapServer {
  readonly port: number;
  readonly stop: () => Promise<void>;
}

/** The server, with room for ten resources made by PUT; resolves when its socket is open. */
export async function startCoapServer(address: string): Promise<CoapServer> {
  const port = await freeUdpPort();
  // Only at this level does it say that its socket is open.
  const child = spawn(serverProgram, ['-A', address, '-p', String(port), '-d', '10', '-v', '7'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${serverProgram} does not start`)), limit);
    let output = '';
    const look = (chunk: Buffer): void => {
      if (output.includes('created UDP')) return;
      output += chunk.toString('utf8');
      if (!output.includes('created UDP')) return;
      clearTimeout(timer);
      resolve();
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.once('error', reject);
    void exited.then(() => {
      clearTimeout(timer);
      reject(new Error(`${serverProgram} ended: ${output}`));
    });
  });
  return {
    port,
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
}
