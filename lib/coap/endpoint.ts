import type { Driver } from '../transport/driver';
import { systemRandom, type Random } from '../transport/random';
import type { Peer, TransportSink } from '../transport/types';
import { runBodyJob, type BodyJob, type BodyResult } from './body-job';
import { Code } from './codes';
import type { CoapCounters, CoapSink, CoapSizes } from './context';
import { CoapCore } from './core';
import type { LastNotification } from './observe';
import type { CoapParams } from './params';
import type { Standing } from './peers';
import type {
  BodySink,
  Failure,
  IncomingRequest,
  Notification,
  ObservationReport,
  Outcome,
  PingResult,
  RequestHead,
  RequestSpec,
  ResponseSpec,
} from './types';

/** Serves all paths below one first segment. Answers, now or later, with `endpoint.respond(request.id, ...)`. */
export interface Resource {
  handle(request: IncomingRequest): void;
  /**
   * Asked when the first of several blocks of a body is there: where it is to go block by block, an error code to refuse
   * it, or undefined to have it as a whole. `handle` comes when all of it was taken. Without this, bodies come as a whole.
   */
  accept?(head: RequestHead): BodySink | number | undefined;
  /** The observation that this request began is over, and why; not called for one that an error notification ended. */
  unobserved?(id: number, why: Failure): void;
  /** Request codes it knows; others are answered 4.05. */
  readonly methods: readonly number[];
}

/** Two owners want the same path on one port. */
export class RouteTakenError extends Error {
  readonly code = 'ROUTE_TAKEN';
}

export interface CoapEndpointOptions {
  readonly driver: Driver;
  readonly params?: Partial<CoapParams>;
  readonly random?: Random;
  readonly onError: (error: unknown) => void;
}

/**
 * A CoAP endpoint at work: the core, driven by a clock and fed by transports. Server and client on the same port.
 * Errors thrown by handlers and callbacks are reported to `onError` and go no further.
 */
export class CoapEndpoint implements TransportSink {
  readonly #core: CoapCore;
  readonly #driver: Driver;
  readonly #onError: (error: unknown) => void;
  readonly #resources = new Map<string, { readonly resource: Resource; readonly owner: string }>();
  readonly #callbacks = new Map<number, (outcome: Outcome) => void>();
  readonly #observers = new Set<(report: ObservationReport) => void>();
  /** Datagrams that came during a `hold`. */
  passedOver = 0;
  #holds = 0;
  #closed = false;
  /** While a datagram is being taken: when it came. */
  #receivedAt: number | undefined;

