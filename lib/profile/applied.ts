import { parsePath } from '../lwm2m/path';
import type { Registration } from '../server/types';
import { groupName, groupOf, type Group, type Plan } from './plan';
import type { ProfileStep } from './steps';

/** What a device has been asked for because of its profile, and how that ended. It is kept, so that only differences are sent. */
export class Applied {
  /** Of the profile. */
  fingerprint: string;
  /** Path -> name -> value; blank for one that the device may have forgotten. */
  attributes = new Map<string, Map<string, string>>();
  /** Name of the group -> whether the device observes it. */
  observed = new Map<string, boolean>();
  /** Paths whose values were asked for, observed ones among them. */
  read = new Set<string>();
  mute: boolean | undefined;
  /** The device does no composite operations, as it has shown. */
  single = false;

  constructor(fingerprint: string) {
    this.fingerprint = fingerprint;
  }

  /** How many observations run. */
  get observations(): number {
    return [...this.observed.values()].filter((observes) => observes).length;
  }

  /** A step is done, or is not to be tried again; `observes`: of an observation, whether it runs. */
  done(step: ProfileStep, observes = false): void {
    switch (step.kind) {
      case 'mute':
        this.mute = step.value;
        return;
      case 'attributes':
        this.#written(step);
        return;
      case 'cancel':
        this.observed.delete(groupName(step.group));
        return;
      case 'read':
        this.addRead(step.group);
        return;
      case 'observe':
        this.observed.set(groupName(step.group), observes);
        return;
      default:
        step satisfies never;
    }
  }

  addRead({ paths }: Group): void {
    for (const path of paths) this.read.add(path);
  }

  #written({ path, attributes }: Extract<ProfileStep, { kind: 'attributes' }>): void {
    const values = this.attributes.get(path) ?? new Map<string, string>();
    for (const [name, value] of attributes) {
      if (value === null) values.delete(name);
      else values.set(name, value);
    }
    if (values.size === 0) this.attributes.delete(path);
    else this.attributes.set(path, values);
  }

  /** Another profile may want what this one was refused. */
  changed(fingerprint: string): void {
    this.fingerprint = fingerprint;
    this.single = false;
    for (const [name, observes] of this.observed) if (!observes) this.observed.delete(name);
  }

  /**
   * The device has registered anew, and forgotten what it observed. Its attributes are written again, and those that are not wanted any
   * more removed. Returns the names of what it observed.
   */
  registeredAnew(): Set<string> {
    const before = new Set(this.observed.keys());
    this.observed.clear();
    this.read.clear();
    this.mute = undefined;
    for (const values of this.attributes.values()) for (const name of values.keys()) values.set(name, '');
    return before;
  }

  /** An instance that the device registers no more has taken with it what was asked of it. */
  forgetVanished(registration: Registration): void {
    const there = isThere(registration);
    for (const path of this.attributes.keys()) if (!there(path)) this.attributes.delete(path);
    for (const path of this.read) if (!there(path)) this.read.delete(path);
    for (const name of this.observed.keys()) if (!groupOf(name).composite && !there(name)) this.observed.delete(name);
  }

  /** The plan with a composite observation that runs in the place of one that lacks only what has vanished. */
  keepRunning(plan: Plan, registration: Registration): Plan {
    const running = Array.from(this.observed.keys(), groupOf).filter(({ composite }) => composite);
    if (running.length === 0) return plan;
    const there = isThere(registration);
    const byRest = new Map(running.map((group) => [group.paths.filter(there).join(' '), group]));
    return { ...plan, observe: plan.observe.map((group) => (group.composite && byRest.get(group.paths.join(' '))) || group) };
  }

  /** Plain data, for one registration. */
  record(registrationId: string): unknown {
    const { fingerprint, attributes, observed, read, mute, single } = this;
    return {
      registrationId,
      fingerprint,
      attributes: Object.fromEntries(Array.from(attributes, ([path, values]) => [path, Object.fromEntries(values)])),
      observed: Object.fromEntries(observed),
      read: [...read],
      ...(mute !== undefined && { mute }),
      single,
    };
  }
}

function isPath(text: string): boolean {
  try {
    return text.startsWith('/') && parsePath(text).ids.length > 0;
  } catch {
    return false;
  }
}

/** Undefined when the record is none of this registration: a store may have been damaged, or written by somebody else. */
export function readApplied(record: unknown, registrationId: string): Applied | undefined {
  if (!isRecord(record) || record['registrationId'] !== registrationId) return undefined;
  const { fingerprint, attributes, observed, read, mute, single } = record;
  if (typeof fingerprint !== 'string' || typeof single !== 'boolean' || (mute !== undefined && typeof mute !== 'boolean')) return undefined;
  if (!isRecord(attributes) || !isRecord(observed) || !Array.isArray(read)) return undefined;
  const applied = new Applied(fingerprint);
  applied.single = single;
  applied.mute = mute;
  for (const [path, values] of Object.entries(attributes)) {
    if (!isPath(path) || !isRecord(values) || !Object.values(values).every((each) => typeof each === 'string')) return undefined;
    applied.attributes.set(path, new Map(Object.entries(values as Record<string, string>)));
  }
  for (const [name, observes] of Object.entries(observed)) {
    if (typeof observes !== 'boolean' || !groupOf(name).paths.every(isPath)) return undefined;
    applied.observed.set(name, observes);
  }
  for (const path of read as unknown[]) {
    if (typeof path !== 'string' || !isPath(path)) return undefined;
    applied.read.add(path);
  }
  return applied;
}

function isThere({ objects }: Registration): (path: string) => boolean {
  return (path) => {
    const [objectId, instanceId] = parsePath(path).ids;
    const links = objects.filter((link) => link.objectId === objectId);
    if (instanceId === undefined || links.length === 0) return links.length > 0;
    return links.some((link) => link.instanceId === instanceId) || links.every((link) => link.instanceId === undefined);
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
