import type { Identity } from '../transport/types';

/** How a device proves who it is: not at all, by a pre-shared key, by a raw public key (RFC 7250), by a certificate. */
export type SecurityMode = Identity['mode'];

/** One device the server knows in advance. Later work adds formats and block size. */
export interface DeviceEntry {
  readonly endpoint: string;
  readonly mode: SecurityMode;
  /**
   * Mode `psk`: what the device calls itself in the handshake; default its endpoint. Bytes that are no text as `hex:` and digits.
   * In a list also of mode `rpk`: the SHA-256 of its public key in hex.
   */
  readonly identity?: string;
  /** Mode `psk`: hexadecimal digits, or `base64:` and base64, or the bytes. Never given back. */
  readonly key?: string | Uint8Array;
  /** Mode `rpk`: the SubjectPublicKeyInfo of the device: PEM, or DER in base64, in hexadecimal digits or as bytes. P-256 or P-384. */
  readonly publicKey?: string | Uint8Array;
  /**
   * Mode `x509`: the one certificate that counts: PEM, or DER in base64, in hexadecimal digits or as bytes. Without it any
   * certificate counts that a trusted CA has signed and that names the endpoint.
   */
  readonly certificate?: string | Uint8Array;
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
  /** The name of the profile it has, whatever its endpoint name; unknown ones do not count. */
  readonly profile?: string;
}

/** An entry as it may be shown. */
export type DeviceFacts = Omit<DeviceEntry, 'key' | 'publicKey' | 'certificate'> & {
  /** Mode `x509`: SHA-256 of its one certificate, in hex. */
  readonly fingerprint?: string;
};

/** An entry that was found right, and apart from it what proves it: the pre-shared key, or in DER the public key or the one certificate. */
export interface CheckedDevice {
  readonly entry: DeviceFacts;
  readonly key: Buffer | undefined;
}

/** Where an entry comes from; the first wins. */
export const DEVICE_SOURCES = ['file', 'runtime', 'dialog'] as const;
export type DeviceSource = (typeof DEVICE_SOURCES)[number];

/** What happens to a device that is not in the table. */
export type UnknownDevices = 'refuse' | 'accept-without-security' | 'accept-my-ca';
