/** The device without any network: its objects, attributes and what a flow has set. Time enters by `tick` only. */
import type { DataNode, Lwm2mVersion, Value } from '../lwm2m/types';
import { formatPath, isWithin } from '../lwm2m/path';
import type { CodecContext } from '../codec/types';
import type { Model, ResourceDefinition } from '../model/types';
import type { Attributes } from './attributes';
import { createObjects, type SimulatedObject, type Surroundings } from './objects/index';
import { seededRandom } from './random';
import type { DeviceAction, DeviceEvent, Instance, ResourceValue } from './types';

export interface WorldOptions {
  readonly model: Model;
  readonly version: Lwm2mVersion;
  /** Seconds. */
  readonly lifetime: number;
  readonly binding: 'U' | 'UQ';
  readonly seed: number;
  /** Seconds since 1970. */
  readonly wall: () => number;
}

export interface World extends WorldOptions {
  objects: Map<number, SimulatedObject>;
  /** What Write-Attributes left, by path text. */
  readonly attributes: Map<string, Attributes>;
  /** Paths of resources a flow has set; the simulation leaves them alone. */
  readonly held: Set<string>;
  /** What is to be done once the answer is on the wire. */
  readonly actions: Set<DeviceAction>;
  /** What happened, to be told after the answer. */
  readonly events: DeviceEvent[];
}

export function createWorld(options: WorldOptions): World {
  const world: World = { ...options, objects: new Map(), attributes: new Map(), held: new Set(), actions: new Set(), events: [] };
  resetWorld(world);
  return world;
}

/** Everything as it was when the device was new; the clock goes on. */
export function resetWorld(world: World): void {
  const around: Surroundings = {
    random: seededRandom(world.seed),
    version: world.version,
    lifetime: world.lifetime,
    binding: world.binding,
    seed: world.seed,
    wall: world.wall,
    get: (path) => resourceAt(world, path),
    put: (path, value) => {
      if (!world.held.has(formatPath(path))) putResource(world, path, value);
    },
    ask: (action) => void world.actions.add(action),
  };
  world.attributes.clear();
  world.held.clear();
  world.objects = createObjects(around);
}

/** Lets the values live on. `now`: monotonic seconds. */
export function tickWorld(world: World, now: number): void {
  for (const object of world.objects.values()) object.tick?.(now);
}

export function instanceAt(world: World, objectId: number, instanceId: number): Instance | undefined {
  return world.objects.get(objectId)?.instances.get(instanceId);
}

/** The value of a path of 3 ids; undefined when there is no such resource. */
export function resourceAt(world: World, path: readonly number[]): ResourceValue | undefined {
  const [objectId = -1, instanceId = -1, resourceId = -1] = path;
  return instanceAt(world, objectId, instanceId)?.get(resourceId);
}

/** Only into an instance that is there. */
export function putResource(world: World, path: readonly number[], value: ResourceValue): void {
  const [objectId = -1, instanceId = -1, resourceId = -1] = path;
  instanceAt(world, objectId, instanceId)?.set(resourceId, value);
}

export function definitionOf(world: World, objectId: number, resourceId: number): ResourceDefinition | undefined {
  return world.model.resource(objectId, resourceId, world.objects.get(objectId)?.version);
}

/** Whether a path of 1 to 4 ids is there at all. */
export function exists(world: World, path: readonly number[]): boolean {
  const [objectId = -1, instanceId, resourceId, resourceInstanceId] = path;
  const object = world.objects.get(objectId);
  if (!object || instanceId === undefined) return object !== undefined;
  const instance = object.instances.get(instanceId);
  if (!instance || resourceId === undefined) return instance !== undefined;
  const value = instance.get(resourceId);
  if (value === undefined || resourceInstanceId === undefined) return value !== undefined;
  return isMultiple(value) && value.has(resourceInstanceId);
}

/** The readable values at and below a path, in the order of their ids. */
export function readNodes(world: World, path: readonly number[]): DataNode[] {
  const object = world.objects.get(path[0] ?? -1);
  if (!object) return [];
  const nodes: DataNode[] = [];
  for (const [instanceId, instance] of sorted(object.instances)) {
    if (path.length > 1 && instanceId !== path[1]) continue;
    const before = nodes.length;
    for (const [resourceId, value] of sorted(instance)) {
      if (path.length > 2 && resourceId !== path[2]) continue;
      nodes.push(...resourceNodes(world, [object.id, instanceId, resourceId], value).filter((node) => isWithin(node.path, path)));
    }
    if (nodes.length === before && path.length <= 2) nodes.push({ path: [object.id, instanceId], type: 'none', value: null });
  }
  if (nodes.length === 0 && path.length === 1) nodes.push({ path: [object.id], type: 'none', value: null });
  return nodes;
}

function resourceNodes(world: World, path: readonly [number, number, number], value: ResourceValue): DataNode[] {
  const definition = definitionOf(world, path[0], path[2]);
  if (!definition?.operations.includes('R')) return [];
  if (!isMultiple(value)) return [{ path, type: definition.type, value }];
  if (value.size === 0) return [{ path, type: definition.type, value: null }];
  return sorted(value).map(([id, single]) => ({ path: [...path, id], type: definition.type, value: single }));
}

export function isMultiple(value: ResourceValue | undefined): value is ReadonlyMap<number, Value> {
  return value instanceof Map;
}

/** What a codec needs for this path. */
export function codecContext(world: World, path: readonly number[]): CodecContext {
  const versions = new Map([...world.objects.values()].map((object) => [object.id, object.version]));
  return { path, model: world.model, versions, now: world.wall() };
}

export function sorted<T>(map: ReadonlyMap<number, T>): [number, T][] {
  return [...map].sort(([a], [b]) => a - b);
}
