import type { Random } from '../transport/random';
import type { PeerState } from './peers';

/** A token as a key for maps, and as the id of an observation: lower-case hex. */
export function tokenKey(token: Uint8Array): string {
  return Buffer.from(token.buffer, token.byteOffset, token.byteLength).toString('hex');
}

/** A token of 8 random bytes that this peer does not have in use (RFC 7252 5.3.1). */
export function newToken(random: Random, state: PeerState): Uint8Array {
  for (;;) {
    const token = random.bytes(8);
    const key = tokenKey(token);
    if (!state.exchanges?.has(key) && !state.observations?.has(key)) return token;
  }
}
