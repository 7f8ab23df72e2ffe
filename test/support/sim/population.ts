import { createRandom } from '../random';
import type { VirtualClock } from '../virtual-clock';
import { addressKey, type Address, type VirtualNetwork } from '../virtual-network';
import { SimDevice } from './device';
import { TEXT, TLV } from './objects';

export interface PopulationOptions {
  readonly count: number;
  readonly network: VirtualNetwork;
  readonly clock: VirtualClock;
  readonly server: Address;
  readonly seed?: number;
  /** Seconds; default 300. */
  readonly lifetime?: number;
  /** Milliseconds between two measurements of one device; default 10 000, 0 = none. */
  readonly measureEvery?: number;
  /** Measurements of each device; default 10, at most 63. */
  readonly measurements?: number;
}

/** A crowd of scripted devices. */
export interface Population {
  readonly devices: readonly SimDevice[];
  /** The device with this endpoint name; throws when there is none. */
  device(endpoint: string): SimDevice;
  /** Lets all devices register, spread over `ms`. */
  start(ms: number): void;
  count(predicate: (device: SimDevice) => boolean): number;
  close(): void;
}

/** Devices with an IPv4 address, an IPv6 address, or several behind one address; half speak LwM2M 1.0, half 1.1; half answer text, half TLV. */
export function createPopulation(options: PopulationOptions): Population {
  const random = createRandom(options.seed ?? 1);
  const devices: SimDevice[] = [];
  const byEndpoint = new Map<string, SimDevice>();
  for (let index = 0; index < options.count; index += 1) {
    const device = new SimDevice({
      index,
      network: options.network,
      clock: options.clock,
      random: random.fork(),
      at: addressOf(index),
      server: options.server,
      lwm2m: index % 2 === 0 ? '1.0' : '1.1',
      lifetime: options.lifetime ?? 300,
      preferred: index % 4 < 2 ? TEXT : TLV,
      measureEvery: options.measureEvery ?? 10_000,
      measurements: options.measurements ?? 10,
    });
    devices.push(device);
    byEndpoint.set(device.endpoint, device);
  }
  return {
    devices,
    device: (endpoint) => {
      const device = byEndpoint.get(endpoint);
      if (device === undefined) throw new Error(`no device ${endpoint}`);
      return device;
    },
    start: (ms) => {
      for (const device of devices) options.clock.after(random.int(Math.max(1, ms)), () => device.register());
    },
    count: (predicate) => devices.filter(predicate).length,
    close: () => devices.forEach((device) => device.close()),
  };
}

/** Three kinds of place, so that neither the address nor the port alone tells devices apart. */
function addressOf(index: number): Address {
  const low = index & 0xff;
  const high = index >> 8;
  switch (index % 3) {
    case 0:
      return { address: `198.18.${high & 0xff}.${low}`, port: 5683 };
    case 1:
      return { address: `2001:db8::${(index + 1).toString(16)}`, port: 5683 };
    default:
      return { address: '203.0.113.7', port: 20_000 + (index % 40_000) };
  }
}

/** The address of a device as the server sees it. */
export function deviceKey(device: SimDevice): string {
  return addressKey(device.address.address, device.address.port);
}
