import type { Identity } from './types';

/** A peer on plain CoAP: nothing is proven. */
export const NO_IDENTITY: Identity = Object.freeze({ scheme: 'coap', mode: 'none', name: '' });

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const HEX = 'hex:';

/**
 * The name of a PSK identity, which may be any bytes: its text when it is UTF-8, else `hex:` and its bytes. No two
 * identities have the same name, as a text that begins with `hex:` is written in hex itself.
 */
export function pskName(identity: Uint8Array): string {
  try {
    const text = utf8.decode(identity);
    if (!text.startsWith(HEX)) return text;
  } catch {
    // It is no text.
  }
  return HEX + Buffer.from(identity).toString('hex');
}

/** The bytes that a name, or what a person wrote for one, means: after `hex:` they are given in digits. */
export function pskBytes(name: string): Buffer {
  const digits = name.startsWith(HEX) ? name.slice(HEX.length) : '';
  const isHex = digits !== '' && digits.length % 2 === 0 && /^[0-9a-f]*$/i.test(digits);
  return isHex ? Buffer.from(digits, 'hex') : Buffer.from(name, 'utf8');
}
