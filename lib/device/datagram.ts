/**
 * Strict check of one CoAP datagram (RFC 7252 3), before npm `coap` sees it. Its parser takes cut-off options, a bare
 * payload marker and long tokens for good, and throws on some block options, so nothing of that may get through.
 */

export type Inspection =
  | { readonly kind: 'pass' }
  /** An Empty confirmable message: to be answered with a Reset (RFC 7252 4.3). */
  | { readonly kind: 'ping'; readonly messageId: number }
  | { readonly kind: 'drop'; readonly reason: DropReason };

export type DropReason = 'short' | 'version' | 'token' | 'code' | 'type' | 'empty' | 'option' | 'marker' | 'block';

const CON = 0;
const ACK = 2;
const RST = 3;
const BLOCK2 = 23;
const BLOCK1 = 27;
const MAX_OPTION_NUMBER = 0xffff;

const PASS: Inspection = { kind: 'pass' };

/** Says whether `data` is a well-formed CoAP message that a simple client and server can take. Never throws. */
export function inspectDatagram(data: Uint8Array): Inspection {
  if (data.length < 4) return drop('short');
  const first = byte(data, 0);
  if (first >> 6 !== 1) return drop('version');
  const type = (first >> 4) & 3;
  const tokenLength = first & 15;
  if (tokenLength > 8) return drop('token');
  const code = byte(data, 1);
  if (code === 0) {
    if (data.length !== 4 || tokenLength !== 0) return drop('empty');
    if (type === CON) return { kind: 'ping', messageId: (byte(data, 2) << 8) | byte(data, 3) };
    return type === ACK || type === RST ? PASS : drop('empty');
  }
  const codeClass = code >> 5;
  const isRequest = codeClass === 0;
  if (!isRequest && codeClass !== 2 && codeClass !== 4 && codeClass !== 5) return drop('code');
  if (type === RST || (isRequest && type === ACK)) return drop('type');
  if (4 + tokenLength > data.length) return drop('token');
  return inspectOptions(data, 4 + tokenLength, isRequest);
}

function inspectOptions(data: Uint8Array, start: number, isRequest: boolean): Inspection {
  let at = start;
  let number = 0;
  while (at < data.length) {
    const head = byte(data, at);
    if (head === 0xff) return at + 1 < data.length ? PASS : drop('marker');
    at += 1;
    const delta = extended(data, at, head >> 4);
    if (delta === undefined) return drop('option');
    at += delta.size;
    const length = extended(data, at, head & 15);
    if (length === undefined) return drop('option');
    at += length.size;
    number += delta.value;
    if (number > MAX_OPTION_NUMBER || at + length.value > data.length) return drop('option');
    if ((number === BLOCK1 || number === BLOCK2) && !blockIsSafe(data.subarray(at, at + length.value), number, isRequest))
      return drop('block');
    at += length.value;
  }
  return PASS;
}

/**
 * RFC 7959 2.2. In a response more is asked: npm `coap` throws on a Block1 of no bytes, and would go on fetching further
 * blocks without end; the device's own requests never need them.
 */
function blockIsSafe(value: Uint8Array, number: number, isRequest: boolean): boolean {
  if (value.length > 3) return false;
  const last = value.length === 0 ? 0 : byte(value, value.length - 1);
  if ((last & 7) === 7) return false;
  if (isRequest) return true;
  if (number === BLOCK1) return value.length > 0;
  const first = value.slice(0, -1).every((part) => part === 0) && last >> 4 === 0;
  return first && (last & 8) === 0;
}

/** The extended delta or length of RFC 7252 3.1; undefined for the reserved 15 or when bytes are missing. */
function extended(data: Uint8Array, at: number, nibble: number): { value: number; size: number } | undefined {
  if (nibble < 13) return { value: nibble, size: 0 };
  if (nibble === 13) return at < data.length ? { value: byte(data, at) + 13, size: 1 } : undefined;
  if (nibble === 14) return at + 1 < data.length ? { value: ((byte(data, at) << 8) | byte(data, at + 1)) + 269, size: 2 } : undefined;
  return undefined;
}

function drop(reason: DropReason): Inspection {
  return { kind: 'drop', reason };
}

function byte(data: Uint8Array, at: number): number {
  return data[at] ?? 0;
}
