import { samePath } from '../lwm2m/path';
import type { Observation } from './types';

/** The running observations as plain data, by token and by registration. */
export class ObservationTable {
  readonly #byId = new Map<string, Observation>();
  readonly #byRegistration = new Map<string, Map<string, Observation>>();

  get size(): number {
    return this.#byId.size;
  }

  add(observation: Observation): void {
    this.#byId.set(observation.id, observation);
    let own = this.#byRegistration.get(observation.registrationId);
    if (!own) this.#byRegistration.set(observation.registrationId, (own = new Map<string, Observation>()));
    own.set(observation.id, observation);
  }

  byId(id: string): Observation | undefined {
    return this.#byId.get(id);
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
    const own = this.#byRegistration.get(observation.registrationId);
    own?.delete(observation.id);
    if (own?.size === 0) this.#byRegistration.delete(observation.registrationId);
  }
}
