import type { InstanceKeys } from '../../lib/index';
import { applySteps, withDefaults } from '../shared/migrate';
import type { Settings, Step } from '../shared/migrate';
import { eventKinds } from './events';

/** The settings of version 2. */
export interface InSettings {
  readonly version: number;
  /** The id of the `lwm2m-server` node. */
  readonly server: string;
  /** A name, or a pattern with `*`; blank = every device. */
  readonly endpoint: string;
  readonly events: readonly string[];
  /** Only values at or below a path, or of a key; several separated by commas; blank = all. */
  readonly path: string;
  readonly instanceKeys: InstanceKeys;
  /** One message for all values of `telemetry` and `attributes`, or one a key. */
  readonly messagePer: 'event' | 'key';
  /** Whether the last known values come once the flows have started. */
  readonly startValues: boolean;
}

const steps: Step[] = [
  (settings: Settings) => withDefaults(settings, { server: '', endpoint: '', events: [...eventKinds], path: '', instanceKeys: 'id' }),
  (settings: Settings) => withDefaults(settings, { messagePer: 'event', startValues: false }),
];

/** The settings in their present version, whatever version was saved. */
export function migrate(settings: object): InSettings {
  return applySteps(settings as Settings, steps) as unknown as InSettings;
}
