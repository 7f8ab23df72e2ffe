import type { Observation, Operation, OperationResult, Registration } from './types';

/** What goes along with a server, on the floor above: it hears more than events tell, and has records of its own. */
export interface Companion {
  /** Whether it sees to it itself that an observation of a device that has registered anew runs again. */
  owns(observation: Observation): boolean;
  /** An operation leaves for the device. */
  began(registration: Registration, operation: Operation): void;
  /** How it ended; called before its giver hears of it. */
  ended(registration: Registration, operation: Operation, result: OperationResult): void;
  /** What is to be kept of a device, plain data; undefined when there is nothing any more. */
  record(endpoint: string): unknown;
  /** Takes a record back, after all that the server restores. False when it is damaged. */
  restore(endpoint: string, record: unknown): boolean;
}
