import type { Deadline } from '../transport/deadlines';
import type { Peer } from '../transport/types';
import { clearTimer, transmit, type CoapContext, type Timer } from './context';
import type { Exchange } from './exchange';
import { encodeEmpty } from './message';
import { dropConfirmable, type PeerState } from './peers';
import { SeenMessages } from './seen';
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

/** When it was sent first. */
export function firstSentAt({ attempt, timeout, timer }: Confirmable): number {
  // Each waiting time is twice the one before, and the last of them ends when the timer rings.
  return (timer?.at ?? 0) - timeout * (2 - 0.5 ** attempt);
}

/** Stops retransmission, because of an answer, a Reset, or because nobody wants the answer any more. */
export function settleConfirmable(context: CoapContext, confirmable: Confirmable): void {
  confirmable.timer = clearTimer(context, confirmable.timer);
  dropConfirmable(confirmable.state, confirmable.mid);
}

/** The timer of a Confirmable rang: sends again, or returns true when it has been sent often enough. */
export function retransmit(context: CoapContext, confirmable: Confirmable): boolean {
  if (confirmable.attempt >= context.params.maxRetransmit) {
    confirmable.timer = null;
    dropConfirmable(confirmable.state, confirmable.mid);
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
  const { code, token } = message;
  let mark = (code << 11) ^ length;
  for (let i = 0; i < token.length; i++) mark = Math.imul(mark ^ token[i]!, 0x01000193);
  return (mark ^ (mark >>> 15)) & 0x3fff_ffff;
}

/** Whether a message was seen within the exchange lifetime (RFC 7252 4.5); a repetition is answered as before, if it was. */
export function repeated(context: CoapContext, state: PeerState, peer: Peer, message: Message, mark: number): boolean {
  const { seen } = state;
  const at = seen ? seen.find(message.mid, mark, context.now - context.params.exchangeLifetime) : -1;
  if (at < 0) return false;
  context.counters.duplicates++;
  // No reply yet: the handler still runs, and answers once.
  const reply = message.type === Type.CON ? seen!.reply(at) : null;
  if (reply) transmit(context, reply, peer);
  return true;
}

/** Remembers a message, for `keepReply` and `repeated`. */
export function remember(context: CoapContext, state: PeerState, mid: number, mark: number): void {
  const { params, peers, counters, now } = context;
  const seen = (state.seen ??= new SeenMessages());
  const before = seen.bytes;
  seen.add(mid, mark, now, params.maxSeen);
  peers.seenBytes += seen.bytes - before;
  if (peers.seenBytes > params.maxSeenBytes) counters.forgottenIds += makeRoom(context, state, seen);
}

/** Forgets the ids of the peers silent longest, then the oldest of this one; how many. */
function makeRoom({ params, peers, now }: CoapContext, state: PeerState, seen: SeenMessages): number {
  let forgotten = peers.shedSeen(params.maxSeenBytes, state, now);
  while (peers.seenBytes > params.maxSeenBytes && seen.size > 1) {
    const before = seen.bytes;
    seen.dropOldest();
    peers.seenBytes += seen.bytes - before;
    forgotten++;
  }
  return forgotten;
}

/** Keeps the answer with its message, when that is still remembered. */
export function keepReply(context: CoapContext, state: PeerState, mid: number, mark: number, reply: Buffer): void {
  const at = state.seen ? state.seen.find(mid, mark, -Infinity) : -1;
  if (at < 0) return;
  const before = state.seen!.bytes;
  state.seen!.keepReply(at, reply);
  context.peers.seenBytes += state.seen!.bytes - before;
}

export function sendReset(context: CoapContext, state: { readonly peer: PeerState['peer'] }, mid: number): void {
  context.counters.resetsSent++;
  transmit(context, encodeEmpty(Type.RST, mid), state.peer);
}
