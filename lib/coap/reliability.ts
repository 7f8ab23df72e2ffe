import type { Deadline } from '../transport/deadlines';
import { clearTimer, transmit, type CoapContext, type Timer } from './context';
import type { Exchange } from './exchange';
import { encodeEmpty } from './message';
import type { PeerState, Seen } from './peers';
import { Type, type Message } from './types';

/** A Confirmable message of ours that is not acknowledged yet (RFC 7252 4.2). */
export interface Confirmable {
  readonly state: PeerState;
  readonly mid: number;
  readonly bytes: Buffer;
  /** The request it carries; null for a separate response. */
  readonly exchange: Exchange | null;
  attempt: number;
  timeout: number;
  timer: Deadline<Timer> | null;
}

/** Message ids are used up in order, a block of this many at a time; of each block the time of its last use is kept. */
const MID_BLOCK = 0x1000;

/** When the next message id of this peer may be used (monotonic ms); it may at once in most cases. */
export function midReadyAt(context: CoapContext, state: PeerState): number {
  if (state.nextMid % MID_BLOCK !== 0 || !state.midsUsed) return -Infinity;
  return state.midsUsed[state.nextMid / MID_BLOCK]! + context.params.exchangeLifetime;
}

/**
 * A message id not used towards this peer for the exchange lifetime (RFC 7252 4.4): some 248 a second for as long as one
 * likes. Undefined, and counted, when there is none.
 */
export function takeMid(context: CoapContext, state: PeerState): number | undefined {
  if (midReadyAt(context, state) > context.now) {
    context.counters.midsExhausted++;
    return undefined;
  }
  const mid = state.nextMid;
  state.nextMid = (mid + 1) & 0xffff;
  if (state.nextMid % MID_BLOCK === 0) {
    state.midsUsed ??= new Float64Array(0x10000 / MID_BLOCK).fill(-Infinity);
    state.midsUsed[(mid - (MID_BLOCK - 1)) / MID_BLOCK] = context.now;
  }
  return mid;
}

export function sendConfirmable(
  context: CoapContext,
  state: PeerState,
  mid: number,
  bytes: Buffer,
  exchange: Exchange | null,
): Confirmable {
  const { ackTimeout, ackRandomFactor } = context.params;
  const timeout = ackTimeout * (1 + context.random.float() * (ackRandomFactor - 1));
  const confirmable: Confirmable = { state, mid, bytes, exchange, attempt: 0, timeout, timer: null };
  (state.confirmables ??= new Map()).set(mid, confirmable);
  confirmable.timer = context.deadlines.add(context.now + timeout, { kind: 'retransmit', confirmable });
  transmit(context, bytes, state.peer);
  return confirmable;
}

/** Stops retransmission, because of an answer, a Reset, or because nobody wants the answer any more. */
export function settleConfirmable(context: CoapContext, confirmable: Confirmable): void {
  confirmable.timer = clearTimer(context, confirmable.timer);
  confirmable.state.confirmables?.delete(confirmable.mid);
}

/** The timer of a Confirmable rang: sends again, or returns true when it has been sent often enough. */
export function retransmit(context: CoapContext, confirmable: Confirmable): boolean {
  if (confirmable.attempt >= context.params.maxRetransmit) {
    confirmable.timer = null;
    confirmable.state.confirmables?.delete(confirmable.mid);
    return true;
  }
  confirmable.attempt++;
  confirmable.timeout *= 2;
  confirmable.timer = context.deadlines.add(context.now + confirmable.timeout, { kind: 'retransmit', confirmable });
  context.counters.retransmissions++;
  transmit(context, confirmable.bytes, confirmable.state.peer);
  return false;
}

/**
 * A repetition has the same bytes (RFC 7252 4.2): one number for code, token and length tells it from another message
 * under the same id, e.g. of a device that has started anew and counts from the same id again.
 */
export function fingerprint(message: Message, length: number): number {
  let mark = (message.code << 11) ^ length;
  for (const byte of message.token) mark = Math.imul(mark ^ byte, 0x01000193);
  return (mark ^ (mark >>> 15)) & 0x3fff_ffff;
}

/** The entry of a message seen within the exchange lifetime (RFC 7252 4.5). */
export function findSeen(context: CoapContext, state: PeerState, mid: number, mark: number): Seen | undefined {
  const seen = state.seen?.get(mid);
  return seen && seen.mark === mark && seen.at + context.params.exchangeLifetime > context.now ? seen : undefined;
}

/** What a remembered message id costs beside the bytes of its answer, measured. */
const SEEN_OVERHEAD = 200;

export function remember(context: CoapContext, state: PeerState, mid: number, mark: number, reply: Buffer | null): Seen {
  const { maxSeen, maxSeenBytes } = context.params;
  const seen: Seen = { at: context.now, mark, reply };
  const all = (state.seen ??= new Map<number, Seen>());
  forget(context, state, mid);
  all.set(mid, seen);
  count(context, state, SEEN_OVERHEAD + (reply?.length ?? 0));
  if (all.size > maxSeen) forgetFirst(context, state);
  if (context.peers.seenBytes > maxSeenBytes) {
    context.counters.forgottenIds += context.peers.shedSeen(maxSeenBytes, state, context.now);
    while (context.peers.seenBytes > maxSeenBytes && all.size > 1) {
      forgetFirst(context, state);
      context.counters.forgottenIds++;
    }
  }
  return seen;
}

/** Keeps the answer with its message id, when that is still remembered. */
export function keepReply(context: CoapContext, state: PeerState, mid: number, seen: Seen, reply: Buffer): void {
  if (state.seen?.get(mid) !== seen) return;
  count(context, state, reply.length - (seen.reply?.length ?? 0));
  seen.reply = reply;
}

function forget(context: CoapContext, state: PeerState, mid: number): void {
  const seen = state.seen?.get(mid);
  if (!seen) return;
  state.seen!.delete(mid);
  count(context, state, -SEEN_OVERHEAD - (seen.reply?.length ?? 0));
}

function forgetFirst(context: CoapContext, state: PeerState): void {
  // A Map keeps the order of insertion: the first is the oldest.
  for (const oldest of state.seen!.keys()) {
    forget(context, state, oldest);
    break;
  }
}

function count(context: CoapContext, state: PeerState, bytes: number): void {
  state.seenBytes += bytes;
  context.peers.seenBytes += bytes;
}

export function sendReset(context: CoapContext, state: { readonly peer: PeerState['peer'] }, mid: number): void {
  context.counters.resetsSent++;
  transmit(context, encodeEmpty(Type.RST, mid), state.peer);
}
