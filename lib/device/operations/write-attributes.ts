import { formatPath } from '../../lwm2m/path';
import { changeAttributes, parseAttributes } from '../attributes';
import type { DeviceRequest, DeviceResponse } from '../types';
import { definitionOf, exists, type World } from '../world';

/** Write-Attributes (Core TS 1.1.1 6.3.4): a PUT with a query and nothing else. */
export function writeAttributes(world: World, request: DeviceRequest, path: readonly number[]): DeviceResponse {
  if (path.length === 0) return { code: '4.05' };
  if (!exists(world, path)) return { code: '4.04' };
  const change = parseAttributes(request.query);
  if (!change) return { code: '4.00' };
  const definition = path.length > 2 ? definitionOf(world, path[0] ?? -1, path[2] ?? -1) : undefined;
  const type = definition?.operations.includes('R') ? definition.type : undefined;
  const key = formatPath(path);
  const after = changeAttributes(world.attributes.get(key) ?? {}, change, type);
  if (!after) return { code: '4.00' };
  if (Object.keys(after).length === 0) world.attributes.delete(key);
  else world.attributes.set(key, after);
  return { code: '2.04' };
}
