import { performance } from 'node:perf_hooks';
import type { Clock } from '../transport/types';

const MAX_TIMEOUT = 0x7fffffff;

/** The real time. One alarm at a time; longer than 24.8 days is waited for in steps. */
export function realClock(): Clock {
  let timer: NodeJS.Timeout | undefined;
  const now = (): number => performance.now();
  const alarm = (at: number, wake: () => void): void => {
    clearTimeout(timer);
    timer = undefined;
    if (at === Infinity) return;
    const wait = Math.max(0, Math.ceil(at - now()));
    timer = wait > MAX_TIMEOUT ? setTimeout(() => alarm(at, wake), MAX_TIMEOUT) : setTimeout(wake, wait);
  };
  return { now, wall: () => Date.now(), alarm };
}
