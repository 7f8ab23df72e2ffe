import type { DataNode } from '../lwm2m/types';
import type { Model, ObjectDefinition, ResourceDefinition } from '../model/types';
import { MAX_ID, formatPath } from '../lwm2m/path';
import { outsideRange } from '../model/range';
import { CommandError, badRequest, isRecord, show } from './errors';
import { isScalar, scalarIn } from './scalar-in';

/** Looks types up for one device. */
export interface ValuesInContext {
  readonly method: 'WriteReplace' | 'WriteUpdate';
  readonly model: Model;
  /** Object versions the device registered. */
  readonly versions: ReadonlyMap<number, string>;
  /** Refuse what is outside the definition's range or enumeration, instead of warning. Default false. */
  readonly strict?: boolean;
}

export interface ValuesIn {
  readonly nodes: DataNode[];
  readonly warnings: string[];
}

interface Writer extends ValuesIn {
  readonly method: ValuesInContext['method'];
  readonly object: ObjectDefinition | undefined;
  readonly strict: boolean;
}

/**
 * Turns the `value` of a write into typed nodes. `ids` has 2 to 4 ids; an instance takes an object keyed by resource id or name, a
 * multiple resource an object keyed by instance id or an array (one plain value is instance 0), everything else one value.
 * Throws `CommandError` BAD_REQUEST naming the path, what came and what would be right.
 */
export function valuesIn(ids: readonly number[], value: unknown, context: ValuesInContext): ValuesIn {
  const objectId = ids[0] ?? 0;
  const object = context.model.object(objectId, context.versions.get(objectId));
  const out: Writer = { nodes: [], warnings: [], method: context.method, object, strict: context.strict === true };
  try {
    if (ids.length === 2) instance(out, ids, value);
    else if (ids.length === 3) resource(out, ids, value);
    else scalar(out, ids, value, definition(out, ids[2]));
  } catch (error) {
    // A getter or a proxy in a flow's object may throw anything.
    throw error instanceof CommandError ? error : badRequest(`The value for ${formatPath(ids)} cannot be read.`);
  }
  return { nodes: out.nodes, warnings: out.warnings };
}

function definition(out: Writer, resourceId: number | undefined): ResourceDefinition | undefined {
  return resourceId === undefined ? undefined : out.object?.resources.get(resourceId);
}

/** `/3/0/14 (UTC Offset)` and the like, for texts. */
function named(ids: readonly number[], known: ResourceDefinition | undefined): string {
  return known === undefined ? formatPath(ids) : `${formatPath(ids)} (${known.name})`;
}

/** `/3/0/14 (UTC Offset, string)`, for refusals. */
function typed(ids: readonly number[], known: ResourceDefinition | undefined): string {
  return known === undefined || known.type === 'none' ? named(ids, known) : `${formatPath(ids)} (${known.name}, ${known.type})`;
}

function instance(out: Writer, ids: readonly number[], value: unknown): void {
  const right = 'an object instance takes an object keyed by resource id or name, e.g. {"14":"+02","15":"Europe/Vienna"}';
  if (!isRecord(value) || isScalar(value)) throw badRequest(`${formatPath(ids)} got ${show(value)}: ${right}.`);
  const entries = Object.entries(value);
  if (entries.length === 0) throw badRequest(`${formatPath(ids)} got an object without resources: ${right}.`);
  const seen = new Set<number>();
  for (const [key, entry] of entries) {
    const resourceId = resourceIdOf(out, ids, key);
    if (seen.has(resourceId)) throw badRequest(`${formatPath(ids)} names resource ${resourceId} twice, once by id and once by name.`);
    seen.add(resourceId);
    resource(out, [...ids, resourceId], entry);
  }
}

function resourceIdOf(out: Writer, ids: readonly number[], key: string): number {
  const id = idOf(key);
  if (id !== undefined) return id;
  if (out.object === undefined) {
    throw badRequest(
      `${formatPath(ids)} has the key ${show(key)}: no definition of object ${ids[0]} is known, so its resources go by id, 0 to ${MAX_ID}.`,
    );
  }
  const resources = [...out.object.resources.values()];
  let found = resources.filter((entry) => entry.name === key);
  if (found.length === 0) found = resources.filter((entry) => entry.name.toLowerCase() === key.toLowerCase());
  const only = found[0];
  if (only === undefined)
    throw badRequest(`${formatPath(ids)} has the key ${show(key)}: object ${ids[0]} (${out.object.name}) has no resource of that name.`);
  if (found.length > 1) {
    throw badRequest(
      `${formatPath(ids)} has the key ${show(key)}, the name of resources ${found.map((entry) => entry.id).join(', ')}: use the id.`,
    );
  }
  return only.id;
}

