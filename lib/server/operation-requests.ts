import { Code } from '../coap/codes';
import type { RequestSpec } from '../coap/types';
import { codecFor } from '../codec/index';
import { EncodeError } from '../codec/errors';
import type { DataNode, Path } from '../lwm2m/types';
import type { Model } from '../model/types';
import { createRequest } from './create-request';
import { COMPOSITE_CODE, compositeAccept, compositeFormats, compositeRequest, pathNodes } from './composite-requests';
import { acceptFormats, ContentFormat, writeFormats } from './formats';
import type { Attributes, Observation, Operation, OperationOptions, Registration } from './types';

/** Operations that the server answers by itself, without asking the device. */
export type LocalOperation = Extract<Operation, { kind: 'DiscoverAll' | 'ObserveReadAll' }>;
/** Those that end an observation that runs. */
export type Cancellation = Extract<Operation, { kind: 'ObserveCancel' | 'ObserveCompositeCancel' }>;
/** Those that begin one. */
export type Observing = Extract<Operation, { kind: 'Observe' | 'ObserveComposite' }>;
/** An operation that asks the device, one request each. */
export type DeviceOperation = Exclude<Operation, LocalOperation | { kind: 'ObserveCancelAll' }>;
/** An operation whose request needs nothing but itself; a cancellation is an `observationRequest`. */
export type FreshOperation = Exclude<DeviceOperation, Cancellation>;

/** Those for which the server chooses a format, and can choose another. */
const CHOSEN: readonly FreshOperation['kind'][] = [
  'Read',
  'Observe',
  'WriteReplace',
  'WriteUpdate',
  'ReadComposite',
  'ObserveComposite',
  'WriteComposite',
];

export function isLocal(operation: Operation): operation is LocalOperation {
  return operation.kind === 'DiscoverAll' || operation.kind === 'ObserveReadAll';
}

export function isCancellation(operation: Operation): operation is Cancellation {
  return operation.kind === 'ObserveCancel' || operation.kind === 'ObserveCompositeCancel';
}

/** The paths an operation is about; none for one about the whole device. */
export function pathsOf(operation: Operation): readonly Path[] {
  if ('path' in operation) return [operation.path];
  return 'paths' in operation ? operation.paths : [];
}

/**
 * The CoAP request of an operation (Transport TS 6.4). The format is the one asked for; else, at the first attempt, the best for this
 * device, and at the second the next best. Undefined when there is no other way to ask. Throws `EncodeError` when a value does not fit
 * the format.
 */
export function operationRequest(
  operation: FreshOperation,
  registration: Registration,
  model: Model,
  options: OperationOptions,
  attempt: 0 | 1 = 0,
): RequestSpec | undefined {
  const { contentFormat: asked } = options;
  if (attempt === 1 && (asked !== undefined || !CHOSEN.includes(operation.kind))) return undefined;
  switch (operation.kind) {
    case 'Read':
    case 'Observe': {
      const formats = asked === undefined ? acceptFormats(registration, operation.kind) : [asked];
      if (attempt >= formats.length) return undefined;
      const accept = formats[attempt];
      const observed = operation.kind === 'Observe' ? { observe: 0 as const, ...attributeQuery(operation.attributes) } : {};
      return { code: Code.GET, path: uriPath(registration, operation.path), ...observed, ...(accept !== undefined && { accept }) };
    }
    case 'Discover': {
      const depth = operation.depth === undefined ? {} : { query: [`depth=${operation.depth}`] };
      return { code: Code.GET, path: uriPath(registration, operation.path), accept: ContentFormat.LINK, ...depth };
    }
    case 'Execute':
      return {
        code: Code.POST,
        path: uriPath(registration, operation.path),
        ...(operation.args && { payload: Buffer.from(operation.args, 'utf8'), contentFormat: ContentFormat.TEXT }),
      };
    case 'WriteReplace':
    case 'WriteUpdate': {
      const contentFormat = asked ?? writeFormats(registration, operation.path.ids, operation.nodes)[attempt];
      if (contentFormat === undefined) return undefined;
      const payload = encode(contentFormat, operation.nodes, operation.path, registration, model);
      const code = operation.kind === 'WriteReplace' ? Code.PUT : Code.POST;
      return { code, path: uriPath(registration, operation.path), contentFormat, payload };
    }
    case 'WriteAttributes':
      return { code: Code.PUT, path: uriPath(registration, operation.path), ...attributeQuery(operation.attributes) };
    case 'Create': {
      const { path, nodes, contentFormat } = createRequest(operation, registration, asked);
      const payload = encode(contentFormat, nodes, { ids: path }, registration, model);
      const target = uriPath(registration, { ids: operation.path.ids.slice(0, 1) });
      return { code: Code.POST, path: target, contentFormat, payload };
    }
    case 'Delete':
      return { code: Code.DELETE, path: uriPath(registration, operation.path) };
    case 'ReadComposite': {
      const format = compositeFormats(registration, asked, false)[attempt];
      if (format === undefined) return undefined;
      const body = { nodes: pathNodes(operation.paths), format, accept: compositeAccept(format, asked) };
      return compositeRequest(COMPOSITE_CODE.read, registration, model, body);
    }
    case 'ObserveComposite': {
      const format = compositeFormats(registration, asked, false)[attempt];
      if (format === undefined) return undefined;
      const body = { nodes: pathNodes(operation.paths), format, accept: compositeAccept(format, asked) };
      return compositeRequest(COMPOSITE_CODE.read, registration, model, { ...body, observe: 0, ...attributeQuery(operation.attributes) });
    }
    case 'WriteComposite': {
      const format = compositeFormats(registration, asked, true)[attempt];
      if (format === undefined) return undefined;
      return compositeRequest(COMPOSITE_CODE.write, registration, model, { nodes: operation.nodes, format });
    }
    default:
      operation satisfies never;
      throw new TypeError('this is no operation');
  }
}

/** The request of a running observation; all but `observe` must stay as it was when it began (RFC 7641 3.6). */
export function observationRequest(observation: Observation, registration: Registration, model: Model, observe: 0 | 1): RequestSpec {
  const { path, paths, attributes, accept: format, requestFormat } = observation;
  const query = attributeQuery(attributes);
  const accepted = format === undefined ? {} : { accept: format };
  if (!paths) return { code: Code.GET, path: uriPath(registration, path), observe, ...query, ...accepted };
  const body = { nodes: pathNodes(paths), format: requestFormat ?? ContentFormat.SENML_CBOR, observe, ...query, ...accepted };
  return compositeRequest(COMPOSITE_CODE.read, registration, model, body);
}

/** `pmin=10`, and the bare name for one that goes (Core TS 6.3.4). */
function attributeQuery(attributes: Attributes | undefined): { query?: readonly string[] } {
  if (!attributes || attributes.length === 0) return {};
  return { query: attributes.map(([name, value]) => (value === null ? name : `${name}=${value}`)) };
}

function encode(contentFormat: number, nodes: readonly DataNode[], { ids }: Path, registration: Registration, model: Model): Uint8Array {
  const codec = codecFor(contentFormat);
  if (!codec) throw new EncodeError(`content format ${contentFormat} is not supported`, { path: ids, format: 'write' });
  const { versions, rootPath } = registration;
  return codec.encode(nodes, { path: ids, model, versions, rootPath });
}

function uriPath({ rootPath }: Registration, { ids }: Path): string[] {
  return [...rootPath.split('/').filter((segment) => segment !== ''), ...ids.map(String)];
}
