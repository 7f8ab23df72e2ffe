import type { Model } from '../model/types';
import type { Observation, Operation, OperationOptions, OperationResult, Registration, ServerEvent } from '../server/types';

/** What profiles need of a server. */
export interface ProfileHost {
  readonly model: Model;
  registrations(): readonly Registration[];
  registration(endpoint: string): Registration | undefined;
  observations(endpoint: string): readonly Observation[];
  /** Undefined for a device that always listens. */
  awake(endpoint: string): boolean | undefined;
  /** The name of the profile that the device table has for it. */
  wanted(endpoint: string): string | undefined;
  /** Never rejects. */
  perform(endpoint: string, operation: Operation, options: OperationOptions): Promise<OperationResult>;
  tell(event: ServerEvent): void;
  /** What is kept of this device has changed. */
  touch(endpoint: string): void;
  /** Epoch ms. */
  wall(): number;
  /** Monotonic ms. */
  now(): number;
  /** Hears of errors that should not have happened. */
  onError(error: unknown): void;
  /** A due time may have moved. */
  changed(): void;
}
