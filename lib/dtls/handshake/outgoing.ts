import type { Peer } from '../../transport/types';
import { MAX_PLAINTEXT } from '../constants';
import type { DtlsLimits } from '../limits';
import type { SecureLink } from '../record/link';
import { writeFlight, type FlightStep } from './flight';
import { wholeMessage } from './messages';

/**
 * The flight a handshake has to send, and when it is to be sent again: the wait doubles each time (RFC 6347 4.2.4.1), and
 * after so many times it is left to the peer.
 */
export class Outgoing {
  steps: FlightStep[] = [];
  /** The number of the next record of epoch 0, and of the next message. */
  plainSeq = 0;
  nextMessage = 0;
  /** The largest plaintext of a record. */
  recordSize = MAX_PLAINTEXT;
  retransmitAt = Infinity;
  readonly #limits: DtlsLimits;
  readonly #send: (datagram: Buffer, route: Peer) => void;
  #interval: number;
  #sent = 0;
  #lastSent = -Infinity;

  constructor(options: { limits: DtlsLimits; send: (datagram: Buffer, route: Peer) => void }) {
    this.#limits = options.limits;
    this.#send = options.send;
    this.#interval = options.limits.retransmit;
  }

  /** Adds a message; returns it as the transcript has it. */
  add(type: number, body: Buffer, epoch: 0 | 1): Buffer {
    const messageSeq = this.nextMessage++;
    this.steps.push({ kind: 'message', type, messageSeq, body, epoch });
    return wholeMessage(type, messageSeq, body);
  }

  /** Sends a new flight. */
  first(route: Peer, link: SecureLink | undefined, now: number): void {
    this.#sent = 0;
    this.#interval = this.#limits.retransmit;
    this.#transmit(route, link, now);
  }

  /** Sends it again if it is due; true when it was sent. */
  due(route: Peer, link: SecureLink | undefined, now: number): boolean {
    if (now < this.retransmitAt) return false;
    this.#interval = Math.min(this.#interval * 2, this.#limits.maxRetransmit);
    return this.#transmit(route, link, now);
  }

  /** The peer repeats itself: so do we, unless we have just done so. */
  repeat(route: Peer, link: SecureLink | undefined, now: number): boolean {
    if (this.steps.length === 0 || now - this.#lastSent < this.#limits.retransmit / 4) return false;
    return this.#transmit(route, link, now);
  }

  #transmit(route: Peer, link: SecureLink | undefined, now: number): boolean {
    if (this.#sent++ >= this.#limits.maxFlights) {
      this.retransmitAt = Infinity;
      return false;
    }
    this.#lastSent = now;
    this.retransmitAt = now + this.#interval;
    const writer = { plainSeq: this.plainSeq, recordSize: this.recordSize, link };
    for (const datagram of writeFlight(this.steps, writer, this.#limits.mtu)) this.#send(datagram, route);
    this.plainSeq = writer.plainSeq;
    return true;
  }
}
