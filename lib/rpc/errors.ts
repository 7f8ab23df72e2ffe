import { types } from 'node:util';

import type { FailureCode } from '../server/types';

/** A command that cannot be done as it was given; `message` says what was wrong and what would be right. */
export class CommandError extends Error {
  constructor(
    readonly code: FailureCode,
    message: string,
  ) {
    super(message);
    this.name = 'CommandError';
  }
}

export const badRequest = (message: string): CommandError => new CommandError('BAD_REQUEST', message);

const SHOWN = 60;

/** A foreign value in a few words for an error text: bounded, one line, never throws, never walks deep. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > SHOWN ? `${value.slice(0, SHOWN)}…` : value);
  if (typeof value === 'bigint') {
    // The text of a huge bigint is costly, so its size is looked at first.
    return BigInt.asIntN(128, value) === value ? `${value}` : 'a huge integer';
  }
  if (value === undefined) return 'nothing';
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'symbol' || typeof value === 'function') return `a ${typeof value}`;
  if (Array.isArray(value)) return 'an array';
  if (Buffer.isBuffer(value)) return `a Buffer of ${value.length} bytes`;
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (isDate(value)) return 'a Date';
  if (types.isMap(value)) return 'a Map';
  if (types.isSet(value)) return 'a Set';
  return 'an object';
}

/** A Date of any realm: the values of a Node-RED function node come from another one, where `instanceof` fails. */
export const isDate = (value: unknown): value is Date => types.isDate(value);

/** An object with named members: no array, no bytes, no Date, no Map or other class with inner state. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return !ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === '[object Object]';
}
