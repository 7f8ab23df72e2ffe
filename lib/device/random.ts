/** Numbers from 0 (included) to 1 (excluded). */
export type Random = () => number;

/** A small repeatable generator (a Weyl sequence, mixed): the same seed gives the same device. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    mixed ^= mixed >>> 15;
    return (mixed >>> 0) / 0x100000000;
  };
}

/** A step from -size to +size. */
export function step(random: Random, size: number): number {
  return (random() * 2 - 1) * size;
}
