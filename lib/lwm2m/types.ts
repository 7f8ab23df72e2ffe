/** The words of LwM2M (Core TS): paths, typed values. Plain data, pure functions. */

/** LwM2M data types (Core TS appendix C). `none` is an executable resource, or a type nobody knows. */
export type ResourceType = 'string' | 'integer' | 'unsigned' | 'float' | 'boolean' | 'opaque' | 'time' | 'objlnk' | 'corelnk' | 'none';

/**
 * One value inside the house, whatever format carried it.
 * integer, unsigned: number, or bigint where a number would not be exact. float: number. time: seconds since 1970
 * (may have a fraction; a bigint where a number would not be exact). boolean. string, corelnk: string. opaque: Uint8Array. objlnk: text "object:instance".
 */
export type Value = string | number | bigint | boolean | Uint8Array;

/**
 * One element of a device's tree. `path` has 3 ids (single resource) or 4 (resource instance).
 * `value` null says that the element is there but empty: path length 3 = a resource without a value or a multiple
 * resource without instances, length 2 = an instance without readable resources, length 1 = an object without instances.
 * A gateway's prefix is not part of it.
 */
export interface DataNode {
  readonly path: readonly number[];
  readonly type: ResourceType;
  readonly value: Value | null;
  /** Seconds since 1970 (absolute), where the device gave a time for this value. */
  readonly time?: number;
  /** In a Write-Composite of LwM2M 1.2 (SenML-ETCH, RFC 8790): this resource instance shall be deleted. Its `value` is null. */
  readonly remove?: true;
}

/** Where an operation points: `/3`, `/3/0`, `/3/0/9`, `/3/0/6/1`, or `/` (empty). Every id is 0 to 65534 (65535 is reserved, Core TS 7.1). */
export interface Path {
  readonly ids: readonly number[];
  /** The object version written after the object id, as in `/3_1.1/0/9`. */
  readonly version?: string;
}

export type Lwm2mVersion = '1.0' | '1.1' | '1.2';
