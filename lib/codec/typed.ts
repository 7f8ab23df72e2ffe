/** What the formats share: types from the model, checks of what came, checks of what goes out. */
import { MAX_ID, formatPath, isWithin } from '../lwm2m/path';
import { DecodeError, EncodeError } from './errors';
import { exactInteger, guessNumberType, inRange, parseObjectLink } from './numbers';
import type { DataNode, ResourceType, Value } from '../lwm2m/types';
import type { ResourceDefinition } from '../model/types';
import type { Place } from './errors';
import type { Numeric } from './numbers';
import type { CodecContext } from './types';

/** Most values in one payload. */
export const MAX_NODES = 20_000;

export interface TypedValue {
  readonly type: ResourceType;
  readonly value: Value;
}

/** What the model says of the resource at a path of 3 or 4 ids. */
export function definitionAt(context: CodecContext, path: readonly number[]): ResourceDefinition | undefined {
  const [objectId, , resourceId] = path;
  if (objectId === undefined || resourceId === undefined) return undefined;
  return context.model.resource(objectId, resourceId, context.versions?.get(objectId));
}

/** The type by the model; undefined when nobody knows it, and then the format's best guess counts. */
export function typeAt(context: CodecContext, path: readonly number[]): ResourceType | undefined {
  return knownType(definitionAt(context, path));
}

function knownType(definition: ResourceDefinition | undefined): ResourceType | undefined {
  return definition === undefined || definition.type === 'none' ? undefined : definition.type;
}

/** `typeAt` for the many values of one payload, which mostly are of one object: its definition is chosen once. */
export class TypeFinder {
  readonly #context: CodecContext;
  #objectId = -1;
  #resources: ReadonlyMap<number, ResourceDefinition> | undefined;

  constructor(context: CodecContext) {
    this.#context = context;
  }

  typeAt(path: readonly number[]): ResourceType | undefined {
    const objectId = path[0] ?? -1;
    if (objectId !== this.#objectId) {
      this.#objectId = objectId;
      const { model, versions } = this.#context;
      this.#resources = model.object(objectId, versions?.get(objectId))?.resources;
    }
    const resourceId = path[2];
    return resourceId === undefined ? undefined : knownType(this.#resources?.get(resourceId));
  }
}

function wrongType(expected: ResourceType, found: string, place: Place): never {
  throw new DecodeError(`${found} where the type is ${expected}`, place);
}

/** A number read from any format, as the type wants it. Whole numbers may be written as floats (1.0). */
export function fromNumeric(type: ResourceType | undefined, numeric: Numeric, place: Place): TypedValue {
  const known = type ?? guessNumberType(numeric);
  switch (known) {
    case 'integer':
    case 'unsigned': {
      const { value } = numeric;
      if (typeof value === 'number' && !Number.isInteger(value)) wrongType(known, `the number ${value}`, place);
      if (!inRange(known, value)) throw new DecodeError(`${value} is out of the range of ${known}`, place);
      return { type: known, value: exactInteger(value) };
    }
    case 'float':
      return { type: known, value: Number(numeric.value) };
    case 'time': {
      const { value } = numeric;
      if (typeof value === 'number' && !Number.isFinite(value)) wrongType(known, `the number ${value}`, place);
      if (!inRange('integer', value)) throw new DecodeError(`${value} is out of the range of ${known}`, place);
      return { type: known, value: typeof value === 'number' && !Number.isInteger(value) ? value : exactInteger(value) };
    }
    case 'string':
    case 'boolean':
    case 'opaque':
    case 'objlnk':
    case 'corelnk':
    case 'none':
      return wrongType(known, 'a number', place);
  }
}

export function fromString(type: ResourceType | undefined, text: string, place: Place): TypedValue {
  switch (type) {
    case undefined:
    case 'string':
    case 'corelnk':
      return { type: type ?? 'string', value: text };
    case 'integer':
    case 'unsigned':
    case 'float':
    case 'time':
    case 'boolean':
    case 'opaque':
    case 'none':
      return wrongType(type, 'a string', place);
    // Leshan writes object links as plain strings in SenML, where the specification has "vlo".
    case 'objlnk':
      return fromLink(type, text, place);
  }
}

export function fromBoolean(type: ResourceType | undefined, value: boolean, place: Place): TypedValue {
  return type === undefined || type === 'boolean' ? { type: 'boolean', value } : wrongType(type, 'a boolean', place);
}

export function fromBytes(type: ResourceType | undefined, value: Uint8Array, place: Place): TypedValue {
  return type === undefined || type === 'opaque' ? { type: 'opaque', value } : wrongType(type, 'an opaque value', place);
}

/** "3:0" as it stands on the wire, without leading zeros afterwards. */
export function fromLink(type: ResourceType | undefined, text: string, place: Place): TypedValue {
  if (type !== undefined && type !== 'objlnk') wrongType(type, 'an object link', place);
  const link = parseObjectLink(text);
  if (!link) throw new DecodeError('an object link must look like 3:0', place);
  return { type: 'objlnk', value: `${link[0]}:${link[1]}` };
}

/**
 * The answer "nothing is there" for the request path: an object without instances, an instance without resources, a multiple resource
 * without instances. Throws when there must be a value: a single resource by the model, or a resource instance.
 */
export function emptyNodes(context: CodecContext, format: string): DataNode[] {
  const { path } = context;
  if (path.length === 0) return [];
  if (path.length > 3 || (path.length === 3 && definitionAt(context, path)?.multiple === false)) {
    throw new DecodeError('the payload is empty where one value must be', { path, format, offset: 0 });
  }
  const type = path.length === 3 ? (definitionAt(context, path)?.type ?? 'none') : 'none';
  return [{ path: [...path], type, value: null }];
}

/** True where nothing can be a right answer: an object, an instance, a multiple resource by the model. */
export function holdsMany(context: CodecContext): boolean {
  const { path } = context;
  return path.length === 3 ? definitionAt(context, path)?.multiple === true : path.length === 1 || path.length === 2;
}

/** The path of a payload that holds one value only: text, opaque, CBOR. */
export function singlePath(context: CodecContext, format: string): readonly number[] {
  if (context.path.length < 3)
    throw new DecodeError('this format holds one value, not an object or an instance', { path: context.path, format, offset: 0 });
  return context.path;
}

/** The one node to write in a format that holds one value only. */
export function singleNode(nodes: readonly DataNode[], context: CodecContext, format: string): DataNode {
  const [node] = nodes;
  const place = { path: context.path, format };
  if (node === undefined || nodes.length !== 1) throw new EncodeError(`this format holds one value, not ${nodes.length}`, place);
  checkTarget(node, context, format);
  refuseTime(node, format);
  if (node.path.length < 3 || node.value === null) throw new EncodeError('this format holds the value of a resource', place);
  // It has no names: what lies below the request path would be taken for the whole of it.
  if (node.path.length !== context.path.length) {
    throw new EncodeError(`this format holds one value and cannot say that it belongs to ${formatPath(node.path)}`, place);
  }
  return node;
}

function isPath(path: readonly number[]): boolean {
  for (const id of path) if (!(id >= 0 && id <= MAX_ID && Number.isInteger(id))) return false;
  return path.length <= 4;
}

/** A node to write must lie at or below the request path. */
export function checkTarget(node: DataNode, context: CodecContext, format: string): void {
  if (!isPath(node.path)) {
    throw new EncodeError('a path has 4 ids at most, each 0 to 65534', { path: node.path, format });
  }
  if (!isWithin(node.path, context.path)) {
    throw new EncodeError(`the value does not belong to ${formatPath(context.path)}`, { path: node.path, format });
  }
}

/** For formats that have no times: a value that has one would lose it. */
export function refuseTime({ path, time }: DataNode, format: string): void {
  if (time !== undefined) throw new EncodeError('this format holds no times', { path, format });
}

/** A value checked for writing; whole numbers as a number where that is exact, else as bigint; time in whole seconds (rounded down). */
export type WireValue =
  | { readonly kind: 'integer'; readonly type: 'integer' | 'unsigned' | 'time'; readonly value: number | bigint }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'link'; readonly ids: readonly [number, number]; readonly value: string };

