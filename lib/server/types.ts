import type { Identity } from '../transport/types';
import type { DataNode, Lwm2mVersion, Path, ResourceType } from '../lwm2m/types';
import type { ServerStats } from './stats';

/** One link of a registration's object list (RFC 6690; Core TS 6.2.1), as far as it names objects. */
export interface ObjectLink {
  readonly objectId: number;
  readonly instanceId?: number;
  /** As the device wrote it on this link. */
  readonly version?: string;
}

/** A registered device. Plain data; `id` is the `/rd/<id>` of its Location-Path. */
export interface Registration {
  readonly id: string;
  readonly endpoint: string;
  readonly lwm2mVersion: Lwm2mVersion;
  /** Seconds; 0 = never expires. */
  readonly lifetime: number;
  readonly binding: string;
  readonly queueMode: boolean;
  readonly smsNumber?: string;
  /** Query parameters nobody standardised, kept as they came. */
  readonly extra: Readonly<Record<string, string>>;
  /** The path prefix of a client that is not at the root, e.g. "/lwm2m"; else "". */
  readonly rootPath: string;
  /** Content formats the client announced (`ct` of the root link). */
  readonly contentFormats: readonly number[];
  readonly objects: readonly ObjectLink[];
  /** Object id -> version, announced or the default of the LwM2M version. */
  readonly versions: ReadonlyMap<number, string>;
  readonly identity: Identity;
  readonly address: string;
  readonly port: number;
  /** Epoch ms. */
  readonly registeredAt: number;
  readonly updatedAt: number;
  /** When anything of the device came last: a registration message, a value, an answer. Changes in place; after a restart `updatedAt`. */
  readonly lastSeenAt: number;
}

/** An observation as plain data. */
export interface Observation {
  /** Hex of the token. */
  readonly id: string;
  readonly registrationId: string;
  readonly endpoint: string;
  /** The path; of a composite observation the root. */
  readonly path: Path;
  /** Observe-Composite: what is observed. */
  readonly paths?: readonly Path[];
  /** Observe-Composite: the format in which the paths went; a cancellation repeats them. */
  readonly requestFormat?: number;
  /** Attributes of this observation only (LwM2M 1.2); part of the request that a cancellation repeats. */
  readonly attributes?: Attributes;
  readonly contentFormat?: number;
  /** The Accept it was asked with; a cancellation repeats it (RFC 7641 3.6). */
  readonly accept?: number;
  readonly startedAt: number;
}

/** Who gave a command: what finds the way back after a restart. */
export interface CommandOrigin {
  readonly nodeId: string;
  /** Plain data of the caller, handed back as it is with the result. */
  readonly context: unknown;
}

/** A command that waits for its device, or is on its way to one in queue mode. */
export interface QueuedCommand {
  /** For `cancelQueued`. */
  readonly id: string;
  readonly endpoint: string;
  readonly operation: Operation;
  /** Epoch ms. */
  readonly queuedAt: number;
  readonly expiresAt: number;
  readonly sending: boolean;
  /** 1 = the next one to be sent, 0 = on its way. */
  readonly position: number;
  readonly nodeId?: string;
}

/** On the result of a command that had to wait. */
export interface QueueFacts {
  /** Commands of the device that still wait. */
  readonly waiting: number;
  /** The place at which this one began to wait, 1 = the first. */
  readonly position: number;
}

/** `revoked`: what the device proved who it is by does not count any more. */
export type RegistrationEnd = 'deregistered' | 'expired' | 'replaced' | 'revoked';

/** What stands behind a key. */
export interface KeyedFact {
  /** Of the resource. */
  readonly path: string;
  readonly type: ResourceType;
  readonly unit?: string;
}

export interface KeyedValues {
  readonly kind: 'telemetry' | 'attributes';
  readonly at: number;
  readonly registration: Registration;
  /** Epoch ms: as the device gave it, else when they came. */
  readonly time: number;
  /** As the message contract has them; a multiple resource by instance id. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly keys: Readonly<Record<string, KeyedFact>>;
  /** Name of the profile. */
  readonly profile: string;
}

