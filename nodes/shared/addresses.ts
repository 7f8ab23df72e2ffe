/** The local addresses of a server, as its dialog says them; used by the editor and at run time. */

/** The field's parts, which commas separate; empty = all addresses. */
export function addresses(field: unknown): string[] {
  const parts = typeof field === 'string' ? field.split(',') : [];
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

/** Whether no two servers with these addresses can have the same port. */
export function collide(a: readonly string[], b: readonly string[]): boolean {
  return coversAll(a) || coversAll(b) || a.some((address) => b.includes(address));
}

function coversAll(list: readonly string[]): boolean {
  return list.length === 0 || list.some((address) => address === '*each' || address === '::' || address === '0.0.0.0');
}
