import { lean } from '../transport/lean';
import { Type, type Message, type Option } from './types';

/** Why bytes are not a CoAP message. `mid` is there when a Reset can be sent, i.e. for a Confirmable one. */
export interface FormatError {
  readonly error: string;
  readonly resetMid?: number;
}

const EMPTY = Buffer.alloc(0);
/** More than any real message has, and a bound on the work one datagram can cause. */
const MAX_OPTIONS = 128;

const ParsedMessage = lean<Message, [Type, number, number, Buffer, readonly Option[], Buffer]>(
  function (type, code, mid, token, options, payload) {
    this.type = type;
    this.code = code;
    this.mid = mid;
    this.token = token;
    this.options = options;
    this.payload = payload;
  },
);

const ParsedOption = lean<Option, [number, Buffer]>(function (number, value) {
  this.number = number;
  this.value = value;
});

export function isFormatError(result: Message | FormatError): result is FormatError {
  return 'error' in result;
}

/**
 * Parses one datagram (RFC 7252 3). Strict: what the RFC calls a message format error is one. Never throws; values are
 * views into `data`.
 */
export function parseMessage(data: Buffer): Message | FormatError {
  if (data.length < 4) return { error: 'shorter than a header' };
  const first = data[0]!;
  if (first >> 6 !== 1) return { error: 'version is not 1' };
  const type = ((first >> 4) & 3) as Type;
  const tokenLength = first & 15;
  const code = data[1]!;
  const mid = (data[2]! << 8) | data[3]!;
  if (tokenLength > 8) return formatError(type, mid, 'token longer than 8 bytes');
  if (code === 0) {
    // RFC 7252 4.1: an Empty message is exactly the header.
    if (tokenLength !== 0 || data.length !== 4) return formatError(type, mid, 'empty message with bytes after the header');
    return { type, code, mid, token: EMPTY, options: [], payload: EMPTY };
  }
  let at = 4 + tokenLength;
  if (at > data.length) return formatError(type, mid, 'token runs past the end');
  const token = tokenLength === 0 ? EMPTY : data.subarray(4, at);

  const options: Option[] = [];
  let number = 0;
  while (at < data.length) {
    const head = data[at++]!;
    if (head === 0xff) {
      if (at === data.length) return formatError(type, mid, 'payload marker without payload');
      return new ParsedMessage(type, code, mid, token, options, data.subarray(at));
    }
    let delta = head >> 4;
    let length = head & 15;
    if (delta === 15 || length === 15) return formatError(type, mid, 'reserved option delta or length');
    if (delta >= 13) {
      const bytes = delta - 12;
      if (at + bytes > data.length) return formatError(type, mid, 'option header runs past the end');
      delta = bytes === 1 ? data[at]! + 13 : ((data[at]! << 8) | data[at + 1]!) + 269;
      at += bytes;
    }
    if (length >= 13) {
      const bytes = length - 12;
      if (at + bytes > data.length) return formatError(type, mid, 'option header runs past the end');
      length = bytes === 1 ? data[at]! + 13 : ((data[at]! << 8) | data[at + 1]!) + 269;
      at += bytes;
    }
    number += delta;
    if (number > 0xffff) return formatError(type, mid, 'option number above 65535');
    if (at + length > data.length) return formatError(type, mid, 'option runs past the end');
    if (options.length === MAX_OPTIONS) return formatError(type, mid, 'too many options');
    options.push(new ParsedOption(number, data.subarray(at, at + length)));
    at += length;
  }
  return new ParsedMessage(type, code, mid, token, options, EMPTY);
}

function formatError(type: Type, mid: number, error: string): FormatError {
  return type === Type.CON ? { error, resetMid: mid } : { error };
}

const extra = (value: number): number => (value < 13 ? 0 : value < 269 ? 1 : 2);
const nibble = (value: number): number => (value < 13 ? value : value < 269 ? 13 : 14);

/** Bytes of a message. Options may come in any order; those of one number keep theirs (RFC 7252 3.1). */
export function encodeMessage(message: Message): Buffer {
  const { type, code, mid, token, payload } = message;
  const options = sorted(message.options);
  let size = 4 + token.length + (payload.length > 0 ? 1 + payload.length : 0);
  let number = 0;
  for (const option of options) {
    size += 1 + extra(option.number - number) + extra(option.value.length) + option.value.length;
    number = option.number;
  }

  const data = Buffer.allocUnsafe(size);
  data[0] = 0x40 | (type << 4) | token.length;
  data[1] = code;
  data[2] = mid >> 8;
  data[3] = mid & 0xff;
  copy(data, 4, token);
  let at = 4 + token.length;
  number = 0;
  for (const option of options) {
    const delta = option.number - number;
    const { length } = option.value;
    data[at++] = (nibble(delta) << 4) | nibble(length);
    at = writeExtra(data, at, delta);
    at = writeExtra(data, at, length);
    copy(data, at, option.value);
    at += length;
    number = option.number;
  }
  if (payload.length > 0) {
    data[at++] = 0xff;
    copy(data, at, payload);
  }
  return data;
}

/** A call of `set` costs more than a few bytes do. */
const SHORT = 16;

function copy(data: Uint8Array, at: number, bytes: Uint8Array): void {
  if (bytes.length > SHORT) data.set(bytes, at);
  else for (let i = 0; i < bytes.length; i++) data[at + i] = bytes[i]!;
}

function writeExtra(data: Buffer, at: number, value: number): number {
  if (value < 13) return at;
  if (value < 269) {
    data[at] = value - 13;
    return at + 1;
  }
  data[at] = (value - 269) >> 8;
  data[at + 1] = (value - 269) & 0xff;
  return at + 2;
}

function sorted(options: readonly Option[]): readonly Option[] {
  for (let i = 1; i < options.length; i++) {
    // Array sort is stable, which keeps repeated options in order.
    if (options[i]!.number < options[i - 1]!.number) return [...options].sort((a, b) => a.number - b.number);
  }
  return options;
}

/** An Empty message: an acknowledgement or a Reset (RFC 7252 4.1). */
export function encodeEmpty(type: Type, mid: number): Buffer {
  const data = Buffer.allocUnsafe(4);
  data[0] = 0x40 | (type << 4);
  data[1] = 0;
  data[2] = mid >> 8;
  data[3] = mid & 0xff;
  return data;
}
