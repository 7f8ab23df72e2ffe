/** How a device proves who it is. */
export type SecurityMode = 'none' | 'psk';

/** One device the server knows in advance. Later work adds formats, block size, profile. */
export interface DeviceEntry {
  readonly endpoint: string;
  readonly mode: SecurityMode;
  /** Mode `psk`: what the device calls itself in the handshake; default its endpoint. Bytes that are no text as `hex:` and digits. */
  readonly identity?: string;
  /** Mode `psk`: hexadecimal digits, or `base64:` and base64, or the bytes. Never given back. */
  readonly key?: string | Uint8Array;
  /** A word for people. */
  readonly name?: string;
  /** Milliseconds to wait for this device's answers, instead of the server's setting. */
  readonly timeout?: number;
  /** How long the device listens after it was heard, ms; with PSM its active timer (T3324), with eDRX its paging time window. */
  readonly awakeWindow?: number;
  /**
   * The device uses eDRX with this cycle, ms: the network holds one message until it listens next. So the first waiting
   * command is sent although the device sleeps, and again once a cycle until it answers. `timeout` should be longer than this.
   */
  readonly edrxCycle?: number;
  readonly disabled?: boolean;
}

/** An entry as it may be shown. */
export type DeviceFacts = Omit<DeviceEntry, 'key'>;

/** An entry that was found right, and its key apart from it. */
export interface CheckedDevice {
  readonly entry: DeviceFacts;
  readonly key: Buffer | undefined;
}

/** Where an entry comes from; the first wins. */
export const DEVICE_SOURCES = ['file', 'runtime', 'dialog'] as const;
export type DeviceSource = (typeof DEVICE_SOURCES)[number];

/** What happens to a device that is not in the table. */
export type UnknownDevices = 'refuse' | 'accept-without-security';
