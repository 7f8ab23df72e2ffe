import { types } from 'node:util';
import type { ResourceType, Value } from '../lwm2m/types';
import { isDate, isRecord, show } from './errors';

/** What a flow's value became: the typed value, or in `wrong` what would have been right. */
export type ScalarIn = { readonly type: ResourceType; readonly value: Value; readonly warning?: string } | { readonly wrong: string };

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;
const DATE_MAX_MS = 8.64e15;

/**
 * Turns one value of a flow into a value of the resource's type (Core TS 1.1.1 appendix C): numbers and dates within their range and
 * exact, opaque from bytes or hex, time from epoch milliseconds to whole seconds. Never throws for plain values.
 */
export function scalarIn(type: ResourceType, value: unknown): ScalarIn {
  switch (type) {
    case 'integer':
      return integerIn(type, value, INT64_MIN, INT64_MAX);
    case 'unsigned':
      return integerIn(type, value, 0n, UINT64_MAX);
    case 'float':
      return floatIn(value);
    case 'boolean':
      return booleanIn(value);
    case 'string':
      return stringIn(value);
    case 'corelnk':
      return typeof value === 'string' && wellFormed(value) ? { type, value } : { wrong: 'a core link is text, e.g. "</3/0>,</1/0>"' };
    case 'opaque':
      return opaqueIn(value);
    case 'time':
      return timeIn(value);
    case 'objlnk':
      return objectLinkIn(value);
    case 'none':
      return untypedIn(value);
    default:
      return unreachable(type);
  }
}

function unreachable(type: never): never {
  throw new TypeError(`no such type: ${String(type)}`);
}

/** True for what counts as one value: everything but arrays and objects with members; bytes and dates are one value. */
export function isScalar(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return isDate(value) || bytesOf(value) !== undefined;
}

function integerIn(type: 'integer' | 'unsigned', value: unknown, low: bigint, high: bigint): ScalarIn {
  const wrong = `${type === 'integer' ? 'an integer' : 'an unsigned integer'} is a whole number from ${low} to ${high}`;
  let exact: bigint;
  if (typeof value === 'bigint') exact = value;
  else if (typeof value === 'number' && Number.isSafeInteger(value)) exact = BigInt(value);
  else if (typeof value === 'number' && Number.isInteger(value)) {
    return { wrong: `${wrong}; beyond 9007199254740991 a number is not exact, so write it as text, e.g. "9007199254740993"` };
  } else if (typeof value === 'string' && /^[+-]?\d{1,32}$/.test(value)) exact = BigInt(value.replace(/^\+/, ''));
  else return { wrong: `${wrong}, as a number or decimal text` };
  if (exact < low || exact > high) return { wrong };
  const number = Number(exact);
  return { type, value: Number.isSafeInteger(number) ? number : exact };
}

function floatIn(value: unknown): ScalarIn {
  let number = NaN;
  if (typeof value === 'number' || typeof value === 'bigint') number = Number(value);
  else if (typeof value === 'string' && value.length <= 400 && /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(value))
    number = Number(value);
  if (!Number.isFinite(number)) return { wrong: 'a float is a finite number or decimal text, e.g. 21.5' };
  const whole =
    typeof value === 'bigint' ? value : typeof value === 'string' && /^[+-]?\d+$/.test(value) ? BigInt(value.replace('+', '')) : 0n;
  const rounded = whole !== 0n && BigInt(number) !== whole;
  return { type: 'float', value: number, ...(rounded && { warning: `a float cannot be exactly that; it becomes ${number}` }) };
}

function booleanIn(value: unknown): ScalarIn {
  const text = typeof value === 'string' && value.length <= 5 ? value.toLowerCase() : value;
  if (text === true || text === 1 || text === 'true' || text === '1') return { type: 'boolean', value: true };
  if (text === false || text === 0 || text === 'false' || text === '0') return { type: 'boolean', value: false };
  return { wrong: 'a boolean is true or false (also "true", "false", 1, 0)' };
}

/** No half surrogate pair: UTF-8 cannot carry one. */
const wellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);

function stringIn(value: unknown): ScalarIn {
  if (typeof value === 'number' && !Number.isFinite(value)) return { wrong: 'a string is text' };
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return { type: 'string', value: String(value) };
  if (typeof value !== 'string') return { wrong: 'a string is text' };
  return wellFormed(value) ? { type: 'string', value } : { wrong: 'a string must be well-formed Unicode' };
}

/** Bytes a flow may hold: Buffer, any view or array buffer, and what `JSON.stringify` makes of a Buffer. A copy. */
function bytesOf(value: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) return Uint8Array.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  if (types.isAnyArrayBuffer(value)) return Uint8Array.from(new Uint8Array(value));
  if (!isRecord(value) || value['type'] !== 'Buffer' || !Array.isArray(value['data'])) return undefined;
  const data: unknown[] = value['data'];
  // `some` and `every` jump over holes; `Array.from` does not.
  const bytes = Array.from(data, (byte) => (typeof byte === 'number' && Number.isInteger(byte) && byte >= 0 && byte <= 255 ? byte : -1));
  return bytes.includes(-1) ? undefined : Uint8Array.from(bytes);
}

