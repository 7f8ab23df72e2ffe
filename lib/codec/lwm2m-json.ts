/** application/vnd.oma.lwm2m+json, Content-Format 11543 and the old 1543 (LwM2M 1.0 TS 6.4.4; dropped in LwM2M 1.1). */
import { formatPath, isWithin } from '../lwm2m/path';
import { DecodeError, EncodeError } from './errors';
import { namePrefix, readIds, readName } from './names';
import { Seen } from './seen';
import { checkTime, joinFrom, nodeOf, numberOf, readTime, setValue, textOf } from './senml';
import { jsonNumber, readJson } from './senml-json';
import { readBase64 } from './text';
import { MAX_NODES, TypeFinder, checkTarget, emptyNodes, toWire } from './typed';
import { writeUtf8 } from './utf8';
import type { DataNode, ResourceType } from '../lwm2m/types';
import type { Place } from './errors';
import type { Item } from './items';
import type { JsonReader } from './json-reader';
import type { SenmlRecord, SenmlValue } from './senml';
import type { WireValue } from './typed';
import type { Codec, CodecContext } from './types';

const NAME = 'lwm2m+json';

/** What stands around the list `e`: it counts for all of its records, wherever it is written. */
interface Pack {
  baseName?: string;
  baseTime?: number;
  records?: SenmlRecord[];
}

export const lwm2mJsonCodec: Codec = {
  name: NAME,
  contentFormat: 11543,
  aliases: [1543],
  decode(payload, context) {
    const { path } = context;
    if (payload.length === 0 && path.length > 0) return emptyNodes(context, NAME);
    const pack = readJson(payload, { path, format: NAME }, (reader) => readPack(reader, path));
    if (!pack.records) throw new DecodeError('the list "e" is missing', { path, format: NAME, offset: 0 });
    return pack.records.length === 0 ? emptyNodes(context, NAME) : toNodes(pack.records, pack, context);
  },
  encode(nodes, context) {
    return writeUtf8(writePack(nodes, context));
  },
};

function readPack(reader: JsonReader, path: readonly number[]): Pack {
  const pack: Pack = {};
  reader.open('map');
  for (let field = 0; reader.more(field, 'map'); field += 1) {
    const label = reader.key();
    const place: Place = { path, format: NAME, offset: reader.at };
    switch (label) {
      case 'bn':
        pack.baseName = textOf(label, reader.whole(), place);
        break;
      case 'bt':
        pack.baseTime = Number(numberOf(label, reader.whole(), place).value);
        break;
      case 'e':
        if (pack.records) throw new DecodeError('the list "e" is there twice', place);
        pack.records = readRecords(reader, path);
        break;
      default:
        reader.whole();
    }
  }
  return pack;
}

function readRecords(reader: JsonReader, path: readonly number[]): SenmlRecord[] {
  const records: SenmlRecord[] = [];
  reader.open('array');
  for (let index = 0; reader.more(index, 'array'); index += 1) {
    const offset = reader.at;
    if (index === MAX_NODES) throw new DecodeError(`more than ${MAX_NODES} records`, { path, format: NAME, offset });
    const record: SenmlRecord = { offset };
    reader.open('map');
    for (let field = 0; reader.more(field, 'map'); field += 1) {
      const label = reader.key();
      readField(record, label, reader.whole(), { path, format: NAME, offset });
    }
    records.push(record);
  }
  return records;
}

function readField(record: SenmlRecord, label: string, item: Item, place: Place): void {
  switch (label) {
    case 'n':
      record.name = textOf(label, item, place);
      return;
    case 't':
      record.time = Number(numberOf(label, item, place).value);
      return;
    case 'v':
      setValue(record, numberOf(label, item, place), place);
      return;
    case 'sv':
      setValue(record, { kind: 'string', value: textOf(label, item, place) }, place);
      return;
    case 'bv':
      if (item.kind !== 'boolean') throw new DecodeError('bv is true or false', place);
      setValue(record, item, place);
      return;
    case 'ov':
      setValue(record, { kind: 'link', value: textOf(label, item, place) }, place);
  }
}

