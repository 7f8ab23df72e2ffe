/** Bringing the saved settings of a node to the present version of its dialog. */

export type Settings = Record<string, unknown>;

/** Turns settings of version n into version n + 1; its place in the list is n. */
export type Step = (settings: Settings) => Settings;

/**
 * Applies what is missing. Settings without a version are version 0 (a flow written by hand); settings of a newer package are
 * left as they are, so that going back one version of the package keeps the flow. The input is not changed.
 */
export function applySteps(settings: Settings, steps: readonly Step[]): Settings {
  const from = typeof settings['version'] === 'number' && settings['version'] >= 0 ? Math.floor(settings['version']) : 0;
  if (from >= steps.length) return settings;
  const migrated = steps.slice(from).reduce((current, step) => step(current), { ...settings });
  return { ...migrated, version: steps.length };
}

/** Fills what is missing; a present value, even an empty one, stays. */
export function withDefaults(settings: Settings, defaults: Settings): Settings {
  return { ...defaults, ...Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) };
}
