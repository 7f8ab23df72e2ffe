/** LevelDB's varint: seven bits a byte, the lowest first. Throws RangeError when it does not end in time, or is beyond 2^53. */
export function readVarint(bytes: Uint8Array, at: number): { readonly value: number; readonly next: number } {
  let value = 0;
  let factor = 1;
  for (let next = at; next < bytes.length && next < at + 10; next += 1) {
    const byte = bytes[next]!;
    value += (byte & 0x7f) * factor;
    factor *= 128;
    if (byte < 0x80) {
      if (value > Number.MAX_SAFE_INTEGER) break;
      return { value, next: next + 1 };
    }
  }
  throw new RangeError('a number without an end');
}
