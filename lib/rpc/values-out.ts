import type { DataNode } from '../lwm2m/types';
import type { Model } from '../model/types';
import type { InstanceKeys } from './types';
import { isWithin } from '../lwm2m/path';
import { latest, valueOut } from '../lwm2m/value-out';

/** How values are shown to a flow. */
export interface ShapeContext {
  /** Default 'id'. */
  readonly instanceKeys?: InstanceKeys;
  readonly model: Model;
  /** Object versions the device registered. */
  readonly versions: ReadonlyMap<number, string>;
}

type Tree = Map<number, Tree> | { readonly leaf: DataNode };

/**
 * Turns nodes at or below `path` into the value of the message contract: one value, `{ "0": ... }` for a multiple resource, an object
 * by resource id or name for an instance, `{ instanceId: {...} }` for an object. Only what came is shaped; of several values of one path
 * the latest counts. Something empty is `{}`, or null where one value belongs. Everything is a fresh copy with own members only.
 */
export function shape(nodes: readonly DataNode[], path: readonly number[], context: ShapeContext): unknown {
  const root: Map<number, Tree> = new Map();
  let exact: DataNode | undefined;
  for (const node of latest(nodes)) {
    if (!isWithin(node.path, path)) continue;
    if (node.path.length > path.length) insert(root, node.path.slice(path.length), node);
    else exact = node;
  }
  if (exact !== undefined && exact.value !== null && path.length >= 3 && root.size === 0) return valueOut(exact);
  if (path.length === 4) return null;
  if (path.length === 3 && root.size === 0) return isMultiple(path, context) ? {} : null;
  return toObject(root, path, context);
}

/** The values of a composite by name, in the order asked; null for a path of which nothing came. */
export function shapeEach(
  nodes: readonly DataNode[],
  paths: readonly { readonly name: string; readonly ids: readonly number[] }[],
  context: ShapeContext,
): Record<string, unknown> {
  return Object.fromEntries(
    paths.map(({ name, ids }) => {
      const own = nodes.filter((node) => isWithin(node.path, ids));
      return [name, own.length === 0 ? null : shape(own, ids, context)];
    }),
  );
}

function insert(tree: Map<number, Tree>, ids: readonly number[], node: DataNode): void {
  const [id = 0, ...rest] = ids;
  const known = tree.get(id);
  if (rest.length === 0) {
    // An empty thing below which values came too is not empty.
    if (!(known instanceof Map)) tree.set(id, node.path.length < 3 ? new Map<number, Tree>() : { leaf: node });
    return;
  }
  const branch = known instanceof Map ? known : new Map<number, Tree>();
  if (branch !== known) tree.set(id, branch);
  insert(branch, rest, node);
}

function toObject(tree: ReadonlyMap<number, Tree>, path: readonly number[], context: ShapeContext): Record<string, unknown> {
  const names = path.length === 2 && context.instanceKeys === 'name' ? resourceNames(path, context) : undefined;
  const entries: [string, unknown][] = [];
  for (const [id, below] of tree) {
    const ids = [...path, id];
    entries.push([names?.get(id) ?? String(id), below instanceof Map ? toObject(below, ids, context) : leafOut(below.leaf, ids, context)]);
  }
  // Defines own members, whatever their name.
  return Object.fromEntries(entries);
}

function leafOut(node: DataNode, ids: readonly number[], context: ShapeContext): unknown {
  if (node.value === null && ids.length === 3 && isMultiple(ids, context)) return {};
  return valueOut(node);
}

function isMultiple(ids: readonly number[], context: ShapeContext): boolean {
  const [objectId = 0, , resourceId = 0] = ids;
  return context.model.resource(objectId, resourceId, context.versions.get(objectId))?.multiple === true;
}

/** Names by which resources of this object can be told apart; one that occurs twice, or looks like an id, is left to the id. */
function resourceNames(path: readonly number[], context: ShapeContext): ReadonlyMap<number, string> {
  const objectId = path[0] ?? 0;
  const resources = [...(context.model.object(objectId, context.versions.get(objectId))?.resources.values() ?? [])];
  const counts = new Map<string, number>();
  for (const { name } of resources) counts.set(name, (counts.get(name) ?? 0) + 1);
  const usable = resources.filter(({ name }) => counts.get(name) === 1 && name !== '' && name !== '__proto__' && !/^\d+$/.test(name));
  return new Map(usable.map(({ id, name }) => [id, name]));
}
