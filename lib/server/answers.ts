import { codeText, isSuccess } from '../coap/codes';
import { findTexts, OptionNumber } from '../coap/options';
import type { IncomingResponse } from '../coap/types';
import { DecodeError } from '../codec/errors';
import { decodePayload } from '../codec/index';
import { LinkFormatError, parseLinks } from '../lwm2m/link-format';
import { formatPath, isWithin, MAX_ID } from '../lwm2m/path';
import type { DataNode, Path } from '../lwm2m/types';
import type { ServerContext } from './context';
import { pathsOf } from './operation-requests';
import { isComposite } from './one-by-one';
import { pathList, type PendingOperation } from './pending';
import { diagnostic, failure, resultName } from './results';
import type { Operation, OperationResult, Registration } from './types';

type Answer = Extract<OperationResult, { kind: 'answer' }>;

/** What an answer to an operation says, without the observation it may have made. */
export function readAnswer(context: ServerContext, pending: PendingOperation, response: IncomingResponse, rtt: number): OperationResult {
  const { operation, registration } = pending;
  // Of a Write it is the one that was written in.
  const contentFormat = writes(operation.kind) ? pending.requestFormat : response.contentFormat;
  const format = contentFormat === undefined ? {} : { contentFormat };
  const base = { kind: 'answer', code: codeText(response.code), result: resultName(response.code), rtt, registration } as const;
  if (!isSuccess(response.code)) return { ...base, ...format, ok: false, error: diagnostic(response) };
  switch (operation.kind) {
    case 'WriteReplace':
    case 'WriteUpdate':
    case 'WriteComposite':
      return { ...base, ...format, ok: true };
    case 'Execute':
    case 'WriteAttributes':
    case 'Delete':
    case 'ObserveCancel':
    case 'ObserveCompositeCancel':
      return { ...base, ok: true };
    case 'Create': {
      const location = createdAt(response, operation.path, registration);
      return { ...base, ok: true, ...(location && { location }) };
    }
    case 'Discover':
      return links(pending, response, { ...base, ...format, ok: true });
    case 'Read':
    case 'Observe':
    case 'ReadComposite':
    case 'ObserveComposite':
      return values(context, pending, response, { ...base, ...format, ok: true });
    default:
      return operation satisfies never;
  }
}

function writes(kind: Operation['kind']): boolean {
  return kind === 'WriteReplace' || kind === 'WriteUpdate' || kind === 'WriteComposite';
}

/** The links as they came, once they are known to be links. */
function links({ registration }: PendingOperation, { payload }: IncomingResponse, base: Answer): OperationResult {
  const text = Buffer.from(payload).toString('utf8');
  try {
    parseLinks(text);
  } catch (error) {
    const why = error instanceof LinkFormatError ? error.message : 'they are not links';
    return failure('BAD_RESPONSE', `${registration.endpoint} answered, but its links cannot be read: ${why}`, registration);
  }
  return { ...base, links: text };
}

function values(
  context: ServerContext,
  { operation, registration }: PendingOperation,
  response: IncomingResponse,
  base: Answer,
): OperationResult {
  const paths = pathsOf(operation);
  const composite = isComposite(operation);
  const decoded = decodeAnswer(context, registration, { paths, composite }, response);
  if (decoded.error !== undefined) {
    return failure('BAD_RESPONSE', `${registration.endpoint} answered, but ${decoded.error}`, registration);
  }
  context.lastValues.learn(registration.endpoint, decoded.nodes, context.clock.wall(), composite ? undefined : paths[0]?.ids);
  return { ...base, nodes: decoded.nodes, ...(decoded.warnings.length > 0 && { warnings: decoded.warnings }) };
}

export type Decoded =
  | { readonly nodes: DataNode[]; readonly warnings: string[]; readonly error?: undefined }
  | { readonly nodes?: undefined; readonly error: string };

/** The values of an answer or a notification about these paths; of a composite what was not asked for is left out, with a warning. */
export function decodeAnswer(
  { model, clock, counters }: ServerContext,
  { versions, rootPath }: Registration,
  { paths, composite }: { readonly paths: readonly Path[]; readonly composite: boolean },
  response: IncomingResponse,
  assumedFormat?: number,
): Decoded {
  try {
    const path = composite ? [] : (paths[0]?.ids ?? []);
    const format = response.contentFormat ?? assumedFormat;
    const nodes = decodePayload(format, response.payload, { path, model, versions, rootPath, now: clock.wall() / 1000 });
    if (!composite) return { nodes, warnings: [] };
    const asked = nodes.filter((node) => paths.some(({ ids }) => isWithin(node.path, ids)));
    const others = [...new Set(nodes.filter((node) => !asked.includes(node)).map((node) => formatPath(node.path)))];
    return { nodes: asked, warnings: others.length > 0 ? [`The device also gave ${pathList(others)}, which was not asked for.`] : [] };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    counters.undecodable++;
    return { error: `its payload cannot be read: ${error.message}` };
  }
}

/** Where the new instance is: as the device says (Location-Path), else as it was told. */
function createdAt({ options }: IncomingResponse, path: Path, { rootPath }: Registration): readonly number[] | undefined {
  const segments = findTexts(options, OptionNumber.LOCATION_PATH);
  const root = rootPath.split('/').filter((segment) => segment !== '');
  const own = root.every((segment, at) => segments[at] === segment) ? segments.slice(root.length) : segments;
  const ids = own.map((segment) => (/^\d{1,5}$/.test(segment) ? Number(segment) : Infinity));
  if (ids.length === 2 && ids.every((id) => id <= MAX_ID)) return ids;
  return path.ids.length === 2 ? path.ids : undefined;
}
