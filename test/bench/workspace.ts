import { spawnSync } from 'node:child_process';
import path from 'node:path';

/** What the benchmarks compile, not in git. */
export const WORK = path.resolve(__dirname, '../../node_modules/.cache/bench');

/** Runs a program quietly; the first line of what went wrong, or undefined when all was well. */
export function tryRun(command: string, parameters: readonly string[], cwd?: string): string | undefined {
  const { error, status, stderr, stdout } = spawnSync(command, parameters, { encoding: 'utf8', ...(cwd && { cwd }) });
  if (error) return `there is no ${command}`;
  if (status === 0) return undefined;
  const problem = `${stderr}\n${stdout}`.split('\n').find((line) => /error|fatal/i.test(line));
  return problem?.trim() ?? `${command} ended with ${status}`;
}

/** Where a program is, if it is on the PATH. */
export function onPath(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v "${command}"`]).status === 0;
}
