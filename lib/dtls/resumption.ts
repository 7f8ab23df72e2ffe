import type { Identity } from '../transport/types';
import type { CipherSuite } from './constants';
import { principalKey } from './session';

/** What a later handshake may go on from (RFC 5246 7.3). */
export interface Resumable {
  /** Session id, as a map key. */
  readonly id: string;
  readonly master: Buffer;
  readonly suite: CipherSuite;
  readonly identity: Identity;
  /** Its `server_name` extension, empty when there was none. */
  readonly serverName: Buffer;
  /** Monotonic ms. */
  readonly until: number;
}

/** Sessions that may be resumed, the latest of each principal; the oldest give way. */
export class Resumption {
  readonly #max: number;
  readonly #byId = new Map<string, Resumable>();
  readonly #byPrincipal = new Map<string, Resumable>();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#byId.size;
  }

  add(entry: Resumable): void {
    this.forget(entry.identity);
    this.#byId.set(entry.id, entry);
    this.#byPrincipal.set(principalKey(entry.identity), entry);
    if (this.#byId.size <= this.#max) return;
    const [oldest] = this.#byId.values();
    if (oldest) this.forget(oldest.identity);
  }

  find(id: string, now: number): Resumable | undefined {
    const entry = this.#byId.get(id);
    if (!entry || now < entry.until) return entry;
    this.forget(entry.identity);
    return undefined;
  }

  /** What this principal had proven does not count any more. */
  forget(identity: Identity): void {
    const key = principalKey(identity);
    const entry = this.#byPrincipal.get(key);
    if (!entry) return;
    this.#byPrincipal.delete(key);
    this.#byId.delete(entry.id);
  }

  clear(): void {
    this.#byId.clear();
    this.#byPrincipal.clear();
  }
}
