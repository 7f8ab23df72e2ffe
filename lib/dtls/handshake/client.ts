import type { Peer } from '../../transport/types';
import { EMPTY, uint, vector } from '../bytes';
import {
  AlertDescription,
  CertificateTypeNumber,
  ExtensionType,
  Group,
  HandshakeType,
  MAX_PLAINTEXT,
  suiteById,
  usesPsk,
  VERSION_1_2,
  type CipherSuite,
  type GroupId,
} from '../constants';
import type { EphemeralKey } from '../crypto/ecdh';
import { pskPremaster } from '../crypto/prf';
import { fits, schemeFor, SCHEMES } from '../crypto/signature';
import { HandshakeError } from '../errors';
import type { CertificateType, CertificateVerdict, DtlsJobResult, OwnKey } from '../types';
import {
  readCertificate,
  readCertificateRequest,
  readSignedKeyExchange,
  writeCertificate,
  writeClientPoint,
  writeSignature,
} from './certificate-messages';
import {
  readChosenCertificateType,
  readConnectionId,
  readEncryptThenMac,
  readExtendedMasterSecret,
  readRenegotiationInfo,
  writeNumbers,
} from './extensions';
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
import { OUR_RECORD_SIZE_LIMIT, readRecordSizeLimit } from './record-size';
import { writeServerName } from './server-name';

/** Whom a client wants to speak to. */
interface Addressee {
  /** The server's name in DNS, for servers that have several (RFC 6066 3); never an address. */
  readonly serverName?: string;
}

/** A client's pre-shared key. */
export interface PskCredentials extends Addressee {
  readonly identity: Uint8Array;
  readonly key: Uint8Array;
}

/** A client's key pair. What the server shows is judged as what peers of a server show. */
export interface CertificateCredentials extends Addressee {
  readonly own: OwnKey;
  /** What it shows of it. */
  readonly type: CertificateType;
  /** What it wants to see of the server. */
  readonly serverType: CertificateType;
}

export type ClientCredentials = PskCredentials | CertificateCredentials;

const GROUPS = [Group.X25519, Group.SECP256R1, Group.SECP384R1] as const;
/** A server that keeps asking for another cookie is none. */
const MAX_COOKIES = 4;

/** The client's side. */
export class ClientHandshake extends Handshake {
  readonly role = 'client' as const;
  readonly #credentials: ClientCredentials;
  readonly #suites: readonly CipherSuite[];
  readonly #random: Buffer;
  readonly #wantsCid: boolean;
  #cookie: Buffer = EMPTY;
  #cookies = 0;
  #expects: 'hello' | 'certificate' | 'key-exchange' | 'request' | 'done' | 'nothing' = 'hello';
  #hello: ServerHello | undefined;
  #suite: CipherSuite | undefined;
  #peerCid: Buffer | undefined;
  #verdict: Extract<CertificateVerdict, { accepted: true }> | undefined;
  #serverPoint: { readonly group: GroupId; readonly point: Buffer } | undefined;
  #scheme: number | undefined;
  #own: EphemeralKey | undefined;

  constructor(options: {
    id: number;
    host: HandshakeHost;
    route: Peer;
    now: number;
    credentials: ClientCredentials;
    ownCid: Buffer | undefined;
  }) {
    super({ ...options, firstMessage: 0 });
    const { credentials, host, ownCid } = options;
    const byPsk = 'identity' in credentials;
    this.#credentials = credentials;
    this.#suites = host.suites.filter((suite) => usesPsk(suite) === byPsk);
    this.#random = host.randomBytes(32);
    this.#wantsCid = ownCid !== undefined;
    this.ownCid = ownCid ?? this.ownCid;
    if (byPsk) this.claimed = pskIdentity(credentials.identity);
  }

  start(now: number): void {
    this.#greet(0, now);
  }

