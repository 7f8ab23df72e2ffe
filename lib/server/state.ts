import type { Peer } from '../transport/types';
import type { ServerContext } from './context';
import { observationKey, parseKey, parseValueName, registrationKey, type StateRecord } from './keeper';
import { observationRequest } from './operation-requests';
import { readValue, RecordReader, writeObservation, writeRegistration } from './records';
import type { Registered } from './registrations';
import type { Registration } from './types';

/** The way to a device that is not heard of yet; undefined when there is none. */
export type Route = (registration: Registration, local: string | undefined) => Peer | undefined;

/** What a server is asked to keep, and how it finds itself again: see `StateKeeper`. */
export class ServerState {
  readonly #context: ServerContext;
  readonly #reader = new RecordReader();

  constructor(context: ServerContext) {
    this.#context = context;
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
        const kept = this.#context.observations.kept(name);
        return kept && { value: writeObservation(kept) };
      }
      case 'val': {
        const { endpoint, path } = parseValueName(name) ?? { endpoint: '', path: '' };
        const value = this.#context.lastValues.get(endpoint, path);
        return value && { value };
      }
      default:
        return kind satisfies never;
    }
  }

  /**
   * Takes a record back, in the order registrations, observations, values. A registration whose lifetime is over ends at
   * the next `advance`, with its event. False when it is damaged, or belongs to nothing: it is then no longer kept.
   */
  restore(key: string, value: unknown, route: Route): boolean {
    const parsed = parseKey(key);
    const restored = parsed !== undefined && this.#restore(parsed.kind, parsed.name, value, route);
    if (!restored) this.#context.keeper.touch(key);
    return restored;
  }

  #restore(kind: 'reg' | 'obs' | 'val', name: string, value: unknown, route: Route): boolean {
    switch (kind) {
      case 'reg':
        return this.#registration(name, value, route);
      case 'obs':
        return this.#observation(name, value);
      case 'val': {
        const { endpoint, path } = parseValueName(name) ?? { endpoint: '', path: '' };
        const last = readValue(value);
        if (!last || !this.#context.registrations.byEndpoint(endpoint)) return false;
        this.#context.lastValues.restore(endpoint, path, last);
        return true;
      }
      default:
        return kind satisfies never;
    }
  }

  #registration(id: string, value: unknown, route: Route): boolean {
    const { registrations, clock, changed, keeper } = this.#context;
    const kept = this.#reader.registration(id, value);
    const peer = kept && route(kept.registration, kept.local);
    if (!peer) return false;
    const earlier = registrations.byEndpoint(kept.registration.endpoint);
    // Of two of one device the newer one holds; the other was about to be forgotten.
    if (earlier && earlier.registration.registeredAt > kept.registration.registeredAt) return false;
    if (earlier) {
      registrations.remove(earlier);
      keeper.touch(registrationKey(earlier.registration.id));
    }
    const { expiresAt } = kept;
    registrations.add(kept.registration, peer, expiresAt === undefined ? Infinity : clock.now() + (expiresAt - clock.wall()));
    changed();
    return true;
  }

  #observation(id: string, value: unknown): boolean {
    const { registrations, observations, endpoint, clock, keeper } = this.#context;
    const kept = this.#reader.observation(id, value);
    const entry = kept && registrations.byId(kept.observation.registrationId);
    if (!entry) return false;
    const { observation, lastObserve, lastAt } = kept;
    const { registration, peer } = entry;
    const double = observations.same(observation);
    if (double) {
      observations.remove(double);
      keeper.touch(observationKey(double.id));
    }
    observations.restore(kept);
    // The wall clock may have jumped since: what came later than now came now.
    const at = Math.min(clock.now(), clock.now() + (lastAt - clock.wall()));
    const spec = observationRequest(observation, registration, this.#context.model, 0);
    endpoint.adoptObservation(peer, Buffer.from(id, 'hex'), spec, { observe: lastObserve, at });
    return true;
  }

  #expiresAt({ deadline }: Registered): number | undefined {
    const { clock } = this.#context;
    return deadline.at === Infinity ? undefined : Math.max(0, Math.round(clock.wall() + (deadline.at - clock.now())));
  }
}
