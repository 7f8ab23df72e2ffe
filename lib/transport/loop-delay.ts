/** How late timers come at present: the sign of an overloaded event loop. */
export interface LoopWatch {
  /** Milliseconds, the worst of the last two samples; 0 while nothing is late. */
  current(): number;
  stop(): void;
}

const SAMPLE_MS = 500;

/** Samples with one timer, which does not keep the process alive. */
export function watchLoopDelay(): LoopWatch {
  let due = performance.now() + SAMPLE_MS;
  let last = 0;
  let before = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    before = last;
    last = Math.max(0, now - due);
    due = now + SAMPLE_MS;
  }, SAMPLE_MS);
  timer.unref();
  return {
    // A sample that is overdue now counts as well.
    current: () => Math.max(last, before, performance.now() - due),
    stop: () => clearInterval(timer),
  };
}
