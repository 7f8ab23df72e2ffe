import { samePath } from '../lwm2m/path';
import { observationKey, type StateKeeper } from './keeper';
import type { KeptObservation } from './records';
import type { Observation } from './types';

interface Entry {
  readonly observation: Observation;
  /** The Observe number of the newest notification, and when it came (epoch ms). */
  lastObserve: number | undefined;
  lastAt: number;
}

/** The running observations as plain data, by token and by registration. */
export class ObservationTable {
  readonly #byId = new Map<string, Entry>();
  readonly #byRegistration = new Map<string, Map<string, Observation>>();
  readonly #keeper: StateKeeper;

  constructor(keeper: StateKeeper) {
    this.#keeper = keeper;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** `last`: of an observation that ran before a restart. */
  add(observation: Observation, last: { readonly lastObserve?: number | undefined; readonly lastAt?: number } = {}): void {
    const { lastObserve, lastAt = observation.startedAt } = last;
    this.#byId.set(observation.id, { observation, lastObserve, lastAt });
    this.#keeper.touch(observationKey(observation.id));
    let own = this.#byRegistration.get(observation.registrationId);
    if (!own) this.#byRegistration.set(observation.registrationId, (own = new Map<string, Observation>()));
    own.set(observation.id, observation);
  }

  byId(id: string): Observation | undefined {
    return this.#byId.get(id)?.observation;
  }

  /** What has to be known of it after a restart. */
  kept(id: string): KeptObservation | undefined {
    return this.#byId.get(id);
  }

  /** A notification came. */
  notified(id: string, observe: number | undefined, at: number): void {
    const entry = this.#byId.get(id);
    if (!entry || observe === undefined) return;
    entry.lastObserve = observe;
    entry.lastAt = at;
    this.#keeper.touch(observationKey(id));
  }

  of(registrationId: string): Observation[] {
    return [...(this.#byRegistration.get(registrationId)?.values() ?? [])];
  }

  find(registrationId: string, ids: readonly number[]): Observation | undefined {
    for (const observation of this.#byRegistration.get(registrationId)?.values() ?? []) {
      if (samePath(observation.path.ids, ids)) return observation;
    }
    return undefined;
  }

  remove(observation: Observation): void {
    this.#byId.delete(observation.id);
    this.#keeper.touch(observationKey(observation.id));
    const own = this.#byRegistration.get(observation.registrationId);
    own?.delete(observation.id);
    if (own?.size === 0) this.#byRegistration.delete(observation.registrationId);
  }
}
