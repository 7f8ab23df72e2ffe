import { RECORD_KINDS, type RecordKind } from './keeper';
import type { ServerCore } from './server';
import type { Route } from './state';

/** Where the records of one server are kept: those of a kind, some at a time. */
export interface KeptRecords {
  pages(kind: RecordKind): AsyncIterable<readonly KeptRecord[]>;
  /** Plain data of the bytes of a record; undefined when they are damaged. */
  decode(bytes: Uint8Array): unknown;
}

export interface KeptRecord {
  readonly key: string;
  readonly value: Uint8Array;
}

export interface Restored {
  readonly restored: number;
  /** Damaged, or belonging to nothing. */
  readonly dropped: number;
}

/** The event loop is others' again after so many ms, which is looked at after so many records. */
const SLICE_MS = 3;
const LOOK_EVERY = 32;

/**
 * Gives a new server back what another one kept. Lifetimes end only when all is there. Rejects with what the reading of the
 * records rejects with; what was restored until then stays.
 */
export async function restoreState(core: ServerCore, records: KeptRecords, route: Route): Promise<Restored> {
  const resume = core.pauseLifetimes();
  const counts = { restored: 0, dropped: 0 };
  let until = performance.now() + SLICE_MS;
  let looked = 0;
  try {
    for (const kind of RECORD_KINDS) {
      for await (const page of records.pages(kind)) {
        for (const { key, value } of page) {
          counts[core.restore(key, records.decode(value), route) ? 'restored' : 'dropped']++;
          if (++looked % LOOK_EVERY !== 0 || performance.now() < until) continue;
          await new Promise((turn) => setImmediate(turn));
          until = performance.now() + SLICE_MS;
        }
      }
    }
  } finally {
    resume();
  }
  return counts;
}
