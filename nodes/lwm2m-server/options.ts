import type { DeviceEntry, Lwm2mServerOptions, ServerKeySettings, UnknownDevices } from '../../lib/index';
import { numberField, textField } from '../shared/fields';
import { addresses } from '../shared/addresses';
import type { DeviceRow, ServerSettings } from './migrations';

const maxPort = 65535;
const maxBuffer = 2 ** 30;
/** The longest time one timer can wait, in milliseconds. */
const maxTimeout = 2 ** 31 - 1;
/** A day, in seconds. */
const maxStatsInterval = 86_400;
/** A day, in milliseconds. */
const maxAwakeWindow = 86_400_000;
/** Thirty days. */
const maxQueueTtl = 2_592_000_000;
const maxQueueLimit = 10_000;
const defaultPort = 5683;
const UNKNOWN: readonly UnknownDevices[] = ['refuse', 'accept-without-security', 'accept-my-ca'];

export type ServerOptions = Lwm2mServerOptions & { readonly name: string; readonly port: number; readonly host?: readonly string[] };

/** What Node-RED keeps of the node apart from the flow: keys by the names of their places. */
export type ServerCredentials = Readonly<Record<string, unknown>>;

/** What a tls-config node of Node-RED holds. */
export interface TlsNode {
  /** False when it has not got what it is to have. */
  readonly valid?: boolean;
  readonly key?: Uint8Array | string;
  readonly cert?: Uint8Array | string;
  readonly ca?: Uint8Array | string;
  readonly credentials?: { readonly passphrase?: unknown };
}

/**
 * A tls-config node reads its files once. Given its own settings (`def`), what came from files becomes their names, so that they are read
 * again when they change; but not where a name is made of environment variables.
 */
export function tlsWithFiles(node: TlsNode, def: Readonly<Record<string, unknown>> = {}): TlsNode {
  const of = (name: 'key' | 'cert' | 'ca'): TlsNode => {
    const [content, file] = [node[name], textField(def[name])];
    const watched = content !== undefined && typeof content !== 'string' && file !== '' && !file.includes('$');
    return content === undefined ? {} : { [name]: watched ? file : content };
  };
  return { ...of('key'), ...of('cert'), ...of('ca'), ...(node.credentials && { credentials: node.credentials }) };
}

/** What the dialog says as options for the library. Throws an Error in plain words for a setting that cannot be meant. */
export function serverOptions(settings: ServerSettings, credentials: ServerCredentials = {}, tls?: TlsNode): ServerOptions {
  const port = numberField(settings.port, 'port', 0, maxPort) ?? defaultPort;
  const host = addresses(settings.host);
  const devicesFile = textField(settings.devicesFile);
  const receiveBuffer = numberField(settings.receiveBuffer, 'receiveBuffer', 1, maxBuffer);
  const timeout = numberField(settings.timeout, 'timeout', 1, maxTimeout);
  const statsInterval = numberField(settings.statsInterval, 'statsInterval', 0, maxStatsInterval);
  const awakeWindow = numberField(settings.awakeWindow, 'awakeWindow', 1, maxAwakeWindow);
  const queueTtl = numberField(settings.queueTtl, 'queueTtl', 0, maxQueueTtl);
  const queueLimit = numberField(settings.queueLimit, 'queueLimit', 0, maxQueueLimit);
  const securePort = numberField(settings.securePort, 'securePort', 0, maxPort);
  const keyLogFile = textField(settings.keyLogFile);
  const certificateNames = textField(settings.certificateNames);
  if (securePort === port && port !== 0) throw new RangeError(`securePort: ${port} is the port for plain CoAP already`);
  return {
    queue: {
      awakeParameter: textField(settings.awakeParameter),
      replaceWrites: settings.replaceWrites,
      ...(awakeWindow !== undefined && { awakeWindow }),
      ...(queueTtl !== undefined && { queueTtl }),
      ...(queueLimit !== undefined && { queueLimit }),
    },
    name: textField(settings.name) || `LwM2M :${port}`,
    port,
    observeAgain: (settings.observeAgain as unknown) !== false,
    transportLog: (settings.transportLog as unknown) !== false,
    unknownDevices: UNKNOWN.find((each) => each === settings.unknownDevices) ?? 'refuse',
    ...serverKeys(settings, credentials, tls),
    devices: deviceEntries(settings.devices, credentials),
    ...(securePort !== undefined && { securePort }),
    ...(keyLogFile && { keyLogFile }),
    ...(certificateNames && { certificateNames }),
    ...(host.length > 0 && { host }),
    ...(devicesFile && { devicesFile }),
    ...(receiveBuffer !== undefined && { receiveBuffer }),
    ...(timeout !== undefined && { timeout }),
    ...(statsInterval !== undefined && { statsInterval }),
  };
}

/** The server's own keys and whom it trusts: of the dialog, and of the tls-config node. */
function serverKeys(
  { serverCertificate, trustAnchors }: ServerSettings,
  credentials: ServerCredentials,
  tls: TlsNode = {},
): ServerKeySettings {
  const own = (name: string): string => (Object.hasOwn(credentials, name) ? textField(credentials[name]) : '');
  const passphrase = own('serverKeyPassphrase') || textField(tls.credentials?.passphrase);
  const of = (dialog: string, other: Uint8Array | string = ''): string[] => {
    const texts = [dialog, typeof other === 'string' ? other : Buffer.from(other).toString('utf8')];
    return texts.map((text) => text.trim()).filter((text) => text !== '');
  };
  const keys = of(own('serverKey'), tls.key);
  const certificates = of(textField(serverCertificate), tls.cert);
  const anchors = of(textField(trustAnchors), tls.ca);
  return {
    ...(keys.length > 0 && { serverKey: keys }),
    ...(passphrase && { serverKeyPassphrase: passphrase }),
    ...(certificates.length > 0 && { serverCertificate: certificates }),
    ...(anchors.length > 0 && { trustAnchors: anchors }),
  };
}

/** Rows without an endpoint are skipped: a row just added and left blank means nothing. */
function deviceEntries(rows: unknown, credentials: ServerCredentials): DeviceEntry[] {
  if (!Array.isArray(rows)) return [];
  const named = (rows as readonly (DeviceRow | null)[]).filter((row): row is DeviceRow => textField(row?.endpoint) !== '');
  return named.map((row) => deviceEntry(row, credentials));
}

function deviceEntry(row: DeviceRow, credentials: ServerCredentials): DeviceEntry {
  const endpoint = textField(row.endpoint);
  const name = textField(row.name);
  const profile = textField(row.profile);
  const timeout = numberField(row.timeout, `timeout of ${endpoint}`, 1, maxTimeout);
  const common = {
    endpoint,
    ...(name && { name }),
    ...(timeout !== undefined && { timeout }),
    ...(profile && { profile }),
    ...(row.disabled === true && { disabled: true }),
  };
  if (row.mode === 'rpk') return { ...common, mode: 'rpk', publicKey: textField(row.publicKey) };
  if (row.mode === 'x509') {
    const certificate = textField(row.certificate);
    return { ...common, mode: 'x509', ...(certificate && { certificate }) };
  }
  if (row.mode !== 'psk') return { ...common, mode: 'none' };
  const identity = textField(row.identity);
  const slot = textField(row.slot);
  return {
    ...common,
    mode: 'psk',
    ...(identity && { identity }),
    key: Object.hasOwn(credentials, slot) ? textField(credentials[slot]) : '',
  };
}
