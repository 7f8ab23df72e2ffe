/** Notification attributes (Core TS 1.1.1 5.1.2): reading them from a query, inheriting them, and telling when to notify. */
import type { DataNode, ResourceType, Value } from '../lwm2m/types';
import { formatPath } from '../lwm2m/path';

export const ATTRIBUTE_NAMES = ['pmin', 'pmax', 'gt', 'lt', 'st'] as const;
export type AttributeName = (typeof ATTRIBUTE_NAMES)[number];

/** Seconds for pmin and pmax; gt, lt and st in the unit of the resource. */
export type Attributes = { readonly [name in AttributeName]?: number };

/** undefined takes an attribute away. */
export type AttributeChange = { readonly [name in AttributeName]?: number | undefined };

const SECONDS = /^\d{1,10}$/;
const DECIMAL = /^-?\d{1,15}(?:\.\d{1,15})?$/;

/** Reads `pmin=10`, `pmax` (without a value: remove it). Undefined when one is unknown, malformed or there twice. */
export function parseAttributes(query: readonly string[]): AttributeChange | undefined {
  const change: { [name in AttributeName]?: number | undefined } = {};
  for (const part of query) {
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    if (!isAttributeName(name) || name in change) return undefined;
    if (equals < 0) {
      change[name] = undefined;
      continue;
    }
    const text = part.slice(equals + 1);
    if (!(name === 'pmin' || name === 'pmax' ? SECONDS : DECIMAL).test(text)) return undefined;
    change[name] = Number(text);
  }
  return change;
}

/**
 * The attributes of `path` after a change; undefined when they would contradict each other: `lt` below `gt` with room for two
 * steps between them, a negative step, or a threshold on something that is not one number.
 */
export function changeAttributes(before: Attributes, change: AttributeChange, type: ResourceType | undefined): Attributes | undefined {
  const after: { [name in AttributeName]?: number } = {};
  for (const name of ATTRIBUTE_NAMES) {
    const value = name in change ? change[name] : before[name];
    if (value !== undefined) after[name] = value;
  }
  const { gt, lt, st } = after;
  const numeric = type === 'integer' || type === 'unsigned' || type === 'float' || type === 'time';
  if (!numeric && (gt !== undefined || lt !== undefined || st !== undefined)) return undefined;
  if (st !== undefined && st < 0) return undefined;
  if (gt !== undefined && lt !== undefined && lt + 2 * (st ?? 0) >= gt) return undefined;
  return after;
}

/** Attributes in force at a path: the most specific level wins, one attribute at a time; then the Server object's defaults. */
export function attributesInForce(
  stored: ReadonlyMap<string, Attributes>,
  path: readonly number[],
  defaults: { readonly pmin: number; readonly pmax: number },
): Attributes {
  const merged: { [name in AttributeName]?: number } = { pmin: defaults.pmin };
  if (defaults.pmax > 0) merged.pmax = defaults.pmax;
  for (let length = 1; length <= path.length; length += 1) Object.assign(merged, stored.get(formatPath(path.slice(0, length))));
  return merged;
}

/** Whether the values differ enough from those told last. Thresholds count for a single number only. */
export function worthTelling(before: readonly DataNode[], after: readonly DataNode[], attributes: Attributes): boolean {
  const [old, now] = [numberOf(before), numberOf(after)];
  const { gt, lt, st } = attributes;
  if (old === undefined || now === undefined || (gt === undefined && lt === undefined && st === undefined))
    return !sameNodes(before, after);
  if (gt !== undefined && old > gt !== now > gt) return true;
  if (lt !== undefined && old < lt !== now < lt) return true;
  return st !== undefined && now !== old && Math.abs(now - old) >= st;
}

function numberOf(nodes: readonly DataNode[]): number | undefined {
  const value = nodes.length === 1 ? nodes[0]?.value : undefined;
  return typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : undefined;
}

function sameNodes(a: readonly DataNode[], b: readonly DataNode[]): boolean {
  return a.length === b.length && a.every((node, at) => sameNode(node, b[at]));
}

function sameNode(a: DataNode, b: DataNode | undefined): boolean {
  return b !== undefined && a.path.length === b.path.length && a.path.every((id, at) => id === b.path[at]) && sameValue(a.value, b.value);
}

function sameValue(a: Value | null, b: Value | null): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  return a === b;
}

function isAttributeName(name: string): name is AttributeName {
  return (ATTRIBUTE_NAMES as readonly string[]).includes(name);
}
