import { EncodeError } from '../codec/errors';
import { systemRandom } from '../transport/random';
import type { Core } from '../transport/types';
import type { ServerContext } from './context';
import type { StateRecord } from './keeper';
import { pathsText } from './pending';
import { readCommand, type QueuedItem } from './queued-command';
import { failure } from './results';
import { Sleepers } from './sleepers';
import { checkEncodable, type QueueableOperation } from './tasks';
import type { FailureCode, OperationOptions, OperationResult, QueuedCommand, Registration } from './types';
import { WaitingCommands } from './waiting-commands';

export interface CommandQueueOptions {
  readonly context: ServerContext;
  /** `result` when it is there at once. */
  readonly start: (item: QueuedItem) => { id: number; result?: OperationResult };
  readonly cancel: (task: number) => void;
  /** Since when (ms of the clock) a task is unacknowledged; undefined when it is not. */
  readonly unacknowledgedSince: (task: number) => number | undefined;
  /** Ends a task that is unacknowledged with `TIMEOUT_NO_ACK`. */
  readonly giveUp: (task: number) => void;
  /** The one result of a command. */
  readonly onResult: (item: QueuedItem, result: OperationResult) => void;
  /** Whether commands are kept when the server closes; else they end with it. */
  readonly kept: boolean;
}

/** When everything was busy. */
const RETRY_MS = 1000;
/** These must not be done twice on a device that may have begun them. */
const ONCE: ReadonlySet<string> = new Set(['Execute', 'Create']);

/**
 * Queue mode (Core TS 1.1 6.2.1.2, Transport TS 1.1 6.5): all commands for a device that sleeps go through here, one at a time and in
 * order, when it listens; each has exactly one result.
 */
export class CommandQueue implements Core {
  readonly #context: ServerContext;
  readonly #options: CommandQueueOptions;
  readonly #commands: WaitingCommands;
  readonly #sleepers: Sleepers;
  /** Those on their way, by the task that each is. */
  readonly #byTask = new Map<number, QueuedItem>();
  #nextSeq = 1;
  #pauses = 0;
  #closed = false;

