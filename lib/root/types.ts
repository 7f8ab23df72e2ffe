import type { CoapLimits } from '../coap/params';
import type { ListedDevice } from '../credentials/device-table';
import type { DeviceEntry } from '../credentials/types';
import type { Model } from '../model/types';
import type { ModelProblem, ModelScope } from '../models/registry';
import type { ModelFile } from '../models/types';
import type { LearnedProfile } from '../profile/learn';
import type { ProfilePreview } from '../profile/remarks';
import type { ProfileError, ProfileSettings } from '../profile/types';
import type { LastValue } from '../server/last-values';
import type { QueueSettings } from '../server/presence';
import type { ServerStats } from '../server/stats';
import type {
  KeyedValues,
  Observation,
  Operation,
  OperationOptions,
  OperationResult,
  QueuedCommand,
  Registration,
  ServerEvent,
} from '../server/types';
import type { Clock } from '../transport/types';
import type { SecurityOptions } from './security';

/** What a server is made from. Every field has a default. */
export interface Lwm2mServerOptions extends SecurityOptions {
  /** Names the server in errors. */
  readonly name?: string;
  /** UDP port for plain CoAP; 0 takes any free one. Default 5683. */
  readonly port?: number;
  /**
   * Local address; default all addresses, IPv4 and IPv6, in one socket each. Of a list every address has a socket of its own,
   * so that answers leave from the address that was asked; '*each' stands for every address of the machine.
   */
  readonly host?: string | readonly string[];
  /** Receive buffer of a socket in bytes; default the system's. */
  readonly receiveBuffer?: number;
  /** Limits of the CoAP engine, see `CoapLimits`; of several servers on one port those of the first hold. */
  readonly limits?: Partial<CoapLimits>;
  /** Milliseconds for one operation, when neither the call nor the device says otherwise. Default 120000. */
  readonly timeout?: number;
  /** Commands under way at most; one more fails with BUSY. Default 2000. */
  readonly maxOperations?: number;
  /** Awake windows and waiting commands of devices in queue mode, see `QueueSettings`. */
  readonly queue?: Partial<QueueSettings>;
  /** Events handed over in one turn of the event loop. Default 40. */
  readonly eventsPerTurn?: number;
  /** Milliseconds by which timers may be late before Registers and Sends are put off with 5.03. Default 1000. */
  readonly maxLoopDelay?: number;
  /** A folder for what must outlive the process: registrations, observations, last values. Default: nothing is kept. */
  readonly storeDir?: string;
  /** Under which name this server finds its records again, where several share a folder. Default: its name. */
  readonly storeId?: string;
  /** Hears what a person should know of the store: where it is damaged, cannot be written ... Default: nobody does. */
  readonly onNotice?: (text: string) => void;
  /** A device that registers anew is asked again for what it observed. Default true. */
  readonly observeAgain?: boolean;
  /** What goes to and fro between server and devices as `log` events, in words, without values. Default true. */
  readonly transportLog?: boolean;
  /** Seconds between two `stats` events, at least 1; 0, the default, for none. */
  readonly statsInterval?: number;
  /** A folder of object definition files (OMA XML), watched while the server runs. It may be missing, and come later. */
  readonly modelsDir?: string;
  /** The same with definitions that win over those in `modelsDir`; usually a sub-folder of it. */
  readonly ownModelsDir?: string;
  /** Hears of each definition file that cannot be used, when it is read. */
  readonly onModelProblem?: (problem: ModelProblem) => void;
  readonly clock?: Clock;
  /** Hears of errors that should not have happened; default: they are only counted. */
  readonly onError?: (error: unknown) => void;
}

