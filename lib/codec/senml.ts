/** SenML records (RFC 8428, RFC 8790) to nodes and back, for JSON and CBOR alike (Core TS 1.1.1 7.4.5, 7.4.6, Core TS 1.2 7.4.6). */
import { formatPath, samePath } from '../lwm2m/path';
import { DecodeError, EncodeError } from './errors';
import { namePrefix, readName } from './names';
import { Seen } from './seen';
import { TypeFinder, checkTarget, emptyNodes, fromBoolean, fromBytes, fromLink, fromNumeric, fromString, toWire } from './typed';
import type { DataNode, ResourceType } from '../lwm2m/types';
import type { Place } from './errors';
import type { Item } from './items';
import type { Numeric } from './numbers';
import type { TypedValue, WireValue } from './typed';
import type { CodecContext } from './types';

export type SenmlValue =
  | ({ readonly kind: 'number' } & Numeric)
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'data'; readonly value: Uint8Array }
  | { readonly kind: 'link'; readonly value: string }
  /** SenML-ETCH (RFC 8790): what is there shall go. */
  | { readonly kind: 'removal' };

/** One record as it was written: the fields LwM2M uses; units and sums are left out. */
export interface SenmlRecord {
  /** Where it begins in the payload. */
  readonly offset: number;
  baseName?: string;
  baseTime?: number;
  baseValue?: Numeric;
  baseVersion?: number;
  name?: string;
  time?: number;
  value?: SenmlValue;
}

/** What tells the formats of SenML apart. */
export interface Dialect {
  readonly format: string;
  /** Values may be removed (SenML-ETCH). */
  readonly removes: boolean;
  /** RFC 8428 5 and 6 write `vd` in base64url or as bytes; this reads it. */
  readonly data: (item: Item) => Uint8Array | undefined;
}

/** RFC 8428 4.4: the version this server knows. */
const BASE_VERSION = 10;
/** RFC 8428 4.5.3: smaller times are relative to now. */
const RELATIVE_BELOW = 2 ** 28;
/** The range of a JavaScript date, seconds. */
const MAX_TIME = 8.64e12;

/** Sets one field of a record by its SenML label; `item` is its value. Labels nobody needs are skipped. Throws `DecodeError`. */
export function setField(record: SenmlRecord, label: string, item: Item, dialect: Dialect, place: Place): void {
  switch (label) {
    case 'bn':
      record.baseName = textOf(label, item, place);
      return;
    case 'n':
      record.name = textOf(label, item, place);
      return;
    case 'bt':
      record.baseTime = Number(numberOf(label, item, place).value);
      return;
    case 't':
      record.time = Number(numberOf(label, item, place).value);
      return;
    case 'bv':
      record.baseValue = numberOf(label, item, place);
      return;
    case 'bver':
      record.baseVersion = Number(numberOf(label, item, place).value);
      return;
    case 'v':
      setValue(record, item.kind === 'null' && dialect.removes ? { kind: 'removal' } : numberOf(label, item, place), place);
      return;
    case 'vs':
      setValue(record, { kind: 'string', value: textOf(label, item, place) }, place);
      return;
    case 'vb':
      if (item.kind !== 'boolean') throw new DecodeError('vb is true or false', place);
      setValue(record, item, place);
      return;
    case 'vd': {
      const value = dialect.data(item);
      if (!value) throw new DecodeError('vd is bytes, in JSON as base64', place);
      setValue(record, { kind: 'data', value }, place);
      return;
    }
    case 'vlo':
      setValue(record, { kind: 'link', value: textOf(label, item, place) }, place);
      return;
    default:
      // Units (u, bu), sums (s, bs), update time (ut) and what others add mean nothing to LwM2M, unless they say they do (RFC 8428 4.4).
      if (label.endsWith('_')) {
        throw new DecodeError(`the field ${JSON.stringify(label.slice(0, 40))} must be understood and is not`, place);
      }
  }
}

/** Sets a record's value; a record has one at most. */
export function setValue(record: SenmlRecord, value: SenmlValue, place: Place): void {
  if (record.value) throw new DecodeError('a record has two values', place);
  record.value = value;
}

export function textOf(label: string, item: Item, place: Place): string {
  if (item.kind !== 'string') throw new DecodeError(`${label} is a text`, place);
  return item.value;
}

/** Any number: whole, any float, big, decimal fraction (Leshan's base times), tagged as time. */
export function numberOf(label: string, item: Item, place: Place): { readonly kind: 'number' } & Numeric {
  if (item.kind === 'number') return item;
  if (item.kind === 'time') return { kind: 'number', value: item.value, whole: false };
  throw new DecodeError(`${label} is a number`, place);
}

/**
 * Records to nodes, in their order. Base name, time and value hold for the records that follow; a name is base name and name put
 * together as they are (Anjay: "/3/0" + "/9", Wakaama: "/3/0/" + "9"). A record without a value is a node with value null.
 * Nodes carry an absolute time when their record has a time or a base time before it.
 */
