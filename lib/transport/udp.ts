import dgram from 'node:dgram';
import dns from 'node:dns';
import { NO_IDENTITY } from './identity';
import type { Peer, Transport, TransportSink } from './types';

export interface UdpOptions {
  /** 0 = any free port. */
  readonly port: number;
  /** A local address or host name; blank = all addresses, IPv4 and IPv6. */
  readonly host?: string | undefined;
  /** SO_RCVBUF in bytes; the system may cap it. */
  readonly receiveBuffer?: number | undefined;
}

/** Counters since the socket was made. */
export interface UdpCounters {
  datagramsReceived: number;
  datagramsSent: number;
  sendErrors: number;
  socketErrors: number;
  /** Datagrams from port 0. */
  invalidSource: number;
}

/** Remembered routes: two generations of this many peers each bound the memory without a timer. */
const PEER_CACHE = 131_072;
/** RFC 7252 4.6: a message that fits this is not fragmented on any sane path. */
const MAX_MESSAGE = 1152;
/** Peers heard of just now, found without a look into the cache; a power of two. */
const RECENT = 1024;
/** Codes with which a machine without IPv6 refuses an IPv6 socket. */
const NO_IPV6 = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL', 'EPROTONOSUPPORT']);
/** Codes with which the system says that a route leads nowhere; anything else may pass with the next attempt. */
const UNREACHABLE = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ECONNREFUSED']);
const PORT_0_ATTEMPTS = 8;

/**
 * Only addresses get as far as the sockets: nothing is looked up, and dgram has no turn of the loop to wait for with every
 * datagram. The signature is `dns.lookup`'s.
 */
function lookup(
  address: string,
  _options: dns.LookupOneOptions,
  callback: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
): void {
  callback(null, address, 0);
}

/**
 * Plain UDP: one socket for IPv4 and one for IPv6, on the same port, both server and client at once.
 * Never throws on traffic; what it does not pass on it counts.
 */
export class UdpTransport implements Transport {
  readonly maxMessage = MAX_MESSAGE;
  readonly counters: UdpCounters = { datagramsReceived: 0, datagramsSent: 0, sendErrors: 0, socketErrors: 0, invalidSource: 0 };
  readonly #options: UdpOptions;
  readonly #sink: TransportSink;
  /** A peer is another one at every local address that has a socket of its own. */
  readonly #keyPrefix: string;
  #sockets: dgram.Socket[] = [];
  /** Asking the socket is a call into the system, and every device that is restored wants to know. */
  #port = 0;
  #ipv4: dgram.Socket | undefined;
  #ipv6: dgram.Socket | undefined;
  #young = new Map<string, Peer>();
  #old = new Map<string, Peer>();
  readonly #recent: (Peer | undefined)[] = new Array<Peer | undefined>(RECENT).fill(undefined);
  /** What leaves at the end of this turn of the loop, and where to. */
  #outgoing: Uint8Array[] = [];
  #receivers: Peer[] = [];

  constructor(options: UdpOptions, sink: TransportSink) {
    this.#options = options;
    this.#sink = sink;
    this.#keyPrefix = options.host ? `udp@${options.host}|` : 'udp|';
  }

  /** The bound port; 0 before `open` and after `close`. */
  get port(): number {
    return this.#port;
  }

  /** Binds. Rejects with the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL ...). */
  async open(): Promise<void> {
    const { port, host } = this.#options;
    if (host) {
      const { address, family } = await dns.promises.lookup(host);
      const type = family === 6 ? 'udp6' : 'udp4';
      this.#take(type, await this.#bind(type, port, address));
      return;
    }
    for (let attempt = 1; ; attempt++) {
      const ipv4 = await this.#bind('udp4', port, '0.0.0.0');
      try {
        const ipv6 = await this.#bind('udp6', ipv4.address().port, '::');
        this.#take('udp4', ipv4);
        this.#take('udp6', ipv6);
        return;
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? '';
        if (NO_IPV6.has(code)) {
          this.#take('udp4', ipv4);
          return;
        }
        await new Promise<void>((closed) => ipv4.close(() => closed()));
        // A free IPv4 port may be taken on IPv6: with port 0, another one will do.
        if (port !== 0 || code !== 'EADDRINUSE' || attempt >= PORT_0_ATTEMPTS) throw error;
      }
    }
  }

