import { Code, isSuccess } from './codes';
import { encodeMessage } from './message';
import { blockSizeFor } from './options';
import type { CoapParams } from './params';
import type { PeerState } from './peers';
import type { Answer } from './served-body';
import type { Message, Type } from './types';

const EMPTY = Buffer.alloc(0);
/** Bytes of an answer before its payload: header, token, and such options as ours have. */
const HEAD = 64;

/**
 * Whether an answer must not be larger than its question: an error, to an address that may be forged, would else make us
 * an amplifier (RFC 7252 11.3). Successes say what they have to.
 */
export function isLimited(state: PeerState, code: number): boolean {
  return state.standing !== 'proven' && !isSuccess(code);
}

/** The largest block of an answer: what the peer wants, we allow, and a message that the peer takes has room for. */
export function answerBlock({ peer }: PeerState, { blockSize }: CoapParams, wanted = blockSize): number {
  return blockSizeFor(Math.min(wanted, blockSize, (peer.maxMessage ?? Infinity) - HEAD));
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

/** The bytes of an answer. They fit into what the peer takes, an error to an unproven address into the size of its question. */
export function encodeAnswer(state: PeerState, message: Message, size: number, type: Type, mid: number, answer: Answer): Buffer {
  const { token } = message;
  const bytes = encodeMessage({ type, mid, token, ...answer });
  const most = Math.min(state.peer.maxMessage ?? Infinity, isLimited(state, answer.code) ? size : Infinity);
  if (bytes.length <= most) return bytes;
  // Half of an answer that succeeds would be another.
  const fitting = isSuccess(answer.code)
    ? { code: Code.INTERNAL_SERVER_ERROR, options: [], payload: EMPTY }
    : shorten(answer, bytes.length - most);
  return encodeMessage({ type, mid, token, ...fitting });
}

/** RFC 7967 2: one bit for each class of answers. */
export function isUnwanted(noResponse: number, code: number): boolean {
  return ((noResponse >> ((code >> 5) - 1)) & 1) === 1;
}
