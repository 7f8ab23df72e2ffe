/** Values as flows have them: time in epoch milliseconds, opaque as bytes or hex text. Inside the device: seconds, bytes. */
import type { ResourceType, Value } from '../lwm2m/types';
import { fits } from './operations/values';
import { DeviceError, type DeviceValue, type ResourceValue } from './types';
import { isMultiple, sorted } from './world';

/** Throws `DeviceError` BAD_VALUE when it cannot be meant. */
export function fromFlow(type: ResourceType, multiple: boolean, value: unknown, path: string): ResourceValue {
  if (!multiple) return single(type, value, path);
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value) || value instanceof Date) {
    throw new DeviceError('BAD_VALUE', `${path} has several values, give them as an object: { "0": ..., "1": ... }.`);
  }
  const entries = Object.entries(value).map(([id, inner]): [number, Value] => {
    if (!/^(?:0|[1-9]\d{0,4})$/.test(id) || Number(id) > 65534) throw new DeviceError('BAD_VALUE', `"${id}" is no resource instance id.`);
    return [Number(id), single(type, inner, `${path}/${id}`)];
  });
  return new Map(entries);
}

function single(type: ResourceType, value: unknown, path: string): Value {
  const converted = convert(type, value);
  if (converted === undefined || !fits(type, converted)) throw new DeviceError('BAD_VALUE', `${path} takes a value of type ${type}.`);
  return converted;
}

function convert(type: ResourceType, value: unknown): Value | undefined {
  if (type === 'time') {
    const time = value instanceof Date ? value.getTime() : typeof value === 'string' ? Date.parse(value) : value;
    return typeof time === 'number' ? time / 1000 : undefined;
  }
  if (type === 'opaque' && typeof value === 'string') {
    if (value.startsWith('base64:')) return Buffer.from(value.slice(7), 'base64');
    return /^(?:[0-9a-f]{2})*$/i.test(value) ? Buffer.from(value, 'hex') : undefined;
  }
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return value;
  return value instanceof Uint8Array ? Buffer.from(value) : undefined;
}

export function toFlow(type: ResourceType, value: ResourceValue): DeviceValue {
  if (isMultiple(value)) return Object.fromEntries(sorted(value).map(([id, inner]) => [id, toFlow(type, inner)]));
  return type === 'time' && typeof value === 'number' ? value * 1000 : value;
}
