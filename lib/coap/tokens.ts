/** A token as a key for maps, and as the id of an observation: lower-case hex. */
export function tokenKey(token: Uint8Array): string {
  return Buffer.from(token.buffer, token.byteOffset, token.byteLength).toString('hex');
}
