/** A value under a key is `factor` times that of the device, and `offset` more. */
export interface Scale {
  readonly factor: number;
  readonly offset: number;
}

/** Whether it changes anything. */
export const isScaled = ({ factor, offset }: Scale): boolean => factor !== 1 || offset !== 0;

/** In the unit of the device; text that is a number counts as one. Of a multiple resource each value. */
export function toDevice(value: unknown, scale: Scale): unknown {
  if (!isScaled(scale)) return value;
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof number === 'number' && Number.isFinite(number)) {
    return tidy((number - scale.offset) / scale.factor, number / scale.factor, scale.offset / scale.factor);
  }
  return isPlain(value) ? mapped(value, (each) => toDevice(each, scale)) : value;
}

/** In the unit of the profile. What is no number stays as it is; text that stands for an integer beyond 2^53 is one. */
export function fromDevice(value: unknown, scale: Scale): unknown {
  if (!isScaled(scale)) return value;
  const number = typeof value === 'string' && BIG.test(value) ? Number(value) : value;
  if (typeof number === 'number') return tidy(number * scale.factor + scale.offset, number * scale.factor, scale.offset);
  return isPlain(value) ? mapped(value, (each) => fromDevice(each, scale)) : value;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value) && !(value instanceof Date);
}

function mapped(value: Readonly<Record<string, unknown>>, change: (each: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, change(each)]));
}

const BIG = /^-?\d{16,20}$/;

/** Without the last digits, in which 0.1 times 3 differs from 0.3: of the 15 that the larger one of the parts is sure of. */
function tidy(value: number, ...parts: readonly number[]): number {
  const decimals = 14 - Math.floor(Math.log10(Math.max(...parts.map(Math.abs))));
  return decimals <= 100 ? Number(value.toFixed(Math.max(decimals, 0))) : value;
}
