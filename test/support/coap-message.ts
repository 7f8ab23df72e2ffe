/**
 * A second reading of RFC 7252 3, for tests only: it shares nothing with the engine, so that neither can hide the
 * other's mistakes.
 */

export const CON = 0;
export const NON = 1;
export const ACK = 2;
export const RST = 3;
export type MessageType = 0 | 1 | 2 | 3;

/** Option numbers (RFC 7252 5.10, 7641 2, 7959 2.1, 9175, 7967). */
export const OptionNumber = {
  IfMatch: 1,
  UriHost: 3,
  ETag: 4,
  IfNoneMatch: 5,
  Observe: 6,
  UriPort: 7,
  LocationPath: 8,
  UriPath: 11,
  ContentFormat: 12,
  MaxAge: 14,
  UriQuery: 15,
  Accept: 17,
  LocationQuery: 20,
  Block2: 23,
  Block1: 27,
  Size2: 28,
  ProxyUri: 35,
  ProxyScheme: 39,
  Size1: 60,
  Echo: 252,
  NoResponse: 258,
  RequestTag: 292,
} as const;

export interface CoapOption {
  readonly number: number;
  readonly value: Buffer;
}

export interface CoapMessage {
  readonly type: MessageType;
  /** The byte: 0x45 is 2.05. */
  readonly code: number;
  readonly mid: number;
  readonly token: Buffer;
  readonly options: readonly CoapOption[];
  readonly payload: Buffer;
}

export interface Block {
  readonly num: number;
  readonly more: boolean;
  readonly size: number;
}

/** The bytes are no CoAP message. `mid` and `type` are there when the first four bytes could be read. */
export class MalformedMessage extends Error {
  constructor(
    reason: string,
    readonly type?: MessageType,
    readonly mid?: number,
  ) {
    super(reason);
    this.name = 'MalformedMessage';
  }
}

/** Reads one datagram. Throws `MalformedMessage`. */
export function decodeMessage(data: Uint8Array): CoapMessage {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (bytes.length < 4) throw new MalformedMessage('shorter than the header');
  const first = bytes.readUInt8(0);
  if (first >> 6 !== 1) throw new MalformedMessage('not version 1');
  const type = ((first >> 4) & 3) as MessageType;
  const tokenLength = first & 15;
  const code = bytes.readUInt8(1);
  const mid = bytes.readUInt16BE(2);
  const fail = (reason: string): never => {
    throw new MalformedMessage(reason, type, mid);
  };
  if (tokenLength > 8) fail('token length above 8');
  if (code === 0 && bytes.length > 4) fail('an Empty message with something after the header');
  if (bytes.length < 4 + tokenLength) fail('token cut off');
  const token = Buffer.from(bytes.subarray(4, 4 + tokenLength));
  const options: CoapOption[] = [];
  let at = 4 + tokenLength;
  let number = 0;
  let payload: Buffer = Buffer.alloc(0);

  const extended = (nibble: number): number => {
    if (nibble < 13) return nibble;
    if (nibble === 15) fail('reserved 15 in an option header');
    const width = nibble === 13 ? 1 : 2;
    if (at + width > bytes.length) fail('option header cut off');
    const value = width === 1 ? bytes.readUInt8(at) + 13 : bytes.readUInt16BE(at) + 269;
    at += width;
    return value;
  };

  while (at < bytes.length) {
    const head = bytes.readUInt8(at);
    at += 1;
    if (head === 0xff) {
      if (at === bytes.length) fail('payload marker without payload');
      payload = Buffer.from(bytes.subarray(at));
      break;
    }
    number += extended(head >> 4);
    const length = extended(head & 15);
    if (number > 0xffff) fail('option number above 65535');
    if (at + length > bytes.length) fail('option value cut off');
    options.push({ number, value: Buffer.from(bytes.subarray(at, at + length)) });
    at += length;
  }
  return { type, code, mid, token, options, payload };
}

