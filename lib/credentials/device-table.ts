import type { Identity } from '../transport/types';
import { Claims, claimOf, type Revoked, type Touched } from './claims';
import { checkDevices } from './entries';
import { DEVICE_SOURCES, type CheckedDevice, type DeviceEntry, type DeviceFacts, type DeviceSource, type UnknownDevices } from './types';

/** May the peer act for the endpoint; if not, why, and what to do. */
export type Verdict =
  { readonly allowed: true; readonly entry?: DeviceFacts } | { readonly allowed: false; readonly reason: string; readonly hint: string };

/** Two devices of different sources that claim one identity: `endpoint` cannot connect. */
export interface Clash {
  /** What they have in common, in words. */
  readonly what: string;
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

export interface DeviceTableOptions {
  /** Those of the dialog. */
  readonly devices?: readonly DeviceEntry[];
  readonly unknownDevices?: UnknownDevices;
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
  readonly #claims = new Claims();

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
    const touched: Touched = new Map();
    const next = new Set(devices.map(({ entry }) => entry.endpoint));
    for (const endpoint of [...old.keys()]) if (!next.has(endpoint)) this.#change(source, endpoint, undefined, touched);
    for (const device of devices) this.#change(source, device.entry.endpoint, device, touched);
    return this.#claims.revoked(touched);
  }

  /** Adds or replaces one entry; returns as `set` does. Its identity must be unique among those of the source. */
  put(source: DeviceSource, device: CheckedDevice): Revoked[] {
    const touched: Touched = new Map();
    this.#change(source, device.entry.endpoint, device, touched);
    return this.#claims.revoked(touched);
  }

