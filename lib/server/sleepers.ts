import { Deadlines, type Deadline } from '../transport/deadlines';
import type { ServerContext } from './context';
import { awakeWindow } from './presence';
import type { Registration } from './types';

/** What is known of a device in queue mode that is awake, or is tried later. */
interface Sleeper {
  readonly endpoint: string;
  awake: boolean;
  /** On the server's clock. */
  awakeUntil: number;
  window: Deadline<Sleeper> | undefined;
  /** When it is tried next although it was not heard. */
  retry: Deadline<Sleeper> | undefined;
}

/** What it has to know of the commands for a device. */
interface Commands {
  /** How many wait. */
  waiting(endpoint: string): number;
  /** Since when (ms of the clock) the one on its way is unacknowledged; undefined when none is. */
  unacknowledgedSince(endpoint: string): number | undefined;
  /** The one on its way, which is unacknowledged, is not repeated any more. */
  giveUp(endpoint: string): void;
}

/** Devices that fall asleep, or are tried again, in one turn. */
const MAX_DUE = 200;

/**
 * Which devices in queue mode listen (Core TS 1.1 6.2.1.2, Transport TS 1.1 6.5): each for its awake window after it was heard. With
 * eDRX (`edrxCycle`) one that sleeps may be tried, too: the network holds one message until it listens next.
 */
export class Sleepers {
  readonly #context: ServerContext;
  readonly #commands: Commands;
  readonly #sleepers = new Map<string, Sleeper>();
  readonly #windows = new Deadlines<Sleeper>();
  readonly #retries = new Deadlines<Sleeper>();

  constructor(context: ServerContext, commands: Commands) {
    this.#context = context;
    this.#commands = commands;
  }

  /** Whether the device listens; undefined for one that always does. */
  isAwake({ endpoint, queueMode }: Registration): boolean | undefined {
    return queueMode ? (this.#sleepers.get(endpoint)?.awake ?? false) : undefined;
  }

  /** Whether a command may be sent to it now. */
  listens(endpoint: string): boolean {
    const entry = this.#context.registrations.byEndpoint(endpoint);
    if (!entry) return false;
    if (!entry.registration.queueMode) return true;
    const sleeper = this.#sleepers.get(endpoint);
    return sleeper?.awake || (sleeper?.retry === undefined && this.#cycle(endpoint) !== undefined);
  }

  /** The device has said something. */
  heard(registration: Registration): void {
    const { endpoint, queueMode } = registration;
    if (!queueMode) {
      // It is in queue mode no more.
      this.left(endpoint);
      return;
    }
    const { clock, devices, emit, queue } = this.#context;
    const sleeper = this.#sleeper(endpoint);
    this.#listenUntil(sleeper, clock.now() + awakeWindow(registration, devices.get(endpoint), queue));
    if (sleeper.awake) return;
    sleeper.awake = true;
    emit({ kind: 'awake', at: clock.wall(), registration, waiting: this.#commands.waiting(endpoint) });
  }

  /** A registration is there again after a restart: its device is awake for as long as after its last Register or Update. */
  restored(registration: Registration): void {
    const { clock, devices, queue, changed } = this.#context;
    const { endpoint, queueMode, updatedAt } = registration;
    const left = updatedAt + awakeWindow(registration, devices.get(endpoint), queue) - clock.wall();
    if (!queueMode || left <= 0) return;
    const sleeper = this.#sleeper(endpoint);
    sleeper.awake = true;
    this.#listenUntil(sleeper, clock.now() + left);
    changed();
  }

  /** The device sleeps: its time is over, or it did not acknowledge. */
  slept(registration: Registration): void {
    const { clock, emit } = this.#context;
    const { endpoint } = registration;
    const sleeper = this.#sleepers.get(endpoint);
    const waiting = this.#commands.waiting(endpoint);
    const cycle = this.#cycle(endpoint);
    if (cycle !== undefined && waiting > 0) this.retryIn(endpoint, cycle);
    if (!sleeper?.awake) return;
    sleeper.awake = false;
    this.#dropWindow(sleeper);
    this.#tidy(sleeper);
    emit({ kind: 'sleeping', at: clock.wall(), registration, waiting });
  }

  /** Nothing has to be known of the device any more. */
  left(endpoint: string): void {
    const sleeper = this.#sleepers.get(endpoint);
    if (!sleeper) return;
    sleeper.awake = false;
    this.#dropWindow(sleeper);
    this.#tidy(sleeper);
  }

  /** `due` of `advance` is told of the device after so many ms. */
  retryIn(endpoint: string, delay: number): void {
    const sleeper = this.#sleeper(endpoint);
    if (sleeper.retry) this.#retries.remove(sleeper.retry);
    sleeper.retry = this.#retries.add(this.#context.clock.now() + delay, sleeper);
  }

  deadline(): number {
    return Math.min(this.#windows.next(), this.#retries.next());
  }

  /** `due` hears of the devices that are to be tried now. */
  advance(now: number, due: (endpoint: string) => void): void {
    for (let count = 0; count < MAX_DUE; count++) {
      const sleeper = this.#windows.takeDue(now);
      if (!sleeper) break;
      sleeper.window = undefined;
      const entry = this.#context.registrations.byEndpoint(sleeper.endpoint);
      if (sleeper.awakeUntil > now) sleeper.window = this.#windows.add(sleeper.awakeUntil, sleeper);
      else if (entry) this.#windowOver(sleeper, entry.registration, now);
      else this.left(sleeper.endpoint);
    }
    for (let count = 0; count < MAX_DUE; count++) {
      const sleeper = this.#retries.takeDue(now);
      if (!sleeper) break;
      sleeper.retry = undefined;
      this.#tidy(sleeper);
      due(sleeper.endpoint);
    }
  }

  /** Nothing was heard for the awake window; what the device was sent in it wakes it for as long again, if it heard that. */
  #windowOver(sleeper: Sleeper, registration: Registration, now: number): void {
    const { endpoint } = registration;
    const { devices, queue } = this.#context;
    const since = this.#commands.unacknowledgedSince(endpoint);
    const until = since === undefined ? now : since + awakeWindow(registration, devices.get(endpoint), queue);
    if (until > now) {
      this.#listenUntil(sleeper, until);
      return;
    }
    // With eDRX the network keeps for the device what it is sent.
    if (since !== undefined && this.#cycle(endpoint) === undefined) this.#commands.giveUp(endpoint);
    this.slept(registration);
  }

  #listenUntil(sleeper: Sleeper, until: number): void {
    sleeper.awakeUntil = until;
    // Only what becomes due earlier moves in the heap; for the rest it is found when the earlier time is there.
    if (sleeper.window && sleeper.window.at > until) this.#dropWindow(sleeper);
    sleeper.window ??= this.#windows.add(until, sleeper);
  }

  #cycle(endpoint: string): number | undefined {
    return this.#context.devices.get(endpoint)?.edrxCycle;
  }

  #sleeper(endpoint: string): Sleeper {
    const known = this.#sleepers.get(endpoint);
    if (known) return known;
    const sleeper: Sleeper = { endpoint, awake: false, awakeUntil: 0, window: undefined, retry: undefined };
    this.#sleepers.set(endpoint, sleeper);
    return sleeper;
  }

  #dropWindow(sleeper: Sleeper): void {
    if (sleeper.window) this.#windows.remove(sleeper.window);
    sleeper.window = undefined;
  }

  #tidy(sleeper: Sleeper): void {
    if (!sleeper.awake && sleeper.retry === undefined) this.#sleepers.delete(sleeper.endpoint);
  }
}