/** Everything the server reports. Each event is plain data; times are epoch ms. */
export type ServerEvent =
  | { readonly kind: 'registered'; readonly at: number; readonly registration: Registration }
  | { readonly kind: 'replaced'; readonly at: number; readonly registration: Registration; readonly by: Registration }
  | { readonly kind: 'updated'; readonly at: number; readonly registration: Registration; readonly changed: readonly string[] }
  | {
      readonly kind: 'address-changed';
      readonly at: number;
      readonly registration: Registration;
      readonly from: { readonly address: string; readonly port: number };
    }
  /** By the device, or, with a `reason`, by the server. */
  | { readonly kind: 'deregistered'; readonly at: number; readonly registration: Registration; readonly reason?: string }
  | { readonly kind: 'expired'; readonly at: number; readonly registration: Registration }
  /** A device in queue mode listens; `waiting` commands are sent to it now. */
  | { readonly kind: 'awake'; readonly at: number; readonly registration: Registration; readonly waiting: number }
  /** It listens no more: its time is over, or it did not acknowledge. */
  | { readonly kind: 'sleeping'; readonly at: number; readonly registration: Registration; readonly waiting: number }
  | {
      /** The result of a waiting command that was given before the server was restarted. */
      readonly kind: 'command';
      readonly at: number;
      readonly endpoint: string;
      readonly id: string;
      readonly operation: Operation;
      readonly result: OperationResult;
      readonly origin?: CommandOrigin;
    }
  | {
      readonly kind: 'refused';
      readonly at: number;
      readonly endpoint: string;
      readonly address: string;
      readonly port: number;
      readonly code: string;
      readonly reason: string;
      /** What the user can do about it. */
      readonly hint: string;
    }
  | {
      readonly kind: 'notification';
      readonly at: number;
      readonly registration: Registration;
      readonly observation: Observation;
      readonly nodes: readonly DataNode[];
      readonly contentFormat: number | undefined;
      readonly code: string;
      /** RFC 7641 sequence number. */
      readonly sequence: number | undefined;
      /** How many earlier notifications, that the flows had no time for, this one stands for as well. */
      readonly coalesced?: number;
    }
  | {
      readonly kind: 'observation-ended';
      readonly at: number;
      readonly registration: Registration;
      readonly observation: Observation;
      readonly reason: string;
      readonly code?: string;
    }
  | {
      readonly kind: 'send';
      readonly at: number;
      readonly registration: Registration;
      readonly nodes: readonly DataNode[];
      readonly contentFormat: number | undefined;
    }
  /** Values under the keys of the device's profile, of one time each. */
  | KeyedValues
  | {
      /** Something a person should know of, and that no other event tells: values of a device that got lost, objects nobody knows, failed handshakes. */
      readonly kind: 'log';
      readonly at: number;
      /** Absent where it is about no device that is registered. */
      readonly registration?: Registration;
      /** The device, where it is known without a registration. */
      readonly endpoint?: string;
      readonly level: 'info' | 'warn';
      readonly text: string;
      /** Why a handshake failed, as one word. */
      readonly reason?: string;
      /** It tells what went to and fro, as one of many. */
      readonly transport?: true;
    }
  | {
      /** The counters, every `interval` seconds. */
      readonly kind: 'stats';
      readonly at: number;
      readonly interval: number;
      readonly counters: ServerStats;
    };

/** Notification attributes as they go into a query (Core TS 7.3): name and value; null, the bare name, removes it. */
export type Attributes = readonly (readonly [name: string, value: string | null])[];

