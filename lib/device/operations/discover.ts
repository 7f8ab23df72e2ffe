import { formatLinks, type Link } from '../../lwm2m/link-format';
import { formatPath } from '../../lwm2m/path';
import { defaultObjectVersion } from '../../lwm2m/version';
import { ATTRIBUTE_NAMES, type Attributes } from '../attributes';
import type { DeviceResponse, Instance, ResourceValue } from '../types';
import { exists, instanceAt, isMultiple, resourceAt, sorted, type World } from '../world';
import { formatsOf, LINK_FORMAT } from './formats';

/** Discover (Core TS 1.1.1 6.3.2) of an object, an instance or a resource. */
export function discover(world: World, path: readonly number[]): DeviceResponse {
  if (path.length === 0 || path.length > 3) return { code: '4.05' };
  if (!exists(world, path)) return { code: '4.04' };
  return { code: '2.05', contentFormat: LINK_FORMAT, payload: Buffer.from(formatLinks(linksBelow(world, path))) };
}

function linksBelow(world: World, path: readonly number[]): Link[] {
  const [objectId = -1, instanceId = -1] = path;
  if (path.length === 3) return resourceLinks(world, path);
  if (path.length === 2) {
    const resources = sorted(instanceAt(world, objectId, instanceId) ?? new Map<number, ResourceValue>());
    return [link(world, path), ...resources.map(([id, value]) => link(world, [...path, id], dimension(value)))];
  }
  const object = world.objects.get(objectId);
  const version = object?.version ?? '1.0';
  return [
    link(world, path, versionAttribute(world, objectId, version)),
    ...sorted(object?.instances ?? new Map<number, Instance>()).flatMap(([id, instance]) => [
      link(world, [objectId, id]),
      // At this level a resource is only named (Core TS 1.1.1 6.3.2).
      ...sorted(instance).map(([resource]) => ({
        target: formatPath([objectId, id, resource]),
        attributes: [],
      })),
    ]),
  ];
}

/** A resource with the attributes it inherits, and from 1.1 on its instances. */
function resourceLinks(world: World, path: readonly number[]): Link[] {
  const value = resourceAt(world, path);
  const levels = [1, 2, 3].map((length) => world.attributes.get(formatPath(path.slice(0, length))));
  const inherited = levels.reduce<Attributes>((merged, level) => ({ ...merged, ...level }), {});
  const own: Link = { target: formatPath(path), attributes: [...dimension(value), ...written(inherited)] };
  if (!isMultiple(value) || world.version === '1.0') return [own];
  return [own, ...sorted(value).map(([id]) => link(world, [...path, id]))];
}

function link(world: World, path: readonly number[], before: Link['attributes'] = []): Link {
  return { target: formatPath(path), attributes: [...before, ...written(world.attributes.get(formatPath(path)) ?? {})] };
}

function dimension(value: ResourceValue | undefined): Link['attributes'] {
  return isMultiple(value) ? [['dim', String(value.size)]] : [];
}

function written(attributes: Attributes): Link['attributes'] {
  return ATTRIBUTE_NAMES.flatMap((name) => (attributes[name] === undefined ? [] : [[name, String(attributes[name])] as const]));
}

function versionAttribute(world: World, objectId: number, version: string): Link['attributes'] {
  return version === defaultObjectVersion(objectId, world.version) ? [] : [['ver', version]];
}

/** The payload of Register: the root with its formats, objects whose version is not the implied one, and all instances (Core TS 1.1.1 6.2.1). */
export function registrationLinks(world: World): string {
  const root: Link = {
    target: '/',
    attributes: [
      ['rt', 'oma.lwm2m'],
      ['ct', formatsOf(world.version).join(' ')],
    ],
  };
  const objects = [...world.objects.values()].flatMap((object): Link[] => {
    const version = versionAttribute(world, object.id, object.version);
    const instances = sorted(object.instances).map(([id]) => ({ target: formatPath([object.id, id]), attributes: [] }));
    return version.length > 0 || instances.length === 0
      ? [{ target: formatPath([object.id]), attributes: version }, ...instances]
      : instances;
  });
  return formatLinks([root, ...objects]);
}
