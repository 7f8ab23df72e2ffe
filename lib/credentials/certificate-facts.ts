import { X509Certificate } from 'node:crypto';
import type { GeneralName, Name } from '@peculiar/asn1-x509';

/** What of a certificate (RFC 5280 4.1) node does not tell, or tells as text only. */
export interface CertificateFacts {
  readonly certificate: X509Certificate;
  /** Bits of the key usage, the lowest the first; undefined where it has none. */
  readonly keyUsage: number | undefined;
  /** Purposes as OIDs; undefined where it has none. */
  readonly purposes: readonly string[] | undefined;
  /** Undefined: it may not sign others. `Infinity`: chains of any length. */
  readonly pathLength: number | undefined;
  /** OID of the signature algorithm. */
  readonly signature: string;
  readonly names: readonly CertificateName[];
  /** OID of an extension that must be understood and is not, or of one that is there twice. */
  readonly obstacle: string | undefined;
}

export interface CertificateName {
  readonly kind: 'cn' | 'uri' | 'dns';
  readonly name: string;
}

/** Bytes of the largest certificate that is looked at. */
const MAX_CERTIFICATE = 16 * 1024;
const MAX_NAMES = 64;
const MAX_NAME = 255;
/** Certificates whose facts are remembered: CAs come with every device. */
const MAX_KNOWN = 256;

const Oid = {
  commonName: '2.5.4.3',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  certificatePolicies: '2.5.29.32',
  extendedKeyUsage: '2.5.29.37',
} as const;
const UNDERSTOOD: readonly string[] = Object.values(Oid);
/** Never passed over, critical or not. */
const NAME_CONSTRAINTS = '2.5.29.30';

/** The readers of ASN.1, which take a while to load: only who uses certificates waits for them. */
const libraries = () => Promise.all([import('@peculiar/asn1-schema'), import('@peculiar/asn1-x509')]);
type Libraries = Awaited<ReturnType<typeof libraries>>;

const known = new Map<string, CertificateFacts>();

/** Undefined for what is no certificate in DER, is larger than 16 KiB, or has a key that OpenSSL cannot read. */
export function readCertificate(der: Buffer): X509Certificate | undefined {
  if (der.length > MAX_CERTIFICATE) return undefined;
  try {
    const certificate = new X509Certificate(der);
    // Reading a key that it does not know throws.
    const { raw, publicKey } = certificate;
    // OpenSSL passes over what comes behind it.
    return raw.equals(der) && publicKey.type === 'public' ? certificate : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Resolves with undefined for what is no certificate of version 3 or below. Usually it takes about a millisecond, in a turn of the loop
 * for itself; but one made of many small parts takes a hundred. So this is for certificates that somebody trusted has signed.
 */
export async function readFacts(certificate: X509Certificate): Promise<CertificateFacts | undefined> {
  try {
    const id = certificate.fingerprint256;
    const remembered = known.get(id);
    if (remembered) return remembered;
    const loaded = await libraries();
    await new Promise((turn) => setImmediate(turn));
    const facts = factsOf(certificate, loaded);
    // Of devices there may be many, and each is seen once a handshake.
    if (certificate.ca) {
      known.set(id, facts);
      const [oldest] = known.keys();
      if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
    }
    return facts;
  } catch {
    return undefined;
  }
}

function factsOf(certificate: X509Certificate, [{ AsnConvert }, x509]: Libraries): CertificateFacts {
  const { tbsCertificate: tbs, signatureAlgorithm } = AsnConvert.parse(certificate.raw, x509.Certificate);
  // What was signed says the same as what the signature is read by.
  if (!signatureAlgorithm.isEqual(tbs.signature)) throw new Error('two algorithms');
  const found = new Map<string, BufferSource>();
  let obstacle: string | undefined;
  for (const { extnID, critical, extnValue } of tbs.extensions ? [...tbs.extensions] : []) {
    if (found.has(extnID) || extnID === NAME_CONSTRAINTS || (critical && !UNDERSTOOD.includes(extnID))) obstacle ??= extnID;
    found.set(extnID, extnValue.buffer);
  }
  const extension = <T>(id: string, read: (value: BufferSource) => T): T | undefined => {
    const value = found.get(id);
    return value && read(value);
  };
  const constraints = extension(Oid.basicConstraints, (value) => AsnConvert.parse(value, x509.BasicConstraints));
  const alternative = extension(Oid.subjectAltName, (value) => [...AsnConvert.parse(value, x509.SubjectAlternativeName)]);
  return {
    certificate,
    keyUsage: extension(Oid.keyUsage, (value) => AsnConvert.parse(value, x509.KeyUsage).toNumber()),
    purposes: extension(Oid.extendedKeyUsage, (value) => [...AsnConvert.parse(value, x509.ExtendedKeyUsage)]),
    pathLength: constraints?.cA === true ? (constraints.pathLenConstraint ?? Infinity) : undefined,
    signature: signatureAlgorithm.algorithm,
    names: [...commonNames(tbs.subject), ...alternativeNames(alternative ?? [])].slice(0, MAX_NAMES),
    obstacle,
  };
}

/** The most particular first, which is the last. */
function commonNames(subject: Name): CertificateName[] {
  const pairs = subject.flatMap((set) => [...set]);
  const names = pairs.filter(({ type }) => type === Oid.commonName).flatMap(({ value }) => named('cn', value.toString()));
  return names.reverse();
}

function alternativeNames(names: readonly GeneralName[]): CertificateName[] {
  const uris = names.flatMap(({ uniformResourceIdentifier: uri }) => (uri === undefined ? [] : named('uri', uri)));
  return [...uris, ...names.flatMap(({ dNSName: dns }) => (dns === undefined ? [] : named('dns', dns)))];
}

function named(kind: CertificateName['kind'], name: string): CertificateName[] {
  return name !== '' && name.length <= MAX_NAME && isOneName(name) ? [{ kind, name }] : [];
}

/** A name of many devices is none of one; one with control characters may pass for another. */
export function isOneName(name: string): boolean {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return !/[\u0000-\u001f\u007f*]/.test(name);
}
