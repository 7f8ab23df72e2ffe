import { EncodeError } from '../codec/errors';
import { Deadlines, type Deadline } from '../transport/deadlines';
import { systemRandom } from '../transport/random';
import type { Core } from '../transport/types';
import type { ServerContext } from './context';
import { commandKey, type StateRecord } from './keeper';
import { isCancellation, operationRequest, type DeviceOperation } from './operation-requests';
import { pathsText } from './pending';
import { awakeWindow } from './presence';
import { overwrites, readCommand, writeCommand, type QueuedItem } from './queued-command';
import { failure } from './results';
import type { CommandOrigin, FailureCode, OperationOptions, OperationResult, QueuedCommand, Registration } from './types';

/** What is known of a device in queue mode, or for which commands wait. */
interface Sleeper {
  readonly endpoint: string;
  awake: boolean;
  /** On the server's clock. */
  awakeUntil: number;
  window: Deadline<Sleeper> | undefined;
  /** When it is tried next although it was not heard. */
  retry: Deadline<Sleeper> | undefined;
  waiting: QueuedItem[];
  sending: QueuedItem | undefined;
  /** The operation that `sending` is. */
  operation: number;
}

export interface CommandQueueOptions {
  readonly context: ServerContext;
  readonly start: (item: QueuedItem) => { id: number; result?: OperationResult };
  readonly cancel: (operation: number) => void;
  /** The one result of a command. */
  readonly onResult: (item: QueuedItem, result: OperationResult) => void;
  /** Whether commands are kept when the server closes; else they end with it. */
  readonly kept: boolean;
}

/** Commands that expire, and devices that fall asleep, in one turn. */
const MAX_DUE = 200;
/** When everything was busy. */
const RETRY_MS = 1000;
/** These must not be done twice on a device that may have begun them. */
const ONCE: ReadonlySet<string> = new Set(['Execute', 'Create']);

/**
 * Queue mode (Core TS 1.1 6.2.1.2, Transport TS 1.1 6.5): knows which devices listen, and holds the commands for those that
 * do not. All commands for a device in queue mode go through here, one at a time and in order; each has exactly one result.
 */
export class CommandQueue implements Core {
  readonly #context: ServerContext;
  readonly #options: CommandQueueOptions;
  readonly #sleepers = new Map<string, Sleeper>();
  readonly #items = new Map<string, QueuedItem>();
  readonly #byOperation = new Map<number, Sleeper>();
  /** Waiting commands by the node that gave them. */
  readonly #byNode = new Map<string, number>();
  readonly #windows = new Deadlines<Sleeper>();
  readonly #retries = new Deadlines<Sleeper>();
  readonly #ends = new Deadlines<QueuedItem>();
  #nextSeq = 1;
  #waiting = 0;
  #pauses = 0;
  #closed = false;

  constructor(options: CommandQueueOptions) {
    this.#options = options;
    this.#context = options.context;
  }

  /** Commands that wait now. */
  get waiting(): number {
    return this.#waiting;
  }

  waitingOf(nodeId: string): number {
    return this.#byNode.get(nodeId) ?? 0;
  }

  /** Whether a command for this device has to go through the queue. */
  takes({ endpoint, queueMode }: Registration): boolean {
    return queueMode || this.#sleepers.has(endpoint);
  }