  /** Returns as `set` does. */
  remove(source: DeviceSource, endpoint: string): Revoked[] {
    const touched: Touched = new Map();
    this.#change(source, endpoint, undefined, touched);
    return this.#claims.revoked(touched);
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
    return this.#claims.clashing().flatMap(([winner, ...others]) => {
      if (!winner) return [];
      const { endpoint: holder, source: holderSource, claim } = winner;
      return others.map(({ endpoint, source }) => ({ what: claim.what, endpoint, source, holder, holderSource }));
    });
  }

  /** How many devices can prove who they are: by a pre-shared key, a raw public key, a CA, or one certificate alone. */
  get proofs(): Claims['counts'] {
    return this.#claims.counts;
  }

  /** The pre-shared key of an identity (by its name); undefined when there is none, or its device is disabled. */
  key(identity: string): Uint8Array | undefined {
    return this.#claims.holder(`psk|${identity}`)?.key;
  }

  /** Who has this claim (`Claim.key`); undefined when nobody has, or the device is disabled. */
  holder(claim: string): string | undefined {
    return this.#claims.holder(claim)?.endpoint;
  }

  /** Whether one certificate alone counts for this device. */
  hasCertificate(endpoint: string): boolean {
    return this.get(endpoint)?.fingerprint !== undefined;
  }

  /** What a peer was known by: the key, the one certificate, or no bytes where a CA says it; undefined when it does not count any more. */
  proof(identity: Identity): Uint8Array | undefined {
    switch (identity.mode) {
      case 'none':
        return undefined;
      case 'psk':
      case 'rpk':
        return this.#claims.holder(`${identity.mode}|${identity.name}`)?.key;
      case 'x509': {
        const endpoint = this.endpointOf(identity);
        if (endpoint !== undefined) return this.#effective(endpoint)?.device.key ?? new Uint8Array();
        return this.unknownDevices === 'accept-my-ca' && !this.get(identity.name) ? new Uint8Array() : undefined;
      }
      default:
        return identity.mode satisfies never;
    }
  }

  /** The endpoint that an identity stands for; undefined for one that proves nothing, or nothing of a device that is known. */
  endpointOf(identity: Identity): string | undefined {
    switch (identity.mode) {
      case 'none':
        return undefined;
      case 'psk':
      case 'rpk':
        return this.holder(`${identity.mode}|${identity.name}`);
      case 'x509':
        return namesOf(identity).find((name) => this.#holdsCertificate(name));
      default:
        return identity.mode satisfies never;
    }
  }

  /**
   * The one rule on who may act for an endpoint; register, update, de-register, send and notify all ask it. A peer that
   * proved nothing may act for a device of mode `none`, and for an unknown one when the server accepts those; one that
   * proved an identity for the device of this identity alone; one with a certificate of several names for each device of mode
   * `x509` among them, and for an unknown one when the server accepts those.
   */
  mayActFor(identity: Identity, endpoint: string): Verdict {
    const entry = this.get(endpoint);
    const named = identity.mode === 'x509' && namesOf(identity).includes(endpoint);
    const own = identity.mode === 'x509' ? undefined : this.endpointOf(identity);
    if (own !== undefined && own !== endpoint) {
      return {
        allowed: false,
        reason: 'this endpoint name does not belong to the identity',
        hint: `The identity "${identity.name}" belongs to the device "${own}", which calls itself "${endpoint}". Change the name in the device, or the entry in ${this.#placeOf(own)}.`,
      };
    }
    if (identity.mode === 'x509' && !named) {
      return {
        allowed: false,
        reason: 'this endpoint name is not in the certificate',
        hint: `The certificate is for ${quoted(namesOf(identity))}, but the device calls itself "${endpoint}". Change the name in the device, or give it a certificate with this name.`,
      };
    }
    if (!entry) return this.#unknown(identity, endpoint);
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
    if (identity.mode === 'none' || own === endpoint || (named && this.#holdsCertificate(endpoint))) return { allowed: true, entry };
    return {
      allowed: false,
      reason: 'this identity is not the one of the device',
      hint: `"${endpoint}" came with the identity "${identity.name}"; change the device, or its entry in ${this.#placeOf(endpoint)}.`,
    };
  }

  /** Why an identity that somebody claimed has no key, as a whole sentence. */
  whyUnknown({ mode, name }: Pick<Identity, 'mode' | 'name'>): string {
    for (const source of DEVICE_SOURCES) {
      for (const { entry } of this.#sources[source].values()) {
        if (entry.mode === mode && entry.identity === name && entry.disabled) {
          return `The device "${entry.endpoint}" of this ${mode === 'rpk' ? 'key' : 'identity'} is disabled.`;
        }
      }
    }
    return mode === 'rpk'
      ? 'No device of the table has this public key: add it, or correct the key in the table or in the device.'
      : 'No device of the table has this identity: add it, or correct the identity in the device.';
  }

  #unknown({ mode }: Identity, endpoint: string): Verdict {
    const { unknownDevices } = this;
    if (unknownDevices === 'accept-without-security' && mode === 'none') return { allowed: true };
    if (unknownDevices === 'accept-my-ca' && mode === 'x509') return { allowed: true };
    const setting = mode === 'x509' ? 'accept certificates of my CA' : 'accept without security';
    const hint =
      mode === 'none' && unknownDevices === 'accept-my-ca'
        ? `Only devices with a certificate of a trusted CA are accepted unknown. Add "${endpoint}" to the device table of the server, or give it a certificate.`
        : `Add "${endpoint}" to the device table of the server, or set "Unknown devices" to "${setting}".`;
    return { allowed: false, reason: 'this device is not known', hint };
  }

  /** Whether a certificate can prove to be this device. */
  #holdsCertificate(endpoint: string): boolean {
    const effective = this.#effective(endpoint);
    if (effective?.device.entry.mode !== 'x509') return false;
    const claim = claimOf(effective.device);
    return claim !== undefined && this.holder(claim.key) === endpoint;
  }

  #effective(endpoint: string): { readonly device: CheckedDevice; readonly source: DeviceSource } | undefined {
    for (const source of DEVICE_SOURCES) {
      const device = this.#sources[source].get(endpoint);
      if (device) return { device, source };
    }
    return undefined;
  }

  #listed(source: DeviceSource, endpoint: string): ListedDevice {
    const device = this.#sources[source].get(endpoint)!;
    const { entry } = device;
    const counts = this.#effective(endpoint)?.source;
    if (counts !== undefined && counts !== source) return { ...entry, source, overriddenBy: counts };
    const holder = entry.disabled ? undefined : this.holder(claimOf(device)?.key ?? '');
    return { ...entry, source, ...(holder !== undefined && holder !== endpoint && { clashesWith: holder }) };
  }

  /** `touched` gets who had the claims before that this may concern. */
  #change(source: DeviceSource, endpoint: string, device: CheckedDevice | undefined, touched: Touched): void {
    this.#claim(endpoint, false, touched);
    if (device) this.#sources[source].set(endpoint, device);
    else this.#sources[source].delete(endpoint);
    this.#claim(endpoint, true, touched);
  }

  /** The entry of the device that counts claims what is its own, or gives it up. */
  #claim(endpoint: string, on: boolean, touched: Touched): void {
    const effective = this.#effective(endpoint);
    if (!effective) return;
    const { device, source } = effective;
    const claim = claimOf(device);
    if (claim === undefined || device.entry.disabled) return;
    if (on) this.#claims.take({ endpoint, source, claim, key: device.key }, touched);
    else this.#claims.drop(claim.key, endpoint, touched);
  }

  #placeOf(endpoint: string): string {
    return PLACES[this.#effective(endpoint)?.source ?? 'dialog'];
  }
}

/** A clash as a sentence, with what to do. */
export function clashText({ what, endpoint, source, holder, holderSource }: Clash): string {
  return (
    `The devices "${holder}" (${PLACES[holderSource]}) and "${endpoint}" (${PLACES[source]}) have the same ${what}. ` +
    `"${endpoint}" cannot connect; give each its own.`
  );
}

/** What a peer with a certificate may call itself. */
export function namesOf({ name, aliases = [] }: Identity): readonly string[] {
  return [name, ...aliases];
}

const SHOWN_NAMES = 5;

function quoted(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN_NAMES).map((name) => `"${name}"`);
  return shown.join(', ') + (names.length > SHOWN_NAMES ? ' and others' : '');
}
