import type { Peer, Transport, TransportSink } from '../../lib/transport/types';
import { createRandom, type Random } from './random';
import type { VirtualClock } from './virtual-clock';

/** How one direction of the network treats datagrams. Probabilities are 0 to 1, times milliseconds. */
export interface Conditions {
  loss: number;
  duplication: number;
  /** Probability that a datagram is held back by up to `reorderBy` more, so that later ones overtake it. */
  reordering: number;
  reorderBy: number;
  delay: readonly [low: number, high: number];
}

export interface Address {
  readonly address: string;
  readonly port: number;
}

/** What happened to datagrams of one direction. `sent` = `delivered` + `lost` + `unreachable` - `duplicated`, once all have arrived. */
export interface Counters {
  sent: number;
  bytes: number;
  lost: number;
  duplicated: number;
  delivered: number;
  /** Nobody was at the address. */
  unreachable: number;
}

/** A client's end: it hears what is sent to its address and can send to any other. */
export interface VirtualHost extends Address {
  send(data: Uint8Array, to: Address): void;
  /** Takes another address and port, as a device behind a NAT does; what is under way to the old one is lost. */
  move(to: Address): void;
  close(): void;
}

/** The server's end: a `Transport` of the seam. */
export interface VirtualTransport extends Transport, Address {
  readonly sink: TransportSink;
  /** The route to a remote address: always the same object, as a peer is known by its object. */
  peerFor(address: string, port: number): Peer;
  /** Tells the sink that a route is no more, and forgets the peer. */
  drop(address: string, port: number, reason: string): void;
  close(): void;
}

export interface VirtualNetworkOptions {
  readonly clock: VirtualClock;
  readonly seed?: number;
  /** From hosts to transports. */
  readonly up?: Partial<Conditions>;
  /** From transports to hosts. */
  readonly down?: Partial<Conditions>;
}

/** Called for every datagram given to the network, before its fate is decided. */
export type Tap = (datagram: {
  readonly direction: 'up' | 'down';
  readonly data: Buffer;
  readonly from: Address;
  readonly to: Address;
}) => void;

type Receiver = (data: Buffer, from: Address) => void;

const PERFECT: Conditions = { loss: 0, duplication: 0, reordering: 0, reorderBy: 50, delay: [1, 1] };

