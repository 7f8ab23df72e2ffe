import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import type { CoapCounters, CoapSizes } from '../coap/context';
import type { DtlsCounters } from '../dtls/types';
import type { Clock, Core } from '../transport/types';
import type { UdpCounters } from '../transport/udp';
import type { CoreCounters } from './context';

/** What the counters of a server are gathered from. */
export interface StatsSources {
  readonly udp: readonly Readonly<UdpCounters>[];
  readonly coap: Readonly<CoapCounters>;
  readonly sizes: CoapSizes;
  readonly dtls: Readonly<DtlsCounters> & { readonly sessions: number; readonly underWay: number; readonly reassemblyBytes: number };
  readonly core: CoreCounters;
  /** Milliseconds since the start. */
  readonly uptime: number;
  readonly internalErrors: number;
  readonly eventsLost: number;
  readonly coalescedNotifications: number;
  readonly waitingEvents: number;
  readonly loopDelay: LoopDelay;
}

/** How late the event loop was, in milliseconds. */
export interface LoopDelay {
  readonly mean: number;
  readonly max: number;
}

/** Counters since start, and sizes, as one flat object; `docs/message-contract.md` says what each means. */
export type ServerStats = Readonly<ReturnType<typeof collectStats>>;

/** Puts the counters of all floors under names that are clear beside each other. */
export function collectStats({ udp, coap, sizes, dtls, core, ...own }: StatsSources) {
  const { invalidSource, ...datagrams } = sum(udp);
  const { formatErrors, overloaded, notifications, ...messages } = coap;
  return {
    uptime: Math.floor(own.uptime / 1000),
    ...datagrams,
    ...messages,
    notificationsReceived: notifications,
    droppedPort0: invalidSource,
    droppedMalformed: formatErrors,
    droppedPeerTable: overloaded,
    ...sizes,
    ...prefixed(dtls),
    ...core,
    waitingEvents: own.waitingEvents,
    coalescedNotifications: own.coalescedNotifications,
    eventsLost: own.eventsLost,
    internalErrors: own.internalErrors,
    eventLoopDelayMean: own.loopDelay.mean,
    eventLoopDelayMax: own.loopDelay.max,
  };
}

type Prefixed<T> = { readonly [K in keyof T & string as `dtls${Capitalize<K>}`]: number };

/** `moves` becomes `dtlsMoves`: many of the names are those of counters of CoAP, too. */
function prefixed<T extends object>(counters: T): Prefixed<T> {
  const entries = Object.entries(counters).map(([name, value]) => [`dtls${name.charAt(0).toUpperCase()}${name.slice(1)}`, value as number]);
  return Object.fromEntries(entries) as Prefixed<T>;
}

function sum(all: readonly Readonly<UdpCounters>[]): UdpCounters {
  const total: UdpCounters = { datagramsReceived: 0, datagramsSent: 0, sendErrors: 0, socketErrors: 0, invalidSource: 0 };
  for (const counters of all) for (const name of Object.keys(total) as (keyof UdpCounters)[]) total[name] += counters[name];
  return total;
}

/** How often the delay of the loop is sampled, ms: it wakes an idle machine, so it runs only where somebody looks at it. */
const RESOLUTION = 20;
const NO_DELAY: LoopDelay = { mean: 0, max: 0 };

/** Says when the counters are to be told of, and measures the event loop from one time to the next. */
export class StatsTimer implements Core {
  readonly #clock: Clock;
  readonly #tell: () => void;
  #interval = 0;
  #next = Infinity;
  #loop: IntervalHistogram | undefined;

  constructor(options: { clock: Clock; tell: () => void }) {
    this.#clock = options.clock;
    this.#tell = options.tell;
  }

  /** Seconds; 0 = never. The same interval again does not begin anew. The driver has to be told of the change. */
  setInterval(seconds: number): void {
    if (seconds * 1000 === this.#interval) return;
    this.#interval = seconds * 1000;
    this.#next = seconds > 0 ? this.#clock.now() + this.#interval : Infinity;
    this.#loop?.disable();
    this.#loop = undefined;
    if (seconds === 0) return;
    this.#loop = monitorEventLoopDelay({ resolution: RESOLUTION });
    this.#loop.enable();
  }

  /** Of the time since the counters were last told of; 0 while there is no interval. */
  loopDelay(): LoopDelay {
    // Without a sample yet the mean is NaN and the maximum 0.
    if (!this.#loop || this.#loop.max === 0) return NO_DELAY;
    return { mean: beyondResolution(this.#loop.mean), max: beyondResolution(this.#loop.max) };
  }

  deadline(): number {
    return this.#next;
  }

  advance(now: number): void {
    if (now < this.#next) return;
    // After a standstill of the machine once, not once for every interval that was missed.
    this.#next += this.#interval;
    if (this.#next <= now) this.#next = now + this.#interval;
    this.#tell();
    this.#loop?.reset();
  }
}

/** The monitor counts the time between two samples; in ms with two decimals. */
function beyondResolution(nanoseconds: number): number {
  return Math.max(0, Math.round(nanoseconds / 1e4 - RESOLUTION * 100) / 100);
}
