import type { InstanceKeys } from '../../lib/index';
import { applySteps, withDefaults } from '../shared/migrate';
import type { Settings, Step } from '../shared/migrate';
import { eventKinds } from './events';

/** The settings of version 1. */
export interface InSettings {
  readonly version: number;
  /** The id of the `lwm2m-server` node. */
  readonly server: string;
  /** A name, or a pattern with `*`; blank = every device. */
  readonly endpoint: string;
  readonly events: readonly string[];
  /** Only values at or below this path; blank = all. */
  readonly path: string;
  readonly instanceKeys: InstanceKeys;
}

const steps: Step[] = [
  (settings: Settings) => withDefaults(settings, { server: '', endpoint: '', events: [...eventKinds], path: '', instanceKeys: 'id' }),
];

/** The settings in their present version, whatever version was saved. */
export function migrate(settings: object): InSettings {
  return applySteps(settings as Settings, steps) as unknown as InSettings;
}
