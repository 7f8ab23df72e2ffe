import type { Peer } from '../../transport/types';
import { EMPTY, uint, vector } from '../bytes';
import { AlertDescription, ExtensionType, Group, HandshakeType, VERSION_1_2, suiteById, type CipherSuite } from '../constants';
import { pskPremaster } from '../crypto/prf';
import { HandshakeError } from '../errors';
import type { DtlsJobResult } from '../types';
import { readConnectionId, readExtendedMasterSecret, readRenegotiationInfo, writeGroups } from './extensions';
import { Handshake } from './handshake';
import type { HandshakeHost } from './types';
import { pskIdentity } from './identity';
import {
  readHelloVerifyRequest,
  readPskServerKeyExchange,
  readServerHello,
  writeClientHello,
  writePskClientKeyExchange,
  type ServerHello,
} from './messages';
import type { WholeMessage } from './reassembly';

/** A client's credentials. */
export interface PskCredentials {
  readonly identity: Uint8Array;
  readonly key: Uint8Array;
}

const GROUPS = [Group.X25519, Group.SECP256R1] as const;
/** A server that keeps asking for another cookie is none. */
const MAX_COOKIES = 4;

/** The client's side. */
export class ClientHandshake extends Handshake {
  readonly role = 'client' as const;
  readonly #psk: PskCredentials;
  readonly #random: Buffer;
  readonly #wantsCid: boolean;
  #cookie: Buffer = EMPTY;
  #cookies = 0;
  #expects: 'hello' | 'key-exchange' | 'done' | 'nothing' = 'hello';
  #hello: ServerHello | undefined;
  #suite: CipherSuite | undefined;
  #peerCid: Buffer | undefined;
  #group: number | undefined;
  #serverPoint: Buffer | undefined;
  #ownPoint: Buffer | undefined;

  constructor(options: { id: number; host: HandshakeHost; route: Peer; now: number; psk: PskCredentials; ownCid: Buffer | undefined }) {
    super({ ...options, firstMessage: 0 });
    this.#psk = options.psk;
    this.#random = options.host.randomBytes(32);
    this.#wantsCid = options.ownCid !== undefined;
    this.ownCid = options.ownCid ?? this.ownCid;
    this.claimed = pskIdentity(options.psk.identity);
  }

  start(now: number): void {
    this.#greet(0, now);
  }

  #greet(messageSeq: number, now: number): void {
    const { suites } = this.host;
    const extensions = new Map<number, Buffer>([
      [ExtensionType.RENEGOTIATION_INFO, vector(EMPTY, 1)],
      [ExtensionType.EXTENDED_MASTER_SECRET, EMPTY],
    ]);
    if (suites.some(({ keyExchange }) => keyExchange === 'ecdhe_psk')) {
      extensions.set(ExtensionType.SUPPORTED_GROUPS, writeGroups(GROUPS));
      extensions.set(ExtensionType.EC_POINT_FORMATS, vector(uint(0, 1), 1));
    }
    if (this.#wantsCid) extensions.set(ExtensionType.CONNECTION_ID, vector(this.ownCid, 1));
    const hello = {
      version: VERSION_1_2,
      random: this.#random,
      sessionId: EMPTY,
      cookie: this.#cookie,
      cipherSuites: suites.map(({ id }) => id),
      compressionMethods: Buffer.from([0]),
      extensions,
    };
    // The transcript begins anew: the hello without the cookie and the request for it are no part of it.
    this.transcript = [];
    this.outgoing.steps = [];
    this.outgoing.nextMessage = messageSeq;
    this.say(HandshakeType.CLIENT_HELLO, writeClientHello(hello));
    this.transmit(now);
  }

  /** A HelloVerifyRequest stands outside of the order: its sender keeps no state. */
  protected override outOfOrder({ type, body }: WholeMessage, now: number): boolean {
    if (type !== HandshakeType.HELLO_VERIFY_REQUEST) return false;
    const cookie = readHelloVerifyRequest(body);
    if (this.#expects !== 'hello' || cookie.equals(this.#cookie) || this.#cookies >= MAX_COOKIES) return true;
    this.#cookies++;
    this.#cookie = Buffer.from(cookie);
    // The server's own messages go on from the number of the request.
    this.reassembly.clear();
    this.reassembly = this.newReassembly(1);
    this.#greet(1, now);
    return true;
  }

  protected message({ type, body }: WholeMessage, now: number): void {
    if (type === HandshakeType.SERVER_HELLO && this.#expects === 'hello') {
      this.#takeHello(readServerHello(body));
    } else if (type === HandshakeType.SERVER_KEY_EXCHANGE && this.#expects === 'key-exchange') {
      this.#takeKeyExchange(body);
    } else if (type === HandshakeType.SERVER_HELLO_DONE && this.#mayBeDone()) {
      this.#takeDone(body, now);
    } else if (type === HandshakeType.HELLO_REQUEST) {
      // RFC 5246 7.4.1.1: ignored while a handshake is under way, and no part of the transcript.
      this.transcript.pop();
    } else {
      throw new HandshakeError(AlertDescription.UNEXPECTED_MESSAGE, `message ${type} came out of turn`);
    }
  }

  #mayBeDone(): boolean {
    return this.#expects === 'done' || (this.#expects === 'key-exchange' && this.#suite?.keyExchange === 'psk');
  }

