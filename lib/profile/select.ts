import { matchesGlob } from './glob';
import type { Profile } from './types';

/**
 * The profile of a device: the one its entry in the device table asks for by name; else the one whose pattern fits its endpoint name, of
 * several the pattern with the most characters beside `*`; else the default one. Of equal ones the first of the list.
 */
export function profileFor(profiles: readonly Profile[], endpoint: string, wanted: string | undefined): Profile | undefined {
  const asked = wanted === undefined ? undefined : profiles.find(({ name }) => name === wanted);
  if (asked) return asked;
  let best: Profile | undefined;
  let bestLength = -1;
  for (const profile of profiles) {
    for (const pattern of profile.patterns) {
      const length = pattern.replaceAll('*', '').length;
      if (length <= bestLength || !matchesGlob(pattern, endpoint)) continue;
      best = profile;
      bestLength = length;
    }
  }
  return best ?? profiles.find(({ isDefault }) => isDefault);
}
