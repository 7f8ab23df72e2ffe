import type { X509Certificate } from 'node:crypto';
import { AlertDescription } from '../dtls/constants';
import { readCertificate, readFacts, type CertificateFacts, type CertificateName } from './certificate-facts';
import { subjectOf } from './server-keys';

/** What a chain of certificates is worth. */
export type PathVerdict =
  | {
      readonly accepted: true;
      readonly leaf: CertificateFacts;
      /** When the first certificate of the way ends, ms since 1970. */
      readonly until: number;
    }
  | { readonly accepted: false; readonly alert: number; readonly detail: string; readonly names: readonly CertificateName[] };

/** Certificates of one chain at most, and signatures tried at most to find the way from it to a CA. */
const MAX_CHAIN = 8;
const MAX_TRIES = 16;
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;
const MAX_RSA_EXPONENT = 2n ** 32n;
/** P-256, P-384, P-521. */
const CURVES: readonly string[] = ['prime256v1', 'secp384r1', 'secp521r1'];

/** ECDSA and RSA (PKCS #1) with SHA-256, SHA-384, SHA-512. */
const SIGNATURES: readonly string[] = [
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
];
/** Client authentication, any purpose. */
const CLIENT = ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0'];
/** Bits 0 and 5 (RFC 5280 4.2.1.3). */
const DIGITAL_SIGNATURE = 0x01;
const KEY_CERT_SIGN = 0x20;

/** Why a certificate of a path does not count. */
interface Flaw {
  readonly alert: number;
  readonly detail: string;
}

const UNREADABLE: Flaw = { alert: AlertDescription.BAD_CERTIFICATE, detail: 'the certificate that was shown cannot be read' };

/**
 * Judges the chain of a client (DER, its own certificate first) by the CAs that count (RFC 5280 6.1, without policies; name
 * constraints are refused): signatures, dates, CA flag, path length, key usage, purpose. `now` in ms since 1970. Each certificate that is
 * read, and each signature that is verified, has a turn of the loop for itself; what no trusted CA stands behind is not looked at closely.
 */
export async function checkPath(chain: readonly Buffer[], anchors: readonly X509Certificate[], now: number): Promise<PathVerdict> {
  const refuse = (flaw: Flaw, names: readonly CertificateName[] = []): PathVerdict => ({ accepted: false, ...flaw, names });
  if (chain.length > MAX_CHAIN) {
    return refuse({
      alert: AlertDescription.BAD_CERTIFICATE,
      detail: `the device shows ${chain.length} certificates; ${MAX_CHAIN} are the most`,
    });
  }
  const [own, ...others] = chain.map(readCertificate);
  if (!own) return refuse(UNREADABLE);
  const read = new Map<X509Certificate, CertificateFacts | undefined>();
  let refused: PathVerdict | undefined;
  const judge = async (path: readonly X509Certificate[]): Promise<PathVerdict> => {
    for (const each of path) if (!read.has(each)) read.set(each, await readFacts(each));
    const facts = path.flatMap((each) => read.get(each) ?? []);
    const [leaf] = facts;
    if (!leaf || facts.length < path.length) return refuse(UNREADABLE);
    const flaw = pathFlaw(facts, now);
    if (flaw) return refuse(flaw, leaf.names);
    return { accepted: true, leaf, until: Math.min(...path.map(({ validTo }) => Date.parse(validTo))) };
  };
  const shown = others.filter((each) => each !== undefined).filter(isQuick);
  const accepted = await findPath(own, shown, anchors, async (path) => {
    const verdict = await judge(path);
    // What is wrong with the first is told if none is good.
    if (!verdict.accepted) refused ??= verdict;
    return verdict.accepted ? verdict : undefined;
  });
  return accepted ?? refused ?? refuse({ alert: AlertDescription.UNKNOWN_CA, detail: whyNoPath(own, shown, anchors) });
}

/** Whether a signature is verified by its key in about a millisecond: anybody can show RSA keys that take many times as long. */
function isQuick({ publicKey: { asymmetricKeyType: type, asymmetricKeyDetails: details } }: X509Certificate): boolean {
  if (type !== 'rsa') return type === 'ec';
  return (details?.modulusLength ?? Infinity) <= MAX_RSA_BITS && (details?.publicExponent ?? MAX_RSA_EXPONENT) < MAX_RSA_EXPONENT;
}

/**
 * What `take` makes of the first way it takes, from the device's certificate up to a CA that counts. There may be several: of a CA that
 * was renewed under its old key, and where CAs sign each other. Every signature on a way is right.
 */
async function findPath<T>(
  leaf: X509Certificate,
  others: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
  take: (path: readonly X509Certificate[]) => Promise<T | undefined>,
): Promise<T | undefined> {
  let tries = MAX_TRIES;
  const signed = async (by: X509Certificate, last: X509Certificate): Promise<boolean> => {
    if (tries-- <= 0) return false;
    await new Promise((turn) => setImmediate(turn));
    return last.verify(by.publicKey);
  };
  const climb = async (path: readonly X509Certificate[]): Promise<T | undefined> => {
    const last = path.at(-1)!;
    for (const root of issuersOf(last, anchors)) {
      const found = (await signed(root, last)) ? await take([...path, root]) : undefined;
      if (found) return found;
    }
    for (const next of issuersOf(last, others)) {
      const found = !path.includes(next) && (await signed(next, last)) ? await climb([...path, next]) : undefined;
      if (found) return found;
    }
    return undefined;
  };
  return climb([leaf]);
}

