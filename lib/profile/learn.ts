import { formatPath, parsePath, PathError } from '../lwm2m/path';
import { LinkFormatError, parseLinks } from '../lwm2m/link-format';
import type { Model, ResourceDefinition } from '../model/types';
import type { Operation, OperationOptions, OperationResult, Registration } from '../server/types';
import { keyName } from './key-name';
import { remark, RemarkError, type Remark, type RemarkFacts, type RemarkId } from './remarks';
import type { ProfileDefinition, ResourceEntry } from './types';

/** What learning needs of a server. */
export interface Teacher {
  readonly model: Model;
  readonly perform: (endpoint: string, operation: Operation, options: OperationOptions) => Promise<OperationResult>;
}

/** Security, access control, OSCORE and the like: nothing to report. */
const ADMINISTRATION: ReadonlySet<number> = new Set([0, 1, 2, 21, 23]);
const MAX_OBJECTS = 60;
const MAX_RESOURCES = 300;
const TIMEOUT = 15_000;

/** The device could not be asked; the message says why. */
export class LearnError extends RemarkError {
  readonly code = 'NOT_LEARNED';
  constructor(id: RemarkId, facts: RemarkFacts) {
    super([remark(id, facts)]);
    this.name = 'LearnError';
  }
}

/** What a device has, as a profile; a remark where the device has more than is taken. */
export interface LearnedProfile {
  readonly definition: ProfileDefinition;
  readonly remarks: readonly Remark[];
}

/**
 * A profile of what a registered device has: its readable resources as it tells them (Discover), numbers and booleans as observed
 * telemetry, texts, times and links as attributes. Rejects with `LearnError`.
 */
export async function learnProfile(registration: Registration, { model, perform }: Teacher): Promise<LearnedProfile> {
  const objects = [...new Set(registration.objects.map(({ objectId }) => objectId))].filter((id) => !ADMINISTRATION.has(id));
  const entries: ResourceEntry[] = [];
  const keys = new Set<string>();
  for (const objectId of objects.slice(0, MAX_OBJECTS)) {
    const paths = await resourcesOf(objectId, registration, { model, perform });
    entries.push(...entriesOf(objectId, paths, registration, model, keys));
    // Who has too many already is not asked for more.
    if (entries.length > MAX_RESOURCES) break;
  }
  if (entries.length === 0) throw new LearnError('nothingReadable', { endpoint: registration.endpoint });
  const remarks: Remark[] = [];
  if (objects.length > MAX_OBJECTS) remarks.push(remark('objectsLeftOut', { max: MAX_OBJECTS, count: objects.length }));
  if (entries.length > MAX_RESOURCES) remarks.push(remark('resourcesLeftOut', { max: MAX_RESOURCES }));
  return { definition: { resources: entries.slice(0, MAX_RESOURCES) }, remarks };
}

/** Ids of its resources, as [object, instance, resource]. */
async function resourcesOf(objectId: number, { endpoint, versions }: Registration, { model, perform }: Teacher): Promise<number[][]> {
  const options = { timeout: TIMEOUT, whileAwake: true };
  const told = await perform(endpoint, { kind: 'Discover', path: { ids: [objectId] } }, options);
  if (told.kind === 'failed') throw new LearnError('notTold', { endpoint, object: objectId, reason: told.error });
  const paths = told.ok ? linkPaths(told.links ?? '').filter((ids) => ids.length === 3 && ids[0] === objectId) : [];
  if (paths.length > 0) return paths;
  // Discover is not done by every device, and some name instances only.
  const read = await perform(endpoint, { kind: 'Read', path: { ids: [objectId] } }, options);
  if (read.kind === 'answer' && read.ok)
    return (read.nodes ?? []).filter(({ path }) => path.length >= 3).map(({ path }) => path.slice(0, 3));
  const known = model.object(objectId, versions.get(objectId))?.resources.values() ?? [];
  return [...known].filter(({ mandatory }) => mandatory).map(({ id }) => [objectId, 0, id]);
}

function linkPaths(text: string): number[][] {
  try {
    return parseLinks(text).flatMap(({ target }) => {
      try {
        return [[...parsePath(target).ids]];
      } catch (error) {
        if (error instanceof PathError) return [];
        throw error;
      }
    });
  } catch (error) {
    if (error instanceof LinkFormatError) return [];
    throw error;
  }
}

function entriesOf(
  objectId: number,
  paths: readonly number[][],
  { versions }: Registration,
  model: Model,
  keys: Set<string>,
): ResourceEntry[] {
  const object = model.object(objectId, versions.get(objectId));
  const instances = new Set(paths.map((ids) => ids[1]));
  const every = object?.multiple === true || instances.size > 1;
  const ids = [...new Set(paths.map((path) => path[2] ?? 0))].sort((a, b) => a - b);
  return ids.flatMap((resourceId): ResourceEntry[] => {
    // Of a newer version, where a device does not say which it has: the profile names none either.
    const resource = object?.resources.get(resourceId) ?? model.resource(objectId, resourceId);
    const how = resource ? reported(resource) : { telemetry: true, observe: true };
    if (!how) return [];
    const own = keyName(resource?.name ?? `resource ${objectId}x${resourceId}`);
    const key = keys.has(own) ? keyName(`${object?.name ?? objectId} ${resource?.name ?? resourceId}`) : own;
    if (key === '' || keys.has(key)) return [];
    keys.add(key);
    const path = every ? `${formatPath([objectId])}/*/${resourceId}` : formatPath([objectId, [...instances][0] ?? 0, resourceId]);
    return [{ path, key, ...how }];
  });
}

function reported({ operations, type }: ResourceDefinition): Pick<ResourceEntry, 'telemetry' | 'attribute' | 'observe'> | undefined {
  if (!operations.includes('R')) return undefined;
  switch (type) {
    case 'integer':
    case 'unsigned':
    case 'float':
    case 'boolean':
      return { telemetry: true, observe: true };
    case 'string':
    case 'time':
    case 'objlnk':
      return { attribute: true };
    case 'opaque':
    case 'corelnk':
    case 'none':
      return undefined;
    default:
      return type satisfies never;
  }
}
