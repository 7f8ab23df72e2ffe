/** The far end of `bench`: says which port to load, and on every message what the work has cost so far. */
export interface Reading {
  readonly cpuMicros: number;
  readonly heapUsed: number;
  readonly handled: number;
}

export function report(port: number, handled: () => number): void {
  process.on('message', () => {
    globalThis.gc?.();
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuMicros: user + system, heapUsed: process.memoryUsage().heapUsed, handled: handled() } satisfies Reading);
  });
  process.send?.({ port });
}
