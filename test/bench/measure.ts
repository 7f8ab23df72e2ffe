import { readdirSync, readFileSync } from 'node:fs';

/**
 * CPU seconds a process has used in all its threads, as the operating system counts them: nanoseconds from `schedstat` of every
 * thread. The threads of the servers here live as long as they do. Undefined where there is no such file.
 */
export function processCpu(pid: number): number | undefined {
  try {
    let nanoseconds = 0;
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    }
    return nanoseconds / 1e9;
  } catch {
    return undefined;
  }
}

/** Fields of /proc/stat count in hundredths of a second on every Linux that Node.js runs on. */
const TICKS = 100;

/** CPU seconds the machine has spent on anything (user, nice, system, irq, softirq), all cores; undefined where unknown. */
export function machineCpu(): number | undefined {
  try {
    const [, user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8').split('\n')[0]!.split(/\s+/).map(Number);
    return (user! + nice! + system! + irq! + softirq!) / TICKS;
  } catch {
    return undefined;
  }
}

/** Cores in use below which the machine counts as quiet. */
export const QUIET = 0.15;
const LOOK_EVERY = 500;

/** Waits until the machine has been quiet for half a second, at most `patience` seconds. */
export async function waitForQuiet(patience: number): Promise<void> {
  const began = performance.now();
  for (;;) {
    const before = machineCpu();
    const from = performance.now();
    if (before === undefined || from - began >= patience * 1000) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    if ((machineCpu()! - before) / ((performance.now() - from) / 1000) < QUIET) return;
  }
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Of at least one value. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1]!, min: sorted[0]!, max: sorted[sorted.length - 1]! };
}
