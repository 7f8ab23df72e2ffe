import type { Identity } from '../transport/types';
import { EMPTY, vector } from './bytes';
import { ExtensionType, type CipherSuite } from './constants';
import type { Extensions } from './handshake/extensions';
import { principalKey } from './session';

/** What a later handshake may go on from (RFC 5246 7.3). */
export interface Resumable {
  /** Session id, as a map key. */
  readonly id: string;
  readonly master: Buffer;
  readonly suite: CipherSuite;
  readonly identity: Identity;
  /** What proved it when the session was made. */
  readonly proof: string;
  /** What must be said again, see `resumptionTerms`. */
  readonly terms: Buffer;
  /** Monotonic ms. */
  readonly until: number;
}

/** Extensions that hold for as long as a session can be resumed: server_name and max_fragment_length (RFC 6066 3, 4). */
export function resumptionTerms(extensions: Extensions): Buffer {
  const said = (type: number): Buffer => vector(extensions.get(type) ?? EMPTY, 2);
  return Buffer.concat([said(ExtensionType.SERVER_NAME), said(ExtensionType.MAX_FRAGMENT_LENGTH)]);
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
