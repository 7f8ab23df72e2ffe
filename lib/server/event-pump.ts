import type { DataNode } from '../lwm2m/types';
import type { ServerEvent } from './types';

export interface EventPumpOptions {
  readonly deliver: (event: ServerEvent) => void;
  /** Calls `work` in a later turn of the loop; default `setImmediate`. */
  readonly later?: (work: () => void) => void;
  /** Events handed over in one turn of the loop. Default 40: a socket is read 32 times a turn, and what comes must be able to go. */
  readonly perTurn?: number;
  /** Above so many waiting events, notifications of one observation are joined. Default 256. */
  readonly coalesceAbove?: number;
  /** Waiting events at most; `full` from then on, and what comes nevertheless is lost. Default 50,000. */
  readonly limit?: number;
}

type Notification = Extract<ServerEvent, { kind: 'notification' }>;

/** A notification with more values than this is replaced as it stands, not joined resource by resource. */
const MAX_JOINED = 512;

/**
 * Hands events to the flows in order, a bounded number a turn of the loop, because a flow gives no back-pressure. When
 * many wait, a notification joins the one of its observation that still waits: the newest values stay, and the event says
 * in `coalesced` how many notifications it stands for besides itself.
 */
export class EventPump {
  readonly counters = { coalescedNotifications: 0, lostEvents: 0 };
  /** Set by `pause` and `resume`. */
  paused = false;
  readonly #deliver: (event: ServerEvent) => void;
  readonly #later: (work: () => void) => void;
  readonly #perTurn: number;
  readonly #coalesceAbove: number;
  readonly #limit: number;
  /** A place left empty belonged to a notification that has been joined. */
  #queue: (ServerEvent | undefined)[] = [];
  #head = 0;
  #waiting = 0;
  /** Place of the waiting notification of an observation; kept only while many wait. */
  readonly #places = new Map<string, number>();
  #used = 0;
  #scheduled = false;

  constructor(options: EventPumpOptions) {
    const { deliver, later = setImmediate, perTurn = 40, coalesceAbove = 256, limit = 50_000 } = options;
    this.#deliver = deliver;
    this.#later = later;
    this.#perTurn = perTurn;
    this.#coalesceAbove = coalesceAbove;
    this.#limit = limit;
  }

  /** Events that wait for a later turn. */
  get waiting(): number {
    return this.#waiting;
  }

  /** No more events should be made. */
  get full(): boolean {
    return this.#waiting >= this.#limit;
  }

  push(event: ServerEvent): void {
    if (this.#waiting === 0 && this.#used < this.#perTurn && !this.paused) {
      this.#used++;
      this.#schedule();
      this.#deliver(event);
      return;
    }
    this.#enqueue(event);
    this.#schedule();
  }

  /** Keeps all events from now on: the flows are being replaced. */
  pause(): void {
    this.paused = true;
  }

  /** Hands over what was kept, and goes on. */
  resume(): void {
    this.paused = false;
    this.#schedule();
  }

  /** Takes out all events that wait. */
  take(): ServerEvent[] {
    const events = this.#queue.slice(this.#head).filter((event) => event !== undefined);
    this.#empty();
    return events;
  }

  #enqueue(event: ServerEvent): void {
    let added = event;
    if (event.kind === 'notification' && this.#waiting > this.#coalesceAbove) {
      const { id } = event.observation;
      const place = this.#places.get(id);
      const earlier = place === undefined ? undefined : this.#queue[place];
      if (place !== undefined && earlier?.kind === 'notification' && joinable(earlier, event)) {
        added = join(earlier, event);
        this.#queue[place] = undefined;
        this.#waiting--;
        this.counters.coalescedNotifications++;
      }
      this.#places.set(id, this.#queue.length);
    }
    if (this.#waiting >= this.#limit) {
      this.counters.lostEvents++;
      return;
    }
    this.#queue.push(added);
    this.#waiting++;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#later(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.#used = 0;
    if (this.paused) return;
    while (this.#waiting > 0 && this.#used < this.#perTurn) {
      this.#used++;
      this.#next();
    }
    // The budget of this turn is used up until the next one begins.
    if (this.#used > 0) this.#schedule();
  };

  #next(): void {
    let event: ServerEvent | undefined;
    while (event === undefined) {
      event = this.#queue[this.#head];
      this.#queue[this.#head++] = undefined;
    }
    this.#waiting--;
    if (event.kind === 'notification' && this.#places.get(event.observation.id) === this.#head - 1)
      this.#places.delete(event.observation.id);
    if (this.#waiting === 0) this.#empty();
    else if (this.#head > 4096 && this.#head * 2 > this.#queue.length) this.#compact();
    this.#deliver(event);
  }

  #empty(): void {
    this.#queue = [];
    this.#head = this.#waiting = 0;
    this.#places.clear();
  }

  #compact(): void {
    this.#queue = this.#queue.slice(this.#head);
    for (const [id, place] of this.#places) this.#places.set(id, place - this.#head);
    this.#head = 0;
  }
}

/** Values with times of their own are a history, of which none may go; the last report of an observation stands alone. */
function joinable(earlier: Notification, later: Notification): boolean {
  if (earlier.registration.id !== later.registration.id) return false;
  return ![...earlier.nodes, ...later.nodes].some((node) => node.time !== undefined);
}

/** The later one, with the values of the earlier that it does not give anew: a device may send only what has changed. */
function join(earlier: Notification, later: Notification): Notification {
  const coalesced = (earlier.coalesced ?? 0) + 1;
  if (later.nodes.length + earlier.nodes.length > MAX_JOINED) return { ...later, coalesced };
  const newer = new Set(later.nodes.map(resourceOf));
  const older = earlier.nodes.filter((node) => !newer.has(resourceOf(node)));
  return { ...later, nodes: older.length === 0 ? later.nodes : [...older, ...later.nodes], coalesced };
}

/** A resource given anew replaces all its instances. */
function resourceOf({ path }: DataNode): string {
  return path.slice(0, 3).join('/');
}
