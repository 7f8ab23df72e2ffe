/** TLV, Content-Format 11542 and the old 1542 (Core TS 1.1.1 7.4.4): elements to nodes, nodes to elements. */
import { DecodeError, EncodeError } from './errors';
import { KIND_NAMES, Kind, TLV, readElements, readValue, writeElement, writeValue } from './tlv-element';
import { MAX_NODES, checkTarget, emptyNodes, toWire, typeAt } from './typed';
import { MAX_ID } from '../lwm2m/path';
import type { DataNode } from '../lwm2m/types';
import type { Element } from './tlv-element';
import type { Codec, CodecContext } from './types';

interface Reader {
  readonly context: CodecContext;
  readonly nodes: DataNode[];
}

export const tlvCodec: Codec = {
  name: TLV,
  contentFormat: 11542,
  aliases: [1542],
  decode(payload, context) {
    if (payload.length === 0) return emptyNodes(context, TLV);
    const { path } = context;
    const reader: Reader = { context, nodes: [] };
    const elements = readElements(payload, 0, path);
    switch (path.length) {
      case 1:
        readObject(reader, path, elements);
        break;
      case 2:
        readResources(reader, path, unwrapInstance(path, elements));
        break;
      case 3:
        readOneResource(reader, path, unwrapInstance(path, elements));
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
    for (const node of nodes) checkTarget(node, context, TLV);
    if (context.path.length === 0) throw new EncodeError('TLV holds no more than one object', { path: [], format: TLV });
    return writeNodes(nodes, context.path);
  },
};

function unexpected(element: Element, path: readonly number[]): never {
  throw new DecodeError(`${KIND_NAMES[element.kind]} ${element.id} does not belong here`, { path, format: TLV, offset: element.offset });
}

/** The ids of one level must differ and be ids. */
function checkIds(elements: readonly Element[], path: readonly number[]): void {
  const seen = new Set<number>();
  for (const { id, kind, offset } of elements) {
    if (id > MAX_ID) throw new DecodeError(`${id} is no id, it is reserved`, { path, format: TLV, offset });
    if (seen.has(id)) throw new DecodeError(`${KIND_NAMES[kind]} ${id} is there twice`, { path, format: TLV, offset });
    seen.add(id);
  }
}

/** coap-node puts the object instance around the resources of the instance that was read: looked through when it is the one asked for. */
function unwrapInstance(path: readonly number[], elements: Element[]): Element[] {
  const [only] = elements;
  if (only?.kind !== Kind.objectInstance) return elements;
  if (elements.length > 1 || only.id !== path[1]) unexpected(only, path);
  return readElements(only.value, only.valueOffset, path);
}

function readObject(reader: Reader, path: readonly number[], elements: readonly Element[]): void {
  const [objectId] = path;
  if (elements.every((element) => element.kind !== Kind.objectInstance)) {
    // Clients of single-instance objects may leave the instance out (Core TS 1.1.1 7.4.4); for others nobody can tell which it is.
    const known = objectId === undefined ? undefined : reader.context.model.object(objectId, reader.context.versions?.get(objectId));
    if (known?.multiple) throw new DecodeError('resources without their object instance', { path, format: TLV, offset: 0 });
    readResources(reader, [...path, 0], elements);
    return;
  }
  checkIds(elements, path);
  for (const element of elements) {
    if (element.kind !== Kind.objectInstance) unexpected(element, path);
    const instance = [...path, element.id];
    readResources(reader, instance, readElements(element.value, element.valueOffset, instance));
  }
}

function readResources(reader: Reader, path: readonly number[], elements: readonly Element[]): void {
  if (elements.length === 0) push(reader, { path, type: 'none', value: null }, undefined);
  checkIds(elements, path);
  for (const element of elements) readResource(reader, [...path, element.id], element);
}

function readResource(reader: Reader, path: readonly number[], element: Element): void {
  switch (element.kind) {
    case Kind.resource:
      readLeaf(reader, path, element);
      return;
    case Kind.multipleResource:
      readInstances(reader, path, readElements(element.value, element.valueOffset, path));
      return;
    case Kind.objectInstance:
    case Kind.resourceInstance:
      unexpected(element, path.slice(0, 2));
  }
}

function readInstances(reader: Reader, path: readonly number[], elements: readonly Element[]): void {
  if (elements.length === 0) push(reader, { path, type: typeAt(reader.context, path) ?? 'none', value: null }, undefined);
  checkIds(elements, path);
  for (const element of elements) {
    if (element.kind !== Kind.resourceInstance) unexpected(element, path);
    readLeaf(reader, [...path, element.id], element);
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
  const inner = inside ? readElements(outer.value, outer.valueOffset, path) : elements;
  const [only] = inner;
  if (only === undefined) throw new DecodeError('the resource instance has no value', { path, format: TLV, offset: 0 });
  if (inner.length > 1 || only.kind !== Kind.resourceInstance || only.id !== path[3]) unexpected(only, path);
  readLeaf(reader, path, only);
}

function readLeaf(reader: Reader, path: readonly number[], element: Element): void {
  const place = { path, format: TLV, offset: element.valueOffset };
  push(reader, { path, ...readValue(typeAt(reader.context, path), element.value, place) }, element);
}

function push(reader: Reader, node: DataNode, element: Element | undefined): void {
  if (reader.nodes.length === MAX_NODES)
    throw new DecodeError(`more than ${MAX_NODES} values`, { path: node.path, format: TLV, offset: element?.offset });
  reader.nodes.push(node);
}

/** Nodes of one level, grouped by their id there, in order of first appearance. */
function groupBy(nodes: readonly DataNode[], level: number): Map<number, DataNode[]> {
  const groups = new Map<number, DataNode[]>();
  for (const node of nodes) {
    const id = node.path[level];
    if (id === undefined) throw new EncodeError('it is there twice, or together with values below it', { path: node.path, format: TLV });
    const group = groups.get(id);
    if (group) group.push(node);
    else groups.set(id, [node]);
  }
  return groups;
}

/** The elements for everything at or below `path`, as they stand in the payload of an operation on it. */
function writeNodes(nodes: readonly DataNode[], path: readonly number[]): Uint8Array {
  switch (path.length) {
    case 3:
    case 4:
      return nodes.length === 0 ? new Uint8Array(0) : writeResource(nodes, path);
    default:
      return writeLevel(nodes, path);
  }
}

/** What stands inside an object or an object instance. An empty one, alone, is a node with value null. */
function writeLevel(nodes: readonly DataNode[], path: readonly number[]): Uint8Array {
  const [only] = nodes;
  if (nodes.length === 1 && only?.path.length === path.length) {
    if (only.value !== null) throw new EncodeError('an object or an instance has no value', { path, format: TLV });
    return new Uint8Array(0);
  }
  const parts: Uint8Array[] = [];
  for (const [id, group] of groupBy(nodes, path.length)) {
    const below = [...path, id];
    parts.push(
      below.length === 2
        ? writeElement(Kind.objectInstance, id, writeLevel(group, below), { path: below, format: TLV })
        : writeResource(group, below),
    );
  }
  return Buffer.concat(parts);
}

/** One resource with its value or its instances; for a path of 4 ids the bare resource instance. */
function writeResource(nodes: readonly DataNode[], path: readonly number[]): Uint8Array {
  const resource = path.slice(0, 3);
  const id = resource[2] ?? 0;
  const place = { path: resource, format: TLV };
  const [only] = nodes;
  if (nodes.length === 1 && only?.path.length === 3) {
    if (only.value === null) return writeElement(Kind.multipleResource, id, new Uint8Array(0), place);
    return writeElement(Kind.resource, id, writeValue(toWire(only, TLV)), place);
  }
  const parts: Uint8Array[] = [];
  for (const [instanceId, group] of groupBy(nodes, 3)) {
    const [node] = group;
    if (node === undefined || group.length > 1)
      throw new EncodeError('it is there twice', { path: [...resource, instanceId], format: TLV });
    parts.push(writeElement(Kind.resourceInstance, instanceId, writeValue(toWire(node, TLV)), { path: node.path, format: TLV }));
  }
  const instances = Buffer.concat(parts);
  return path.length === 4 ? instances : writeElement(Kind.multipleResource, id, instances, place);
}
