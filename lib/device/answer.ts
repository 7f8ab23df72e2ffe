import { MAX_ID } from '../lwm2m/path';
import { discover } from './operations/discover';
import { execute } from './operations/execute';
import { LINK_FORMAT } from './operations/formats';
import { create, remove } from './operations/instances';
import { read, readComposite } from './operations/read';
import { writeAttributes } from './operations/write-attributes';
import { write, writeComposite } from './operations/write';
import type { DeviceRequest, DeviceResponse } from './types';
import { definitionOf, exists, type World } from './world';

/** Security and OSCORE: for a bootstrap server only (Core TS 1.1.1 E.1). */
const CLOSED_OBJECTS = [0, 21];

/** What the device does and answers (Transport TS 1.1.1 6.4). Changes `world`; never throws. */
export function answer(world: World, request: DeviceRequest): DeviceResponse {
  try {
    return dispatch(world, request);
  } catch (error) {
    world.events.push({ kind: 'error', error: error instanceof Error ? error : new Error(String(error)) });
    return { code: '5.00' };
  }
}

function dispatch(world: World, request: DeviceRequest): DeviceResponse {
  const path = idsOf(request.path);
  if (!path) return { code: '4.04' };
  if (CLOSED_OBJECTS.includes(path[0] ?? -1)) return { code: '4.01' };
  switch (request.method) {
    case 'GET':
      return request.accept === LINK_FORMAT ? discover(world, path) : read(world, request, path);
    case 'PUT':
      return put(world, request, path);
    case 'POST':
      return post(world, request, path);
    case 'DELETE':
      return remove(world, path);
    case 'FETCH':
      return path.length === 0 && world.version !== '1.0' ? readComposite(world, request) : { code: '4.05' };
    case 'iPATCH':
      return path.length === 0 && world.version !== '1.0' ? writeComposite(world, request) : { code: '4.05' };
    case 'PATCH':
    case 'unknown':
      return { code: '4.05' };
    default:
      return request.method satisfies never;
  }
}

function put(world: World, request: DeviceRequest, path: readonly number[]): DeviceResponse {
  if (request.query.length === 0) return write(world, request, path, true);
  return request.payload.length === 0 && request.contentFormat === undefined ? writeAttributes(world, request, path) : { code: '4.00' };
}

function post(world: World, request: DeviceRequest, path: readonly number[]): DeviceResponse {
  if (path.length < 2) return create(world, request, path);
  const executable = path.length === 3 && definitionOf(world, path[0] ?? -1, path[2] ?? -1)?.operations.includes('E') === true;
  if (executable) return exists(world, path) ? execute(world, request, path) : { code: '4.04' };
  return write(world, request, path, false);
}

/** Uri-Path to ids; undefined for anything that names nothing on this device. */
function idsOf(segments: readonly string[]): number[] | undefined {
  if (segments.length > 4 || segments.some((segment) => !/^(?:0|[1-9]\d{0,4})$/.test(segment))) return undefined;
  const ids = segments.map(Number);
  return ids.some((id) => id > MAX_ID) ? undefined : ids;
}
