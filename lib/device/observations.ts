import { samePath } from '../lwm2m/path';
import type { DataNode } from '../lwm2m/types';
import { attributesInForce, worthTelling, type Attributes } from './attributes';
import type { Reply, Responder } from './responder';
import { exists, readNodes, resourceAt, type World } from './world';

/** The way notifications of one observation take. */
export interface Channel {
  /** A notification has not been acknowledged yet: the next one waits (RFC 7641 4.5.1). */
  busy(): boolean;
  notify(reply: Reply): void;
  /** No more notifications; `reply` is the last one, an error, if there is one. */
  end(reply?: Reply): void;
}

interface Observation {
  readonly path: readonly number[];
  readonly accept: number | undefined;
  readonly format: number;
  readonly channel: Channel;
  /** What was told last, and when (monotonic ms). */
  told: readonly DataNode[];
  toldAt: number;
  waiting: boolean;
}

export interface ObserveRequest {
  readonly token: string;
  readonly path: readonly number[];
  readonly accept: number | undefined;
  /** Content-Format of the first answer: that of every notification (RFC 7641 4.2). */
  readonly format: number;
  readonly channel: Channel;
}

const MAX_OBSERVATIONS = 100;
const CLOCK = [3, 0, 13];

/** The observations of the one server, and when each is due (Core TS 1.1.1 6.4). */
export class Observations {
  private readonly byToken = new Map<string, Observation>();

  constructor(
    private readonly world: World,
    private readonly responder: Responder,
  ) {}

  get size(): number {
    return this.byToken.size;
  }

  /** Whether there is room for one more under this token. */
  accepts(token: string): boolean {
    return this.byToken.has(token) || this.byToken.size < MAX_OBSERVATIONS;
  }

  add(request: ObserveRequest, now: number): void {
    const { token, path, accept, format, channel } = request;
    this.byToken.get(token)?.channel.end();
    this.byToken.set(token, { path, accept, format, channel, told: this.values(path), toldAt: now, waiting: false });
  }

  cancel(token: string): void {
    this.byToken.get(token)?.channel.end();
    this.byToken.delete(token);
  }

  /** The channel has ended by itself: a Reset, or no acknowledgement. */
  ended(token: string, channel: Channel): void {
    if (this.byToken.get(token)?.channel === channel) this.byToken.delete(token);
  }

  clear(): void {
    for (const token of [...this.byToken.keys()]) this.cancel(token);
  }

  /** Sends what is due. `now`: monotonic ms. */
  check(now: number): void {
    for (const [token, observation] of [...this.byToken]) {
      if (!exists(this.world, observation.path)) {
        this.byToken.delete(token);
        observation.channel.end({ code: '4.04', options: [], payload: new Uint8Array() });
        continue;
      }
      const attributes = this.attributes(observation.path);
      const values = this.values(observation.path);
      observation.waiting = worthTelling(observation.told, values, attributes);
      if (observation.channel.busy() || now < dueAt(observation, attributes)) continue;
      observation.told = values;
      observation.toldAt = now;
      observation.waiting = false;
      this.tell(token, observation);
    }
  }

  /** When `check` has something to do, if no value changes until then (monotonic ms). */
  deadline(): number {
    let first = Infinity;
    for (const observation of this.byToken.values()) {
      if (!observation.channel.busy()) first = Math.min(first, dueAt(observation, this.attributes(observation.path)));
    }
    return first;
  }

  private tell(token: string, observation: Observation): void {
    const reply = this.responder.notification(observation.path, observation.accept, observation.format);
    if (reply.code === '2.05') {
      observation.channel.notify(reply);
      return;
    }
    this.byToken.delete(token);
    observation.channel.end(reply);
  }

  private attributes(path: readonly number[]): Attributes {
    const seconds = (resource: number): number => Number(resourceAt(this.world, [1, 0, resource]) ?? 0);
    return attributesInForce(this.world.attributes, path, { pmin: seconds(2), pmax: seconds(3) });
  }

  /** Without the running clock, which would make every second news; unless the clock itself is observed. */
  private values(path: readonly number[]): DataNode[] {
    const nodes = readNodes(this.world, path);
    return path.length > 2 ? nodes : nodes.filter((node) => !samePath(node.path, CLOCK));
  }
}

function dueAt(observation: Observation, attributes: Attributes): number {
  const { pmin = 0, pmax } = attributes;
  const earliest = observation.waiting ? observation.toldAt + pmin * 1000 : Infinity;
  // Core TS 1.1.1 5.1.2: a pmax below pmin is ignored.
  const latest = pmax !== undefined && pmax > 0 && pmax >= pmin ? observation.toldAt + pmax * 1000 : Infinity;
  return Math.min(earliest, latest);
}
