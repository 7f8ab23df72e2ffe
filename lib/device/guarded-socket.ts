import { Socket, type RemoteInfo } from 'node:dgram';
import { isIPv6, SocketAddress } from 'node:net';
import { inspectDatagram, type DropReason } from './datagram';

/** The one endpoint a guarded socket talks to. `address` is a numeric IP address. */
export interface Remote {
  readonly address: string;
  readonly port: number;
}

export interface GuardedSocketOptions {
  readonly type: 'udp4' | 'udp6';
  readonly remote: Remote;
  /** How long it listens after it sent or heard something; default always. */
  readonly listenMs?: number;
  /** Milliseconds of a clock that goes forward; needed with `listenMs`. */
  readonly now?: () => number;
  /** An error in a listener or while sending; for people to read, the socket goes on. */
  readonly onFault?: (error: Error) => void;
}

/** Wraps messages into datagrams and takes them out again. */
export interface Tunnel {
  send(message: Uint8Array): void;
  /** A datagram of the remote endpoint; what is in it comes back by `deliver`. */
  receive(datagram: Buffer): void;
}

/** Datagrams counted since the socket was made. `faults` are exceptions caught in listeners. */
export type GuardCounters = Record<'received' | 'passed' | 'pings' | 'foreign' | 'asleep' | 'sendErrors' | 'faults' | DropReason, number>;

/**
 * A UDP socket fit for npm `coap`: only well-formed messages of one remote endpoint reach its listeners, it sends to that
 * endpoint alone, answers CoAP pings itself, and lets no exception out. It is a subclass of `dgram.Socket`, because npm
 * `coap` recognises duplicates only on such a socket.
 */
export class GuardedSocket extends Socket {
  readonly counters: GuardCounters = {
    received: 0,
    passed: 0,
    pings: 0,
    foreign: 0,
    asleep: 0,
    sendErrors: 0,
    faults: 0,
    short: 0,
    version: 0,
    token: 0,
    code: 0,
    type: 0,
    empty: 0,
    option: 0,
    marker: 0,
    block: 0,
  };
  /** Message ID of the datagram sent last; how a caller learns the one npm `coap` chose. */
  lastMessageId = -1;
  private readonly remote: Remote;
  private readonly onFault: (error: Error) => void;
  private readonly listenMs: number;
  private readonly now: () => number;
  private activeAt = -Infinity;
  private shut = false;
  /** What messages go through, where they are not sent as they are. */
  private tunnel: Tunnel | undefined;

  constructor(options: GuardedSocketOptions) {
    // The constructor takes the options of createSocket; the type declarations leave that out.
    super({ type: options.type } as never);
    this.remote = { address: canonicalAddress(options.remote.address), port: options.remote.port };
    this.onFault = options.onFault ?? (() => undefined);
    this.listenMs = options.listenMs ?? Infinity;
    this.now = options.now ?? (() => 0);
    super.on('error', (error) => this.onFault(error));
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event === 'message') return this.receive(args[0] as Buffer, args[1] as RemoteInfo);
    return (super.emit as (event: string | symbol, ...args: unknown[]) => boolean).call(this, event, ...args);
  }

  /**
   * Takes the forms npm `coap` uses: (message, offset, length, port, [address], [callback]). The destination is always the
   * remote, whatever is asked: npm `coap` forgets the address when it reports an error. A failure counts as a lost datagram.
   */
  override send(...args: unknown[]): void {
    const last = args.at(-1);
    const done = typeof last === 'function' ? (last as (error: Error | null, bytes: number) => void) : undefined;
    const message = args[0] as Uint8Array;
    const [offset, length] = typeof args[3] === 'number' ? [Number(args[1]), Number(args[2])] : [0, message.length];
    if (message.length >= 4) this.lastMessageId = ((message[2] ?? 0) << 8) | (message[3] ?? 0);
    const sent = (error?: Error | null): void => {
      if (error) this.failed(error);
      // Never an error: a request npm `coap` has given up has no listener for it any more.
      done?.(null, length);
    };
    if (this.shut) process.nextTick(sent);
    else if (this.tunnel) {
      // What is sent may be written over as soon as this returns, and a tunnel takes it at once.
      this.tunnel.send(message.subarray(offset, offset + length));
      process.nextTick(sent);
    } else this.put(message, offset, length, sent);
  }

  /** From now on all messages go through the tunnel, which sends its datagrams with `transmit`. */
  through(tunnel: Tunnel): void {
    this.tunnel = tunnel;
  }

  /** A datagram as it is. */
  transmit(datagram: Uint8Array): void {
    if (this.shut) return;
    this.put(datagram, 0, datagram.length, (error) => {
      if (error) this.failed(error);
    });
  }

  /** A message out of the tunnel. */
  deliver(message: Buffer): void {
    this.take(message, { ...this.remote, family: isIPv6(this.remote.address) ? 'IPv6' : 'IPv4', size: message.length });
  }

  private put(message: Uint8Array, offset: number, length: number, sent: (error?: Error | null) => void): void {
    this.activeAt = this.now();
    try {
      super.send(message, offset, length, this.remote.port, this.remote.address, sent);
    } catch (error) {
      process.nextTick(sent, error);
    }
  }

  /** May be called more than once. */
  override close(callback?: () => void): this {
    if (this.shut) {
      if (callback) process.nextTick(callback);
      return this;
    }
    this.shut = true;
    return super.close(callback);
  }

  private receive(data: Buffer, from: RemoteInfo): boolean {
    this.counters.received += 1;
    if (from.port !== this.remote.port || canonicalAddress(from.address) !== this.remote.address) {
      this.counters.foreign += 1;
      return false;
    }
    // What comes to a device that sleeps is lost.
    if (this.now() - this.activeAt > this.listenMs) {
      this.counters.asleep += 1;
      return false;
    }
    this.activeAt = this.now();
    if (!this.tunnel) return this.take(data, from);
    this.tunnel.receive(data);
    return true;
  }

  private take(data: Buffer, from: RemoteInfo): boolean {
    const inspection = inspectDatagram(data);
    switch (inspection.kind) {
      case 'drop':
        this.counters[inspection.reason] += 1;
        return false;
      case 'ping':
        this.counters.pings += 1;
        this.send(Buffer.from([0x70, 0, inspection.messageId >> 8, inspection.messageId & 255]), 0, 4, from.port, from.address);
        return true;
      case 'pass':
        this.counters.passed += 1;
        return this.pass(data, from);
      default:
        return inspection satisfies never;
    }
  }

  private pass(data: Buffer, from: RemoteInfo): boolean {
    let heard = false;
    // Listener by listener: an exception in npm coap's client must not keep the message from its server.
    for (const listener of this.rawListeners('message')) {
      heard = true;
      try {
        (listener as (data: Buffer, from: RemoteInfo) => void).call(this, data, from);
      } catch (error) {
        this.counters.faults += 1;
        this.onFault(error instanceof Error ? error : new Error(String(error)));
      }
    }
    return heard;
  }

  private failed(error: Error): void {
    this.counters.sendErrors += 1;
    this.onFault(error);
  }
}

/** One spelling per address; a zone index and the IPv4-mapped prefix are left out. */
export function canonicalAddress(address: string): string {
  const plain = address.split('%')[0] ?? '';
  if (!isIPv6(plain)) return plain;
  const canonical = new SocketAddress({ address: plain, family: 'ipv6' }).address;
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/.test(canonical) ? canonical.slice(7) : canonical;
}
