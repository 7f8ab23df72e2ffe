import type { ResourceType } from '../lwm2m/types';

/** Facts of one resource of one object version. */
export interface ResourceDefinition {
  readonly id: number;
  readonly name: string;
  /** Any of R, W; or E; or empty (only a bootstrap server may touch it). */
  readonly operations: 'R' | 'W' | 'RW' | 'E' | '' | 'RE' | 'WE' | 'RWE';
  readonly multiple: boolean;
  readonly mandatory: boolean;
  readonly type: ResourceType;
  /** Range or enumeration as the registry writes it, e.g. "0..100". */
  readonly range?: string;
  readonly units?: string;
}

/** Facts of one object in one version. */
export interface ObjectDefinition {
  readonly id: number;
  readonly name: string;
  /** "1.0" where the registry gives none. */
  readonly version: string;
  readonly multiple: boolean;
  readonly mandatory: boolean;
  readonly resources: ReadonlyMap<number, ResourceDefinition>;
}

/** Looks definitions up. Order: exact version, same major with the highest minor not above, same major, any, undefined. */
export interface Model {
  object(id: number, version?: string): ObjectDefinition | undefined;
  resource(objectId: number, resourceId: number, version?: string): ResourceDefinition | undefined;
}
