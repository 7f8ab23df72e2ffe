import type { ResourceType, Value } from '../../lwm2m/types';

/** Whether a value is one of that LwM2M type. */
export function fits(type: ResourceType, value: Value): boolean {
  switch (type) {
    case 'string':
    case 'corelnk':
      return typeof value === 'string';
    case 'integer':
      return typeof value === 'bigint' || Number.isSafeInteger(value);
    case 'unsigned':
      return typeof value === 'bigint' ? value >= 0n : typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
    case 'float':
    case 'time':
      return typeof value === 'number' && Number.isFinite(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'opaque':
      return value instanceof Uint8Array;
    case 'objlnk':
      return typeof value === 'string' && /^\d{1,5}:\d{1,5}$/.test(value);
    case 'none':
      return false;
    default:
      return type satisfies never;
  }
}
