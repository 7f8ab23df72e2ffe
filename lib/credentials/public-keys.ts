import { createHash, createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import type { Wrong } from './psk';

/** Bytes of the largest public key or certificate that is looked at. */
const MAX_DER = 16 * 1024;

/** The curves that a raw public key may be on (RFC 8422), by what node calls them. */
const CURVES: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384' };
/** Bytes of a SubjectPublicKeyInfo on these, with the name of the curve and a point that is not compressed (RFC 5480 2). */
const SPKI_LENGTHS: Readonly<Record<string, number>> = { prime256v1: 91, secp384r1: 120 };
const MIN_RSA_BITS = 2048;

/** What a text or bytes turned out to be. */
type Found = { readonly der: Buffer; readonly label: string } | Wrong;

/** The SubjectPublicKeyInfo (RFC 5280 4.1) of a raw public key, DER, out of PEM, base64, hexadecimal digits or bytes. */
export function readPublicKey(given: unknown): Buffer | Wrong {
  if (isBlank(given)) return { wrong: 'its public key is missing' };
  const found = derOf(given, 'its public key');
  if ('wrong' in found) return found;
  const { der, label } = found;
  if (label.includes('PRIVATE KEY') || isPrivateKey(der)) {
    return {
      wrong:
        'its public key is a private key: that one stays in the device and belongs to nobody else; make a new pair, as this one was shown',
    };
  }
  const key = publicKeyOf(der);
  if (!key) {
    if (label.includes('CERTIFICATE') || certificateOf(der)) {
      return { wrong: 'its public key is a certificate; devices with certificates have mode "x509"' };
    }
    if ((der.length === 65 || der.length === 97) && der[0] === 4) {
      return { wrong: 'its public key is a bare point of a curve; a SubjectPublicKeyInfo says which curve as well' };
    }
    return { wrong: 'its public key is no SubjectPublicKeyInfo in DER or PEM' };
  }
  const problem = keyProblem(key);
  return problem === '' ? spkiOf(key) : { wrong: problem };
}

/** One certificate (RFC 5280), DER, out of the same. */
export function readDeviceCertificate(given: unknown): Buffer | Wrong {
  const found = derOf(given, 'its certificate');
  if ('wrong' in found) return found;
  const { der, label } = found;
  if (label.includes('PRIVATE KEY') || isPrivateKey(der)) {
    return {
      wrong:
        'its certificate is a private key: that one stays in the device and belongs to nobody else; make a new pair, as this one was shown',
    };
  }
  const certificate = certificateOf(der);
  if (certificate) {
    const problem = certificateProblem(certificate);
    return problem === '' ? certificate.raw : { wrong: problem };
  }
  if (publicKeyOf(der)) return { wrong: 'its certificate is only a public key; devices with raw public keys have mode "rpk"' };
  return { wrong: 'its certificate cannot be read: it is no X.509 certificate in DER or PEM' };
}

/** Whether a key is fit for raw public keys: why not, as the end of a sentence, or ''. */
export function keyProblem({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): string {
  if (type !== 'ec') return `its public key is of the type ${type ?? 'unknown'}; it must be one of ECDSA on P-256 or P-384`;
  const curve = details?.namedCurve ?? 'an unknown curve';
  return curve in CURVES ? '' : `its public key is on ${curve}; it must be on P-256 or P-384`;
}

/** Whether a device can sign handshakes with the key of its certificate: why not, as the end of a sentence, or ''. */
function certificateProblem(certificate: X509Certificate): string {
  try {
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
    if (type === 'ec') return '';
    if (type !== 'rsa') return `its certificate has a key of the type ${type ?? 'unknown'}; it must be one of ECDSA or RSA`;
    const bits = details?.modulusLength ?? 0;
    return bits >= MIN_RSA_BITS ? '' : `its certificate has a key of RSA with ${bits} bits; ${MIN_RSA_BITS} are the least`;
  } catch {
    return 'its certificate has a key of a kind that is not known';
  }
}

/** A key out of a SubjectPublicKeyInfo in DER; undefined when it is none. */
export function publicKeyOf(der: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

/** The one way to write a public key, whatever came after it or how it was written: also of a compressed point, or a curve in full. */
export function spkiOf(key: KeyObject): Buffer {
  const der = key.export({ format: 'der', type: 'spki' });
  const length = SPKI_LENGTHS[key.asymmetricKeyDetails?.namedCurve ?? ''];
  if (length === undefined || der.length === length) return der;
  return createPublicKey({ key: key.export({ format: 'jwk' }), format: 'jwk' }).export({ format: 'der', type: 'spki' });
}

/** SHA-256 in hex: the name of a raw public key, and the fingerprint of a certificate. */
export function fingerprintOf(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}

function isBlank(given: unknown): boolean {
  return given === undefined || given === null || (typeof given === 'string' && given.trim() === '');
}

const PEM = /-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \1-----/g;

function derOf(given: unknown, what: string): Found {
  if (given instanceof Uint8Array) {
    const bytes = Buffer.from(given);
    // Flows read files as bytes, also those in PEM.
    return bytes.includes('-----BEGIN') ? derOf(bytes.toString('utf8'), what) : sized(bytes, '', what);
  }
  if (typeof given !== 'string') return { wrong: `${what} must be text: PEM, or DER in base64` };
  const text = given.trim();
  if (text.length > 4 * MAX_DER) return { wrong: `${what} is too long` };
  if (text.includes('-----BEGIN')) return pem(text, what);
  const packed = text.replace(/^(base64:|hex:|0x)/i, '').replace(/\s/g, '');
  const digits = packed.replaceAll(':', '');
  // DER begins with the byte 30: "30" in digits, but "M" in base64.
  if (/^(30|04)[0-9a-f]*$/i.test(digits) && digits.length % 2 === 0) return sized(Buffer.from(digits, 'hex'), '', what);
  const bytes = Buffer.from(packed, 'base64');
  const plain = packed.replace(/=+$/, '').replaceAll('-', '+').replaceAll('_', '/');
  if (bytes.toString('base64').replace(/=+$/, '') !== plain) return { wrong: `${what} is neither PEM nor base64 nor hexadecimal digits` };
  return sized(bytes, '', what);
}

function pem(text: string, what: string): Found {
  const blocks = Array.from(text.matchAll(PEM), ([, label = '', body = '']) => ({ label, body }));
  const secret = blocks.find(({ label }) => label.includes('PRIVATE KEY'));
  if (secret || /BEGIN [A-Z ]*PRIVATE KEY/.test(text)) return { der: Buffer.alloc(0), label: 'PRIVATE KEY' };
  const [first, second] = blocks;
  if (!first) return { wrong: `${what} begins like PEM, but does not end like it` };
  if (second) return { wrong: `${what} has ${blocks.length} parts in PEM; it must be one` };
  // Out of JSON the ends of lines may still be written as there.
  return sized(Buffer.from(first.body.replace(/\\[rn]/g, ''), 'base64'), first.label, what);
}

function sized(der: Buffer, label: string, what: string): Found {
  return der.length <= MAX_DER ? { der, label } : { wrong: `${what} has ${der.length} bytes; ${MAX_DER} are the most` };
}

/** To say so, and not to use it. */
function isPrivateKey(der: Buffer): boolean {
  return (['pkcs8', 'sec1', 'pkcs1'] as const).some((type) => {
    try {
      createPrivateKey({ key: der, format: 'der', type });
      return true;
    } catch (error) {
      // A key under a passphrase is one, too.
      return /passphrase|password|interrupted/i.test(String(error));
    }
  });
}

function certificateOf(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}
