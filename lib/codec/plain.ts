/** Nodes as plain JSON and back, for people: what `lwm2m-codec` prints and takes. Times are seconds since 1970, as they stand on the wire. */
import { formatPath, parsePath } from '../lwm2m/path';
import { EncodeError } from './errors';
import { JsonError, JsonReader } from './json-reader';
import { parseNumber } from './numbers';
import { typeAt } from './typed';
import type { DataNode, ResourceType, Value } from '../lwm2m/types';
import type { CodecContext } from './types';

/** One value of a payload. */
export interface PlainResource {
  /** E.g. "/3/0/9". */
  readonly path: string;
  readonly type: ResourceType;
  /** Opaque as lower-case hex, whole numbers beyond 2^53 as decimal text, "NaN", "Infinity", "-Infinity"; null where nothing is. */
  readonly value: string | number | boolean | null;
  /** Seconds since 1970. */
  readonly time?: number;
  /** SenML-ETCH: this resource instance shall be removed. */
  readonly remove?: true;
}

/** JSON with all the digits of its numbers. */
export type Json = string | number | bigint | boolean | null | readonly Json[] | ReadonlyMap<string, Json>;

const FORMAT = 'json';
const MAX_DEPTH = 8;
const TYPES: readonly string[] = ['string', 'integer', 'unsigned', 'float', 'boolean', 'opaque', 'time', 'objlnk', 'corelnk', 'none'];

export function toPlain(nodes: readonly DataNode[]): PlainResource[] {
  return nodes.map(({ path, type, value, time, remove }) => ({
    path: formatPath(path),
    type,
    value: plainValue(value),
    ...(time === undefined ? {} : { time }),
    ...(remove ? { remove } : {}),
  }));
}

function plainValue(value: Value | null): PlainResource['value'] {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))) return String(value);
  return value;
}

/** Throws `JsonError`. */
export function parseJson(text: string): Json {
  const reader = new JsonReader(Buffer.from(text, 'utf8'));
  const value = readJsonValue(reader, 0);
  reader.end();
  return value;
}

function readJsonValue(reader: JsonReader, depth: number): Json {
  if (depth > MAX_DEPTH) throw new JsonError(`nested deeper than ${MAX_DEPTH}`, reader.at);
  const item = reader.item();
  switch (item.kind) {
    case 'null':
      return null;
    case 'array': {
      const list: Json[] = [];
      while (reader.more(list.length, 'array')) list.push(readJsonValue(reader, depth + 1));
      return list;
    }
    case 'map': {
      const map = new Map<string, Json>();
      for (let index = 0; reader.more(index, 'map'); index += 1) map.set(reader.key(), readJsonValue(reader, depth + 1));
      return map;
    }
    case 'number':
    case 'string':
    case 'boolean':
    case 'time':
      return item.value;
    case 'bytes':
      throw new JsonError('JSON has no bytes', reader.at);
  }
}

/**
 * Nodes for the request path of `context`. `json` is what `toPlain` gives, in a list or under "resources", where the type may be left
 * out; or the bare value of a resource; or maps from ids down to values, an instance also by the names of its resources. Throws
 * `EncodeError` and `PathError`.
 */
export function fromPlain(json: Json, context: CodecContext): DataNode[] {
  const list = json instanceof Map ? (json as ReadonlyMap<string, Json>).get('resources') : json;
  if (Array.isArray(list)) return (list as readonly Json[]).map((entry) => fromResource(entry, context));
  const nodes: DataNode[] = [];
  addBelow(json, context.path, context, nodes);
  return nodes;
}

function fail(problem: string, path: readonly number[]): never {
  throw new EncodeError(problem, { path, format: FORMAT });
}

function fromResource(entry: Json, context: CodecContext): DataNode {
  const at = context.path;
  if (!(entry instanceof Map)) return fail('a resource is an object with "path" and "value"', at);
  const fields = entry as ReadonlyMap<string, Json>;
  const text = fields.get('path');
  const path = typeof text === 'string' ? parsePath(text).ids : fail('a resource has no "path"', at);
  const given = fields.get('type');
  if (given !== undefined && !(typeof given === 'string' && TYPES.includes(given))) fail(`a type is one of ${TYPES.join(', ')}`, path);
  const type = (given as ResourceType | undefined) ?? typeAt(context, path);
  const node = { path, ...readPlainValue(fields.get('value') ?? null, type, path) };
  if (fields.get('remove') === true) return { ...node, remove: true };
  const time = fields.get('time');
  if (time === undefined) return node;
  return typeof time === 'number' ? { ...node, time } : fail('a time is a number of seconds', path);
}

function addBelow(json: Json, path: readonly number[], context: CodecContext, nodes: DataNode[]): void {
  if (!(json instanceof Map)) {
    if (path.length < 3 && json !== null) fail('an object or an instance is a map from ids to what is in it', path);
    nodes.push({ path, ...readPlainValue(json, typeAt(context, path), path) });
    return;
  }
  const map = json as ReadonlyMap<string, Json>;
  if (path.length === 4) fail('a map where one value must be', path);
  if (map.size === 0) nodes.push({ path, type: typeAt(context, path) ?? 'none', value: null });
  for (const [key, value] of map) addBelow(value, [...path, idOf(key, path, context)], context, nodes);
}

/** A decimal id, or the name of a resource of the instance. */
function idOf(key: string, path: readonly number[], { model, versions }: CodecContext): number {
  if (/^\d{1,5}$/.test(key)) return Number(key);
  const [objectId = -1] = path;
  if (path.length === 2) {
    for (const { id, name } of model.object(objectId, versions?.get(objectId))?.resources.values() ?? []) if (name === key) return id;
  }
  return fail(`${JSON.stringify(key.slice(0, 60))} is neither an id nor the name of a resource`, path);
}

function readPlainValue(json: Json, type: ResourceType | undefined, path: readonly number[]): Pick<DataNode, 'type' | 'value'> {
  if (json === null) return { type: type ?? 'none', value: null };
  if (typeof json === 'object') return fail('a list or a map where one value must be', path);
  switch (type) {
    case undefined:
    case 'none':
      // Written as what it looks like.
      return { type: 'none', value: json };
    case 'integer':
    case 'unsigned':
    case 'time':
    case 'float': {
      if (typeof json !== 'string') return { type, value: type === 'float' && typeof json === 'bigint' ? Number(json) : json };
      if (type === 'float' && ['NaN', 'Infinity', '-Infinity'].includes(json)) return { type, value: Number(json) };
      const numeric = parseNumber(json);
      return { type, value: numeric ? (type === 'float' ? Number(numeric.value) : numeric.value) : json };
    }
    case 'opaque':
      if (typeof json !== 'string' || !/^(?:[0-9a-fA-F]{2})*$/.test(json)) return fail('an opaque value is hex text', path);
      return { type, value: new Uint8Array(Buffer.from(json, 'hex')) };
    case 'string':
    case 'boolean':
    case 'objlnk':
    case 'corelnk':
      return { type, value: json };
  }
}
