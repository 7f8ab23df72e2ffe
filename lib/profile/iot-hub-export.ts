import { isDeepStrictEqual } from 'node:util';
import { PathError } from '../lwm2m/path';
import type { Model } from '../model/types';
import { importIotHubProfile, initialReadOf } from './iot-hub';
import { IotHubProfileError, isRecord, LISTS, partsOf, patternOf, resourcePath, strategyOf } from './iot-hub-json';
import type { IotHubParts, JsonObject, ListName } from './iot-hub-json';
import { keyName, keyOfInstance } from './key-name';
import { formatPattern, parsePattern, type PathPattern } from './patterns';
import { remark, type Remark } from './remarks';
import type { AttributeValues, ObserveStrategy, ProfileDefinition, ResourceEntry } from './types';

/** Attributes an IoT Hub writes; of others it knows nothing. */
const THEIRS = new Set(['pmin', 'pmax', 'gt', 'lt', 'st', 'epmin', 'epmax']);

/** What a new device profile has beside what this server uses. */
const NEW_PROFILE = {
  observeAttr: {
    observe: [],
    attribute: [],
    telemetry: [],
    keyName: {},
    attributeLwm2m: {},
    initAttrTelAsObsStrategy: false,
    observeStrategy: 'SINGLE',
  },
  bootstrap: [],
  clientLwM2mSettings: {
    clientOnlyObserveAfterConnect: 1,
    useObject19ForOtaInfo: false,
    fwUpdateStrategy: 1,
    swUpdateStrategy: 1,
    fwUpdateResource: null,
    swUpdateResource: null,
    powerMode: 'DRX',
    psmActivityTimer: null,
    edrxCycle: null,
    pagingTransmissionWindow: null,
    defaultObjectIDVer: '1.0',
  },
  bootstrapServerUpdateEnable: false,
  type: 'LWM2M',
};

/**
 * The transport configuration of an IoT Hub (ThingsBoard) device profile, or the whole device profile where `kept` is one. What `kept`, of
 * `importIotHubProfile`, has and nobody has changed since stays as it stands there, with the order. Without `kept` a new configuration;
 * `model` gives names and versions where the definition has none. Paths that are none are left out.
 */
export function exportIotHubProfile(definition: ProfileDefinition, kept?: unknown, model?: Model): unknown {
  const origin = originOf(kept) ?? originOf(NEW_PROFILE);
  if (!origin) throw new Error('unreachable');
  const { parts, before } = origin;
  const now = resourcesOf(definition.resources, model);
  const strategy = definition.strategy ?? 'single';
  const observeAttr = {
    ...parts.observeAttr,
    ...Object.fromEntries(LISTS.flatMap((name) => piece(parts.observeAttr, name, listOf(name, parts, now)))),
    ...Object.fromEntries(piece(parts.observeAttr, 'keyName', keysOf(parts, before, now))),
    ...Object.fromEntries(piece(parts.observeAttr, 'attributeLwm2m', attributesOf(parts, before, definition, model))),
    ...strategyPiece(parts.observeAttr, strategy),
    ...initialReadPiece(parts.observeAttr, strategy, definition),
  };
  const config = { ...parts.config, observeAttr };
  if (parts.config === parts.json) return structuredClone(config);
  const { json } = parts;
  return structuredClone({ ...json, profileData: { ...(json.profileData as JsonObject), transportConfiguration: config } });
}

/** What of a profile an IoT Hub has no place for. */
export function exportRemarks({ resources, attributes, muteSend }: ProfileDefinition): Remark[] {
  const remarks: Remark[] = [];
  const every = [...resources.map(({ path }) => path), ...Object.keys(attributes ?? {})].filter((path) => path.includes('*'));
  if (every.length > 0) remarks.push(remark('everyInstance', { paths: every.join(', ') }));
  const scaled = resources.filter(({ factor = 1, offset = 0, unit }) => factor !== 1 || offset !== 0 || unit !== undefined);
  if (scaled.length > 0) remarks.push(remark('scaled', { paths: scaled.map(({ path }) => path).join(', ') }));
  const unknown = Object.entries(attributes ?? {}).flatMap(([path, values]) =>
    Object.keys(values).flatMap((name) => (THEIRS.has(name) ? [] : [`${name} of ${path}`])),
  );
  if (unknown.length > 0) remarks.push(remark('theirAttributes', { names: unknown.join(', ') }));
  if (muteSend !== undefined) remarks.push(remark('muteSend'));
  return remarks;
}

interface Origin {
  readonly parts: IotHubParts;
  readonly before: ProfileDefinition;
}

function originOf(kept: unknown): Origin | undefined {
  if (kept === undefined || kept === null) return undefined;
  try {
    return { parts: partsOf(kept), before: importIotHubProfile(kept).definition };
  } catch (error) {
    if (error instanceof IotHubProfileError) return undefined;
    throw error;
  }
}

interface Exported {
  /** As the profile has it, in one spelling: what finds it in the original. */
  readonly entry: ResourceEntry;
  readonly path: string;
  readonly key: string;
}

function resourcesOf(resources: readonly ResourceEntry[], model: Model | undefined): Map<string, Exported> {
  const now = new Map<string, Exported>();
  for (const entry of resources) {
    const pattern = patternOrNone(entry.path);
    if (pattern?.resourceId === undefined) continue;
    const { objectId, resourceId, version } = pattern;
    const instanceId = pattern.instanceId ?? 0;
    const name = keyName(model?.resource(objectId, resourceId, version)?.name ?? '') || `resource${objectId}x${resourceId}`;
    const any = pattern.instanceId === undefined;
    const key =
      entry.key === undefined || entry.key === '' ? keyOfInstance(name, instanceId) : any ? keyOfInstance(entry.key, 0) : entry.key;
    const known = formatPattern({ ...pattern, instanceId });
    if (!now.has(known)) now.set(known, { entry, key, path: versioned({ ...pattern, instanceId }, model) });
  }
  return now;
}

