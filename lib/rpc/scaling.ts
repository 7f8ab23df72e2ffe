import { fromDevice, toDevice, type Scale } from '../profile/scale';
import type { Command } from './types';
import type { Target } from './targets';
import { isRecord } from './errors';

/** By key, where it is not 1 and 0. */
export type Scales = Readonly<Record<string, Scale>>;

const own = (scales: Scales, key: unknown): Scale | undefined =>
  typeof key === 'string' && Object.hasOwn(scales, key) ? scales[key] : undefined;

/** A command as the device is to have it: what is written by key in the unit of the device. */
export function scaledIn(command: Command, scales: Scales): Command {
  if (Object.keys(scales).length === 0) return command;
  const { key, value, nodes } = command.params;
  const scale = own(scales, key);
  if (scale && value !== undefined) return { ...command, params: { ...command.params, value: toDevice(value, scale) } };
  if (!isRecord(nodes)) return command;
  const entries = Object.entries(nodes).map(([name, each]) => {
    const other = own(scales, name);
    return [name, other ? toDevice(each, other) : each] as const;
  });
  return { ...command, params: { ...command.params, nodes: Object.fromEntries(entries) } };
}

/** The value of an answer by key, `{ key: value }`, in the unit of the profile. */
export function scaledOut(value: unknown, targets: readonly Target[], scales: Scales): unknown {
  if (Object.keys(scales).length === 0 || !isRecord(value)) return value;
  const keys = new Set(targets.map(({ key }) => key));
  const entries = Object.entries(value).map(([name, each]) => {
    const scale = keys.has(name) ? own(scales, name) : undefined;
    return [name, scale ? fromDevice(each, scale) : each] as const;
  });
  return Object.fromEntries(entries);
}
