import { Code } from '../coap/codes';
import type { RequestSpec } from '../coap/types';
import { codecFor } from '../codec/index';
import { EncodeError } from '../codec/errors';
import type { Path } from '../lwm2m/types';
import type { Model } from '../model/types';
import { acceptFormats, ContentFormat, writeFormats } from './formats';
import type { Observation, Operation, OperationOptions, Registration } from './types';

/** An operation whose request needs nothing but itself; a cancellation is an `observationRequest`. */
export type FreshOperation = Exclude<Operation, { kind: 'ObserveCancel' }>;

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
  const path = uriPath(registration, operation.path);
  const { contentFormat: asked } = options;
  if (attempt === 1 && asked !== undefined) return undefined;
  switch (operation.kind) {
    case 'Read':
    case 'Observe': {
      const formats = asked === undefined ? acceptFormats(registration, operation.kind) : [asked];
      if (attempt >= formats.length) return undefined;
      const accept = formats[attempt];
      return { code: Code.GET, path, ...(operation.kind === 'Observe' && { observe: 0 }), ...(accept !== undefined && { accept }) };
    }
    case 'Discover':
      return attempt === 1 ? undefined : { code: Code.GET, path, accept: ContentFormat.LINK };
    case 'Execute':
      if (attempt === 1) return undefined;
      return {
        code: Code.POST,
        path,
        ...(operation.args && { payload: Buffer.from(operation.args, 'utf8'), contentFormat: ContentFormat.TEXT }),
      };
    case 'WriteReplace':
    case 'WriteUpdate': {
      const contentFormat = asked ?? writeFormats(registration, operation.path.ids, operation.nodes)[attempt];
      if (contentFormat === undefined) return undefined;
      const codec = codecFor(contentFormat);
      if (!codec) throw new EncodeError(`content format ${contentFormat} is not supported`, { path: operation.path.ids, format: 'write' });
      const { versions, rootPath } = registration;
      const payload = codec.encode(operation.nodes, { path: operation.path.ids, model, versions, rootPath });
      return { code: operation.kind === 'WriteReplace' ? Code.PUT : Code.POST, path, contentFormat, payload };
    }
    default:
      operation satisfies never;
      throw new TypeError('this is no operation');
  }
}

/** The request of a running observation; all but `observe` must stay as it was when it began (RFC 7641 3.6). */
export function observationRequest({ path, accept }: Observation, registration: Registration, observe: 0 | 1): RequestSpec {
  return { code: Code.GET, path: uriPath(registration, path), observe, ...(accept !== undefined && { accept }) };
}

function uriPath({ rootPath }: Registration, { ids }: Path): string[] {
  return [...rootPath.split('/').filter((segment) => segment !== ''), ...ids.map(String)];
}
