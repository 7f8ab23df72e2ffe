import { Code } from './codes';
import { bodyLength, type Exchange } from './exchange';
import type { PeerState } from './peers';
import type { RequestSpec } from './types';

/** A body of ours that needs more than one message. */
export function isUpload({ spec, blockSize }: Exchange): boolean {
  return bodyLength(spec) > blockSize;
}

/**
 * Where in the queue the request stands whose turn it is; -1 when none may leave. Two requests under one token never
 * overlap. Between the blocks of a transfer others have their turn, but neither a second upload, which the peer might mix
 * up with the first, nor what concerns the same object: the Execute of an update must not overtake its package.
 */
export function nextInQueue(state: PeerState): number {
  const { queue, exchanges, bulk } = state;
  for (let index = 0; index < queue.length; index++) {
    const exchange = queue[index]!;
    if (exchanges?.has(exchange.key)) continue;
    if (bulk && bulk !== exchange && exchange.spec.code !== Code.EMPTY && (isUpload(exchange) || isRelated(bulk.spec, exchange.spec)))
      continue;
    return index;
  }
  return -1;
}

/** Whether the first two path segments are the same, as far as both have them. */
function isRelated(a: RequestSpec, b: RequestSpec): boolean {
  const length = Math.min(2, a.path.length, b.path.length);
  for (let i = 0; i < length; i++) if (a.path[i] !== b.path[i]) return false;
  return true;
}
