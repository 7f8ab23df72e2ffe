import { MAX_ID } from '../lwm2m/path';
import type { DataNode } from '../lwm2m/types';
import { ContentFormat, writeFormats } from './formats';
import type { Operation, Registration } from './types';

type Create = Extract<Operation, { kind: 'Create' }>;

/**
 * What the body of a Create says (Core TS 6.3.6). With an instance id its values lie below the new instance, and the body is
 * that of the object. Without one the device chooses: only TLV can leave the id out, as resources without an instance around
 * them; a device that announced other formats alone gets the lowest id it did not register.
 */
export function createRequest(
  { path: { ids }, nodes }: Create,
  registration: Registration,
  asked: number | undefined,
): { path: readonly number[]; nodes: readonly DataNode[]; contentFormat: number } {
  const [objectId = 0, instanceId] = ids;
  const object = [objectId];
  if (instanceId !== undefined) {
    const body = nodes.length > 0 ? nodes : empty([objectId, instanceId]);
    return { path: object, nodes: body, contentFormat: asked ?? bestFor(registration, object, body) };
  }
  const { contentFormats } = registration;
  const tlv = contentFormats.find((format) => format === ContentFormat.TLV || format === ContentFormat.TLV_OLD);
  const format = asked ?? tlv ?? (contentFormats.length === 0 ? ContentFormat.TLV : undefined);
  if (format === ContentFormat.TLV || format === ContentFormat.TLV_OLD) {
    const instance = [objectId, 0];
    return { path: instance, nodes: nodes.length > 0 ? nodes : empty(instance), contentFormat: format };
  }
  const chosen = [objectId, freeInstance(objectId, registration)];
  const moved = nodes.map((node) => ({ ...node, path: [...chosen, ...node.path.slice(2)] }));
  const body = moved.length > 0 ? moved : empty(chosen);
  return { path: object, nodes: body, contentFormat: format ?? bestFor(registration, object, body) };
}

/** An instance of which nothing is said. */
const empty = (path: readonly number[]): DataNode[] => [{ path, type: 'none', value: null }];

function freeInstance(objectId: number, { objects }: Registration): number {
  const taken = new Set(objects.filter((link) => link.objectId === objectId).map(({ instanceId }) => instanceId));
  let id = 0;
  while (taken.has(id) && id < MAX_ID) id++;
  return id;
}

function bestFor(registration: Registration, path: readonly number[], nodes: readonly DataNode[]): number {
  return writeFormats(registration, path, nodes)[0] ?? ContentFormat.TLV;
}
