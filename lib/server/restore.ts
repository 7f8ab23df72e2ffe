import { RECORD_KINDS, type RecordKind } from './keeper';
import type { ServerCore } from './server';
import type { Route } from './state';

/** Where the records of one server are kept: those of a kind, some at a time. */
export interface KeptRecords {
  pages(kind: RecordKind): AsyncIterable<readonly { readonly key: string; readonly value: unknown }[]>;
}

export interface Restored {
  readonly restored: number;
  /** Damaged, or belonging to nothing. */
  readonly dropped: number;
}

/**
 * Gives a new server back what another one kept. Lifetimes end only when all is there. Rejects with what the reading of the
 * records rejects with; what was restored until then stays.
 */
export async function restoreState(core: ServerCore, records: KeptRecords, route: Route): Promise<Restored> {
  const resume = core.pauseLifetimes();
  let restored = 0;
  let dropped = 0;
  try {
    for (const kind of RECORD_KINDS) {
      for await (const page of records.pages(kind)) {
        for (const { key, value } of page) {
          if (core.restore(key, value, route)) restored++;
          else dropped++;
        }
      }
    }
  } finally {
    resume();
  }
  return { restored, dropped };
}
