import { applySteps, withDefaults } from '../shared/migrate';
import type { Settings, Step } from '../shared/migrate';

/** The settings of version 1. */
export interface CredentialsSettings {
  readonly version: number;
  readonly server: string;
}

const steps: Step[] = [(settings: Settings) => withDefaults(settings, { server: '' })];

/** The settings in their present version, whatever version was saved. */
export function migrate(settings: object): CredentialsSettings {
  return applySteps(settings as Settings, steps) as unknown as CredentialsSettings;
}