  #greet(messageSeq: number, now: number): void {
    const extensions = new Map<number, Buffer>([
      [ExtensionType.RENEGOTIATION_INFO, vector(EMPTY, 1)],
      [ExtensionType.EXTENDED_MASTER_SECRET, EMPTY],
      // We have no limit; a server may have one, and tells it only to those who ask.
      [ExtensionType.RECORD_SIZE_LIMIT, OUR_RECORD_SIZE_LIMIT],
    ]);
    const { serverName } = this.#credentials;
    if (serverName !== undefined) extensions.set(ExtensionType.SERVER_NAME, writeServerName(serverName));
    if (this.#suites.some(({ keyExchange }) => keyExchange !== 'psk')) {
      extensions.set(ExtensionType.SUPPORTED_GROUPS, writeNumbers(GROUPS));
      extensions.set(ExtensionType.EC_POINT_FORMATS, vector(uint(0, 1), 1));
    }
    if (!('identity' in this.#credentials)) {
      const { type, serverType } = this.#credentials;
      extensions.set(ExtensionType.SIGNATURE_ALGORITHMS, writeNumbers(SCHEMES));
      extensions.set(ExtensionType.CLIENT_CERTIFICATE_TYPE, vector(uint(CertificateTypeNumber[type], 1), 1));
      extensions.set(ExtensionType.SERVER_CERTIFICATE_TYPE, vector(uint(CertificateTypeNumber[serverType], 1), 1));
    }
    if (this.#suites.some(({ cipher }) => cipher === 'cbc')) extensions.set(ExtensionType.ENCRYPT_THEN_MAC, EMPTY);
    if (this.#wantsCid) extensions.set(ExtensionType.CONNECTION_ID, vector(this.ownCid, 1));
    const hello = {
      version: VERSION_1_2,
      random: this.#random,
      sessionId: EMPTY,
      cookie: this.#cookie,
      cipherSuites: this.#suites.map(({ id }) => id),
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
    } else if (type === HandshakeType.CERTIFICATE && this.#expects === 'certificate') {
      this.#takeCertificate(body);
    } else if (type === HandshakeType.SERVER_KEY_EXCHANGE && this.#expects === 'key-exchange') {
      this.#takeKeyExchange(body);
    } else if (type === HandshakeType.CERTIFICATE_REQUEST && this.#expects === 'request') {
      this.#takeRequest(body);
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
    if (!suite || !this.#suites.includes(suite) || hello.compressionMethod !== 0) {
      throw new HandshakeError(AlertDescription.ILLEGAL_PARAMETER, 'the server chose what was not offered');
    }
    const { extensions } = hello;
    const byPsk = usesPsk(suite);
    for (const type of extensions.keys()) {
      const ours: readonly number[] = [
        ExtensionType.RENEGOTIATION_INFO,
        ExtensionType.EXTENDED_MASTER_SECRET,
        ExtensionType.RECORD_SIZE_LIMIT,
        ExtensionType.EC_POINT_FORMATS,
        ...(this.#credentials.serverName === undefined ? [] : [ExtensionType.SERVER_NAME]),
        ...(byPsk ? [] : [ExtensionType.CLIENT_CERTIFICATE_TYPE, ExtensionType.SERVER_CERTIFICATE_TYPE]),
        ...(suite.cipher === 'cbc' ? [ExtensionType.ENCRYPT_THEN_MAC] : []),
        ...(this.#wantsCid ? [ExtensionType.CONNECTION_ID] : []),
      ];
      if (!ours.includes(type)) throw new HandshakeError(AlertDescription.UNSUPPORTED_EXTENSION, `extension ${type} was not offered`);
    }
    if ((readRenegotiationInfo(extensions)?.length ?? 0) > 0) {
      throw new HandshakeError(AlertDescription.HANDSHAKE_FAILURE, 'the server renegotiates what was not negotiated');
    }
    if (!('identity' in this.#credentials)) {
      const { type, serverType } = this.#credentials;
      if (
        readChosenCertificateType(extensions, ExtensionType.SERVER_CERTIFICATE_TYPE) !== serverType ||
        readChosenCertificateType(extensions, ExtensionType.CLIENT_CERTIFICATE_TYPE) !== type
      ) {
        throw new HandshakeError(AlertDescription.UNSUPPORTED_CERTIFICATE, 'the server wants another type of certificate');
      }
    }
    this.outgoing.recordSize = readRecordSizeLimit(extensions) ?? MAX_PLAINTEXT;
    const cid = readConnectionId(extensions);
    this.#peerCid = cid && Buffer.from(cid);
    this.#suite = suite;
    this.#hello = { ...hello, random: Buffer.from(hello.random) };
    this.#expects = byPsk ? 'key-exchange' : 'certificate';
  }

  #takeCertificate(body: Buffer): void {
    if ('identity' in this.#credentials) return;
    const shown = readCertificate(this.#credentials.serverType, body);
    if (!shown) throw new HandshakeError(AlertDescription.BAD_CERTIFICATE, 'the server showed neither a certificate nor a key');
    this.#expects = 'key-exchange';
    this.ask({ kind: 'judge', shown });
  }

  #takeKeyExchange(body: Buffer): void {
    if (this.#verdict) {
      this.#takeSigned(body, this.#verdict);
      return;
    }
    const { ephemeral } = readPskServerKeyExchange(body, this.#suite?.keyExchange === 'ecdhe_psk');
    if (ephemeral) this.#takePoint(ephemeral);
    this.#expects = 'done';
  }

  #takeSigned(body: Buffer, { publicKey: key }: { readonly publicKey: OwnKey['privateKey'] }): void {
    const { group, point, params, scheme, signature } = readSignedKeyExchange(body);
    const keyType = this.#suite?.keyExchange === 'ecdhe_rsa' ? 'rsa' : 'ec';
    if (!fits(scheme, key) || key.asymmetricKeyType !== keyType) {
      throw new HandshakeError(AlertDescription.ILLEGAL_PARAMETER, 'the signature is of a kind that was not offered');
    }
    this.#takePoint({ group, point });
    this.#expects = 'request';
    const data = Buffer.concat([this.#random, this.#hello?.random ?? EMPTY, params]);
    this.ask({ kind: 'verify', scheme, key, data, signature });
  }

  #takePoint({ group, point }: { readonly group: number; readonly point: Buffer }): void {
    const known = GROUPS.find((each) => each === group);
    if (known === undefined) {
      throw new HandshakeError(AlertDescription.ILLEGAL_PARAMETER, 'the server chose a curve that was not offered');
    }
    this.#serverPoint = { group: known, point: Buffer.from(point) };
  }

  #takeRequest(body: Buffer): void {
    const { own } = this.#credentials as CertificateCredentials;
    this.#scheme = schemeFor(own.privateKey, readCertificateRequest(body));
    if (this.#scheme === undefined) {
      throw new HandshakeError(AlertDescription.HANDSHAKE_FAILURE, 'the server takes no signature that our key can make');
    }
    this.#expects = 'done';
  }

  #takeDone(body: Buffer, now: number): void {
    if (body.length > 0) throw new HandshakeError(AlertDescription.DECODE_ERROR, 'ServerHelloDone is not empty');
    this.#expects = 'nothing';
    if (this.#serverPoint) this.ask({ kind: 'generate', group: this.#serverPoint.group });
    else this.#answer(undefined, now);
  }

  protected jobResult(result: DtlsJobResult, now: number): void {
    switch (result.kind) {
      case 'judge':
        if (result.verdict.accepted) this.#verdict = result.verdict;
        else this.fail(result.verdict.alert, result.verdict.reason, result.verdict.detail, now);
        break;
      case 'verify':
        if (!result.right)
          throw new HandshakeError(AlertDescription.DECRYPT_ERROR, 'the server does not have the private key to what it shows');
        break;
      case 'generate':
        if (!this.#serverPoint) break;
        this.#own = result.key;
        this.ask({ kind: 'agree', own: result.key, point: this.#serverPoint.point });
        break;
      case 'agree':
        this.#answer(result.shared, now);
        break;
      case 'sign':
        this.say(HandshakeType.CERTIFICATE_VERIFY, writeSignature(this.#scheme ?? 0, result.signature));
        this.#finish(now);
        break;
      case 'psk':
      case 'failed':
        break;
    }
  }

  #answer(shared: Uint8Array | undefined, now: number): void {
    const credentials = this.#credentials;
    this.outgoing.steps = [];
    if ('identity' in credentials) {
      const { identity, key } = credentials;
      const body = writePskClientKeyExchange({ identity: Buffer.from(identity), point: this.#own?.point });
      this.say(HandshakeType.CLIENT_KEY_EXCHANGE, body);
      this.#derive(pskPremaster(key, shared));
      this.#finish(now);
    } else if (this.#own && shared && this.#scheme !== undefined) {
      this.say(HandshakeType.CERTIFICATE, writeCertificate(credentials.type, credentials.own));
      this.say(HandshakeType.CLIENT_KEY_EXCHANGE, writeClientPoint(this.#own.point));
      this.#derive(shared);
      this.ask({ kind: 'sign', scheme: this.#scheme, key: credentials.own.privateKey, data: Buffer.concat(this.transcript) });
    }
  }

  #derive(premaster: Uint8Array): void {
    const hello = this.#hello;
    if (!hello || !this.#suite) return;
    this.makeLink({
      suite: this.#suite,
      premaster,
      clientRandom: this.#random,
      serverRandom: hello.random,
      extendedMasterSecret: readExtendedMasterSecret(hello.extensions),
      encryptThenMac: readEncryptThenMac(hello.extensions),
      ownCid: this.#peerCid === undefined ? EMPTY : this.ownCid,
      peerCid: this.#peerCid ?? EMPTY,
      recordSize: this.outgoing.recordSize,
    });
  }

  #finish(now: number): void {
    this.outgoing.steps.push({ kind: 'change-cipher-spec' });
    this.say(HandshakeType.FINISHED, this.verifyData('client'), 1);
    this.awaitFinished();
    this.transmit(now);
  }

  protected finished(now: number): void {
    const { link } = this;
    // Who it is we have spoken to, or as whom we have spoken to it.
    const identity = this.#verdict?.identity ?? this.claimed;
    if (!link || !identity || !this.#suite || !this.#hello) return;
    const made = {
      role: this.role,
      suite: this.#suite,
      link,
      identity,
      clientRandom: this.#random,
      extendedMasterSecret: readExtendedMasterSecret(this.#hello.extensions),
      lastFlight: undefined,
    };
    this.succeed(made, now);
  }
}
