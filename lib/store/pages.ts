import type { Store, StoreEntry } from './types';
import { MAX_PAGE } from './types';

/** 1 to `MAX_PAGE`. */
export function pageSize(limit: number): number {
  return Math.min(Math.max(Math.trunc(limit) || 1, 1), MAX_PAGE);
}

/** All entries whose key begins with `prefix`, page by page. Changes made meanwhile may or may not be seen. Rejects with `StoreError`. */
export async function* pagesOf(store: Store, prefix: string, limit = MAX_PAGE): AsyncGenerator<StoreEntry[], void, void> {
  let after: string | undefined;
  for (;;) {
    const page = await store.range(prefix, { limit, ...(after !== undefined && { after }) });
    if (page.length === 0) return;
    after = page.at(-1)!.key;
    yield page;
  }
}
