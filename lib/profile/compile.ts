import { AttributeError, checkAttributes } from '../lwm2m/attributes';
import { PathError } from '../lwm2m/path';
import type { Model } from '../model/types';
import { keyName, keyOfInstance } from './key-name';
import { formatPattern, parsePattern, type PathPattern } from './patterns';
import { ProfileError } from './types';
import type {
  Profile,
  ProfileAttributes,
  ProfileDefinition,
  ProfileProblem,
  ProfileResource,
  ProfileSettings,
  ResourceEntry,
} from './types';

const MAX_RESOURCES = 500;
const MAX_ATTRIBUTES = 500;
const MAX_KEY = 100;
const MAX_PATTERNS = 100;
const MAX_PROBLEMS = 20;
const STRATEGIES: readonly unknown[] = ['single', 'composite-by-object', 'composite'];
const READS: readonly unknown[] = ['single', 'composite'];
/** A key becomes the name of a property; this one could not be. */
const BAD_KEY = '__proto__';

/** A key taken by what the server itself says. */
export const LOG_KEY = 'transportLog';

/** Checks a profile as somebody wrote it; whatever type it has. Throws `ProfileError`, with all that is wrong. */
export function compileProfile(settings: ProfileSettings, model: Model): Profile {
  const problems: ProfileProblem[] = [];
  const wrong = (where: string, problem: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push({ where, problem });
  };
  const { id, name } = settings;
  const definition: unknown = settings.definition;
  if (!isRecord(definition) || !Array.isArray(definition.resources)) {
    throw new ProfileError(name, [{ where: 'resources', problem: 'There is no list of resources.' }]);
  }
  const { strategy = 'single', initialRead = 'single', muteSend, transportLog = false } = definition as Partial<ProfileDefinition>;
  if (!STRATEGIES.includes(strategy)) wrong('strategy', `It is one of ${STRATEGIES.join(', ')}.`);
  if (!READS.includes(initialRead)) wrong('initialRead', `It is one of ${READS.join(', ')}.`);
  if (muteSend !== undefined && typeof muteSend !== 'boolean') wrong('muteSend', 'It is true or false, or left out.');
  if (typeof transportLog !== 'boolean') wrong('transportLog', 'It is true or false.');
  const named = patternsOf(settings);
  if (named.length > MAX_PATTERNS) wrong('endpoints', `There are ${named.length} names, ${MAX_PATTERNS} are the most.`);
  const resources = compileResources(definition.resources as readonly unknown[], model, wrong);
  const attributes = compileAttributes(definition.attributes, model, wrong);
  if (problems.length > 0) throw new ProfileError(name, problems);
  const asked = { resources: resources.map(askedOf), attributes, strategy, initialRead, muteSend };
  return {
    id,
    name,
    patterns: named,
    isDefault: settings.isDefault === true,
    resources,
    attributes,
    strategy,
    initialRead,
    muteSend,
    transportLog,
    fingerprint: JSON.stringify(asked),
  };
}

/** In the place of one that cannot be used: what it said before (`last`); where it never could be used its devices are left as they are. */
export function brokenProfile(settings: ProfileSettings, last: Profile | undefined): Profile {
  const { id, name } = settings;
  const which = { id, name, patterns: patternsOf(settings), isDefault: settings.isDefault === true };
  if (last && last.broken !== true) return { ...last, ...which };
  const nothing = {
    resources: [],
    attributes: [],
    strategy: 'single' as const,
    initialRead: 'single' as const,
    muteSend: undefined,
    transportLog: false,
    fingerprint: '',
  };
  return { ...nothing, ...which, broken: true };
}

/** Endpoint names and patterns of a profile, as somebody wrote them. */
export function patternsOf({ endpoints }: Pick<ProfileSettings, 'endpoints'>): string[] {
  const patterns = (typeof endpoints === 'string' ? endpoints : '').split(/[,\n]/).map((text) => text.trim());
  return patterns.filter((pattern) => pattern !== '');
}

/** What a device is asked for because of a resource. */
function askedOf({ objectId, instanceId, resourceId, version, telemetry, attribute, observe }: ProfileResource): unknown {
  return [objectId, instanceId ?? '*', resourceId, version ?? '', observe, telemetry || attribute];
}

type Wrong = (where: string, problem: string) => void;

