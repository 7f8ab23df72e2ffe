/** Talks to programs of other DTLS stacks. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

/** Nothing here takes longer unless it hangs, ms. */
const LIMIT = 30_000;

export function missing(program: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  if (folders.some((folder) => existsSync(path.join(folder, program)))) return undefined;
  return `there is no ${program}; test/interop/prepare.sh installs it`;
}

/** Runs a program, says `lines` once it has written something that matches `ready`, and ends its input when it has said `until`. */
export function talk(
  program: string,
  args: readonly string[],
  options: { say?: string; until?: RegExp; ready?: RegExp } = {},
): Promise<string> {
  const { say, until, ready } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    let said = false;
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT);
    const look = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
      if (say !== undefined && !said && (!ready || ready.test(output))) {
        said = true;
        child.stdin.write(say);
      }
      if (until?.test(output)) child.stdin.end();
    };
    child.stdin.on('error', () => undefined);
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.once('error', reject);
    child.once('close', () => {
      clearTimeout(timer);
      resolve(output);
    });
    if (say === undefined) child.stdin.end();
  });
}
