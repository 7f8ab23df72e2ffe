/**
 * Over what the suites of CoAP and of the server run: `LWM2M_TEST_SCHEME=coaps` puts DTLS with pre-shared keys and connection IDs
 * between the virtual network and the CoAP endpoint. The tests are the same.
 */
import { createHash } from 'node:crypto';
import { DeviceTable, type DeviceTableOptions } from '../../lib/credentials/device-table';
import type { DeviceEntry } from '../../lib/credentials/types';
import type { Identity } from '../../lib/transport/types';

export const COAPS = process.env['LWM2M_TEST_SCHEME'] === 'coaps';

/** Of all devices of these tests. */
export const KEY = Buffer.from('101112131415161718191a1b1c1d1e1f', 'hex');

/** The PSK identity of a device: its endpoint name where that is not too long for one. */
export function pskIdentityOf(endpoint: string): string {
  return Buffer.byteLength(endpoint) <= 128 ? endpoint : `long ${createHash('sha256').update(endpoint).digest('hex')}`;
}

/** What a device of this name proves to be. */
export function identityOf(endpoint: string): Identity {
  return COAPS ? { scheme: 'coaps', mode: 'psk', name: pskIdentityOf(endpoint) } : { scheme: 'coap', mode: 'none', name: '' };
}

/** The same device with a key where it has one in these tests. */
export function entryOf(entry: DeviceEntry): DeviceEntry {
  return COAPS && entry.mode === 'none' ? { ...entry, mode: 'psk', identity: pskIdentityOf(entry.endpoint), key: KEY } : entry;
}

/** A device table of such entries. */
export function deviceTable(options: DeviceTableOptions = {}): DeviceTable {
  const { devices, ...others } = options;
  return new DeviceTable({ ...others, ...(devices && { devices: devices.map(entryOf) }) });
}

/** `it` for what is about plain CoAP itself, and does not run over DTLS; `why` says what makes it so. */
export function plainOnly(why: string): (title: string, test?: Mocha.Func | Mocha.AsyncFunc) => void {
  if (why === '') throw new Error('a test that does not run over DTLS needs a reason');
  return (title, test) => {
    if (!COAPS) it(title, test as Mocha.Func);
  };
}
