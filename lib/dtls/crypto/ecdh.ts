import { createPublicKey, diffieHellman, generateKeyPair, type JsonWebKey, type KeyObject } from 'node:crypto';
import { AlertDescription, Group, type GroupId } from '../constants';
import { HandshakeError } from '../errors';

/** Curves in the form of Weierstrass, with the bytes of a coordinate. */
const CURVES = {
  [Group.SECP256R1]: { name: 'P-256', bytes: 32 },
  [Group.SECP384R1]: { name: 'P-384', bytes: 48 },
} as const;

/** An ephemeral key pair; `point` is the public half as it goes over the wire. */
export interface EphemeralKey {
  readonly group: GroupId;
  readonly point: Buffer;
  readonly privateKey: KeyObject;
}

/** Makes a key pair in the thread pool. Rejects with the error of node:crypto. */
export function generateEphemeral(group: GroupId): Promise<EphemeralKey> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, publicKey: KeyObject, privateKey: KeyObject): void => {
      if (error) reject(error);
      else resolve({ group, point: pointOf(group, publicKey), privateKey });
    };
    if (group === Group.X25519) generateKeyPair('x25519', {}, done);
    else generateKeyPair('ec', { namedCurve: CURVES[group].name }, done);
  });
}

/**
 * As JWK, which costs a tenth of DER. Node.js holds the lock of a key meanwhile: a key of `generateKeyPairSync` must not come here, as
 * its job takes the same lock when it is collected as garbage. The jobs of `generateKeyPair` are not left to the collector.
 */
function pointOf(group: GroupId, publicKey: KeyObject): Buffer {
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const first = Buffer.from(x, 'base64url');
  return group === Group.X25519 ? first : Buffer.concat([Buffer.from([4]), first, Buffer.from(y, 'base64url')]);
}

/**
 * The shared secret with the peer's point (RFC 8422 5.10, 5.11). Throws `HandshakeError` (illegal_parameter) on a point of
 * the wrong form, off the curve or of low order.
 */
export function agree(own: EphemeralKey, peerPoint: Buffer): Buffer {
  const shared = derive(own, peerPoint);
  if (!shared || shared.every((byte) => byte === 0)) {
    throw new HandshakeError(AlertDescription.ILLEGAL_PARAMETER, 'the public key is not a point of the curve');
  }
  return shared;
}

function derive(own: EphemeralKey, point: Buffer): Buffer | undefined {
  const jwk = own.group === Group.X25519 ? montgomery(point) : weierstrass(CURVES[own.group], point);
  if (!jwk) return undefined;
  try {
    return diffieHellman({ privateKey: own.privateKey, publicKey: createPublicKey({ key: jwk, format: 'jwk' }) });
  } catch {
    return undefined;
  }
}

/** Uncompressed points only (RFC 8422 5.1.2). */
function weierstrass({ name, bytes }: { name: string; bytes: number }, point: Buffer): JsonWebKey | undefined {
  if (point.length !== 1 + 2 * bytes || point[0] !== 4) return undefined;
  return { kty: 'EC', crv: name, x: point.toString('base64url', 1, 1 + bytes), y: point.toString('base64url', 1 + bytes) };
}

function montgomery(point: Buffer): JsonWebKey | undefined {
  return point.length === 32 ? { kty: 'OKP', crv: 'X25519', x: point.toString('base64url') } : undefined;
}
