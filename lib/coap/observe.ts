import { codeText, isSuccess } from './codes';
import { FewMap } from '../transport/few-map';
import type { CoapContext } from './context';
import type { Exchange } from './exchange';
import { findBlock, OptionNumber, type Block } from './options';
import type { PeerState } from './peers';
import { tokenKey } from './tokens';
import type { IncomingResponse, RequestSpec } from './types';

/** An observation as the engine needs it: what to match, and how to fetch later blocks. */
export interface ObservedToken {
  /** The token in hex. */
  readonly key: string;
  /** The request that began it, without what was of that one time. */
  readonly spec: RequestSpec;
  lastObserve: number | undefined;
  lastAt: number;
  /** The rest of a block-wise notification is being fetched. */
  collecting: Exchange | null;
}

/** The newest notification of an observation that is adopted: its Observe number, and when it came (monotonic ms, may be negative). */
export interface LastNotification {
  readonly observe: number | undefined;
  readonly at: number;
}

/** What observations need of the client side. */
export interface Collector {
  collect(state: PeerState, spec: RequestSpec, first: IncomingResponse, block: Block): Exchange | null;
  abandon(exchange: Exchange): void;
}

/** RFC 7641 3.4: an older sequence number is news again after this time. */
const FRESHNESS_MS = 128_000;

/** Client side of RFC 7641: which tokens are observations, which notifications are news, when it is over. */
export class Observations {
  readonly #context: CoapContext;
  readonly #collector: Collector;

  constructor(context: CoapContext, collector: Collector) {
    this.#context = context;
    this.#collector = collector;
  }

  /** An answer to a request with Observe 0 that carries the option makes an observation (RFC 7641 3.1). */
  established(exchange: Exchange, response: IncomingResponse): void {
    if (exchange.spec.observe !== 0) return;
    const { state, key } = exchange;
    if (!isSuccess(response.code) || response.observe === undefined) {
      this.forget(state, key);
      return;
    }
    const observed = this.adopt(state, exchange.key, exchange.spec);
    observed.lastObserve = response.observe;
    observed.lastAt = this.#context.now;
  }

  /** Takes a token for an observation without asking the device, e.g. after a restart. */
  adopt(state: PeerState, key: string, spec: RequestSpec, last?: LastNotification): ObservedToken {
    this.forget(state, key);
    const { observe, at = 0 } = last ?? {};
    const observed: ObservedToken = { key, spec: lasting(spec), lastObserve: observe, lastAt: at, collecting: null };
    (state.observations ??= new FewMap()).set(key, observed);
    return observed;
  }

  /** The next notification with this token is answered with a Reset, which ends it at the device too. */
  forget(state: PeerState, key: string): boolean {
    const observed = state.observations?.get(key);
    if (!observed) return false;
    state.observations!.delete(key);
    if (state.observations!.size === 0) state.observations = null;
    if (observed.collecting) this.#collector.abandon(observed.collecting);
    return true;
  }

  move(from: PeerState, to: PeerState): void {
    for (const [key, observed] of from.observations?.entries() ?? []) {
      if (observed.collecting) this.#collector.abandon(observed.collecting);
      observed.collecting = null;
      (to.observations ??= new FewMap()).set(key, observed);
    }
    from.observations = null;
  }

  notification(state: PeerState, observed: ObservedToken, response: IncomingResponse): void {
    if (!isSuccess(response.code)) {
      this.#end(state, observed, response);
      return;
    }
    if (response.observe !== undefined) {
      if (!this.#isNews(observed, response.observe)) {
        this.#context.counters.staleNotifications++;
        return;
      }
      observed.lastObserve = response.observe;
      observed.lastAt = this.#context.now;
    }
    const block = findBlock(response.options, OptionNumber.BLOCK2);
    if (observed.collecting) {
      this.#collector.abandon(observed.collecting);
      observed.collecting = null;
    }
    if (block === null || (block && (block.num > 0 || (block.more && response.payload.length !== block.size)))) {
      this.#lost(state, response.token, 'its first block is not one');
      return;
    }
    if (block?.more) {
      const { path, query, options, payload, code, contentFormat, accept } = observed.spec;
      const spec: RequestSpec = {
        code,
        path,
        ...(query && { query }),
        ...(options && { options }),
        ...(payload && { payload }),
        ...(contentFormat !== undefined && { contentFormat }),
        ...(accept !== undefined && { accept }),
      };
      observed.collecting = this.#collector.collect(state, spec, response, block);
      return;
    }
    this.#report(state, observed, response);
  }

  /** All blocks of a notification are there; `response` carries the first block's options. */
  collected(exchange: Exchange, response: IncomingResponse): void {
    const first = exchange.notification!;
    const { state } = exchange;
    const observed = state.observations?.get(tokenKey(first.token));
    if (!observed || observed.collecting !== exchange) return;
    observed.collecting = null;
    if (isSuccess(response.code)) this.#report(state, observed, { ...response, token: first.token, observe: first.observe });
    else this.#lost(state, first.token, `its later blocks were refused with ${codeText(response.code)}`);
  }

  /** The rest of a notification could not be fetched. The next one tells the state anew. */
  lost(exchange: Exchange): void {
    this.#lost(exchange.state, exchange.notification!.token, 'its later blocks could not be fetched');
    const observed = exchange.state.observations?.get(tokenKey(exchange.notification!.token));
    if (observed?.collecting === exchange) observed.collecting = null;
  }

  #lost(state: PeerState, token: Uint8Array, detail: string): void {
    this.#context.counters.lostNotifications++;
    this.#context.sink.observation({ kind: 'lost', peer: state.peer, token, detail });
  }

  #report(state: PeerState, observed: ObservedToken, response: IncomingResponse): void {
    // Without the option this is the last one (RFC 7641 3.2): its value still counts.
    if (response.observe === undefined) {
      this.#end(state, observed, response);
      return;
    }
    this.#context.counters.notifications++;
    this.#context.sink.observation({ kind: 'notification', peer: state.peer, response });
  }

  #end(state: PeerState, observed: ObservedToken, response: IncomingResponse): void {
    this.forget(state, observed.key);
    this.#context.sink.observation({ kind: 'ended', peer: state.peer, token: Buffer.from(observed.key, 'hex'), response });
  }

  /** RFC 7641 3.4, 24-bit serial numbers. */
  #isNews(observed: ObservedToken, sequence: number): boolean {
    const last = observed.lastObserve;
    if (last === undefined || this.#context.now > observed.lastAt + FRESHNESS_MS) return true;
    const ahead = (sequence - last) & 0xffffff;
    return ahead > 0 && ahead < 0x800000;
  }
}

/**
 * What of a request is needed as long as the observation runs. A token is part of a datagram's memory, and a time-out of one
 * request; many a device waits here for years.
 */
function lasting({ code, path, query, options, payload, contentFormat, accept }: RequestSpec): RequestSpec {
  const spec: { -readonly [Field in keyof RequestSpec]: RequestSpec[Field] } = { code, path };
  if (query) spec.query = query;
  if (options) spec.options = options;
  if (payload) spec.payload = payload;
  if (contentFormat !== undefined) spec.contentFormat = contentFormat;
  if (accept !== undefined) spec.accept = accept;
  return spec;
}
