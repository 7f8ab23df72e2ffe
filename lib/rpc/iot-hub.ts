/** The texts in which the IoT Hub answers, for those who move from it: those of its documentation, in UTC and with ids ascending. */
import type { Link } from '../lwm2m/link-format';
import { latest } from '../lwm2m/value-out';
import type { DataNode, ResourceType } from '../lwm2m/types';
import type { Operation } from '../server/types';
import { formatLinks, parseLinks } from '../lwm2m/link-format';
import { formatPath, isWithin } from '../lwm2m/path';
import type { Answer } from './answers';
import { readLinks } from './answers';
import type { ShapeContext } from './values-out';

const TYPES: Readonly<Record<ResourceType, string>> = {
  string: 'STRING',
  integer: 'INTEGER',
  unsigned: 'UNSIGNED_INTEGER',
  float: 'FLOAT',
  boolean: 'BOOLEAN',
  opaque: 'OPAQUE',
  time: 'TIME',
  objlnk: 'OBJLNK',
  corelnk: 'CORELINK',
  none: 'NONE',
};

/** Hex digits of an opaque value that are shown. */
const MAX_HEX = 1024;

/** The `value` of a command that was done, as text; undefined where there is none. */
export function iotHubValue(operation: Operation, answer: Answer, context: ShapeContext): string | undefined {
  switch (operation.kind) {
    case 'Read':
    case 'Observe':
      return direct(answer.nodes ?? [], operation.path.ids, context);
    case 'ReadComposite':
    case 'ObserveComposite':
      return composite(answer.nodes ?? [], operation.paths, context);
    case 'Discover':
      return formatLinks(readLinks(answer));
    case 'DiscoverAll':
      return JSON.stringify(readLinks(answer).map(linkObject));
    case 'ObserveReadAll':
      return JSON.stringify(
        (answer.observations ?? []).map(({ path, paths }) =>
          paths ? `CompositeObservation: [${paths.map(({ ids }) => formatPath(ids)).join(', ')}]` : formatPath(path.ids),
        ),
      );
    case 'ObserveCancel':
    case 'ObserveCompositeCancel':
    case 'ObserveCancelAll':
      return String(answer.cancelled ?? 0);
    case 'Create':
      return answer.location === undefined ? undefined : `location=${answer.location.join('/')}`;
    case 'WriteReplace':
    case 'WriteUpdate':
    case 'WriteComposite':
    case 'WriteAttributes':
    case 'Execute':
    case 'Delete':
      return undefined;
    default:
      operation satisfies never;
      return undefined;
  }
}

/** The document has `DELETE` for what CoAP calls DELETED. */
export function iotHubResult(result: string): string {
  return result === 'DELETED' ? 'DELETE' : result;
}

/** As `{"ct":"110","rt":"\"oma.lwm2m\""}`: a text keeps its quotes, a number or version has none. */
function linkObject({ target, attributes }: Link): object {
  const entries = attributes.map(([name, value]) => [name, value === null ? null : /^[\d.]+$/.test(value) ? value : `"${value}"`]);
  return { url: target, attributes: Object.fromEntries(entries) as object };
}

function composite(nodes: readonly DataNode[], paths: readonly { readonly ids: readonly number[] }[], context: ShapeContext): string {
  const entries = paths.map(({ ids }) => {
    const own = nodes.filter((node) => isWithin(node.path, ids));
    return `${formatPath(ids)}=${own.length === 0 ? 'null' : element(own, ids, context)}`;
  });
  return `{${entries.join(', ')}}`;
}

/** An opaque resource that was asked for by itself shows its bytes, in a form of its own. */
function direct(nodes: readonly DataNode[], path: readonly number[], context: ShapeContext): string {
  const values = latest(nodes).filter((node) => isWithin(node.path, path) && node.value !== null);
  const opaque = values.length > 0 && values.every((node) => node.type === 'opaque' && node.value instanceof Uint8Array);
  if (path.length !== 3 || !opaque) return element(nodes, path, context);
  const id = path[2];
  const [first] = values;
  if (first?.path.length === 3) return `LwM2mSingleResource id=${id} value=${hex(first)} type=OPAQUE`;
  const instances = ascending(values, 3).map(([instance, [node]]) => ` id=${instance} value=${node ? hex(node) : ''}`);
  return `LwM2mMultipleResource id=${id} values={${instances.join(', ')}} type=OPAQUE`;
}

