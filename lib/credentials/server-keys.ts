import { createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import type { OwnKey } from '../dtls/types';
import { fingerprintOf, spkiOf } from './public-keys';

/** A server key, certificate or trusted CA that cannot be used. The text names which, and has nothing of a key in it. */
export class ServerKeyError extends Error {
  override readonly name = 'ServerKeyError';
  readonly code = 'BAD_SERVER_KEY';
}

/** PEM of one place, and what the place is called in a sentence: 'the server key'. */
export interface PemText {
  readonly place: string;
  readonly text: string;
}

export interface ServerKeys {
  readonly own: readonly OwnKey[];
  /** All certificates in use, to watch their dates. */
  readonly certificates: readonly X509Certificate[];
  /** When one of those given begins to be valid, ms since 1970, and the choice may be another; `Infinity` = never. */
  readonly until: number;
}

const MAX_PARTS = 500;
const MIN_RSA_BITS = 2048;
/** Encrypted keys in the form of old have lines of words with dashes in them before the base64. */
const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----((?:(?!-----)[^])*)-----END \1-----/g;

/**
 * The server's own key pairs: every private key of `keys`, each with the chain of `certificates` that fits it, put in order. Keys are
 * EC (P-256, P-384) or RSA from 2048 bits on. Of several certificates for one key, or of one issuer, the one that ends last is taken, of those
 * that are valid yet at `now` (ms since 1970) if there are any.
 * Throws `ServerKeyError`: for what cannot be read, a key that fits no certificate where there are some, and a certificate that fits no key.
 */
export function readServerKeys(keys: readonly PemText[], certificates: readonly PemText[], passphrase = '', now = Date.now()): ServerKeys {
  const pairs = keys.flatMap((text) => privateKeys(text, passphrase));
  // A bundle in one file: certificates beside the key.
  const bundled = keys.flatMap(({ place, text }) =>
    blocks(text)
      .filter(({ label }) => isCertificate(label))
      .map(({ pem }) => ({ place, text: pem })),
  );
  const all = once([...certificates, ...bundled].flatMap((text) => readCertificates(text)));
  const waits = ({ validFrom }: X509Certificate): number => (Date.parse(validFrom) > now ? 1 : 0);
  all.sort((a, b) => waits(a) - waits(b) || Date.parse(b.validTo) - Date.parse(a.validTo));
  if (pairs.length === 0 && all.length > 0) {
    throw new ServerKeyError('There are server certificates, but the private key they belong to is missing.');
  }
  const used = new Set<X509Certificate>();
  const own = pairs.map(({ key, place }): OwnKey => {
    const publicKey = spkiOf(createPublicKey(key));
    const leaf = all.find((certificate) => spkiOf(certificate.publicKey).equals(publicKey));
    if (!leaf && all.length > 0) {
      throw new ServerKeyError(
        `${capital(place)} belongs to none of the server certificates (${all.slice(0, 3).map(subjectOf).join('; ')}).`,
      );
    }
    const chain = leaf ? chainOf(leaf, all) : [];
    for (const certificate of chain) used.add(certificate);
    // Who trusts a root has it, so that one is not shown.
    const shown = chain.filter((certificate) => certificate === leaf || !isSelfSigned(certificate));
    return { privateKey: key, publicKey, chain: shown.map(({ raw }) => raw) };
  });
  const isOther = (certificate: X509Certificate): boolean =>
    own.some(({ publicKey }) => publicKey.equals(spkiOf(certificate.publicKey))) ||
    all.some((below) => below !== certificate && below.checkIssued(certificate));
  const stray = all.find((certificate) => !used.has(certificate) && !isOther(certificate));
  if (stray) {
    throw new ServerKeyError(
      `The server certificate of ${subjectOf(stray)} belongs to none of the server keys and to no chain of them. If it is above one of them, the certificate between is missing.`,
    );
  }
  const later = all.map(({ validFrom }) => Date.parse(validFrom)).filter((from) => from > now);
  return { own, certificates: all.filter((certificate) => used.has(certificate)), until: Math.min(...later) };
}

/** Certificates of CAs. Throws `ServerKeyError` for what cannot be read, and for a certificate that may not sign others. */
export function readAnchors(texts: readonly PemText[]): X509Certificate[] {
  const anchors = texts.flatMap((text) => readCertificates(text));
  const other = anchors.find(({ ca }) => !ca);
  if (other) {
    throw new ServerKeyError(
      `The trusted certificate of ${subjectOf(other)} is not that of a CA (it may not sign others). A certificate that stands for one device alone belongs to the entry of the device.`,
    );
  }
  return once(anchors);
}

function once(certificates: readonly X509Certificate[]): X509Certificate[] {
  const seen = new Set<string>();
  return certificates.filter(({ raw }) => seen.size < seen.add(fingerprintOf(raw)).size);
}

/** Who a certificate is for, in one line. */
export function subjectOf({ subject, serialNumber }: Pick<X509Certificate, 'subject' | 'serialNumber'>): string {
  // A certificate need not have a subject, whatever the types say.
  const text = ((subject as string | undefined) ?? '').replaceAll('\n', ', ').slice(0, 120);
  return text === '' ? `serial number ${serialNumber}` : `"${text}"`;
}

interface Block {
  readonly label: string;
  readonly pem: string;
}

function blocks(text: string): Block[] {
  return Array.from(text.matchAll(BLOCK), ([pem, label = '', body = '']) => ({ label, pem: inLines(pem, label, body) }));
}

/** A field of a form may have made one line of it, a file of settings may have indented it or written the ends of lines as `\n`. */
function inLines(pem: string, label: string, body: string): string {
  if (body.includes(':')) return pem;
  const packed = body.replace(/\\[rn]|\s/g, '').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${packed}\n-----END ${label}-----\n`;
}

/** A file that is being written is empty at first, and then cut off somewhere: that must not pass for one with less in it. */
function checkWhole({ place, text }: PemText): void {
  if (text.trim() === '') throw new ServerKeyError(`${capital(place)} is empty.`);
  if (text.split('-----BEGIN ').length - 1 > blocks(text).length) {
    throw new ServerKeyError(`${capital(place)} is cut off or damaged: a part of it that begins with "-----BEGIN" does not end like it.`);
  }
}

function isCertificate(label: string): boolean {
  return label === 'CERTIFICATE' || label === 'X509 CERTIFICATE' || label === 'TRUSTED CERTIFICATE';
}

function readCertificates({ place, text }: PemText): X509Certificate[] {
  checkWhole({ place, text });
  const found = blocks(text);
  const mine = found.filter(({ label }) => isCertificate(label));
  if (mine.length === 0) {
    if (/PRIVATE KEY/.test(text)) throw new ServerKeyError(`${capital(place)} is a private key, where a certificate belongs.`);
    throw new ServerKeyError(`${capital(place)} has no certificate in PEM ("-----BEGIN CERTIFICATE-----") in it.`);
  }
  if (mine.length > MAX_PARTS)
    throw new ServerKeyError(`${capital(place)} has ${mine.length} certificates in it; ${MAX_PARTS} are the most.`);
  return mine.map(({ pem }, index) => {
    try {
      return new X509Certificate(pem.replace(/(X509|TRUSTED) CERTIFICATE/g, 'CERTIFICATE'));
    } catch {
      throw new ServerKeyError(`Certificate ${index + 1} in ${place} cannot be read.`);
    }
  });
}

function privateKeys({ place, text }: PemText, passphrase: string): { readonly key: KeyObject; readonly place: string }[] {
  checkWhole({ place, text });
  const mine = blocks(text).filter(({ label }) => label.endsWith('PRIVATE KEY'));
  if (mine.length === 0) {
    if (/BEGIN (X509 |TRUSTED )?CERTIFICATE/.test(text))
      throw new ServerKeyError(`${capital(place)} is a certificate, where a private key belongs.`);
    if (/BEGIN [A-Z ]*PUBLIC KEY/.test(text))
      throw new ServerKeyError(`${capital(place)} is a public key; the server needs its private key.`);
    throw new ServerKeyError(`${capital(place)} has no private key in PEM ("-----BEGIN PRIVATE KEY-----") in it.`);
  }
  return mine.map(({ label, pem }) => {
    const locked = label.startsWith('ENCRYPTED') || pem.includes('ENCRYPTED');
    let key: KeyObject;
    try {
      key = createPrivateKey({ key: pem, format: 'pem', ...(locked && { passphrase }) });
    } catch {
      // The words of the library may say what stands there.
      if (!locked) throw new ServerKeyError(`${capital(place)} cannot be read: it is damaged, or of a kind that is not known.`);
      const why = passphrase === '' ? 'it needs a passphrase' : 'the passphrase is wrong, or it is damaged';
      throw new ServerKeyError(`${capital(place)} cannot be opened: ${why}.`);
    }
    const problem = unfit(key);
    if (problem !== '') throw new ServerKeyError(`${capital(place)} ${problem}.`);
    return { key, place };
  });
}

function unfit({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): string {
  if (type === 'ec') {
    const curve = details?.namedCurve ?? 'an unknown curve';
    return curve === 'prime256v1' || curve === 'secp384r1' ? '' : `is on ${curve}; it must be on P-256 or P-384, or be one of RSA`;
  }
  if (type === 'rsa') {
    const bits = details?.modulusLength ?? 0;
    return bits >= MIN_RSA_BITS ? '' : `is one of RSA with ${bits} bits; ${MIN_RSA_BITS} are the least`;
  }
  return `is of the type ${type ?? 'unknown'}; it must be EC on P-256 or P-384, or RSA`;
}

/** From the certificate up to the last issuer that is there. */
function chainOf(leaf: X509Certificate, all: readonly X509Certificate[]): X509Certificate[] {
  const chain = [leaf];
  for (let last = leaf; !isSelfSigned(last);) {
    const issuer = all.find((other) => !chain.includes(other) && last.checkIssued(other) && last.verify(other.publicKey));
    if (!issuer) break;
    chain.push(issuer);
    last = issuer;
  }
  return chain;
}

function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.checkIssued(certificate);
}

/** As the beginning of a sentence. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
