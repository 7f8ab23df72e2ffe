import type { DataNode } from './types';

/** The last node of each path by time; one without a time is of now (RFC 8428 4.5.3). The order of first appearance is kept. */
export function latest(nodes: readonly DataNode[]): DataNode[] {
  const byPath = new Map<string, DataNode>();
  for (const node of nodes) {
    const key = node.path.join('/');
    const known = byPath.get(key);
    if (known === undefined || (node.time ?? Infinity) >= (known.time ?? Infinity)) byPath.set(key, node);
  }
  return [...byPath.values()];
}

/** One value as the contract shows it: integers beyond 2^53 as text, time in epoch milliseconds, opaque as a Buffer of its own. */
export function valueOut(node: DataNode): unknown {
  const { value } = node;
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (node.type === 'time' && (typeof value === 'number' || typeof value === 'bigint')) return Math.round(Number(value) * 1000);
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  return Buffer.from(value);
}
