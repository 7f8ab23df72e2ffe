import type { Peer, Transport } from '../transport/types';
import { AlertDescription, AlertLevel, alertText, ContentType, HandshakeType, MAX_SEQUENCE } from './constants';
import { writeFlight } from './handshake/flight';
import type { Established } from './handshake/types';
import { readAlert, readFragments } from './handshake/messages';
import type { DtlsLimits } from './limits';
import type { RawRecord } from './record/codec';
import { Session, sessionFrom } from './session';
import { SessionTable } from './session-table';
import type { DtlsCounters, DtlsSink, SessionEnd, SessionState } from './types';

/** Warnings a session gets for attempts to renegotiate. */
const MAX_WARNINGS = 8;
const CLOSE_NOTIFY = Buffer.from([AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY]);
const NO_RENEGOTIATION = Buffer.from([AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION]);

export interface LiveSessionsOptions {
  readonly sink: DtlsSink;
  readonly transport: Transport;
  readonly limits: DtlsLimits;
  readonly counters: DtlsCounters;
  readonly persistent: boolean;
  readonly newKey: () => string;
}

/** Everything about sessions once they are established: their records, addresses, successors and ends. */
export class LiveSessions {
  readonly table = new SessionTable();
  readonly #options: LiveSessionsOptions;

  constructor(options: LiveSessionsOptions) {
    this.#options = options;
  }

  /** The session of this peer, if it is one of ours that lives. */
  own(peer: Peer): Session | undefined {
    return peer instanceof Session && this.table.get(peer.key) === peer ? peer : undefined;
  }

  /** A handshake is complete. The principal's session before it, and one that had the address, give way only now. */
  establish(made: Established, route: Peer, attempt: number | undefined, now: number): boolean {
    const { sink, transport, newKey } = this.#options;
    const { role, suite, link, identity, lastFlight, extendedMasterSecret } = made;
    const session = new Session({ key: newKey(), role, identity, transport, link, route, lastFlight, now });
    const before = this.table.byPrincipal(identity);
    if (!before && !this.#makeRoom(now)) return false;
    if (before) this.#remove(before);
    const there = session.cidKey === '' ? this.table.byRoute(route.key) : undefined;
    if (there) this.#end(there, 'replaced', 'another device has its address');
    this.table.add(session, now);
    sink.report({
      kind: 'established',
      peer: session,
      attempt,
      suite: suite.name,
      role,
      cid: session.cidKey !== '',
      extendedMasterSecret,
      ...(made.validFor !== undefined && { validFor: made.validFor }),
    });
    if (before) sink.report({ kind: 'rebind', from: before, to: session });
    this.#keep(session);
    return true;
  }

  /** A protected record that may be this session's. False when it is not: it may be a handshake's. */
  record(session: Session, record: RawRecord, route: Peer, now: number): boolean {
    const { counters, sink } = this.#options;
    const opened = session.link.open(record, now, route.key === session.route.key);
    switch (opened) {
      case 'forged':
        counters.forgedRecords++;
        return false;
      case 'quiet':
        counters.quietRecords++;
        return false;
      case 'replayed':
        counters.replayedRecords++;
        return false;
      case 'malformed':
        counters.malformedRecords++;
        return false;
      default:
    }
    this.table.touch(session, now);
    if (opened.newest) this.#heardFrom(session, route, record.body.length);
    switch (opened.type) {
      case ContentType.APPLICATION_DATA:
        // Who has data to send has our Finished.
        session.lastFlight = undefined;
        sink.receive(opened.data, session);
        break;
      case ContentType.ALERT:
        this.#alert(session, opened.data);
        break;
      case ContentType.HANDSHAKE:
        this.#handshakeMessage(session, opened.data);
        break;
      default:
        counters.malformedRecords++;
    }
    return true;
  }

  /** Only the newest authentic record tells where the peer is (RFC 9146 6). */
  #heardFrom(session: Session, route: Peer, bytes: number): void {
    const { counters, limits, sink } = this.#options;
    if (route.key === session.route.key) {
      session.allowance = Infinity;
      return;
    }
    counters.moves++;
    this.table.move(session, route);
    // Somebody in between may have sent it on from an address of his choice.
    session.allowance = Math.max(limits.unprovenBytes, 3 * bytes);
    sink.report({ kind: 'moved', peer: session, address: route.address, port: route.port });
    this.#save(session);
  }

