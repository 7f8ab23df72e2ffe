import type { Peer } from '../../transport/types';
import { AlertDescription, ExtensionType, HandshakeType, VERSION_1_2 } from '../constants';
import type { EphemeralKey } from '../crypto/ecdh';
import { pskPremaster } from '../crypto/prf';
import { fits, SCHEMES } from '../crypto/signature';
import { HandshakeError } from '../errors';
import { EMPTY, vector } from '../bytes';
import type { CertificateVerdict, DtlsJobResult } from '../types';
import {
  readCertificate,
  readCertificateVerify,
  readClientPoint,
  writeCertificate,
  writeCertificateRequest,
  writeEcdheParams,
  writeSignature,
} from './certificate-messages';
import { Handshake } from './handshake';
import { resumptionTerms, type Resumable } from '../resumption';
import type { Established, Failure, HandshakeHost } from './types';
import { pskIdentity } from './identity';
import { readPskClientKeyExchange, wholeMessage, writePskServerKeyExchange, writeServerHello, type ClientHello } from './messages';
import type { CertificateChoice, Choice } from './negotiate';
import type { WholeMessage } from './reassembly';

/** The key an unknown identity is tried with: the handshake then fails as it does with a wrong key (RFC 4279 2). */
const UNKNOWN_KEY_LENGTH = 16;
const SESSION_ID_LENGTH = 32;

export interface ServerHandshakeOptions {
  readonly id: number;
  readonly host: HandshakeHost;
  readonly route: Peer;
  readonly now: number;
  readonly hello: ClientHello;
  readonly helloBody: Buffer;
  /** Of the hello that brought the cookie: ours go on from them (RFC 6347 4.2.1, 4.2.2). */
  readonly messageSeq: number;
  readonly recordSeq: number;
  readonly choice: Choice;
  /** Our connection ID; undefined when the extension is not answered. */
  readonly ownCid: Buffer | undefined;
  /** The session that the hello names and that may go on. */
  readonly resumed: Resumable | undefined;
}

/** The server's side, from the hello with a good cookie on. */
export class ServerHandshake extends Handshake {
  readonly role = 'server' as const;
  readonly clientRandom: Buffer;
  readonly #choice: Choice;
  readonly #cidAnswered: boolean;
  readonly #serverRandom: Buffer;
  readonly #resumed: Resumable | undefined;
  readonly #terms: Buffer;
  #sessionId: Buffer = EMPTY;
  #expects: 'certificate' | 'key-exchange' | 'certificate-verify' | 'nothing';
  #ephemeral: EphemeralKey | undefined;
  #clientPoint: Buffer | undefined;
  #psk: Uint8Array | undefined;
  #verdict: Extract<CertificateVerdict, { accepted: true }> | undefined;
  /** Whether there is a key for the identity that the peer has named. */
  #known = false;

  constructor(options: ServerHandshakeOptions) {
    super({ ...options, firstMessage: options.messageSeq + 1 });
    const { hello, helloBody, messageSeq, recordSeq, choice, ownCid, resumed, host } = options;
    this.outgoing.plainSeq = recordSeq;
    this.outgoing.nextMessage = messageSeq;
    this.clientRandom = Buffer.from(hello.random);
    this.#choice = { ...choice, peerCid: choice.peerCid && Buffer.from(choice.peerCid) };
    this.outgoing.recordSize = choice.recordSize;
    this.#expects = choice.certificates ? 'certificate' : 'key-exchange';
    this.#cidAnswered = ownCid !== undefined;
    this.ownCid = ownCid ?? this.ownCid;
    this.#serverRandom = host.randomBytes(32);
    this.#resumed = resumed;
    this.#terms = resumptionTerms(hello.extensions);
    if (resumed) this.#sessionId = Buffer.from(hello.sessionId);
    // Without RFC 7627 a session that is resumed may be another's.
    else if (host.resumes && choice.extendedMasterSecret) this.#sessionId = host.randomBytes(SESSION_ID_LENGTH);
    this.transcript.push(wholeMessage(HandshakeType.CLIENT_HELLO, messageSeq, helloBody));
  }