/** A decimal id 0 to 65534 without leading zeros. */
function idOf(key: string): number | undefined {
  return /^(?:0|[1-9]\d{0,4})$/.test(key) && Number(key) <= MAX_ID ? Number(key) : undefined;
}

function resource(out: Writer, ids: readonly number[], value: unknown): void {
  const known = definition(out, ids[2]);
  if (isScalar(value)) {
    // The scalar of a multiple resource means its instance 0, as the document's WriteReplace {"id":"/19/0/0","value":"0081"}.
    scalar(out, known?.multiple === true ? [...ids, 0] : ids, value, known);
    return;
  }
  if (known !== undefined && !known.multiple) {
    throw badRequest(`${typed(ids, known)} is a single resource and got ${show(value)}: ${rightFor(known)}.`);
  }
  const entries = instancesOf(ids, value, known);
  if (entries.length === 0) {
    if (out.method === 'WriteUpdate') throw badRequest(`${typed(ids, known)} got no instances: WriteUpdate would change nothing.`);
    out.nodes.push({ path: [...ids], type: known?.type ?? 'none', value: null });
    warnAccess(out, ids, known);
  }
  for (const [id, entry] of entries) scalar(out, [...ids, id], entry, known);
}

function instancesOf(ids: readonly number[], value: unknown, known: ResourceDefinition | undefined): [number, unknown][] {
  if (Array.isArray(value)) {
    if (value.length > MAX_ID + 1) throw badRequest(`${typed(ids, known)} got ${value.length} instances, ${MAX_ID + 1} are the most.`);
    return Array.from(value, (entry: unknown, id): [number, unknown] => [id, entry]);
  }
  const right = 'a multiple resource takes an object keyed by instance id, e.g. {"0":1,"1":2}, or an array';
  if (!isRecord(value)) throw badRequest(`${typed(ids, known)} got ${show(value)}: ${right}.`);
  return Object.entries(value).map(([key, entry]) => {
    const id = idOf(key);
    if (id === undefined) throw badRequest(`${typed(ids, known)} has the key ${show(key)}: ${right}.`);
    return [id, entry];
  });
}

function scalar(out: Writer, ids: readonly number[], value: unknown, known: ResourceDefinition | undefined): void {
  if (!isScalar(value)) throw badRequest(`${typed(ids, known)} takes one value and got ${show(value)}: ${rightFor(known)}.`);
  const read = scalarIn(known?.type ?? 'none', value);
  if ('wrong' in read) throw badRequest(`${typed(ids, known)} got ${show(value)}: ${read.wrong}.`);
  if (read.warning !== undefined) out.warnings.push(`${named(ids, known)}: ${read.warning}.`);
  const outside = known && outsideRange(known, read.value);
  if (outside !== undefined) {
    if (out.strict) throw badRequest(`${typed(ids, known)} got ${show(value)}: it is ${outside} by the definition, and "strict" is set.`);
    out.warnings.push(`${named(ids, known)} got ${show(value)}: it is ${outside} by the definition; the device decides.`);
  }
  out.nodes.push({ path: [...ids], type: read.type, value: read.value });
  warnAccess(out, ids, known);
}

/** What an ill-typed value would have to be, taken from the refusal of a value that fits no type. */
function rightFor(known: ResourceDefinition | undefined): string {
  const read = scalarIn(known?.type ?? 'none', null);
  return 'wrong' in read ? read.wrong : 'one value';
}

/** The device decides; the model may be older than it. */
function warnAccess(out: Writer, ids: readonly number[], known: ResourceDefinition | undefined): void {
  if (known === undefined || known.operations.includes('W')) return;
  const what = known.operations === 'E' ? 'executable' : known.operations === 'R' ? 'read-only' : 'not writable';
  const text = `${named(ids.slice(0, 3), known)} is ${what} by its definition; the device decides.`;
  if (!out.warnings.includes(text)) out.warnings.push(text);
}
