/**
 * The composition root: the only file that knows every floor. A plain Node.js program can use it as well as the nodes.
 */
import type { Clock } from './transport/types';
import type { DeviceEntry, UnknownDevices } from './credentials/types';
import type { Observation, Operation, OperationOptions, OperationResult, Registration, ServerEvent } from './server/types';

export type * from './server/types';
export type * from './credentials/types';
export type * from './lwm2m/types';
export type * from './rpc/types';

/** What a server is made from. Every field has a default. */
export interface Lwm2mServerOptions {
  /** UDP port for plain CoAP; 0 takes any free one. Default 5683. */
  readonly port?: number;
  /** Local address; default all addresses, IPv4 and IPv6. */
  readonly host?: string;
  /** Socket receive buffer in bytes; default the system's. */
  readonly receiveBuffer?: number;
  /** Default 'refuse'. */
  readonly unknownDevices?: UnknownDevices;
  readonly devices?: readonly DeviceEntry[];
  /** A JSON file with more device entries, read at start. */
  readonly devicesFile?: string;
  /** Milliseconds for one operation, when neither the call nor the device says otherwise. Default 120000. */
  readonly timeout?: number;
  readonly clock?: Clock;
}

/** Counters since start; every name is stable. */
export type ServerStats = Readonly<Record<string, number>>;

/** A running LwM2M server. */
export interface Lwm2mServer {
  /** Opens the sockets. Rejects with an Error whose `code` is the system's (EADDRINUSE ...). */
  start(): Promise<void>;
  /** Ends every exchange with reason `closed` and frees the port. */
  close(): Promise<void>;
  /** The port in use, once started. */
  readonly port: number;
  readonly listening: boolean;
  /** Returns a function that ends the subscription. A listener that throws does not harm the others. */
  subscribe(listener: (event: ServerEvent) => void): () => void;
  registrations(): Registration[];
  registration(endpoint: string): Registration | undefined;
  observations(endpoint: string): Observation[];
  /** Never rejects. */
  perform(endpoint: string, operation: Operation, options?: OperationOptions): Promise<OperationResult>;
  stats(): ServerStats;
}