function compileResources(given: readonly unknown[], model: Model, wrong: Wrong): ProfileResource[] {
  if (given.length > MAX_RESOURCES) {
    wrong('resources', `There are ${given.length}, ${MAX_RESOURCES} are the most.`);
    return [];
  }
  const resources: ProfileResource[] = [];
  const places = new Map<string, string>();
  const keys = new Map<string, string>();
  for (const [at, entry] of given.entries()) {
    const where = `resources[${at}]`;
    const resource = compileResource(entry, model, (problem) => wrong(where, problem));
    if (!resource) continue;
    const place = formatPattern({ ...resource, level: 3 });
    const twice = places.get(place);
    if (twice !== undefined) wrong(where, `${place} is there already, at ${twice}.`);
    places.set(place, where);
    // Versions of one resource may share a key: a device has one of them.
    const unversioned = formatPattern({ ...resource, version: undefined, level: 3 });
    const other = keys.get(resource.key);
    if (other !== undefined && other !== unversioned) wrong(where, `The key ${JSON.stringify(resource.key)} is that of ${other} already.`);
    keys.set(resource.key, unversioned);
    resources.push(resource);
  }
  return resources;
}

function compileResource(entry: unknown, model: Model, wrong: (problem: string) => void): ProfileResource | undefined {
  if (!isRecord(entry)) {
    wrong('It is not an object such as {"path":"/3/0/9","telemetry":true}.');
    return undefined;
  }
  const pattern = patternOf(entry.path, wrong);
  if (!pattern) return undefined;
  const { objectId, instanceId, resourceId, version, level } = pattern;
  if (level !== 3 || resourceId === undefined) {
    wrong(`${formatPattern(pattern)} is no resource: a path has an object, an instance (or *) and a resource, like "/3/0/9".`);
    return undefined;
  }
  const definition = model.resource(objectId, resourceId, version);
  const { telemetry = false, attribute = false, observe = false, factor = 1, offset = 0, unit } = entry as Partial<ResourceEntry>;
  for (const [name, value] of Object.entries({ telemetry, attribute, observe })) {
    if (typeof value !== 'boolean') wrong(`"${name}" is true or false.`);
  }
  if (!Number.isFinite(factor) || factor === 0) wrong('"factor" is a number other than 0.');
  if (!Number.isFinite(offset)) wrong('"offset" is a number.');
  if (unit !== undefined && (typeof unit !== 'string' || unit.length > MAX_KEY)) wrong('"unit" is a short text.');
  const key = keyOf(entry.key, pattern, definition?.name ?? '', wrong);
  if (key === undefined) return undefined;
  const known = { multiple: definition?.multiple ?? false, unit: unit ?? definition?.units };
  return { objectId, instanceId, resourceId, version, key, telemetry, attribute, observe, factor, offset, ...known };
}

function keyOf(given: unknown, { instanceId, objectId, resourceId = 0 }: PathPattern, name: string, wrong: (problem: string) => void) {
  if (given !== undefined && given !== null && given !== '') {
    if (typeof given === 'string' && given.length <= MAX_KEY && given !== BAD_KEY && given.trim() === given) return given;
    wrong(`The "key" is a text of 1 to ${MAX_KEY} characters without blanks around it.`);
    return undefined;
  }
  const own = keyName(name);
  const key = own === '' || own === BAD_KEY ? `resource${objectId}x${resourceId}` : own;
  return instanceId === undefined ? key : keyOfInstance(key, instanceId);
}

function patternOf(path: unknown, wrong: (problem: string) => void): PathPattern | undefined {
  try {
    return parsePattern(path);
  } catch (error) {
    if (!(error instanceof PathError)) throw error;
    wrong(error.message);
    return undefined;
  }
}

function compileAttributes(given: unknown, model: Model, wrong: Wrong): ProfileAttributes[] {
  if (given === undefined || given === null) return [];
  if (!isRecord(given)) {
    wrong('attributes', 'They are objects by path, such as {"/3/0/9":{"pmin":10}}.');
    return [];
  }
  const entries = Object.entries(given);
  if (entries.length > MAX_ATTRIBUTES) {
    wrong('attributes', `There are ${entries.length} paths, ${MAX_ATTRIBUTES} are the most.`);
    return [];
  }
  return entries.flatMap(([path, values]): ProfileAttributes[] => {
    const where = `attributes ${path.slice(0, 60)}`;
    const pattern = patternOf(path, (problem) => wrong(where, problem));
    if (!pattern) return [];
    if (!isRecord(values)) {
      wrong(where, 'They are values by name, such as {"pmin":10,"pmax":60}.');
      return [];
    }
    const named = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== ''));
    if (Object.keys(named).length === 0) return [];
    const { objectId, resourceId, version, level } = pattern;
    const type = resourceId === undefined ? undefined : model.resource(objectId, resourceId, version)?.type;
    try {
      // Whether a device knows them depends on its version; here the newest counts.
      const target = { text: formatPattern(pattern), level, type, version: '1.2', removable: false } as const;
      return [{ ...pattern, attributes: checkAttributes(named, target).attributes }];
    } catch (error) {
      if (!(error instanceof AttributeError)) throw error;
      wrong(where, error.message);
      return [];
    }
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
