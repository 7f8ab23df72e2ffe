/** What the formats share: types from the model, checks of what came, checks of what goes out. */
import { MAX_ID, formatPath, isWithin } from '../lwm2m/path';
import { DecodeError, EncodeError } from './errors';
import { guessNumberType, inRange, parseObjectLink, shrink } from './numbers';
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
  const type = definitionAt(context, path)?.type;
  return type === 'none' ? undefined : type;
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
      if (typeof numeric.value === 'number' && !Number.isInteger(numeric.value)) wrongType(known, `the number ${numeric.value}`, place);
      if (!inRange(known, numeric.value)) throw new DecodeError(`${numeric.value} is out of the range of ${known}`, place);
      return { type: known, value: shrink(BigInt(numeric.value)) };
    }
    case 'float':
      return { type: known, value: Number(numeric.value) };
    case 'time': {
      const seconds = Number(numeric.value);
      if (!Number.isFinite(seconds)) wrongType(known, `the number ${seconds}`, place);
      return { type: known, value: seconds };
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

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Text of UTF-8 bytes, or undefined when they are not UTF-8. */
export function readUtf8(bytes: Uint8Array): string | undefined {
  return readShortAscii(bytes) ?? readAnyUtf8(bytes);
}

/** A call of TextDecoder costs more than the names and ids that most texts are. */
function readShortAscii(bytes: Uint8Array): string | undefined {
  if (bytes.length > 24) return undefined;
  let text = '';
  for (const byte of bytes) {
    if (byte > 0x7f) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

function readAnyUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

const encoder = new TextEncoder();

export function writeUtf8(text: string): Uint8Array {
  return encoder.encode(text);
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
    throw new DecodeError('this format holds one value, not an object or an instance', { path: context.path, format });
  return context.path;
}

/** The one node to write in a format that holds one value only. */
export function singleNode(nodes: readonly DataNode[], context: CodecContext, format: string): DataNode {
  const [node] = nodes;
  const place = { path: context.path, format };
  if (node === undefined || nodes.length !== 1) throw new EncodeError(`this format holds one value, not ${nodes.length}`, place);
  checkTarget(node, context, format);
  if (node.path.length < 3 || node.value === null) throw new EncodeError('this format holds the value of a resource', place);
  return node;
}

/** A node to write must lie at or below the request path. */
export function checkTarget(node: DataNode, context: CodecContext, format: string): void {
  if (node.path.length > 4 || node.path.some((id) => !Number.isInteger(id) || id < 0 || id > MAX_ID)) {
    throw new EncodeError('a path has 4 ids at most, each 0 to 65534', { path: node.path, format });
  }
  if (!isWithin(node.path, context.path)) {
    throw new EncodeError(`the value does not belong to ${formatPath(context.path)}`, { path: node.path, format });
  }
}

/** A value checked for writing; whole numbers as bigint, time in whole seconds (rounded down). */
export type WireValue =
  | { readonly kind: 'integer'; readonly type: 'integer' | 'unsigned' | 'time'; readonly value: bigint }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'link'; readonly ids: readonly [number, number]; readonly value: string };

/** Checks a node's value against its type. Type `none` is written as what the value looks like. Throws `EncodeError`. */
export function toWire(node: DataNode, format: string): WireValue {
  const { value, type } = node;
  const wrong = (): never => {
    throw new EncodeError(`the value does not fit the type ${type}`, { path: node.path, format });
  };
  if (value === null) return wrong();
  switch (type) {
    case 'integer':
    case 'unsigned': {
      if (typeof value !== 'bigint' && (typeof value !== 'number' || !Number.isInteger(value))) return wrong();
      return inRange(type, value) ? { kind: 'integer', type, value: BigInt(value) } : wrong();
    }
    case 'time': {
      const seconds = typeof value === 'number' ? Math.floor(value) : value;
      if (typeof seconds !== 'bigint' && (typeof seconds !== 'number' || !Number.isFinite(seconds))) return wrong();
      return inRange('integer', seconds) ? { kind: 'integer', type, value: BigInt(seconds) } : wrong();
    }
    case 'float':
      return typeof value === 'number' ? { kind: 'float', value } : wrong();
    case 'boolean':
      return typeof value === 'boolean' ? { kind: 'boolean', value } : wrong();
    case 'string':
    case 'corelnk':
      return typeof value === 'string' ? { kind: 'string', value } : wrong();
    case 'opaque':
      return value instanceof Uint8Array ? { kind: 'bytes', value } : wrong();
    case 'objlnk': {
      const ids = typeof value === 'string' ? parseObjectLink(value) : undefined;
      return ids ? { kind: 'link', ids, value: `${ids[0]}:${ids[1]}` } : wrong();
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
