/** What the definition of a resource says of the values it may have (RangeEnumeration; Core TS 1.1.1 appendix D.1). */
import type { Value } from '../lwm2m/types';
import type { ResourceDefinition } from './types';

type Bound = number | bigint;
type Interval = readonly [low: Bound, high: Bound];

const NUMBER = String.raw`[+-]?\d{1,40}(?:\.\d{1,40})?`;
const INTERVAL = new RegExp(`^(${NUMBER})\\s*\\.{2,3}\\s*(${NUMBER})$`);
/** Definitions of LwM2M 1.0 write 0-255. */
const DASHED = /^(\d{1,20})\s*-\s*(\d{1,20})$/;
const SINGLE = new RegExp(`^${NUMBER}$`);
const NAMED_VALUES = /^\d{1,10}\s*:\s*\D/;
const MAX_TEXT = 500;

/**
 * Says in words why a value is outside the definition's range or enumeration, or undefined when it is inside, or when the range is not
 * understood: the field is free text, and what people wrote into it is taken only where it can mean one thing. For strings and opaque
 * values it is the number of bytes.
 */
export function outsideRange(definition: ResourceDefinition, value: Value): string | undefined {
  const { range, type } = definition;
  if (range === undefined || range.length > MAX_TEXT) return undefined;
  switch (type) {
    case 'integer':
    case 'unsigned':
    case 'float': {
      if (typeof value !== 'number' && typeof value !== 'bigint') return undefined;
      const intervals = numberIntervals(range);
      return intervals === undefined || within(intervals, value) ? undefined : `outside its range ${range}`;
    }
    case 'string':
    case 'opaque': {
      const length = typeof value === 'string' ? Buffer.byteLength(value, 'utf8') : value instanceof Uint8Array ? value.length : undefined;
      const lengths = lengthIntervals(range);
      if (length === undefined || lengths === undefined || within(lengths, length)) return undefined;
      return `${length} bytes long, which is outside its range ${range}`;
    }
    case 'boolean':
    case 'time':
    case 'objlnk':
    case 'corelnk':
    case 'none':
      return undefined;
    default:
      return type satisfies never;
  }
}

function within(intervals: readonly Interval[], value: Bound): boolean {
  return intervals.some(([low, high]) => value >= low && value <= high);
}

/** `0..100`, `0-255`, `0; 3.8..20.5`, `5, 10, 15`, `0: OFF 1: ON`. One number alone says too little. */
function numberIntervals(range: string): readonly Interval[] | undefined {
  if (NAMED_VALUES.test(range)) {
    return [...range.matchAll(/(?:^|[\s,;])([+-]?\d{1,10})\s*:/g)].map(([, value = '']): Interval => [bound(value), bound(value)]);
  }
  const intervals = listOf(range);
  const [only] = intervals ?? [];
  return intervals?.length === 1 && only && only[0] === only[1] ? undefined : intervals;
}

/** `0..255 bytes`, `16,32,48`; one number alone is the most there may be. */
function lengthIntervals(range: string): readonly Interval[] | undefined {
  const intervals = listOf(range.replace(/\s*bytes?$/i, ''));
  const [only] = intervals ?? [];
  return intervals?.length === 1 && only && only[0] === only[1] ? [[0, only[1]]] : intervals;
}

function listOf(range: string): readonly Interval[] | undefined {
  const intervals: Interval[] = [];
  for (const part of range.split(/[,;]/)) {
    const text = part.trim();
    const ends = INTERVAL.exec(text) ?? DASHED.exec(text);
    const single = SINGLE.test(text) ? text : undefined;
    const [a, b] = ends ? [bound(ends[1] ?? ''), bound(ends[2] ?? '')] : single === undefined ? [] : [bound(single), bound(single)];
    if (a === undefined || b === undefined) return undefined;
    intervals.push(a <= b ? [a, b] : [b, a]);
  }
  return intervals;
}

/** Exact beyond 2^53, where ranges of 64 bits end. */
function bound(text: string): Bound {
  const number = Number(text);
  return Number.isSafeInteger(number) || text.includes('.') ? number : BigInt(text.replace('+', ''));
}
