import type { Deadline } from '../transport/deadlines';
import { Code } from './codes';
import { clearTimer, type CoapContext, type Timer } from './context';
import { failure } from './exchange';
import { answerBlock } from './answer-size';
import { blockOption, OptionNumber, type Block } from './options';
import type { PeerState } from './peers';
import type { BodySource, Failure, Option } from './types';

/** An answer too large for one message, kept for the requests for its later blocks (RFC 7959 2.4). */
export interface Served {
  readonly code: number;
  readonly options: readonly Option[];
  readonly payload: Uint8Array;
  /** Instead of the payload: read block by block, held by nobody. */
  readonly source: BodySource | undefined;
  timer: Deadline<Timer> | null;
}

/** What one message of ours answers. */
export interface Answer {
  readonly code: number;
  readonly options: readonly Option[];
  readonly payload: Uint8Array;
}

/** A later block that is to be read from the source of a kept answer. */
export interface SourceBlock {
  readonly key: string;
  readonly served: Served;
  readonly offset: number;
  readonly length: number;
  readonly option: Option;
  readonly last: boolean;
}

/** Why a kept answer is dropped. */
const ANEW = failure('cancelled', 'the peer asked anew');
const TOO_MANY = failure('busy', 'the peer asked for too many others');

/** Keeps an answer; another one to the same request takes its place, and the oldest go when there are too many. */
export function keepServed(context: CoapContext, state: PeerState, key: string, served: Served): void {
  const all = (state.served ??= new Map<string, Served>());
  const previous = all.get(key);
  if (previous) dropServed(context, state, key, previous, ANEW);
  for (const [oldKey, old] of all) {
    if (all.size < context.params.maxTransfers) break;
    dropServed(context, state, oldKey, old, TOO_MANY);
  }
  all.set(key, served);
  context.bodyBytes += served.payload.length;
  extend(context, state, key, served);
}

/** One later block of a kept answer, or what to read for it, or the code of a refusal. The last block frees it. */
export function servedBlock(context: CoapContext, state: PeerState, key: string, block: Block): Answer | SourceBlock | number {
  const served = state.served?.get(key);
  if (!served) return Code.REQUEST_ENTITY_INCOMPLETE;
  const size = answerBlock(state, context.params, block.size);
  const offset = block.num * block.size;
  const total = served.source?.size ?? served.payload.length;
  if (offset >= total) return Code.BAD_REQUEST;
  const end = offset + size;
  const more = end < total;
  const option = blockOption(OptionNumber.BLOCK2, { num: offset / size, more, size });
  if (served.source) {
    extend(context, state, key, served);
    return { key, served, offset, length: Math.min(size, total - offset), option, last: !more };
  }
  if (more) extend(context, state, key, served);
  else dropServed(context, state, key, served, undefined);
  return {
    code: served.code,
    options: [...served.options, option],
    payload: served.payload.subarray(offset, end),
  };
}

/** `why` is for the source; undefined when the peer has asked for all of it. Once dropped, nothing more happens. */
export function dropServed(context: CoapContext, state: PeerState, key: string, served: Served, why: Failure | undefined): void {
  if (state.served?.get(key) !== served) return;
  served.timer = clearTimer(context, served.timer);
  context.bodyBytes -= served.payload.length;
  state.served.delete(key);
  if (served.source) context.sink.bodyEnd(served.source, why);
}

function extend(context: CoapContext, state: PeerState, key: string, served: Served): void {
  served.timer = clearTimer(context, served.timer);
  served.timer = context.deadlines.add(context.now + context.params.exchangeLifetime, { kind: 'served', state, key, served });
}
