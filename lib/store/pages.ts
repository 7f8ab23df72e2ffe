import type { Store, StoreEntry } from './types';
import { MAX_PAGE } from './types';

/** 1 to `MAX_PAGE`. */
export function pageSize(limit: number): number {
  return Math.min(Math.max(Math.trunc(limit) || 1, 1), MAX_PAGE);
}

/** All entries whose key begins with `prefix`, page by page. Changes made meanwhile may or may not be seen. Rejects with `StoreError`. */
export async function* pagesOf(store: Store, prefix: string, limit = MAX_PAGE): AsyncGenerator<StoreEntry[], void, void> {
  for (let coming = store.range(prefix, { limit }); ;) {
    const page = await coming;
    if (page.length === 0) return;
    // Is read while this one is used.
    coming = store.range(prefix, { limit, after: page.at(-1)!.key });
    coming.catch(() => undefined);
    yield page;
  }
}
