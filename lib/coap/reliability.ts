import type { Deadline } from '../transport/deadlines';
import { clearTimer, transmit, type CoapContext, type Timer } from './context';
import type { Exchange } from './exchange';
import { encodeEmpty } from './message';
import type { PeerState, Seen } from './peers';
import { Type } from './types';

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

/** A message id for this peer that no message in flight uses. */
export function takeMid(state: PeerState): number {
  let mid = state.nextMid;
  while (state.confirmables?.has(mid)) mid = (mid + 1) & 0xffff;
  state.nextMid = (mid + 1) & 0xffff;
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

/** The entry of a message id seen within the exchange lifetime (RFC 7252 4.5). */
export function findSeen(context: CoapContext, state: PeerState, mid: number): Seen | undefined {
  const seen = state.seen?.get(mid);
  return seen && seen.at + context.params.exchangeLifetime > context.now ? seen : undefined;
}

export function remember(context: CoapContext, state: PeerState, mid: number, reply: Buffer | null): Seen {
  const seen: Seen = { at: context.now, reply };
  const all = (state.seen ??= new Map());
  all.delete(mid);
  all.set(mid, seen);
  if (all.size > context.params.maxSeen) {
    // A Map keeps the order of insertion: the first is the oldest.
    for (const oldest of all.keys()) {
      all.delete(oldest);
      break;
    }
  }
  return seen;
}

export function sendReset(context: CoapContext, state: { readonly peer: PeerState['peer'] }, mid: number): void {
  context.counters.resetsSent++;
  transmit(context, encodeEmpty(Type.RST, mid), state.peer);
}
