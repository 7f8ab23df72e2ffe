import type { Lwm2mVersion, Value } from '../../lwm2m/types';
import type { Random } from '../random';
import type { DeviceAction, Instance, ResourceValue } from '../types';

/** What the objects may know and do. Times are in seconds. */
export interface Surroundings {
  readonly random: Random;
  readonly version: Lwm2mVersion;
  /** What the registration uses at first; from then on the Server object is the truth. */
  readonly lifetime: number;
  readonly binding: 'U' | 'UQ';
  readonly seed: number;
  /** Seconds since 1970. */
  wall(): number;
  get(path: readonly number[]): ResourceValue | undefined;
  /** Changes a resource, unless a flow has set it: what a flow says stays said. */
  put(path: readonly number[], value: ResourceValue): void;
  ask(action: DeviceAction): void;
}

/** One object: its values, and what is particular about it. Which resources may be read, written or executed is the model's matter. */
export interface SimulatedObject {
  readonly id: number;
  readonly version: string;
  readonly instances: Map<number, Instance>;
  /** `now`: monotonic seconds. */
  readonly tick?: (now: number) => void;
  /** False: not in this state (answered with 4.05). */
  readonly execute?: (resource: number) => boolean;
  /** The refusal of a value the server wants to write; undefined takes it. */
  readonly refuse?: (resource: number, value: Value) => '4.00' | '4.05' | undefined;
  readonly written?: (resource: number) => void;
  /** A new instance; an object without this cannot be created or deleted by the server. */
  readonly create?: () => Instance;
}

/** True once each time `period()` seconds have passed since the last time (first: since the first call). */
export function every(period: () => number): (now: number) => boolean {
  let next: number | undefined;
  return (now) => {
    if (next !== undefined && now < next) return false;
    const due = next !== undefined;
    next = now + period();
    return due;
  };
}

/** `value` with so many decimals, as a sensor would give it. */
export function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
