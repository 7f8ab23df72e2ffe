/** TLV, Content-Format 11542 and the old 1542 (Core TS 1.1.1 7.4.4): elements to nodes, nodes to elements. */
import { DecodeError, EncodeError } from './errors';
import { below } from './names';
import { Output } from './output';
import { KIND_NAMES, Kind, TLV, readElements, readValue, writeHeader, writeValue } from './tlv-element';
import { groupBy } from './tree';
import { MAX_NODES, TypeFinder, checkTarget, emptyNodes, refuseTime, toWire } from './typed';
import { asBuffer } from './utf8';
import { MAX_ID } from '../lwm2m/path';
import type { DataNode } from '../lwm2m/types';
import type { Element } from './tlv-element';
import type { Codec, CodecContext } from './types';

interface Reader {
  readonly bytes: Buffer;
  readonly context: CodecContext;
  readonly types: TypeFinder;
  readonly nodes: DataNode[];
}

const output = new Output();

export const tlvCodec: Codec = {
  name: TLV,
  contentFormat: 11542,
  aliases: [1542],
  decode(payload, context) {
    if (payload.length === 0) return emptyNodes(context, TLV);
    const { path } = context;
    const reader: Reader = { bytes: asBuffer(payload), context, types: new TypeFinder(context), nodes: [] };
    const elements = readElements(reader.bytes, 0, payload.length, path);
    switch (path.length) {
      case 1:
        readObject(reader, path, elements);
        break;
      case 2:
        readResources(reader, path, unwrapInstance(reader, path, elements));
        break;
      case 3:
        readOneResource(reader, path, unwrapInstance(reader, path, elements));
        break;
      case 4:
        readOneResourceInstance(reader, path, elements);
        break;
      default:
        throw new DecodeError('TLV holds no more than one object', { path, format: TLV, offset: 0 });
    }
    return reader.nodes;
  },
  encode(nodes, context) {
    for (const node of nodes) {
      checkTarget(node, context, TLV);
      refuseTime(node, TLV);
    }
    if (context.path.length === 0) throw new EncodeError('TLV holds no more than one object', { path: [], format: TLV });
    output.clear();
    writeNodes(nodes, context.path);
    return output.take();
  },
};

function unexpected(element: Element, path: readonly number[]): never {
  throw new DecodeError(`${KIND_NAMES[element.kind]} ${element.id} does not belong here`, { path, format: TLV, offset: element.offset });
}

/** The ids of one level must differ and be ids. */
function checkIds(elements: readonly Element[], path: readonly number[]): void {
  let last = -1;
  let seen: Set<number> | undefined;
  for (const { id, kind, offset } of elements) {
    if (id > MAX_ID) throw new DecodeError(`${id} is no id, it is reserved`, { path, format: TLV, offset });
    // Ids mostly rise, and then none can be there twice.
    if (id > last) last = id;
    else seen ??= idsBefore(elements, offset);
    if (!seen) continue;
    if (seen.has(id)) throw new DecodeError(`${KIND_NAMES[kind]} ${id} is there twice`, { path, format: TLV, offset });
    seen.add(id);
  }
}

function idsBefore(elements: readonly Element[], offset: number): Set<number> {
  return new Set(elements.filter((element) => element.offset < offset).map((element) => element.id));
}

/** coap-node puts the object instance around the resources of the instance that was read: looked through when it is the one asked for. */
function unwrapInstance({ bytes }: Reader, path: readonly number[], elements: Element[]): Element[] {
  const [only] = elements;
  if (only?.kind !== Kind.objectInstance) return elements;
  if (elements.length > 1 || only.id !== path[1]) unexpected(only, path);
  return readElements(bytes, only.from, only.to, path);
}

function readObject(reader: Reader, path: readonly number[], elements: readonly Element[]): void {
  const [objectId] = path;
  if (elements.every((element) => element.kind !== Kind.objectInstance)) {
    // Clients of single-instance objects may leave the instance out (Core TS 1.1.1 7.4.4); for others nobody can tell which it is.
    const known = objectId === undefined ? undefined : reader.context.model.object(objectId, reader.context.versions?.get(objectId));
    if (known?.multiple) throw new DecodeError('resources without their object instance', { path, format: TLV, offset: 0 });
    readResources(reader, below(path, 0), elements);
    return;
  }
  checkIds(elements, path);
  for (const element of elements) {
    if (element.kind !== Kind.objectInstance) unexpected(element, path);
    const instance = below(path, element.id);
    readResources(reader, instance, readElements(reader.bytes, element.from, element.to, instance));
  }
}

function readResources(reader: Reader, path: readonly number[], elements: readonly Element[]): void {
  if (elements.length === 0) push(reader, { path, type: 'none', value: null }, undefined);
  checkIds(elements, path);
  for (const element of elements) readResource(reader, below(path, element.id), element);
}

