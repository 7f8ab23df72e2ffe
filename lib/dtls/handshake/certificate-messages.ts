import { Reader, written } from '../bytes';
import { DecodeError } from '../errors';
import type { CertificateType, OwnKey, PeerCertificate } from '../types';

const NAMED_CURVE = 3;
/** `ecdsa_sign` (RFC 8422 5.4) and `rsa_sign` (RFC 5246 7.4.4). */
const CLIENT_CERTIFICATE_TYPES = Buffer.from([64, 1]);
/** More certificates are no chain of anybody. */
const MAX_CERTIFICATES = 10;

/** A Certificate message: a list of certificates (RFC 5246 7.4.2), or a SubjectPublicKeyInfo (RFC 7250 3). */
export function writeCertificate(type: CertificateType, { publicKey, chain }: OwnKey): Buffer {
  if (type === 'rpk') return written((writer) => writer.vector(publicKey, 3));
  return written((writer) => {
    writer.uint(
      chain.reduce((sum, one) => sum + 3 + one.length, 0),
      3,
    );
    for (const one of chain) writer.vector(one, 3);
  });
}

/** Undefined when it is empty: the peer has nothing to show. What it returns is a copy. */
export function readCertificate(type: CertificateType, body: Buffer): PeerCertificate | undefined {
  const reader = new Reader(Buffer.from(body));
  const content = reader.vector(3);
  reader.end();
  if (content.length === 0) return undefined;
  if (type === 'rpk') return { type, publicKey: content };
  const list = new Reader(content);
  const chain: Buffer[] = [];
  while (list.left > 0) {
    if (chain.length >= MAX_CERTIFICATES) throw new DecodeError('too many certificates');
    chain.push(list.vector(3, 1));
  }
  return { type, chain };
}

/** The parameters of a ServerKeyExchange with a signature over them (RFC 8422 5.4): what is signed, but for the randoms. */
export function writeEcdheParams({ group, point }: { readonly group: number; readonly point: Buffer }): Buffer {
  return written((writer) => writer.uint(NAMED_CURVE, 1).uint(group, 2).vector(point, 1));
}

/** A signature with its scheme, as it stands behind the parameters and in CertificateVerify (RFC 5246 4.7, 7.4.8). */
export function writeSignature(scheme: number, signature: Buffer): Buffer {
  return written((writer) => writer.uint(scheme, 2).vector(signature, 2));
}

export interface Signed {
  readonly scheme: number;
  readonly signature: Buffer;
}

function readSigned(reader: Reader): Signed {
  const signed = { scheme: reader.uint(2), signature: Buffer.from(reader.vector(2)) };
  reader.end();
  return signed;
}

export function readCertificateVerify(body: Buffer): Signed {
  return readSigned(new Reader(body));
}

export interface SignedKeyExchange extends Signed {
  readonly group: number;
  readonly point: Buffer;
  /** What was signed, but for the randoms. */
  readonly params: Buffer;
}

export function readSignedKeyExchange(body: Buffer): SignedKeyExchange {
  const reader = new Reader(body);
  if (reader.uint(1) !== NAMED_CURVE) throw new DecodeError('no named curve');
  const group = reader.uint(2);
  const point = Buffer.from(reader.vector(1, 1));
  const params = Buffer.from(body.subarray(0, 4 + point.length));
  return { group, point, params, ...readSigned(reader) };
}

/** CertificateRequest (RFC 5246 7.4.4). It names no authorities: any that we trust will do. */
export function writeCertificateRequest(schemes: readonly number[]): Buffer {
  return written((writer) => {
    writer.vector(CLIENT_CERTIFICATE_TYPES, 1);
    const list = writer.open();
    for (const scheme of schemes) writer.uint(scheme, 2);
    writer.close(list).uint(0, 2);
  });
}

/** The signature schemes of a CertificateRequest. */
export function readCertificateRequest(body: Buffer): number[] {
  const reader = new Reader(body);
  reader.vector(1, 1);
  const list = new Reader(reader.vector(2, 2));
  reader.vector(2);
  reader.end();
  const schemes: number[] = [];
  while (list.left > 0) schemes.push(list.uint(2));
  return schemes;
}

/** ClientKeyExchange of ECDHE with certificates (RFC 8422 5.7): the point. */
export function readClientPoint(body: Buffer): Buffer {
  const reader = new Reader(body);
  const point = reader.vector(1, 1);
  reader.end();
  return Buffer.from(point);
}

export function writeClientPoint(point: Buffer): Buffer {
  return written((writer) => writer.vector(point, 1));
}
