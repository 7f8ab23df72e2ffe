import type { Peer } from '../../transport/types';
import { AlertDescription, ExtensionType, HandshakeType, VERSION_1_2 } from '../constants';
import type { EphemeralKey } from '../crypto/ecdh';
import { pskPremaster } from '../crypto/prf';
import { HandshakeError } from '../errors';
import { EMPTY, uint, vector } from '../bytes';
import type { DtlsJobResult } from '../types';
import { Handshake } from './handshake';
import type { Failure, HandshakeHost } from './types';
import { pskIdentity } from './identity';
import { readPskClientKeyExchange, wholeMessage, writePskServerKeyExchange, writeServerHello, type ClientHello } from './messages';
import type { Choice } from './negotiate';
import type { WholeMessage } from './reassembly';

/** The key an unknown identity is tried with: the handshake then fails as it does with a wrong key (RFC 4279 2). */
const UNKNOWN_KEY_LENGTH = 16;

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
}

/** The server's side, from the hello with a good cookie on. */
export class ServerHandshake extends Handshake {
  readonly role = 'server' as const;
  readonly clientRandom: Buffer;
  readonly #choice: Choice;
  readonly #cidAnswered: boolean;
  readonly #serverRandom: Buffer;
  #ephemeral: EphemeralKey | undefined;
  #clientPoint: Buffer | undefined;
  #psk: Uint8Array | undefined;
  #known = false;

  constructor(options: ServerHandshakeOptions) {
    super({ ...options, firstMessage: options.messageSeq + 1 });
    const { hello, helloBody, messageSeq, recordSeq, choice, ownCid, host } = options;
    this.outgoing.plainSeq = recordSeq;
    this.outgoing.nextMessage = messageSeq;
    this.clientRandom = Buffer.from(hello.random);
    this.#choice = { ...choice, peerCid: choice.peerCid && Buffer.from(choice.peerCid) };
    this.#cidAnswered = ownCid !== undefined;
    this.ownCid = ownCid ?? this.ownCid;
    this.#serverRandom = host.randomBytes(32);
    this.transcript.push(wholeMessage(HandshakeType.CLIENT_HELLO, messageSeq, helloBody));
  }

  /** To be called once, when the core knows of it. */
  start(now: number): void {
    const { group } = this.#choice;
    if (group === undefined) this.#answer(now);
    else this.ask({ kind: 'generate', group });
  }

  #answer(now: number): void {
    const { suite } = this.#choice;
    const hello = {
      version: VERSION_1_2,
      random: this.#serverRandom,
      sessionId: EMPTY,
      cipherSuite: suite.id,
      compressionMethod: 0,
      extensions: this.#extensions(),
    };
    this.say(HandshakeType.SERVER_HELLO, writeServerHello(hello));
    const ephemeral = this.#ephemeral;
    if (ephemeral) this.say(HandshakeType.SERVER_KEY_EXCHANGE, writePskServerKeyExchange({ hint: EMPTY, ephemeral }));
    this.say(HandshakeType.SERVER_HELLO_DONE, EMPTY);
    this.transmit(now);
  }

  #extensions(): Map<number, Buffer> {
    const { secureRenegotiation, extendedMasterSecret, pointFormats } = this.#choice;
    const extensions = new Map<number, Buffer>();
    if (secureRenegotiation) extensions.set(ExtensionType.RENEGOTIATION_INFO, vector(EMPTY, 1));
    if (extendedMasterSecret) extensions.set(ExtensionType.EXTENDED_MASTER_SECRET, EMPTY);
    if (pointFormats) extensions.set(ExtensionType.EC_POINT_FORMATS, vector(uint(0, 1), 1));
    if (this.#cidAnswered) extensions.set(ExtensionType.CONNECTION_ID, vector(this.ownCid, 1));
    return extensions;
  }

  protected message({ type, body }: WholeMessage): void {
    if (type !== HandshakeType.CLIENT_KEY_EXCHANGE) {
      throw new HandshakeError(AlertDescription.UNEXPECTED_MESSAGE, `message ${type} came in place of ClientKeyExchange`);
    }
    const { identity, point } = readPskClientKeyExchange(body, this.#ephemeral !== undefined);
    this.claimed = pskIdentity(identity);
    this.#clientPoint = point;
    this.ask({ kind: 'psk', identity });
  }

  protected jobResult(result: DtlsJobResult, now: number): void {
    switch (result.kind) {
      case 'generate':
        this.#ephemeral = result.key;
        this.#answer(now);
        break;
      case 'psk':
        this.#known = result.key !== undefined;
        this.#psk = result.key ?? this.host.randomBytes(UNKNOWN_KEY_LENGTH);
        if (this.#ephemeral && this.#clientPoint) this.ask({ kind: 'agree', own: this.#ephemeral, point: this.#clientPoint });
        else this.#derive(this.#psk);
        break;
      case 'agree':
        if (this.#psk) this.#derive(this.#psk, result.shared);
        break;
      case 'failed':
        break;
    }
  }

  #derive(psk: Uint8Array, shared?: Uint8Array): void {
    const { suite, extendedMasterSecret, peerCid = EMPTY } = this.#choice;
    this.makeLink({
      suite,
      premaster: pskPremaster(psk, shared),
      clientRandom: this.clientRandom,
      serverRandom: this.#serverRandom,
      extendedMasterSecret,
      ownCid: this.ownCid,
      // Without our answer the client's connection ID was not agreed on.
      peerCid: this.#cidAnswered ? peerCid : EMPTY,
    });
    this.awaitFinished();
  }

  protected finished(now: number): void {
    const { link, claimed } = this;
    if (!link || !claimed) return;
    if (!this.#known) throw new HandshakeError(AlertDescription.DECRYPT_ERROR, 'the identity is unknown');
    this.outgoing.steps = [{ kind: 'change-cipher-spec' }];
    this.say(HandshakeType.FINISHED, this.verifyData('server'), 1);
    this.transmit(now);
    const { suite, extendedMasterSecret } = this.#choice;
    const made = {
      role: this.role,
      suite,
      link,
      identity: claimed,
      clientRandom: this.clientRandom,
      extendedMasterSecret,
      lastFlight: this.lastFlight(),
    };
    this.succeed(made, now);
  }

  protected override wrongKey(): Failure {
    return this.#known ? super.wrongKey() : { reason: 'unknown-identity', detail: 'there is no key for this identity' };
  }
}
