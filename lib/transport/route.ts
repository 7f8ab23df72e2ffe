import type { Peer } from './types';

/** Do two name the same route, and the same device as far as that is proven. Transports may make a new `Peer` for each message. */
export function sameRoute(a: Peer, b: Peer): boolean {
  if (a === b) return true;
  const { key, address, port, identity, transport, local } = a;
  return (
    b.key === key && b.address === address && b.port === port && b.identity === identity && b.transport === transport && b.local === local
  );
}
