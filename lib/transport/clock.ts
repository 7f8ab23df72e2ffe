import type { Clock } from './types';

/** The longest delay a Node.js timer takes; beyond it fires at once. */
const MAX_TIMER = 2 ** 31 - 1;

/**
 * The real time. One timer at most; a farther alarm than 2^31 - 1 ms is reached in several hops. The timer does not keep
 * the process alive: open sockets do.
 */
export function createRealClock(): Clock {
  let timer: NodeJS.Timeout | undefined;
  let armedFor = Infinity;
  let call: () => void = () => undefined;
  const now = () => performance.now();

  function alarm(at: number, wake: () => void): void {
    call = wake;
    if (timer !== undefined && at === armedFor) return;
    if (timer !== undefined) clearTimeout(timer);
    timer = undefined;
    armedFor = at;
    if (at === Infinity) return;
    const delay = Math.min(Math.max(Math.ceil(at - now()), 0), MAX_TIMER);
    timer = setTimeout(() => {
      timer = undefined;
      if (now() < at) alarm(at, call);
      else call();
    }, delay);
    timer.unref();
  }

  return { now, wall: () => Date.now(), alarm };
}
