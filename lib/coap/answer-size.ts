import { isSuccess } from './codes';
import { encodeMessage } from './message';
import type { PeerState } from './peers';
import type { Answer } from './served-body';
import type { Message, Type } from './types';

const EMPTY = Buffer.alloc(0);

/**
 * Whether an answer must not be larger than its question: an error, to an address that may be forged, would else make us
 * an amplifier (RFC 7252 11.3). Successes say what they have to.
 */
export function isLimited(state: PeerState, code: number): boolean {
  return state.standing !== 'proven' && !isSuccess(code);
}

/** A text cut to `length` bytes at most, never inside a character. */
export function cutText(text: Uint8Array, length: number): Uint8Array {
  if (text.length <= length) return text;
  let end = Math.max(0, length);
  while (end > 0 && (text[end]! & 0xc0) === 0x80) end--;
  return text.subarray(0, end);
}

/** An answer that is `excess` bytes too large: its diagnostic payload is cut, and when that does not do, all goes but the code. */
export function shorten(answer: Answer, excess: number): Answer {
  // One byte is the payload marker, which goes with the last byte of the payload.
  if (answer.payload.length + 1 < excess) return { code: answer.code, options: [], payload: EMPTY };
  return { ...answer, payload: cutText(answer.payload, answer.payload.length - excess) };
}

/** The bytes of an answer; an error to an unproven address is made to fit into the size of its question. */
export function encodeAnswer(state: PeerState, message: Message, size: number, type: Type, mid: number, answer: Answer): Buffer {
  const { token } = message;
  const bytes = encodeMessage({ type, mid, token, ...answer });
  if (bytes.length <= size || !isLimited(state, answer.code)) return bytes;
  return encodeMessage({ type, mid, token, ...shorten(answer, bytes.length - size) });
}

/** RFC 7967 2: one bit for each class of answers. */
export function isUnwanted(noResponse: number, code: number): boolean {
  return ((noResponse >> ((code >> 5) - 1)) & 1) === 1;
}