export function recordsToNodes(records: readonly SenmlRecord[], context: CodecContext, format: string): DataNode[] {
  if (records.length === 0) return emptyNodes(context, format);
  const nodes: DataNode[] = [];
  const seen = new Seen(nodes);
  const types = new TypeFinder(context);
  let baseName = '';
  let baseTime: number | undefined;
  let baseValue: Numeric | undefined;
  for (const record of records) {
    const { offset, name = '', time: ownTime, value } = record;
    const outer: Place = { path: context.path, format, offset };
    if (record.baseVersion !== undefined && record.baseVersion > BASE_VERSION) {
      throw new DecodeError(`SenML version ${record.baseVersion} is not known`, outer);
    }
    baseName = record.baseName ?? baseName;
    baseTime = record.baseTime ?? baseTime;
    baseValue = record.baseValue ?? baseValue;
    const path = readName(baseName + name, context, outer);
    const place: Place = { path, format, offset };
    const time = readTime(baseTime, ownTime, context, place);
    seen.check(path, time, place);
    nodes.push(nodeOf(path, types.typeAt(path), value, baseValue, time, place));
  }
  return nodes;
}

/** The node of one record. Throws `DecodeError` for a value that does not fit its type or its path. */
export function nodeOf(
  path: readonly number[],
  known: ResourceType | undefined,
  given: SenmlValue | undefined,
  base: Numeric | undefined,
  time: number | undefined,
  place: Place,
): DataNode {
  if (given === undefined || given.kind === 'removal') {
    const type = known ?? 'none';
    if (given === undefined) return time === undefined ? { path, type, value: null } : { path, type, value: null, time };
    if (path.length !== 4) throw new DecodeError('only a resource instance can be removed', place);
    return { path, type, value: null, remove: true };
  }
  if (path.length < 3) throw new DecodeError('an object or an instance has no value', place);
  const { type, value } = readValue(known, given, base, place);
  return time === undefined ? { path, type, value } : { path, type, value, time };
}

/** Seconds since 1970, or undefined when neither time is given (RFC 8428 4.5.3). */
export function readTime(base: number | undefined, time: number | undefined, { now = 0 }: CodecContext, place: Place): number | undefined {
  if (base === undefined && time === undefined) return undefined;
  const sum = (base ?? 0) + (time ?? 0);
  const absolute = sum >= RELATIVE_BELOW ? sum : now + sum;
  if (!(Math.abs(absolute) <= MAX_TIME)) throw new DecodeError(`the time ${absolute} is no date`, place);
  return absolute;
}

function readValue(
  type: ResourceType | undefined,
  value: Exclude<SenmlValue, { kind: 'removal' }>,
  base: Numeric | undefined,
  place: Place,
): TypedValue {
  switch (value.kind) {
    case 'number':
      return fromNumeric(type, base ? add(base, value) : value, place);
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

/**
 * Nodes to records. Several values below the request path share it as base name; a lone node and a composite have full names.
 * A node with value null is a record with its name only, as path lists have it; alone and at the request path it is no record at all.
 * Times are written absolute.
 */
export function nodesToRecords(nodes: readonly DataNode[], context: CodecContext, { format, removes }: Dialect): SenmlRecord[] {
  const { path } = context;
  const [only] = nodes;
  if (nodes.length === 1 && only?.value === null && !only.remove && path.length > 0 && samePath(only.path, path)) return [];
  const prefix = namePrefix(context);
  const shared = nodes.length > 1 && path.length > 0 && nodes.every((node) => node.path.length > path.length);
  const seen = new Set<string>();
  const records: SenmlRecord[] = [];
  for (const node of nodes) {
    checkTarget(node, context, format);
    const place: Place = { path: node.path, format };
    const name = shared ? joinFrom(node.path, path.length) : `${prefix}/${joinFrom(node.path, 0)}`;
    const key = node.time === undefined ? name : `${name}@${node.time}`;
    if (seen.size === seen.add(key).size) throw new EncodeError('it is there twice', place);
    const record: SenmlRecord = { offset: 0, name };
    if (shared && records.length === 0) record.baseName = `${prefix}${formatPath(path)}/`;
    if (node.time !== undefined) record.time = checkTime(node.time, place);
    if (node.remove) {
      if (!removes || node.path.length !== 4) throw new EncodeError('only SenML-ETCH can remove, and resource instances only', place);
      record.value = { kind: 'removal' };
    } else if (node.value !== null) {
      if (node.path.length < 3) throw new EncodeError('an object or an instance has no value', place);
      record.value = valueOf(toWire(node, format));
    }
    records.push(record);
  }
  return records;
}

/** The ids from one level on, with slashes between. */
export function joinFrom(path: readonly number[], level: number): string {
  let text = String(path[level] ?? '');
  for (let i = level + 1; i < path.length; i += 1) text += `/${path[i]}`;
  return text;
}

/** A time that is read as absolute again. */
export function checkTime(time: number, place: Place): number {
  if (time >= RELATIVE_BELOW && time <= MAX_TIME) return time;
  throw new EncodeError(`the time ${time} would be read as relative, or is no date`, place);
}

export function valueOf(wire: WireValue): SenmlValue {
  switch (wire.kind) {
    case 'integer':
      return { kind: 'number', value: wire.value, whole: true };
    case 'float':
      return { kind: 'number', value: wire.value, whole: false };
    case 'bytes':
      return { kind: 'data', value: wire.value };
    case 'string':
    case 'boolean':
    case 'link':
      return wire;
  }
}
