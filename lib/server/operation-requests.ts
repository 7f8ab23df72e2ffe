import { Code } from '../coap/codes';
import type { RequestSpec } from '../coap/types';
import { codecFor } from '../codec/index';
import { EncodeError } from '../codec/errors';
import type { Path } from '../lwm2m/types';
import type { Model } from '../model/types';
import { acceptFor, ContentFormat, writeFormatFor } from './formats';
import type { Observation, Operation, OperationOptions, Registration } from './types';

/** An operation whose request needs nothing but itself; a cancellation is an `observationRequest`. */
export type FreshOperation = Exclude<Operation, { kind: 'ObserveCancel' }>;

/** The CoAP request of an operation (Transport TS 6.4). Throws `EncodeError` when a value does not fit the format. */
export function operationRequest(
  operation: FreshOperation,
  registration: Registration,
  model: Model,
  options: OperationOptions,
): RequestSpec {
  const path = uriPath(registration, operation.path);
  switch (operation.kind) {
    case 'Read':
      return { code: Code.GET, path, ...accept(registration, options) };
    case 'Observe':
      return { code: Code.GET, path, observe: 0, ...accept(registration, options) };
    case 'Discover':
      return { code: Code.GET, path, accept: ContentFormat.LINK };
    case 'Execute':
      return {
        code: Code.POST,
        path,
        ...(operation.args && { payload: Buffer.from(operation.args, 'utf8'), contentFormat: ContentFormat.TEXT }),
      };
    case 'WriteReplace':
    case 'WriteUpdate': {
      const contentFormat = writeFormatFor(registration, operation.path.ids, operation.nodes, options.contentFormat);
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

function accept(registration: Registration, options: OperationOptions): { accept?: number } {
  const format = acceptFor(registration, options.contentFormat);
  return format === undefined ? {} : { accept: format };
}
