import { claimOf } from './claims';
import { fingerprintOf, readDeviceCertificate, readPublicKey } from './public-keys';
import { isWrong, readIdentity, readKey, type Wrong } from './psk';
import type { CheckedDevice, DeviceFacts, SecurityMode } from './types';

/** A device entry, or a file of them, that makes no sense. */
export class DeviceTableError extends Error {
  readonly code = 'BAD_DEVICE_TABLE';
}

/** More than any dialog or file of one gateway should hold; a bound against a wrong file. */
export const MAX_DEVICES = 200_000;
const MAX_NAME = 255;
const MAX_TIME = 86_400_000;

const LIKE: Readonly<Record<SecurityMode, string>> = {
  none: '{"endpoint":"my-device","mode":"none"}',
  psk: '{"endpoint":"my-device","mode":"psk","identity":"my-device","key":"<32 hexadecimal digits or more>"}',
  rpk: '{"endpoint":"my-device","mode":"rpk","publicKey":"<SubjectPublicKeyInfo in PEM or base64>"}',
  x509: '{"endpoint":"my-device","mode":"x509"}, or with "certificate":"<PEM or base64>" for one certificate alone',
};

/** The IoT Hub's words for the modes. */
const MODES: Readonly<Record<string, SecurityMode>> = { NO_SEC: 'none', PSK: 'psk', RPK: 'rpk', X509: 'x509' };

/**
 * Takes over what belongs to each entry, and refuses what cannot be right with `DeviceTableError`, naming its place and never its
 * key: also an endpoint and an identity that are there twice.
 */
export function checkDevices(values: readonly unknown[]): CheckedDevice[] {
  if (values.length > MAX_DEVICES) throw new DeviceTableError(`The device table holds at most ${MAX_DEVICES} devices.`);
  const endpoints = new Set<string>();
  const proofs = new Map<string, string>();
  return values.map((value, index) => {
    const device = checkDevice(value, `Device ${index + 1} of the table`);
    const { endpoint } = device.entry;
    if (endpoints.has(endpoint)) throw new DeviceTableError(`The device "${endpoint}" is in the table twice.`);
    endpoints.add(endpoint);
    const claim = claimOf(device);
    if (claim === undefined) return device;
    const other = proofs.get(claim.key);
    if (other !== undefined) {
      throw new DeviceTableError(`The devices "${other}" and "${endpoint}" have the same ${claim.what}. Give each its own.`);
    }
    proofs.set(claim.key, endpoint);
    return device;
  });
}

/** One entry; `place` begins the sentence that says what is wrong with it. */
export function checkDevice(value: unknown, place: string): CheckedDevice {
  let like: SecurityMode = 'none';
  const fail = (problem: string): never => {
    throw new DeviceTableError(`${place}: ${problem}. It should look like ${LIKE[like]}.`);
  };
  if (!isRecord(value)) return fail('it is not an object');
  const { endpoint, mode = 'none', identity, key, publicKey, certificate, name, disabled, ...rest } = iotHubEntry(value) ?? value;
  const { timeout, awakeWindow, edrxCycle, profile } = rest;
  if (typeof endpoint !== 'string' || endpoint === '' || endpoint.length > MAX_NAME) return fail('"endpoint" must be a text');
  if (!isMode(mode)) return fail('"mode" must be "none", "psk", "rpk" or "x509"');
  like = mode;
  if (name !== undefined && typeof name !== 'string') return fail('"name" must be a text');
  if (profile !== undefined && typeof profile !== 'string') return fail('"profile" must be a text');
  const times: { timeout?: number; awakeWindow?: number; edrxCycle?: number } = {};
  for (const [field, given] of Object.entries({ timeout, awakeWindow, edrxCycle })) {
    if (given === undefined) continue;
    if (!(typeof given === 'number' && given >= 1 && given <= MAX_TIME)) return fail(`"${field}" must be milliseconds, 1 to ${MAX_TIME}`);
    times[field as keyof typeof times] = given;
  }
  const common: DeviceFacts = {
    endpoint,
    mode,
    ...(name !== undefined && { name }),
    ...times,
    ...(disabled === true && { disabled }),
    ...(profile !== undefined && profile !== '' && { profile }),
  };
  const right = <T extends Buffer | string>(read: T | Wrong): T => (isWrong(read) ? fail(`"${endpoint}": ${read.wrong}`) : read);
  switch (mode) {
    case 'none':
      return { entry: common, key: undefined };
    case 'psk': {
      const who = right(readIdentity(isBlank(identity) ? endpoint : identity));
      return { entry: { ...common, identity: who }, key: right(readKey(key)) };
    }
    case 'rpk': {
      // The IoT Hub has it under the name of the pre-shared key.
      const der = right(readPublicKey(isBlank(publicKey) ? key : publicKey));
      return { entry: { ...common, identity: fingerprintOf(der) }, key: der };
    }
    case 'x509': {
      if (isBlank(certificate)) return { entry: common, key: undefined };
      const der = right(readDeviceCertificate(certificate));
      return { entry: { ...common, fingerprint: fingerprintOf(der) }, key: der };
    }
    default:
      return mode satisfies never;
  }
}

function isMode(mode: unknown): mode is SecurityMode {
  return typeof mode === 'string' && Object.hasOwn(LIKE, mode);
}

function isBlank(given: unknown): boolean {
  return given === undefined || given === null || given === '';
}

/** What an entry of the IoT Hub's form says of the device itself; undefined for another form. Its bootstrap part is not ours. */
function iotHubEntry(value: Record<string, unknown>): Record<string, unknown> | undefined {
  const { credentialsValue, client } = value;
  if (typeof credentialsValue === 'string') {
    const inner = parsed(credentialsValue);
    return isRecord(inner) && isRecord(inner['client']) ? iotHubEntry(inner) : {};
  }
  if (!isRecord(client)) return undefined;
  const { securityConfigClientMode, endpoint, identity, key, cert } = client;
  const mode = typeof securityConfigClientMode === 'string' ? (MODES[securityConfigClientMode] ?? securityConfigClientMode) : undefined;
  return { endpoint, mode: mode ?? '', identity, key, certificate: cert };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