  /** To be called once, when the core knows of it. */
  start(now: number): void {
    const { group } = this.#choice;
    if (this.#resumed) this.#resume(this.#resumed, now);
    else if (group === undefined) this.#answer(undefined, now);
    else this.ask({ kind: 'generate', group });
  }

  /** `signature` is over the parameters of the key exchange, in suites with certificates. */
  #answer(signature: Buffer | undefined, now: number): void {
    const { certificates } = this.#choice;
    this.#sayHello();
    const ephemeral = this.#ephemeral;
    if (certificates && ephemeral && signature) {
      this.say(HandshakeType.CERTIFICATE, writeCertificate(certificates.ownType, certificates.own));
      const signed = Buffer.concat([writeEcdheParams(ephemeral), writeSignature(certificates.scheme, signature)]);
      this.say(HandshakeType.SERVER_KEY_EXCHANGE, signed);
      this.say(HandshakeType.CERTIFICATE_REQUEST, writeCertificateRequest(SCHEMES));
    } else if (ephemeral) {
      this.say(HandshakeType.SERVER_KEY_EXCHANGE, writePskServerKeyExchange({ hint: EMPTY, ephemeral }));
    }
    this.say(HandshakeType.SERVER_HELLO_DONE, EMPTY);
    this.transmit(now);
  }

  #sayHello(): void {
    const { suite, answers } = this.#choice;
    const extensions = new Map(answers);
    if (this.#cidAnswered) extensions.set(ExtensionType.CONNECTION_ID, vector(this.ownCid, 1));
    const hello = {
      version: VERSION_1_2,
      random: this.#serverRandom,
      sessionId: this.#sessionId,
      cipherSuite: suite.id,
      compressionMethod: 0,
      extensions,
    };
    this.say(HandshakeType.SERVER_HELLO, writeServerHello(hello));
  }

  /** Both sides have the secret: the keys follow at once, and we are the first to show it (RFC 5246 7.3). */
  #resume({ master, identity }: Resumable, now: number): void {
    this.#known = true;
    this.claimed = identity;
    this.#expects = 'nothing';
    this.#sayHello();
    this.linkFrom(master, this.#material());
    this.outgoing.steps.push({ kind: 'change-cipher-spec' });
    this.say(HandshakeType.FINISHED, this.verifyData('server'), 1);
    this.awaitFinished();
    this.transmit(now);
  }

  protected message({ type, body }: WholeMessage, now: number): void {
    const { certificates } = this.#choice;
    if (type === HandshakeType.CERTIFICATE && this.#expects === 'certificate' && certificates) {
      this.#takeCertificate(certificates, body, now);
    } else if (type === HandshakeType.CLIENT_KEY_EXCHANGE && this.#expects === 'key-exchange') {
      this.#takeKeyExchange(body);
    } else if (type === HandshakeType.CERTIFICATE_VERIFY && this.#expects === 'certificate-verify') {
      this.#takeCertificateVerify(body);
    } else {
      throw new HandshakeError(AlertDescription.UNEXPECTED_MESSAGE, `message ${type} came out of turn`);
    }
  }

