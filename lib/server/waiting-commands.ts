import { Deadlines } from '../transport/deadlines';
import type { ServerContext } from './context';
import { commandKey, type StateRecord } from './keeper';
import { pathsText } from './pending';
import { overwrites, writeCommand, type QueuedItem } from './queued-command';
import type { QueueableOperation } from './tasks';
import type { QueuedCommand } from './types';

/** The commands of one device. */
interface Line {
  readonly endpoint: string;
  readonly waiting: QueuedItem[];
  /** The one on its way. */
  sending: QueuedItem | undefined;
}

/** Expired ones in one turn. */
const MAX_DUE = 200;

/** The commands that wait for their devices: their order, their number, their time, and what is kept of them. */
export class WaitingCommands {
  readonly #context: ServerContext;
  readonly #lines = new Map<string, Line>();
  readonly #items = new Map<string, QueuedItem>();
  /** Waiting commands by the node that gave them. */
  readonly #byNode = new Map<string, number>();
  readonly #ends = new Deadlines<QueuedItem>();
  #waiting = 0;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  /** All that wait now. */
  get size(): number {
    return this.#waiting;
  }

  of(endpoint: string): readonly QueuedItem[] {
    return this.#lines.get(endpoint)?.waiting ?? [];
  }

  ofNode(nodeId: string): number {
    return this.#byNode.get(nodeId) ?? 0;
  }

  /** Those of a node that wait, for one device or for all. */
  itemsOf(nodeId: string, endpoint?: string): QueuedItem[] {
    if (this.ofNode(nodeId) === 0) return [];
    const all = endpoint === undefined ? Array.from(this.#lines.values(), ({ waiting }) => waiting).flat() : this.of(endpoint);
    return all.filter((item) => !item.again && item.origin?.nodeId === nodeId);
  }

  /** The one that was sent, and has no result yet. */
  sending(endpoint: string): QueuedItem | undefined {
    return this.#lines.get(endpoint)?.sending;
  }

  /** Whether a device has any, waiting or on its way. */
  has(endpoint: string): boolean {
    return this.#lines.has(endpoint);
  }

  byId(id: string): QueuedItem | undefined {
    return this.#items.get(id);
  }

  endpoints(): string[] {
    return [...this.#lines.keys()];
  }

  /** Why one more cannot wait for the device; undefined when it can. */
  full(endpoint: string): string | undefined {
    const { queueLimit, queueTotal } = this.#context.queue;
    const waiting = this.of(endpoint).length;
    if (waiting >= queueLimit) {
      return `${waiting} commands wait for "${endpoint}" already, which is the limit. Cancel some, or wait until the device has been awake.`;
    }
    if (this.#waiting < queueTotal) return undefined;
    return `${queueTotal} commands wait for sleeping devices already, which is the limit of this server.`;
  }

  /** Commands of the device whose effect a newer operation takes away, oldest first. */
  overtaken(endpoint: string, newer: QueueableOperation): QueuedItem[] {
    return this.of(endpoint).filter(({ again, operation }) => {
      if (again) return operation.kind === newer.kind && pathsText(operation) === pathsText(newer);
      return this.#context.queue.replaceWrites && overwrites(newer, operation);
    });
  }

  /** Takes a new one, until `end` on the server's clock. */
  add(item: QueuedItem, end: number): void {
    const { waiting } = this.#line(item.endpoint);
    // What the device has forgotten comes first: a command may be about it, and end it.
    const before = (other: QueuedItem): boolean => (item.again === other.again ? item.seq < other.seq : item.again);
    let place = waiting.length;
    while (place > 0 && before(waiting[place - 1]!)) place--;
    waiting.splice(place, 0, item);
    this.#items.set(item.id, item);
    item.deadline = this.#ends.add(end, item);
    this.#count(item, 1);
    this.#context.keeper.touch(commandKey(item.id));
  }

  /** Takes out the first one, which is now on its way. */
  send(endpoint: string): QueuedItem | undefined {
    const line = this.#lines.get(endpoint);
    const item = line?.waiting.shift();
    if (!line || !item) return undefined;
    line.sending = item;
    this.#count(item, -1);
    return item;
  }

  /** The one on its way is the first to wait again. */
  goBack(item: QueuedItem): void {
    const line = this.#line(item.endpoint);
    line.sending = undefined;
    line.waiting.unshift(item);
    this.#count(item, 1);
  }

  /** Whether its time is over. */
  isOver({ deadline }: QueuedItem): boolean {
    return (deadline?.at ?? Infinity) <= this.#context.clock.now();
  }

  /** It has its result. */
  end(item: QueuedItem): void {
    const line = this.#lines.get(item.endpoint);
    const place = line?.waiting.indexOf(item) ?? -1;
    if (place >= 0) {
      line?.waiting.splice(place, 1);
      this.#count(item, -1);
    } else if (line?.sending === item) line.sending = undefined;
    if (line && !line.sending && line.waiting.length === 0) this.#lines.delete(item.endpoint);
    this.#items.delete(item.id);
    if (item.deadline) this.#ends.remove(item.deadline);
    this.#context.keeper.touch(commandKey(item.id));
  }

  /** Those whose time is over, in their order; one on its way has its chance still, and its time is not looked at again. */
  takeExpired(now: number): QueuedItem[] {
    const due: QueuedItem[] = [];
    while (due.length < MAX_DUE) {
      const item = this.#ends.takeDue(now);
      if (!item) break;
      if (this.sending(item.endpoint) !== item) due.push(item);
    }
    return due.sort((a, b) => a.seq - b.seq);
  }

  nextEnd(): number {
    return this.#ends.next();
  }

  record(id: string): StateRecord | undefined {
    const item = this.#items.get(id);
    // Without a time of expiry: one that is over still has to be told of.
    return item && item.options.whileAwake !== true ? { value: writeCommand(item) } : undefined;
  }

  /** In the order in which they are sent, the one on its way first. */
  list(endpoint: string): QueuedCommand[] {
    const sending = this.sending(endpoint);
    const waiting = this.of(endpoint).map((item, index) => describe(item, index + 1));
    return sending ? [describe(sending, 0), ...waiting] : waiting;
  }

  #line(endpoint: string): Line {
    const known = this.#lines.get(endpoint);
    if (known) return known;
    const line: Line = { endpoint, waiting: [], sending: undefined };
    this.#lines.set(endpoint, line);
    return line;
  }

  #count({ origin }: QueuedItem, change: 1 | -1): void {
    this.#waiting += change;
    if (!origin) return;
    const left = this.ofNode(origin.nodeId) + change;
    if (left > 0) this.#byNode.set(origin.nodeId, left);
    else this.#byNode.delete(origin.nodeId);
  }
}

function describe({ id, endpoint, operation, queuedAt, expiresAt, origin }: QueuedItem, position: number): QueuedCommand {
  const node = origin && { nodeId: origin.nodeId };
  return { id, endpoint, operation, queuedAt, expiresAt, sending: position === 0, position, ...node };
}
