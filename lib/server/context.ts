import type { CoapEndpoint } from '../coap/endpoint';
import type { DeviceTable } from '../credentials/device-table';
import type { Model } from '../model/types';
import type { Clock } from '../transport/types';
import type { StateKeeper } from './keeper';
import type { LastValues } from './last-values';
import type { ObservationTable } from './observations';
import type { QueueSettings } from './presence';
import type { Profiles } from './profiles';
import type { Registrations } from './registrations';
import type { Observation, Registration, ServerEvent } from './types';

/** Counters of the services. Readable at any time; every name is stable. */
export interface ServerCounters {
  registers: number;
  updates: number;
  deregisters: number;
  expirations: number;
  /** Registrations ended because the credentials of their devices were removed or changed. */
  revocations: number;
  refused: number;
  sends: number;
  notifications: number;
  /** Payloads of devices that could not be read. */
  undecodable: number;
  operations: number;
  /** Commands refused because too many were under way. */
  busyOperations: number;
  /** Commands that had to wait for their device. */
  commandsQueued: number;
  /** Commands whose time ended before their device was reached. */
  commandsExpired: number;
  /** Commands refused because too many waited. */
  commandsOverflowed: number;
  /** Registers and Sends put off with 5.03 because the flows could not follow. */
  shed: number;
  /** Errors that should not have happened; each is reported. */
  internalErrors: number;
}

/** Those counters, and how much there is at the moment. */
export type CoreCounters = Readonly<ServerCounters> & {
  readonly registrations: number;
  readonly observations: number;
  readonly pendingOperations: number;
  readonly waitingCommands: number;
};

/** All at 0. */
export function newServerCounters(): ServerCounters {
  return {
    registers: 0,
    updates: 0,
    deregisters: 0,
    expirations: 0,
    revocations: 0,
    refused: 0,
    sends: 0,
    notifications: 0,
    undecodable: 0,
    operations: 0,
    busyOperations: 0,
    commandsQueued: 0,
    commandsExpired: 0,
    commandsOverflowed: 0,
    shed: 0,
    internalErrors: 0,
  };
}

/** What the services of one server share. */
export interface ServerContext {
  readonly endpoint: CoapEndpoint;
  readonly clock: Clock;
  readonly model: Model;
  devices: DeviceTable;
  readonly registrations: Registrations;
  readonly observations: ObservationTable;
  readonly lastValues: LastValues;
  readonly profiles: Profiles;
  readonly keeper: StateKeeper;
  readonly counters: ServerCounters;
  /** Default time for one operation, ms. */
  timeout: number;
  /** Commands under way at most; one more fails with BUSY. */
  maxOperations: number;
  queue: QueueSettings;
  /** The device has said something; its answer, if any, is on the wire. */
  readonly heard: (registration: Registration) => void;
  /** The registration of the device has ended, and no other one took its place. */
  readonly left: (endpoint: string) => void;
  /** Whether the flows are so far behind that new work has to be put off. */
  readonly overloaded: () => boolean;
  /** To be called only after the answer to the device is on the wire. */
  readonly emit: (event: ServerEvent) => void;
  /** Ends the operations under way of a registration that is over. */
  readonly endOperations: (registrationId: string, detail: string) => void;
  /** Asks again for what a device observed before it registered anew. */
  readonly observeAgain: (registration: Registration, observations: readonly Observation[]) => void;
  /** A due time may have moved. */
  readonly changed: () => void;
}
