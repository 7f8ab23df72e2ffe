/** Certificates of any kind, right ones and wrong ones, made at run time. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import * as asn from '@peculiar/asn1-x509';

export type Kind = 'p256' | 'p384' | 'secp256k1' | 'rsa2048' | 'rsa1024' | 'ed25519';
export type Hash = 'sha1' | 'sha256' | 'sha384' | 'sha512';

/** A certificate and the key that belongs to it. */
export interface Forged {
  readonly der: Buffer;
  readonly subject: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export interface Wish {
  /** Its common name. */
  readonly subject: string;
  /** Who signs; default itself. */
  readonly by?: Forged;
  /** Named as the issuer, whoever signs. */
  readonly issuer?: string;
  readonly key?: Kind;
  readonly hash?: Hash;
  /** A CA; a number: so many below it. Default: basic constraints that say no; null: none of them. */
  readonly ca?: boolean | number | null;
  /** Default digitalSignature, of a CA keyCertSign; null: none. */
  readonly usage?: number | null;
  /** Default client authentication, of a CA none. */
  readonly purposes?: readonly string[] | null;
  readonly names?: readonly { readonly uri?: string; readonly dns?: string }[];
  readonly more?: readonly asn.Extension[];
  readonly from?: Date;
  readonly to?: Date;
  /** Bits of the signature that are turned around. */
  readonly spoil?: 'signature' | 'algorithm';
  /** Of another pair than the one it is made for. */
  readonly pair?: Pick<Forged, 'privateKey' | 'publicKey'>;
}

export const NOW = Date.parse('2030-06-15T12:00:00Z');
export const DAY = 86_400_000;
const SIGNATURES: Readonly<Record<string, string>> = {
  'ec sha1': '1.2.840.10045.4.1',
  'ec sha256': '1.2.840.10045.4.3.2',
  'ec sha384': '1.2.840.10045.4.3.3',
  'ec sha512': '1.2.840.10045.4.3.4',
  'rsa sha1': '1.2.840.113549.1.1.5',
  'rsa sha256': '1.2.840.113549.1.1.11',
  'rsa sha384': '1.2.840.113549.1.1.12',
  'rsa sha512': '1.2.840.113549.1.1.13',
  'ed25519 sha256': '1.3.101.112',
};
const pairs = new Map<string, Pick<Forged, 'privateKey' | 'publicKey'>>();

/** Keys take long, RSA above all: one for each name and kind. */
function pairOf(kind: Kind, name: string): Pick<Forged, 'privateKey' | 'publicKey'> {
  const id = kind.startsWith('rsa') ? kind : `${kind} ${name}`;
  const known = pairs.get(id) ?? generate(kind);
  pairs.set(id, known);
  return known;
}

function generate(kind: Kind): Pick<Forged, 'privateKey' | 'publicKey'> {
  switch (kind) {
    case 'rsa2048':
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
    case 'rsa1024':
      return generateKeyPairSync('rsa', { modulusLength: 1024 });
    case 'ed25519':
      return generateKeyPairSync('ed25519');
    case 'p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'secp256k1':
      return generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  }
}

/** RSA of 2048 bits whose public exponent is as long: verifying takes as long as signing. */
export function largeExponent(): Pick<Forged, 'privateKey' | 'publicKey'> {
  const {
    n = '',
    p = '',
    q = '',
    d = '',
    e = '',
  } = createPrivateKey(
    // As text, for a key of its own; see `newKeyPair` for why.
    generate('rsa2048').privateKey.export({ type: 'pkcs8', format: 'pem' }),
  ).export({ format: 'jwk' });
  const number = (text: string): bigint => BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`);
  const text = (value: bigint): string => Buffer.from(value.toString(16).padStart(512, '0'), 'hex').toString('base64url');
  const [first, second, small, large] = [number(p), number(q), number(e), number(d)];
  // The two exponents in each other's place.
  const [dp, dq] = [text(small % (first - 1n)), text(small % (second - 1n))];
  const jwk = { kty: 'RSA', n, p, q, dp, dq, e: text(large), d: text(small), qi: text(inverse(second, first)) };
  const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

/** Of `value` modulo the prime `by` (Fermat). */
function inverse(value: bigint, by: bigint): bigint {
  let [result, base] = [1n, value % by];
  for (let left = by - 2n; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * base) % by;
    base = (base * base) % by;
  }
  return result;
}

export function critical(id: string, value: unknown): asn.Extension {
  return extension(id, AsnConvert.serialize(value), true);
}

export function extension(extnID: string, value: ArrayBuffer, isCritical = false): asn.Extension {
  return new asn.Extension({ extnID, critical: isCritical, extnValue: new OctetString(value) });
}

export function forge(wish: Wish): Forged {
  const { subject, by, key = 'p256', hash = 'sha256', from = new Date(NOW - 30 * DAY), to = new Date(NOW + 30 * DAY) } = wish;
  const pair = wish.pair ?? pairOf(key, subject);
  const signer = by?.privateKey ?? pair.privateKey;
  const algorithm = (name: Hash): asn.AlgorithmIdentifier => {
    const type = String(signer.asymmetricKeyType);
    return new asn.AlgorithmIdentifier({
      algorithm: SIGNATURES[`${type} ${type === 'ed25519' ? 'sha256' : name}`] ?? '',
      parameters: type === 'rsa' ? NULL : null,
    });
  };
  const tbsCertificate = new asn.TBSCertificate({
    version: asn.Version.v3,
    serialNumber: new Uint8Array(
      createHash('sha256')
        .update(`${subject}|${JSON.stringify(wish.ca)}|${String(from)}`)
        .digest()
        .subarray(0, 8)
        .fill(0x41, 0, 1),
    ).buffer,
    signature: algorithm(hash),
    issuer: nameOf(wish.issuer ?? by?.subject ?? subject),
    validity: new asn.Validity({ notBefore: from, notAfter: to }),
    subject: nameOf(subject),
    subjectPublicKeyInfo: AsnConvert.parse(pair.publicKey.export({ type: 'spki', format: 'der' }), asn.SubjectPublicKeyInfo),
    extensions: new asn.Extensions(extensionsOf(wish)),
  });
  const body = Buffer.from(AsnConvert.serialize(tbsCertificate));
  const signature = sign(signer.asymmetricKeyType === 'ed25519' ? null : hash, body, signer);
  if (wish.spoil === 'signature') signature[signature.length - 1]! ^= 1;
  const made = new asn.Certificate({
    tbsCertificate,
    signatureAlgorithm: algorithm(wish.spoil === 'algorithm' ? 'sha384' : hash),
    signatureValue: new Uint8Array(signature).buffer,
  });
  return { ...pair, subject, der: Buffer.from(AsnConvert.serialize(made)) };
}

const NULL = new Uint8Array([5, 0]).buffer;

function nameOf(commonName: string): asn.Name {
  if (commonName === '') return new asn.Name([]);
  const value = new asn.AttributeValue({ utf8String: commonName });
  return new asn.Name([new asn.RelativeDistinguishedName([new asn.AttributeTypeAndValue({ type: '2.5.4.3', value })])]);
}

function extensionsOf({ ca = false, usage, purposes, names, more = [] }: Wish): asn.Extension[] {
  const { KeyUsageFlags: Usage } = asn;
  const isCa = ca !== false && ca !== null;
  const found: asn.Extension[] = [];
  if (ca !== null) {
    const constraints = { cA: isCa, ...(typeof ca === 'number' && { pathLenConstraint: ca }) };
    found.push(critical(asn.id_ce_basicConstraints, new asn.BasicConstraints(constraints)));
  }
  const bits = usage === undefined ? (isCa ? Usage.keyCertSign : Usage.digitalSignature) : usage;
  if (bits !== null) found.push(critical(asn.id_ce_keyUsage, new asn.KeyUsage(bits)));
  const uses = purposes === undefined ? (isCa ? null : [asn.id_kp_clientAuth]) : purposes;
  if (uses) found.push(critical(asn.id_ce_extKeyUsage, new asn.ExtendedKeyUsage([...uses])));
  if (names) {
    const general = names.map(
      ({ uri, dns }) =>
        new asn.GeneralName({ ...(uri !== undefined && { uniformResourceIdentifier: uri }), ...(dns !== undefined && { dNSName: dns }) }),
    );
    found.push(extension(asn.id_ce_subjectAltName, AsnConvert.serialize(new asn.SubjectAlternativeName(general))));
  }
  return [...found, ...more];
}