/** Text of an address and port: `192.0.2.1:5683`, `[2001:db8::1]:5683`. */
export function addressKey(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * A seeded datagram network on a virtual clock. `up` and `down` may be changed while it runs. Every delivery is a copy,
 * so that nobody sees another's later changes.
 */
export class VirtualNetwork {
  readonly up: Conditions;
  readonly down: Conditions;
  readonly counters = { up: blankCounters(), down: blankCounters() };
  /** Changes datagrams on their way, before loss and duplication; undefined leaves them alone. */
  mangle: ((direction: 'up' | 'down', data: Buffer) => Buffer) | undefined;
  private readonly clock: VirtualClock;
  private readonly random: { readonly up: Random; readonly down: Random };
  private readonly receivers = new Map<string, Receiver>();
  private readonly taps: Tap[] = [];
  /** What waits to be delivered within `instantly`. */
  private instant: (() => void)[] | undefined;

  constructor(options: VirtualNetworkOptions) {
    this.clock = options.clock;
    this.up = { ...PERFECT, ...options.up };
    this.down = { ...PERFECT, ...options.down };
    const random = createRandom(options.seed ?? 1);
    this.random = { up: random.fork(), down: random.fork() };
  }

  tap(tap: Tap): void {
    this.taps.push(tap);
  }

  /**
   * What `work` sends, and what is sent in answer to it, arrives before this returns: one datagram after the other, without loss,
   * and neither counted nor tapped.
   */
  instantly(work: () => void): void {
    if (this.instant) {
      work();
      return;
    }
    const waiting: (() => void)[] = [];
    this.instant = waiting;
    try {
      work();
      for (let deliver = waiting.shift(); deliver; deliver = waiting.shift()) deliver();
    } finally {
      this.instant = undefined;
    }
  }

  /** Whether `instantly` is at work. */
  get isInstant(): boolean {
    return this.instant !== undefined;
  }

  /** Opens a client's end. Throws when the address is taken. */
  host(at: Address, receive: Receiver): VirtualHost {
    let here: Address = { address: at.address, port: at.port };
    this.listen(here, receive);
    return {
      get address() {
        return here.address;
      },
      get port() {
        return here.port;
      },
      send: (data, to) => this.carry('up', data, here, to),
      move: (to) => {
        this.receivers.delete(addressKey(here.address, here.port));
        here = { address: to.address, port: to.port };
        this.listen(here, receive);
      },
      close: () => void this.receivers.delete(addressKey(here.address, here.port)),
    };
  }

  /** Opens the server's end. `sink` is asked for at each delivery, so that it may come into being after the transport. */
  transport(at: Address, sink: () => TransportSink, maxMessage = 1152): VirtualTransport {
    const peers = new Map<string, Peer>();
    const transport: VirtualTransport = {
      address: at.address,
      port: at.port,
      maxMessage,
      get sink() {
        return sink();
      },
      send: (data, peer) => this.carry('down', data, at, peer),
      peerFor: (address, port) => {
        const key = addressKey(address, port);
        let peer = peers.get(key);
        if (peer === undefined) {
          peer = { key: `udp:${key}`, address, port, identity: { scheme: 'coap', mode: 'none', name: '' }, transport };
          peers.set(key, peer);
        }
        return peer;
      },
      drop: (address, port, reason) => {
        const peer = peers.get(addressKey(address, port));
        if (peer === undefined) return;
        peers.delete(addressKey(address, port));
        sink().gone(peer, reason);
      },
      close: () => void this.receivers.delete(addressKey(at.address, at.port)),
    };
    this.listen(at, (data, from) => sink().receive(data, transport.peerFor(from.address, from.port)));
    return transport;
  }

  private listen(at: Address, receive: Receiver): void {
    const key = addressKey(at.address, at.port);
    if (this.receivers.has(key)) throw new Error(`${key} is taken`);
    this.receivers.set(key, receive);
  }

  private carry(direction: 'up' | 'down', given: Uint8Array, from: Address, to: Address): void {
    if (this.instant) {
      const origin = { address: from.address, port: from.port };
      const key = addressKey(to.address, to.port);
      const bytes = Buffer.from(given);
      this.instant.push(() => this.receivers.get(key)?.(bytes, origin));
      return;
    }
    const data = this.mangle?.(direction, Buffer.from(given)) ?? given;
    const conditions = this[direction];
    const counters = this.counters[direction];
    const random = this.random[direction];
    const origin = { address: from.address, port: from.port };
    const target = { address: to.address, port: to.port };
    counters.sent += 1;
    counters.bytes += data.length;
    for (const tap of this.taps) tap({ direction, data: Buffer.from(data), from: origin, to: target });
    if (random.chance(conditions.loss)) {
      counters.lost += 1;
      return;
    }
    const copies = random.chance(conditions.duplication) ? 2 : 1;
    counters.duplicated += copies - 1;
    for (let copy = 0; copy < copies; copy += 1) {
      let delay = random.between(conditions.delay[0], conditions.delay[1]);
      if (random.chance(conditions.reordering)) delay += random.between(1, conditions.reorderBy);
      const bytes = Buffer.from(data);
      this.clock.after(delay, () => {
        const receive = this.receivers.get(addressKey(target.address, target.port));
        if (receive === undefined) {
          counters.unreachable += 1;
          return;
        }
        counters.delivered += 1;
        receive(bytes, origin);
      });
    }
  }
}

function blankCounters(): Counters {
  return { sent: 0, bytes: 0, lost: 0, duplicated: 0, delivered: 0, unreachable: 0 };
}
