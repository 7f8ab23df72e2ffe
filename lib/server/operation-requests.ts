import { Code } from '../coap/codes';
import type { RequestSpec } from '../coap/types';
import { codecFor } from '../codec/index';
import { EncodeError } from '../codec/errors';
import type { Model } from '../model/types';
import { acceptFor, ContentFormat, writeFormatFor } from './formats';
import type { Operation, OperationOptions, Registration } from './types';

/** The CoAP request of an operation (Transport TS 6.4). Throws `EncodeError` when a value does not fit the format. */
export function operationRequest(operation: Operation, registration: Registration, model: Model, options: OperationOptions): RequestSpec {
  const root = registration.rootPath.split('/').filter((segment) => segment !== '');
  const path = [...root, ...operation.path.ids.map(String)];
  switch (operation.kind) {
    case 'Read':
      return { code: Code.GET, path, ...accept(registration, options) };
    case 'Observe':
      return { code: Code.GET, path, observe: 0, ...accept(registration, options) };
    case 'ObserveCancel':
      return { code: Code.GET, path, observe: 1, ...accept(registration, options) };
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
      const contentFormat = writeFormatFor(registration, operation.nodes, options.contentFormat);
      const codec = codecFor(contentFormat);
      if (!codec) throw new EncodeError(`content format ${contentFormat} is not supported`, { path: operation.path.ids, format: 'write' });
      const payload = codec.encode(operation.nodes, { path: operation.path.ids, model, versions: registration.versions });
      return { code: operation.kind === 'WriteReplace' ? Code.PUT : Code.POST, path, contentFormat, payload };
    }
    default:
      return operation satisfies never;
  }
}

function accept(registration: Registration, options: OperationOptions): { accept?: number } {
  const format = acceptFor(registration, options.contentFormat);
  return format === undefined ? {} : { accept: format };
}
