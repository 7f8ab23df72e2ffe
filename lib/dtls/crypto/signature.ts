import { constants, createHash, sign, verify, type KeyObject } from 'node:crypto';
import { SignatureScheme } from '../constants';

type KeyType = 'ec' | 'rsa';

interface Scheme {
  readonly id: number;
  readonly keyType: KeyType;
  readonly hash: 'sha256' | 'sha384' | 'sha512';
  readonly pss?: true;
}

/** The preferred first. In TLS 1.2 an ECDSA scheme says nothing about the curve (RFC 5246 7.4.1.4.1). */
const schemes: readonly Scheme[] = [
  { id: SignatureScheme.ECDSA_SHA256, keyType: 'ec', hash: 'sha256' },
  { id: SignatureScheme.ECDSA_SHA384, keyType: 'ec', hash: 'sha384' },
  { id: SignatureScheme.ECDSA_SHA512, keyType: 'ec', hash: 'sha512' },
  { id: SignatureScheme.RSA_PSS_SHA256, keyType: 'rsa', hash: 'sha256', pss: true },
  { id: SignatureScheme.RSA_PSS_SHA384, keyType: 'rsa', hash: 'sha384', pss: true },
  { id: SignatureScheme.RSA_PSS_SHA512, keyType: 'rsa', hash: 'sha512', pss: true },
  { id: SignatureScheme.RSA_PKCS1_SHA256, keyType: 'rsa', hash: 'sha256' },
  { id: SignatureScheme.RSA_PKCS1_SHA384, keyType: 'rsa', hash: 'sha384' },
  { id: SignatureScheme.RSA_PKCS1_SHA512, keyType: 'rsa', hash: 'sha512' },
];

/** What peers may sign with. */
export const SCHEMES: readonly number[] = schemes.map(({ id }) => id);

/** The first of the peer's schemes that a key of ours can do. */
export function schemeFor(key: KeyObject, offered: readonly number[]): number | undefined {
  return offered.find((id) => fitting(id, key) !== undefined);
}

/** Whether a signature of this scheme can be one of this key. */
export function fits(scheme: number, key: KeyObject): boolean {
  return fitting(scheme, key) !== undefined;
}

function fitting(id: number, { asymmetricKeyType }: KeyObject): Scheme | undefined {
  return schemes.find((scheme) => scheme.id === id && scheme.keyType === asymmetricKeyType);
}

function inputs(id: number, key: KeyObject) {
  const scheme = fitting(id, key);
  if (!scheme) throw new RangeError(`no signature of scheme ${id} can be made with this key`);
  const { hash, pss } = scheme;
  const padding = pss ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST } : {};
  return { hash, key: { key, ...padding } };
}

/** Signs in the thread pool. Throws RangeError on a scheme that does not fit the key. */
export function signData(scheme: number, key: KeyObject, data: Buffer, done: (error: Error | null, signature?: Buffer) => void): void {
  const { hash, key: input } = inputs(scheme, key);
  sign(hash, data, input, done);
}

/** Verifies in the thread pool; `right` is false also for what is no signature at all. Throws as `signData` does. */
export function verifyData(
  of: { readonly scheme: number; readonly key: KeyObject; readonly data: Buffer; readonly signature: Buffer },
  done: (right: boolean) => void,
): void {
  const { hash, key } = inputs(of.scheme, of.key);
  verify(hash, of.data, key, of.signature, (error, right) => done(!error && right));
}

/** SHA-256 of a SubjectPublicKeyInfo, in hex: the name of a raw public key. */
export function publicKeyName(publicKey: Uint8Array): string {
  return createHash('sha256').update(publicKey).digest('hex');
}
