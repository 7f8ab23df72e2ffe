import { lookup } from 'node:dns/promises';

/** A numeric address of `host`. With several, another one at each turn: the server may listen on one of them only. Rejects as `dns.lookup`. */
export async function resolveHost(host: string, turn: number): Promise<string> {
  const plain = host.trim().replace(/^\[(.*)\]$/, '$1');
  const addresses = await lookup(plain, { all: true });
  const address = addresses[(turn - 1) % addresses.length]?.address;
  if (address === undefined) throw new Error(`No address for ${host}.`);
  return address;
}