  #alert(session: Session, data: Buffer): void {
    const alert = readAlert(data);
    if (!alert) return;
    if (alert.description === AlertDescription.CLOSE_NOTIFY) {
      this.write(session, ContentType.ALERT, CLOSE_NOTIFY);
      this.#end(session, 'closed-by-peer', 'the device closed the session');
    } else if (alert.level === AlertLevel.FATAL) {
      this.#end(session, 'alert', `the device sent ${alertText(alert.description)}`);
    }
  }

  #handshakeMessage(session: Session, data: Buffer): void {
    const [type] = data;
    if (type === HandshakeType.FINISHED && session.role === 'server') this.#repeatLastFlight(session, data);
    else if (type === HandshakeType.CLIENT_HELLO && session.warnings++ < MAX_WARNINGS) {
      this.write(session, ContentType.ALERT, NO_RENEGOTIATION);
    }
  }

  /** The client missed our Finished, and has repeated its own (RFC 6347 4.2.4). */
  #repeatLastFlight(session: Session, data: Buffer): void {
    const { limits, counters } = this.#options;
    const { lastFlight, link } = session;
    try {
      readFragments(data);
    } catch {
      return;
    }
    if (!lastFlight || lastFlight.sent++ >= limits.maxFlights) return;
    counters.retransmissions++;
    const writer = { plainSeq: lastFlight.plainSeq, recordSize: link.options.recordSize, link };
    for (const datagram of writeFlight(lastFlight.steps, writer, limits.mtu)) this.#send(session, datagram);
    lastFlight.plainSeq = writer.plainSeq;
  }

  write(session: Session, type: number, data: Uint8Array): void {
    const { counters } = this.#options;
    const { link } = session;
    if (data.length > link.maxData) {
      counters.sendsRefused++;
      return;
    }
    if (!link.canSend || session.allowance < data.length + link.overhead) {
      counters.sendsRefused++;
      // The reservation is still on its way, or has failed: only asking again ends the silence.
      if (!link.canSend && link.sendSeq < MAX_SEQUENCE) this.#keep(session);
      if (link.sendSeq >= MAX_SEQUENCE) this.#end(session, 'exhausted', 'all record numbers are used');
      return;
    }
    this.#send(session, link.seal(type, data));
    if (session.asked > 0 && session.asked - link.sendSeq < this.#options.limits.reserve / 2) this.#keep(session);
  }

  #send(session: Session, datagram: Buffer): void {
    session.allowance -= datagram.length;
    this.#options.sink.send(datagram, session.route);
  }

  /** Says goodbye and forgets it. */
  close(session: Session, reason: SessionEnd, detail: string): void {
    this.write(session, ContentType.ALERT, CLOSE_NOTIFY);
    this.#end(session, reason, detail);
  }

  #end(session: Session, reason: SessionEnd, detail: string): void {
    if (session.ended) return;
    this.#remove(session);
    this.#options.sink.report({ kind: 'ended', peer: session, reason, detail });
  }

  #remove(session: Session): void {
    session.ended = true;
    session.lastFlight = undefined;
    this.table.remove(session);
    if (session.asked > 0) this.#options.sink.persist?.({ kind: 'remove', key: session.key });
  }

  /** The one silent longest gives way, when that is long enough. */
  #makeRoom(now: number): boolean {
    const { limits, counters } = this.#options;
    if (this.table.size < limits.maxSessions) return true;
    const oldest = this.table.oldest();
    if (!oldest || now - oldest.lastActive < limits.staleAfter) return false;
    counters.sessionsEvicted++;
    this.#end(oldest, 'evicted', 'there are too many sessions, and it has been silent for long');
    return true;
  }

  /** Asks for more numbers. The first time none but those asked for may be used any more. */
  #keep(session: Session): void {
    const { persistent, limits } = this.#options;
    if (!persistent) return;
    const { link } = session;
    const first = session.asked === 0;
    session.asked = Math.min(link.sendSeq + limits.reserve, MAX_SEQUENCE);
    if (first) link.sendLimit = session.asked;
    this.#save(session);
  }

  #save(session: Session): void {
    if (session.asked > 0) this.#options.sink.persist?.({ kind: 'save', key: session.key, reserved: session.asked });
  }

  /**
   * Takes final states over. Those that clash with a live session, or have a connection ID that could not be found, are left
   * out. Returns those taken.
   */
  restore(states: readonly SessionState[], routeFor: (address: string, port: number) => Peer, now: number): Session[] {
    const taken: Session[] = [];
    for (const state of states) {
      const session = sessionFrom(state, routeFor(state.address, state.port), this.#options.transport, now);
      if (!session || !this.#fits(session)) continue;
      this.table.add(session, now);
      this.#keep(session);
      taken.push(session);
    }
    return taken;
  }

  #fits(session: Session): boolean {
    const { limits } = this.#options;
    const { cidKey } = session;
    const { table } = this;
    if (table.size >= limits.maxSessions || table.get(session.key) || table.byPrincipal(session.identity)) return false;
    if (cidKey === '') return table.byRoute(session.route.key) === undefined;
    return cidKey.length === limits.cidLength && table.byCid(cidKey) === undefined;
  }
}
