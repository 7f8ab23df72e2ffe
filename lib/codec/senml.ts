/** SenML records (RFC 8428) to nodes and back, for JSON and CBOR alike (Core TS 1.1.1 7.4.5, 7.4.6). */
import { formatPath, isWithin, parsePath, samePath } from '../lwm2m/path';
import { DecodeError, EncodeError } from './errors';
import { MAX_NODES, checkTarget, emptyNodes, fromBoolean, fromBytes, fromLink, fromNumeric, fromString, toWire, typeAt } from './typed';
import type { DataNode, ResourceType } from '../lwm2m/types';
import type { Place } from './errors';
import type { Numeric } from './numbers';
import type { TypedValue, WireValue } from './typed';
import type { CodecContext } from './types';

export type SenmlValue =
  | { readonly kind: 'number'; readonly value: Numeric }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'data'; readonly value: Uint8Array }
  | { readonly kind: 'link'; readonly value: string };

/** One record as it was written: the fields LwM2M uses; units and sums are left out. */
export interface SenmlRecord {
  baseName?: string;
  baseTime?: number;
  baseValue?: Numeric;
  baseVersion?: number;
  name?: string;
  time?: number;
  value?: SenmlValue;
}

/** RFC 8428 4.4: the version this server knows. */
const BASE_VERSION = 10;
/** RFC 8428 4.5.3: smaller times are relative to now. */
const RELATIVE_BELOW = 2 ** 28;
/** The range of a JavaScript date, seconds. */
const MAX_TIME = 8.64e12;

/** A field of a record, whatever the format calls it. Throws when a label that must be understood is not (RFC 8428 4.4). */
export function checkUnknownLabel(label: string, place: Place): void {
  if (label.endsWith('_')) throw new DecodeError(`the field ${JSON.stringify(label.slice(0, 40))} must be understood and is not`, place);
}

/** Sets a record's value; a record has one at most. */
export function setValue(record: SenmlRecord, value: SenmlValue, place: Place): void {
  if (record.value) throw new DecodeError('a record has two values', place);
  record.value = value;
}

/**
 * Records to nodes, in their order. Base name, time and value hold for the records that follow; a name is base name and name put
 * together as they are (Anjay: "/3/0" + "/9", Wakaama: "/3/0/" + "9"). A record without a value is a node with value null.
 * Nodes carry an absolute time when their record has a time or a base time before it.
 */
export function recordsToNodes(records: readonly SenmlRecord[], context: CodecContext, format: string): DataNode[] {
  if (records.length === 0) return emptyNodes(context, format);
  if (records.length > MAX_NODES) throw new DecodeError(`more than ${MAX_NODES} records`, { path: context.path, format });
  const nodes: DataNode[] = [];
  const seen = new Seen();
  let base: SenmlRecord = {};
  for (const record of records) {
    base = { ...base, ...record };
    if ((record.baseVersion ?? 0) > BASE_VERSION) {
      throw new DecodeError(`SenML version ${record.baseVersion ?? 0} is not known`, { path: context.path, format });
    }
    const path = readName((base.baseName ?? '') + (record.name ?? ''), context, format);
    const place: Place = { path, format };
    const time = readTime(base.baseTime, record.time, context, place);
    seen.add(path, time, place);
    const typed = readRecordValue(typeAt(context, path), record.value, base.baseValue, place);
    nodes.push(time === undefined ? { path, ...typed } : { path, ...typed, time });
  }
  return nodes;
}

function readName(name: string, context: CodecContext, format: string): readonly number[] {
  const { rootPath = '', path: asked } = context;
  // Clients with an alternate path name values with it or, against the rule, without.
  const local = rootPath !== '' && (name === rootPath || name.startsWith(`${rootPath}/`)) ? name.slice(rootPath.length) : name;
  const path = idsOf(local);
  if (!path || path.length === 0) {
    throw new DecodeError(`${JSON.stringify(name.slice(0, 60))} is no path of an object, an instance or a resource`, {
      path: asked,
      format,
    });
  }
  if (!isWithin(path, asked)) throw new DecodeError(`a value of ${formatPath(path)} was not asked for`, { path: asked, format });
  return path;
}

function idsOf(name: string): readonly number[] | undefined {
  try {
    const { ids, version } = parsePath(name);
    return version === undefined ? ids : undefined;
  } catch {
    return undefined;
  }
}

