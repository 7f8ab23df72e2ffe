import { AttributeError, checkAttributes } from '../lwm2m/attributes';
import { LOG_KEY } from './compile';
import { IotHubProfileError, isRecord, LISTS, partsOf, patternOf, resourcePath, strategyOf } from './iot-hub-json';
import type { IotHubParts, JsonObject, ListName } from './iot-hub-json';
import { formatPattern } from './patterns';
import { remark, type Remark } from './remarks';
import type { AttributeValues, InitialRead, ObserveStrategy, ProfileDefinition, ResourceEntry } from './types';

const MAX_RESOURCES = 500;
const MAX_KEY = 100;
/** Integers here, texts there. */
const TEXTS_THERE = new Set(['5/3', '5/5', '9/7', '9/9']);

export interface ImportedProfile {
  readonly definition: ProfileDefinition;
  /** All that was given, for the way back. */
  readonly kept: object;
  /** What is done otherwise here, or not at all. */
  readonly remarks: readonly Remark[];
  /** Of the device profile, where the configuration came in one. */
  readonly name?: string;
}

/**
 * Reads the LwM2M transport configuration of an IoT Hub (ThingsBoard) device profile, or the whole device profile. What it has no use for
 * is kept; `exportIotHubProfile` of the result equals what was given. Throws `IotHubProfileError`.
 */
export function importIotHubProfile(json: unknown): ImportedProfile {
  const parts = partsOf(json);
  const remarks: Remark[] = [];
  const resources = resourcesOf(parts, remarks);
  const attributes = attributesOf(parts.attributeLwm2m, remarks);
  const strategy = strategyOf(parts.observeAttr.observeStrategy);
  if (strategy === undefined) remarks.push(remark('strategyUnknown'));
  const initialRead = initialReadOf(parts.observeAttr.initAttrTelAsObsStrategy, strategy ?? 'single');
  remarks.push(...differences(parts, resources, Object.keys(attributes).length > 0));
  return {
    definition: { resources, attributes, strategy: strategy ?? 'single', initialRead, transportLog: true },
    kept: parts.json,
    remarks,
    ...(parts.name !== undefined && { name: parts.name }),
  };
}

/** What `initAttrTelAsObsStrategy` means beside a strategy. */
export function initialReadOf(asObserved: unknown, strategy: ObserveStrategy): InitialRead {
  return asObserved === true && strategy !== 'single' ? 'composite' : 'single';
}

function resourcesOf({ lists, keyName }: IotHubParts, remarks: Remark[]): ResourceEntry[] {
  const flags = new Map<string, Set<ListName>>();
  const add = (path: unknown, list?: ListName): void => {
    const known = resourcePath(path);
    if (known === undefined) {
      const where = list === undefined ? 'keyName' : list;
      remarks.push(remark('noResource', { where, path: shown(path) }));
      return;
    }
    const of = flags.get(known) ?? new Set();
    if (list !== undefined) of.add(list);
    flags.set(known, of);
  };
  for (const path of Object.keys(keyName)) add(path);
  for (const list of LISTS) for (const path of lists[list]) add(path, list);
  if (flags.size > MAX_RESOURCES) throw new IotHubProfileError('hubResources', { count: flags.size, max: MAX_RESOURCES });
  const keys = keysOf(keyName, remarks);
  return [...flags].map(([path, of]): ResourceEntry => {
    if (of.has('observe') && of.size === 1) {
      remarks.push(remark('noKeyAtAll', { path }));
    }
    const key = keys.get(path);
    return {
      path,
      ...(key !== undefined && { key }),
      ...Object.fromEntries(LISTS.flatMap((list) => (of.has(list) ? [[list, true]] : []))),
    };
  });
}

function keysOf(keyName: JsonObject, remarks: Remark[]): Map<string, string> {
  const keys = new Map<string, string>();
  const taken = new Map<string, string>();
  for (const [path, key] of Object.entries(keyName)) {
    const pattern = patternOf(path);
    if (pattern?.level !== 3) continue;
    const known = formatPattern(pattern);
    if (keys.has(known)) continue;
    if (typeof key !== 'string' || key === '' || key.length > MAX_KEY || key.trim() !== key || key === '__proto__' || key === LOG_KEY) {
      remarks.push(remark('badKey', { path: known, key: shown(key) }));
      continue;
    }
    // Versions of one resource may share a key, two resources may not.
    const place = formatPattern({ ...pattern, version: undefined });
    const other = taken.get(key);
    if (other === undefined || other === place) {
      keys.set(known, key);
      taken.set(key, place);
      continue;
    }
    const own = `${key.slice(0, MAX_KEY - 20)}_${pattern.objectId}_${pattern.instanceId}_${pattern.resourceId}`;
    remarks.push(remark('keyTaken', { key: shown(key), other, path: known, own: shown(own) }));
    keys.set(known, own);
    taken.set(own, place);
  }
  return keys;
}

