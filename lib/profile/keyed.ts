import { formatPath } from '../lwm2m/path';
import type { DataNode } from '../lwm2m/types';
import { valueOut } from '../lwm2m/value-out';
import type { Model } from '../model/types';
import type { KeyedFact, KeyedValues, Registration } from '../server/types';
import { keyAt } from './key-name';
import { fitOf, fitsVersion, instancesOf } from './plan';
import { fromDevice, isScaled, type Scale } from './scale';
import type { Profile, ProfileResource } from './types';

/** Values of one event at most under keys; a device that gives more repeats itself. */
const MAX_KEYED = 10_000;

/** The values a device gave, and when (epoch ms) they came. */
export interface Given {
  readonly at: number;
  readonly registration: Registration;
  readonly nodes: readonly DataNode[];
}

interface Moment {
  readonly telemetry: Parts;
  readonly attributes: Parts;
}

interface Parts {
  readonly values: Map<string, unknown>;
  readonly keys: Map<string, KeyedFact>;
}

/** The resources of a profile by object and resource. */
type Index = ReadonlyMap<number, readonly ProfileResource[]>;
const INDEXES = new WeakMap<Profile, Index>();
/** Of an object and a resource, both below 65536. */
const place = (objectId: number, resourceId: number): number => objectId * 65_536 + resourceId;

/** The entry of a profile for a path; of several the one that fits best. */
export function entryFor(profile: Profile, path: readonly number[], registration: Registration): ProfileResource | undefined {
  const [objectId, instanceId, resourceId] = path;
  if (objectId === undefined || instanceId === undefined || resourceId === undefined) return undefined;
  let found: ProfileResource | undefined;
  let best = -1;
  for (const entry of indexOf(profile).get(place(objectId, resourceId)) ?? []) {
    if (entry.instanceId !== undefined && entry.instanceId !== instanceId) continue;
    const fit = fitOf(registration, entry);
    if (fit <= best) continue;
    found = entry;
    best = fit;
  }
  return found;
}

function indexOf(profile: Profile): Index {
  const known = INDEXES.get(profile);
  if (known) return known;
  const index = new Map<number, ProfileResource[]>();
  for (const entry of profile.resources) {
    const at = place(entry.objectId, entry.resourceId);
    const entries = index.get(at);
    if (entries) entries.push(entry);
    else index.set(at, [entry]);
  }
  INDEXES.set(profile, index);
  return index;
}

/**
 * Values under the keys of a profile: an event a time, the oldest first, telemetry before attributes. What the device gave no time for
 * is of when it came.
 */
export function keyedValues(profile: Profile, { at, registration, nodes }: Given): KeyedValues[] {
  const moments = new Map<number, Moment[]>();
  let count = 0;
  for (const node of nodes) {
    const entry = entryFor(profile, node.path, registration);
    if (!entry || (!entry.telemetry && !entry.attribute) || ++count > MAX_KEYED) continue;
    // Empty: a multiple resource without instances is something to tell, one that has no value is not.
    if (node.value === null && (node.path.length > 3 || !entry.multiple)) continue;
    const fact = { path: formatPath(node.path.slice(0, 3)), type: node.type, ...(entry.unit !== undefined && { unit: entry.unit }) };
    const key = keyAt(entry, node.path);
    const { telemetry, attributes } = momentOf(moments, node.time === undefined ? at : node.time * 1000, key, fact.path);
    if (entry.telemetry) put(telemetry, key, fact, node, entry);
    if (entry.attribute) put(attributes, key, fact, node, entry);
  }
  const about = { at, registration, profile: profile.name };
  return byMillisecond(moments).flatMap(({ time, telemetry, attributes }) => [
    ...(telemetry.values.size > 0 ? [{ kind: 'telemetry', ...about, time, ...plain(telemetry) } as const] : []),
    ...(attributes.values.size > 0 ? [{ kind: 'attributes', ...about, time, ...plain(attributes) } as const] : []),
  ]);
}

const parts = (): Parts => ({ values: new Map(), keys: new Map() });

/** Of a time, that in which the key stands for no other resource. */
function momentOf(moments: Map<number, Moment[]>, time: number, key: string, path: string): Moment {
  let list = moments.get(time);
  if (!list) moments.set(time, (list = []));
  for (const moment of list) {
    const { path: other = path } = moment.telemetry.keys.get(key) ?? moment.attributes.keys.get(key) ?? {};
    if (other === path) return moment;
  }
  const moment = { telemetry: parts(), attributes: parts() };
  list.push(moment);
  return moment;
}

/** The oldest first, in whole milliseconds. Two of one millisecond stay two where one would take the place of values of the other. */
function byMillisecond(moments: ReadonlyMap<number, readonly Moment[]>): (Moment & { readonly time: number })[] {
  const told: (Moment & { readonly time: number })[] = [];
  for (const [exact, list] of [...moments].sort(([a], [b]) => a - b)) {
    const time = Math.round(exact);
    for (const moment of list) {
      const last = told.at(-1);
      if (last?.time === time && isApart(last.telemetry, moment.telemetry) && isApart(last.attributes, moment.attributes)) {
        join(last.telemetry, moment.telemetry);
        join(last.attributes, moment.attributes);
      } else told.push({ time, ...moment });
    }
  }
  return told;
}

function isApart(a: Parts, b: Parts): boolean {
  for (const key of b.keys.keys()) if (a.keys.has(key)) return false;
  return true;
}

function join(into: Parts, { values, keys }: Parts): void {
  for (const [key, value] of values) into.values.set(key, value);
  for (const [key, fact] of keys) into.keys.set(key, fact);
}

/** As objects with own members, whatever the keys are. */
function plain({ values, keys }: Parts): Pick<KeyedValues, 'values' | 'keys'> {
  return { values: Object.fromEntries(values), keys: Object.fromEntries(keys) };
}

function put({ values, keys }: Parts, key: string, fact: KeyedFact, node: DataNode, entry: ProfileResource): void {
  const instance = node.path[3];
  if (instance === undefined) {
    values.set(key, node.value === null ? {} : fromDevice(valueOut(node), entry));
  } else {
    const known = values.get(key);
    const all = isInstances(known) ? known : {};
    all[String(instance)] = fromDevice(valueOut(node), entry);
    values.set(key, all);
  }
  keys.set(key, fact);
}

function isInstances(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Buffer.isBuffer(value);
}

/** Path by key, for what of the profile the device has: what commands by key are about. */
export function keyTable(profile: Profile, registration: Registration, model: Model): Record<string, string> {
  const entries = new Map<string, string>();
  for (const entry of profile.resources) {
    const { objectId, instanceId, resourceId, version } = entry;
    if (!fitsVersion(registration, objectId, version)) continue;
    const instances = instanceId === undefined ? instancesOf(registration, objectId, model) : [instanceId];
    for (const id of instances) {
      const path = [objectId, id, resourceId];
      const key = keyAt(entry, path);
      if (!entries.has(key)) entries.set(key, formatPath(path));
    }
  }
  return Object.fromEntries(entries);
}

/** How values are scaled, by key, where they are. */
export function scaleTable(profile: Profile, registration: Registration, model: Model): Record<string, Scale> {
  const scaled = profile.resources.filter(isScaled);
  const scales = new Map<string, Scale>();
  for (const entry of scaled) {
    const { factor, offset } = entry;
    for (const key of Object.keys(keyTable({ ...profile, resources: [entry] }, registration, model))) scales.set(key, { factor, offset });
  }
  return Object.fromEntries(scales);
}