/** Writes one datagram. Options are sorted by number, those of one number keep their order. */
export function encodeMessage(message: Partial<CoapMessage> & Pick<CoapMessage, 'type' | 'code' | 'mid'>): Buffer {
  const token = message.token ?? Buffer.alloc(0);
  const payload = message.payload ?? Buffer.alloc(0);
  const parts: Buffer[] = [
    Buffer.from([0x40 | (message.type << 4) | token.length, message.code, message.mid >> 8, message.mid & 0xff]),
    token,
  ];
  let last = 0;
  for (const option of [...(message.options ?? [])].sort((left, right) => left.number - right.number)) {
    const delta = nibble(option.number - last);
    const length = nibble(option.value.length);
    parts.push(Buffer.from([(delta.nibble << 4) | length.nibble, ...delta.extra, ...length.extra]), option.value);
    last = option.number;
  }
  if (payload.length > 0) parts.push(Buffer.from([0xff]), payload);
  return Buffer.concat(parts);
}

function nibble(value: number): { nibble: number; extra: number[] } {
  if (value < 13) return { nibble: value, extra: [] };
  if (value < 269) return { nibble: 13, extra: [value - 13] };
  return { nibble: 14, extra: [(value - 269) >> 8, (value - 269) & 0xff] };
}

/** "2.05" -> 0x45. */
export function code(text: string): number {
  const [major, minor] = text.split('.').map(Number);
  return ((major ?? 0) << 5) | (minor ?? 0);
}

/** 0x45 -> "2.05". */
export function codeText(value: number): string {
  return `${value >> 5}.${String(value & 31).padStart(2, '0')}`;
}

export function isRequest(message: CoapMessage): boolean {
  return message.code > 0 && message.code < 32;
}

export function isResponse(message: CoapMessage): boolean {
  return message.code >> 5 === 2 || message.code >> 5 === 4 || message.code >> 5 === 5;
}

/** An unsigned integer in the fewest bytes (RFC 7252 3.2). */
export function uint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from(bytes);
}

export function readUint(value: Buffer): number {
  return value.reduce((sum, byte) => sum * 256 + byte, 0);
}

export function uintOption(number: number, value: number): CoapOption {
  return { number, value: uint(value) };
}

export function textOption(number: number, text: string): CoapOption {
  return { number, value: Buffer.from(text, 'utf8') };
}

export function pathOptions(path: string): CoapOption[] {
  return path
    .split('/')
    .filter((segment) => segment !== '')
    .map((segment) => textOption(OptionNumber.UriPath, segment));
}

export function values(message: CoapMessage, number: number): Buffer[] {
  return message.options.filter((option) => option.number === number).map((option) => option.value);
}

export function texts(message: CoapMessage, number: number): string[] {
  return values(message, number).map((value) => value.toString('utf8'));
}

/** The first value of an option as a number; undefined when the option is not there. */
export function number(message: CoapMessage, optionNumber: number): number | undefined {
  const [first] = values(message, optionNumber);
  return first === undefined ? undefined : readUint(first);
}

/** "/3/0/9"; "/" when there is no Uri-Path. */
export function uriPath(message: CoapMessage): string {
  return `/${texts(message, OptionNumber.UriPath).join('/')}`;
}

/** A Block option (RFC 7959 2.2). */
export function block(message: CoapMessage, optionNumber: number): Block | undefined {
  const value = number(message, optionNumber);
  return value === undefined ? undefined : { num: Math.floor(value / 16), more: (value & 8) !== 0, size: 2 ** ((value & 7) + 4) };
}

export function blockOption(optionNumber: number, value: Block): CoapOption {
  return uintOption(optionNumber, value.num * 16 + (value.more ? 8 : 0) + (Math.log2(value.size) - 4));
}

/** One line for people: type, code, MID, token, options, payload size. */
export function describeMessage(message: CoapMessage): string {
  const type = ['CON', 'NON', 'ACK', 'RST'][message.type] ?? '?';
  const options = message.options.map((option) => `${option.number}=${option.value.toString('hex')}`).join(' ');
  return `${type} ${codeText(message.code)} mid=${message.mid} token=${message.token.toString('hex')} ${options} payload[${message.payload.length}]`;
}