/** An IoT Hub compares versions word for word: a path without one is for version 1.0. */
function versioned(pattern: PathPattern, model: Model | undefined): string {
  return formatPattern({ ...pattern, version: pattern.version ?? model?.object(pattern.objectId)?.version });
}

function patternOrNone(path: unknown): PathPattern | undefined {
  try {
    return parsePattern(path);
  } catch (error) {
    if (error instanceof PathError) return undefined;
    throw error;
  }
}

function listOf(name: ListName, { lists }: IotHubParts, now: ReadonlyMap<string, Exported>): unknown[] {
  const there = new Set<string>();
  const left = lists[name].filter((path) => {
    const known = resourcePath(path);
    if (known === undefined) return true;
    there.add(known);
    return now.get(known)?.entry[name] === true;
  });
  const added = [...now].flatMap(([known, { entry, path }]) => (entry[name] === true && !there.has(known) ? [path] : []));
  return [...left, ...added];
}

function keysOf({ keyName: names }: IotHubParts, before: ProfileDefinition, now: ReadonlyMap<string, Exported>): JsonObject {
  const was = new Map(before.resources.map((entry) => [entry.path, entry]));
  const there = new Set<string>();
  const left = Object.entries(names).flatMap(([path, key]): [string, unknown][] => {
    const known = resourcePath(path);
    if (known === undefined) return [[path, key]];
    there.add(known);
    const exported = now.get(known);
    if (!exported) return [];
    return [[path, same(was.get(known), exported) ? key : exported.key]];
  });
  const added = [...now].flatMap(([known, exported]): [string, unknown][] =>
    there.has(known) || same(was.get(known), exported) ? [] : [[exported.path, exported.key]],
  );
  return Object.fromEntries([...left, ...added]);
}

function same(was: ResourceEntry | undefined, { entry }: Exported): boolean {
  return was !== undefined && was.key === entry.key;
}

function attributesOf(
  { attributeLwm2m }: IotHubParts,
  before: ProfileDefinition,
  { attributes }: ProfileDefinition,
  model?: Model,
): JsonObject {
  const now = new Map<string, readonly [string, AttributeValues]>();
  for (const [path, values] of Object.entries(attributes ?? {})) {
    const given = patternOrNone(path);
    if (!given) continue;
    const pattern = given.level > 1 ? { ...given, instanceId: given.instanceId ?? 0 } : given;
    if (Object.keys(values).length > 0) now.set(formatPattern(pattern), [versioned(pattern, model), values]);
  }
  const there = new Set<string>();
  const left = Object.entries(attributeLwm2m).flatMap(([path, original]): [string, unknown][] => {
    const pattern = patternOf(path);
    if (!pattern || !isRecord(original)) return [[path, original]];
    const known = formatPattern(pattern);
    there.add(known);
    const was = before.attributes?.[known] ?? {};
    const values = now.get(known)?.[1] ?? {};
    if (isDeepStrictEqual(was, values)) return [[path, original]];
    // Each where it stands, and as it stands where it is the same: "10" and 10 are.
    const left = Object.entries(original).flatMap(([name, value]): [string, unknown][] => {
      const present = Object.hasOwn(values, name) ? values[name] : undefined;
      if (present !== undefined) return [[name, numberOf(present) === numberOf(was[name]) ? value : numberOf(present)]];
      return Object.hasOwn(was, name) ? [] : [[name, value]];
    });
    const added = Object.entries(values).filter(([name]) => THEIRS.has(name) && !Object.hasOwn(original, name));
    const merged = Object.fromEntries([...left, ...added.map(([name, value]) => [name, numberOf(value)] as const)]);
    return Object.keys(merged).length > 0 ? [[path, merged]] : [];
  });
  const added = [...now].flatMap(([known, [path, values]]): [string, unknown][] => {
    const theirs = Object.entries(values).filter(([name]) => THEIRS.has(name));
    if (there.has(known) || theirs.length === 0) return [];
    return [[path, Object.fromEntries(theirs.map(([name, value]) => [name, numberOf(value)]))]];
  });
  return Object.fromEntries([...left, ...added]);
}

function numberOf<T>(value: T): T | number {
  return typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : value;
}

/** A list or object that was not there and is empty stays away. */
function piece(observeAttr: JsonObject, name: string, value: unknown[] | JsonObject): [string, unknown][] {
  const empty = Object.keys(value).length === 0;
  return empty && (observeAttr[name] === undefined || observeAttr[name] === null) ? [] : [[name, value]];
}

const NAMES: Readonly<Record<ObserveStrategy, string>> = {
  single: 'SINGLE',
  composite: 'COMPOSITE_ALL',
  'composite-by-object': 'COMPOSITE_BY_OBJECT',
};

function strategyPiece({ observeStrategy }: JsonObject, strategy: ObserveStrategy): JsonObject {
  return (strategyOf(observeStrategy) ?? 'single') === strategy ? {} : { observeStrategy: NAMES[strategy] };
}

function initialReadPiece(
  { initAttrTelAsObsStrategy: asObserved }: JsonObject,
  strategy: ObserveStrategy,
  definition: ProfileDefinition,
): JsonObject {
  const { initialRead = 'single' } = definition;
  if (initialReadOf(asObserved, strategy) === initialRead || strategy === 'single') return {};
  return { initAttrTelAsObsStrategy: initialRead === 'composite' };
}