  #takeCertificate({ peerType }: CertificateChoice, body: Buffer, now: number): void {
    const shown = readCertificate(peerType, body);
    if (!shown) {
      this.fail(AlertDescription.HANDSHAKE_FAILURE, 'no-certificate', 'the device showed neither a certificate nor a key', now);
      return;
    }
    this.#expects = 'key-exchange';
    this.ask({ kind: 'judge', shown });
  }

  #takeKeyExchange(body: Buffer): void {
    const ephemeral = this.#ephemeral;
    if (this.#choice.certificates && ephemeral) {
      this.#expects = 'certificate-verify';
      this.ask({ kind: 'agree', own: ephemeral, point: readClientPoint(body) });
      return;
    }
    const { identity, point } = readPskClientKeyExchange(body, ephemeral !== undefined);
    this.#expects = 'nothing';
    this.claimed = pskIdentity(identity);
    this.#clientPoint = point;
    this.ask({ kind: 'psk', identity });
  }

  /** It is over all messages before it (RFC 5246 7.4.8). */
  #takeCertificateVerify(body: Buffer): void {
    const { scheme, signature } = readCertificateVerify(body);
    const key = this.#verdict?.publicKey;
    if (!key || !fits(scheme, key)) {
      throw new HandshakeError(AlertDescription.ILLEGAL_PARAMETER, 'the signature is of a kind that was not asked for');
    }
    this.#expects = 'nothing';
    this.ask({ kind: 'verify', scheme, key, signature, data: Buffer.concat(this.transcript.slice(0, -1)) });
  }

  protected jobResult(result: DtlsJobResult, now: number): void {
    switch (result.kind) {
      case 'generate':
        this.#ephemeral = result.key;
        this.#sign(result.key, now);
        break;
      case 'sign':
        this.#answer(result.signature, now);
        break;
      case 'psk':
        this.#known = result.key !== undefined;
        this.#psk = result.key ?? this.host.randomBytes(UNKNOWN_KEY_LENGTH);
        if (this.#ephemeral && this.#clientPoint) this.ask({ kind: 'agree', own: this.#ephemeral, point: this.#clientPoint });
        else this.#provenByPsk(this.#psk);
        break;
      case 'judge':
        this.#judged(result.verdict, now);
        break;
      case 'agree':
        if (this.#psk) this.#provenByPsk(this.#psk, result.shared);
        else this.#derive(result.shared);
        break;
      case 'verify':
        if (result.right) this.awaitFinished();
        else this.fail(AlertDescription.DECRYPT_ERROR, 'bad-certificate', 'the device does not have the private key to what it shows', now);
        break;
      case 'failed':
        break;
    }
  }

  #sign(ephemeral: EphemeralKey, now: number): void {
    const { certificates } = this.#choice;
    if (!certificates) {
      this.#answer(undefined, now);
      return;
    }
    const { scheme, own } = certificates;
    const data = Buffer.concat([this.clientRandom, this.#serverRandom, writeEcdheParams(ephemeral)]);
    this.ask({ kind: 'sign', scheme, key: own.privateKey, data });
  }

  #judged(verdict: CertificateVerdict, now: number): void {
    if (verdict.accepted) {
      this.#verdict = verdict;
      this.claimed = verdict.identity;
      this.#known = true;
      return;
    }
    this.claimed = verdict.claimed;
    this.fail(verdict.alert, verdict.reason, verdict.detail, now);
  }

  #provenByPsk(psk: Uint8Array, shared?: Uint8Array): void {
    this.#derive(pskPremaster(psk, shared));
    this.awaitFinished();
  }

  #derive(premaster: Uint8Array): void {
    const { extendedMasterSecret } = this.#choice;
    this.makeLink({ ...this.#material(), premaster, extendedMasterSecret });
  }

  #material() {
    const { suite, encryptThenMac, recordSize, peerCid = EMPTY } = this.#choice;
    return {
      suite,
      recordSize,
      clientRandom: this.clientRandom,
      serverRandom: this.#serverRandom,
      encryptThenMac,
      ownCid: this.ownCid,
      // Without our answer the client's connection ID was not agreed on.
      peerCid: this.#cidAnswered ? peerCid : EMPTY,
    };
  }

  protected finished(now: number): void {
    const { link, claimed } = this;
    if (!link || !claimed) return;
    if (!this.#known) throw new HandshakeError(AlertDescription.DECRYPT_ERROR, 'the identity is unknown');
    if (!this.#resumed) {
      this.outgoing.steps = [{ kind: 'change-cipher-spec' }];
      this.say(HandshakeType.FINISHED, this.verifyData('server'), 1);
      this.transmit(now);
    }
    const { suite, extendedMasterSecret } = this.#choice;
    const made = {
      role: this.role,
      suite,
      link,
      identity: claimed,
      clientRandom: this.clientRandom,
      extendedMasterSecret,
      // A client that is resumed speaks last.
      lastFlight: this.#resumed ? undefined : this.lastFlight(),
      resumable: this.#resumable(),
      ...(this.#verdict?.validFor !== undefined && { validFor: this.#verdict.validFor }),
    };
    this.succeed(made, now);
  }

  /** One that is resumed stays what it was, and does not live longer for it. */
  #resumable(): Established['resumable'] {
    if (this.#resumed || this.#sessionId.length === 0) return undefined;
    const validFor = this.#verdict?.validFor ?? Infinity;
    return { id: this.#sessionId, master: this.master, terms: this.#terms, validFor };
  }

  protected override wrongKey(): Failure {
    return this.#known ? super.wrongKey() : { reason: 'unknown-identity', detail: 'there is no key for this identity' };
  }
}
