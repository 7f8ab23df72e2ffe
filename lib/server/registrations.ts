import { Deadlines, type Deadline } from '../transport/deadlines';
import type { Peer } from '../transport/types';
import type { Registration } from './types';

/** A live registration: the plain data, the route to the device, and when it ends. */
export interface Registered {
  registration: Registration;
  peer: Peer;
  deadline: Deadline<Registered>;
}

/** The registered devices, by endpoint, by registration id and by route. */
export class Registrations {
  readonly #byEndpoint = new Map<string, Registered>();
  readonly #byId = new Map<string, Registered>();
  /** Several may share a route; the one that spoke last is the last. */
  readonly #byPeer = new Map<string, Registered[]>();
  readonly #deadlines = new Deadlines<Registered>();

  get size(): number {
    return this.#byEndpoint.size;
  }

  list(): Registration[] {
    return Array.from(this.#byEndpoint.values(), (entry) => entry.registration);
  }

  byEndpoint(endpoint: string): Registered | undefined {
    return this.#byEndpoint.get(endpoint);
  }

  byId(id: string): Registered | undefined {
    return this.#byId.get(id);
  }

  /** The device behind a route; where several share one, the one that spoke last. */
  byPeer(peer: Peer): Registered | undefined {
    return this.#byPeer.get(peer.key)?.at(-1);
  }

  add(registration: Registration, peer: Peer, expiresAt: number): Registered {
    const entry = { registration, peer } as Registered;
    entry.deadline = this.#deadlines.add(expiresAt, entry);
    this.#byEndpoint.set(registration.endpoint, entry);
    this.#byId.set(registration.id, entry);
    this.#join(entry);
    return entry;
  }

  /** Same device, same id: newer facts, perhaps another route, a later end. */
  update(entry: Registered, registration: Registration, peer: Peer, expiresAt: number): void {
    this.#leave(entry);
    entry.registration = registration;
    entry.peer = peer;
    this.#join(entry);
    this.#deadlines.remove(entry.deadline);
    entry.deadline = this.#deadlines.add(expiresAt, entry);
  }

  remove(entry: Registered): void {
    const { endpoint, id } = entry.registration;
    this.#deadlines.remove(entry.deadline);
    if (this.#byEndpoint.get(endpoint) === entry) this.#byEndpoint.delete(endpoint);
    this.#byId.delete(id);
    this.#leave(entry);
  }

  #join(entry: Registered): void {
    const sharing = this.#byPeer.get(entry.peer.key);
    if (sharing) sharing.push(entry);
    else this.#byPeer.set(entry.peer.key, [entry]);
  }

  #leave(entry: Registered): void {
    const sharing = this.#byPeer.get(entry.peer.key);
    const index = sharing?.indexOf(entry) ?? -1;
    if (!sharing || index < 0) return;
    if (sharing.length === 1) this.#byPeer.delete(entry.peer.key);
    else sharing.splice(index, 1);
  }

  deadline(): number {
    return this.#deadlines.next();
  }

  /** Takes out one registration whose lifetime is over. */
  takeExpired(now: number): Registered | undefined {
    const entry = this.#deadlines.takeDue(now);
    if (entry) this.remove(entry);
    return entry;
  }
}
