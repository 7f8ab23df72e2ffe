/** One node's wish for a UDP address. */
export interface Claim {
  readonly id: string;
  readonly name: string;
  readonly port: number;
  /** Blank = all addresses. */
  readonly host: string;
}

const claims = new Map<string, Claim>();

/** Takes the address, or returns the claim of the node that has it already. A port 0 is free for all: the system chooses. */
export function claim(wish: Claim): Claim | undefined {
  const rival = [...claims.values()].find((other) => other.id !== wish.id && collide(other, wish));
  if (!rival) claims.set(wish.id, wish);
  return rival;
}

export function unclaim(id: string): void {
  claims.delete(id);
}

function collide(a: Claim, b: Claim): boolean {
  return a.port !== 0 && a.port === b.port && (a.host === b.host || coversAll(a.host) || coversAll(b.host));
}

function coversAll(host: string): boolean {
  return host === '' || host === '::' || host === '0.0.0.0';
}
