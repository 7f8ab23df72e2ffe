import type { Peer } from '../transport/types';
import { AlertLevel, ContentType, HandshakeType, VERSION_1_2 } from './constants';
import type { Cookies } from './cookie';
import { DecodeError } from './errors';
import { alertFor } from './errors';
import { readClientHello, readFragments, wholeMessage, writeHelloVerifyRequest, type ClientHello } from './handshake/messages';
import { negotiate, NegotiationError, type Choice, type Offer } from './handshake/negotiate';
import { plainRecord, type RawRecord } from './record/codec';
import type { DtlsCounters, HandshakeFailure } from './types';

/** A ClientHello that may begin a handshake: its cookie was good. */
export interface ProvenHello {
  readonly hello: ClientHello;
  readonly body: Buffer;
  readonly messageSeq: number;
  readonly recordSeq: number;
}

/** So many more record numbers are needed at least. */
const NUMBERS_LEFT = 2 ** 20;

/**
 * Reads a ClientHello without keeping anything (RFC 6347 4.2.1): undefined when it is malformed, in pieces, or has yet to
 * show that its sender is where it says. `reply` sends the HelloVerifyRequest.
 */
export function screenHello(
  record: RawRecord,
  route: Peer,
  now: number,
  options: { readonly cookies: Cookies; readonly counters: DtlsCounters; readonly reply: (datagram: Buffer) => void },
): ProvenHello | undefined {
  const { cookies, counters, reply } = options;
  let hello: ClientHello;
  let body: Buffer;
  let messageSeq: number;
  try {
    const [fragment, ...more] = readFragments(record.body);
    if (!fragment || more.length > 0) throw new DecodeError('more than a ClientHello');
    if (fragment.data.length < fragment.length) {
      // To put it together would need memory for somebody who has proven nothing.
      counters.fragmentedHellos++;
      return undefined;
    }
    ({ messageSeq, data: body } = fragment);
    hello = readClientHello(body);
  } catch {
    counters.malformedHellos++;
    return undefined;
  }
  if (messageSeq > 1 || record.seq > 2 ** 48 - NUMBERS_LEFT || hello.version >> 8 !== 0xfe) {
    counters.malformedHellos++;
    return undefined;
  }
  const source = route.key;
  if (!cookies.check(hello, source, now)) {
    if (hello.cookie.length > 0) counters.wrongCookies++;
    counters.helloVerifyRequests++;
    // Old clients take it in no other record version than that of DTLS 1.2.
    const request = writeHelloVerifyRequest(VERSION_1_2, cookies.make(hello, source, now));
    reply(plainRecord(ContentType.HANDSHAKE, record.seq, wholeMessage(HandshakeType.HELLO_VERIFY_REQUEST, 0, request)));
    return undefined;
  }
  return { hello, body: Buffer.from(body), messageSeq, recordSeq: record.seq };
}

/** What the hello and our offer have in common, or the alert that says there is nothing, ready to be sent. */
export function chooseFor(
  { hello, recordSeq }: ProvenHello,
  offer: Offer,
): Choice | { readonly alert: Buffer; readonly reason: HandshakeFailure; readonly detail: string } {
  try {
    return negotiate(hello, offer);
  } catch (error) {
    const alert = plainRecord(ContentType.ALERT, recordSeq, Buffer.from([AlertLevel.FATAL, alertFor(error)]));
    const reason = error instanceof NegotiationError ? error.reason : 'bad-message';
    return { alert, reason, detail: error instanceof Error ? error.message : '' };
  }
}