function noFit({ type, path }: DataNode, format: string): never {
  throw new EncodeError(`the value does not fit the type ${type}`, { path, format });
}

/** Checks a node's value against its type. Type `none` is written as what the value looks like. Throws `EncodeError`. */
export function toWire(node: DataNode, format: string): WireValue {
  const { value, type } = node;
  if (value === null) return noFit(node, format);
  switch (type) {
    case 'integer':
    case 'unsigned': {
      if (typeof value !== 'bigint' && (typeof value !== 'number' || !Number.isInteger(value))) return noFit(node, format);
      return inRange(type, value) ? { kind: 'integer', type, value: exactInteger(value) } : noFit(node, format);
    }
    case 'time': {
      const seconds = typeof value === 'number' ? Math.floor(value) : value;
      if (typeof seconds !== 'bigint' && (typeof seconds !== 'number' || !Number.isFinite(seconds))) return noFit(node, format);
      return inRange('integer', seconds) ? { kind: 'integer', type, value: exactInteger(seconds) } : noFit(node, format);
    }
    case 'float':
      return typeof value === 'number' ? { kind: 'float', value } : noFit(node, format);
    case 'boolean':
      return typeof value === 'boolean' ? { kind: 'boolean', value } : noFit(node, format);
    case 'string':
    case 'corelnk':
      return typeof value === 'string' ? { kind: 'string', value } : noFit(node, format);
    case 'opaque':
      return value instanceof Uint8Array ? { kind: 'bytes', value } : noFit(node, format);
    case 'objlnk': {
      const ids = typeof value === 'string' ? parseObjectLink(value) : undefined;
      return ids ? { kind: 'link', ids, value: `${ids[0]}:${ids[1]}` } : noFit(node, format);
    }
    case 'none':
      return toWire({ ...node, type: typeOfValue(value) }, format);
  }
}

/** The type a value without one is written as. */
function typeOfValue(value: Value): ResourceType {
  switch (typeof value) {
    case 'number':
    case 'bigint':
      return guessNumberType({ value, whole: typeof value === 'bigint' || Number.isInteger(value) });
    case 'boolean':
      return 'boolean';
    case 'string':
      return 'string';
    default:
      return 'opaque';
  }
}