/** Seconds since 1970, or undefined when neither time is given. */
function readTime(base: number | undefined, time: number | undefined, { now = 0 }: CodecContext, place: Place): number | undefined {
  if (base === undefined && time === undefined) return undefined;
  const sum = (base ?? 0) + (time ?? 0);
  const absolute = sum >= RELATIVE_BELOW ? sum : now + sum;
  if (!(Math.abs(absolute) <= MAX_TIME)) throw new DecodeError(`the time ${absolute} is no date`, place);
  return absolute;
}

function readRecordValue(
  type: ResourceType | undefined,
  value: SenmlValue | undefined,
  base: Numeric | undefined,
  place: Place,
): TypedValue | { type: ResourceType; value: null } {
  if (value === undefined) return { type: type ?? 'none', value: null };
  if (place.path.length < 3) throw new DecodeError('an object or an instance has no value', place);
  switch (value.kind) {
    case 'number':
      return fromNumeric(type, base ? add(base, value.value) : value.value, place);
    case 'string':
      return fromString(type, value.value, place);
    case 'boolean':
      return fromBoolean(type, value.value, place);
    case 'data':
      return fromBytes(type, value.value, place);
    case 'link':
      return fromLink(type, value.value, place);
  }
}

function add(a: Numeric, b: Numeric): Numeric {
  const isWhole = (value: number | bigint): boolean => typeof value === 'bigint' || Number.isInteger(value);
  const whole = a.whole && b.whole;
  if (isWhole(a.value) && isWhole(b.value)) return { value: BigInt(a.value) + BigInt(b.value), whole };
  return { value: Number(a.value) + Number(b.value), whole };
}

/** Refuses the same path twice at one time, and a resource that is single and multiple at once. */
class Seen {
  private readonly values = new Set<string>();
  private readonly levels = new Map<string, number>();

  add(path: readonly number[], time: number | undefined, place: Place): void {
    const key = `${path.join('/')}@${time ?? ''}`;
    if (this.values.has(key)) throw new DecodeError('it is there twice', place);
    this.values.add(key);
    if (path.length < 3) return;
    const resource = path.slice(0, 3).join('/');
    if ((this.levels.get(resource) ?? path.length) !== path.length)
      throw new DecodeError('a resource with a value and with instances', place);
    this.levels.set(resource, path.length);
  }
}

/**
 * Nodes to records. Several values below the request path share it as base name; a lone node and a composite have full names.
 * A node with value null is a record with its name only, as path lists have it; alone and at the request path it is no record at all.
 * Times are written absolute.
 */
export function nodesToRecords(nodes: readonly DataNode[], context: CodecContext, format: string): SenmlRecord[] {
  const { path, rootPath = '' } = context;
  const [only] = nodes;
  if (nodes.length === 1 && only?.value === null && path.length > 0 && samePath(only.path, path)) return [];
  const seen = new Set<string>();
  const shared = nodes.length > 1 && path.length > 0 && nodes.every((node) => node.path.length > path.length);
  return nodes.map((node, index) => {
    checkTarget(node, context, format);
    const place: Place = { path: node.path, format };
    const key = `${node.path.join('/')}@${node.time ?? ''}`;
    if (seen.has(key)) throw new EncodeError('it is there twice', place);
    seen.add(key);
    const record: SenmlRecord = {};
    if (shared && index === 0) record.baseName = `${rootPath}${formatPath(path)}/`;
    record.name = shared ? node.path.slice(path.length).join('/') : `${rootPath}${formatPath(node.path)}`;
    if (node.time !== undefined) record.time = checkTime(node.time, place);
    if (node.value !== null) {
      if (node.path.length < 3) throw new EncodeError('an object or an instance has no value', place);
      record.value = valueOf(toWire(node, format));
    }
    return record;
  });
}

function checkTime(time: number, place: Place): number {
  if (time >= RELATIVE_BELOW && time <= MAX_TIME) return time;
  throw new EncodeError(`the time ${time} would be read as relative, or is no date`, place);
}

function valueOf(wire: WireValue): SenmlValue {
  switch (wire.kind) {
    case 'integer':
      return { kind: 'number', value: { value: wire.value, whole: true } };
    case 'float':
      return { kind: 'number', value: { value: wire.value, whole: false } };
    case 'bytes':
      return { kind: 'data', value: wire.value };
    case 'string':
    case 'boolean':
    case 'link':
      return wire;
  }
}
