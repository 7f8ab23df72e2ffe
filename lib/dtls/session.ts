import type { Identity, Peer, Transport } from '../transport/types';
import { MAX_PLAINTEXT, suiteById } from './constants';
import type { LastFlight } from './handshake/types';
import { SecureLink } from './record/link';
import type { SessionState } from './types';

export interface SessionOptions {
  readonly key: string;
  readonly role: 'client' | 'server';
  readonly identity: Identity;
  readonly transport: Transport;
  readonly link: SecureLink;
  readonly route: Peer;
  readonly lastFlight: LastFlight | undefined;
  readonly now: number;
}

/** An established session, and the `Peer` that the floors above know it by; its address may change. */
export class Session implements Peer {
  readonly key: string;
  readonly role: 'client' | 'server';
  readonly identity: Identity;
  readonly transport: Transport;
  /** Private, so that no log of a peer shows its keys. */
  readonly #link: SecureLink;
  /** Where it was last proven to be. */
  route: Peer;
  lastFlight: LastFlight | undefined;
  lastActive: number;
  /** When its place in the order of activity was last renewed; the table's own. */
  touchedAt = 0;
  /** Bytes that may still go to an address it has not been heard from twice. */
  allowance = Infinity;
  /** Warnings sent in answer to attempts to renegotiate. */
  warnings = 0;
  ended = false;
  /** The number up to which keeping was asked for; 0 as long as nothing is kept. */
  asked = 0;

  constructor(options: SessionOptions) {
    this.key = options.key;
    this.role = options.role;
    this.identity = options.identity;
    this.transport = options.transport;
    this.#link = options.link;
    this.route = options.route;
    this.lastFlight = options.lastFlight;
    this.lastActive = options.now;
  }

  get link(): SecureLink {
    return this.#link;
  }

  get address(): string {
    return this.route.address;
  }

  get port(): number {
    return this.route.port;
  }

  /** Our connection ID as a map key; empty when it has none. */
  get cidKey(): string {
    return this.link.options.ownCid.toString('latin1');
  }

  /** The largest message that fits into a record the device takes; undefined when it has set no limit. */
  get maxMessage(): number | undefined {
    const { maxData, options } = this.link;
    return options.recordSize < MAX_PLAINTEXT ? maxData : undefined;
  }

  get principal(): string {
    return principalKey(this.identity);
  }

  /** All there is to it; `sendSeq` is the number with which sending may go on. */
  state(sendSeq: number): SessionState {
    const { suite, encryptThenMac, write, read, peerCid, ownCid, recordSize } = this.link.options;
    return {
      key: this.key,
      role: this.role,
      suite: suite.id,
      writeKey: write.key,
      writeSalt: write.salt,
      writeMac: write.mac,
      readKey: read.key,
      readSalt: read.salt,
      readMac: read.mac,
      encryptThenMac,
      peerCid,
      ownCid,
      recordSize,
      sendSeq,
      window: this.link.window.state,
      address: this.address,
      port: this.port,
      identity: this.identity,
    };
  }
}

export function principalKey({ mode, name }: Identity): string {
  return `${mode}|${name}`;
}

/** A session out of its state; undefined when its suite is none of ours. */
export function sessionFrom(state: SessionState, route: Peer, transport: Transport, now: number): Session | undefined {
  const suite = suiteById(state.suite);
  if (!suite) return undefined;
  const link = new SecureLink({
    suite,
    encryptThenMac: state.encryptThenMac,
    write: { key: state.writeKey, salt: state.writeSalt, mac: state.writeMac },
    read: { key: state.readKey, salt: state.readSalt, mac: state.readMac },
    peerCid: state.peerCid,
    ownCid: state.ownCid,
    recordSize: state.recordSize,
  });
  link.sendSeq = state.sendSeq;
  link.window.restore(state.window);
  const { key, role, identity } = state;
  return new Session({ key, role, identity, transport, link, route, lastFlight: undefined, now });
}
