import type { ProfileResource } from './types';

/**
 * The key of a resource by its name in the object definition: camel case, the first word in small letters, of each further one only the
 * first letter capital; `-` and `_` divide words as blanks do. "Battery Level" is `batteryLevel`, "PkgVersion" `pkgversion`. Blank where
 * the name has neither letter nor digit.
 */
export function keyName(name: string): string {
  const words = name
    .replace(/[-_\s]+/g, ' ')
    .trim()
    .split(' ');
  return words.map((word, at) => (at === 0 ? word.toLowerCase() : word.charAt(0).toUpperCase() + word.slice(1).toLowerCase())).join('');
}

/** The key of one instance: a `*` stands for its id; without one it follows, but for instance 0. */
export function keyOfInstance(key: string, instanceId: number): string {
  if (key.includes('*')) return key.replaceAll('*', String(instanceId));
  return instanceId === 0 ? key : `${key}${instanceId}`;
}

/** The key of a resource under an entry for it. */
export function keyAt(entry: ProfileResource, path: readonly number[]): string {
  return entry.instanceId === undefined ? keyOfInstance(entry.key, path[1] ?? 0) : entry.key;
}
