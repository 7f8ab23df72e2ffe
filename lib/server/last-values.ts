import { formatPath } from '../lwm2m/path';
import type { DataNode, ResourceType, Value } from '../lwm2m/types';
import { FewMap } from '../transport/few-map';
import { valueKey, type Changing, type StateKeeper } from './keeper';

/** The newest value a device gave for one resource or resource instance, and when (epoch ms). */
export interface LastValue {
  readonly type: ResourceType;
  readonly value: Value;
  readonly at: number;
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
  ) {}

  recordKey(): string {
    return valueKey(this.endpoint, this.path);
  }

  record(): LastValue | undefined {
    const { type, value, at } = this;
    return this.gone ? undefined : { type, value, at };
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

  /** Takes over values that came at `at`; one with an older time of its own than what is known is passed over. */
  learn(endpoint: string, nodes: readonly DataNode[], at: number): void {
    let values = this.#byEndpoint.get(endpoint);
    for (const { path, type, value, time } of nodes) {
      if (value === null || path.length < 3 || tooLong(value, this.#limits.length)) continue;
      const key = this.#shared(formatPath(path));
      const then = time === undefined ? at : time * 1000;
      const known = values?.get(key);
      if (known ? known.at > then : (values?.size ?? 0) >= this.#limits.perDevice) continue;
      if (!values) this.#byEndpoint.set(endpoint, (values = new FewMap()));
      // In place, for a new object would outlive its youth before it is replaced.
      const held = known ?? new Held(endpoint, key, type, value, then);
      if (!known) values.set(key, held);
      held.type = type;
      held.value = value;
      held.at = then;
      this.#keeper.note(held);
    }
  }

  /** As learned before a restart; reports nothing. */
  restore(endpoint: string, path: string, { type, value, at }: LastValue): void {
    const key = this.#shared(path);
    let values = this.#byEndpoint.get(endpoint);
    if (!values) this.#byEndpoint.set(endpoint, (values = new FewMap()));
    if (values.size < this.#limits.perDevice) values.set(key, new Held(endpoint, key, type, value, at));
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
    for (const [path, { type, value, at }] of this.#byEndpoint.get(endpoint)?.entries() ?? []) values.set(path, { type, value, at });
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

function tooLong(value: Value, limit: number): boolean {
  return (typeof value === 'string' || value instanceof Uint8Array) && value.length > limit;
}
