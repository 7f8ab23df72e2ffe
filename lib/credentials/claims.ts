import { DEVICE_SOURCES, type CheckedDevice, type DeviceSource, type SecurityMode } from './types';

/** What no two devices may have in common, and what it is called. */
export interface Claim {
  readonly key: string;
  readonly mode: SecurityMode;
  /** As `Identity.name` has it, but for a device with one certificate alone: the fingerprint of that. */
  readonly name: string;
  readonly what: string;
}

/** By what a device is told from others in a handshake; undefined for one without security. */
export function claimOf({ entry: { endpoint, mode, identity, fingerprint } }: CheckedDevice): Claim | undefined {
  switch (mode) {
    case 'none':
      return undefined;
    case 'psk':
      return { key: `psk|${identity ?? ''}`, mode, name: identity ?? '', what: `identity "${identity ?? ''}"` };
    case 'rpk':
      return { key: `rpk|${identity ?? ''}`, mode, name: identity ?? '', what: `public key (SHA-256 ${identity ?? ''})` };
    case 'x509':
      if (fingerprint === undefined) return { key: `x509|${endpoint}`, mode, name: endpoint, what: `name "${endpoint}"` };
      return { key: `certificate|${fingerprint}`, mode, name: fingerprint, what: `certificate (SHA-256 ${fingerprint})` };
    default:
      return mode satisfies never;
  }
}

/** A device that has a claim, or would have it if others had not. */
export interface Holder {
  readonly endpoint: string;
  readonly source: DeviceSource;
  readonly claim: Claim;
  /** Undefined: a trusted CA says that a certificate is this device's. */
  readonly key: Buffer | undefined;
}

/** Who had a claim before a change, by `Claim.key`. */
export type Touched = Map<string, Holder | undefined>;

/** What proved a device and does not count any more. */
export interface Revoked {
  readonly mode: SecurityMode;
  /** `Identity.name`, or one of its aliases. */
  readonly identity: string;
  readonly endpoint: string;
}

type Kind = 'psk' | 'rpk' | 'x509' | 'certificate';

/** Which device has which claim. Of several, at most one of a source, the first in the order of sources has it. */
export class Claims {
  readonly #holders = new Map<string, readonly Holder[]>();
  readonly #clashing = new Set<string>();
  readonly #counts: Record<Kind, number> = { psk: 0, rpk: 0, x509: 0, certificate: 0 };

  /** How many devices can prove who they are: by a pre-shared key, a raw public key, a CA, or one certificate alone. */
  get counts(): Readonly<Record<Kind, number>> {
    return this.#counts;
  }

  /** Who has the claim of this key. */
  holder(key: string): Holder | undefined {
    return this.#holders.get(key)?.[0];
  }

  /** Of each claim that several have, those who have it, the winner first. */
  clashing(): (readonly Holder[])[] {
    return Array.from(this.#clashing, (key) => this.#holders.get(key) ?? []);
  }

  take(holder: Holder, touched: Touched): void {
    const { key } = holder.claim;
    this.#set(key, [...this.#others(key, holder.endpoint), holder], touched);
  }

  drop(key: string, endpoint: string, touched: Touched): void {
    this.#set(key, this.#others(key, endpoint), touched);
  }

  /** What was proof before a change and is not any more. */
  revoked(touched: Touched): Revoked[] {
    const revoked: Revoked[] = [];
    for (const [key, before] of touched) {
      const now = this.holder(key);
      if (before?.endpoint === now?.endpoint && sameBytes(before?.key, now?.key)) continue;
      if (before) revoked.push(revocation(before));
      // From now on one certificate alone counts: what a CA said of this name before does not.
      if (now?.claim.mode === 'x509' && now.key) revoked.push(revocation(now));
    }
    return revoked;
  }

  #others(key: string, endpoint: string): Holder[] {
    return (this.#holders.get(key) ?? []).filter((other) => other.endpoint !== endpoint);
  }

  #set(key: string, holders: Holder[], touched: Touched): void {
    const before = this.#holders.get(key) ?? [];
    if (!touched.has(key)) touched.set(key, before[0]);
    holders.sort((a, b) => DEVICE_SOURCES.indexOf(a.source) - DEVICE_SOURCES.indexOf(b.source));
    this.#counts[key.slice(0, key.indexOf('|')) as Kind] += Math.sign(holders.length) - Math.sign(before.length);
    if (holders.length > 0) this.#holders.set(key, holders);
    else this.#holders.delete(key);
    if (holders.length > 1) this.#clashing.add(key);
    else this.#clashing.delete(key);
  }
}

/** A session by certificate has the name of the device, however the device is told from others. */
function revocation({ endpoint, claim }: Holder): Revoked {
  return { mode: claim.mode, identity: claim.mode === 'x509' ? endpoint : claim.name, endpoint };
}

function sameBytes(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}
