import { timingSafeEqual } from 'node:crypto';
import type { Deadline } from '../../transport/deadlines';
import type { Identity, Peer } from '../../transport/types';
import { EMPTY } from '../bytes';
import { AlertDescription, AlertLevel, alertText, ContentType, HandshakeType, type CipherSuite } from '../constants';
import { masterSecret, recordKeys, sha256, verifyData } from '../crypto/prf';
import { alertFor, DecodeError, HandshakeError } from '../errors';
import { plainRecord, type RawRecord } from '../record/codec';
import { EPOCH, SecureLink } from '../record/link';
import type { DtlsJob, DtlsJobResult, HandshakeFailure } from '../types';
import { readAlert, readFragments, wholeMessage, type Fragment } from './messages';
import { Outgoing } from './outgoing';
import { Reassembly, type WholeMessage } from './reassembly';
import type { Established, Failure, HandshakeHost, LastFlight } from './types';

interface KeyMaterial {
  readonly suite: CipherSuite;
  readonly clientRandom: Buffer;
  readonly serverRandom: Buffer;
  readonly encryptThenMac: boolean;
  readonly ownCid: Buffer;
  readonly peerCid: Buffer;
  readonly recordSize: number;
}

/**
 * One handshake, of either side: takes records, puts messages together, repeats its flights, and ends as a session or a
 * failure, once. The sides add what each message means.
 */
export abstract class Handshake {
  abstract readonly role: 'client' | 'server';
  /** What the peer claims to be, or undefined as long as it has not said. */
  claimed: Identity | undefined;
  timer: Deadline<Handshake> | undefined;
  readonly id: number;
  readonly route: Peer;
  readonly startedAt: number;
  /** Our connection ID, empty when we want none. */
  ownCid: Buffer = EMPTY;
  protected readonly host: HandshakeHost;
  protected readonly outgoing: Outgoing;
  protected link: SecureLink | undefined;
  protected master: Buffer = EMPTY;
  /** A job is under way: messages wait. */
  protected busy = false;
  /** Only Finished is still to come; `link` is there. */
  protected awaitsFinished = false;
  protected transcript: Buffer[] = [];
  protected reassembly: Reassembly;
  readonly #early: RawRecord[] = [];
  #ended = false;
  #peerChanged = false;
  #finishedParts: Reassembly | undefined;
  #deadline: number;
  #unopened = false;
  #peerAlert: number | undefined;
  /** Bytes of a message that nobody will put together, as it has too many. */
  #tooLong = 0;

  constructor(options: { id: number; host: HandshakeHost; route: Peer; now: number; firstMessage: number }) {
    const { id, host, route, now, firstMessage } = options;
    this.id = id;
    this.host = host;
    this.route = route;
    this.startedAt = now;
    this.outgoing = new Outgoing({ limits: host.limits, send: (datagram, to) => host.send(datagram, to) });
    this.#deadline = now + host.limits.handshakeTimeout;
    this.reassembly = this.newReassembly(firstMessage);
  }

  /** One whole message of epoch 0, in order. Throws `HandshakeError` or `DecodeError` to end the handshake. */
  protected abstract message(message: WholeMessage, now: number): void;
  /** The peer's Finished was right. `hash` is over all messages before it; it is in the transcript now. */
  protected abstract finished(now: number): void;
  /** A job was done; not called for failed ones. */
  protected abstract jobResult(result: DtlsJobResult, now: number): void;
  /** What a fragment means outside of the order of messages; true when it was dealt with. */
  protected outOfOrder(_message: WholeMessage, _now: number): boolean {
    return false;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** A record of epoch 0, or one of epoch 1 that belongs to no session. */
  receive(record: RawRecord, now: number): void {
    if (this.#ended) return;
    this.#guard(now, () => {
      if (record.epoch === 0) this.#plain(record, now);
      else this.#protected(record, now);
    });
  }