  /** Whether the device listens; undefined for one that always does. */
  isAwake({ endpoint, queueMode }: Registration): boolean | undefined {
    return queueMode ? (this.#sleepers.get(endpoint)?.awake ?? false) : undefined;
  }

  /**
   * Takes a command; `again`: one the server wants for itself, before those of flows and beyond the bounds; `proceed` has to be called next. `failed` when it cannot be done, else its result comes
   * through `onResult`.
   */
  add(
    registration: Registration,
    operation: DeviceOperation,
    options: OperationOptions,
    again = false,
  ): { id: string; failed?: OperationResult } {
    const { clock, model, counters, queue } = this.#context;
    const { endpoint } = registration;
    const { timeout, contentFormat, origin, ttl = queue.queueTtl } = options;
    const spec = { ...(timeout !== undefined && { timeout }), ...(contentFormat !== undefined && { contentFormat }) };
    try {
      // Nobody should hear a day later that a value does not fit.
      if (!isCancellation(operation)) operationRequest(operation, registration, model, spec);
    } catch (error) {
      if (!(error instanceof EncodeError)) throw error;
      return { id: '', failed: failure('BAD_REQUEST', error.message, registration) };
    }
    const sleeper = this.#sleeper(endpoint);
    if (queue.replaceWrites) this.#replace(sleeper, operation);
    // The next one leaves at once, and does not wait.
    this.#overtake(sleeper, operation);
    const leaves = sleeper.waiting.length === 0 && !sleeper.sending && this.#listens(sleeper);
    if (!leaves && !again && (sleeper.waiting.length >= queue.queueLimit || this.#waiting >= queue.queueTotal)) {
      counters.commandsOverflowed++;
      const text = busyText(endpoint, sleeper.waiting.length, queue.queueLimit, queue.queueTotal);
      this.#tidy(sleeper);
      return { id: '', failed: failure('BUSY', text, registration) };
    }
    const now = clock.wall();
    const item: QueuedItem = {
      id: Buffer.from(systemRandom.bytes(8)).toString('hex'),
      seq: this.#nextSeq++,
      endpoint,
      operation,
      options: spec,
      origin,
      again,
      queuedAt: now,
      expiresAt: now + ttl,
      position: leaves ? 0 : sleeper.waiting.length + 1,
      deadline: undefined,
      cancelled: false,
    };
    if (!leaves) counters.commandsQueued++;
    this.#take(sleeper, item, clock.now() + ttl);
    return { id: item.id };
  }

  /** Sends what can be sent. */
  proceed(endpoint: string): void {
    const sleeper = this.#sleepers.get(endpoint);
    if (sleeper) this.#pump(sleeper);
    this.#context.changed();
  }

  /** The device has said something, and the answer is on the wire: what waited leaves. */
  heard(registration: Registration): void {
    const { endpoint, queueMode } = registration;
    if (!queueMode && this.#sleepers.size === 0) return;
    const { clock, devices, emit, queue } = this.#context;
    let sleeper = this.#sleepers.get(endpoint);
    if (!queueMode) {
      if (!sleeper) return;
      this.#dropWindow(sleeper);
    } else {
      sleeper ??= this.#sleeper(endpoint);
      sleeper.awakeUntil = clock.now() + awakeWindow(registration, devices.get(endpoint), queue);
      // Only what becomes due earlier moves in the heap; for the rest it is found when the earlier time is there.
      if (sleeper.window && sleeper.window.at > sleeper.awakeUntil) this.#dropHeap(sleeper);
      sleeper.window ??= this.#windows.add(sleeper.awakeUntil, sleeper);
      if (!sleeper.awake) {
        sleeper.awake = true;
        emit({ kind: 'awake', at: clock.wall(), registration, waiting: sleeper.waiting.length });
      }
    }
    this.#pump(sleeper);
    this.#context.changed();
  }

  /** The registration of a device is over; its commands wait for it to come back. */
  left(endpoint: string): void {
    const sleeper = this.#sleepers.get(endpoint);
    if (!sleeper) return;
    this.#dropWindow(sleeper);
    // What was observed has ended with the registration.
    for (const item of sleeper.waiting.filter(({ again }) => again)) {
      this.#leave(sleeper, item);
      this.#fail(sleeper, item, 'CANCELLED', 'the registration is over');
    }
    this.#tidy(sleeper);
  }

  /** Whether the operation is one of a queued command. */
  owns(operation: number): boolean {
    return this.#byOperation.has(operation);
  }

  /** How the operation ended. */
  result(operation: number, result: OperationResult): void {
    const sleeper = this.#byOperation.get(operation);
    const item = sleeper?.sending;
    this.#byOperation.delete(operation);
    if (!sleeper || !item) return;
    if (this.#closed && this.#options.kept) return;
    sleeper.sending = undefined;
    const entry = this.#context.registrations.byEndpoint(item.endpoint);
    const code = result.kind === 'failed' && !item.cancelled ? result.code : undefined;
    if (entry?.registration.queueMode && (code === 'TIMEOUT_NO_ACK' || code === 'UNREACHABLE')) {
      this.#goBack(sleeper, item);
      this.#fellAsleep(sleeper, entry.registration);
      this.#retryLater(sleeper);
    } else if (code === 'CANCELLED' && !ONCE.has(item.operation.kind)) {
      // Its registration is over, and it does not belong to that: `heard` or its end comes next.
      this.#goBack(sleeper, item);
    } else if (code === 'BUSY') {
      this.#goBack(sleeper, item);
      this.#setRetry(sleeper, RETRY_MS);
    } else {
      this.#finish(sleeper, item, result);
      this.#pump(sleeper);
    }
    this.#tidy(sleeper);
    this.#context.changed();
  }

  /** Commands of a device in the order in which they are sent, the one on its way first. */
  list(endpoint: string): QueuedCommand[] {
    const sleeper = this.#sleepers.get(endpoint);
    const all = sleeper?.sending ? [sleeper.sending, ...sleeper.waiting] : (sleeper?.waiting ?? []);
    return all.map((item) => describe(item, item === sleeper?.sending, sleeper?.waiting.indexOf(item) ?? -1));
  }

  /** Ends a command with `CANCELLED`; false when there is none of this id. */
  cancel(id: string): boolean {
    const item = this.#items.get(id);
    const sleeper = item && this.#sleepers.get(item.endpoint);
    if (!item || !sleeper) return false;
    if (sleeper.sending === item) {
      item.cancelled = true;
      this.#options.cancel(sleeper.operation);
    } else {
      this.#leave(sleeper, item);
      this.#fail(sleeper, item, 'CANCELLED', 'it was called back before it was sent');
      this.#tidy(sleeper);
    }
    return true;
  }

  record(id: string): StateRecord | undefined {
    const item = this.#items.get(id);
    // Without a time of expiry: one that is over still has to be told of.
    return item && { value: writeCommand(item) };
  }

  /** A registration is there again after a restart: its device is awake for as long as after its last Register or Update. */
  restored(registration: Registration): void {
    const { clock, devices, queue, changed } = this.#context;
    const { endpoint, queueMode, updatedAt } = registration;
    const left = updatedAt + awakeWindow(registration, devices.get(endpoint), queue) - clock.wall();
    if (!queueMode || left <= 0) return;
    const sleeper = this.#sleeper(endpoint);
    sleeper.awake = true;
    sleeper.awakeUntil = clock.now() + left;
    sleeper.window ??= this.#windows.add(sleeper.awakeUntil, sleeper);
    changed();
  }

  /** Takes a command back, after the registrations. False when it is damaged. */
  restore(id: string, record: unknown): boolean {
    const kept = readCommand(id, record);
    if (!kept || this.#items.has(id)) return false;
    const { clock } = this.#context;
    const sleeper = this.#sleeper(kept.endpoint);
    this.#nextSeq = Math.max(this.#nextSeq, kept.seq + 1);
    this.#take(sleeper, { ...kept, deadline: undefined, cancelled: false }, clock.now() + (kept.expiresAt - clock.wall()));
    sleeper.waiting.sort((a, b) => Number(b.again) - Number(a.again) || a.seq - b.seq);
    // Not now: others are still to come.
    if (this.#listens(sleeper)) this.#setRetry(sleeper, 0);
    this.#context.changed();
    return true;
  }

  /** Nothing is sent, and nothing ends, until the function it returns is called. */
  pause(): () => void {
    this.#pauses++;
    return () => {
      this.#pauses--;
      this.#context.changed();
    };
  }

  /** Kept commands stay for the next server; the others end with `CLOSED`. To be called before their operations end. */
  close(): void {
    this.#closed = true;
    if (this.#options.kept) return;
    for (const sleeper of [...this.#sleepers.values()]) {
      for (const item of sleeper.waiting.splice(0)) {
        this.#countOut(item);
        this.#fail(sleeper, item, 'CLOSED', 'the server is closing');
      }
    }
  }

  deadline(): number {
    if (this.#pauses > 0) return Infinity;
    return Math.min(this.#windows.next(), this.#retries.next(), this.#ends.next());
  }

  advance(now: number): void {
    if (this.#pauses > 0 || this.#closed) return;
    for (let count = 0; count < MAX_DUE; count++) {
      const item = this.#ends.takeDue(now);
      if (!item) break;
      const sleeper = this.#sleepers.get(item.endpoint);
      // One that is on its way has its chance still.
      if (!sleeper || sleeper.sending === item) continue;
      this.#leave(sleeper, item);
      this.#expire(sleeper, item);
      this.#tidy(sleeper);
    }
    for (let count = 0; count < MAX_DUE; count++) {
      const sleeper = this.#windows.takeDue(now);
      if (!sleeper) break;
      sleeper.window = undefined;
      const entry = this.#context.registrations.byEndpoint(sleeper.endpoint);
      if (sleeper.awakeUntil > now) sleeper.window = this.#windows.add(sleeper.awakeUntil, sleeper);
      else if (entry) this.#fellAsleep(sleeper, entry.registration);
      if (!sleeper.awake && sleeper.waiting.length > 0) this.#retryLater(sleeper);
    }
    for (let count = 0; count < MAX_DUE; count++) {
      const sleeper = this.#retries.takeDue(now);
      if (!sleeper) break;
      sleeper.retry = undefined;
      this.#pump(sleeper);
    }
  }

  #pump(sleeper: Sleeper): void {
    while (!sleeper.sending && sleeper.waiting.length > 0 && this.#listens(sleeper) && this.#pauses === 0 && !this.#closed) {
      const item = sleeper.waiting.shift()!;
      this.#countOut(item);
      const { id, result } = this.#start(item);
      if (!result) {
        sleeper.sending = item;
        sleeper.operation = id;
        this.#byOperation.set(id, sleeper);
      } else if (result.kind === 'failed' && result.code === 'BUSY') {
        this.#goBack(sleeper, item);
        this.#setRetry(sleeper, RETRY_MS);
        return;
      } else this.#finish(sleeper, item, result);
    }
    this.#tidy(sleeper);
  }

  #start(item: QueuedItem): { id: number; result?: OperationResult } {
    try {
      return this.#options.start(item);
    } catch (error) {
      // One that another version of this software has kept, for instance.
      return { id: 0, result: failure('BAD_REQUEST', `This operation cannot be done: ${String(error)}.`) };
    }
  }

  /** Whether a command may be sent to it now. */
  #listens({ endpoint, awake, retry }: Sleeper): boolean {
    const entry = this.#context.registrations.byEndpoint(endpoint);
    if (!entry) return false;
    if (!entry.registration.queueMode) return true;
    // With eDRX the network holds a message for the next time the device listens: one at a time, one a cycle.
    return awake || (retry === undefined && this.#context.devices.get(endpoint)?.edrxCycle !== undefined);
  }

  #fellAsleep(sleeper: Sleeper, registration: Registration): void {
    const { clock, emit } = this.#context;
    this.#dropHeap(sleeper);
    if (!sleeper.awake) return;
    sleeper.awake = false;
    emit({ kind: 'sleeping', at: clock.wall(), registration, waiting: sleeper.waiting.length });
    this.#tidy(sleeper);
  }

  #retryLater(sleeper: Sleeper): void {
    const cycle = this.#context.devices.get(sleeper.endpoint)?.edrxCycle;
    if (cycle !== undefined) this.#setRetry(sleeper, cycle);
  }

  #setRetry(sleeper: Sleeper, delay: number): void {
    if (sleeper.retry) this.#retries.remove(sleeper.retry);
    sleeper.retry = this.#retries.add(this.#context.clock.now() + delay, sleeper);
  }

  #overtake(sleeper: Sleeper, operation: DeviceOperation): void {
    const same = ({ again, operation: other }: QueuedItem): boolean =>
      again && other.kind === operation.kind && pathsText(other) === pathsText(operation);
    for (const older of sleeper.waiting.filter(same)) {
      this.#leave(sleeper, older);
      this.#fail(sleeper, older, 'CANCELLED', 'asked for by a command meanwhile');
    }
  }

  #replace(sleeper: Sleeper, newer: DeviceOperation): void {
    for (const older of sleeper.waiting.filter(({ operation }) => overwrites(newer, operation))) {
      this.#leave(sleeper, older);
      this.#fail(sleeper, older, 'CANCELLED', 'a newer write to the same path took its place');
    }
  }

  #take(sleeper: Sleeper, item: QueuedItem, end: number): void {
    // What the device has forgotten comes first: a command may be about it, and end it.
    const first = item.again ? sleeper.waiting.findIndex(({ again }) => !again) : -1;
    sleeper.waiting.splice(first < 0 ? sleeper.waiting.length : first, 0, item);
    this.#items.set(item.id, item);
    item.deadline = this.#ends.add(end, item);
    this.#countIn(item);
    this.#context.keeper.touch(commandKey(item.id));
  }

  /** To the head again, unless its time is over. */
  #goBack(sleeper: Sleeper, item: QueuedItem): void {
    if ((item.deadline?.at ?? Infinity) <= this.#context.clock.now()) {
      this.#expire(sleeper, item);
      return;
    }
    if (item.position === 0) {
      item.position = 1;
      this.#context.counters.commandsQueued++;
    }
    sleeper.waiting.unshift(item);
    this.#countIn(item);
  }

  #leave(sleeper: Sleeper, item: QueuedItem): void {
    const index = sleeper.waiting.indexOf(item);
    if (index < 0) return;
    sleeper.waiting.splice(index, 1);
    this.#countOut(item);
  }

  #expire(sleeper: Sleeper, item: QueuedItem): void {
    this.#context.counters.commandsExpired++;
    const seconds = Math.round((item.expiresAt - item.queuedAt) / 1000);
    this.#fail(sleeper, item, 'EXPIRED', `the device was not reached within the ${seconds} s the command had`);
  }

