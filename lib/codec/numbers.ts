/** Exact whole numbers of 64 bits, and numbers written as text. */
import type { ResourceType } from '../lwm2m/types';

const INTEGER_MIN = -(2n ** 63n);
const INTEGER_MAX = 2n ** 63n - 1n;
const UNSIGNED_MAX = 2n ** 64n - 1n;

/** A number as it came: `whole` says it was written as an integer, which tells 1 from 1.0 when nothing else gives the type. */
export interface Numeric {
  readonly value: number | bigint;
  readonly whole: boolean;
}

/** A number where that is exact, else the bigint. */
export function shrink(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** A whole number as a number where that is exact, else as the bigint; minus zero as zero. */
export function exactInteger(value: number | bigint): number | bigint {
  if (typeof value === 'bigint') return shrink(value);
  return Number.isSafeInteger(value) ? value + 0 : BigInt(value);
}

/** Integer is 64-bit signed, Unsigned Integer 64-bit unsigned (Core TS 1.1.1 appendix C). False for a number that is no date or range at all. */
export function inRange(type: 'integer' | 'unsigned', value: number | bigint): boolean {
  if (Number.isSafeInteger(value)) return type === 'integer' || value >= 0;
  if (typeof value === 'number' && !Number.isInteger(value)) return type === 'integer' && Math.abs(value) < 2 ** 63;
  const exact = BigInt(value);
  return type === 'integer' ? exact >= INTEGER_MIN && exact <= INTEGER_MAX : exact >= 0n && exact <= UNSIGNED_MAX;
}

/** The type a number of unknown type gets: the smallest integer type that holds it, else float. */
export function guessNumberType(numeric: Numeric): ResourceType {
  if (!numeric.whole) return 'float';
  if (inRange('integer', numeric.value)) return 'integer';
  return inRange('unsigned', numeric.value) ? 'unsigned' : 'float';
}

const DECIMAL = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,4}))?$/;
/** No number a device can mean is longer; also bounds the work of BigInt. */
const MAX_DIGITS = 800;
/** 2^64 has 20 digits. */
const MAX_WHOLE_DIGITS = 20;

/**
 * Reads a decimal number, with fraction and exponent, exactly where it is whole: `18446744073709551615`, `1.638435E9`, `12.0`.
 * Undefined when the text is no decimal number, or one too large for a double.
 */
export function parseNumber(text: string): Numeric | undefined {
  if (text.length > MAX_DIGITS) return undefined;
  const match = DECIMAL.exec(text);
  if (!match) return undefined;
  const [, sign = '', digits = '', fraction = '', exponent = '0'] = match;
  const whole = match[3] === undefined && match[4] === undefined;
  const float = Number(text);
  if (!Number.isFinite(float)) return undefined;
  if (!Number.isInteger(float) || Number.isSafeInteger(float)) {
    return { value: Object.is(float, -0) ? 0 : float, whole };
  }
  // Beyond 2^53: put the digits together without a double in between.
  const shift = Number(exponent) - fraction.length;
  const all = (digits + fraction).replace(/^0+/, '');
  const kept = shift >= 0 ? all + '0'.repeat(Math.min(shift, MAX_WHOLE_DIGITS + 1)) : all.slice(0, shift);
  const dropped = shift < 0 ? all.slice(shift) : '';
  if (kept.length > MAX_WHOLE_DIGITS || /[1-9]/.test(dropped)) return { value: float, whole };
  const exact = BigInt(kept);
  return { value: shrink(sign === '-' ? -exact : exact), whole };
}

/** A finite number in decimal digits without an exponent, as LwM2M text wants it (Core TS 1.1.1 appendix C). */
export function plainDecimal(value: number): string {
  const text = String(value);
  const mark = text.indexOf('e');
  if (mark < 0) return text;
  const exponent = Number(text.slice(mark + 1));
  const negative = text.startsWith('-');
  const [integral = '', fraction = ''] = text.slice(negative ? 1 : 0, mark).split('.');
  const digits = integral + fraction;
  const point = integral.length + exponent;
  const plain = point <= 0 ? `0.${'0'.repeat(-point)}${digits}` : digits.padEnd(point, '0');
  return negative ? `-${plain}` : plain;
}

/** A text of the form "3:0": object and object instance, each 0 to 65535; 65535:65535 is the null link (Core TS 1.1.1 appendix C). */
export function parseObjectLink(text: string): readonly [number, number] | undefined {
  const match = /^(\d{1,5}):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const object = Number(match[1]);
  const instance = Number(match[2]);
  return object <= 65535 && instance <= 65535 ? [object, instance] : undefined;
}
