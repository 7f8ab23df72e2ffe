import type { Identity } from '../transport/types';
import { checkDevices } from './entries';
import { DEVICE_SOURCES, type CheckedDevice, type DeviceEntry, type DeviceFacts, type DeviceSource, type UnknownDevices } from './types';

/** May the peer act for the endpoint; if not, why, and what to do. */
export type Verdict =
  { readonly allowed: true; readonly entry?: DeviceFacts } | { readonly allowed: false; readonly reason: string; readonly hint: string };

/** Two devices of different sources that claim one identity: `endpoint` cannot connect. */
export interface Clash {
  readonly identity: string;
  readonly endpoint: string;
  readonly source: DeviceSource;
  readonly holder: string;
  readonly holderSource: DeviceSource;
}

/** One device of the table, without its key. */
export interface ListedDevice extends DeviceFacts {
  readonly source: DeviceSource;
  /** The entry does not count: of the same device there is one in a source that wins. */
  readonly overriddenBy?: DeviceSource;
  /** The device that has the same identity and wins. */
  readonly clashesWith?: string;
}

/** A session that was made with a key that does not count any more. */
export interface Revoked {
  readonly identity: string;
  readonly endpoint: string;
}

export interface DeviceTableOptions {
  /** Those of the dialog. */
  readonly devices?: readonly DeviceEntry[];
  readonly unknownDevices?: UnknownDevices;
}

interface Holder {
  readonly endpoint: string;
  readonly source: DeviceSource;
  readonly key: Buffer;
}

const PLACES: Readonly<Record<DeviceSource, string>> = {
  file: 'the devices file',
  runtime: 'what a flow has added',
  dialog: 'the device table of the server',
};

/**
 * The devices a server knows in advance, by endpoint name and by identity, from several sources: of the same device the entry
 * of the first source counts. A change costs as much as what changes, not as much as there is.
 */
