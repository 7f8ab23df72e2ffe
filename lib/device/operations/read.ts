import { DecodeError, EncodeError } from '../../codec/errors';
import type { DataNode } from '../../lwm2m/types';
import type { DeviceRequest, DeviceResponse } from '../types';
import { codecContext, definitionOf, exists, readNodes, type World } from '../world';
import { deviceCodec, OPAQUE, SENML_JSON, TEXT, TLV } from './formats';

/** Read (Core TS 1.1.1 6.3.1): an object, an instance, a resource or a resource instance. */
export function read(world: World, request: DeviceRequest, path: readonly number[]): DeviceResponse {
  if (path.length === 0) return { code: '4.05' };
  if (!exists(world, path)) return { code: '4.04' };
  const nodes = readNodes(world, path);
  if (nodes.length === 0) return { code: '4.05' };
  const response = render(world, path, nodes, request.accept ?? defaultFormat(world, path));
  if (request.observe === 0 && response.code === '2.05') return { ...response, observe: { kind: 'start', path } };
  if (request.observe === 1 && response.code === '2.05') return { ...response, observe: { kind: 'cancel', path } };
  return response;
}

/** Text for one value (the bytes themselves for an opaque one), TLV for more. */
function defaultFormat(world: World, path: readonly number[]): number {
  const definition = definitionOf(world, path[0] ?? -1, path[2] ?? -1);
  const single = path.length === 4 || (path.length === 3 && definition?.multiple === false);
  if (!single) return TLV;
  return definition?.type === 'opaque' ? OPAQUE : TEXT;
}

/** The values in a format; 4.06 when the device does not speak it or when it cannot carry them. */
export function render(world: World, path: readonly number[], nodes: readonly DataNode[], format: number): DeviceResponse {
  const codec = deviceCodec(world.version, format);
  if (!codec) return { code: '4.06' };
  try {
    return { code: '2.05', contentFormat: format, payload: codec.encode(nodes, codecContext(world, path)) };
  } catch (error) {
    if (error instanceof EncodeError) return { code: '4.06' };
    throw error;
  }
}

/** Read-Composite (Core TS 1.1.1 6.3.8): paths that are not there are left out of the answer. */
export function readComposite(world: World, request: DeviceRequest): DeviceResponse {
  const format = request.contentFormat ?? SENML_JSON;
  const codec = deviceCodec(world.version, format);
  if (!codec || format < SENML_JSON || format === TLV) return { code: '4.15' };
  let asked: DataNode[];
  try {
    asked = codec.decode(request.payload, codecContext(world, []));
  } catch (error) {
    if (error instanceof DecodeError) return { code: '4.00' };
    throw error;
  }
  if (asked.some((node) => node.path.length === 0)) return { code: '4.05' };
  const found = asked.filter((node) => exists(world, node.path)).flatMap((node) => readNodes(world, node.path));
  return render(world, [], found.filter((node) => node.path.length > 2), request.accept ?? format); // prettier-ignore
}
