import type { UnknownDevices } from '../../lib/index';
import { applySteps, withDefaults } from '../shared/migrate';
import type { Settings, Step } from '../shared/migrate';

/** A row of the dialog's device table, as it is saved: fields may be blank. */
export interface DeviceRow {
  readonly endpoint?: unknown;
  /** `none`, `psk`, `rpk` or `x509`. */
  readonly mode?: unknown;
  readonly identity?: unknown;
  /** The name of the credential that is the key. */
  readonly slot?: unknown;
  /** Of mode `rpk`: the public key; of mode `x509`: the one certificate, or blank. Both may be known to all. */
  readonly publicKey?: unknown;
  readonly certificate?: unknown;
  readonly name?: unknown;
  readonly timeout?: unknown;
  /** The name of the device's profile; blank or not there: as the profiles say. */
  readonly profile?: unknown;
  readonly disabled?: unknown;
}

/** The settings of version 7. Numbers may be text: they come from input fields or environment variables. */
export interface ServerSettings {
  readonly version: number;
  readonly name: string;
  readonly port: number | string;
  /** One or more, separated by commas; blank = all addresses. */
  readonly host: string;
  readonly unknownDevices: UnknownDevices;
  readonly devices: readonly DeviceRow[];
  readonly devicesFile: string;
  readonly receiveBuffer: number | string;
  readonly timeout: number | string;
  /** Seconds between two `stats` events; blank or 0 = none. */
  readonly statsInterval: number | string;
  /** Of devices in queue mode, see `QueueSettings`; blank = its default. */
  readonly awakeWindow: number | string;
  readonly awakeParameter: string;
  readonly queueTtl: number | string;
  readonly queueLimit: number | string;
  readonly replaceWrites: boolean;
  /** Of CoAP over DTLS; blank = none. */
  readonly securePort: number | string;
  readonly keyLogFile: string;
  /** The id of a tls-config node, whose key, certificate and CA are used as well; blank = none. */
  readonly tls: string;
  /** PEM, or the name of a file with PEM in it. The key they belong to is a credential, `serverKey`. */
  readonly serverCertificate: string;
  readonly trustAnchors: string;
  /** Which names in certificates are endpoint names; blank: all. */
  readonly certificateNames: string;
  /** Whether a device that registers anew is asked again for what it observed. */
  readonly observeAgain: boolean;
  /** Whether `log` events tell what goes to and fro. */
  readonly transportLog: boolean;
}

const steps: Step[] = [
  (settings: Settings) =>
    withDefaults(settings, {
      name: '',
      port: 5683,
      host: '',
      unknownDevices: 'refuse',
      devices: [],
      devicesFile: '',
      receiveBuffer: '',
      timeout: '',
    }),
  (settings: Settings) => withDefaults(settings, { statsInterval: '' }),
  (settings: Settings) =>
    withDefaults(settings, { awakeWindow: '', awakeParameter: '', queueTtl: '', queueLimit: '', replaceWrites: false }),
  // A server from before does not open a port that nobody asked for.
  (settings: Settings) => withDefaults(settings, { securePort: '', keyLogFile: '' }),
  (settings: Settings) => withDefaults(settings, { observeAgain: true }),
  (settings: Settings) => withDefaults(settings, { tls: '', serverCertificate: '', trustAnchors: '', certificateNames: '' }),
  (settings: Settings) => withDefaults(settings, { transportLog: true }),
];

/** The settings in their present version, whatever version was saved. */
export function migrate(settings: object): ServerSettings {
  return applySteps(settings as Settings, steps) as unknown as ServerSettings;
}
