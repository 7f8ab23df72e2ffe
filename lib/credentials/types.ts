/** One device the server knows in advance. Later work adds keys, formats, block size, awake window, profile. */
export interface DeviceEntry {
  readonly endpoint: string;
  /** How the device must prove who it is. */
  readonly mode: 'none';
  /** A word for people. */
  readonly name?: string;
  /** Milliseconds to wait for this device's answers, instead of the server's setting. */
  readonly timeout?: number;
  readonly disabled?: boolean;
}

/** What happens to a device that is not in the table. */
export type UnknownDevices = 'refuse' | 'accept-without-security';
