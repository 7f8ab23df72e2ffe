import type { DataNode } from '../../lwm2m/types';
import { formatPath, isWithin } from '../../lwm2m/path';
import type { DeviceRequest, DeviceResponse } from '../types';
import { exists, type World } from '../world';
import { TLV } from './formats';
import { applyWrites, decode, planWrites } from './write';

const MAX_INSTANCES = 16;
const MAX_ID = 65534;

/** Create (Core TS 1.1.1 6.3.6): an instance with the id and values of the payload, or with a free id and defaults. */
export function create(world: World, request: DeviceRequest, path: readonly number[]): DeviceResponse {
  const [objectId = -1] = path;
  const object = world.objects.get(objectId);
  if (path.length !== 1) return { code: '4.05' };
  if (!object) return { code: '4.04' };
  if (!object.create) return { code: '4.05' };
  if (object.instances.size >= MAX_INSTANCES) return { code: '4.00' };

  const free = freeId(object.instances);
  let nodes: DataNode[] = [];
  if (request.payload.length > 0) {
    const decoded = decode(world, request, withoutId(request) ? [objectId, free] : [objectId]);
    if ('refused' in decoded) return { code: decoded.refused };
    nodes = decoded;
  }
  const id = nodes[0]?.path[1] ?? free;
  if (id > MAX_ID || object.instances.has(id) || nodes.some((node) => !isWithin(node.path, [objectId, id]))) return { code: '4.00' };
  const plan = planWrites(world, nodes, true);
  if ('refused' in plan) return { code: plan.refused };
  object.instances.set(id, object.create());
  applyWrites(world, plan);
  world.actions.add('objects-changed');
  return { code: '2.01', location: [String(objectId), String(id)] };
}

/** TLV may hold the resources bare, without an object instance around them; then the device chooses the id. */
function withoutId(request: DeviceRequest): boolean {
  return request.contentFormat === TLV && (request.payload[0] ?? 0) >> 6 !== 0;
}

function freeId(instances: ReadonlyMap<number, unknown>): number {
  let id = 0;
  while (instances.has(id)) id += 1;
  return id;
}

/** Delete (Core TS 1.1.1 6.3.7) of an instance of an object whose instances the server may create. */
export function remove(world: World, path: readonly number[]): DeviceResponse {
  const [objectId = -1, instanceId = -1] = path;
  if (path.length === 0) return { code: '4.05' };
  if (!exists(world, path)) return { code: '4.04' };
  const object = world.objects.get(objectId);
  if (path.length !== 2 || !object?.create) return { code: '4.05' };
  object.instances.delete(instanceId);
  const prefix = formatPath(path);
  const below = (key: string): boolean => key === prefix || key.startsWith(`${prefix}/`);
  for (const key of [...world.attributes.keys()].filter(below)) world.attributes.delete(key);
  for (const key of [...world.held].filter(below)) world.held.delete(key);
  world.actions.add('objects-changed');
  return { code: '2.02' };
}