/** A running LwM2M server. */
export interface Lwm2mServer {
  /** Opens the sockets. Rejects with an Error whose `code` is the system's (EADDRINUSE ...) or ROUTE_TAKEN. */
  start(): Promise<void>;
  /** Ends every exchange with reason `closed` and frees the port. */
  close(): Promise<void>;
  /** The port in use, once started. */
  readonly port: number;
  /** The port of CoAP over DTLS, once started; 0 where there is none. */
  readonly securePort: number;
  readonly listening: boolean;
  /** How many devices are registered. */
  readonly size: number;
  /** Returns a function that ends the subscription. A listener that throws does not harm the others. */
  subscribe(listener: (event: ServerEvent) => void): () => void;
  registrations(): Registration[];
  registration(endpoint: string): Registration | undefined;
  observations(endpoint: string): Observation[];
  /** What a device said last, by path text ("/3/0/9"), whatever carried it. */
  lastValues(endpoint: string): ReadonlyMap<string, LastValue>;
  /** What a device is being asked, and will be asked when it wakes. */
  underway(endpoint: string): readonly Operation[];
  /** Endpoint names of registered devices that the present device table would refuse. */
  unwelcome(): string[];
  /** All devices known in advance, from dialog, file and flows, without keys. */
  knownDevices(): ListedDevice[];
  /**
   * Adds a device, kept in the store; it may connect at once. Throws `CredentialsError`: BAD_ENTRY, EXISTS, IDENTITY_TAKEN,
   * CLOSED while the server does not run.
   */
  addDevice(device: DeviceEntry): ListedDevice;
  /** The same of one that was added before, or UNKNOWN_ENDPOINT. Another key or identity ends its session and registration. */
  replaceDevice(device: DeviceEntry): ListedDevice;
  /** Throws `CredentialsError` UNKNOWN_ENDPOINT for what was not added so. Ends its session and registration. */
  removeDevice(endpoint: string): void;
  /**
   * All profiles from now on; until they are given the first time nothing is asked because of one. Devices are asked for the difference.
   * Returns those that cannot be used: their devices are left as they are.
   */
  setProfiles(profiles: readonly ProfileSettings[]): { readonly id: string; readonly error: ProfileError }[];
  /** The profile of a device, where it has one. */
  profileOf(endpoint: string): { readonly id: string; readonly name: string } | undefined;
  /** The requests a profile would make to a registered device. Throws `ProfileError`, or Error in words. */
  previewProfile(endpoint: string, profile: ProfileSettings): ProfilePreview;
  /** A profile of what a registered device has. Rejects with an Error in words. */
  learnProfile(endpoint: string): Promise<LearnedProfile>;
  /** Path by key, of what a registered device has of its profile. */
  keysOf(endpoint: string): Readonly<Record<string, string>>;
  /** How values under such keys are scaled, where they are. */
  scalesOf(endpoint: string): Readonly<Record<string, { readonly factor: number; readonly offset: number }>>;
  /** What a device said last under its keys: at most one event of telemetry and one of attributes. */
  currentValues(endpoint: string): KeyedValues[];
  /** The object definitions in use; always the present ones, so it can be kept. */
  readonly model: Model;
  /** The definition files of a folder, after a new look at it; none while the server does not run. */
  modelFiles(scope: ModelScope): Promise<readonly ModelFile[]>;
  /**
   * Never rejects. With a store, a command that waits for a device in queue mode outlives the server: its result is then a
   * `command` event of the next one, and the promise stays open.
   */
  perform(endpoint: string, operation: Operation, options?: OperationOptions): Promise<OperationResult>;
  /** The commands of a device in queue mode, in the order in which they are sent. */
  queue(endpoint: string): QueuedCommand[];
  /** Ends a command of `queue` with `CANCELLED`; false when there is none of this id any more. */
  cancelQueued(id: string): boolean;
  /** Ends all commands of a node that wait, for one device or for all, with `CANCELLED`; one on its way goes on. Returns how many. */
  cancelWaitingOf(nodeId: string, endpoint?: string): number;
  /** How many commands of a node wait for their devices. */
  waitingOf(nodeId: string): number;
  /** Whether a device in queue mode listens; undefined when it always does, or is not registered. */
  awake(endpoint: string): boolean | undefined;
  /** The counters since the start, and sizes, at any time; of several servers on one port those of CoAP are the port's. */
  stats(): ServerStats;
  /** Keeps all events until `resumeEvents`, because nobody can take them now; what is too much is lost, and counted (`eventsLost`). */
  pauseEvents(): void;
  /** Returns how many events were lost since the pause began. */
  resumeEvents(): number;
  /** Takes out the events that wait, for a server that takes the place of this one. */
  takeEvents(): ServerEvent[];
  /** Events that a server before this one could not hand over; they are kept until `resumeEvents`. */
  inheritEvents(events: readonly ServerEvent[]): void;
  /** Resolves when all that has to outlive the process is in the store. Never rejects. */
  flush(): Promise<void>;
  /** Whether the open sockets keep the process alive. */
  keepAlive(on: boolean): void;
  /** New device table, times and listeners for errors for a running server. Throws as `createLwm2mServer` does. */
  configure(options: Lwm2mServerOptions): void;
}
