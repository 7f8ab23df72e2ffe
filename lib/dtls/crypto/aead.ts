import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Aead } from '../constants';

const tagLengths: Readonly<Record<Aead, number>> = { ccm: 16, ccm8: 8, gcm: 16 };

export function tagLength(aead: Aead): number {
  return tagLengths[aead];
}

/**
 * An empty view on memory that exists. OpenSSL checks the tag of a CCM message within `update`, and takes a NULL pointer
 * there for "nothing was given": without `update`, or with a buffer on no memory, `final` accepts any tag.
 */
const EMPTY = Buffer.alloc(1).subarray(0, 0);

function solid(data: Uint8Array): Uint8Array {
  return data.length === 0 ? EMPTY : data;
}

/** Ciphertext and tag. `nonce` has 12 bytes. */
export function seal(aead: Aead, key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, additional: Uint8Array): Buffer {
  const authTagLength = tagLengths[aead];
  if (aead === 'gcm') {
    const cipher = createCipheriv('aes-128-gcm', key, nonce, { authTagLength });
    cipher.setAAD(additional);
    const text = cipher.update(solid(plaintext));
    return Buffer.concat([text, cipher.final(), cipher.getAuthTag()]);
  }
  const cipher = createCipheriv('aes-128-ccm', key, nonce, { authTagLength });
  cipher.setAAD(additional, { plaintextLength: plaintext.length });
  const text = cipher.update(solid(plaintext));
  cipher.final();
  return Buffer.concat([text, cipher.getAuthTag()]);
}

/** The plaintext; undefined when the tag does not fit. `sealed` is ciphertext and tag. */
export function open(aead: Aead, key: Uint8Array, nonce: Uint8Array, sealed: Buffer, additional: Uint8Array): Buffer | undefined {
  const authTagLength = tagLengths[aead];
  const length = sealed.length - authTagLength;
  if (length < 0) return undefined;
  const ciphertext = solid(sealed.subarray(0, length));
  try {
    if (aead === 'gcm') {
      const decipher = createDecipheriv('aes-128-gcm', key, nonce, { authTagLength });
      decipher.setAuthTag(sealed.subarray(length));
      decipher.setAAD(additional);
      const plaintext = decipher.update(ciphertext);
      decipher.final();
      return plaintext;
    }
    const decipher = createDecipheriv('aes-128-ccm', key, nonce, { authTagLength });
    decipher.setAuthTag(sealed.subarray(length));
    decipher.setAAD(additional, { plaintextLength: length });
    const plaintext = decipher.update(ciphertext);
    decipher.final();
    return plaintext;
  } catch {
    return undefined;
  }
}
