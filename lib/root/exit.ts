const TABLE = Symbol.for('@node-red-lwm2m/exit/1');

/** Calls `work`, which must be synchronous, when the process ends by itself, by `process.exit` or an error. Returns what ends that. */
export function onExit(work: () => void): () => void {
  const works = table();
  works.add(work);
  return () => works.delete(work);
}

/** One listener for all: the package may be loaded twice. */
function table(): Set<() => void> {
  const global = globalThis as unknown as Record<symbol, Set<() => void> | undefined>;
  const known = global[TABLE];
  if (known) return known;
  const works = new Set<() => void>();
  process.on('exit', () => {
    for (const work of works) {
      try {
        work();
      } catch {
        // The process is about to end: what cannot be done now is lost as in a power cut.
      }
    }
  });
  return (global[TABLE] = works);
}