export class DeviceTable {
  unknownDevices: UnknownDevices;
  readonly #sources: Readonly<Record<DeviceSource, Map<string, CheckedDevice>>> = {
    file: new Map(),
    runtime: new Map(),
    dialog: new Map(),
  };
  /** Of each identity the devices that claim it, at most one of a source; the first of them in the order of sources has it. */
  readonly #claims = new Map<string, readonly Holder[]>();
  readonly #clashing = new Set<string>();

  /** Throws `DeviceTableError` naming the entry of `devices` that is wrong. */
  constructor(options: DeviceTableOptions = {}) {
    this.unknownDevices = options.unknownDevices ?? 'refuse';
    this.set('dialog', checkDevices(options.devices ?? []));
  }

  /** Devices, each counted once. */
  get size(): number {
    const { file, runtime, dialog } = this.#sources;
    let size = file.size;
    for (const endpoint of runtime.keys()) if (!file.has(endpoint)) size++;
    for (const endpoint of dialog.keys()) if (!file.has(endpoint) && !runtime.has(endpoint)) size++;
    return size;
  }

  count(source: DeviceSource): number {
    return this.#sources[source].size;
  }

  has(source: DeviceSource, endpoint: string): boolean {
    return this.#sources[source].has(endpoint);
  }

  /** All entries of one source. Returns what their keys proved and do not prove any more. */
  set(source: DeviceSource, devices: readonly CheckedDevice[]): Revoked[] {
    const old = this.#sources[source];
    const touched = new Map<string, Holder | undefined>();
    const next = new Set(devices.map(({ entry }) => entry.endpoint));
    for (const endpoint of [...old.keys()]) if (!next.has(endpoint)) this.#change(source, endpoint, undefined, touched);
    for (const device of devices) this.#change(source, device.entry.endpoint, device, touched);
    return this.#revoked(touched);
  }

  /** Adds or replaces one entry; returns as `set` does. Its identity must be unique among those of the source. */
  put(source: DeviceSource, device: CheckedDevice): Revoked[] {
    const touched = new Map<string, Holder | undefined>();
    this.#change(source, device.entry.endpoint, device, touched);
    return this.#revoked(touched);
  }

  /** Returns as `set` does. */
  remove(source: DeviceSource, endpoint: string): Revoked[] {
    const touched = new Map<string, Holder | undefined>();
    this.#change(source, endpoint, undefined, touched);
    return this.#revoked(touched);
  }

  /** The entry that counts. */
  get(endpoint: string): DeviceFacts | undefined {
    return this.#effective(endpoint)?.device.entry;
  }

  /** All entries of all sources, without keys. */
  list(): ListedDevice[] {
    return DEVICE_SOURCES.flatMap((source) => Array.from(this.#sources[source].keys(), (endpoint) => this.#listed(source, endpoint)));
  }

  /** One entry as `list` has it; undefined when the source has none of this name. */
  listed(source: DeviceSource, endpoint: string): ListedDevice | undefined {
    return this.#sources[source].has(endpoint) ? this.#listed(source, endpoint) : undefined;
  }

  /** Devices that cannot connect because another one has their identity. */
  clashes(): Clash[] {
    return Array.from(this.#clashing).flatMap((identity) => {
      const [winner, ...others] = this.#claims.get(identity) ?? [];
      if (!winner) return [];
      return others.map(({ endpoint, source }) => ({ identity, endpoint, source, holder: winner.endpoint, holderSource: winner.source }));
    });
  }

  /** The key that proves an identity (by its name); undefined when there is none, or its device is disabled. */
  key(identity: string): Uint8Array | undefined {
    return this.#holder(identity)?.key;
  }

  /** The endpoint that an identity stands for; undefined for one that proves nothing. */
  endpointOf(identity: Identity): string | undefined {
    return identity.mode === 'psk' ? this.#holder(identity.name)?.endpoint : undefined;
  }

  /**
   * The one rule on who may act for an endpoint; register, update, de-register, send and notify all ask it. A peer that
   * proved nothing may act for a device of mode `none`, and for an unknown one when the server accepts those; one that
   * proved an identity for the device of this identity alone.
   */
  mayActFor(identity: Identity, endpoint: string): Verdict {
    const entry = this.get(endpoint);
    const own = this.endpointOf(identity);
    if (own !== undefined && own !== endpoint) {
      return {
        allowed: false,
        reason: 'this endpoint name does not belong to the identity',
        hint: `The identity "${identity.name}" belongs to the device "${own}", which calls itself "${endpoint}". Change the name in the device, or the entry in ${this.#placeOf(own)}.`,
      };
    }
    if (!entry) {
      if (this.unknownDevices === 'accept-without-security' && identity.mode === 'none') return { allowed: true };
      return {
        allowed: false,
        reason: 'this device is not known',
        hint: `Add "${endpoint}" to the device table of the server, or set "Unknown devices" to "accept without security".`,
      };
    }
    if (entry.disabled) {
      return { allowed: false, reason: 'this device is disabled', hint: `Enable "${endpoint}" in ${this.#placeOf(endpoint)}.` };
    }
    if (entry.mode !== identity.mode) {
      return {
        allowed: false,
        reason: `this device must use security mode ${entry.mode}`,
        hint: `"${endpoint}" came with security mode ${identity.mode}; change the device, or its entry in ${this.#placeOf(endpoint)}.`,
      };
    }
    if (identity.mode === 'psk' && own !== endpoint) {
      return {
        allowed: false,
        reason: 'this identity is not the one of the device',
        hint: `"${endpoint}" came with the identity "${identity.name}"; change the device, or its entry in ${this.#placeOf(endpoint)}.`,
      };
    }
    return { allowed: true, entry };
  }

  /** Why an identity that somebody claimed has no key, as a whole sentence. */
  whyUnknown(identity: string): string {
    for (const source of DEVICE_SOURCES) {
      for (const { entry } of this.#sources[source].values()) {
        if (entry.identity === identity && entry.disabled) return `The device "${entry.endpoint}" of this identity is disabled.`;
      }
    }
    return 'No device of the table has this identity: add it, or correct the identity in the device.';
  }

  #effective(endpoint: string): { readonly device: CheckedDevice; readonly source: DeviceSource } | undefined {
    for (const source of DEVICE_SOURCES) {
      const device = this.#sources[source].get(endpoint);
      if (device) return { device, source };
    }
    return undefined;
  }

  #holder(identity: string): Holder | undefined {
    return this.#claims.get(identity)?.[0];
  }

  #listed(source: DeviceSource, endpoint: string): ListedDevice {
    const { entry } = this.#sources[source].get(endpoint)!;
    const counts = this.#effective(endpoint)?.source;
    if (counts !== undefined && counts !== source) return { ...entry, source, overriddenBy: counts };
    const holder = entry.identity === undefined || entry.disabled ? undefined : this.#holder(entry.identity);
    return { ...entry, source, ...(holder && holder.endpoint !== endpoint && { clashesWith: holder.endpoint }) };
  }

  /** `touched` gets who had the identities before that this may concern. */
  #change(source: DeviceSource, endpoint: string, device: CheckedDevice | undefined, touched: Map<string, Holder | undefined>): void {
    this.#claim(endpoint, false, touched);
    if (device) this.#sources[source].set(endpoint, device);
    else this.#sources[source].delete(endpoint);
    this.#claim(endpoint, true, touched);
  }

  /** The entry of the device that counts claims its identity, or gives it up. */
  #claim(endpoint: string, on: boolean, touched: Map<string, Holder | undefined>): void {
    const effective = this.#effective(endpoint);
    if (!effective) return;
    const { device, source } = effective;
    const { identity, disabled } = device.entry;
    if (identity === undefined || !device.key || disabled) return;
    const claims = this.#claims.get(identity) ?? [];
    if (!touched.has(identity)) touched.set(identity, claims[0]);
    const others = claims.filter((claim) => claim.endpoint !== endpoint);
    const next = on ? [...others, { endpoint, source, key: device.key }] : others;
    next.sort((a, b) => DEVICE_SOURCES.indexOf(a.source) - DEVICE_SOURCES.indexOf(b.source));
    if (next.length > 0) this.#claims.set(identity, next);
    else this.#claims.delete(identity);
    if (next.length > 1) this.#clashing.add(identity);
    else this.#clashing.delete(identity);
  }

  #revoked(touched: ReadonlyMap<string, Holder | undefined>): Revoked[] {
    const revoked: Revoked[] = [];
    for (const [identity, before] of touched) {
      const now = this.#holder(identity);
      if (before && (now?.endpoint !== before.endpoint || !now.key.equals(before.key)))
        revoked.push({ identity, endpoint: before.endpoint });
    }
    return revoked;
  }

  #placeOf(endpoint: string): string {
    return PLACES[this.#effective(endpoint)?.source ?? 'dialog'];
  }
}

/** A clash as a sentence, with what to do. */
export function clashText({ identity, endpoint, source, holder, holderSource }: Clash): string {
  return (
    `The devices "${holder}" (${PLACES[holderSource]}) and "${endpoint}" (${PLACES[source]}) have the same identity "${identity}". ` +
    `"${endpoint}" cannot connect; give each its own.`
  );
}
