import type { Lwm2mVersion } from '../lwm2m/types';
import type { Clock } from '../transport/types';
import { DeviceError, type DeviceEvent } from './types';

export interface DeviceOptions {
  /** 1 to 200 bytes. */
  readonly endpoint: string;
  readonly server: { readonly host: string; readonly port: number };
  /** CoAP over DTLS with a pre-shared key; default plain CoAP. `identity` as text, default the endpoint; `key` as hex digits or `base64:...`. */
  readonly psk?: { readonly identity?: string; readonly key: string };
  /** Seconds, default 300. */
  readonly lifetime?: number;
  /** Default '1.1'. */
  readonly lwm2mVersion?: Lwm2mVersion;
  /** Default 'U'. 'UQ' announces queue mode. */
  readonly binding?: 'U' | 'UQ';
  /** With 'UQ': how long the device listens after it sent or heard something, ms; default always. */
  readonly listenMs?: number;
  /** Default any free port. */
  readonly localPort?: number;
  /** Of the values; default one made of the endpoint name, so that devices differ and each is the same every time. */
  readonly seed?: number;
  /** Used by this device alone (it sets the alarm). Default the real time. */
  readonly clock?: Clock;
  /** How often the values move, in ms; default 1000. */
  readonly tickMs?: number;
  readonly onEvent?: (event: DeviceEvent) => void;
}

/** Throws `DeviceError` BAD_OPTION. */
export function checkOptions(options: Partial<DeviceOptions>): void {
  const { endpoint, server, lifetime = 300, localPort = 0, tickMs = 1000, listenMs = 1000 } = options;
  const bad = (message: string): never => {
    throw new DeviceError('BAD_OPTION', message);
  };
  const { host, port } = server ?? {};
  const bytes = typeof endpoint === 'string' ? Buffer.byteLength(endpoint) : 0;
  if (bytes < 1 || bytes > 200) bad('The endpoint name must have 1 to 200 bytes.');
  if (typeof host !== 'string' || host.trim() === '') bad("The server's host is missing.");
  if (!isWhole(port, 1, 65535)) bad("The server's port must be 1 to 65535.");
  if (!isWhole(lifetime, 1, 0xffffffff)) bad('The lifetime must be a whole number of seconds, 1 or more.');
  if (!isWhole(localPort, 0, 65535)) bad('The local port must be 0 to 65535.');
  if (!isWhole(tickMs, 10, 3_600_000)) bad('tickMs must be 10 to 3600000.');
  if (options.psk && keyOf(options.psk.key) === undefined) {
    bad('The key must be 1 to 64 bytes: hexadecimal digits, two a byte, or "base64:" and base64.');
  }
  if (!isWhole(listenMs, 1, 86_400_000)) bad('listenMs must be 1 to 86400000.');
  if (!['1.0', '1.1', '1.2', undefined].includes(options.lwm2mVersion)) bad('The LwM2M version must be 1.0, 1.1 or 1.2.');
  if (!['U', 'UQ', undefined].includes(options.binding)) bad('The binding must be U or UQ.');
}

const MAX_KEY = 64;

/** The bytes of a key; undefined when it is none. */
export function keyOf(text: unknown): Buffer | undefined {
  if (typeof text !== 'string') return undefined;
  const digits = text.replace(/[\s:]/g, '');
  const key = text.startsWith('base64:')
    ? Buffer.from(text.slice(7), 'base64')
    : Buffer.from(/^([0-9a-f]{2})*$/i.test(digits) ? digits : '', 'hex');
  return key.length >= 1 && key.length <= MAX_KEY ? key : undefined;
}

function isWhole(value: unknown, low: number, high: number): boolean {
  return Number.isInteger(value) && Number(value) >= low && Number(value) <= high;
}

/** A number made of a text (FNV-1a). */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
