import {
  AlertDescription,
  EMPTY_RENEGOTIATION_INFO_SCSV,
  ExtensionType,
  Group,
  VERSION_1_2,
  type CipherSuite,
  type GroupId,
} from '../constants';
import { HandshakeError } from '../errors';
import type { HandshakeFailure } from '../types';
import { readConnectionId, readExtendedMasterSecret, readGroups, readRenegotiationInfo } from './extensions';
import type { ClientHello } from './messages';

/** What a ClientHello and our settings have in common. */
export interface Choice {
  readonly suite: CipherSuite;
  /** For ECDHE_PSK. */
  readonly group: GroupId | undefined;
  readonly extendedMasterSecret: boolean;
  /** The client knows RFC 5746 and is told that we do. */
  readonly secureRenegotiation: boolean;
  /** The client asked about point formats and gets an answer (RFC 8422 5.2). */
  readonly pointFormats: boolean;
  /** The connection ID the client wants in our records, possibly empty; undefined when it does not know RFC 9146. */
  readonly peerCid: Buffer | undefined;
}

/** Why there is nothing in common; `reason` is for people, the description for the wire. */
export class NegotiationError extends HandshakeError {
  readonly reason: HandshakeFailure;

  constructor(description: number, reason: HandshakeFailure, message: string) {
    super(description, message);
    this.reason = reason;
  }
}

/** What we can do, the best first: it breaks no tie, as the client's order counts. */
const GROUPS: readonly number[] = [Group.X25519, Group.SECP256R1];

function isGroup(group: number): group is GroupId {
  return GROUPS.includes(group);
}

/**
 * Chooses by the client's order. Versions above DTLS 1.2 (smaller numbers) come down to it; what a DTLS 1.3 hello adds in
 * extensions is not looked at. Throws `NegotiationError`, or `DecodeError` on malformed extensions.
 */
export function negotiate(hello: ClientHello, suites: readonly CipherSuite[]): Choice {
  const { version, cipherSuites, compressionMethods, extensions } = hello;
  if (version > VERSION_1_2) {
    throw new NegotiationError(AlertDescription.PROTOCOL_VERSION, 'protocol-version', 'the device speaks no DTLS 1.2');
  }
  if (!compressionMethods.includes(0)) {
    throw new NegotiationError(AlertDescription.ILLEGAL_PARAMETER, 'bad-message', 'the device wants compression');
  }
  const renegotiation = readRenegotiationInfo(extensions);
  if (renegotiation && renegotiation.length > 0) {
    throw new NegotiationError(AlertDescription.HANDSHAKE_FAILURE, 'bad-message', 'the device renegotiates what was not negotiated');
  }
  const groups = readGroups(extensions);
  // Without the extension a client leaves the choice to the server; P-256 is what everybody has.
  const group = groups ? groups.find(isGroup) : Group.SECP256R1;
  let suite: CipherSuite | undefined;
  let needsGroup = false;
  for (const id of cipherSuites) {
    const ours = suites.find((each) => each.id === id);
    if (ours?.keyExchange === 'psk' || (ours && group !== undefined)) {
      suite = ours;
      break;
    }
    needsGroup ||= ours !== undefined;
  }
  if (!suite) {
    const reason = needsGroup ? 'no-common-group' : 'no-common-suite';
    const what = needsGroup ? 'curves' : 'cipher suites';
    throw new NegotiationError(AlertDescription.HANDSHAKE_FAILURE, reason, `the device offers none of our ${what}`);
  }
  const ecdhe = suite.keyExchange === 'ecdhe_psk';
  return {
    suite,
    group: ecdhe ? group : undefined,
    extendedMasterSecret: readExtendedMasterSecret(extensions),
    secureRenegotiation: renegotiation !== undefined || cipherSuites.includes(EMPTY_RENEGOTIATION_INFO_SCSV),
    pointFormats: ecdhe && extensions.has(ExtensionType.EC_POINT_FORMATS),
    peerCid: readConnectionId(extensions),
  };
}
