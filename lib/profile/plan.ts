import { attributeSince } from '../lwm2m/attributes';
import { formatPath } from '../lwm2m/path';
import type { Model } from '../model/types';
import { announcesComposite } from '../server/composite-requests';
import type { Attributes, Registration } from '../server/types';
import { keyAt } from './key-name';
import { remark, type Remark } from './remarks';
import type { Profile, ProfileAttributes, ProfileResource } from './types';

/** Paths in one composite request; what is more goes into another one. */
const MAX_COMPOSITE = 50;
/** Resources of one device that a profile asks for; what is more is left out, with a remark. */
const MAX_PATHS = 1000;
const SERVER_OBJECT = 1;
const MUTE_SEND = 23;

/** What one request observes or reads: a resource, or several by a composite. Paths as texts. */
export interface Group {
  readonly composite: boolean;
  readonly paths: readonly string[];
}

/** What a profile asks of one device. */
export interface Plan {
  /** The resource of Mute Send (Core TS 1.1 E.2) and what it shall be. */
  readonly mute?: { readonly path: string; readonly value: boolean };
  /** By path, in the order of the profile. */
  readonly attributes: ReadonlyMap<string, Attributes>;
  readonly observe: readonly Group[];
  /** Only read, once. */
  readonly read: readonly Group[];
  /** What the device cannot do, and what is done instead. */
  readonly remarks: readonly Remark[];
}

/** The name of a group: two that ask for the same have the same. */
export const groupName = ({ composite, paths }: Group): string => `${composite ? '+' : ''}${paths.join(' ')}`;

/** The group of a name. */
export function groupOf(name: string): Group {
  const composite = name.startsWith('+');
  return { composite, paths: (composite ? name.slice(1) : name).split(' ') };
}

/** `single`: the device has shown that it does no composite operations. */
export function planFor(profile: Profile, registration: Registration, model: Model, single: boolean): Plan {
  const remarks: Remark[] = [];
  const wantsComposite = profile.strategy !== 'single' || profile.initialRead === 'composite';
  const able = announcesComposite(registration) ?? registration.lwm2mVersion !== '1.0';
  const composite = wantsComposite && able && !single;
  if (wantsComposite && !able) remarks.push(remark('noComposite'));
  const found = resourcesOf(profile, registration, model, remarks);
  const attributes = attributesOf(profile, registration, model, remarks);
  remarks.push(...sharedKeys(found));
  const observed = found.filter(({ resource }) => resource.observe);
  const only = found.filter(({ resource }) => !resource.observe && isAskedFor(resource));
  const mute = muteOf(profile, registration, remarks);
  return {
    ...(mute && { mute }),
    attributes,
    observe: grouped(observed, composite && profile.strategy !== 'single', profile.strategy === 'composite-by-object'),
    read: grouped(only, composite && profile.initialRead === 'composite', profile.strategy === 'composite-by-object'),
    remarks,
  };
}

interface Found {
  readonly resource: ProfileResource;
  readonly objectId: number;
  readonly ids: readonly number[];
  readonly path: string;
}

function resourcesOf(profile: Profile, registration: Registration, model: Model, remarks: Remark[]): Found[] {
  const found = new Map<string, Found>();
  for (const resource of profile.resources) {
    const { objectId, instanceId, resourceId } = resource;
    const fit = fitOf(registration, resource);
    if (fit < 0) continue;
    const definition = model.resource(objectId, resourceId, registration.versions.get(objectId));
    const unreadable = isAskedFor(resource) && definition?.operations.includes('R') === false;
    for (const id of instancesOf(registration, objectId, model)) {
      if (instanceId !== undefined && id !== instanceId) continue;
      const ids = [objectId, id, resourceId];
      const path = formatPath(ids);
      if (unreadable) {
        remarks.push(remark('unreadable', { path, name: definition.name }));
        continue;
      }
      const other = found.get(path);
      if (other && fitOf(registration, other.resource) >= fit) continue;
      if (!other && found.size >= MAX_PATHS) {
        remarks.push(remark('tooManyPaths', { max: MAX_PATHS }));
        return [...found.values()];
      }
      found.set(path, { resource, objectId, ids, path });
    }
  }
  return [...found.values()];
}

const isAskedFor = ({ observe, telemetry, attribute }: ProfileResource): boolean => observe || telemetry || attribute;

