import type { Option } from './types';

/** Option numbers: RFC 7252 5.10, 7641, 7959, 7967, 9175. */
export const OptionNumber = {
  IF_MATCH: 1,
  URI_HOST: 3,
  ETAG: 4,
  IF_NONE_MATCH: 5,
  OBSERVE: 6,
  URI_PORT: 7,
  LOCATION_PATH: 8,
  URI_PATH: 11,
  CONTENT_FORMAT: 12,
  MAX_AGE: 14,
  URI_QUERY: 15,
  ACCEPT: 17,
  LOCATION_QUERY: 20,
  BLOCK2: 23,
  BLOCK1: 27,
  SIZE2: 28,
  PROXY_URI: 35,
  PROXY_SCHEME: 39,
  SIZE1: 60,
  ECHO: 252,
  NO_RESPONSE: 258,
  REQUEST_TAG: 292,
} as const;

interface OptionRule {
  readonly min: number;
  readonly max: number;
  readonly repeatable: boolean;
}

const rule = (min: number, max: number, repeatable = false): OptionRule => ({ min, max, repeatable });

/** Lengths and repetition of the options we know (RFC 7252 table 4 and the RFCs above). */
const KNOWN: readonly (readonly [number, OptionRule])[] = [
  [OptionNumber.URI_HOST, rule(1, 255)],
  [OptionNumber.ETAG, rule(1, 8, true)],
  [OptionNumber.OBSERVE, rule(0, 3)],
  [OptionNumber.URI_PORT, rule(0, 2)],
  [OptionNumber.LOCATION_PATH, rule(0, 255, true)],
  [OptionNumber.URI_PATH, rule(0, 255, true)],
  [OptionNumber.CONTENT_FORMAT, rule(0, 2)],
  [OptionNumber.MAX_AGE, rule(0, 4)],
  [OptionNumber.URI_QUERY, rule(0, 255, true)],
  [OptionNumber.ACCEPT, rule(0, 2)],
  [OptionNumber.LOCATION_QUERY, rule(0, 255, true)],
  [OptionNumber.BLOCK2, rule(0, 3)],
  [OptionNumber.BLOCK1, rule(0, 3)],
  [OptionNumber.SIZE2, rule(0, 4)],
  [OptionNumber.PROXY_URI, rule(1, 1034)],
  [OptionNumber.PROXY_SCHEME, rule(1, 255)],
  [OptionNumber.SIZE1, rule(0, 4)],
  [OptionNumber.ECHO, rule(1, 40)],
  [OptionNumber.NO_RESPONSE, rule(0, 1)],
  [OptionNumber.REQUEST_TAG, rule(0, 8, true)],
];

/** By option number, without holes: every message asks for each of its options. */
const RULES = new Array<OptionRule | undefined>(OptionNumber.REQUEST_TAG + 1).fill(undefined);
for (const [number, expected] of KNOWN) RULES[number] = expected;

/** RFC 7252 5.4.6: odd numbers are critical. */
export const isCritical = (number: number): boolean => (number & 1) === 1;

/**
 * Keeps the options we understand. An unknown one, one of the wrong length and a second one of a kind that may stand
 * only once are all treated as unrecognised (RFC 7252 5.4.3, 5.4.5): ignored when elective, reported when critical.
 * If-Match and If-None-Match are critical and not supported.
 */
export function recognise(options: readonly Option[]): { readonly known: readonly Option[]; readonly badCritical: number | undefined } {
  let known: Option[] | undefined;
  let previous = -1;
  for (let i = 0; i < options.length; i++) {
    const option = options[i]!;
    const expected = option.number < RULES.length ? RULES[option.number] : undefined;
    const { length } = option.value;
    const fits = expected !== undefined && length >= expected.min && length <= expected.max;
    if (fits && (expected.repeatable || option.number !== previous)) {
      previous = option.number;
      known?.push(option);
      continue;
    }
    if (isCritical(option.number)) return { known: [], badCritical: option.number };
    known ??= options.slice(0, i);
  }
  return { known: known ?? options, badCritical: undefined };
}

/** RFC 7252 3.2: network order, leading zero bytes allowed. Values here have at most 4 bytes. */
export function uintValue(value: Uint8Array): number {
  let number = 0;
  for (let i = 0; i < value.length; i++) number = number * 256 + value[i]!;
  return number;
}

/** Most numbers in options are small: made once, never changed. */
const SMALL = Array.from({ length: 0x100 }, (_, value) => (value === 0 ? new Uint8Array(0) : Uint8Array.of(value)));

/** Shortest form; 0 is the empty value. Shared: not to be changed. */
export function uintBytes(value: number): Uint8Array {
  if (value < 0x100) return SMALL[Math.floor(value)]!;
  if (value < 0x10000) return Uint8Array.of(value >> 8, value & 0xff);
  if (value < 0x1000000) return Uint8Array.of(value >> 16, (value >> 8) & 0xff, value & 0xff);
  return Uint8Array.of(value >>> 24, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff);
}

export const uintOption = (number: number, value: number): Option => ({ number, value: uintBytes(value) });
export const textOption = (number: number, text: string): Option => ({ number, value: Buffer.from(text, 'utf8') });

export function findOption(options: readonly Option[], number: number): Uint8Array | undefined {
  for (const option of options) {
    if (option.number === number) return option.value;
    if (option.number > number) return undefined;
  }
  return undefined;
}

export function findUint(options: readonly Option[], number: number): number | undefined {
  const value = findOption(options, number);
  return value === undefined ? undefined : uintValue(value);
}

/** All values of a repeatable text option, in order. Bytes that are not UTF-8 become U+FFFD. */
export function findTexts(options: readonly Option[], number: number): string[] {
  const texts: string[] = [];
  for (const option of options) if (option.number === number) texts.push(text(option.value));
  return texts;
}

function text(value: Uint8Array): string {
  return Buffer.isBuffer(value) ? value.toString('utf8') : Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8');
}

/** RFC 7959 2.2: block numbers have 20 bits. */
export const MAX_BLOCKS = 0x10_0000;

/** A Block1 or Block2 option (RFC 7959 2.2): number, more, size in bytes. */
export interface Block {
  readonly num: number;
  readonly more: boolean;
  readonly size: number;
}

/** Undefined when absent; null when the size exponent is the reserved 7. */
export function findBlock(options: readonly Option[], number: number): Block | null | undefined {
  const value = findUint(options, number);
  if (value === undefined) return undefined;
  const szx = value & 7;
  return szx === 7 ? null : { num: value >>> 4, more: (value & 8) !== 0, size: 16 << szx };
}

export function blockOption(number: number, block: Block): Option {
  return uintOption(number, block.num * 16 + (block.more ? 8 : 0) + (31 - Math.clz32(block.size) - 4));
}

/** The largest legal block size (16, 32 ... 1024) not above `bytes`. */
export function blockSizeFor(bytes: number): number {
  return 1 << Math.min(10, 31 - Math.clz32(Math.max(16, bytes)));
}
