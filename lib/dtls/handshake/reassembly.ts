import type { Fragment } from './messages';

/** Bytes that unfinished messages of all handshakes may take together, and what was turned away for it. */
export interface ReassemblyBudget {
  readonly limit: number;
  used: number;
  refuse(): void;
}

export interface WholeMessage {
  readonly type: number;
  readonly messageSeq: number;
  readonly body: Buffer;
}

interface Partial {
  readonly messageSeq: number;
  readonly type: number;
  readonly body: Buffer;
  /** Filled ranges, ascending and apart: [from, to) pairs. */
  ranges: [number, number][];
}

/** How many messages ahead of the one awaited are kept, and of how many pieces one may consist. */
const AHEAD = 8;
const MAX_PIECES = 64;
/** What a started message costs beside its bytes. */
const OVERHEAD = 128;

/**
 * Puts messages together from fragments that come in any order, twice and overlapping (RFC 6347 4.2.3), and hands them out
 * in the order of their numbers. What was received first stays: a contradicting fragment changes nothing.
 */
export class Reassembly {
  /** The number of the message to be handed out next. */
  next: number;
  readonly #budget: ReassemblyBudget;
  readonly #maxMessage: number;
  /** Few, in no order. */
  #parts: Partial[] = [];

  constructor(options: { first: number; maxMessage: number; budget: ReassemblyBudget }) {
    this.next = options.first;
    this.#maxMessage = options.maxMessage;
    this.#budget = options.budget;
  }

  /** Takes a fragment. False when it is of no use: old, too far ahead, too large, contradicting, or beyond the budget. */
  add(fragment: Fragment): boolean {
    const { messageSeq, length, type, offset, data } = fragment;
    if (messageSeq < this.next || messageSeq >= this.next + AHEAD || length > this.#maxMessage) return false;
    let part = this.#part(messageSeq);
    if (!part) {
      // An empty fragment of a message that has bytes says nothing.
      if (data.length === 0 && length > 0) return false;
      if (this.#budget.used + length + OVERHEAD > this.#budget.limit) {
        this.#budget.refuse();
        return false;
      }
      this.#budget.used += length + OVERHEAD;
      // In one piece, as most are.
      if (data.length === length) {
        this.#parts.push({ messageSeq, type, body: Buffer.from(data), ranges: [[0, length]] });
        return true;
      }
      part = { messageSeq, type, body: Buffer.alloc(length), ranges: [] };
      this.#parts.push(part);
    }
    if (part.type !== type || part.body.length !== length) return false;
    if (data.length > 0) fill(part, offset, data);
    return true;
  }

  /** The next whole message, if it is there; `next` then points past it. */
  take(): WholeMessage | undefined {
    const messageSeq = this.next;
    const part = this.#part(messageSeq);
    if (!part || !isWhole(part)) return undefined;
    this.#parts = this.#parts.filter((other) => other !== part);
    this.#release(part);
    this.next++;
    return { type: part.type, messageSeq, body: part.body };
  }

  clear(): void {
    for (const part of this.#parts) this.#release(part);
    this.#parts = [];
  }

  #part(messageSeq: number): Partial | undefined {
    for (const part of this.#parts) if (part.messageSeq === messageSeq) return part;
    return undefined;
  }

  #release(part: Partial): void {
    this.#budget.used -= part.body.length + OVERHEAD;
  }
}

function isWhole({ body, ranges }: Partial): boolean {
  const [first] = ranges;
  return body.length === 0 || (first !== undefined && first[0] === 0 && first[1] === body.length);
}

/** Copies what is not there yet, and joins the ranges. */
function fill(part: Partial, offset: number, data: Buffer): void {
  const end = offset + data.length;
  if (part.ranges.length >= MAX_PIECES && !part.ranges.some(([from, to]) => from <= end && to >= offset)) return;
  let at = offset;
  for (const [from, to] of part.ranges) {
    if (to <= at) continue;
    if (from >= end) break;
    if (from > at) data.copy(part.body, at, at - offset, from - offset);
    at = Math.max(at, to);
  }
  if (at < end) data.copy(part.body, at, at - offset);
  const joined: [number, number][] = [];
  for (const [from, to] of [...part.ranges, [offset, end] as [number, number]].sort((left, right) => left[0] - right[0])) {
    const last = joined.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  part.ranges = joined;
}
