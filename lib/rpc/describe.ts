import type { DataNode, Path } from '../lwm2m/types';
import type { Model } from '../model/types';
import type { ObjectLink, Observation, Registration } from '../server/types';
import { formatPath } from '../lwm2m/path';
import { latest, valueOut } from '../lwm2m/value-out';

/** The parts of `msg.lwm2m`: plain objects, fresh at every call, so that no two receivers share one. */
export type Part = Record<string, unknown>;

/** A registration in short, for `msg.lwm2m.registration`. Times are epoch ms, lifetime is in seconds. */
export function describeRegistration(registration: Registration): Part {
  const { scheme, mode, name } = registration.identity;
  return {
    id: registration.id,
    endpoint: registration.endpoint,
    lwm2mVersion: registration.lwm2mVersion,
    lifetime: registration.lifetime,
    binding: registration.binding,
    queueMode: registration.queueMode,
    address: registration.address,
    port: registration.port,
    identity: { scheme, mode, name },
    registeredAt: registration.registeredAt,
    updatedAt: registration.updatedAt,
    lastSeenAt: registration.lastSeenAt,
  };
}

/** The whole of a registration, for the payload of the events about it: the short form, the objects as paths and the rest. */
export function registrationPayload(registration: Registration): Part {
  const payload = describeRegistration(registration);
  payload.objects = registration.objects.map(pathOf);
  const versions: Record<string, string> = {};
  for (const [id, version] of registration.versions) versions[id] = version;
  payload.versions = versions;
  payload.contentFormats = registration.contentFormats.slice();
  payload.rootPath = registration.rootPath;
  if (registration.smsNumber !== undefined) payload.smsNumber = registration.smsNumber;
  // Also a name like __proto__, which a device may choose, remains a name.
  payload.extra = Object.fromEntries(Object.entries(registration.extra));
  return payload;
}

function pathOf({ objectId, instanceId }: ObjectLink): string {
  return instanceId === undefined ? `/${objectId}` : `/${objectId}/${instanceId}`;
}

/** An observation, for `msg.lwm2m.observation`. */
export function describeObservation(observation: Observation): Part {
  const { id, path, paths, attributes, startedAt } = observation;
  return {
    id,
    ...(paths ? { paths: paths.map(({ ids }) => formatPath(ids)) } : { path: formatPath(path.ids) }),
    ...(attributes && { attributes: Object.fromEntries(attributes) }),
    startedAt,
  };
}

/** What is known of what a command or an observation is about: of one path all of it, of several the paths. */
export function describePaths(paths: readonly Path[], composite: boolean, model: Model, versions: ReadonlyMap<number, string>): Part {
  const [only] = paths;
  if (composite) return { paths: paths.map(({ ids }) => formatPath(ids)) };
  return only ? describePath(only.ids, model, versions) : {};
}

/** What the model knows of a path: `path`, and where known `object`, `resource`, `type` and `unit`. */
export function describePath(ids: readonly number[], model: Model, versions: ReadonlyMap<number, string>): Part {
  const [objectId, , resourceId] = ids;
  const part: Part = { path: formatPath(ids) };
  if (objectId === undefined) return part;
  const object = model.object(objectId, versions.get(objectId));
  if (object !== undefined) part['object'] = object.name;
  if (resourceId === undefined) return part;
  const resource = object?.resources.get(resourceId);
  if (resource === undefined) return part;
  part['resource'] = resource.name;
  if (resource.type !== 'none') part['type'] = resource.type;
  if (resource.units !== undefined && resource.units !== '') part['unit'] = resource.units;
  return part;
}

/**
 * What the nodes at or below `ids` add: `type` of a resource's value, `time` (epoch ms) where one time is given for all of them, and
 * `values` (path, value, time; all of them in the order they came) where there is more than one time, or more than one value of a path.
 */
export function describeNodes(nodes: readonly DataNode[], ids: readonly number[], at: number): Part {
  const part: Part = {};
  const [first] = nodes;
  if (ids.length >= 3 && first !== undefined && first.type !== 'none') part['type'] = first.type;
  const times = new Set(nodes.map((node) => node.time));
  if (times.size > 1 || latest(nodes).length < nodes.length) {
    part['values'] = nodes.map((node) => ({ path: formatPath(node.path), value: valueOut(node), time: timeOf(node, at) }));
  } else if (first?.time !== undefined) part['time'] = timeOf(first, at);
  return part;
}

/** Epoch ms; a value without a time is of the moment it came. */
function timeOf(node: DataNode, at: number): number {
  return node.time === undefined ? at : Math.round(node.time * 1000);
}
