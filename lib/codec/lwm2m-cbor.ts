/** application/vnd.oma.lwm2m+cbor, Content-Format 11544 (Core TS 1.2 7.4.4): maps from ids to maps, down to the values. */
import { MAX_ID } from '../lwm2m/path';
import { fromCborItem, readCbor, writeWire } from './cbor';
import { Major } from './cbor-reader';
import { writeHead, writeInteger, writeNull, writeText } from './cbor-writer';
import { DecodeError, EncodeError } from './errors';
import { below, checkAsked } from './names';
import { Output } from './output';
import { Seen } from './seen';
import { groupBy } from './tree';
import { MAX_NODES, TypeFinder, checkTarget, emptyNodes, refuseTime, toWire } from './typed';
import type { DataNode } from '../lwm2m/types';
import type { CborReader } from './cbor-reader';
import type { Place } from './errors';
import type { Codec, CodecContext } from './types';

const NAME = 'lwm2m+cbor';
const output = new Output();

interface State {
  readonly reader: CborReader;
  readonly context: CodecContext;
  readonly types: TypeFinder;
  readonly seen: Seen;
  readonly nodes: DataNode[];
}

export const lwm2mCborCodec: Codec = {
  name: NAME,
  contentFormat: 11544,
  aliases: [],
  decode(payload, context) {
    const { path } = context;
    if (payload.length === 0 && path.length > 0) return emptyNodes(context, NAME);
    const nodes: DataNode[] = [];
    const types = new TypeFinder(context);
    readCbor(payload, { path, format: NAME }, (reader) => readMap({ reader, context, types, seen: new Seen(nodes), nodes }, [], true));
    // The specification has no empty payload; a client that has nothing to say has no other way to say it.
    return nodes.length === 0 ? emptyNodes(context, NAME) : nodes;
  },
  encode(nodes, context) {
    if (nodes.length === 0) throw new EncodeError('this format cannot be empty', { path: context.path, format: NAME });
    for (const node of nodes) {
      checkTarget(node, context, NAME);
      refuseTime(node, NAME);
    }
    output.clear();
    writeMap(nodes, 0, context.prefix);
    return output.take();
  },
};

/** A map below `path`. Each key is an id, or several in an array: `{3:{0:{9:1}}}` and `{[3,0,9]:1}` mean the same. */
function readMap(state: State, path: readonly number[], top: boolean): void {
  const { reader } = state;
  const count = reader.open(Major.map);
  let index = 0;
  for (; reader.more(index, count); index += 1) {
    const offset = reader.at;
    const ids = readKey(state, path, top, offset);
    if (reader.next !== Major.map) readLeaf(state, ids, offset);
    else if (ids.length < 4) readMap(state, ids, false);
    else throw new DecodeError('a map where one value must be', { path: ids, format: NAME, offset });
  }
  if (index === 0 && path.length > 0) addEmpty(state, path);
}

/** An empty map: an object without instances, an instance without resources, a multiple resource without instances. */
function addEmpty({ reader, context, types, seen, nodes }: State, path: readonly number[]): void {
  const place: Place = { path, format: NAME, offset: reader.at };
  checkAsked(path, context, place);
  seen.check(path, undefined, place);
  nodes.push({ path, type: types.typeAt(path) ?? 'none', value: null });
}

function readLeaf({ reader, context, types, seen, nodes }: State, path: readonly number[], offset: number): void {
  const place: Place = { path, format: NAME, offset };
  if (path.length < 3) throw new DecodeError('an object or an instance has no value', place);
  if (nodes.length === MAX_NODES) throw new DecodeError(`more than ${MAX_NODES} values`, place);
  checkAsked(path, context, place);
  seen.check(path, undefined, place);
  const known = types.typeAt(path);
  const item = reader.whole();
  if (item.kind === 'null') {
    nodes.push({ path, type: known ?? 'none', value: null });
    return;
  }
  const { type, value } = fromCborItem(known, item, place);
  nodes.push({ path, type, value });
}

/** The ids of one key, after those above it. At the top the prefix of a device behind a gateway may come first. */
function readKey(state: State, path: readonly number[], top: boolean, offset: number): readonly number[] {
  const { reader, context } = state;
  const major = reader.next;
  if (major === Major.uint) return below(path, readId(reader, path, offset));
  const place: Place = { path, format: NAME, offset };
  switch (major) {
    case Major.string:
      if (top) readPrefix(reader, context, place);
      else throw new DecodeError('a text is no id', place);
      return path;
    case Major.array: {
      const ids = [...path];
      const count = reader.open(Major.array);
      let index = 0;
      for (; reader.more(index, count); index += 1) {
        if (top && index === 0 && reader.atText) readPrefix(reader, context, place);
        else if (ids.length < 4) ids.push(readId(reader, path, offset));
        else throw new DecodeError('a path has 4 ids at most', place);
      }
      if (index === 0) throw new DecodeError('a key without an id', place);
      return ids;
    }
    default:
      throw new DecodeError('a key is an id, or an array of ids', place);
  }
}

function readId(reader: CborReader, path: readonly number[], offset: number): number {
  const id = reader.integer();
  if (id === undefined || id < 0 || id > MAX_ID) throw new DecodeError(`a key is an id, 0 to ${MAX_ID}`, { path, format: NAME, offset });
  return id;
}

/** Gateway TS 1.1.1 9. */
function readPrefix(reader: CborReader, { prefix }: CodecContext, place: Place): void {
  const text = reader.string() ?? '';
  if (text !== prefix) throw new DecodeError(`values of a device ${JSON.stringify(text.slice(0, 40))} were not asked for`, place);
}

/** A map of nodes whose paths are the same up to `level`. Ids that stand alone are put together in one key, as the specification writes it. */
function writeMap(nodes: readonly DataNode[], level: number, prefix?: string): void {
  const groups = groupBy(nodes, level, NAME);
  for (let index = groups.length - 1; index >= 0; index -= 1) {
    const [, group] = groups[index] as (typeof groups)[number];
    const to = sharedTo(group, level + 1);
    const [only] = group;
    if (group.length === 1 && only?.path.length === to) writeLeaf(only);
    else writeMap(group, to);
    writeKey(group[0]?.path ?? [], level, to, prefix);
  }
  writeHead(output, Major.map, groups.length);
}

/** The level to which the paths of all nodes are the same. */
function sharedTo(nodes: readonly DataNode[], from: number): number {
  const path = nodes[0]?.path ?? [];
  for (let level = from; level < path.length; level += 1) {
    for (const node of nodes) if (node.path[level] !== path[level]) return level;
  }
  return path.length;
}

/** The ids of a path from `level` on, before `to`: one alone, several in an array. */
function writeKey(path: readonly number[], level: number, to: number, prefix: string | undefined): void {
  for (let at = to - 1; at >= level; at -= 1) writeInteger(output, path[at] ?? 0);
  if (prefix !== undefined) writeText(output, prefix);
  const members = to - level + (prefix === undefined ? 0 : 1);
  if (members > 1) writeHead(output, Major.array, members);
}

/** An executable resource is null; what has no members is an empty map. */
function writeLeaf(node: DataNode): void {
  if (node.remove) throw new EncodeError('this format cannot remove', { path: node.path, format: NAME });
  if (node.value === null) {
    if (node.path.length === 4 || (node.path.length === 3 && node.type === 'none')) writeNull(output);
    else writeHead(output, Major.map, 0);
    return;
  }
  if (node.path.length < 3) throw new EncodeError('an object or an instance has no value', { path: node.path, format: NAME });
  writeWire(output, toWire(node, NAME));
}