  async close(): Promise<void> {
    this.#flush();
    const sockets = this.#sockets;
    this.#sockets = [];
    this.#port = 0;
    this.#ipv4 = this.#ipv6 = undefined;
    this.#young.clear();
    this.#old.clear();
    this.#recent.fill(undefined);
    await Promise.all(sockets.map((socket) => new Promise<void>((closed) => socket.close(() => closed()))));
  }

  /** Whether it has a socket of the address's family. */
  reaches(address: string): boolean {
    return (address.includes(':') ? this.#ipv6 : this.#ipv4) !== undefined;
  }

  /** Whether the open sockets keep the process alive. */
  keepAlive(on: boolean): void {
    for (const socket of this.#sockets) {
      if (on) socket.ref();
      else socket.unref();
    }
  }

  /**
   * Leaves in order, at the end of this turn of the loop together with all else that was sent in it: the system reads up to
   * 32 datagrams a turn, and their answers cost a sixth less when they go in a row.
   */
  send(data: Uint8Array, peer: Peer): void {
    if (this.#sockets.length === 0) {
      this.counters.sendErrors++;
      return;
    }
    this.#receivers.push(peer);
    if (this.#outgoing.push(data) === 1) setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    const outgoing = this.#outgoing;
    const receivers = this.#receivers;
    this.#outgoing = [];
    this.#receivers = [];
    for (let i = 0; i < outgoing.length; i++) this.#sendNow(outgoing[i]!, receivers[i]!);
  };

  #sendNow(data: Uint8Array, peer: Peer): void {
    const socket = peer.address.includes(':') ? this.#ipv6 : this.#ipv4;
    if (!socket) {
      this.counters.sendErrors++;
      return;
    }
    try {
      this.counters.datagramsSent++;
      socket.send(data, peer.port, peer.address, this.#sent);
    } catch {
      this.counters.sendErrors++;
    }
  }

  /** One function for all datagrams; Node.js says in the error where it was to go. Called a turn of the loop later. */
  readonly #sent = (error: NodeJS.ErrnoException | null): void => {
    if (!error) return;
    this.counters.sendErrors++;
    const { code = '', address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
    if (address === undefined || port === undefined || !UNREACHABLE.has(code) || this.#sockets.length === 0) return;
    this.#sink.gone(this.peer(address, port), `the system says ${code}`);
  };

  #bind(type: 'udp4' | 'udp6', port: number, address: string): Promise<dgram.Socket> {
    const recvBufferSize = this.#options.receiveBuffer;
    return new Promise((resolve, reject) => {
      const socket = dgram.createSocket({
        type,
        lookup,
        ipv6Only: type === 'udp6',
        ...(recvBufferSize ? { recvBufferSize } : {}),
      });
      socket.once('error', (error) => {
        socket.removeAllListeners();
        // A failed bind has closed the handle already on some systems; closing twice throws.
        try {
          socket.close();
        } catch {
          // it is closed, which is what we want
        }
        reject(error);
      });
      socket.bind({ port, address, exclusive: true }, () => {
        socket.removeAllListeners('error');
        resolve(socket);
      });
    });
  }

  #take(type: 'udp4' | 'udp6', socket: dgram.Socket): void {
    this.#port = socket.address().port;
    this.#sockets.push(socket);
    if (type === 'udp4') this.#ipv4 = socket;
    else this.#ipv6 = socket;
    // ICMP errors of earlier sends may surface here; the socket stays usable.
    socket.on('error', () => this.counters.socketErrors++);
    socket.on('message', (data, from) => {
      this.counters.datagramsReceived++;
      // Nothing can be answered to port 0, and sending there throws.
      if (from.port === 0) this.counters.invalidSource++;
      else this.#sink.receive(data, this.peer(from.address, from.port));
    });
  }

  /** The route to an address; the same object as long as it is in the cache. */
  peer(address: string, port: number): Peer {
    let hash = port;
    for (let i = 0; i < address.length; i++) hash = (Math.imul(hash, 31) + address.charCodeAt(i)) | 0;
    const slot = hash & (RECENT - 1);
    const recent = this.#recent[slot];
    if (recent?.port === port && recent.address === address) return recent;
    const peer = this.#remembered(address, port);
    this.#recent[slot] = peer;
    return peer;
  }

  #remembered(address: string, port: number): Peer {
    const key = `${this.#keyPrefix}${address}|${port}`;
    let peer = this.#young.get(key);
    if (peer) return peer;
    const { host } = this.#options;
    peer = this.#old.get(key) ?? { key, address, port, identity: NO_IDENTITY, transport: this, ...(host && { local: host }) };
    if (this.#young.size >= PEER_CACHE) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, peer);
    return peer;
  }
}
