import type { ObservationReport } from '../coap/types';
import { formatPath } from '../lwm2m/path';
import type { Peer } from '../transport/types';
import { pathsOf, type DeviceOperation } from './operation-requests';
import type { Observation, Operation, OperationOptions, Registration } from './types';

/** A command under way: plain data and the name of its CoAP exchange. */
export interface PendingOperation {
  readonly id: number;
  readonly endpoint: string;
  readonly registration: Registration;
  /** The route the request took. */
  readonly peer: Peer;
  readonly operation: DeviceOperation;
  readonly options: OperationOptions;
  /** By when it must be done, of the monotonic clock, ms. */
  readonly deadline: number;
  accept: number | undefined;
  /** Content-Format of the request. */
  requestFormat: number | undefined;
  /** 1 once another format was tried. */
  attempt: 0 | 1;
  /** Hex of the token, where the operation is about an observation. */
  readonly observationId: string | undefined;
  /** Asked again by the server itself, after the device registered anew. */
  readonly again: boolean;
  exchange: number;
  /** Observe: the last notification that came while the answer, in blocks, was still on its way. */
  early?: ObservationReport;
}

const MAX_LISTED = 20;

/** "/3/0/9", or "/3/0/9, /1" for a composite; "" where it is about the whole device. */
export function pathsText(operation: Operation): string {
  return pathList(pathsOf(operation).map(({ ids }) => formatPath(ids)));
}

/** What an observation observes, as text. */
export function observedText({ path, paths }: Observation): string {
  return pathList((paths ?? [path]).map(({ ids }) => formatPath(ids)));
}

export function pathList(paths: readonly string[]): string {
  const more = paths.length - MAX_LISTED;
  return more > 0 ? `${paths.slice(0, MAX_LISTED).join(', ')} and ${more} more` : paths.join(', ');
}

/** The text of a failure: what was tried, and what became of it. */
export function failureText({ operation, registration }: PendingOperation, detail: string): string {
  return `${operation.kind} ${pathsText(operation)} of "${registration.endpoint}": ${detail}.`;
}