function toNodes(records: readonly SenmlRecord[], pack: Pack, context: CodecContext): DataNode[] {
  const nodes: DataNode[] = [];
  const seen = new Seen(nodes);
  const types = new TypeFinder(context);
  for (const { offset, name = '', time: ownTime, value } of records) {
    const path = readPath(pack.baseName, name, context, { path: context.path, format: NAME, offset });
    const place: Place = { path, format: NAME, offset };
    if (value === undefined) throw new DecodeError('a record without a value', place);
    const time = readTime(pack.baseTime, ownTime, context, place);
    seen.check(path, time, place);
    const type = types.typeAt(path);
    nodes.push(nodeOf(path, type, dataOf(type, value, place), undefined, time, place));
  }
  return nodes;
}

/** Opaque values are base64 in a string. */
function dataOf(type: ResourceType | undefined, value: SenmlValue, place: Place): SenmlValue {
  if (type !== 'opaque' || value.kind !== 'string') return value;
  const data = readBase64(value.value);
  if (!data) throw new DecodeError('the text is not base64, as opaque wants it', place);
  return { kind: 'data', value: data };
}

/**
 * A name is base name and name put together as they are. Without a base name it is full when it begins with a slash (Leshan reads it so),
 * else it counts from the asked path (LwM2M 1.0 TS 6.4.4).
 */
function readPath(base: string | undefined, name: string, context: CodecContext, place: Place): readonly number[] {
  const { path } = context;
  if (base === undefined) {
    if (name.startsWith('/')) return readName(name, context, place);
    const root = path.length === 0 ? '' : formatPath(path);
    return readName(name === '' ? root : `${root}/${name}`, context, place);
  }
  // coap-node leaves out the slash between "/3" and "0/9": taken where the names as they are make no path that was asked.
  const ids = readIds(base + name);
  const slashed = name === '' ? undefined : readIds(`${base}/${name}`);
  if ((!ids || !isWithin(ids, path)) && slashed && slashed.length > 0 && isWithin(slashed, path)) return slashed;
  return readName(base + name, context, place);
}

/** The base name is the request path, or what is above when the value is there: Wakaama refuses a record without a name. */
function writePack(nodes: readonly DataNode[], context: CodecContext): string {
  const { path } = context;
  const [only] = nodes;
  const base = nodes.some((node) => node.path.length <= path.length) ? path.slice(0, -1) : path;
  const baseName = `${namePrefix(context)}${base.length === 0 ? '' : formatPath(base)}/`;
  const empty = nodes.length === 1 && only?.value === null && only.path.length === path.length;
  const seen = new Set<string>();
  const records: string[] = [];
  for (const node of empty ? [] : nodes) {
    checkTarget(node, context, NAME);
    const place: Place = { path: node.path, format: NAME };
    const name = joinFrom(node.path, base.length);
    const time = node.time === undefined ? '' : `"t":${checkTime(node.time, place)},`;
    if (seen.size === seen.add(`${name}@${time}`).size) throw new EncodeError('it is there twice', place);
    if (node.path.length < 3) throw new EncodeError('an object or an instance has no value', place);
    records.push(`{"n":"${name}",${time}${writeValue(toWire(node, NAME), place)}}`);
  }
  return `{"bn":${JSON.stringify(baseName)},"e":[${records.join(',')}]}`;
}

function writeValue(wire: WireValue, place: Place): string {
  switch (wire.kind) {
    case 'integer':
    case 'float':
      return `"v":${jsonNumber(wire.value, place)}`;
    case 'boolean':
      return `"bv":${wire.value}`;
    case 'string':
      return `"sv":${JSON.stringify(wire.value)}`;
    case 'bytes':
      return `"sv":"${Buffer.from(wire.value).toString('base64')}"`;
    case 'link':
      return `"ov":"${wire.value}"`;
  }
}