function hex({ value }: DataNode): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex').slice(0, MAX_HEX) : '';
}

/** Everything at or below `path`, whatever level that is. */
function element(nodes: readonly DataNode[], path: readonly number[], context: ShapeContext): string {
  const own = latest(nodes).filter((node) => isWithin(node.path, path));
  const below = own.filter((node) => node.path.length > path.length);
  const id = path.at(-1);
  switch (path.length) {
    case 1:
      return `LwM2mObject [id=${id}, instances=${children(below, path, context)}]`;
    case 2:
      return `LwM2mObjectInstance [id=${id}, resources=${children(below, path, context)}]`;
    case 3: {
      const single = own.find((node) => node.path.length === 3 && node.value !== null);
      const type = typeText(own, path, context);
      if (below.length === 0 && (single || !isMultiple(path, context)))
        return `LwM2mSingleResource [id=${id}, value=${scalar(single)}, type=${type}]`;
      return `LwM2mMultipleResource [id=${id}, values=${children(below, path, context)}, type=${type}]`;
    }
    default:
      return `LwM2mResourceInstance [id=${id}, value=${scalar(own[0])}, type=${typeText(own, path, context)}]`;
  }
}

function children(nodes: readonly DataNode[], path: readonly number[], context: ShapeContext): string {
  return `{${ascending(nodes, path.length)
    .map(([id, group]) => `${id}=${element(group, [...path, id], context)}`)
    .join(', ')}}`;
}

/** Nodes by their id at a level, ids ascending. */
function ascending(nodes: readonly DataNode[], level: number): [number, DataNode[]][] {
  const groups = new Map<number, DataNode[]>();
  for (const node of nodes) {
    const id = node.path[level] ?? 0;
    const group = groups.get(id);
    if (group) group.push(node);
    else groups.set(id, [node]);
  }
  return [...groups].sort(([a], [b]) => a - b);
}

function isMultiple([objectId = 0, , resourceId = 0]: readonly number[], { model, versions }: ShapeContext): boolean {
  return model.resource(objectId, resourceId, versions.get(objectId))?.multiple === true;
}

function typeText(
  nodes: readonly DataNode[],
  [objectId = 0, , resourceId = 0]: readonly number[],
  { model, versions }: ShapeContext,
): string {
  const type = nodes.find((node) => node.type !== 'none')?.type ?? model.resource(objectId, resourceId, versions.get(objectId))?.type;
  return TYPES[type ?? 'none'];
}

function scalar(node: DataNode | undefined): string {
  if (node === undefined || node.value === null) return 'null';
  const { type, value } = node;
  if (value instanceof Uint8Array) return `${value.length}Bytes`;
  switch (type) {
    case 'time':
      return date(Number(value) * 1000);
    case 'float':
      return double(Number(value));
    case 'objlnk':
      return `/${String(value).replace(':', '/')}`;
    case 'corelnk':
      return coreLinks(String(value));
    case 'string':
    case 'integer':
    case 'unsigned':
    case 'boolean':
    case 'opaque':
    case 'none':
      return String(value);
  }
}

function coreLinks(text: string): string {
  try {
    return `[${parseLinks(text)
      .map((link) => formatLinks([link]))
      .join(', ')}]`;
  } catch {
    return text;
  }
}

/** "Thu Jul 01 13:39:49 UTC 2021". */
function date(ms: number): string {
  const at = new Date(ms);
  if (Number.isNaN(at.getTime())) return String(ms);
  const [weekday = '', day = '', month = '', year = '', time = ''] = at.toUTCString().replace(',', '').split(' ');
  return `${weekday} ${month} ${day} ${time} UTC ${year}`;
}

/** As Java writes a double: 72.0, 1.0E7, 1.0E-4, NaN. */
function double(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e7) return Number.isInteger(value) ? `${value}.0` : String(value);
  const [digits = '', exponent = ''] = value.toExponential().split('e');
  return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`;
}
