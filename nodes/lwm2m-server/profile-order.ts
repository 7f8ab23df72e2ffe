import { patternsOf, type ProfileSettings } from '../../lib/index';

/** By name, then by id: which of two that fit a device equally well counts must not hang on which was deployed last. */
export function inOrder(profiles: readonly ProfileSettings[]): ProfileSettings[] {
  const before = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return [...profiles].sort((a, b) => before(a.name, b.name) || before(a.id, b.id));
}

/** Profiles that are in the way of each other, of which the first counts; `text` is that of the locale. */
export interface ProfileConflict {
  readonly text: 'sameName' | 'severalDefaults' | 'sameDevices';
  readonly names: string;
  /** The name or the pattern they share; blank for defaults. */
  readonly what: string;
}

export function conflictsOf(profiles: readonly ProfileSettings[]): ProfileConflict[] {
  const shared = new Map<string, { readonly text: ProfileConflict['text']; readonly what: string; readonly names: string[] }>();
  const add = (text: ProfileConflict['text'], what: string, name: string): void => {
    const key = `${text} ${what}`;
    const known = shared.get(key);
    if (known) known.names.push(name);
    else shared.set(key, { text, what, names: [name] });
  };
  for (const profile of profiles) {
    const { name, isDefault } = profile;
    add('sameName', name, name);
    if (isDefault) add('severalDefaults', '', name);
    for (const pattern of new Set(patternsOf(profile))) add('sameDevices', pattern, name);
  }
  return [...shared.values()].flatMap(({ text, what, names }) => (names.length > 1 ? [{ text, what, names: names.join(', ') }] : []));
}
