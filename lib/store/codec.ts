import { StoreError } from './types';

/** Deeper than anything the server keeps; a bound against circles. */
const MAX_DEPTH = 32;
/** Keys that JSON text of a tagged value has; only then must the decoder look closer. */
const TAG = '"$';

/**
 * Plain data as bytes: JSON, with what JSON cannot say as `{ "$bytes": base64 }`, `{ "$number": "NaN" | "Infinity" | "-Infinity" | "-0" }`,
 * `{ "$bigint": decimal }`, `{ "$undefined": 1 }` in arrays, and `{ "$plain": object }` around an object with a single key that begins
 * with `$`. Throws `StoreError` `BAD_VALUE` for functions, circles and other things that are no data.
 */
export function encodeValue(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(tagged(value, 0)));
}

/** The reverse. Throws `StoreError` `BAD_VALUE` when the bytes are none of ours. */
export function decodeValue(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new StoreError('BAD_VALUE', 'The value is no JSON text.', error);
  }
  return text.includes(TAG) ? untagged(value, 0) : value;
}

/** The value itself where nothing in it needs a tag, so that the usual case copies nothing. */
function tagged(value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new StoreError('BAD_VALUE', `The value is nested deeper than ${MAX_DEPTH}, or in a circle.`);
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      return { $number: Object.is(value, -0) ? '-0' : String(value) };
    case 'bigint':
      return { $bigint: String(value) };
    case 'undefined':
      return { $undefined: 1 };
    case 'object':
      if (value === null) return null;
      if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
      return Array.isArray(value) ? taggedItems(value, depth) : taggedFields(value as Record<string, unknown>, depth);
    default:
      throw new StoreError('BAD_VALUE', `A ${typeof value} is no data.`);
  }
}

function taggedItems(items: readonly unknown[], depth: number): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let at = 0; at < items.length; at++) {
    const item = items[at];
    const kept = tagged(item, depth + 1);
    if (kept === item) continue;
    copy ??= [...items];
    copy[at] = kept;
  }
  return copy ?? items;
}

function taggedFields(fields: Record<string, unknown>, depth: number): unknown {
  const proto: unknown = Object.getPrototypeOf(fields);
  if (proto !== Object.prototype && proto !== null) throw new StoreError('BAD_VALUE', 'Only plain objects are data.');
  let copy: Record<string, unknown> | undefined;
  let single: string | undefined;
  let count = 0;
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (value === undefined) continue;
    single = name;
    count += 1;
    const kept = tagged(value, depth + 1);
    if (kept === value) continue;
    // Without a prototype, `__proto__` is a name like any other.
    copy ??= Object.assign(Object.create(null) as Record<string, unknown>, fields);
    copy[name] = kept;
  }
  const out = copy ?? fields;
  return count === 1 && single!.startsWith('$') ? { $plain: out } : out;
}

function untagged(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > 2 * MAX_DEPTH + 2) throw new StoreError('BAD_VALUE', 'The value is nested too deep.');
  if (Array.isArray(value)) return value.map((item) => untagged(item, depth + 1));
  const fields = value as Record<string, unknown>;
  const names = Object.keys(fields);
  if (names.length === 1 && names[0]!.startsWith('$')) return ofTag(names[0]!, fields[names[0]!], depth);
  for (const name of names) {
    const kept = untagged(fields[name], depth + 1);
    // Also `__proto__`: JSON.parse made it a field of its own.
    if (kept !== fields[name]) fields[name] = kept;
  }
  return fields;
}

function ofTag(tag: string, content: unknown, depth: number): unknown {
  if (tag === '$bytes' && typeof content === 'string') return Buffer.from(content, 'base64');
  if (tag === '$number' && typeof content === 'string') return Number(content);
  if (tag === '$bigint' && typeof content === 'string' && /^-?\d{1,400}$/.test(content)) return BigInt(content);
  if (tag === '$undefined') return undefined;
  if (tag === '$plain' && typeof content === 'object' && content !== null) {
    const fields = content as Record<string, unknown>;
    for (const name of Object.keys(fields)) fields[name] = untagged(fields[name], depth + 1);
    return fields;
  }
  throw new StoreError('BAD_VALUE', 'The value has a tag that is not known.');
}
