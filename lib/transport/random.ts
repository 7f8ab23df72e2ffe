import { randomFillSync } from 'node:crypto';

/** Randomness, injected so that tests can repeat a run. */
export interface Random {
  bytes(count: number): Uint8Array;
  /** 0 <= x < 1. */
  float(): number;
}

const POOL = 4096;
const pool = Buffer.allocUnsafe(POOL);
let used = POOL;

/** The system's generator, asked for 4 KiB at a time: one call costs as much as a whole datagram. At most 4096 bytes at once. */
export const systemRandom: Random = {
  bytes(count) {
    if (used + count > POOL) {
      randomFillSync(pool);
      used = 0;
    }
    const bytes = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      bytes[i] = pool[used]!;
      // What was handed out is not left lying around: it may be the right to a registration.
      pool[used++] = 0;
    }
    return bytes;
  },
  float() {
    const [a, b, c, d] = this.bytes(4) as unknown as [number, number, number, number];
    return (a * 0x100_0000 + b * 0x1_0000 + c * 0x100 + d) / 0x1_0000_0000;
  },
};
