import { generateKeyPairSync, type KeyObject } from 'node:crypto';

/** TLS numbers of groups, with their curves and the bytes of a point. */
const GROUPS = new Map([
  [23, { namedCurve: 'P-256', bytes: 65 }],
  [24, { namedCurve: 'P-384', bytes: 97 }],
]);

/**
 * A key pair on the group with this number, x25519 by default, and its public point. Never export a key that `generateKeyPairSync` made as
 * JWK: Node.js 20 waits for itself forever when it collects garbage just then.
 */
export function newKeyPair(group: number): { privateKey: KeyObject; point: Buffer } {
  const curve = GROUPS.get(group);
  const { privateKey, publicKey } = curve ? generateKeyPairSync('ec', curve) : generateKeyPairSync('x25519');
  return { privateKey, point: publicKey.export({ type: 'spki', format: 'der' }).subarray(-(curve?.bytes ?? 32)) };
}
