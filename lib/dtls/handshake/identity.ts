import type { Identity } from '../../transport/types';

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

export function pskIdentity(identity: Uint8Array): Identity {
  return { scheme: 'coaps', mode: 'psk', name: pskName(identity) };
}