  #takeHello(hello: ServerHello): void {
    const suite = suiteById(hello.cipherSuite);
    if (hello.version !== VERSION_1_2) throw new HandshakeError(AlertDescription.PROTOCOL_VERSION, 'the server speaks no DTLS 1.2');
    if (!suite || !this.host.suites.includes(suite) || hello.compressionMethod !== 0) {
      throw new HandshakeError(AlertDescription.ILLEGAL_PARAMETER, 'the server chose what was not offered');
    }
    const { extensions } = hello;
    for (const type of extensions.keys()) {
      const ours: readonly number[] = [
        ExtensionType.RENEGOTIATION_INFO,
        ExtensionType.EXTENDED_MASTER_SECRET,
        ExtensionType.EC_POINT_FORMATS,
        ...(this.#wantsCid ? [ExtensionType.CONNECTION_ID] : []),
      ];
      if (!ours.includes(type)) throw new HandshakeError(AlertDescription.UNSUPPORTED_EXTENSION, `extension ${type} was not offered`);
    }
    if ((readRenegotiationInfo(extensions)?.length ?? 0) > 0) {
      throw new HandshakeError(AlertDescription.HANDSHAKE_FAILURE, 'the server renegotiates what was not negotiated');
    }
    const cid = readConnectionId(extensions);
    this.#peerCid = cid && Buffer.from(cid);
    this.#suite = suite;
    this.#hello = { ...hello, random: Buffer.from(hello.random) };
    this.#expects = 'key-exchange';
  }

  #takeKeyExchange(body: Buffer): void {
    const { ephemeral } = readPskServerKeyExchange(body, this.#suite?.keyExchange === 'ecdhe_psk');
    if (ephemeral) {
      if (!GROUPS.some((group) => group === ephemeral.group)) {
        throw new HandshakeError(AlertDescription.ILLEGAL_PARAMETER, 'the server chose a curve that was not offered');
      }
      this.#group = ephemeral.group;
      this.#serverPoint = Buffer.from(ephemeral.point);
    }
    this.#expects = 'done';
  }

  #takeDone(body: Buffer, now: number): void {
    if (body.length > 0) throw new HandshakeError(AlertDescription.DECODE_ERROR, 'ServerHelloDone is not empty');
    this.#expects = 'nothing';
    if (this.#group === undefined) this.#answer(undefined, now);
    else this.ask({ kind: 'generate', group: this.#group as (typeof GROUPS)[number] });
  }

  protected jobResult(result: DtlsJobResult, now: number): void {
    if (result.kind === 'generate' && this.#serverPoint) {
      this.#ownPoint = result.key.point;
      this.ask({ kind: 'agree', own: result.key, point: this.#serverPoint });
    } else if (result.kind === 'agree') {
      this.#answer(result.shared, now);
    }
  }

  #answer(shared: Uint8Array | undefined, now: number): void {
    const hello = this.#hello;
    const suite = this.#suite;
    if (!hello || !suite) return;
    const { identity, key } = this.#psk;
    this.outgoing.steps = [];
    this.say(HandshakeType.CLIENT_KEY_EXCHANGE, writePskClientKeyExchange({ identity: Buffer.from(identity), point: this.#ownPoint }));
    this.makeLink({
      suite,
      premaster: pskPremaster(key, shared),
      clientRandom: this.#random,
      serverRandom: hello.random,
      extendedMasterSecret: readExtendedMasterSecret(hello.extensions),
      ownCid: this.#peerCid === undefined ? EMPTY : this.ownCid,
      peerCid: this.#peerCid ?? EMPTY,
    });
    this.outgoing.steps.push({ kind: 'change-cipher-spec' });
    this.say(HandshakeType.FINISHED, this.verifyData('client'), 1);
    this.awaitFinished();
    this.transmit(now);
  }

  protected finished(now: number): void {
    const { link, claimed } = this;
    if (!link || !claimed || !this.#suite || !this.#hello) return;
    const made = {
      role: this.role,
      suite: this.#suite,
      link,
      identity: claimed,
      clientRandom: this.#random,
      extendedMasterSecret: readExtendedMasterSecret(this.#hello.extensions),
      lastFlight: undefined,
    };
    this.succeed(made, now);
  }
}
