import { ExecuteArgsError, parseExecuteArgs } from '../../lwm2m/execute-args';
import { formatPath } from '../../lwm2m/path';
import type { DeviceRequest, DeviceResponse } from '../types';
import type { World } from '../world';
import { TEXT } from './formats';

/** Execute (Core TS 1.1.1 6.3.5) of a resource that is there and executable. */
export function execute(world: World, request: DeviceRequest, path: readonly number[]): DeviceResponse {
  if ((request.contentFormat ?? TEXT) !== TEXT) return { code: '4.15' };
  const args = Buffer.from(request.payload).toString('utf8');
  try {
    parseExecuteArgs(args);
  } catch (error) {
    if (error instanceof ExecuteArgsError) return { code: '4.00' };
    throw error;
  }
  const [objectId = -1, , resourceId = -1] = path;
  if (world.objects.get(objectId)?.execute?.(resourceId) === false) return { code: '4.05' };
  world.events.push({ kind: 'executed', path: formatPath(path), args });
  return { code: '2.04' };
}