/** Keys that are of two resources of this device: the id of an instance made one of them. */
function sharedKeys(found: readonly Found[]): Remark[] {
  const paths = new Map<string, string>();
  return found.flatMap(({ resource, ids, path }) => {
    const key = keyAt(resource, ids);
    const other = paths.get(key);
    if (other === undefined) paths.set(key, path);
    return other === undefined ? [] : [remark('sharedKey', { key: JSON.stringify(key), first: other, second: path })];
  });
}

/** How well an entry fits what the device has at a path: for this instance before every one, then by the very version; -1 = not at all. */
export function fitOf(registration: Registration, { objectId, instanceId, version }: ProfileResource): number {
  if (!fitsVersion(registration, objectId, version)) return -1;
  const exact = version !== undefined && version === (registration.versions.get(objectId) ?? '1.0');
  return (instanceId === undefined ? 0 : 2) + (exact ? 1 : 0);
}

/** Whether an entry for this version of an object is for the device: another minor version will do, as in commands. */
export function fitsVersion({ versions }: Registration, objectId: number, version: string | undefined): boolean {
  const registered = versions.get(objectId);
  return version === undefined || registered === undefined || Number.parseInt(version, 10) === Number.parseInt(registered, 10);
}

/** The instances a device registered, in its order. An object named without any has instance 0, where there can be but one. */
export function instancesOf({ objects, versions }: Registration, objectId: number, model: Model): readonly number[] {
  const links = objects.filter((link) => link.objectId === objectId);
  const ids = links.flatMap(({ instanceId }) => (instanceId === undefined ? [] : [instanceId]));
  if (ids.length > 0 || links.length === 0) return [...new Set(ids)];
  return model.object(objectId, versions.get(objectId))?.multiple === false ? [0] : [];
}

function grouped(found: readonly Found[], composite: boolean, byObject: boolean): Group[] {
  if (!composite) return found.map(({ path }) => ({ composite: false, paths: [path] }));
  const parts = new Map<number, string[]>();
  for (const { objectId, path } of found) {
    const part = byObject ? objectId : 0;
    const paths = parts.get(part);
    if (paths) paths.push(path);
    else parts.set(part, [path]);
  }
  return [...parts.values()].flatMap((paths) => {
    const groups: Group[] = [];
    for (let at = 0; at < paths.length; at += MAX_COMPOSITE) groups.push({ composite: true, paths: paths.slice(at, at + MAX_COMPOSITE) });
    return groups;
  });
}

/** Of several entries for one path (of every instance, and of this one) the special one counts, name by name. */
function attributesOf(profile: Profile, registration: Registration, model: Model, remarks: Remark[]): Map<string, Attributes> {
  const byPath = new Map<string, Map<string, string | null>>();
  const sorted = [...profile.attributes].sort((a, b) => rank(a) - rank(b));
  for (const entry of sorted) {
    for (const path of pathsOf(entry, registration, model)) {
      const known = byPath.get(path) ?? new Map<string, string | null>();
      for (const [name, value] of entry.attributes) {
        const since = attributeSince(name);
        if (since > registration.lwm2mVersion) {
          remarks.push(remark('newerAttribute', { path, name, since, version: registration.lwm2mVersion }));
        } else known.set(name, value);
      }
      if (known.size > 0) byPath.set(path, known);
    }
  }
  return new Map([...byPath].map(([path, values]) => [path, [...values]]));
}

/** Objects first, then what is of every instance, then the special. */
function rank({ level, instanceId }: ProfileAttributes): number {
  return level * 2 + (instanceId === undefined ? 0 : 1);
}

function pathsOf(entry: ProfileAttributes, registration: Registration, model: Model): string[] {
  const { objectId, instanceId, resourceId, version, level } = entry;
  if (!fitsVersion(registration, objectId, version)) return [];
  if (level === 1) return registration.objects.some((link) => link.objectId === objectId) ? [formatPath([objectId])] : [];
  const instances = instancesOf(registration, objectId, model).filter((id) => instanceId === undefined || id === instanceId);
  return instances.map((id) => formatPath(resourceId === undefined ? [objectId, id] : [objectId, id, resourceId]));
}

function muteOf({ muteSend }: Profile, registration: Registration, remarks: Remark[]): Plan['mute'] {
  if (muteSend === undefined) return undefined;
  const instance = registration.objects.find(({ objectId, instanceId }) => objectId === SERVER_OBJECT && instanceId !== undefined);
  if (registration.lwm2mVersion === '1.0' || !instance) {
    remarks.push(remark('noMuteSend'));
    return undefined;
  }
  return { path: formatPath([SERVER_OBJECT, instance.instanceId ?? 0, MUTE_SEND]), value: muteSend };
}