  constructor(options: CoapEndpointOptions) {
    const { driver, onError, params, random = systemRandom } = options;
    this.#driver = driver;
    this.#onError = onError;
    this.#core = new CoapCore({ sink: this.#sink, random, now: driver.clock.now(), ...(params && { params }) });
    driver.attach(this.#core);
  }

  get counters(): Readonly<CoapCounters> {
    return this.#core.counters;
  }

  sizes(): CoapSizes {
    return this.#core.sizes();
  }

  /**
   * Serves `/<segment>` and all below. Returns a function that ends it. Throws `RouteTakenError` naming both owners when
   * the segment is served already.
   */
  route(segment: string, resource: Resource, owner: string): () => void {
    const taken = this.#resources.get(segment);
    if (taken) throw new RouteTakenError(`"${owner}" and "${taken.owner}" both want to serve /${segment} on the same port`);
    this.#resources.set(segment, { resource, owner });
    return () => {
      if (this.#resources.get(segment)?.resource === resource) this.#resources.delete(segment);
    };
  }

  /** Hears notifications and ends of observations; returns a function that ends it. */
  observeReports(listener: (report: ObservationReport) => void): () => void {
    this.#observers.add(listener);
    return () => this.#observers.delete(listener);
  }

  /**
   * Passes over what comes in, until the function it returns is called: a server that is still reading its registrations
   * would answer as if it had none. Devices send again what is not answered.
   */
  hold(): () => void {
    this.#holds++;
    let held = true;
    return () => {
      if (held) this.#holds--;
      held = false;
    };
  }

  receive(data: Buffer, peer: Peer): void {
    if (this.#closed) return;
    if (this.#holds > 0) {
      this.passedOver++;
      return;
    }
    const now = this.#driver.clock.now();
    this.#receivedAt = now;
    try {
      this.#core.receive(data, peer, now);
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#receivedAt = undefined;
    }
    this.#driver.changed();
  }

  gone(peer: Peer, reason: string): void {
    this.#guard(() => this.#core.gone(peer, reason, this.#driver.clock.now()));
    this.#driver.changed();
  }

  /** `done` is called once, later, never from within this call. Returns a name for `cancel`. */
  request(peer: Peer, spec: RequestSpec, done: (outcome: Outcome) => void): number {
    if (this.#closed) {
      queueMicrotask(() => this.#guard(() => done({ kind: 'failed', reason: 'closed', detail: 'the server is closed' })));
      return 0;
    }
    const id = this.#core.request(peer, spec, this.#driver.clock.now());
    this.#callbacks.set(id, done);
    this.#driver.changed();
    return id;
  }

  /**
   * Asks a peer whether it is there (RFC 7252 4.3), in its turn among the requests to it. `done` is called once, later.
   * Returns a name for `cancel`.
   */
  ping(peer: Peer, done: (result: PingResult) => void): number {
    return this.request(peer, { code: Code.EMPTY, path: [] }, (outcome) => {
      if (outcome.kind === 'failed' && outcome.reason !== 'reset') done(outcome);
      else done({ kind: 'alive' });
    });
  }

  cancel(id: number): void {
    this.#core.cancel(id, this.#driver.clock.now());
    this.#driver.changed();
  }

  /** Since when (ms of the clock) the last message of a request is unacknowledged; undefined when none is. */
  unacknowledgedSince(id: number): number | undefined {
    return this.#core.unacknowledgedSince(id);
  }

  /** Ends a request whose last message is unacknowledged, or has not left, with `no-ack`; any other goes on. */
  giveUp(id: number): void {
    this.#core.giveUp(id, this.#driver.clock.now());
    this.#driver.changed();
  }

  respond(id: number, spec: ResponseSpec): void {
    // Most handlers answer at once: within the same call the time is the same, and what became due is looked at at its end.
    if (this.#receivedAt !== undefined) {
      this.#core.respond(id, spec, this.#receivedAt);
      return;
    }
    this.#core.respond(id, spec, this.#driver.clock.now());
    this.#driver.changed();
  }

  /**
   * Tells an observer the new state of what it observes by the request of this id, which was answered with `observe`.
   * Returns false when it observes no more.
   */
  notify(id: number, notification: Notification): boolean {
    const known = this.#core.notify(id, notification, this.#driver.clock.now());
    this.#driver.changed();
    return known;
  }

  forgetObservation(peer: Peer, token: Uint8Array): boolean {
    const known = this.#core.forgetObservation(peer, token, this.#driver.clock.now());
    this.#driver.changed();
    return known;
  }

  /** Takes a token for an observation without asking the device; `last` tells which notifications are news. */
  adoptObservation(peer: Peer, token: Uint8Array, spec: RequestSpec, last?: LastNotification): void {
    this.#core.adoptObservation(peer, token, spec, this.#driver.clock.now(), last);
    this.#driver.changed();
  }

  /** The newest notification of an observation that counted; undefined when there is no such observation. */
  lastNotification(peer: Peer, token: Uint8Array): LastNotification | undefined {
    return this.#core.lastNotification(peer, token);
  }

  /** As `last` of `adoptObservation`, for one that was adopted already. */
  setLastNotification(peer: Peer, token: Uint8Array, last: LastNotification): void {
    this.#core.setLastNotification(peer, token, last);
  }

  /**
   * What is known of a route from above: `registered` exempts it from the rate limits; `proven`, that it receives what is
   * sent to it, lets errors be larger than their questions; `unproven` takes both back. Holds until the route has been
   * silent for 247 s. A secure route is always proven.
   */
  setStanding(peer: Peer, standing: Standing): void {
    this.#core.setStanding(peer, standing);
  }

  rebind(from: Peer, to: Peer): void {
    this.#core.rebind(from, to, this.#driver.clock.now());
    this.#driver.changed();
  }

  /** Ends every request with the reason `closed`, those asked for from now on too. */
  close(): void {
    this.#closed = true;
    this.#guard(() => this.#core.close(this.#driver.clock.now()));
    this.#driver.detach(this.#core);
    this.#resources.clear();
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#onError(error);
    }
  }

  readonly #bodyDone = (job: BodyJob, result: BodyResult): void => {
    if ('error' in result && job.side === 'incoming') this.#onError(new Error(`the body of a request or its answer: ${result.error}`));
    if (this.#closed) return;
    try {
      this.#core.bodyDone(job, result, this.#driver.clock.now());
    } catch (error) {
      this.#onError(error);
    }
    this.#driver.changed();
  };

  readonly #sink: CoapSink = {
    send: (data, peer) => peer.transport.send(data, peer),
    admit: (code, path) => {
      const entry = this.#resources.get(path[0] ?? '');
      // RFC 7252 5.8: whatever the path.
      if (code > Code.IPATCH) return Code.METHOD_NOT_ALLOWED;
      if (!entry) return Code.NOT_FOUND;
      return entry.resource.methods.includes(code) ? 0 : Code.METHOD_NOT_ALLOWED;
    },
    request: (request) => {
      const entry = this.#resources.get(request.path[0] ?? '');
      if (!entry) {
        this.respond(request.id, { code: Code.NOT_FOUND });
        return;
      }
      try {
        entry.resource.handle(request);
      } catch (error) {
        this.#onError(error);
        this.respond(request.id, { code: Code.INTERNAL_SERVER_ERROR });
      }
    },
    outcome: (id, outcome) => {
      const done = this.#callbacks.get(id);
      this.#callbacks.delete(id);
      if (done) this.#guard(() => done(outcome));
    },
    accept: (head) => {
      const resource = this.#resources.get(head.path[0] ?? '')?.resource;
      try {
        return resource?.accept?.(head);
      } catch (error) {
        this.#onError(error);
        return Code.INTERNAL_SERVER_ERROR;
      }
    },
    unobserved: (id, path, why) => this.#guard(() => this.#resources.get(path[0] ?? '')?.resource.unobserved?.(id, why)),
    body: (job) => runBodyJob(job, this.#bodyDone),
    bodyEnd: (body, failure) => this.#guard(() => body.end?.(failure)),
    observation: (report) => {
      for (const observer of this.#observers) {
        try {
          observer(report);
        } catch (error) {
          this.#onError(error);
        }
      }
    },
  };
}
