import type { Path } from './types';

/** Ids run from 0 to here; 65535 is reserved (Core TS 1.1.1 7.1). */
export const MAX_ID = 65534;
/** `/65534_999.999/65534/65534/65534/` has 33 characters; anything longer is not a path. */
const MAX_LENGTH = 40;
const VERSION = /^\d{1,3}\.\d{1,3}$/;
const NUMBER = /^(?:0|[1-9]\d{0,5})$/;
const LEVELS = ['object', 'object instance', 'resource', 'resource instance'] as const;

/** A text that is not an LwM2M path. The message says what is wrong and shows a path that would be right. */
export class PathError extends Error {
  readonly code = 'BAD_REQUEST';
  constructor(problem: string) {
    super(`${problem} A path looks like "/3/0/9" (object, object instance, resource) or "/3_1.1/0/9".`);
    this.name = 'PathError';
  }
}

/**
 * Reads `/3/0/9`, `/3_1.1/0/9`, `3/0`, `/3/` or `/` (the root). The leading slash may be left out, one slash may trail.
 * Ids are 0 to 65534 in decimal without leading zeros. Throws `PathError`.
 */
export function parsePath(text: string): Path {
  // Flows hand over what they like, whatever the type says.
  const given: unknown = text;
  if (typeof given !== 'string') throw new PathError(`A path must be text, not ${given === null ? 'null' : typeof given}.`);
  if (text === '') throw new PathError('The path is empty; the root is "/".');
  if (text.length > MAX_LENGTH) throw new PathError(`The path is too long: ${text.length} characters, ${MAX_LENGTH} at most.`);
  const inner = text.startsWith('/') ? text.slice(1) : text;
  if (inner === '') return { ids: [] };
  const parts = (inner.endsWith('/') ? inner.slice(0, -1) : inner).split('/');
  if (parts.length > LEVELS.length) throw new PathError(`The path ${JSON.stringify(text)} has ${parts.length} ids, 4 are the most.`);

  let version: string | undefined;
  const ids: number[] = [];
  for (const [level, part] of parts.entries()) {
    const mark = level === 0 ? part.indexOf('_') : -1;
    if (mark >= 0) {
      version = part.slice(mark + 1);
      if (!VERSION.test(version))
        throw new PathError(`The path ${JSON.stringify(text)} has ${JSON.stringify(version)} where an object version like 1.1 belongs.`);
    }
    ids.push(parseId(mark >= 0 ? part.slice(0, mark) : part, LEVELS[level] ?? '', text));
  }
  return version === undefined ? { ids } : { ids, version };
}

function parseId(part: string, level: string, text: string): number {
  if (part === '') throw new PathError(`The path ${JSON.stringify(text)} has no ${level} id between its slashes.`);
  if (!NUMBER.test(part))
    throw new PathError(`The path ${JSON.stringify(text)} has ${JSON.stringify(part)} where the ${level} id belongs, a decimal number.`);
  const id = Number(part);
  if (id > MAX_ID)
    throw new PathError(`The path ${JSON.stringify(text)} has the ${level} id ${part}, the highest is ${MAX_ID} (65535 is reserved).`);
  return id;
}

/** `[3, 0, 9]` to `/3/0/9`, with a version to `/3_1.1/0/9`; no ids to `/`. */
export function formatPath(ids: readonly number[], version?: string): string {
  if (version === undefined || ids.length === 0) return `/${ids.join('/')}`;
  return `/${[`${ids[0]}_${version}`, ...ids.slice(1)].join('/')}`;
}

/** Same ids in the same order; versions are not looked at. */
export function samePath(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && isWithin(a, b);
}

/** True when `child` is `parent` or lies below it; everything lies within the root `[]`. */
export function isWithin(child: readonly number[], parent: readonly number[]): boolean {
  if (child.length < parent.length) return false;
  for (let level = 0; level < parent.length; level += 1) if (child[level] !== parent[level]) return false;
  return true;
}