/** Those of the right name; first those that are also meant by the certificate, where it says which key has signed it. */
function issuersOf(certificate: X509Certificate, all: readonly X509Certificate[]): X509Certificate[] {
  const named = all.filter(({ subject }) => subject === certificate.issuer);
  if (named.length < 2) return named;
  const meant = named.filter((each) => certificate.checkIssued(each));
  return [...meant, ...named.filter((each) => !meant.includes(each))];
}

/** By names alone: where the way up ends. */
function whyNoPath(leaf: X509Certificate, others: readonly X509Certificate[], anchors: readonly X509Certificate[]): string {
  const way = new Set<X509Certificate>();
  let last = leaf;
  for (let next: X509Certificate | undefined = leaf; next; next = issuersOf(last, others).find((each) => !way.has(each))) {
    way.add(next);
    last = next;
  }
  const { issuer, subject, serialNumber } = last;
  const above = subjectOf({ subject: issuer, serialNumber });
  const what = `no trusted CA has signed the certificate of ${subjectOf(leaf)}`;
  if (anchors.some((each) => each.subject === issuer)) return `${what}: one is called ${above}, but the key that signed is another`;
  if (issuer === subject) return last === leaf ? `${what}: it is signed by itself` : `${what}: ${above}, above it, is not trusted`;
  return `${what}: ${above}, above it, is not trusted, and its certificate is not shown by the device`;
}

function pathFlaw(path: readonly CertificateFacts[], now: number): Flaw | undefined {
  for (const [index, each] of path.entries()) {
    const flaw = flawOf(each, now, index === path.length - 1) ?? (index === 0 ? leafFlaw(each) : issuerFlaw(each, path.slice(1, index)));
    if (flaw) return flaw;
  }
  return undefined;
}

function flawOf(each: CertificateFacts, now: number, isAnchor: boolean): Flaw | undefined {
  const { validFrom, validTo, publicKey } = each.certificate;
  if (now > Date.parse(validTo))
    return { alert: AlertDescription.CERTIFICATE_EXPIRED, detail: `the certificate of ${name(each)} ended on ${validTo}` };
  if (!(now >= Date.parse(validFrom))) return bad(each, `is valid from ${validFrom} on only`);
  if (each.obstacle !== undefined) return unsupported(each, `has a constraint that is not understood (OID ${each.obstacle})`);
  // Nobody asks how a CA that is trusted has signed itself.
  if (!isAnchor && !SIGNATURES.includes(each.signature)) return unsupported(each, 'is signed in a way that is not safe, or not known');
  const { asymmetricKeyType: type, asymmetricKeyDetails: { namedCurve = '', modulusLength = 0 } = {} } = publicKey;
  if (!(type === 'ec' && CURVES.includes(namedCurve)) && !(type === 'rsa' && modulusLength >= MIN_RSA_BITS))
    return unsupported(each, 'has a key that is not safe, or not known');
  return undefined;
}

function leafFlaw(leaf: CertificateFacts): Flaw | undefined {
  if (leaf.keyUsage && !hasUsage(leaf, DIGITAL_SIGNATURE))
    return bad(leaf, 'must not sign handshakes (its key usage lacks digitalSignature)');
  if (leaf.purposes && !leaf.purposes.some((each) => CLIENT.includes(each)))
    return bad(leaf, 'is not for clients (its extended key usage lacks clientAuth)');
  return undefined;
}

/** `below`: the certificates between it and the device's. */
function issuerFlaw(issuer: CertificateFacts, below: readonly CertificateFacts[]): Flaw | undefined {
  if (issuer.pathLength === undefined) return bad(issuer, 'is not that of a CA, but has signed another');
  if (issuer.keyUsage && !hasUsage(issuer, KEY_CERT_SIGN)) return bad(issuer, 'must not sign others (its key usage lacks keyCertSign)');
  // Certificates that a CA gives itself do not count (RFC 5280 6.1.4 l).
  const length = below.filter(({ certificate: { subject, issuer: by } }) => subject !== by).length;
  return length > issuer.pathLength ? bad(issuer, `allows ${issuer.pathLength} CAs below it, and there are ${length}`) : undefined;
}

function hasUsage({ keyUsage }: CertificateFacts, bit: number): boolean {
  return ((keyUsage ?? 0) & bit) !== 0;
}

function bad(each: CertificateFacts, what: string): Flaw {
  return { alert: AlertDescription.BAD_CERTIFICATE, detail: `the certificate of ${name(each)} ${what}` };
}

function unsupported(each: CertificateFacts, what: string): Flaw {
  return { alert: AlertDescription.UNSUPPORTED_CERTIFICATE, detail: `the certificate of ${name(each)} ${what}` };
}

function name({ certificate }: CertificateFacts): string {
  return subjectOf(certificate);
}
