import { formatPath } from '../lwm2m/path';
import type { DataNode, ResourceType, Value } from '../lwm2m/types';
import { FewMap } from '../transport/few-map';
import { valueKey, type Changing, type StateKeeper } from './keeper';

/** The newest value a device gave for one resource or resource instance, and when (epoch ms). */
export interface LastValue {
  readonly type: ResourceType;
  readonly value: Value;
  readonly at: number;
  /** The device may have taken another one: a write of it was not answered. */
  readonly unsure?: true;
}

class Held implements Changing {
  noted = false;
  gone = false;

  constructor(
    readonly endpoint: string,
    readonly path: string,
    public type: ResourceType,
    public value: Value,
    public at: number,
    public unsure = false,
  ) {}

  recordKey(): string {
    return valueKey(this.endpoint, this.path);
  }

  record(): LastValue | undefined {
    return this.gone ? undefined : this.known();
  }

  known(): LastValue {
    const { type, value, at, unsure } = this;
    return { type, value, at, ...(unsure && { unsure }) };
  }
}

export interface LastValuesLimits {
  /** Values per device; further paths are not remembered. */
  readonly perDevice: number;
  /** Texts and opaque values longer than this are not remembered, bytes or characters. */
  readonly length: number;
}

/** Path texts that are shared; further ones are each device's own. */
const MAX_SHARED = 10_000;

const DEFAULT_LIMITS: LastValuesLimits = { perDevice: 1000, length: 1024 };

/** What devices said last, by endpoint and path, whatever carried it: a notification, a Send, the answer to a Read. */
export class LastValues {
  readonly #byEndpoint = new Map<string, FewMap<Held>>();
  readonly #paths = new Map<string, string>();
  readonly #limits: LastValuesLimits;
  readonly #keeper: StateKeeper;

  constructor(keeper: StateKeeper, limits: Partial<LastValuesLimits> = {}) {
    this.#keeper = keeper;
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /**
   * Takes over values that came at `at`; one with an older time of its own than what is known is passed over. `whole`: they are all there
   * is at that path, and instances of a multiple resource that are not among them are no more.
   */
  learn(endpoint: string, nodes: readonly DataNode[], at: number, whole?: readonly number[]): void {
    let values = this.#byEndpoint.get(endpoint);
    for (const { path, type, value, time } of inTime(nodes, at)) {
      if (value === null || path.length < 3) continue;
      const key = this.#shared(formatPath(path));
      const then = timeOf(time, at);
      const known = values?.get(key);
      // What a clock that is wrong dates in the future is not newer than all that comes after it.
      if (known ? known.at > then && known.at <= at : (values?.size ?? 0) >= this.#limits.perDevice) continue;
      if (tooLong(value, this.#limits.length)) {
        if (known) this.#drop(values, known);
        continue;
      }
      if (!values) this.#byEndpoint.set(endpoint, (values = new FewMap()));
      // In place, for a new object would outlive its youth before it is replaced.
      const held = known ?? new Held(endpoint, key, type, value, then);
      if (!known) values.set(key, held);
      held.type = type;
      held.value = value;
      held.at = then;
      held.unsure = false;
      this.#keeper.note(held);
    }
    if (whole && whole.length < 4 && values && (nodes.length === 0 || nodes.some(isOfSeveral)))
      this.#dropOthers(endpoint, nodes, at, whole);
  }

  /** The device has no more what `gone` says of, by the ids of the path. */
  drop(endpoint: string, gone: (ids: readonly number[]) => boolean): void {
    const values = this.#byEndpoint.get(endpoint);
    for (const [path, held] of [...(values?.entries() ?? [])]) if (gone(path.slice(1).split('/').map(Number))) this.#drop(values, held);
  }

  /** The device may have something else now at what `touched` says of. */
  doubt(endpoint: string, touched: (ids: readonly number[]) => boolean): void {
    for (const [path, held] of this.#byEndpoint.get(endpoint)?.entries() ?? []) {
      if (held.unsure || !touched(path.slice(1).split('/').map(Number))) continue;
      held.unsure = true;
      this.#keeper.note(held);
    }
  }

  #drop(values: FewMap<Held> | undefined, held: Held): void {
    held.gone = true;
    values?.delete(held.path);
    this.#keeper.touch(held.recordKey());
  }

  #dropOthers(endpoint: string, nodes: readonly DataNode[], at: number, whole: readonly number[]): void {
    // When the resources were given in instances, and which.
    const given = new Map<string, { at: number; readonly paths: Set<string> }>();
    if (nodes.length === 0 && whole.length === 3) given.set(formatPath(whole), { at, paths: new Set() });
    for (const { path, value, time } of nodes) {
      if (path.length < 3 || (path.length === 3 && value !== null)) continue;
      const resource = formatPath(path.slice(0, 3));
      const of = given.get(resource) ?? { at: -Infinity, paths: new Set<string>() };
      given.set(resource, of);
      of.at = Math.max(of.at, timeOf(time, at));
      if (path.length > 3) of.paths.add(formatPath(path));
    }
    const values = this.#byEndpoint.get(endpoint);
    for (const [path, held] of [...(values?.entries() ?? [])]) {
      const end = path.lastIndexOf('/');
      const of = given.get(path.slice(0, end));
      if (of && held.at <= of.at && !of.paths.has(path)) this.#drop(values, held);
    }
  }

  /** As learned before a restart; reports nothing. */
  restore(endpoint: string, path: string, { type, value, at, unsure }: LastValue): void {
    const key = this.#shared(path);
    let values = this.#byEndpoint.get(endpoint);
    if (!values) this.#byEndpoint.set(endpoint, (values = new FewMap()));
    if (values.size < this.#limits.perDevice) values.set(key, new Held(endpoint, key, type, value, at, unsure));
  }

  /** The devices of one model have the same paths: one text for all. */
  #shared(path: string): string {
    const known = this.#paths.get(path);
    if (known === undefined && this.#paths.size < MAX_SHARED) this.#paths.set(path, path);
    return known ?? path;
  }

  /** By path text, e.g. "/3/0/9", as of now. */
  of(endpoint: string): Map<string, LastValue> {
    const values = new Map<string, LastValue>();
    for (const [path, held] of this.#byEndpoint.get(endpoint)?.entries() ?? []) values.set(path, held.known());
    return values;
  }

  forget(endpoint: string): void {
    const values = this.#byEndpoint.get(endpoint);
    this.#byEndpoint.delete(endpoint);
    for (const [path, held] of values?.entries() ?? []) {
      held.gone = true;
      this.#keeper.touch(valueKey(endpoint, path));
    }
  }
}

const timeOf = (time: number | undefined, at: number): number => (time === undefined ? at : Math.round(time * 1000));

/** Of what is dated in the future the latest counts, wherever it stands. */
function inTime(nodes: readonly DataNode[], at: number): readonly DataNode[] {
  for (const { time } of nodes) {
    if (time !== undefined && time * 1000 > at) return [...nodes].sort((a, b) => timeOf(a.time, at) - timeOf(b.time, at));
  }
  return nodes;
}

/** Of a multiple resource: an instance, or that there is none. */
function isOfSeveral({ path, value }: DataNode): boolean {
  return path.length > 3 || value === null;
}

function tooLong(value: Value, limit: number): boolean {
  return (typeof value === 'string' || value instanceof Uint8Array) && value.length > limit;
}