function readResource(reader: Reader, path: readonly number[], element: Element): void {
  switch (element.kind) {
    case Kind.resource:
      readLeaf(reader, path, element);
      return;
    case Kind.multipleResource:
      readInstances(reader, path, readElements(reader.bytes, element.from, element.to, path));
      return;
    case Kind.objectInstance:
    case Kind.resourceInstance:
      unexpected(element, path.slice(0, 2));
  }
}

function readInstances(reader: Reader, path: readonly number[], elements: readonly Element[]): void {
  if (elements.length === 0) push(reader, { path, type: reader.types.typeAt(path) ?? 'none', value: null }, undefined);
  checkIds(elements, path);
  for (const element of elements) {
    if (element.kind !== Kind.resourceInstance) unexpected(element, path);
    readLeaf(reader, below(path, element.id), element);
  }
}

/** A read of one resource: the resource itself, or its instances without the multiple resource around them (LwM2M 1.0 clients; Leshan takes it too). */
function readOneResource(reader: Reader, path: readonly number[], elements: readonly Element[]): void {
  const [only] = elements;
  if (only === undefined || only.kind === Kind.resourceInstance) {
    readInstances(reader, path, elements);
    return;
  }
  if (elements.length > 1 || only.id !== path[2]) unexpected(elements.length > 1 ? (elements[1] ?? only) : only, path);
  readResource(reader, path, only);
}

/** A read of one resource instance, tolerated inside its multiple resource. */
function readOneResourceInstance(reader: Reader, path: readonly number[], elements: readonly Element[]): void {
  const [outer] = elements;
  const inside = outer?.kind === Kind.multipleResource && elements.length === 1 && outer.id === path[2];
  const inner = inside ? readElements(reader.bytes, outer.from, outer.to, path) : elements;
  const [only] = inner;
  if (only === undefined) throw new DecodeError('the resource instance has no value', { path, format: TLV, offset: 0 });
  if (inner.length > 1 || only.kind !== Kind.resourceInstance || only.id !== path[3]) unexpected(only, path);
  readLeaf(reader, path, only);
}

function readLeaf(reader: Reader, path: readonly number[], element: Element): void {
  const place = { path, format: TLV, offset: element.from };
  const { type, value } = readValue(reader.types.typeAt(path), reader.bytes, element, place);
  push(reader, { path, type, value }, element);
}

function push(reader: Reader, node: DataNode, element: Element | undefined): void {
  if (reader.nodes.length === MAX_NODES)
    throw new DecodeError(`more than ${MAX_NODES} values`, { path: node.path, format: TLV, offset: element?.offset });
  reader.nodes.push(node);
}

/** The elements for everything at or below `path`, as they stand in the payload of an operation on it. */
function writeNodes(nodes: readonly DataNode[], path: readonly number[]): void {
  if (path.length < 3) writeLevel(nodes, path);
  else if (nodes.length > 0) writeResource(nodes, path.slice(0, 3), path.length === 3);
}

/** What stands inside an object or an object instance. An empty one, alone, is a node with value null. */
function writeLevel(nodes: readonly DataNode[], path: readonly number[]): void {
  const [only] = nodes;
  if (nodes.length === 1 && only?.path.length === path.length) {
    if (only.value !== null) throw new EncodeError('an object or an instance has no value', { path, format: TLV });
    return;
  }
  for (const [id, group] of groupBy(nodes, path.length, TLV).reverse()) {
    const ids = below(path, id);
    if (ids.length === 3) {
      writeResource(group, ids, true);
      continue;
    }
    const before = output.length;
    writeLevel(group, ids);
    writeHeader(output, Kind.objectInstance, id, output.length - before, { path: ids, format: TLV });
  }
}

/** One resource with its value or its instances; for a request to one resource instance (`whole` false) that instance alone. */
function writeResource(nodes: readonly DataNode[], path: readonly number[], whole: boolean): void {
  const id = path[2] ?? 0;
  const place = { path, format: TLV };
  const before = output.length;
  const [only] = nodes;
  if (nodes.length === 1 && only?.path.length === 3) {
    if (only.value !== null) writeValue(output, toWire(only, TLV));
    writeHeader(output, only.value === null ? Kind.multipleResource : Kind.resource, id, output.length - before, place);
    return;
  }
  for (const [instanceId, group] of groupBy(nodes, 3, TLV).reverse()) {
    const [node] = group;
    if (node === undefined || group.length > 1) throw new EncodeError('it is there twice', { path: [...path, instanceId], format: TLV });
    const from = output.length;
    writeValue(output, toWire(node, TLV));
    writeHeader(output, Kind.resourceInstance, instanceId, output.length - from, { path: node.path, format: TLV });
  }
  if (whole) writeHeader(output, Kind.multipleResource, id, output.length - before, place);
}
