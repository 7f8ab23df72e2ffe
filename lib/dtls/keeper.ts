import { decodeSession, encodeSession } from './session-codec';
import type { SessionChange, SessionState, SessionStore } from './types';
import type { DtlsTransport } from './transport';
import type { Peer } from '../transport/types';

export interface KeeperOptions {
  readonly store: SessionStore;
  readonly onError: (error: unknown) => void;
}

/**
 * Between the sessions of a transport and the store that keeps them: writes what is asked to be kept, the latest of each session
 * only, and says when it is; hands over what was kept, once.
 */
export class SessionKeeper {
  readonly #store: SessionStore;
  readonly #onError: (error: unknown) => void;
  #transport: DtlsTransport | undefined;
  /** What is to be written of each session; `busy` while a write is under way. */
  readonly #wanted = new Map<string, { reserved: number; busy: boolean; again: boolean }>();

  constructor(options: KeeperOptions) {
    this.#store = options.store;
    this.#onError = options.onError;
  }

  /** To be given to the transport as its `persist`. */
  readonly persist = (change: SessionChange): void => {
    if (change.kind === 'remove') {
      this.#wanted.delete(change.key);
      this.#store.remove(change.key);
      return;
    }
    const wanted = this.#wanted.get(change.key) ?? { reserved: 0, busy: false, again: false };
    wanted.reserved = change.reserved;
    this.#wanted.set(change.key, wanted);
    if (wanted.busy) wanted.again = true;
    else void this.#write(change.key, wanted);
  };

  /** Hands what the store kept over to the transport. Returns the peers; to be called once, before the first datagram. */
  async begin(transport: DtlsTransport, routeFor: (address: string, port: number) => Peer): Promise<readonly Peer[]> {
    this.#transport = transport;
    const kept = await this.#store.takeAll();
    const states = kept.map(decodeSession).filter((state): state is SessionState => state !== undefined);
    return transport.restore(states, routeFor);
  }

  /** Stops the transport and writes the final states, synchronously. */
  finish(): void {
    const states = this.#transport?.stop() ?? [];
    this.#wanted.clear();
    this.#store.finish(new Map(states.map((state) => [state.key, encodeSession(state)])));
  }

  async #write(key: string, wanted: { reserved: number; busy: boolean; again: boolean }): Promise<void> {
    wanted.busy = true;
    // A session tells of itself before the caller has it in its hands.
    await Promise.resolve();
    for (let round = 0; round === 0 || wanted.again; round++) {
      wanted.again = false;
      const { reserved } = wanted;
      const state = this.#transport?.state(key, reserved);
      if (!state || this.#wanted.get(key) !== wanted) break;
      try {
        await this.#store.save(key, encodeSession(state));
        this.#transport?.persisted(key, reserved);
      } catch (error) {
        // Its numbers stay as they were: it falls silent when they are used, and asks again.
        this.#onError(error);
      }
    }
    wanted.busy = false;
  }
}
