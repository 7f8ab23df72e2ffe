import { generateKeyPair as generate } from 'node:crypto';
import { promisify } from 'node:util';

/** A new key pair on P-256, in the forms in which devices and dialogs want it. */
export interface KeyPair {
  /** PKCS #8 in PEM, and its DER in base64. */
  readonly privateKey: string;
  readonly privateKeyDer: string;
  /** SubjectPublicKeyInfo in PEM, and its DER in base64. */
  readonly publicKey: string;
  readonly publicKeyDer: string;
}

/** Made aside of the event loop. */
export async function generateKeyPair(): Promise<KeyPair> {
  const { privateKey, publicKey } = await promisify(generate)('ec', { namedCurve: 'prime256v1' });
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    privateKeyDer: privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    publicKeyDer: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
  };
}