  #fail(sleeper: Sleeper, item: QueuedItem, code: FailureCode, why: string): void {
    const text = `${item.operation.kind} ${pathsText(item.operation)} of "${item.endpoint}": ${why}.`;
    this.#finish(sleeper, item, failure(code, text, this.#context.registrations.byEndpoint(item.endpoint)?.registration));
  }

  #finish(sleeper: Sleeper, item: QueuedItem, result: OperationResult): void {
    this.#items.delete(item.id);
    if (item.deadline) this.#ends.remove(item.deadline);
    this.#context.keeper.touch(commandKey(item.id));
    const queue = { waiting: sleeper.waiting.length, position: item.position };
    this.#options.onResult(item, item.position === 0 ? result : { ...result, queue });
  }

  #sleeper(endpoint: string): Sleeper {
    const known = this.#sleepers.get(endpoint);
    if (known) return known;
    const sleeper: Sleeper = {
      endpoint,
      awake: false,
      awakeUntil: 0,
      window: undefined,
      retry: undefined,
      waiting: [],
      sending: undefined,
      operation: 0,
    };
    this.#sleepers.set(endpoint, sleeper);
    return sleeper;
  }

  #dropWindow(sleeper: Sleeper): void {
    this.#dropHeap(sleeper);
    sleeper.awake = false;
    sleeper.awakeUntil = 0;
  }

  #dropHeap(sleeper: Sleeper): void {
    if (sleeper.window) this.#windows.remove(sleeper.window);
    sleeper.window = undefined;
  }

  /** Forgets a device of which nothing has to be known. */
  #tidy(sleeper: Sleeper): void {
    if (sleeper.awake || sleeper.sending || sleeper.waiting.length > 0) return;
    if (sleeper.retry) this.#retries.remove(sleeper.retry);
    this.#dropHeap(sleeper);
    if (this.#sleepers.get(sleeper.endpoint) === sleeper) this.#sleepers.delete(sleeper.endpoint);
  }

  #countIn({ origin }: QueuedItem): void {
    this.#waiting++;
    if (origin) this.#byNode.set(origin.nodeId, this.waitingOf(origin.nodeId) + 1);
  }

  #countOut({ origin }: QueuedItem): void {
    this.#waiting--;
    if (!origin) return;
    const left = this.waitingOf(origin.nodeId) - 1;
    if (left > 0) this.#byNode.set(origin.nodeId, left);
    else this.#byNode.delete(origin.nodeId);
  }
}

function describe({ id, endpoint, operation, queuedAt, expiresAt, origin }: QueuedItem, sending: boolean, index: number): QueuedCommand {
  const nodeId: Pick<CommandOrigin, 'nodeId'> | undefined = origin && { nodeId: origin.nodeId };
  return { id, endpoint, operation, queuedAt, expiresAt, sending, position: sending ? 0 : index + 1, ...nodeId };
}

function busyText(endpoint: string, waiting: number, limit: number, total: number): string {
  if (waiting < limit) return `${total} commands wait for sleeping devices already, which is the limit of this server.`;
  return `${waiting} commands wait for "${endpoint}" already, which is the limit. Cancel some, or wait until the device has been awake.`;
}
