import { Deadlines } from '../transport/deadlines';
import type { Random } from '../transport/random';
import { Buckets, network } from '../transport/rates';
import type { Core, Identity, Peer, Transport } from '../transport/types';
import { CIPHER_SUITES, ContentType, ExtensionType, HandshakeType, type CipherSuite } from './constants';
import { Cookies } from './cookie';
import { newCounters } from './counters';
import { ClientHandshake, type ClientCredentials } from './handshake/client';
import type { Handshake } from './handshake/handshake';
import type { ClientHello } from './handshake/messages';
import type { Established, Failure, HandshakeHost } from './handshake/types';
import { ServerHandshake } from './handshake/server';
import type { Offer } from './handshake/negotiate';
import { chooseFor, screenHello } from './hello';
import { completeLimits, type DtlsLimits } from './limits';
import { LiveSessions } from './live-sessions';
import { readRecord, type RawRecord } from './record/codec';
import { Resumption, resumptionTerms, type Resumable } from './resumption';
import { Session } from './session';
import type { CertificateStore, DtlsCounters, DtlsJobResult, DtlsSink, SessionState } from './types';

export interface DtlsCoreOptions {
  readonly sink: DtlsSink;
  /** What sessions are handed up with. */
  readonly transport: Transport;
  readonly random: Random;
  /** Monotonic ms. */
  readonly now: number;
  readonly limits?: Partial<DtlsLimits>;
  /** Names of cipher suites that may be used; default all of ours. */
  readonly suites?: readonly string[];
  /** Our keys, and which certificates may be shown to us; default none, and only pre-shared keys are spoken of. */
  readonly certificates?: Pick<CertificateStore, 'own' | 'isFor' | 'accepts'>;
  /**
   * A fingerprint of what proves an identity at present; undefined when nothing does. A session is resumed only while it is the same as
   * when the session was made, and none where this is missing; `closePrincipal` makes those of a principal end, whatever is said here.
   */
  readonly proof?: (identity: Identity) => string | undefined;
  /** First bytes of all our connection IDs, such as the number of a node; shorter than the IDs. */
  readonly cidPrefix?: Buffer;
  /** Sessions are kept: record numbers are reserved through `persist` and `persisted`. */
  readonly persistent?: boolean;
}

/**
 * DTLS 1.2 (RFC 6347) for any number of peers, as server and client: a state machine without sockets and clocks. Datagrams
 * and times go in, effects come out at the sink. Nothing a datagram holds makes it throw.
 */
export class DtlsCore implements Core {
  readonly counters: DtlsCounters = newCounters();
  readonly limits: DtlsLimits;
  readonly suites: readonly CipherSuite[];
  readonly #sink: DtlsSink;
  readonly #offer: Offer;
  readonly #proof: ((identity: Identity) => string | undefined) | undefined;
  readonly #resumption: Resumption;
  readonly #random: Random;
  readonly #prefix: Buffer;
  readonly #cookies: Cookies;
  readonly #live: LiveSessions;
  readonly #handshakes = new Map<number, Handshake>();
  readonly #pending = new Map<string, Handshake>();
  readonly #deadlines = new Deadlines<Handshake>();
  readonly #perSource: Buckets;
  readonly #inAll: Buckets;
  readonly #reports: Buckets;
  readonly #host: HandshakeHost;
  #suppressed = 0;
  #nextId = 1;
  #now: number;
  #stopped = false;

  constructor(options: DtlsCoreOptions) {
    const { sink, transport, random, now, cidPrefix = Buffer.alloc(0), persistent = false } = options;
    this.limits = completeLimits(options.limits);
    this.suites = options.suites ? CIPHER_SUITES.filter(({ name }) => options.suites?.includes(name)) : CIPHER_SUITES;
    if (cidPrefix.length > 0 && cidPrefix.length + 4 > this.limits.cidLength) {
      throw new RangeError('a prefix must leave 4 bytes of the connection ID');
    }
    this.#sink = sink;
    this.#proof = options.proof;
    this.#resumption = new Resumption(this.limits.maxResumable);
    this.#offer = { suites: this.suites, certificates: options.certificates };
    this.#random = random;
    this.#prefix = cidPrefix;
    this.#now = now;
    const randomBytes = (count: number): Buffer => Buffer.from(random.bytes(count));
    this.#cookies = new Cookies({ lifetime: this.limits.cookieLifetime, now, randomBytes });
    this.#perSource = new Buckets(this.limits.sourceRate, this.limits.sourceBurst);
    this.#inAll = new Buckets(this.limits.totalRate, this.limits.totalBurst);
    this.#reports = new Buckets(this.limits.reportRate, this.limits.reportRate);
    this.#host = this.#makeHost(randomBytes);
    const { limits, counters } = this;
    const newKey = (): string => `dtls|${randomBytes(8).toString('hex')}`;
    this.#live = new LiveSessions({ sink, transport, limits, counters, persistent, newKey });
  }

