import type { ProfileDefinition } from '../../lib/index';
import { applySteps, withDefaults } from '../shared/migrate';
import type { Settings, Step } from '../shared/migrate';

/** The settings of version 1. */
export interface ProfileNodeSettings {
  readonly version: number;
  /** By which a device of the server's table asks for it. */
  readonly name: string;
  /** The id of the `lwm2m-server` node. */
  readonly server: string;
  /** Names and patterns with `*`, separated by commas. */
  readonly endpoints: string;
  /** For every device that no other profile is for. */
  readonly isDefault: boolean;
  readonly definition: ProfileDefinition;
  /** The device profile of an IoT Hub it was imported from, for the way back; null = none. */
  readonly kept: unknown;
}

const steps: Step[] = [
  (settings: Settings) =>
    withDefaults(settings, {
      name: '',
      server: '',
      endpoints: '',
      isDefault: false,
      definition: { resources: [], transportLog: true },
      kept: null,
    }),
];

/** The settings in their present version, whatever version was saved. */
export function migrate(settings: object): ProfileNodeSettings {
  return applySteps(settings as Settings, steps) as unknown as ProfileNodeSettings;
}
