import { networkInterfaces } from 'node:os';

/** In the place of an address: a socket for each address this machine has when the server starts. */
export const EACH_ADDRESS = '*each';

/** The addresses of a setting, trimmed, each once, sorted: the order means nothing. Empty = all addresses together. */
export function hostList(host: string | readonly string[] | undefined): string[] {
  const hosts = typeof host === 'string' ? [host] : (host ?? []);
  return [...new Set(hosts.map((each) => each.trim()).filter((each) => each !== ''))].sort();
}

/** The addresses to open sockets on; undefined stands for all addresses together. */
export function listenAddresses(hosts: readonly string[]): (string | undefined)[] {
  if (hosts.length === 0) return [undefined];
  if (!hosts.includes(EACH_ADDRESS)) return [...hosts];
  return hostList([...hosts.filter((host) => host !== EACH_ADDRESS), ...localAddresses()]);
}

/** Link-local IPv6 addresses mean something only with the interface they belong to. */
function localAddresses(): string[] {
  const addresses: string[] = [];
  for (const [name, entries = []] of Object.entries(networkInterfaces())) {
    for (const { address, family, scopeid } of entries) addresses.push(family === 'IPv6' && scopeid ? `${address}%${name}` : address);
  }
  return addresses;
}
