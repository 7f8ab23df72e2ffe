import { applySteps, withDefaults } from '../shared/migrate';
import type { Settings, Step } from '../shared/migrate';

/** The settings of version 3. Numbers may be text. */
export interface DeviceSettings {
  readonly version: number;
  readonly endpoint: string;
  readonly host: string;
  readonly port: number | string;
  /** Seconds. */
  readonly lifetime: number | string;
  readonly lwm2mVersion: string;
  /** `none` or `psk`. */
  readonly security: string;
  /** Blank = the endpoint name. */
  readonly identity: string;
  /** Seconds; blank or 0 for a device that always listens. */
  readonly sleepAfter: number | string;
}

const steps: Step[] = [
  (settings: Settings) =>
    withDefaults(settings, { endpoint: 'simulated-device', host: '127.0.0.1', port: 5683, lifetime: 300, lwm2mVersion: '1.1' }),
  (settings: Settings) => withDefaults(settings, { security: 'none', identity: '' }),
  (settings: Settings) => withDefaults(settings, { sleepAfter: '' }),
];

/** The settings in their present version, whatever version was saved. */
export function migrate(settings: object): DeviceSettings {
  return applySteps(settings as Settings, steps) as unknown as DeviceSettings;
}
