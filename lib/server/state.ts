import type { Peer } from '../transport/types';
import type { Companion } from './companion';
import type { ServerContext } from './context';
import { parseKey, parseValueName, registrationKey, updatedKey, type RecordKind, type StateRecord } from './keeper';
import { observationRequest } from './operation-requests';
import type { CommandQueue } from './queue';
import { readSequence, readUpdate, readValue, RecordReader, writeObservation, writeRegistration, type KeptSequence } from './records';
import type { Registered } from './registrations';
import type { Observation, Registration } from './types';

/** The way to a device that is not heard of yet; undefined when there is none. */
export type Route = (registration: Registration, local: string | undefined) => Peer | undefined;

/** What a server is asked to keep, and how it finds itself again: see `StateKeeper`. */
export class ServerState {
  readonly #context: ServerContext;
  readonly #reader = new RecordReader();
  readonly #queue: CommandQueue;
  readonly #companion: Companion | undefined;

  constructor(context: ServerContext, queue: CommandQueue, companion: Companion | undefined) {
    this.#context = context;
    this.#queue = queue;
    this.#companion = companion;
  }

  record(key: string): StateRecord | undefined {
    const parsed = parseKey(key);
    if (!parsed) return undefined;
    const { kind, name } = parsed;
    switch (kind) {
      case 'reg': {
        const entry = this.#context.registrations.byId(name);
        if (!entry) return undefined;
        const expiresAt = this.#expiresAt(entry);
        return { value: writeRegistration({ registration: entry.registration, expiresAt, local: entry.peer.local }) };
      }
      case 'obs': {
        const observation = this.#context.observations.byId(name);
        return observation && { value: writeObservation({ observation, last: this.#last(observation) }) };
      }
      case 'cmd':
        return this.#queue.record(name);
      case 'pid':
        return this.#context.profiles.record(name);
      case 'prf': {
        const value = this.#companion?.record(name);
        return value === undefined ? undefined : { value };
      }
      // Whatever has these records hands them over itself (`Changing`): whoever asks wants to know that they are gone.
      case 'upd':
      case 'seq':
      case 'val':
        return undefined;
      default:
        return kind satisfies never;
    }
  }

  /**
   * Takes a record back, in the order of `RECORD_KINDS`. A registration whose lifetime is over ends at
   * the next `advance`, with its event. False when it is damaged, or belongs to nothing: it is then no longer kept.
   */
  restore(key: string, value: unknown, route: Route): boolean {
    const parsed = parseKey(key);
    const restored = parsed !== undefined && this.#restore(parsed.kind, parsed.name, value, route);
    if (!restored) this.#context.keeper.touch(key);
    return restored;
  }

  #restore(kind: RecordKind, name: string, value: unknown, route: Route): boolean {
    switch (kind) {
      case 'reg':
        return this.#registration(name, value, route);
      case 'upd':
        return this.#update(name, value);
      case 'obs':
        return this.#observation(name, value);
      case 'seq':
        return this.#sequence(name, value);
      case 'val': {
        const { endpoint, path } = parseValueName(name) ?? { endpoint: '', path: '' };
        const last = readValue(value);
        if (!last || !this.#context.registrations.byEndpoint(endpoint)) return false;
        this.#context.lastValues.restore(endpoint, path, last);
        return true;
      }
      case 'cmd':
        return this.#queue.restore(name, value);
      case 'pid':
        return this.#context.profiles.restore(name, value);
      case 'prf':
        return this.#companion?.restore(name, value) ?? false;
      default:
        return kind satisfies never;
    }
  }

  #registration(id: string, value: unknown, route: Route): boolean {
    const { registrations, changed, keeper } = this.#context;
    const kept = this.#reader.registration(id, value);
    const peer = kept && route(kept.registration, kept.local);
    if (!peer) return false;
    const earlier = registrations.byEndpoint(kept.registration.endpoint);
    // Of two of one device the newer one holds; the other was about to be forgotten.
    if (earlier && earlier.registration.registeredAt > kept.registration.registeredAt) return false;
    if (earlier) {
      registrations.remove(earlier);
      keeper.touch(registrationKey(earlier.registration.id));
      keeper.touch(updatedKey(earlier.registration.id));
    }
    registrations.add(kept.registration, peer, this.#monotonic(kept.expiresAt));
    this.#queue.restored(kept.registration);
    changed();
    return true;
  }

  #update(id: string, value: unknown): boolean {
    const kept = readUpdate(value);
    const entry = kept && this.#context.registrations.byId(id);
    if (!entry) return false;
    // A later Update may have changed more, and is in the registration.
    if (kept.updatedAt <= entry.registration.updatedAt) return true;
    this.#context.registrations.updated(entry, kept.updatedAt, this.#monotonic(kept.expiresAt));
    this.#queue.restored(entry.registration);
    return true;
  }

  #observation(id: string, value: unknown): boolean {
    const { registrations, observations, endpoint } = this.#context;
    const kept = this.#reader.observation(id, value);
    const entry = kept && registrations.byId(kept.observation.registrationId);
    if (!entry) return false;
    const { observation, last } = kept;
    const { registration, peer } = entry;
    const double = observations.same(observation);
    if (double) observations.remove(double);
    observations.restore(observation);
    const spec = observationRequest(observation, registration, this.#context.model, 0);
    endpoint.adoptObservation(peer, Buffer.from(id, 'hex'), spec, last && this.#notification(last));
    return true;
  }

  #sequence(id: string, value: unknown): boolean {
    const { registrations, observations, endpoint } = this.#context;
    const last = readSequence(value);
    const observation = observations.byId(id);
    const entry = observation && registrations.byId(observation.registrationId);
    if (!last || !entry) return false;
    endpoint.setLastNotification(entry.peer, Buffer.from(id, 'hex'), this.#notification(last));
    return true;
  }

  #notification({ lastObserve, lastAt }: KeptSequence): { observe: number; at: number } {
    const { clock } = this.#context;
    // The wall clock may have jumped since: what came later than now came now.
    return { observe: lastObserve, at: Math.min(clock.now(), clock.now() + (lastAt - clock.wall())) };
  }

  /** The newest notification that counted, as the engine knows it. */
  #last({ id, registrationId }: Observation): KeptSequence | undefined {
    const { registrations, endpoint, clock } = this.#context;
    const entry = registrations.byId(registrationId);
    const last = entry && endpoint.lastNotification(entry.peer, Buffer.from(id, 'hex'));
    if (last?.observe === undefined) return undefined;
    return { lastObserve: last.observe, lastAt: Math.max(0, Math.round(clock.wall() - (clock.now() - last.at))) };
  }

  #monotonic(expiresAt: number | undefined): number {
    const { clock } = this.#context;
    return expiresAt === undefined ? Infinity : clock.now() + (expiresAt - clock.wall());
  }

  #expiresAt({ deadline }: Registered): number | undefined {
    const { clock } = this.#context;
    return deadline.at === Infinity ? undefined : Math.max(0, Math.round(clock.wall() + (deadline.at - clock.now())));
  }
}
