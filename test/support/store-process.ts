import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';

const script = path.join(__dirname, 'store-child.ts');
const root = path.resolve(__dirname, '../..');

export interface ChildOptions {
  readonly uid?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Shell words before the command, such as `ulimit -f 100;`. */
  readonly before?: string;
}

/** Runs `store-child.ts` to its end; what it printed, line by line. Throws when it crashed. */
export function runStoreChild(mode: string, folder: string, { uid, env = {}, before }: ChildOptions = {}): Record<string, any>[] {
  const words = [process.execPath, '--require', 'tsx/cjs', script, mode, folder];
  const [command, ...rest] = before === undefined ? words : ['sh', '-c', `${before} exec "$@"`, 'sh', ...words];
  const result = spawnSync(command!, rest, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...env, ...(uid !== undefined && { STORE_CHILD_UID: String(uid) }) },
  });
  if (result.status !== 0) throw new Error(`ended with ${result.signal ?? result.status}: ${result.stdout}${result.stderr}`);
  return lines(result.stdout);
}

/** Starts `store-child.ts`; the caller ends it. */
export function startStoreChild(mode: string, folder: string, ...more: string[]): ChildProcess {
  return spawn(process.execPath, ['--require', 'tsx/cjs', script, mode, folder, ...more], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** The whole lines of a text as JSON. */
export function lines(text: string): Record<string, any>[] {
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, any>);
}
