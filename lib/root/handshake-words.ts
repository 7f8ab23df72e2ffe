import type { DtlsReport, HandshakeFailure } from '../dtls/types';
import type { Identity } from '../transport/types';
import { Buckets, network } from '../transport/rates';

type Failed = Extract<DtlsReport, { kind: 'failed' }>;

/** Of one source and reason at once, and one more every so many seconds. */
const BURST = 2;
const EVERY_S = 60;
const MAX_IDENTITY = 64;

/** What a person is told of a handshake that failed. */
export interface HandshakeNews {
  readonly text: string;
  /** Short, for a badge. */
  readonly reason: HandshakeFailure;
}

/** Turns failed handshakes into sentences, and lets through only so many. */
export class HandshakeWords {
  readonly #buckets = new Buckets(1 / EVERY_S, BURST);
  readonly #whyUnknown: (identity: Pick<Identity, 'mode' | 'name'>) => string;
  #untold = 0;

  constructor(whyUnknown: (identity: Pick<Identity, 'mode' | 'name'>) => string) {
    this.#whyUnknown = whyUnknown;
  }

  /** Undefined for what is no news to a person, or was told a moment ago. `now` in monotonic ms. */
  of(report: Failed, now: number): HandshakeNews | undefined {
    const why = this.#why(report);
    this.#untold += report.suppressed;
    if (why === undefined) return undefined;
    if (!this.#buckets.take(`${report.reason} ${network(report.address)}`, now)) {
      this.#untold++;
      return undefined;
    }
    const others = this.#untold > 0 ? ` ${this.#untold} other failed handshakes were not told of.` : '';
    this.#untold = 0;
    return { text: `A DTLS handshake from ${report.address}:${report.port} failed: ${visible(why)}${others}`, reason: report.reason };
  }

  #why({ reason, detail, claimed }: Failed): string | undefined {
    const identity = claimed?.name;
    const who = identity === undefined ? 'the device' : `the identity "${printable(identity)}"`;
    switch (reason) {
      case 'unknown-identity':
        return `unknown identity "${printable(identity ?? '')}". ${this.#whyUnknown({ mode: 'psk', name: identity ?? '' })}`;
      case 'wrong-key':
        return `wrong key for ${who}. The key in the device and the one in the server differ.`;
      case 'unknown-key':
        if (identity === undefined) return `${detail}.`;
        return `unknown raw public key (SHA-256 ${printable(identity)}). ${this.#whyUnknown({ mode: 'rpk', name: identity })}`;
      case 'bad-certificate':
      case 'no-certificate':
      case 'no-common-certificate':
        return `${detail}.`;
      case 'no-common-suite':
        return 'no common cipher suite. The server has PSK, ECDHE_PSK and ECDHE_ECDSA with AES_128_CCM_8, AES_128_CCM and AES_128_GCM_SHA256, ECDHE_RSA with the last, and AES_128_CBC_SHA256 with PSK, ECDHE_PSK and ECDHE_ECDSA.';
      case 'no-common-group':
        return 'no common group for the key agreement. The server has P-256, P-384 and X25519.';
      case 'protocol-version':
        return 'the device does not speak DTLS 1.2.';
      case 'bad-message':
        return `a message of the handshake was wrong (${detail}).`;
      case 'refused-by-peer':
        return `${who} ended it (${detail}).`;
      case 'timeout':
        return `${who} did not go on.`;
      case 'no-room':
        return 'there were too many at a time.';
      case 'internal':
        return 'of an error in the server.';
      // The device has begun another one, or we have ended it.
      case 'replaced':
      case 'cancelled':
        return undefined;
      default:
        return reason satisfies never;
    }
  }
}

/** An identity is whatever a stranger sends. */
function printable(text: string): string {
  return visible(text.slice(0, MAX_IDENTITY));
}

/** Names in certificates, too, are whatever somebody wrote there: nothing that changes lines or directions of a log. */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\ufffd]/gu, '?');
}
