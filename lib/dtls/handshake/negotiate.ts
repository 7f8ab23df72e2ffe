import {
  AlertDescription,
  CertificateTypeNumber,
  EMPTY_RENEGOTIATION_INFO_SCSV,
  ExtensionType,
  Group,
  SignatureScheme,
  usesPsk,
  VERSION_1_2,
  type CipherSuite,
  type GroupId,
} from '../constants';
import { EMPTY, uint, vector } from '../bytes';
import { schemeFor } from '../crypto/signature';
import { HandshakeError } from '../errors';
import type { CertificateStore, CertificateType, HandshakeFailure, OwnKey } from '../types';
import {
  readCertificateTypes,
  readConnectionId,
  readEncryptThenMac,
  readExtendedMasterSecret,
  readGroups,
  readRenegotiationInfo,
  readSignatureAlgorithms,
} from './extensions';
import type { ClientHello } from './messages';
import { chooseRecordSize } from './record-size';
import { readServerName } from './server-name';

/** What we show and what we want to be shown, in suites with certificates. */
export interface CertificateChoice {
  readonly own: OwnKey;
  readonly ownType: CertificateType;
  readonly peerType: CertificateType;
  /** What we sign with. */
  readonly scheme: number;
}

/** What a ClientHello and our settings have in common. */
export interface Choice {
  readonly suite: CipherSuite;
  /** For all but plain PSK. */
  readonly group: GroupId | undefined;
  readonly certificates: CertificateChoice | undefined;
  readonly extendedMasterSecret: boolean;
  /** RFC 7366, for CBC only. */
  readonly encryptThenMac: boolean;
  /** The client's connection ID for our records, possibly empty; undefined when it does not know RFC 9146. */
  readonly peerCid: Buffer | undefined;
  /** The largest plaintext of our records (RFC 6066 4, RFC 8449). */
  readonly recordSize: number;
  /** What ServerHello answers, but for the connection ID. */
  readonly answers: ReadonlyMap<number, Buffer>;
}

/** What of a server's settings the choice depends on. */
export interface Offer {
  readonly suites: readonly CipherSuite[];
  readonly certificates: Pick<CertificateStore, 'own' | 'isFor' | 'accepts'> | undefined;
  /** The suite of a session that is resumed: nothing else is to be chosen then. */
  readonly resumed?: CipherSuite | undefined;
}

/** Why there is nothing in common; `reason` is for people, the description for the wire. */
export class NegotiationError extends HandshakeError {
  readonly reason: HandshakeFailure;

  constructor(description: number, reason: HandshakeFailure, message: string) {
    super(description, message);
    this.reason = reason;
  }
}

const GROUPS: readonly number[] = [Group.X25519, Group.SECP256R1, Group.SECP384R1];

function isGroup(group: number): group is GroupId {
  return GROUPS.includes(group);
}

/** What devices mean that do not say what signatures they read. By the letter it would be SHA-1 (RFC 5246 7.4.1.4.1), which nobody should. */
const UNSAID_SCHEMES: readonly number[] = [SignatureScheme.ECDSA_SHA256, SignatureScheme.RSA_PKCS1_SHA256];

/**
 * Chooses by the client's order, but first what goes with the certificate for the name that the client calls us by, and CBC only where
 * nothing else is in common. Versions above DTLS 1.2 (smaller numbers) come down to it; what a
 * DTLS 1.3 hello adds in extensions is not looked at. Throws `NegotiationError`, or `DecodeError` on malformed extensions.
 */
export function negotiate(hello: ClientHello, offer: Offer): Choice {
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
  const wishes = readWishes(hello, groups);
  const recordSize = chooseRecordSize(extensions);
  const { resumed } = offer;
  const { suite, certificates } = resumed ? { suite: resumed, certificates: undefined } : chooseSuite(cipherSuites, offer, group, wishes);
  const answers = new Map<number, Buffer>();
  const extendedMasterSecret = readExtendedMasterSecret(extensions);
  if (renegotiation !== undefined || cipherSuites.includes(EMPTY_RENEGOTIATION_INFO_SCSV)) {
    answers.set(ExtensionType.RENEGOTIATION_INFO, vector(EMPTY, 1));
  }
  // A client may offer it for all suites; it means something for CBC alone (RFC 7366 3).
  const encryptThenMac = readEncryptThenMac(extensions) && suite.cipher === 'cbc';
  if (encryptThenMac) answers.set(ExtensionType.ENCRYPT_THEN_MAC, EMPTY);
  if (extendedMasterSecret) answers.set(ExtensionType.EXTENDED_MASTER_SECRET, EMPTY);
  if (suite.keyExchange !== 'psk' && !resumed && extensions.has(ExtensionType.EC_POINT_FORMATS)) {
    answers.set(ExtensionType.EC_POINT_FORMATS, vector(uint(0, 1), 1));
  }
  if (recordSize.answer) answers.set(...recordSize.answer);
  if (certificates) {
    const { ownType, peerType } = certificates;
    // It is answered where it had a say in what we show (RFC 6066 3).
    if (wishes.serverName !== undefined) answers.set(ExtensionType.SERVER_NAME, EMPTY);
    if (wishes.serverTypesSaid) answers.set(ExtensionType.SERVER_CERTIFICATE_TYPE, uint(CertificateTypeNumber[ownType], 1));
    if (wishes.clientTypesSaid) answers.set(ExtensionType.CLIENT_CERTIFICATE_TYPE, uint(CertificateTypeNumber[peerType], 1));
  }
  return {
    suite,
    group: suite.keyExchange === 'psk' ? undefined : group,
    certificates,
    extendedMasterSecret,
    encryptThenMac,
    peerCid: readConnectionId(extensions),
    recordSize: recordSize.limit,
    answers,
  };
}