  jobDone(result: DtlsJobResult, now: number): void {
    if (this.#ended || !this.busy) return;
    this.busy = false;
    if (result.kind === 'failed') {
      // What the peer caused is its fault; the rest is ours.
      const fault = result.error instanceof HandshakeError;
      this.fail(alertFor(result.error), fault ? 'bad-message' : 'internal', fault ? textOf(result.error) : 'the key could not be had', now);
      return;
    }
    this.#guard(now, () => {
      this.jobResult(result, now);
      this.#pump(now);
    });
  }

  /** Repeats or gives up, as is due. */
  advance(now: number): void {
    if (this.#ended) return;
    if (now >= this.#deadline) {
      this.#expire(now);
      return;
    }
    if (this.outgoing.due(this.route, this.link, now)) this.host.counters.retransmissions++;
    this.#reschedule();
  }

  /** The peer repeats itself. */
  repeat(now: number): void {
    if (this.busy || !this.outgoing.repeat(this.route, this.link, now)) return;
    this.host.counters.retransmissions++;
    this.#reschedule();
  }

  /** Ends it without a word to the peer. */
  drop(failure: Failure, now: number): void {
    if (this.#ended) return;
    this.#end();
    this.host.failed(this, failure, now);
  }

  /** Ends it with a fatal alert. */
  fail(description: number, reason: HandshakeFailure, detail: string, now: number): void {
    if (this.#ended) return;
    this.host.send(plainRecord(ContentType.ALERT, this.outgoing.plainSeq++, Buffer.from([AlertLevel.FATAL, description])), this.route);
    this.drop({ reason, detail }, now);
  }

  protected newReassembly(first: number): Reassembly {
    const { limits, budget } = this.host;
    return new Reassembly({ first, maxMessage: limits.maxMessage, budget });
  }

  protected ask(job: DtlsJob): void {
    this.busy = true;
    // The first one comes before anything was sent that would be sent again: it too must end.
    if (!this.timer) this.#reschedule();
    this.host.work(this, job);
  }

  /** Adds a message of ours to the flight and the transcript. */
  protected say(type: number, body: Buffer, epoch: 0 | 1 = 0): void {
    this.transcript.push(this.outgoing.add(type, body, epoch));
  }

  /** Sends the flight that has just been put together. */
  protected transmit(now: number): void {
    this.outgoing.first(this.route, this.link, now);
    this.#reschedule();
  }

  /** From here on only the peer's ChangeCipherSpec and Finished count. */
  protected awaitFinished(): void {
    const first = this.reassembly.next;
    this.reassembly.clear();
    this.#finishedParts = this.newReassembly(first);
    this.awaitsFinished = true;
  }

  /** Derives the keys from what was agreed on. The transcript ends with ClientKeyExchange. */
  protected makeLink(material: KeyMaterial & { readonly premaster: Uint8Array; readonly extendedMasterSecret: boolean }): void {
    const { premaster, clientRandom, serverRandom, extendedMasterSecret } = material;
    const from = extendedMasterSecret ? { sessionHash: sha256(this.transcript) } : { clientRandom, serverRandom };
    this.linkFrom(masterSecret(premaster, from), material);
  }

  /** The keys of a master secret that is there already. */
  protected linkFrom(master: Buffer, material: KeyMaterial): void {
    const { suite, clientRandom, serverRandom, encryptThenMac, ownCid, peerCid, recordSize } = material;
    this.master = master;
    this.host.keyLog(clientRandom, master);
    const { client, server } = recordKeys(suite.cipher, master, clientRandom, serverRandom);
    const [write, read] = this.role === 'client' ? [client, server] : [server, client];
    this.link = new SecureLink({ suite, encryptThenMac, write, read, ownCid, peerCid, recordSize });
  }

  protected verifyData(side: 'client' | 'server'): Buffer {
    return verifyData(this.master, side, sha256(this.transcript));
  }

  /** What is over is let go. */
  protected succeed(made: Established, now: number): void {
    this.#end();
    if (this.host.established(this, made, now)) return;
    // The peer believes that it has a session by now.
    this.host.send(made.link.seal(ContentType.ALERT, Buffer.from([AlertLevel.FATAL, AlertDescription.INTERNAL_ERROR])), this.route);
    this.host.failed(this, { reason: 'no-room', detail: 'there are too many sessions' }, now);
  }

  protected lastFlight(): LastFlight {
    const { steps, plainSeq } = this.outgoing;
    return { steps, plainSeq, sent: 0 };
  }

  #end(): void {
    this.#ended = true;
    this.reassembly.clear();
    this.#finishedParts?.clear();
    this.#early.length = 0;
    this.host.schedule(this, Infinity);
  }

  #guard(now: number, work: () => void): void {
    try {
      work();
    } catch (error) {
      const known = error instanceof HandshakeError || error instanceof DecodeError;
      if (!known) this.host.counters.internalErrors++;
      this.fail(alertFor(error), known ? 'bad-message' : 'internal', known ? error.message : 'an error of our own', now);
    }
  }

  #plain(record: RawRecord, now: number): void {
    switch (record.type) {
      case ContentType.HANDSHAKE:
        this.#fragments(record, now);
        break;
      case ContentType.CHANGE_CIPHER_SPEC:
        if (record.body.length !== 1 || record.body[0] !== 1) return;
        this.#peerChanged = true;
        this.#tryEarly(now);
        break;
      case ContentType.ALERT:
        this.#alert(record.body, now);
        break;
      default:
        this.host.counters.plaintextIgnored++;
    }
  }

  #fragments(record: RawRecord, now: number): void {
    let fragments: Fragment[];
    try {
      fragments = readFragments(record.body);
    } catch {
      // Anybody could have sent it: it is not worth the handshake.
      this.host.counters.malformedRecords++;
      return;
    }
    let repeated = false;
    // Once keys are there nothing of epoch 0 counts but that the peer repeats itself.
    for (const fragment of fragments) {
      const { type, messageSeq, length, offset, data } = fragment;
      if (offset === 0 && data.length === length && this.outOfOrder({ type, messageSeq, body: data }, now)) continue;
      if (length > this.host.limits.maxMessage) this.#refuseLength(length, now);
      else if (messageSeq < this.reassembly.next) repeated = true;
      else if (!this.awaitsFinished) this.reassembly.add(fragment);
    }
    if (repeated && this.role === 'client' && !this.#ended) this.repeat(now);
    this.#pump(now);
  }

  /** Anybody could have sent this, too: the handshake has time to go on without. A peer that sends it again and again hears why. */
  #refuseLength(length: number, now: number): void {
    if (this.awaitsFinished || this.#tooLong > 0) return;
    this.#tooLong = length;
    this.#shorten(now);
  }

  #pump(now: number): void {
    while (!this.busy && !this.#ended && !this.awaitsFinished) {
      const message = this.reassembly.take();
      if (!message) return;
      if (message.type === HandshakeType.FINISHED) {
        throw new HandshakeError(AlertDescription.UNEXPECTED_MESSAGE, 'Finished came too early');
      }
      this.transcript.push(wholeMessage(message.type, message.messageSeq, message.body));
      this.message(message, now);
    }
    this.#tryEarly(now);
  }

  /**
   * An alert that is not protected may be anybody's: it ends nothing at once, and leaves time for the handshake to go on.
   */
  #alert(body: Buffer, now: number): void {
    const alert = readAlert(body);
    if (alert?.level !== AlertLevel.FATAL) return;
    this.#peerAlert ??= alert.description;
    this.#shorten(now);
  }

  #shorten(now: number): void {
    this.#deadline = Math.min(this.#deadline, now + this.host.limits.wrongKeyGrace);
    this.#reschedule();
  }

  #protected(record: RawRecord, now: number): void {
    if (record.epoch !== EPOCH) return;
    if (!this.awaitsFinished || !this.#peerChanged) {
      // Its body is a view on the datagram, which is the receiver's no longer than this call.
      if (this.#early.length < this.host.limits.maxEarlyRecords && record.body.length <= this.host.limits.mtu) {
        this.#early.push({ ...record, cid: Buffer.from(record.cid), body: Buffer.from(record.body) });
      }
      return;
    }
    this.#finishedRecord(record, now);
  }

  #tryEarly(now: number): void {
    if (!this.awaitsFinished || !this.#peerChanged || this.busy) return;
    for (const record of this.#early.splice(0)) if (!this.#ended) this.#finishedRecord(record, now);
  }

  #finishedRecord(record: RawRecord, now: number): void {
    const parts = this.#finishedParts;
    const opened = this.link?.open(record, now, true);
    if (!opened || !parts) return;
    if (typeof opened === 'string') {
      if (opened !== 'forged') return;
      this.host.counters.forgedRecords++;
      this.#unopened = true;
      this.#shorten(now);
      return;
    }
    if (opened.type === ContentType.ALERT) {
      const alert = readAlert(opened.data);
      if (alert?.level === AlertLevel.FATAL) this.drop({ reason: 'refused-by-peer', detail: alertText(alert.description) }, now);
      return;
    }
    // Data of the peer may overtake its Finished. Nobody has vouched for it yet.
    if (opened.type !== ContentType.HANDSHAKE) return;
    for (const fragment of readFragments(opened.data)) parts.add(fragment);
    const message = parts.take();
    if (message) this.#checkFinished(message, now);
  }

  #checkFinished(message: WholeMessage, now: number): void {
    if (message.type !== HandshakeType.FINISHED) {
      throw new HandshakeError(AlertDescription.UNEXPECTED_MESSAGE, 'another message came in place of Finished');
    }
    const expected = this.verifyData(this.role === 'server' ? 'client' : 'server');
    if (message.body.length !== expected.length || !timingSafeEqual(message.body, expected)) {
      throw new HandshakeError(AlertDescription.DECRYPT_ERROR, 'Finished does not match the handshake');
    }
    this.transcript.push(wholeMessage(message.type, message.messageSeq, message.body));
    this.finished(now);
  }

  #expire(now: number): void {
    if (this.#peerAlert !== undefined) {
      this.drop({ reason: 'refused-by-peer', detail: alertText(this.#peerAlert) }, now);
    } else if (this.#unopened) {
      const { reason, detail } = this.wrongKey();
      this.fail(AlertDescription.DECRYPT_ERROR, reason, detail, now);
    } else if (this.#tooLong > 0) {
      const detail = `it has ${this.#tooLong} bytes, and ${this.host.limits.maxMessage} are the most; a chain of certificates may be too long`;
      this.fail(AlertDescription.HANDSHAKE_FAILURE, 'bad-message', detail, now);
    } else {
      this.drop({ reason: 'timeout', detail: 'the peer did not go on' }, now);
    }
  }

  /** Why the peer's Finished could not be opened. */
  protected wrongKey(): Failure {
    return { reason: 'wrong-key', detail: 'the keys of the two sides differ' };
  }

  #reschedule(): void {
    if (!this.#ended) this.host.schedule(this, Math.min(this.#deadline, this.outgoing.retransmitAt));
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
