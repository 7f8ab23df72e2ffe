import { readFileSync } from 'node:fs';
import type { Identity } from '../transport/types';
import type { DeviceEntry, UnknownDevices } from './types';

/** May the peer act for the endpoint; if not, why, and what to do. */
export type Verdict =
  { readonly allowed: true; readonly entry?: DeviceEntry } | { readonly allowed: false; readonly reason: string; readonly hint: string };

/** A device entry, or a file of them, that makes no sense. */
export class DeviceTableError extends Error {
  readonly code = 'BAD_DEVICE_TABLE';
}

/** More than any dialog or file of one gateway should hold; a bound against a wrong file. */
const MAX_DEVICES = 200_000;
const MAX_NAME = 255;

/** The devices a server knows in advance, by endpoint name. */
export class DeviceTable {
  readonly #entries = new Map<string, DeviceEntry>();
  readonly #unknownDevices: UnknownDevices;

  /** Throws `DeviceTableError` naming the entry that is wrong. */
  constructor(options: { devices?: readonly DeviceEntry[]; unknownDevices?: UnknownDevices }) {
    this.#unknownDevices = options.unknownDevices ?? 'refuse';
    for (const device of options.devices ?? []) this.add(device);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(endpoint: string): DeviceEntry | undefined {
    return this.#entries.get(endpoint);
  }

  add(device: DeviceEntry): void {
    const entry = checkEntry(device, this.#entries.size + 1);
    if (this.#entries.has(entry.endpoint)) throw new DeviceTableError(`The device "${entry.endpoint}" is in the table twice.`);
    if (this.#entries.size >= MAX_DEVICES) throw new DeviceTableError(`The device table holds at most ${MAX_DEVICES} devices.`);
    this.#entries.set(entry.endpoint, entry);
  }

  /**
   * The one rule on who may act for an endpoint; register, update, de-register, send and notify all ask it. A peer that
   * proved nothing may act for a device of mode `none`, and for an unknown one when the server accepts those.
   */
  mayActFor(identity: Identity, endpoint: string): Verdict {
    const entry = this.#entries.get(endpoint);
    if (!entry) {
      if (this.#unknownDevices === 'accept-without-security' && identity.mode === 'none') return { allowed: true };
      return {
        allowed: false,
        reason: 'this device is not known',
        hint: `Add "${endpoint}" to the device table of the server, or set "Unknown devices" to "accept without security".`,
      };
    }
    if (entry.disabled) {
      return { allowed: false, reason: 'this device is disabled', hint: `Enable "${endpoint}" in the device table of the server.` };
    }
    if (entry.mode !== identity.mode) {
      return {
        allowed: false,
        reason: `this device must use security mode ${entry.mode}`,
        hint: `"${endpoint}" came with security mode ${identity.mode}; change the device, or its entry in the device table.`,
      };
    }
    return { allowed: true, entry };
  }
}

/** Reads a JSON file: an array of entries, or `{ "devices": [...] }`. Throws `DeviceTableError`. */
export function readDevicesFile(file: string): DeviceEntry[] {
  let content: unknown;
  try {
    // Some editors begin a file with a byte order mark.
    content = JSON.parse(readFileSync(file, 'utf8').replace(/^\ufeff/, ''));
  } catch (error) {
    throw new DeviceTableError(`The devices file "${file}" cannot be read: ${(error as Error).message}`);
  }
  const list = isRecord(content) ? content['devices'] : content;
  if (!Array.isArray(list))
    throw new DeviceTableError(`The devices file "${file}" must hold an array of devices, or { "devices": [ ... ] }.`);
  return list.map((entry, index) => checkEntry(entry, index + 1));
}

/** Takes over what belongs to an entry and refuses what cannot be right. */
function checkEntry(value: unknown, position: number): DeviceEntry {
  const fail = (problem: string): never => {
    throw new DeviceTableError(`Device ${position} of the table: ${problem}. It should look like {"endpoint":"my-device","mode":"none"}.`);
  };
  if (!isRecord(value)) return fail('it is not an object');
  const { endpoint, mode = 'none', name, timeout, disabled } = value;
  if (typeof endpoint !== 'string' || endpoint === '' || endpoint.length > MAX_NAME) return fail('"endpoint" must be a text');
  if (mode !== 'none') return fail('"mode" must be "none": other security modes are not there yet');
  if (name !== undefined && typeof name !== 'string') return fail('"name" must be a text');
  if (timeout !== undefined && !(typeof timeout === 'number' && timeout >= 1 && timeout <= 86_400_000)) {
    return fail('"timeout" must be milliseconds, 1 to 86400000');
  }
  return {
    endpoint,
    mode,
    ...(name !== undefined && { name }),
    ...(timeout !== undefined && { timeout }),
    ...(disabled === true && { disabled }),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
