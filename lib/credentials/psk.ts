import { randomBytes } from 'node:crypto';
import { pskBytes, pskName } from '../transport/identity';

/** RFC 4279 5.3: what every implementation takes. */
export const MAX_KEY_BYTES = 64;
export const MAX_IDENTITY_BYTES = 128;
/** A shorter key can be guessed by whoever records a handshake and has time. */
export const STRONG_KEY_BYTES = 16;

const BASE64 = 'base64:';

/** Why a key or an identity cannot be used, as the end of a sentence. It never has the key in it. */
export interface Wrong {
  readonly wrong: string;
}

/** A key out of hexadecimal digits (blanks and colons between them do not count), `base64:...` or bytes. */
export function readKey(given: unknown): Buffer | Wrong {
  if (given === undefined || given === null || given === '') return { wrong: 'its key is missing' };
  if (given instanceof Uint8Array) return sized(Buffer.from(given));
  if (typeof given !== 'string') return { wrong: 'its key must be text: hexadecimal digits, or "base64:" and base64' };
  const text = given.trim();
  if (text.startsWith(BASE64)) {
    const body = text.slice(BASE64.length).trim();
    const bytes = Buffer.from(body, 'base64');
    // Node reads over what is no base64; the bytes written again tell.
    const plain = body.replace(/=+$/, '').replaceAll('-', '+').replaceAll('_', '/');
    if (bytes.toString('base64').replace(/=+$/, '') !== plain) return { wrong: 'its key begins with "base64:", but is no base64' };
    return sized(bytes);
  }
  const digits = text.replace(/[\s:]/g, '');
  if (!/^[0-9a-f]*$/i.test(digits)) {
    return { wrong: 'its key has other characters than hexadecimal digits (0-9, a-f); a key in base64 begins with "base64:"' };
  }
  if (digits.length % 2 === 1) return { wrong: `its key has ${digits.length} hexadecimal digits; two make a byte, so one is missing` };
  return sized(Buffer.from(digits, 'hex'));
}

function sized(key: Buffer): Buffer | Wrong {
  if (key.length === 0) return { wrong: 'its key is missing' };
  return key.length <= MAX_KEY_BYTES ? key : { wrong: `its key has ${key.length} bytes; ${MAX_KEY_BYTES} are the most` };
}

/** The one name of an identity, however a person wrote it. */
export function readIdentity(given: unknown): string | Wrong {
  if (typeof given !== 'string' || given === '') return { wrong: '"identity" must be a text' };
  const bytes = pskBytes(given);
  if (bytes.length > MAX_IDENTITY_BYTES) return { wrong: `its identity has ${bytes.length} bytes; ${MAX_IDENTITY_BYTES} are the most` };
  return pskName(bytes);
}

export function isWrong(value: object | string): value is Wrong {
  return typeof value === 'object' && 'wrong' in value;
}

/** A new key, as hexadecimal digits. */
export function generateKey(): string {
  return randomBytes(STRONG_KEY_BYTES).toString('hex');
}
