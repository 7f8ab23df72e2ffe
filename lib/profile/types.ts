import type { Attributes } from '../server/types';

/**
 * How what is observed is asked for: each resource by itself (`single`), the resources of an object in one Observe-Composite
 * (`composite-by-object`), or all of them in one (`composite`).
 */
export type ObserveStrategy = 'single' | 'composite-by-object' | 'composite';

/** How what is only read is read: each resource by itself, or composite, divided as the strategy divides. */
export type InitialRead = 'single' | 'composite';

/** One resource of a profile, as people write it. */
export interface ResourceEntry {
  // "/3/0/9"; "/3_1.2/0/9" for version 1.2 of the object; "/3303/*/5700" for every instance the device has.
  readonly path: string;
  /** Under which its values appear; default `keyName` of the resource. Of every instance but 0 the id follows, unless a `*` in it says where. */
  readonly key?: string;
  /** Default false. */
  readonly telemetry?: boolean;
  /** Default false. */
  readonly attribute?: boolean;
  /** Default false: it is only read. */
  readonly observe?: boolean;
  /** Numbers are multiplied by `factor`, then `offset` is added; a write by key goes the way back. Default 1 and 0. */
  readonly factor?: number;
  readonly offset?: number;
  /** Default: that of the object definition. */
  readonly unit?: string;
}

/** Notification attributes by name; a flag as boolean or 0 and 1. */
export type AttributeValues = Readonly<Record<string, number | boolean | string>>;

/** A profile as people, flows and files write it: plain JSON. */
export interface ProfileDefinition {
  readonly resources: readonly ResourceEntry[];
  /** Notification attributes of objects, object instances and resources, by path as in `resources`. */
  readonly attributes?: Readonly<Record<string, AttributeValues>>;
  /** Default `single`. */
  readonly strategy?: ObserveStrategy;
  /** Default `single`. */
  readonly initialRead?: InitialRead;
  /** LwM2M 1.1: whether the device may send values by itself; default: as the device has it. */
  readonly muteSend?: boolean;
  /** What happens between server and device as telemetry under the key `transportLog` too. Default false. */
  readonly transportLog?: boolean;
}

/** A profile and the devices it is for. */
export interface ProfileSettings {
  /** Of the node, unique. */
  readonly id: string;
  /** By which a device of the device table asks for it. */
  readonly name: string;
  /** Endpoint names and patterns with `*`, separated by commas or line ends; blank = none. */
  readonly endpoints?: string;
  /** For every device that no other profile is for. */
  readonly isDefault?: boolean;
  readonly definition: ProfileDefinition;
}

/** A resource that is read or observed, checked. */
export interface ProfileResource {
  readonly objectId: number;
  /** Undefined = every instance. */
  readonly instanceId: number | undefined;
  readonly resourceId: number;
  /** Of the object, where one is asked for. */
  readonly version: string | undefined;
  readonly key: string;
  readonly telemetry: boolean;
  readonly attribute: boolean;
  readonly observe: boolean;
  readonly factor: number;
  readonly offset: number;
  readonly unit: string | undefined;
  /** Of several instances, where a definition knows it. */
  readonly multiple: boolean;
}

/** Notification attributes of one path pattern, checked but for what depends on the device. */
export interface ProfileAttributes {
  readonly objectId: number;
  /** Undefined = every instance, but of `level` 1, which has none. */
  readonly instanceId: number | undefined;
  readonly resourceId: number | undefined;
  readonly version: string | undefined;
  /** 1 object, 2 object instance, 3 resource. */
  readonly level: number;
  readonly attributes: Attributes;
}

/** A profile that has been checked, ready for use. */
export interface Profile {
  readonly id: string;
  readonly name: string;
  readonly patterns: readonly string[];
  readonly isDefault: boolean;
  readonly resources: readonly ProfileResource[];
  readonly attributes: readonly ProfileAttributes[];
  readonly strategy: ObserveStrategy;
  readonly initialRead: InitialRead;
  readonly muteSend: boolean | undefined;
  readonly transportLog: boolean;
  /** It cannot be used: its devices are left as they are. */
  readonly broken?: true;
  /** What it asks devices for, as text: two profiles that ask for the same have the same. */
  readonly fingerprint: string;
}

/** Something in a profile that cannot be used; `where` names it as its author knows it: "resources[2]", "attributes /3/0". */
export interface ProfileProblem {
  readonly where: string;
  readonly problem: string;
}

/** A profile that cannot be used. */
export class ProfileError extends Error {
  readonly code = 'BAD_PROFILE';
  constructor(
    name: string,
    readonly problems: readonly ProfileProblem[],
  ) {
    const [first] = problems;
    const more = problems.length > 1 ? ` And ${problems.length - 1} more.` : '';
    super(`The profile "${name}" cannot be used. ${first?.where ?? ''}: ${first?.problem ?? ''}${more}`);
    this.name = 'ProfileError';
  }
}
