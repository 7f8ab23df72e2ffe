import type { Identity } from '../transport/types';
import type { Handshake } from './handshake/handshake';
import { principalKey, type Session } from './session';

/** How much later a session is moved to the end of the order of activity: not with each record. */
const TOUCH = 60_000;

/**
 * Sessions by connection ID, address and principal. A session with a connection ID is never looked for by its address, so
 * no other can take its place there.
 */
export class SessionTable {
  /** In order of activity, coarsely. */
  readonly #all = new Map<string, Session>();
  readonly #byCid = new Map<string, Session | Handshake>();
  /** Those without a connection ID of ours. */
  readonly #byRoute = new Map<string, Session>();
  readonly #byPrincipal = new Map<string, Session>();
  /** Who was last heard from an address, for news of the address; nothing is decided by it. */
  readonly #lastAt = new Map<string, Session>();

  get size(): number {
    return this.#all.size;
  }

  values(): IterableIterator<Session> {
    return this.#all.values();
  }

  get(key: string): Session | undefined {
    return this.#all.get(key);
  }

  byCid(cid: string): Session | Handshake | undefined {
    return this.#byCid.get(cid);
  }

  byRoute(routeKey: string): Session | undefined {
    return this.#byRoute.get(routeKey);
  }

  byPrincipal(identity: Identity): Session | undefined {
    return this.#byPrincipal.get(principalKey(identity));
  }

  lastAt(routeKey: string): Session | undefined {
    return this.#lastAt.get(routeKey);
  }

  /** Keeps a connection ID for a handshake under way. */
  reserve(cid: string, handshake: Handshake): void {
    this.#byCid.set(cid, handshake);
  }

  release(cid: string, handshake: Handshake): void {
    if (this.#byCid.get(cid) === handshake) this.#byCid.delete(cid);
  }

  /** Takes the place of whoever is there: the caller has dealt with them. */
  add(session: Session, now: number): void {
    this.#all.set(session.key, session);
    session.touchedAt = now;
    if (session.cidKey === '') this.#byRoute.set(session.route.key, session);
    else this.#byCid.set(session.cidKey, session);
    this.#byPrincipal.set(session.principal, session);
    this.#lastAt.set(session.route.key, session);
  }

  remove(session: Session): void {
    this.#all.delete(session.key);
    if (this.#byCid.get(session.cidKey) === session) this.#byCid.delete(session.cidKey);
    if (this.#byRoute.get(session.route.key) === session) this.#byRoute.delete(session.route.key);
    if (this.#byPrincipal.get(session.principal) === session) this.#byPrincipal.delete(session.principal);
    if (this.#lastAt.get(session.route.key) === session) this.#lastAt.delete(session.route.key);
  }

  /** The session, which has a connection ID, is heard from elsewhere. */
  move(session: Session, to: Session['route']): void {
    if (this.#lastAt.get(session.route.key) === session) this.#lastAt.delete(session.route.key);
    session.route = to;
    this.#lastAt.set(to.key, session);
  }

  touch(session: Session, now: number): void {
    session.lastActive = now;
    if (now - session.touchedAt < TOUCH) return;
    session.touchedAt = now;
    this.#all.delete(session.key);
    this.#all.set(session.key, session);
  }

  /** The one silent longest, within the minute. */
  oldest(): Session | undefined {
    return this.#all.values().next().value;
  }

  clear(): void {
    this.#all.clear();
    this.#byCid.clear();
    this.#byRoute.clear();
    this.#byPrincipal.clear();
    this.#lastAt.clear();
  }
}
