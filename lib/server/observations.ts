import { formatPath, samePath } from '../lwm2m/path';
import type { Path } from '../lwm2m/types';
import { observationKey, sequenceKey, type Changing, type StateKeeper } from './keeper';
import { writeSequence } from './records';
import type { Observation } from './types';

/** An observation, and the last notification of it that counted. */
class Running implements Changing {
  noted = false;
  gone = false;
  lastObserve = 0;
  lastAt = 0;

  constructor(readonly observation: Observation) {}

  recordKey(): string {
    return sequenceKey(this.observation.id);
  }

  record(): unknown {
    return this.gone ? undefined : writeSequence(this);
  }
}

/** The running observations as plain data, by token and by registration. */
export class ObservationTable {
  readonly #byId = new Map<string, Running>();
  /** Lists, because most devices have few, and a map for each of a hundred thousand would cost more than the observations. */
  readonly #byRegistration = new Map<string, Observation[]>();
  readonly #keeper: StateKeeper;

  constructor(keeper: StateKeeper) {
    this.#keeper = keeper;
  }

  get size(): number {
    return this.#byId.size;
  }

  add(observation: Observation): void {
    this.restore(observation);
    this.#keeper.touch(observationKey(observation.id));
  }

  /** One that ran before a restart, and is kept already. */
  restore(observation: Observation): void {
    this.#forget(observation.id);
    this.#byId.set(observation.id, new Running(observation));
    const own = this.#byRegistration.get(observation.registrationId);
    if (!own) this.#byRegistration.set(observation.registrationId, [observation]);
    else {
      const known = own.findIndex(({ id }) => id === observation.id);
      if (known < 0) own.push(observation);
      else own[known] = observation;
    }
  }

  byId(id: string): Observation | undefined {
    return this.#byId.get(id)?.observation;
  }

  /** A notification with an Observe number came, `at` epoch ms. */
  notified(id: string, observe: number, at: number): void {
    const running = this.#byId.get(id);
    if (!running) return;
    running.lastObserve = observe;
    running.lastAt = at;
    this.#keeper.note(running);
  }

  of(registrationId: string): Observation[] {
    return [...(this.#byRegistration.get(registrationId) ?? [])];
  }

  find(registrationId: string, ids: readonly number[]): Observation | undefined {
    for (const observation of this.#byRegistration.get(registrationId) ?? []) {
      if (!observation.paths && samePath(observation.path.ids, ids)) return observation;
    }
    return undefined;
  }

  /** The composite observation of exactly these paths, in any order. */
  findComposite(registrationId: string, paths: readonly Path[]): Observation | undefined {
    for (const observation of this.#byRegistration.get(registrationId) ?? []) {
      if (observation.paths && samePaths(observation.paths, paths)) return observation;
    }
    return undefined;
  }

  /** The one that another replaces: of the same path, or of the same paths. */
  same({ registrationId, path, paths }: Observation): Observation | undefined {
    return paths ? this.findComposite(registrationId, paths) : this.find(registrationId, path.ids);
  }

  remove(observation: Observation): void {
    this.#forget(observation.id);
    this.#keeper.touch(observationKey(observation.id));
    this.#keeper.touch(sequenceKey(observation.id));
    const own = this.#byRegistration.get(observation.registrationId);
    const index = own?.findIndex(({ id }) => id === observation.id) ?? -1;
    if (!own || index < 0) return;
    if (own.length === 1) this.#byRegistration.delete(observation.registrationId);
    else own.splice(index, 1);
  }

  #forget(id: string): void {
    const running = this.#byId.get(id);
    if (running) running.gone = true;
    this.#byId.delete(id);
  }
}

function samePaths(a: readonly Path[], b: readonly Path[]): boolean {
  const known = new Set(a.map(({ ids }) => formatPath(ids)));
  return known.size === new Set(b.map(({ ids }) => formatPath(ids))).size && b.every(({ ids }) => known.has(formatPath(ids)));
}
