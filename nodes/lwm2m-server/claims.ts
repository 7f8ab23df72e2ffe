import { collide } from '../shared/addresses';

/** One node's wish for a UDP address. */
export interface Claim {
  readonly id: string;
  /** Which of its ports. */
  readonly index: number;
  readonly name: string;
  readonly port: number;
  /** Local addresses; empty = all. */
  readonly hosts: readonly string[];
}

const claims = new Map<string, Claim>();

const keyOf = ({ id, index }: Claim): string => `${id} ${index}`;

/** Takes the address, or returns the claim of the node that has it already. A port 0 is free for all: the system chooses. */
export function claim(wish: Claim): Claim | undefined {
  const rival = [...claims.values()].find((other) => keyOf(other) !== keyOf(wish) && rivals(other, wish));
  if (!rival) claims.set(keyOf(wish), wish);
  return rival;
}

export function unclaim(id: string): void {
  for (const [key, claimed] of claims) if (claimed.id === id) claims.delete(key);
}

function rivals(a: Claim, b: Claim): boolean {
  return a.port !== 0 && a.port === b.port && collide(a.hosts, b.hosts);
}
