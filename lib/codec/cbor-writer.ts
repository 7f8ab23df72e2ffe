/**
 * CBOR items in their shortest form (RFC 8949 4.1), definite lengths, written from the end: a value before its key, the members of a map
 * or an array, the last first, before its head.
 */
import { Major } from './cbor-reader';
import type { Output } from './output';

export function writeHead(output: Output, major: number, argument: number | bigint): void {
  const type = major << 5;
  if (typeof argument === 'bigint' || argument > 0xffffffff) {
    output.int64(BigInt(argument));
    output.byte(type | 27);
  } else if (argument < 24) {
    output.byte(type | argument);
  } else {
    const length = argument < 0x100 ? 1 : argument < 0x10000 ? 2 : 4;
    output.uint(argument, length);
    output.byte(type | (length === 1 ? 24 : length === 2 ? 25 : 26));
  }
}

/** A bigint must be beyond the safe integers: a smaller one would not come out in its shortest form. */
export function writeInteger(output: Output, value: number | bigint): void {
  if (value >= 0) writeHead(output, Major.uint, value);
  else writeHead(output, Major.negint, typeof value === 'number' ? -1 - value : -1n - value);
}

export function writeText(output: Output, value: string): void {
  const before = output.length;
  output.text(value);
  writeHead(output, Major.string, output.length - before);
}

export function writeBytes(output: Output, value: Uint8Array): void {
  output.raw(value);
  writeHead(output, Major.bytes, value.length);
}

export function writeBoolean(output: Output, value: boolean): void {
  output.byte(value ? 0xf5 : 0xf4);
}

export function writeNull(output: Output): void {
  output.byte(0xf6);
}

/** The shortest of half, single and double precision that keeps the value (RFC 8949 4.1). */
export function writeFloat(output: Output, value: number): void {
  const half = halfBits(value);
  if (half !== undefined) {
    output.uint(half, 2);
    output.byte(0xf9);
  } else if (Object.is(Math.fround(value), value)) {
    output.float32(value);
    output.byte(0xfa);
  } else {
    output.float64(value);
    output.byte(0xfb);
  }
}

/** The IEEE 754 binary16 of a value, or undefined when it has not enough bits: 11 of them, from 2^-24 on, below 2^16. */
function halfBits(value: number): number | undefined {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude === Infinity) return sign | 0x7c00;
  if (magnitude === 0) return sign;
  if (magnitude >= 65_536) return undefined;
  // In steps of 2^-24 the smallest (subnormal) values are the fraction itself.
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14);
  const fraction = magnitude * 2 ** (10 - exponent);
  if (!Number.isInteger(fraction) || fraction >= 2048) return undefined;
  return fraction < 1024 ? sign | fraction : sign | ((exponent + 15) << 10) | (fraction - 1024);
}
