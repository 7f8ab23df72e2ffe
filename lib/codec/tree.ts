import { EncodeError } from './errors';
import type { DataNode } from '../lwm2m/types';

/**
 * Nodes of one level with those below, grouped by their id there, in order of first appearance. Throws `EncodeError` for a node
 * that ends above the level: it would have a value and others below it, or is there twice.
 */
export function groupBy(nodes: readonly DataNode[], level: number, format: string): [id: number, nodes: DataNode[]][] {
  const groups: [number, DataNode[]][] = [];
  let byId: Map<number, DataNode[]> | undefined;
  let last: DataNode[] = [];
  let lastId = -1;
  for (const node of nodes) {
    const id = node.path[level];
    if (id === undefined) throw new EncodeError('it is there twice, or together with values below it', { path: node.path, format });
    if (id === lastId) {
      last.push(node);
      continue;
    }
    // Ids mostly rise, and then nothing has to be looked up.
    if (id < lastId || byId) byId ??= new Map(groups);
    const known = byId?.get(id);
    last = known ?? [node];
    if (known) known.push(node);
    else groups.push([id, last]);
    byId?.set(id, last);
    lastId = id;
  }
  return groups;
}
