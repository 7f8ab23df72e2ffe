import { Deadlines, type Deadline } from '../transport/deadlines';
import type { Peer } from '../transport/types';
import { updatedKey, type Changing } from './keeper';
import { writeUpdate } from './records';
import type { Registration } from './types';

/** A live registration: the plain data, the route to the device, and when it ends. Its changing record is that of its last Update. */
export class Registered implements Changing {
  noted = false;
  deadline!: Deadline<Registered>;

  constructor(
    public registration: Registration,
    public peer: Peer,
  ) {}

  recordKey(): string {
    return updatedKey(this.registration.id);
  }

  record(): unknown {
    // Out of the heap: it has ended.
    if (this.deadline.index < 0) return undefined;
    const { updatedAt, lifetime } = this.registration;
    return writeUpdate({ updatedAt, expiresAt: lifetime === 0 ? undefined : updatedAt + lifetime * 1000 });
  }
}

/** The registered devices, by endpoint, by registration id and by route. */
export class Registrations {
  readonly #byEndpoint = new Map<string, Registered>();
  readonly #byId = new Map<string, Registered>();
  /** Several may share a route, which is rare; the one that spoke last is the last. */
  readonly #byPeer = new Map<string, Registered | Registered[]>();
  #shared = 0;
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
    const found = this.#byPeer.get(peer.key);
    return Array.isArray(found) ? found.at(-1) : found;
  }

  add(registration: Registration, peer: Peer, expiresAt: number): Registered {
    const entry = new Registered(registration, peer);
    entry.deadline = this.#deadlines.add(expiresAt, entry);
    this.#byEndpoint.set(registration.endpoint, entry);
    this.#byId.set(registration.id, entry);
    this.#join(entry);
    return entry;
  }

  /** Same device, same id: newer facts, perhaps another route, a later end. */
  update(entry: Registered, registration: Registration, peer: Peer, expiresAt: number): void {
    entry.registration = registration;
    this.#spoke(entry, peer);
    this.#deadlines.move(entry.deadline, expiresAt);
  }

  /**
   * Nothing is new but the time (epoch ms) and the end: most Updates. The registration remains the same object, because a new one
   * for each of a hundred thousand devices is what the garbage collector would be busy with.
   */
  updated(entry: Registered, at: number, expiresAt: number): void {
    (entry.registration as { updatedAt: number }).updatedAt = at;
    markSeen(entry.registration, at);
    this.#spoke(entry, entry.peer);
    this.#deadlines.move(entry.deadline, expiresAt);
  }

  remove(entry: Registered): void {
    const { endpoint, id } = entry.registration;
    this.#deadlines.remove(entry.deadline);
    if (this.#byEndpoint.get(endpoint) === entry) this.#byEndpoint.delete(endpoint);
    this.#byId.delete(id);
    this.#leave(entry);
  }

  #spoke(entry: Registered, peer: Peer): void {
    if (entry.peer.key === peer.key && this.#shared === 0) entry.peer = peer;
    else {
      this.#leave(entry);
      entry.peer = peer;
      this.#join(entry);
    }
  }

  #join(entry: Registered): void {
    const { key } = entry.peer;
    const found = this.#byPeer.get(key);
    if (found === undefined) this.#byPeer.set(key, entry);
    else if (Array.isArray(found)) found.push(entry);
    else {
      this.#byPeer.set(key, [found, entry]);
      this.#shared++;
    }
  }

  #leave(entry: Registered): void {
    const { key } = entry.peer;
    const found = this.#byPeer.get(key);
    if (found === entry) this.#byPeer.delete(key);
    if (!Array.isArray(found)) return;
    const index = found.indexOf(entry);
    if (index >= 0) found.splice(index, 1);
    if (found.length > 1) return;
    this.#byPeer.set(key, found[0]!);
    this.#shared--;
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

/** Something of the device came (epoch ms). In place, for the same reason as above. */
export function markSeen(registration: Registration, at: number): void {
  (registration as { lastSeenAt: number }).lastSeenAt = at;
}
