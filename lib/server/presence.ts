import type { DeviceEntry } from '../credentials/types';
import type { Registration } from './types';

/** How a server treats devices that sleep; times in ms. */
export interface QueueSettings {
  /** How long a device in queue mode listens after it was heard. */
  readonly awakeWindow: number;
  /** The name of a registration parameter that says so in seconds; '' for none. */
  readonly awakeParameter: string;
  /** How long a command waits for its device, when it does not say. */
  readonly queueTtl: number;
  /** Commands waiting for one device at most; one more fails with BUSY. */
  readonly queueLimit: number;
  /** The same of all devices together. */
  readonly queueTotal: number;
  /** Whether a newer write to the same path takes the place of one that waits. */
  readonly replaceWrites: boolean;
}

/** MAX_TRANSMIT_WAIT of RFC 7252 4.8.2 (Transport TS 1.1 6.5), a day, and as many commands as other products keep. */
export const DEFAULT_QUEUE: QueueSettings = {
  awakeWindow: 93_000,
  awakeParameter: '',
  queueTtl: 86_400_000,
  queueLimit: 100,
  queueTotal: 100_000,
  replaceWrites: false,
};

/** A day: who listens longer than that needs no queue. */
export const MAX_AWAKE = 86_400_000;
/** Thirty days. */
export const MAX_TTL = 2_592_000_000;

const LIMITS: readonly (readonly [Exclude<keyof QueueSettings, 'awakeParameter' | 'replaceWrites'>, number, number])[] = [
  ['awakeWindow', 1, MAX_AWAKE],
  ['queueTtl', 0, MAX_TTL],
  ['queueLimit', 0, 10_000],
  ['queueTotal', 0, 10_000_000],
];

/** The settings with what is missing. Throws RangeError naming the one that makes no sense. */
export function queueSettings(settings: Partial<QueueSettings> = {}): QueueSettings {
  const all = { ...DEFAULT_QUEUE, ...settings };
  for (const [name, least, most] of LIMITS) {
    if (!(all[name] >= least && all[name] <= most)) throw new RangeError(`${name} must be a number from ${least} to ${most}`);
  }
  return all;
}

/**
 * How long a device listens after it was heard, ms: as its entry in the device table says, else the parameter of its
 * registration, else the server.
 */
export function awakeWindow({ extra }: Registration, entry: DeviceEntry | undefined, settings: QueueSettings): number {
  if (entry?.awakeWindow !== undefined) return entry.awakeWindow;
  const name = settings.awakeParameter;
  const said = name !== '' && Object.hasOwn(extra, name) ? (extra[name] ?? '') : '';
  const seconds = /^\d{1,6}(?:\.\d{1,3})?$/.test(said) ? Number(said) : 0;
  return seconds > 0 ? Math.min(seconds * 1000, MAX_AWAKE) : settings.awakeWindow;
}
