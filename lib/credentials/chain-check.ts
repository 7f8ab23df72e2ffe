import type { X509Certificate } from 'node:crypto';
import { AlertDescription } from '../dtls/constants';
import { readFacts, type CertificateFacts, type CertificateName } from './certificate-der';
import { subjectOf } from './server-keys';

/** What a chain of certificates is worth. */
export type PathVerdict =
  | { readonly accepted: true; readonly leaf: CertificateFacts }
  | { readonly accepted: false; readonly alert: number; readonly detail: string; readonly names: readonly CertificateName[] };

/** Certificates of one chain at most, and signatures tried at most to find the way from it to a CA. */
const MAX_CHAIN = 8;
const MAX_TRIES = 16;
const MIN_RSA_BITS = 2048;

/** ECDSA and RSA (PKCS #1) with SHA-256, SHA-384, SHA-512. */
const SIGNATURES: readonly string[] = [
  '2a8648ce3d040302',
  '2a8648ce3d040303',
  '2a8648ce3d040304',
  '2a864886f70d01010b',
  '2a864886f70d01010c',
  '2a864886f70d01010d',
];
/** Client authentication, any purpose. */
const CLIENT = ['2b06010505070302', '551d2500'];
const DIGITAL_SIGNATURE = 0x80;
const KEY_CERT_SIGN = 0x04;

/** Why a certificate of a path does not count. */
interface Flaw {
  readonly alert: number;
  readonly detail: string;
}

/**
 * Judges the chain of a client (DER, its own certificate first) by the CAs that count (RFC 5280 6.1, without policies; name
 * constraints are refused): signatures, dates, CA flag, path length, key usage, purpose. `now` in ms since 1970.
 */
export function checkPath(chain: readonly Buffer[], anchors: readonly X509Certificate[], now: number): PathVerdict {
  const refuse = (flaw: Flaw, names: readonly CertificateName[] = []): PathVerdict => ({ accepted: false, ...flaw, names });
  if (chain.length > MAX_CHAIN) {
    return refuse({
      alert: AlertDescription.BAD_CERTIFICATE,
      detail: `the device shows ${chain.length} certificates; ${MAX_CHAIN} are the most`,
    });
  }
  const shown = chain.map(readFacts);
  const leaf = shown[0];
  if (!leaf) return refuse({ alert: AlertDescription.BAD_CERTIFICATE, detail: 'the certificate that was shown cannot be read' });
  const others = shown.slice(1).filter((each) => each !== undefined);
  const roots = anchors.flatMap(({ raw }) => readFacts(raw) ?? []);
  const path = findPath(leaf, others, roots);
  const flaw = path
    ? pathFlaw(path, now)
    : { alert: AlertDescription.UNKNOWN_CA, detail: `no trusted CA has signed the certificate of ${name(leaf)}` };
  return flaw ? refuse(flaw, leaf.names) : { accepted: true, leaf };
}

/** From the device's certificate up to a CA that counts. Every signature on it is right. */
function findPath(
  leaf: CertificateFacts,
  others: readonly CertificateFacts[],
  roots: readonly CertificateFacts[],
): CertificateFacts[] | undefined {
  let tries = MAX_TRIES;
  const signed = (by: CertificateFacts, last: CertificateFacts): boolean =>
    last.certificate.issuer === by.certificate.subject && tries-- > 0 && last.certificate.verify(by.certificate.publicKey);
  const climb = (path: CertificateFacts[]): CertificateFacts[] | undefined => {
    const last = path.at(-1)!;
    const root = roots.find((each) => signed(each, last));
    if (root) return [...path, root];
    for (const next of others) {
      if (path.includes(next) || !signed(next, last)) continue;
      const found = climb([...path, next]);
      if (found) return found;
    }
    return undefined;
  };
  return climb([leaf]);
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
  if (each.obstacle !== undefined)
    return unsupported(each, `has a constraint that is not understood (OID in hexadecimal digits: ${each.obstacle})`);
  // Nobody asks how a CA that is trusted has signed itself.
  if (!isAnchor && !SIGNATURES.includes(each.signature)) return unsupported(each, 'is signed in a way that is not safe, or not known');
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = publicKey;
  if (type !== 'ec' && !(type === 'rsa' && (details?.modulusLength ?? 0) >= MIN_RSA_BITS))
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
  return ((keyUsage?.[0] ?? 0) & bit) !== 0;
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
