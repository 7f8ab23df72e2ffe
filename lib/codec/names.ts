import { MAX_ID, formatPath, isWithin } from '../lwm2m/path';
import { DecodeError } from './errors';
import type { Place } from './errors';
import type { CodecContext } from './types';

/** The ids of a name like "/3/0/9", "3/0" or "/3/"; undefined for a text that is none. No ids for the root. */
export function readIds(name: string): number[] | undefined {
  const ids: number[] = [];
  const { length } = name;
  let at = name.startsWith('/') ? 1 : 0;
  while (at < length) {
    const from = at;
    let id = 0;
    for (; at < length; at += 1) {
      const digit = name.charCodeAt(at) - 0x30;
      if (digit < 0 || digit > 9) break;
      id = id * 10 + digit;
      if (id > MAX_ID) return undefined;
    }
    const digits = at - from;
    if (digits === 0 || (digits > 1 && name.charCodeAt(from) === 0x30) || ids.length === 4) return undefined;
    ids.push(id);
    if (at === length) break;
    if (name.charCodeAt(at) !== 0x2f) return undefined;
    at += 1;
  }
  return length === 0 ? undefined : ids;
}

/** The path one level below another. */
export function below(path: readonly number[], id: number): readonly number[] {
  switch (path.length) {
    case 0:
      return [id];
    case 1:
      return [path[0] ?? 0, id];
    case 2:
      return [path[0] ?? 0, path[1] ?? 0, id];
    default:
      return [path[0] ?? 0, path[1] ?? 0, path[2] ?? 0, id];
  }
}

/** What names on the wire have before the path: the alternate path, then the prefix of the device behind a gateway. */
export function namePrefix({ rootPath = '', prefix }: CodecContext): string {
  return prefix === undefined ? rootPath : `${rootPath}/${prefix}`;
}

/** The ids of a value's full name, within the asked path. Throws `DecodeError`. */
export function readName(name: string, context: CodecContext, place: Place): readonly number[] {
  const before = namePrefix(context);
  // Clients with an alternate path name values with it or, against the rule, without.
  const local = before !== '' && (name === before || name.startsWith(`${before}/`)) ? name.slice(before.length) : name;
  const ids = readIds(local);
  if (!ids || ids.length === 0) {
    throw new DecodeError(`${JSON.stringify(name.slice(0, 60))} is no path of an object, an instance or a resource`, place);
  }
  checkAsked(ids, context, place);
  return ids;
}

/** Refuses a value that does not lie at or below the asked path. */
export function checkAsked(ids: readonly number[], { path }: CodecContext, place: Place): void {
  if (!isWithin(ids, path)) throw new DecodeError(`a value of ${formatPath(ids)} was not asked for`, place);
}
