import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { readOrMakeKey } from './key-file';
import type { KeyFile } from './key-file';
import { pagesOf } from './pages';
import { StoreError } from './types';
import type { Store, StoreNotice } from './types';

/**
 * The envelope: version (1 byte), the first 4 bytes of SHA-256 of the key, nonce (12), tag (16), ciphertext. AES-256-GCM
 * (NIST SP 800-38D) with a random nonce; the version, the key's name and the entry's key are authenticated along, so that an
 * entry cannot take the place of another.
 */
const VERSION = 1;
const NAME_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NONCE_AT = 1 + NAME_BYTES;
const TAG_AT = NONCE_AT + NONCE_BYTES;
const TEXT_AT = TAG_AT + TAG_BYTES;

export type Unsealed =
  | { readonly ok: true; readonly value: Buffer }
  /** Sealed under another key; by a newer version; damaged, or moved from another entry. */
  | { readonly ok: false; readonly reason: 'OTHER_KEY' | 'NEWER_FORMAT' | 'DAMAGED' };

export interface Sealer {
  /** For the entry of this key; 33 bytes longer than the value. */
  seal(key: string, value: Uint8Array): Buffer;
  /** Never throws. */
  unseal(key: string, sealed: Uint8Array): Unsealed;
}

export interface OpenSealerOptions {
  /** In the user directory, beside the settings. */
  readonly keyFile: string;
  /** Where sealed entries are, and how their keys begin: counted for the notice when the key is gone. */
  readonly store?: Store;
  readonly prefixes?: readonly string[];
  readonly wall?: () => number;
}

/**
 * A sealer under the key of a file, which is made when it is not there. Never rejects. Entries that the key does not open stay
 * where they are until they are written anew: they can be read again when the right key file is put back.
 */
export async function openSealer(
  options: OpenSealerOptions,
): Promise<{ readonly sealer: Sealer; readonly notices: readonly StoreNotice[] }> {
  const file = await readOrMakeKey(options.keyFile, options.wall);
  const notices = [...file.notices];
  const lost = file.origin === 'read' ? 0 : await countSealed(options);
  if (file.origin === 'made-for-damaged') notices.push(keyDamaged(options.keyFile, file, lost));
  else if (file.origin === 'made' && lost > 0) notices.push(keyLost(options.keyFile, lost));
  return { sealer: createSealer(file.key), notices };
}

/** A sealer under a key of 32 bytes. */
export function createSealer(key: Buffer): Sealer {
  const name = createHash('sha256').update(key).digest().subarray(0, NAME_BYTES);
  const head = Buffer.concat([Buffer.of(VERSION), name]);
  const associated = (entry: string): Buffer => Buffer.concat([head, Buffer.from(entry)]);
  return {
    seal(entry, value) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(associated(entry));
      const text = cipher.update(value);
      cipher.final();
      return Buffer.concat([head, nonce, cipher.getAuthTag(), text]);
    },
    unseal(entry, sealed) {
      const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length);
      if (bytes.length === 0) return { ok: false, reason: 'DAMAGED' };
      if (bytes[0]! > VERSION) return { ok: false, reason: 'NEWER_FORMAT' };
      if (bytes.length < TEXT_AT || bytes[0] !== VERSION) return { ok: false, reason: 'DAMAGED' };
      if (!bytes.subarray(1, NONCE_AT).equals(name)) return { ok: false, reason: 'OTHER_KEY' };
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(NONCE_AT, TAG_AT), { authTagLength: TAG_BYTES });
      decipher.setAAD(associated(entry)).setAuthTag(bytes.subarray(TAG_AT, TEXT_AT));
      try {
        return { ok: true, value: Buffer.concat([decipher.update(bytes.subarray(TEXT_AT)), decipher.final()]) };
      } catch {
        return { ok: false, reason: 'DAMAGED' };
      }
    },
  };
}

async function countSealed({ store, prefixes = [] }: OpenSealerOptions): Promise<number> {
  let count = 0;
  try {
    for (const prefix of prefixes) if (store) for await (const page of pagesOf(store, prefix)) count += page.length;
  } catch (error) {
    // A store that cannot be read says so where it is read for its own sake.
    if (!(error instanceof StoreError)) throw error;
  }
  return count;
}

function keyLost(file: string, lost: number): StoreNotice {
  const text =
    `The key file ${file} is gone, and ${lost} sealed entries of the store cannot be read. They stay there: put the file back to read ` +
    'them again. Until then devices negotiate anew, and what is sealed from now on needs the new key file.';
  return { code: 'KEY_LOST', text, path: file, lost };
}

function keyDamaged(file: string, { aside }: KeyFile, lost: number): StoreNotice {
  const text =
    `The key file ${file} was damaged. It is ${aside ?? 'set aside'} now, and a new key was made. ${lost} sealed entries of the store ` +
    'cannot be read; they stay there, and a copy of the right key file makes them readable again.';
  return { code: 'KEY_DAMAGED', text, ...(aside !== undefined && { path: aside }), lost };
}