/** One operation on one device (Core TS 6.3, 6.4). DiscoverAll and ObserveReadAll ask nothing of the device: the server knows. */
export type Operation =
  | { readonly kind: 'Read'; readonly path: Path }
  | { readonly kind: 'ReadComposite'; readonly paths: readonly Path[] }
  /** `depth`, LwM2M 1.2: levels below the path, 0 to 3. */
  | { readonly kind: 'Discover'; readonly path: Path; readonly depth?: number }
  | { readonly kind: 'DiscoverAll' }
  | { readonly kind: 'WriteReplace'; readonly path: Path; readonly nodes: readonly DataNode[] }
  | { readonly kind: 'WriteUpdate'; readonly path: Path; readonly nodes: readonly DataNode[] }
  /** Each node lies at or below one of `paths`. */
  | { readonly kind: 'WriteComposite'; readonly paths: readonly Path[]; readonly nodes: readonly DataNode[] }
  | { readonly kind: 'WriteAttributes'; readonly path: Path; readonly attributes: Attributes }
  | { readonly kind: 'Execute'; readonly path: Path; readonly args?: string }
  /** `path` is the object, or the new instance; the nodes lie below `path` or, without an instance id, below instance 0 of it. */
  | { readonly kind: 'Create'; readonly path: Path; readonly nodes: readonly DataNode[] }
  | { readonly kind: 'Delete'; readonly path: Path }
  /** `attributes`, LwM2M 1.2: of this observation only. */
  | { readonly kind: 'Observe'; readonly path: Path; readonly attributes?: Attributes }
  | { readonly kind: 'ObserveComposite'; readonly paths: readonly Path[]; readonly attributes?: Attributes }
  | { readonly kind: 'ObserveCancel'; readonly path: Path }
  | { readonly kind: 'ObserveCompositeCancel'; readonly paths: readonly Path[] }
  | { readonly kind: 'ObserveCancelAll' }
  | { readonly kind: 'ObserveReadAll' };

/** Per operation; blank means the server's default. */
export interface OperationOptions {
  /** Milliseconds for the whole operation. */
  readonly timeout?: number;
  readonly contentFormat?: number;
  /** How long it may wait for a device in queue mode, ms; `timeout` counts from when it is sent. */
  readonly ttl?: number;
  readonly origin?: CommandOrigin;
  /** Ends with `EXPIRED` when the device sleeps, or falls asleep before it has answered, and is not kept. */
  readonly whileAwake?: boolean;
  /** What a write that was done has written counts as the device's last values also where it cannot be read. */
  readonly learn?: boolean;
  /** A composite is done path by path, for devices without composite operations; for others it changes nothing. */
  readonly oneByOne?: boolean;
}

/** What the device said, or why it could not be asked. */
export type OperationResult =
  | {
      readonly kind: 'answer';
      /** CoAP code as text, e.g. "2.05". */
      readonly code: string;
      /** The name the result carries: CONTENT, CHANGED, NOT_FOUND ... */
      readonly result: string;
      readonly ok: boolean;
      readonly nodes?: readonly DataNode[];
      /** Discover: the links as the device sent them; DiscoverAll: as it registered them. */
      readonly links?: string;
      /** Create: the path of the new instance, where the device gave one or we did. */
      readonly location?: readonly number[];
      /** ObserveCancel, ObserveCompositeCancel, ObserveCancelAll: how many observations ended. */
      readonly cancelled?: number;
      /** ObserveReadAll: what is observed. */
      readonly observations?: readonly Observation[];
      /** The device's diagnostic text on an error. */
      readonly error?: string;
      readonly contentFormat?: number;
      /** Observe: the observation that now runs; absent when the device answered without observing. */
      readonly observation?: Observation;
      readonly rtt: number;
      readonly registration: Registration;
      readonly warnings?: readonly string[];
      readonly queue?: QueueFacts;
    }
  | {
      readonly kind: 'failed';
      readonly code: FailureCode;
      readonly error: string;
      readonly registration?: Registration;
      readonly queue?: QueueFacts;
    };

/** Why a command was not done at all; the `code` of `done(error)`. */
export type FailureCode =
  | 'UNKNOWN_ENDPOINT'
  | 'BAD_REQUEST'
  | 'METHOD_NOT_ALLOWED'
  | 'TIMEOUT_NO_ACK'
  | 'TIMEOUT_NO_RESPONSE'
  | 'RESET'
  | 'UNREACHABLE'
  | 'TOO_LARGE'
  | 'BAD_RESPONSE'
  | 'EXPIRED'
  | 'CANCELLED'
  | 'CLOSED'
  | 'BUSY';