function attributesOf(given: JsonObject, remarks: Remark[]): Record<string, AttributeValues> {
  const paths = Object.entries(given);
  if (paths.length > MAX_RESOURCES) throw new IotHubProfileError('hubAttributes', { count: paths.length, max: MAX_RESOURCES });
  const attributes = new Map<string, AttributeValues>();
  for (const [path, values] of paths) {
    const pattern = patternOf(path);
    if (!pattern || !isRecord(values)) {
      remarks.push(remark('noAttributes', { path: shown(path) }));
      continue;
    }
    const text = formatPattern(pattern);
    const used = usable(values, text, pattern.level, remarks);
    if (Object.keys(used).length > 0) attributes.set(text, { ...attributes.get(text), ...used });
  }
  return Object.fromEntries(attributes);
}

function usable(values: JsonObject, text: string, level: number, remarks: Remark[]): AttributeValues {
  const target = { text, level, version: '1.2', removable: false } as const;
  const problem = (of: JsonObject): string | undefined => {
    try {
      checkAttributes(of, target);
      return undefined;
    } catch (error) {
      if (!(error instanceof AttributeError)) throw error;
      return error.message;
    }
  };
  const used: [string, number | boolean | string][] = [];
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === '') continue;
    const wrong = problem({ [name]: value });
    if (wrong === undefined && isAttribute(value)) used.push([name, value]);
    else remarks.push(remark('badAttribute', { path: text, reason: wrong ?? shown(name) }));
  }
  const joint = used.length === 0 ? undefined : problem(Object.fromEntries(used));
  if (joint === undefined) return Object.fromEntries(used);
  remarks.push(remark('badAttributes', { path: text, reason: joint }));
  return Object.fromEntries(used.filter(([name]) => !['lt', 'gt', 'st'].includes(name)));
}

function isAttribute(value: unknown): value is number | boolean | string {
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string';
}

/** What an IoT Hub does with the same profile and this server does otherwise. */
function differences({ config, observeAttr }: IotHubParts, resources: readonly ResourceEntry[], attributes: boolean): Remark[] {
  const remarks: Remark[] = [];
  const settings = isRecord(config.clientLwM2mSettings) ? config.clientLwM2mSettings : {};
  const ota = ['fwUpdateStrategy', 'swUpdateStrategy', 'fwUpdateResource', 'swUpdateResource', 'useObject19ForOtaInfo'].filter(
    (name) => settings[name] !== undefined && settings[name] !== null,
  );
  if (ota.length > 0) remarks.push(remark('ota', { names: ota.join(', ') }));
  const power = ['powerMode', 'psmActivityTimer', 'edrxCycle', 'pagingTransmissionWindow'].filter((name) => {
    return settings[name] !== undefined && settings[name] !== null && settings[name] !== 'DRX';
  });
  if (power.length > 0) {
    remarks.push(remark('sleep', { names: power.join(', ') }));
  }
  if (settings.defaultObjectIDVer !== undefined) remarks.push(remark('defaultVersion'));
  if (Array.isArray(config.bootstrap) && config.bootstrap.length > 0) remarks.push(remark('bootstrap'));
  if (resources.some(({ path }) => path.includes('_'))) {
    remarks.push(remark('versions'));
  }
  const numbers = resources.filter(({ path, telemetry, attribute }) => {
    const pattern = patternOf(path);
    return (telemetry || attribute) && TEXTS_THERE.has(`${pattern?.objectId}/${pattern?.resourceId}`);
  });
  if (numbers.length > 0) remarks.push(remark('numbers', { paths: numbers.map(({ path }) => path).join(', ') }));
  if (attributes) remarks.push(remark('attributesFirst'));
  if (observeAttr.initAttrTelAsObsStrategy === true && strategyOf(observeAttr.observeStrategy) === 'single') {
    remarks.push(remark('initialRead'));
  }
  return remarks;
}

/** Some part of what was given, for a text. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  return Array.isArray(value) ? 'a list' : typeof value === 'object' && value !== null ? 'an object' : String(value).slice(0, 60);
}
