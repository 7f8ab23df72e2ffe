import type { Deadline } from '../transport/deadlines';
import { Code } from './codes';
import { clearTimer, type CoapContext, type Timer } from './context';
import { blockOption, OptionNumber, type Block } from './options';
import type { PeerState } from './peers';
import type { Option } from './types';

/** An answer too large for one message, kept for the requests for its later blocks (RFC 7959 2.4). */
export interface Served {
  readonly code: number;
  readonly options: readonly Option[];
  readonly payload: Uint8Array;
  timer: Deadline<Timer> | null;
}

/** What one message of ours answers. */
export interface Answer {
  readonly code: number;
  readonly options: readonly Option[];
  readonly payload: Uint8Array;
}

/** Keeps an answer; another one to the same request takes its place, and the oldest go when there are too many. */
export function keepServed(context: CoapContext, state: PeerState, key: string, served: Served): void {
  const all = (state.served ??= new Map<string, Served>());
  const previous = all.get(key);
  if (previous) dropServed(context, state, key, previous);
  for (const [oldKey, old] of all) {
    if (all.size < context.params.maxTransfers) break;
    dropServed(context, state, oldKey, old);
  }
  all.set(key, served);
  context.bodyBytes += served.payload.length;
  extend(context, state, key, served);
}

/** One later block of a kept answer, or the code of a refusal. The last block frees it. */
export function servedBlock(context: CoapContext, state: PeerState, key: string, block: Block): Answer | number {
  const served = state.served?.get(key);
  if (!served) return Code.REQUEST_ENTITY_INCOMPLETE;
  const size = Math.min(block.size, context.params.blockSize);
  const offset = block.num * block.size;
  if (offset >= served.payload.length) return Code.BAD_REQUEST;
  const end = offset + size;
  const more = end < served.payload.length;
  if (more) extend(context, state, key, served);
  else dropServed(context, state, key, served);
  return {
    code: served.code,
    options: [...served.options, blockOption(OptionNumber.BLOCK2, { num: offset / size, more, size })],
    payload: served.payload.subarray(offset, end),
  };
}

export function dropServed(context: CoapContext, state: PeerState, key: string, served: Served): void {
  served.timer = clearTimer(context, served.timer);
  context.bodyBytes -= served.payload.length;
  if (state.served?.get(key) === served) state.served.delete(key);
}

function extend(context: CoapContext, state: PeerState, key: string, served: Served): void {
  served.timer = clearTimer(context, served.timer);
  served.timer = context.deadlines.add(context.now + context.params.exchangeLifetime, { kind: 'served', state, key, served });
}
