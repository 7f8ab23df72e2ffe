import { DecodeError } from '../../codec/errors';
import { formatPath, isWithin } from '../../lwm2m/path';
import type { DataNode, Value } from '../../lwm2m/types';
import type { DeviceRequest, DeviceResponse, ResourceValue } from '../types';
import { codecContext, definitionOf, exists, instanceAt, isMultiple, putResource, resourceAt, type World } from '../world';
import { deviceCodec, SENML_JSON, TEXT, TLV } from './formats';
import { toFlow } from '../flow-values';
import { fits } from './values';

const MAX_RESOURCE_INSTANCES = 64;

type Refusal = { readonly refused: string };
type Planned = { readonly path: readonly [number, number, number]; readonly value: ResourceValue };

/** Write, replacing (PUT) or partial (POST), of an instance, a resource or a resource instance (Core TS 1.1.1 6.3.3). All or nothing. */
export function write(world: World, request: DeviceRequest, path: readonly number[], replace: boolean): DeviceResponse {
  if (path.length < 2) return { code: '4.05' };
  if (!exists(world, path)) return { code: '4.04' };
  if (path.length > 2 && !definitionOf(world, path[0] ?? -1, path[2] ?? -1)?.operations.includes('W')) return { code: '4.05' };
  const nodes = decode(world, request, path);
  if ('refused' in nodes) return { code: nodes.refused };
  if (nodes.some((node) => !isWithin(node.path, path))) return { code: '4.00' };
  const plan = planWrites(world, nodes, replace && path.length < 4);
  if ('refused' in plan) return { code: plan.refused };
  // A payload without values would be a write of nothing; for a whole instance that is meant (TLV of no bytes).
  if (plan.length === 0 && path.length > 2) return { code: '4.00' };
  if (replace && path.length === 2) dropUnwritten(world, path, plan);
  applyWrites(world, plan);
  return { code: '2.04' };
}

/** Write-Composite (Core TS 1.1.1 6.3.9): existing resources of any objects, all or nothing. */
export function writeComposite(world: World, request: DeviceRequest): DeviceResponse {
  const format = request.contentFormat ?? -1;
  if (format < SENML_JSON || format === TLV) return { code: '4.15' };
  const nodes = decode(world, request, []);
  if ('refused' in nodes) return { code: nodes.refused };
  if (nodes.some((node) => !exists(world, node.path.slice(0, 3)))) return { code: '4.04' };
  const plan = planWrites(world, nodes, false);
  if ('refused' in plan) return { code: plan.refused };
  applyWrites(world, plan);
  return { code: '2.04' };
}

/** The payload as nodes; 4.15 for a format the device does not speak, 4.00 for bytes that are not of that format. */
export function decode(world: World, request: DeviceRequest, path: readonly number[]): DataNode[] | Refusal {
  const codec = deviceCodec(world.version, request.contentFormat ?? TEXT);
  if (!codec) return { refused: '4.15' };
  try {
    return codec.decode(request.payload, codecContext(world, path));
  } catch (error) {
    if (error instanceof DecodeError) return { refused: '4.00' };
    throw error;
  }
}

/** Checks every value and says what each resource would hold afterwards. Changes nothing. */
export function planWrites(world: World, nodes: readonly DataNode[], replace: boolean): Planned[] | Refusal {
  const planned = new Map<string, Planned>();
  for (const node of nodes) {
    const [objectId = -1, instanceId = -1, resourceId = -1, resourceInstanceId] = node.path;
    if (node.path.length < 3) {
      if (node.value === null) continue;
      return { refused: '4.00' };
    }
    const definition = definitionOf(world, objectId, resourceId);
    if (!definition) return { refused: '4.04' };
    if (!definition.operations.includes('W')) return { refused: '4.05' };
    if (node.value !== null && !fits(definition.type, node.value)) return { refused: '4.00' };
    const refused = node.value === null ? undefined : world.objects.get(objectId)?.refuse?.(resourceId, node.value);
    if (refused) return { refused };

    const path = [objectId, instanceId, resourceId] as const;
    const key = formatPath(path);
    if (!definition.multiple) {
      if (resourceInstanceId !== undefined || node.value === null || planned.has(key)) return { refused: '4.00' };
      planned.set(key, { path, value: node.value });
      continue;
    }
    const before = planned.get(key)?.value ?? (replace ? new Map() : resourceAt(world, path));
    const after = new Map<number, Value>(isMultiple(before) ? before : []);
    if (resourceInstanceId !== undefined && node.value !== null) after.set(resourceInstanceId, node.value);
    else if (node.value !== null) return { refused: '4.00' };
    if (after.size > MAX_RESOURCE_INSTANCES) return { refused: '4.00' };
    planned.set(key, { path, value: after });
  }
  return [...planned.values()];
}

/** Replacing an instance takes away what it no longer names, as far as the object can do without it. */
function dropUnwritten(world: World, path: readonly number[], plan: readonly Planned[]): void {
  const [objectId = -1, instanceId = -1] = path;
  const instance = instanceAt(world, objectId, instanceId);
  for (const resourceId of [...(instance?.keys() ?? [])]) {
    const definition = definitionOf(world, objectId, resourceId);
    if (!definition || definition.mandatory || !definition.operations.includes('W')) continue;
    if (!plan.some((planned) => planned.path[2] === resourceId)) instance?.delete(resourceId);
  }
}

export function applyWrites(world: World, plan: readonly Planned[]): void {
  for (const { path, value } of plan) {
    const text = formatPath(path);
    world.held.delete(text);
    putResource(world, path, value);
    world.events.push({ kind: 'written', path: text, value: toFlow(definitionOf(world, path[0], path[2])?.type ?? 'none', value) });
  }
  for (const { path } of plan) world.objects.get(path[0])?.written?.(path[2]);
}