function opaqueIn(value: unknown): ScalarIn {
  const bytes = bytesOf(value);
  if (bytes !== undefined) return { type: 'opaque', value: bytes };
  if (typeof value !== 'string') return { wrong: 'opaque is a Buffer, hex text like "00ad45" or "base64:AK1F"' };
  if (value.startsWith('base64:')) {
    const text = value.slice('base64:'.length);
    const decoded = base64(text);
    return decoded === undefined
      ? { wrong: `${show(text)} is not base64: its letters are A-Z a-z 0-9 + / (or - _), padded with =` }
      : { type: 'opaque', value: decoded };
  }
  const illegal = /[^0-9a-fA-F]/u.exec(value);
  if (illegal !== null) {
    return {
      wrong: `opaque text is hex, and ${show(illegal[0])} at character ${illegal.index} is no hex digit; write "00ad45" or "base64:AK1F"`,
    };
  }
  if (value.length % 2 !== 0) {
    return { wrong: `hex has two digits a byte, and this text has ${value.length}, an odd number; a leading 0 may be missing` };
  }
  return { type: 'opaque', value: Uint8Array.from(Buffer.from(value, 'hex')) };
}

/** Strict, because Buffer drops what it does not know: the bytes must give the text back. Both alphabets, padding optional. */
function base64(text: string): Uint8Array | undefined {
  const plain = text.replaceAll('-', '+').replaceAll('_', '/');
  const bytes = Buffer.from(plain, 'base64');
  const back = bytes.toString('base64');
  return back === plain || back.replace(/=+$/, '') === plain ? Uint8Array.from(bytes) : undefined;
}

const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/;

/** Whole seconds on the wire, as Core TS appendix C defines Time; the rest of a second is cut off towards the past. */
function timeIn(value: unknown): ScalarIn {
  const wrong = 'a time is a Date, ISO 8601 text like "2024-05-01T12:00:00Z", or milliseconds since 1970';
  let ms: number;
  if (isDate(value)) ms = value.getTime();
  else if (typeof value === 'number') ms = value;
  else if (typeof value === 'bigint') ms = Number(value);
  else if (typeof value === 'string' && /^[+-]?\d{1,16}(?:\.\d{1,9})?$/.test(value)) ms = Number(value);
  else if (typeof value === 'string') {
    const parts = value.length <= 40 ? ISO.exec(value) : null;
    if (parts === null) return { wrong };
    if (value.includes('T') && parts[4] === undefined) return { wrong: `${wrong}; this text does not say its zone, end it in Z or +02:00` };
    // Date.parse takes 31 February for 2 March.
    const day = new Date(Date.UTC(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3])));
    if (day.getUTCMonth() !== Number(parts[2]) - 1) return { wrong: `${wrong}; there is no such day` };
    ms = Date.parse(value);
  } else return { wrong };
  if (!Number.isFinite(ms) || Math.abs(ms) > DATE_MAX_MS) return { wrong };
  const result = { type: 'time', value: Math.floor(ms / 1000) } as const;
  const likelySeconds = !isDate(value) && Math.abs(ms) >= 1e9 && Math.abs(ms) < 4.2e9;
  return likelySeconds ? { ...result, warning: `${ms} looks like seconds; times are milliseconds since 1970` } : result;
}

function objectLinkIn(value: unknown): ScalarIn {
  const wrong = 'an object link is text like "3:0" or "/3/0", ids 0 to 65535';
  const parts = typeof value === 'string' && value.length <= 12 ? /^(?:(\d{1,5}):(\d{1,5})|\/(\d{1,5})\/(\d{1,5}))$/.exec(value) : null;
  if (parts === null) return { wrong };
  const objectId = Number(parts[1] ?? parts[3]);
  const instanceId = Number(parts[2] ?? parts[4]);
  return objectId <= 65535 && instanceId <= 65535 ? { type: 'objlnk', value: `${objectId}:${instanceId}` } : { wrong };
}

/** No model knows the resource: the JavaScript type says what it is. */
function untypedIn(value: unknown): ScalarIn {
  if (typeof value === 'boolean') return { type: 'boolean', value };
  if (typeof value === 'string') return stringIn(value);
  if (typeof value === 'bigint')
    return value > INT64_MAX ? integerIn('unsigned', value, 0n, UINT64_MAX) : integerIn('integer', value, INT64_MIN, INT64_MAX);
  if (typeof value === 'number') return Number.isSafeInteger(value) ? { type: 'integer', value: value + 0 } : floatIn(value);
  if (isDate(value)) return timeIn(value);
  const bytes = bytesOf(value);
  return bytes === undefined
    ? { wrong: 'a resource no object definition describes takes a number, text, a boolean, a Buffer or a Date' }
    : { type: 'opaque', value: bytes };
}
