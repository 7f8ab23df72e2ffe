import { createPrivateKey, createPublicKey, randomBytes, sign, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import { generateKeyPair, type KeyPair } from './key-pairs';

/** A key pair and a certificate of it, PEM. */
export interface CertifiedPair extends KeyPair {
  readonly certificate: string;
  /** DER in base64. */
  readonly certificateDer: string;
}

const MAX_NAME = 64;
const DAY = 86_400_000;
const DAYS = 3650;

/**
 * A key pair with a certificate signed by itself (RFC 5280), ECDSA on P-256, for ten years from `now` (ms since 1970): for a device
 * whose one certificate the server has. The endpoint is its common name. Throws RangeError for names over 64 characters (RFC 5280 A.1).
 */
export async function generateDeviceCertificate(endpoint: string, now = Date.now()): Promise<CertifiedPair> {
  if (endpoint === '' || endpoint.length > MAX_NAME) throw new RangeError(`A name in a certificate has 1 to ${MAX_NAME} characters.`);
  const pair = await generateKeyPair();
  const publicKey = createPublicKey(pair.publicKey).export({ type: 'spki', format: 'der' });
  const algorithm = sequence(oid('2a8648ce3d040302'));
  const name = sequence(item(0x31, sequence(oid('550403'), item(0x0c, Buffer.from(endpoint)))));
  const extensions = sequence(
    // CA: no.
    extension('551d13', sequence()),
    // digitalSignature.
    extension('551d0f', item(0x03, Buffer.from([7, 0x80]))),
    // Client authentication.
    extension('551d25', sequence(oid('2b06010505070302'))),
  );
  // Some clocks are slow.
  const validity = sequence(time(now - DAY), time(now + DAYS * DAY));
  const serial = randomBytes(16);
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  const version = item(0xa0, item(0x02, Buffer.from([2])));
  const body = sequence(version, item(0x02, serial), algorithm, name, validity, name, publicKey, item(0xa3, extensions));
  const signature = await promisify(sign)('sha256', body, createPrivateKey(pair.privateKey));
  const der = sequence(body, algorithm, item(0x03, Buffer.concat([Buffer.of(0), signature])));
  return { ...pair, certificate: new X509Certificate(der).toString(), certificateDer: der.toString('base64') };
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), item(0x01, Buffer.from([0xff])), item(0x04, value));
}

/** UTCTime before 2050, GeneralizedTime from then on (RFC 5280 4.1.2.5). */
function time(at: number): Buffer {
  const digits = new Date(at).toISOString().replace(/\D/g, '').slice(0, 14);
  return Number(digits.slice(0, 4)) < 2050 ? item(0x17, Buffer.from(`${digits.slice(2)}Z`)) : item(0x18, Buffer.from(`${digits}Z`));
}

function oid(hex: string): Buffer {
  return item(0x06, Buffer.from(hex, 'hex'));
}

function sequence(...parts: Buffer[]): Buffer {
  return item(0x30, Buffer.concat(parts));
}

function item(tag: number, body: Buffer): Buffer {
  const { length } = body;
  const head = length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), body]);
}
