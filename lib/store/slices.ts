/** Work on one turn of the loop lasts about this long, in ms; then others get theirs. */
const SLICE_MS = 2;
/** How many items are done before the time is looked at again. */
const LOOK_EVERY = 16;

/** Lets everything that waits for the event loop run before it resolves. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Does `work` on each item, never for much longer than 2 ms a turn of the event loop. Rejects with what `items` or `work` throws. */
export async function inSlices<T>(items: Iterable<T>, work: (item: T) => void): Promise<void> {
  let until = performance.now() + SLICE_MS;
  let count = 0;
  for (const item of items) {
    work(item);
    count += 1;
    if (count % LOOK_EVERY !== 0 || performance.now() < until) continue;
    await nextTurn();
    until = performance.now() + SLICE_MS;
  }
}

/** Runs what it is given one after the other, whatever becomes of each. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