  constructor(options: CommandQueueOptions) {
    this.#options = options;
    this.#context = options.context;
    this.#commands = new WaitingCommands(options.context);
    this.#sleepers = new Sleepers(options.context, {
      waiting: (endpoint) => this.#commands.of(endpoint).length,
      unacknowledgedSince: (endpoint) => {
        const item = this.#commands.sending(endpoint);
        return item && options.unacknowledgedSince(item.task);
      },
      giveUp: (endpoint) => {
        const item = this.#commands.sending(endpoint);
        if (item) options.giveUp(item.task);
      },
    });
  }

  /** Commands that wait now. */
  get waiting(): number {
    return this.#commands.size;
  }

  waitingOf(nodeId: string): number {
    return this.#commands.ofNode(nodeId);
  }

  /** Whether a command for this device has to go through the queue. */
  takes({ endpoint, queueMode }: Registration): boolean {
    return queueMode || this.#commands.has(endpoint);
  }

  /** Whether the device listens; undefined for one that always does. */
  isAwake(registration: Registration): boolean | undefined {
    return this.#sleepers.isAwake(registration);
  }

  /**
   * Takes a command; `again`: one the server wants for itself, before those of flows and beyond the bounds; `proceed` has to be called
   * next. `failed` when it cannot be done, else its result comes through `onResult`.
   */
  add(
    registration: Registration,
    operation: QueueableOperation,
    options: OperationOptions,
    again = false,
  ): { id: string; failed?: OperationResult } {
    const { clock, model, counters, queue } = this.#context;
    const { endpoint } = registration;
    const { origin, ttl = queue.queueTtl, ...how } = options;
    try {
      // Nobody should hear a day later that a value does not fit.
      checkEncodable(operation, registration, model, how);
    } catch (error) {
      if (!(error instanceof EncodeError)) throw error;
      return { id: '', failed: failure('BAD_REQUEST', error.message, registration) };
    }
    if (how.whileAwake === true && this.#sleepers.isAwake(registration) === false) {
      return { id: '', failed: failure('EXPIRED', `${whatOf(operation)} of "${endpoint}": the device sleeps.`, registration) };
    }
    for (const older of this.#commands.overtaken(endpoint, operation)) {
      this.#fail(older, 'CANCELLED', older.again ? 'asked for by a command meanwhile' : 'a newer write to the same path took its place');
    }
    // The next one leaves at once, and does not wait.
    const leaves = !this.#commands.has(endpoint) && this.#sleepers.listens(endpoint);
    const full = leaves || again ? undefined : this.#commands.full(endpoint);
    if (full !== undefined) {
      counters.commandsOverflowed++;
      return { id: '', failed: failure('BUSY', full, registration) };
    }
    if (!leaves) counters.commandsQueued++;
    const now = clock.wall();
    const item: QueuedItem = {
      id: Buffer.from(systemRandom.bytes(8)).toString('hex'),
      seq: this.#nextSeq++,
      endpoint,
      operation,
      options: how,
      origin,
      again,
      queuedAt: now,
      expiresAt: now + ttl,
      position: leaves ? 0 : this.#commands.of(endpoint).length + 1,
      deadline: undefined,
      task: 0,
      cancelled: false,
    };
    this.#commands.add(item, clock.now() + ttl);
    return { id: item.id };
  }

  /** Sends what can be sent. */
  proceed(endpoint: string): void {
    this.#pump(endpoint);
    this.#context.changed();
  }

  /** The device has said something, and the answer is on the wire: what waited leaves. */
  heard(registration: Registration): void {
    this.#sleepers.heard(registration);
    if (registration.queueMode || this.#commands.has(registration.endpoint)) this.proceed(registration.endpoint);
  }

  /** The registration of a device is over; its commands wait for it to come back. */
  left(endpoint: string): void {
    this.#sleepers.left(endpoint);
    // What was observed has ended with the registration.
    for (const item of this.#commands.of(endpoint).filter(({ again }) => again)) this.#fail(item, 'CANCELLED', 'the registration is over');
  }

  /** Whether the task is a queued command. */
  owns(task: number): boolean {
    return this.#byTask.has(task);
  }

  /** How the task ended. */
  result(task: number, result: OperationResult): void {
    const item = this.#byTask.get(task);
    this.#byTask.delete(task);
    if (!item || (this.#closed && this.#options.kept)) return;
    const entry = this.#context.registrations.byEndpoint(item.endpoint);
    const code = result.kind === 'failed' && !item.cancelled ? result.code : undefined;
    if (entry?.registration.queueMode && (code === 'TIMEOUT_NO_ACK' || code === 'UNREACHABLE')) {
      if (item.options.whileAwake === true) this.#finish(item, result);
      else this.#goBack(item);
      this.#sleepers.slept(entry.registration);
    } else if (code === 'CANCELLED' && !ONCE.has(item.operation.kind)) {
      // Its registration is over, and it does not belong to that: `heard` or its end comes next.
      this.#goBack(item);
    } else if (code === 'BUSY') {
      this.#goBack(item);
      this.#sleepers.retryIn(item.endpoint, RETRY_MS);
    } else {
      this.#finish(item, result);
      this.#pump(item.endpoint);
    }
    this.#context.changed();
  }

  /** Commands of a device in the order in which they are sent, the one on its way first. */
  list(endpoint: string): QueuedCommand[] {
    return this.#commands.list(endpoint);
  }

  /** Ends a command with `CANCELLED`; false when there is none of this id. */
  cancel(id: string): boolean {
    const item = this.#commands.byId(id);
    if (!item) return false;
    if (this.#commands.sending(item.endpoint) === item) {
      item.cancelled = true;
      this.#options.cancel(item.task);
    } else this.#fail(item, 'CANCELLED', 'it was called back before it was sent');
    return true;
  }

  /** Ends the commands of a node that wait, for one device or for all, with `CANCELLED`. Returns how many there were. */
  cancelOf(nodeId: string, endpoint?: string): number {
    const items = this.#commands.itemsOf(nodeId, endpoint);
    for (const { id } of items) this.cancel(id);
    return items.length;
  }

  record(id: string): StateRecord | undefined {
    return this.#commands.record(id);
  }

  /** A registration is there again after a restart. */
  restored(registration: Registration): void {
    this.#sleepers.restored(registration);
  }

  /** Takes a command back, after the registrations. False when it is damaged. */
  restore(id: string, record: unknown): boolean {
    const kept = readCommand(id, record);
    if (!kept || this.#commands.byId(id)) return false;
    const { clock, changed } = this.#context;
    this.#nextSeq = Math.max(this.#nextSeq, kept.seq + 1);
    const item: QueuedItem = { ...kept, deadline: undefined, task: 0, cancelled: false };
    this.#commands.add(item, clock.now() + (kept.expiresAt - clock.wall()));
    // Not now: others are still to come.
    if (this.#sleepers.listens(kept.endpoint)) this.#sleepers.retryIn(kept.endpoint, 0);
    changed();
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
    for (const endpoint of this.#commands.endpoints()) {
      for (const item of [...this.#commands.of(endpoint)]) this.#fail(item, 'CLOSED', 'the server is closing');
    }
  }

  deadline(): number {
    return this.#pauses > 0 ? Infinity : Math.min(this.#sleepers.deadline(), this.#commands.nextEnd());
  }

  advance(now: number): void {
    if (this.#pauses > 0 || this.#closed) return;
    for (const item of this.#commands.takeExpired(now)) this.#expire(item);
    this.#sleepers.advance(now, (endpoint) => this.#pump(endpoint));
  }

  #pump(endpoint: string): void {
    if (this.#pauses > 0 || this.#closed) return;
    while (!this.#commands.sending(endpoint) && this.#sleepers.listens(endpoint)) {
      const item = this.#commands.send(endpoint);
      if (!item) return;
      const { id, result } = this.#start(item);
      if (!result) {
        item.task = id;
        this.#byTask.set(id, item);
      } else if (result.kind === 'failed' && result.code === 'BUSY') {
        this.#goBack(item);
        this.#sleepers.retryIn(endpoint, RETRY_MS);
        return;
      } else this.#finish(item, result);
    }
  }

  #start(item: QueuedItem): { id: number; result?: OperationResult } {
    try {
      return this.#options.start(item);
    } catch (error) {
      // One that another version of this software has kept, for instance.
      return { id: 0, result: failure('BAD_REQUEST', `This operation cannot be done: ${String(error)}.`) };
    }
  }

  /** To the head again, unless its time is over. */
  #goBack(item: QueuedItem): void {
    if (this.#commands.isOver(item)) {
      this.#expire(item);
      return;
    }
    if (item.position === 0) {
      item.position = 1;
      this.#context.counters.commandsQueued++;
    }
    this.#commands.goBack(item);
  }

  #expire(item: QueuedItem): void {
    this.#context.counters.commandsExpired++;
    const seconds = Math.round((item.expiresAt - item.queuedAt) / 1000);
    this.#fail(item, 'EXPIRED', `the device was not reached within the ${seconds} s the command had`);
  }

  #fail(item: QueuedItem, code: FailureCode, why: string): void {
    const { endpoint, operation } = item;
    const { registration } = this.#context.registrations.byEndpoint(endpoint) ?? {};
    this.#finish(item, failure(code, `${whatOf(operation)} of "${endpoint}": ${why}.`, registration));
  }

  #finish(item: QueuedItem, result: OperationResult): void {
    this.#commands.end(item);
    const queue = { waiting: this.#commands.of(item.endpoint).length, position: item.position };
    this.#options.onResult(item, item.position === 0 ? result : { ...result, queue });
  }
}

function whatOf(operation: QueueableOperation): string {
  return [operation.kind, pathsText(operation)].filter((text) => text !== '').join(' ');
}
