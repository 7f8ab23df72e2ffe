import { claimOf, type Revoked } from './claims';
import { DeviceTable, clashText, type ListedDevice } from './device-table';
import { checkDevice, checkDevices, DeviceTableError, MAX_DEVICES } from './entries';
import { STRONG_KEY_BYTES } from './psk';
import type { CheckedDevice, DeviceEntry, UnknownDevices } from './types';

export type CredentialsErrorCode =
  /** The entry makes no sense. */
  | 'BAD_ENTRY'
  /** `add`: the device is there already. */
  | 'EXISTS'
  /** `replace`, `remove`: there is no such device among those added at run time. */
  | 'UNKNOWN_ENDPOINT'
  /** Another device has this identity. */
  | 'IDENTITY_TAKEN'
  | 'TOO_MANY'
  | 'CLOSED';

/** Why a device was not added, replaced or removed; the text has no key in it. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError';
  readonly code: CredentialsErrorCode;

  constructor(code: CredentialsErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Where devices added at run time outlast the process; upper floors implement it, and seal what they write. */
export interface DeviceKeeper {
  put(endpoint: string, bytes: Uint8Array): void;
  remove(endpoint: string): void;
}

/** What the dialog says. */
export interface DialogDevices {
  readonly devices: readonly DeviceEntry[];
  readonly unknownDevices: UnknownDevices;
}

export interface CredentialsOptions extends DialogDevices {
  readonly file?: readonly CheckedDevice[];
  readonly keeper?: DeviceKeeper;
  /** The table has changed, in one device or in many; what the revoked were proven by does not count any more. */
  readonly onChange: (revoked: readonly Revoked[], endpoint?: string) => void;
  /** Hears of clashes and weak keys, each once, in plain words. */
  readonly onNotice: (text: string) => void;
}

/** The devices of the three sources as one table: file over run time over dialog. */
export class Credentials {
  readonly table: DeviceTable;
  readonly #options: CredentialsOptions;
  /** Told already, and still so. */
  readonly #told = new Set<string>();

  /** Throws `DeviceTableError` on a dialog that makes no sense. */
  constructor(options: CredentialsOptions) {
    this.#options = options;
    this.table = new DeviceTable(options);
    if (options.file) this.table.set('file', options.file);
  }

  /** What was kept of devices added at run time; damaged entries are left out. Tells nobody of a change. */
  restore(kept: Iterable<Uint8Array>): void {
    for (const bytes of kept) {
      const device = decode(bytes);
      if (device) this.table.put('runtime', device);
    }
  }

  /** Throws `DeviceTableError`; then nothing has changed. */
  setDialog({ devices, unknownDevices }: DialogDevices): void {
    const checked = checkDevices(devices);
    this.table.unknownDevices = unknownDevices;
    this.#changed(this.table.set('dialog', checked));
  }

  setFile(devices: readonly CheckedDevice[]): void {
    this.#changed(this.table.set('file', devices));
  }

  /** Throws `CredentialsError`. Returns the device as it is listed from now on. */
  add(value: unknown): ListedDevice {
    const device = check(value);
    const { endpoint } = device.entry;
    if (this.table.has('runtime', endpoint)) {
      throw new CredentialsError('EXISTS', `The device "${endpoint}" is there already. Replace it, or remove it first.`);
    }
    if (this.table.count('runtime') >= MAX_DEVICES) throw new CredentialsError('TOO_MANY', `${MAX_DEVICES} devices are the most.`);
    return this.#put(device);
  }

  /** Throws `CredentialsError`. What it does not name is not kept. */
  replace(value: unknown): ListedDevice {
    const device = check(value);
    const { endpoint } = device.entry;
    if (!this.table.has('runtime', endpoint)) throw unknown(endpoint);
    return this.#put(device);
  }

  /** Throws `CredentialsError`. */
  remove(endpoint: string): void {
    if (!this.table.has('runtime', endpoint)) throw unknown(endpoint);
    this.#options.keeper?.remove(endpoint);
    this.#options.onChange(this.table.remove('runtime', endpoint), endpoint);
  }

  /** Tells of clashes and weak keys that were not told of. */
  announce(): void {
    const texts = new Set(this.table.clashes().map(clashText));
    for (const { endpoint, mode, identity } of this.table.list()) {
      const key = mode === 'psk' && identity !== undefined ? this.table.key(identity) : undefined;
      if (key && key.length < STRONG_KEY_BYTES) texts.add(weakText(endpoint, key.length));
    }
    for (const text of texts) if (!this.#told.has(text)) this.#options.onNotice(text);
    this.#told.clear();
    for (const text of texts) this.#told.add(text);
  }

  #put(device: CheckedDevice): ListedDevice {
    const { entry, key } = device;
    const { endpoint, mode } = entry;
    const claim = claimOf(device);
    const holder = claim && this.table.holder(claim.key);
    if (claim && holder !== undefined && holder !== endpoint) {
      throw new CredentialsError('IDENTITY_TAKEN', `The device "${holder}" has the ${claim.what} already. Give each its own.`);
    }
    this.#options.keeper?.put(endpoint, encode(device));
    this.#options.onChange(this.table.put('runtime', device), endpoint);
    if (mode === 'psk' && key && key.length < STRONG_KEY_BYTES) this.#options.onNotice(weakText(endpoint, key.length));
    return this.table.listed('runtime', endpoint) ?? { ...entry, source: 'runtime' };
  }

  #changed(revoked: readonly Revoked[]): void {
    this.#options.onChange(revoked);
    this.announce();
  }
}

function weakText(endpoint: string, bytes: number): string {
  return (
    `The key of "${endpoint}" has only ${bytes} bytes. Whoever records a handshake can find it by trying; ` +
    `${STRONG_KEY_BYTES} random bytes are the least that is safe.`
  );
}

function check(value: unknown): CheckedDevice {
  try {
    return checkDevice(value, 'The device');
  } catch (error) {
    if (error instanceof DeviceTableError) throw new CredentialsError('BAD_ENTRY', error.message);
    throw error;
  }
}

function unknown(endpoint: string): CredentialsError {
  return new CredentialsError('UNKNOWN_ENDPOINT', `No device "${endpoint}" was added at run time.`);
}

/** Under which name an entry has what proves it. */
const KEY_FIELDS = { none: 'key', psk: 'key', rpk: 'publicKey', x509: 'certificate' } as const;

function encode({ entry, key }: CheckedDevice): Buffer {
  return Buffer.from(JSON.stringify({ ...entry, ...(key && { [KEY_FIELDS[entry.mode]]: key.toString('hex') }) }), 'utf8');
}

function decode(bytes: Uint8Array): CheckedDevice | undefined {
  try {
    return checkDevice(JSON.parse(Buffer.from(bytes).toString('utf8')), 'The device');
  } catch {
    return undefined;
  }
}