  sizes(): { sessions: number; handshakes: number; reassemblyBytes: number } {
    return { sessions: this.#live.table.size, handshakes: this.#handshakes.size, reassemblyBytes: this.#host.budget.used };
  }

  sessions(): readonly Peer[] {
    return [...this.#live.table.values()];
  }

  /** A datagram from the wire. The buffer is not used after the call. */
  receive(datagram: Buffer, route: Peer, now: number): void {
    if (this.#stopped) return;
    this.#now = now;
    this.counters.datagrams++;
    let at = 0;
    while (at < datagram.length) {
      const record = readRecord(datagram, at, this.limits.cidLength);
      if (!record) {
        this.counters.malformedDatagrams++;
        return;
      }
      at = record.end;
      this.counters.records++;
      this.#dispatch(record, route, now);
    }
  }

  /** Application data for a session; dropped when it cannot be sent. */
  send(data: Uint8Array, peer: Peer, now: number): void {
    this.#now = now;
    const session = this.#live.own(peer);
    if (session && !this.#stopped) this.#live.write(session, ContentType.APPLICATION_DATA, data);
    else this.counters.sendsRefused++;
  }

  /**
   * Begins a handshake as client. Returns the number its `established` or `failed` report will have. A server that has a
   * session at this address already keeps it until the new one is complete.
   */
  connect(route: Peer, credentials: ClientCredentials, now: number): number {
    this.#now = now;
    const ownCid = this.#offeredCid();
    const handshake = new ClientHandshake({ id: this.#nextId++, host: this.#host, route, now, credentials, ownCid });
    this.#begin(handshake, now);
    handshake.start(now);
    return handshake.id;
  }

  /** The result of a job. Late ones, of handshakes that are over, are ignored. */
  done(id: number, result: DtlsJobResult, now: number): void {
    this.#now = now;
    this.#handshakes.get(id)?.jobDone(result, now);
  }

  /** Ends a session with a close_notify, and forgets it. */
  close(peer: Peer, now: number): void {
    this.#now = now;
    const session = this.#live.own(peer);
    if (session) this.#live.close(session, 'closed', 'closed by us');
  }

  /** Ends all that this principal has, its session and handshakes under any of its names: its credentials are no longer good. */
  closePrincipal(identity: Identity, now: number): void {
    this.#now = now;
    this.#resumption.forget(identity);
    const session = this.#live.table.byPrincipal(identity);
    if (session) this.#live.close(session, 'closed', 'its credentials were removed');
    this.dropHandshakes((claimed) => isOrMayBe(claimed, identity), now);
  }

  /** Ends handshakes under way, of whom `which` says so by what was shown in them. */
  dropHandshakes(which: (claimed: Identity) => boolean, now: number): void {
    this.#now = now;
    for (const handshake of [...this.#handshakes.values()]) {
      if (handshake.claimed && which(handshake.claimed)) {
        handshake.drop({ reason: 'cancelled', detail: 'its credentials were removed' }, now);
      }
    }
  }

  /** The session last heard from this address, whose route the system calls unreachable. */
  sessionAt(route: Peer): Peer | undefined {
    return this.#live.table.lastAt(route.key);
  }

  /** The state to be kept for a `persist` of kind save; undefined when the session is no more. */
  state(key: string, reserved: number): SessionState | undefined {
    return this.#live.table.get(key)?.state(reserved);
  }

  /** What was to be kept is kept: numbers below `reserved` may be used. */
  persisted(key: string, reserved: number): void {
    const link = this.#live.table.get(key)?.link;
    if (link) link.sendLimit = Math.max(link.sendLimit, reserved);
  }

  /** From now on nothing is sent and nothing received. Returns the final states, with which all may go on elsewhere. */
  stop(): SessionState[] {
    this.#stopped = true;
    for (const handshake of [...this.#handshakes.values()]) handshake.drop({ reason: 'cancelled', detail: 'the server stops' }, this.#now);
    const { table } = this.#live;
    const states = [...table.values()].map((session) => session.state(session.link.sendSeq));
    table.clear();
    this.#resumption.clear();
    return states;
  }

  /**
   * Takes final states over; each may be given once, ever. Those that clash with a live session or have a connection ID that
   * could not be found are left out. Returns those taken.
   */
  restore(states: readonly SessionState[], routeFor: (address: string, port: number) => Peer, now: number): readonly Peer[] {
    return this.#live.restore(states, routeFor, now);
  }

  advance(now: number): void {
    this.#now = now;
    for (let handshake = this.#deadlines.takeDue(now); handshake; handshake = this.#deadlines.takeDue(now)) {
      handshake.timer = undefined;
      handshake.advance(now);
    }
  }

  deadline(): number {
    return this.#deadlines.next();
  }

  #dispatch(record: RawRecord, route: Peer, now: number): void {
    const { table } = this.#live;
    if (record.type === ContentType.TLS12_CID) {
      const owner = table.byCid(record.cid.toString('latin1'));
      if (!owner) this.counters.unknownCids++;
      else if (owner instanceof Session) this.#live.record(owner, record, route, now);
      else owner.receive(record, now);
      return;
    }
    const pending = this.#pending.get(route.key);
    if (record.epoch === 0) {
      if (record.type === ContentType.HANDSHAKE && record.body[0] === HandshakeType.CLIENT_HELLO) this.#hello(record, route, now);
      else if (pending) pending.receive(record, now);
      else this.counters.plaintextIgnored++;
      return;
    }
    const session = table.byRoute(route.key);
    if (session && this.#live.record(session, record, route, now)) return;
    if (pending) pending.receive(record, now);
    else if (!session) this.counters.unknownPeers++;
  }

  #hello(record: RawRecord, route: Peer, now: number): void {
    const reply = (datagram: Buffer): void => this.#sink.send(datagram, route);
    const proven = screenHello(record, route, now, { cookies: this.#cookies, counters: this.counters, reply });
    if (!proven) return;
    const { hello, body: helloBody, messageSeq, recordSeq } = proven;
    const pending = this.#pending.get(route.key);
    if (pending instanceof ServerHandshake && pending.clientRandom.equals(hello.random)) {
      pending.repeat(now);
      return;
    }
    if (this.#cookies.isSpent(hello.random)) {
      this.counters.spentHellos++;
      return;
    }
    if (!this.#perSource.take(network(route.address), now) || !this.#inAll.take('', now)) {
      this.counters.rateLimited++;
      return;
    }
    const earlier = this.#earlier(hello, now);
    const choice = chooseFor(proven, earlier ? { ...this.#offer, resumed: earlier.suite } : this.#offer);
    if ('alert' in choice) {
      reply(choice.alert);
      this.#reportFailure({ route, attempt: undefined, claimed: undefined }, choice, now);
      return;
    }
    const ownCid = choice.peerCid === undefined ? undefined : this.#offeredCid();
    const id = this.#nextId++;
    const from = { id, host: this.#host, route, now, hello, helloBody, messageSeq, recordSeq, choice, ownCid, resumed: earlier };
    const handshake = new ServerHandshake(from);
    this.#begin(handshake, now);
    handshake.start(now);
  }

  /** The session that a hello names, if it may go on and nothing about it has changed (RFC 5246 7.4.1.2, RFC 7627 5.3, RFC 6066 3). */
  #earlier({ sessionId, cipherSuites, extensions }: ClientHello, now: number): Resumable | undefined {
    if (sessionId.length === 0) return undefined;
    const found = this.#resumption.find(sessionId.toString('latin1'), now);
    if (!found || !extensions.has(ExtensionType.EXTENDED_MASTER_SECRET) || !cipherSuites.includes(found.suite.id)) return undefined;
    if (!found.terms.equals(resumptionTerms(extensions))) return undefined;
    return this.#proof?.(found.identity) === found.proof ? found : undefined;
  }

  #begin(handshake: Handshake, now: number): void {
    this.counters.handshakesStarted++;
    this.#pending.get(handshake.route.key)?.drop({ reason: 'replaced', detail: 'the peer has begun anew' }, now);
    if (this.#handshakes.size >= this.limits.maxHandshakes) {
      this.counters.handshakesDisplaced++;
      const [oldest] = this.#handshakes.values();
      oldest?.drop({ reason: 'no-room', detail: 'too many handshakes were under way' }, now);
    }
    this.#handshakes.set(handshake.id, handshake);
    this.#pending.set(handshake.route.key, handshake);
    if (handshake.ownCid.length > 0) this.#live.table.reserve(handshake.ownCid.toString('latin1'), handshake);
  }

  #forget(handshake: Handshake): void {
    this.#handshakes.delete(handshake.id);
    if (this.#pending.get(handshake.route.key) === handshake) this.#pending.delete(handshake.route.key);
    if (handshake.ownCid.length > 0) this.#live.table.release(handshake.ownCid.toString('latin1'), handshake);
  }

  /** What we ask to be sent: random after the prefix, and nobody's. Undefined when connection IDs are off. */
  #offeredCid(): Buffer | undefined {
    const { cidLength, cid: wanted } = this.limits;
    if (wanted === 0) return undefined;
    if (cidLength === 0) return Buffer.alloc(0);
    for (;;) {
      const cid = Buffer.concat([this.#prefix, this.#random.bytes(cidLength - this.#prefix.length)]);
      if (!this.#live.table.byCid(cid.toString('latin1'))) return cid;
    }
  }

  #makeHost(randomBytes: (count: number) => Buffer): HandshakeHost {
    const { limits, counters, suites } = this;
    return {
      limits,
      counters,
      suites,
      resumes: this.#proof !== undefined && limits.maxResumable > 0,
      budget: { limit: limits.maxReassembly, used: 0, refuse: () => counters.reassemblyRefused++ },
      randomBytes,
      send: (data, route) => this.#sink.send(data, route),
      work: (handshake, job) => this.#sink.work(handshake.id, job),
      schedule: (handshake, at) => {
        if (handshake.timer) this.#deadlines.remove(handshake.timer);
        handshake.timer = at === Infinity ? undefined : this.#deadlines.add(at, handshake);
      },
      established: (handshake, made, now) => {
        this.#forget(handshake);
        if (made.role === 'server') this.#cookies.spend(made.clientRandom);
        const attempt = made.role === 'client' ? handshake.id : undefined;
        if (!this.#live.establish(made, handshake.route, attempt, now)) return false;
        counters.handshakesCompleted++;
        this.#noteResumable(made, now);
        return true;
      },
      failed: (handshake, failure, now) => {
        this.#forget(handshake);
        const { route, claimed } = handshake;
        this.#reportFailure({ route, claimed, attempt: handshake.role === 'client' ? handshake.id : undefined }, failure, now);
      },
      keyLog: (clientRandom, master) => this.#sink.keyLog?.(`CLIENT_RANDOM ${clientRandom.toString('hex')} ${master.toString('hex')}`),
    };
  }

  #noteResumable({ resumable, suite, identity, role }: Established, now: number): void {
    if (role !== 'server') return;
    const proof = this.#proof?.(identity);
    if (!resumable || proof === undefined) return;
    const { id, master, terms, validFor } = resumable;
    const until = now + Math.min(this.limits.resumeFor, validFor);
    // Copies: what they are slices of is larger.
    this.#resumption.add({
      id: id.toString('latin1'),
      master: Buffer.from(master),
      suite,
      identity,
      proof,
      terms: Buffer.from(terms),
      until,
    });
  }

  /** Our own attempts are always reported, those of others as far as there are not too many. */
  #reportFailure(
    of: { route: Peer; attempt: number | undefined; claimed: Identity | undefined },
    { reason, detail }: Failure,
    now: number,
  ): void {
    const { route, attempt, claimed } = of;
    this.counters.handshakesFailed++;
    if (attempt === undefined && !this.#reports.take('', now)) {
      this.counters.reportsSuppressed++;
      this.#suppressed++;
      return;
    }
    const { address, port } = route;
    this.#sink.report({ kind: 'failed', attempt, address, port, reason, detail, claimed, suppressed: this.#suppressed });
    this.#suppressed = 0;
  }
}

/** Whether what a peer has shown stands for this principal, under any of the names that it holds. */
function isOrMayBe({ mode, name, aliases = [] }: Identity, principal: Identity): boolean {
  return mode === principal.mode && (name === principal.name || aliases.includes(principal.name));
}