/** What a client can do where certificates are concerned, the preferred first. */
interface Wishes {
  /** Of the curves of our keys; undefined: any. */
  readonly groups: readonly number[] | undefined;
  readonly schemes: readonly number[];
  readonly serverTypes: readonly CertificateType[];
  readonly clientTypes: readonly CertificateType[];
  readonly serverTypesSaid: boolean;
  readonly clientTypesSaid: boolean;
  /** What it calls us. */
  readonly serverName: string | undefined;
}

function readWishes({ extensions }: ClientHello, groups: readonly number[] | undefined): Wishes {
  const serverTypes = readCertificateTypes(extensions, ExtensionType.SERVER_CERTIFICATE_TYPE);
  const clientTypes = readCertificateTypes(extensions, ExtensionType.CLIENT_CERTIFICATE_TYPE);
  return {
    groups,
    schemes: readSignatureAlgorithms(extensions) ?? UNSAID_SCHEMES,
    serverTypes: serverTypes ?? ['x509'],
    clientTypes: clientTypes ?? ['x509'],
    serverTypesSaid: serverTypes !== undefined,
    clientTypesSaid: clientTypes !== undefined,
    serverName: readServerName(extensions),
  };
}

function chooseSuite(
  cipherSuites: readonly number[],
  { suites, certificates: source }: Offer,
  group: GroupId | undefined,
  wishes: Wishes,
): { suite: CipherSuite; certificates: CertificateChoice | undefined } {
  let needsGroup = false;
  let wrong: string | undefined;
  const own = source?.own(wishes.serverName) ?? [];
  const common = cipherSuites.flatMap((id) => suites.find((each) => each.id === id) ?? []);
  const isCbc = ({ cipher }: CipherSuite): boolean => cipher === 'cbc';
  const accepts = source?.accepts() ?? [];
  const { serverName } = wishes;
  const named = serverName === undefined || own.length < 2 ? [] : own.filter((key) => source?.isFor(key, serverName));
  if (named.length > 0 && group !== undefined) {
    for (const suite of common.filter((each) => !isCbc(each))) {
      if (usesPsk(suite)) break;
      const certificates = chooseCertificates(suite, named, accepts, wishes);
      if (typeof certificates !== 'string') return { suite, certificates };
    }
  }
  for (const suite of [...common.filter((each) => !isCbc(each)), ...common.filter(isCbc)]) {
    if (suite.keyExchange === 'psk') return { suite, certificates: undefined };
    if (group === undefined) {
      needsGroup = true;
      continue;
    }
    if (usesPsk(suite)) return { suite, certificates: undefined };
    const certificates = chooseCertificates(suite, own, accepts, wishes);
    if (typeof certificates !== 'string') return { suite, certificates };
    wrong ??= certificates;
  }
  if (wrong !== undefined) throw new NegotiationError(AlertDescription.HANDSHAKE_FAILURE, 'no-common-certificate', wrong);
  const [reason, what] = needsGroup ? (['no-common-group', 'curves'] as const) : (['no-common-suite', 'cipher suites'] as const);
  throw new NegotiationError(AlertDescription.HANDSHAKE_FAILURE, reason, `the device offers none of our ${what}`);
}

/** What goes with a suite, or why nothing does. */
function chooseCertificates(
  { keyExchange }: CipherSuite,
  own: readonly OwnKey[],
  accepts: readonly CertificateType[],
  { serverTypes, clientTypes, schemes, groups }: Wishes,
): CertificateChoice | string {
  if (own.length === 0) return 'the device wants to see a certificate or a raw public key of the server, which has no key pair';
  const peerType = clientTypes.find((type) => accepts.includes(type));
  if (!peerType) return `the server knows no device by ${clientTypes.map(typeWords).join(' or ') || 'what this one has to show'}`;
  const keyType = keyExchange === 'ecdhe_rsa' ? 'rsa' : 'ec';
  // The modes of LwM2M are the same both ways, and some clients name X.509 first out of habit.
  const types = serverTypes.includes(peerType) ? [peerType, ...serverTypes] : serverTypes;
  for (const ownType of types) {
    for (const key of own) {
      const { asymmetricKeyType } = key.privateKey;
      if (asymmetricKeyType !== keyType || (ownType === 'x509' && key.chain.length === 0)) continue;
      const scheme = schemeFor(key.privateKey, schemes);
      const curve = curveOf(key);
      if (scheme === undefined || (groups && curve !== undefined && !groups.includes(curve))) continue;
      return { own: key, ownType, peerType, scheme };
    }
  }
  return `the server has no ${keyType === 'rsa' ? 'RSA' : 'EC'} key with ${serverTypes.map(typeWords).join(' or ') || 'what the device wants'}`;
}

function typeWords(type: CertificateType): string {
  return type === 'rpk' ? 'a raw public key' : 'a certificate';
}

function curveOf({ privateKey }: OwnKey): number | undefined {
  switch (privateKey.asymmetricKeyDetails?.namedCurve) {
    case 'prime256v1':
      return Group.SECP256R1;
    case 'secp384r1':
      return Group.SECP384R1;
    default:
      return undefined;
  }
}
