import { createPrivateKey, createPublicKey, randomBytes, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type * as Schema from '@peculiar/asn1-schema';
import type * as Asn from '@peculiar/asn1-x509';
import { isOneName } from './certificate-facts';
import { generateKeyPair, type KeyPair } from './key-pairs';

/** A key pair and a certificate of it, PEM. */
export interface CertifiedPair extends KeyPair {
  readonly certificate: string;
  /** DER in base64. */
  readonly certificateDer: string;
}

/** Who signs a certificate: its own and its private key, PEM. */
export interface Issuer {
  readonly certificate: string;
  readonly privateKey: string;
}

/** A CA that cannot sign: its key is not that of its certificate, or is none. */
export class IssuerError extends Error {
  readonly code = 'BAD_ISSUER';
}

const MAX_NAME = 64;
const DAY = 86_400_000;
const DAYS = 3650;
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const COMMON_NAME = '2.5.4.3';

/**
 * A key pair with a certificate, ECDSA on P-256, for ten years from `now` (ms since 1970), but not longer than its CA: for a device. It is signed by
 * `issuer`, or else by itself, for a server that has this one certificate. The endpoint is its common name. Throws RangeError for names
 * over 64 characters (RFC 5280 A.1) and, with an issuer, those that are not read from certificates, `IssuerError`.
 */
export async function generateDeviceCertificate(endpoint: string, now = Date.now(), issuer?: Issuer): Promise<CertifiedPair> {
  return generate(endpoint, now, issuer, 'device');
}

/** A key pair with a certificate that may sign those of devices and no others, signed by itself: a small CA. Throws RangeError. */
export async function generateAuthority(name: string, now = Date.now()): Promise<CertifiedPair> {
  return generate(name, now, undefined, 'ca');
}

async function generate(name: string, now: number, issuer: Issuer | undefined, purpose: 'device' | 'ca'): Promise<CertifiedPair> {
  if (name === '' || name.length > MAX_NAME) throw new RangeError(`A name in a certificate has 1 to ${MAX_NAME} characters.`);
  // Without an issuer it is the table that says whose it is.
  if (issuer && !isOneName(name)) {
    throw new RangeError('A device cannot be known by a name with "*" or control characters in its certificate.');
  }
  const [schema, asn] = await Promise.all([import('@peculiar/asn1-schema'), import('@peculiar/asn1-x509')]);
  const { AsnConvert } = schema;
  const pair = await generateKeyPair();
  const publicKey = createPublicKey(pair.publicKey).export({ type: 'spki', format: 'der' });
  const by = issuer && readIssuer(issuer);
  if (by && Date.parse(by.certificate.validTo) <= now) throw new IssuerError('The CA has ended: no device could use what it signs.');
  const subject = new asn.Name([
    new asn.RelativeDistinguishedName([
      new asn.AttributeTypeAndValue({ type: COMMON_NAME, value: new asn.AttributeValue({ utf8String: name }) }),
    ]),
  ]);
  // Some clocks are slow.
  const until = Math.min(now + DAYS * DAY, by ? Date.parse(by.certificate.validTo) : Infinity);
  const algorithm = new asn.AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 });
  const tbsCertificate = new asn.TBSCertificate({
    version: asn.Version.v3,
    serialNumber: arrayOf(serialNumber()),
    signature: algorithm,
    issuer: by ? AsnConvert.parse(by.certificate.raw, asn.Certificate).tbsCertificate.subject : subject,
    validity: new asn.Validity({ notBefore: new Date(now - DAY), notAfter: new Date(until) }),
    subject,
    subjectPublicKeyInfo: AsnConvert.parse(publicKey, asn.SubjectPublicKeyInfo),
    extensions: new asn.Extensions(extensionsOf(purpose, schema, asn)),
  });
  const body = Buffer.from(AsnConvert.serialize(tbsCertificate));
  const signature = await promisify(sign)('sha256', body, by?.key ?? createPrivateKey(pair.privateKey));
  const signed = new asn.Certificate({ tbsCertificate, signatureAlgorithm: algorithm, signatureValue: arrayOf(signature) });
  const der = Buffer.from(AsnConvert.serialize(signed));
  return { ...pair, certificate: new X509Certificate(der).toString(), certificateDer: der.toString('base64') };
}

function extensionsOf(purpose: 'device' | 'ca', { AsnConvert, OctetString }: typeof Schema, asn: typeof Asn): Asn.Extension[] {
  const { KeyUsageFlags: Usage } = asn;
  const critical = (extnID: string, value: unknown): Asn.Extension =>
    new asn.Extension({ extnID, critical: true, extnValue: new OctetString(AsnConvert.serialize(value)) });
  if (purpose === 'ca') {
    return [
      critical(asn.id_ce_basicConstraints, new asn.BasicConstraints({ cA: true, pathLenConstraint: 0 })),
      critical(asn.id_ce_keyUsage, new asn.KeyUsage(Usage.keyCertSign | Usage.cRLSign)),
    ];
  }
  return [
    critical(asn.id_ce_basicConstraints, new asn.BasicConstraints({ cA: false })),
    critical(asn.id_ce_keyUsage, new asn.KeyUsage(Usage.digitalSignature)),
    critical(asn.id_ce_extKeyUsage, new asn.ExtendedKeyUsage([asn.id_kp_clientAuth])),
  ];
}

function readIssuer({ certificate: pem, privateKey }: Issuer): { certificate: X509Certificate; key: KeyObject } {
  let certificate: X509Certificate;
  let key: KeyObject;
  try {
    certificate = new X509Certificate(pem);
    key = createPrivateKey(privateKey);
  } catch {
    throw new IssuerError('The certificate or the key of the CA cannot be read.');
  }
  if (!certificate.ca || key.asymmetricKeyType !== 'ec') throw new IssuerError('This is no CA with a key on an elliptic curve.');
  if (!certificate.checkPrivateKey(key)) throw new IssuerError('The key is not that of the certificate of the CA.');
  return { certificate, key };
}

/** Positive, and not the same twice. */
function serialNumber(): Buffer {
  const serial = randomBytes(16);
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  return serial;
}

function arrayOf(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
