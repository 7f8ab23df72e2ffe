/** Events in the order they came, and waiting for one of them. */
export class EventLog<T> {
  private readonly all: T[] = [];
  private readonly watchers = new Set<() => void>();
  private endedBecause: string | undefined;

  get seen(): readonly T[] {
    return this.all;
  }

  push(event: T): void {
    this.all.push(event);
    this.wake();
  }

  /** No more events will come; whoever waits is told why. */
  end(reason: string): void {
    this.endedBecause ??= reason;
    this.wake();
  }

  /**
   * Resolves with the first event from index `from` on that matches, at once if it is there already. Rejects with what it saw instead
   * when the log ends, or after `limit` ms.
   */
  waitFor(matches: (event: T) => boolean, what: string, { limit = 60_000, from = 0 } = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        settle();
        reject(new Error(`no ${what}: ${why}. Seen: ${JSON.stringify(this.all.slice(from))}`));
      };
      const look = (): void => {
        const found = this.all.slice(from).find(matches);
        if (found !== undefined) {
          settle();
          resolve(found);
        } else if (this.endedBecause !== undefined) {
          fail(this.endedBecause);
        }
      };
      const timer = setTimeout(() => fail(`none came within ${limit} ms`), limit);
      const settle = (): void => {
        clearTimeout(timer);
        this.watchers.delete(look);
      };
      this.watchers.add(look);
      look();
    });
  }

  private wake(): void {
    for (const watcher of [...this.watchers]) watcher();
  }
}

/** Cuts a stream of text into lines; what is not a whole line yet waits for the rest. */
export function lineSplitter(onLine: (line: string) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = rest.subarray(0, end).toString('utf8').trim();
      rest = rest.subarray(end + 1);
      if (line !== '') onLine(line);
    }
  };
}
