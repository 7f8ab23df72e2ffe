import { isWrong, readIdentity, readKey } from './psk';
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
};

/** The IoT Hub's words for the modes. */
const MODES: Readonly<Record<string, string>> = { NO_SEC: 'none', PSK: 'psk', RPK: 'rpk', X509: 'x509' };

/**
 * Takes over what belongs to each entry, and refuses what cannot be right with `DeviceTableError`, naming its place and never its
 * key: also an endpoint and an identity that are there twice.
 */
export function checkDevices(values: readonly unknown[]): CheckedDevice[] {
  if (values.length > MAX_DEVICES) throw new DeviceTableError(`The device table holds at most ${MAX_DEVICES} devices.`);
  const endpoints = new Set<string>();
  const identities = new Map<string, string>();
  return values.map((value, index) => {
    const device = checkDevice(value, `Device ${index + 1} of the table`);
    const { endpoint, identity } = device.entry;
    if (endpoints.has(endpoint)) throw new DeviceTableError(`The device "${endpoint}" is in the table twice.`);
    endpoints.add(endpoint);
    if (identity === undefined) return device;
    const other = identities.get(identity);
    if (other !== undefined) {
      throw new DeviceTableError(`The devices "${other}" and "${endpoint}" have the same identity "${identity}". Give each its own.`);
    }
    identities.set(identity, endpoint);
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
  const { endpoint, mode = 'none', identity, key, name, timeout, awakeWindow, edrxCycle, disabled } = iotHubEntry(value) ?? value;
  if (typeof endpoint !== 'string' || endpoint === '' || endpoint.length > MAX_NAME) return fail('"endpoint" must be a text');
  if (mode !== 'none' && mode !== 'psk') return fail('"mode" must be "none" or "psk": other security modes are not there yet');
  like = mode;
  if (name !== undefined && typeof name !== 'string') return fail('"name" must be a text');
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
  };
  if (mode === 'none') return { entry: common, key: undefined };
  const who = readIdentity(identity === undefined || identity === '' ? endpoint : identity);
  if (isWrong(who)) return fail(`"${endpoint}": ${who.wrong}`);
  const secret = readKey(key);
  if (isWrong(secret)) return fail(`"${endpoint}": ${secret.wrong}`);
  return { entry: { ...common, identity: who }, key: secret };
}

/** What an entry of the IoT Hub's form says of the device itself; undefined for another form. Its bootstrap part is not ours. */
function iotHubEntry(value: Record<string, unknown>): Record<string, unknown> | undefined {
  const { credentialsValue, client } = value;
  if (typeof credentialsValue === 'string') {
    const inner = parsed(credentialsValue);
    return isRecord(inner) && isRecord(inner['client']) ? iotHubEntry(inner) : {};
  }
  if (!isRecord(client)) return undefined;
  const { securityConfigClientMode, endpoint, identity, key } = client;
  const mode = typeof securityConfigClientMode === 'string' ? (MODES[securityConfigClientMode] ?? securityConfigClientMode) : undefined;
  return { endpoint, mode: mode ?? '', identity, key };
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
