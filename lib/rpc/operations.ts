import type { Path } from '../lwm2m/types';
import type { Model } from '../model/types';
import type { Operation, OperationOptions, Registration } from '../server/types';
import type { Command } from './types';
import { formatExecuteArgs } from '../lwm2m/execute-args';
import { formatPath, parsePath } from '../lwm2m/path';
import { missingDefinitions } from '../model/missing';
import type { CommandRow } from './commands';
import { findCommand } from './commands';
import { badRequest, show } from './errors';
import { valuesIn } from './values-in';

/** A command made ready for the server. */
export interface ReadyOperation {
  readonly operation: Operation;
  readonly options: OperationOptions;
  /** What was done although something looked odd. */
  readonly warnings: string[];
}

/** How writes are checked where the command does not say. */
export interface WriteSettings {
  /** Refuse values outside the definition's range or enumeration. Default: warn. */
  readonly strict?: boolean;
}

export const MAX_TIMEOUT_MS = 86_400_000;

/** Names of content formats and their CoAP numbers (Core TS 1.1.1 7.4, registry "CoAP Content-Formats"). */
export const FORMATS: Readonly<Record<string, number>> = {
  text: 0,
  opaque: 42,
  cbor: 60,
  'senml-json': 110,
  'senml-cbor': 112,
  tlv: 11542,
  'lwm2m-json': 11543,
  'lwm2m-cbor': 11544,
};

const LEVELS = ['the root', 'an object', 'an object instance', 'a resource', 'a resource instance'] as const;
const MAX_LISTED = 20;

/**
 * Turns a command into an operation on this device: checks path, object, object version and parameters, and types the values by the
 * model. Throws `CommandError` BAD_REQUEST or METHOD_NOT_ALLOWED. `operation.path` has no version: the device's own is meant.
 */
export function toOperation(command: Command, registration: Registration, model: Model, settings: WriteSettings = {}): ReadyOperation {
  const row = findCommand(command.method);
  const warnings: string[] = [];
  const path = pathOf(command, row);
  // An observation may outlive the object in the device's list, and must still be cancellable.
  if (row.method !== 'ObserveCancel') checkObject(path, registration, model, warnings);
  const options = optionsOf(command, row);
  warnUnknownParams(command, row, warnings);
  const strict = row.params.some(({ name }) => name === 'strict') && strictOf(param(command, 'strict'), settings.strict === true);
  const operation = build(row, { ids: path.ids }, command, { registration, model, strict, warnings });
  warnAccess(operation, registration, model, warnings);
  warnUnknown(operation, registration, model, warnings);
  return { operation, options, warnings };
}

interface BuildContext {
  readonly registration: Registration;
  readonly model: Model;
  readonly strict: boolean;
  readonly warnings: string[];
}

function build(row: CommandRow, path: Path, command: Command, { registration, model, strict, warnings }: BuildContext): Operation {
  switch (row.method) {
    case 'Read':
    case 'Discover':
    case 'Observe':
    case 'ObserveCancel':
      return { kind: row.method, path };
    case 'Execute': {
      const args = argumentsOf(param(command, 'value'));
      return args === '' ? { kind: 'Execute', path } : { kind: 'Execute', path, args };
    }
    case 'WriteReplace':
    case 'WriteUpdate': {
      const value = param(command, 'value');
      if (value === undefined || value === null) throw badRequest(`${row.method} needs a "value". Right is: ${row.example}`);
      if (row.method === 'WriteUpdate') checkUpdate(path, value, registration, model);
      const written = valuesIn(path.ids, value, { method: row.method, model, versions: registration.versions, strict });
      warnings.push(...written.warnings);
      return { kind: row.method, path, nodes: written.nodes };
    }
    default:
      return unreachable(row.method);
  }
}

function unreachable(method: never): never {
  throw new TypeError(`no such method: ${String(method)}`);
}

function param(command: Command, name: string): unknown {
  return Object.hasOwn(command.params, name) ? command.params[name] : undefined;
}

function pathOf(command: Command, row: CommandRow): Path {
  const id = param(command, 'id');
  if (!blank(param(command, 'key'))) {
    throw badRequest(
      `${row.method} by "key" needs a profile that names the keys, which this version does not have yet. Right is: ${row.example}`,
    );
  }
  if (id === undefined || id === null) throw badRequest(`${row.method} needs an "id", the path. Right is: ${row.example}`);
  if (typeof id !== 'string') throw badRequest(`The "id" of ${row.method} must be text, not ${show(id)}. Right is: ${row.example}`);
  let path: Path;
  try {
    path = parsePath(id.trim());
  } catch (error) {
    throw badRequest(error instanceof Error ? error.message : `${show(id)} is not a path.`);
  }
  if (!row.levels.includes(path.ids.length)) {
    const right = row.levels.map((level) => LEVELS[level]).join(' or ');
    throw badRequest(
      `${row.method} cannot be done on ${LEVELS[path.ids.length]}, ${formatPath(path.ids)}: it goes to ${right}. ` +
        `${row.method === 'WriteUpdate' && path.ids.length === 4 ? 'WriteReplace writes a resource instance. ' : ''}Right is: ${row.example}`,
    );
  }
  return path;
}

function checkObject(path: Path, registration: Registration, model: Model, warnings: string[]): void {
  const objectId = path.ids[0] ?? 0;
  const object = namedObject(objectId, registration, model);
  if (!registration.objects.some((link) => link.objectId === objectId)) {
    throw badRequest(`The device ${show(registration.endpoint)} does not have object ${object}. ${listObjects(registration, model)}`);
  }
  const registered = registration.versions.get(objectId);
  if (path.version === undefined || registered === undefined || sameNumbers(path.version, registered)) return;
  const text = `The path asks for version ${path.version} of object ${object}, the device registered version ${registered}`;
  if (Number.parseInt(path.version, 10) !== Number.parseInt(registered, 10)) {
    throw badRequest(
      `${text}. Right is ${formatPath(path.ids, registered)}, or ${formatPath(path.ids)} for whatever version the device has.`,
    );
  }
  warnings.push(`${text}; done with the device's.`);
}

/** "1.1" and "1.01" are the same version. */
function sameNumbers(a: string, b: string): boolean {
  const numbers = (version: string): string => version.split('.').map(Number).join('.');
  return numbers(a) === numbers(b);
}

function namedObject(objectId: number, registration: Registration, model: Model): string {
  const name = model.object(objectId, registration.versions.get(objectId))?.name;
  return name === undefined ? String(objectId) : `${objectId} (${name})`;
}

function listObjects(registration: Registration, model: Model): string {
  const ids = [...new Set(registration.objects.map((link) => link.objectId))].sort((a, b) => a - b);
  if (ids.length === 0) return 'It registered no object.';
  const listed = ids.slice(0, MAX_LISTED).map((id) => namedObject(id, registration, model));
  return `It has ${listed.join(', ')}${ids.length > MAX_LISTED ? ` and ${ids.length - MAX_LISTED} more` : ''}.`;
}

function checkUpdate(path: Path, value: unknown, registration: Registration, model: Model): void {
  const [objectId = 0, , resourceId] = path.ids;
  if (resourceId === undefined) return;
  const known = model.resource(objectId, resourceId, registration.versions.get(objectId));
  const single = known === undefined ? typeof value !== 'object' : !known.multiple;
  if (!single) return;
  throw badRequest(
    `WriteUpdate goes to an object instance or a multiple resource, and ${formatPath(path.ids)}${known === undefined ? '' : ` (${known.name})`} ` +
      `${known === undefined ? `got ${show(value)}, a single value` : 'is a single resource'}. Right is: WriteReplace {"id":"${formatPath(path.ids)}","value":...}`,
  );
}

function argumentsOf(value: unknown): string {
  try {
    return formatExecuteArgs(value);
  } catch (error) {
    throw badRequest(error instanceof Error ? error.message : 'The arguments of Execute cannot be read.');
  }
}

function optionsOf(command: Command, row: CommandRow): OperationOptions {
  const has = (name: string): boolean => row.params.some((entry) => entry.name === name) && !blank(param(command, name));
  return {
    ...(has('timeout') ? { timeout: timeoutOf(param(command, 'timeout')) } : {}),
    ...(has('format') ? { contentFormat: formatOf(param(command, 'format')) } : {}),
  };
}

const blank = (value: unknown): boolean => value === undefined || value === null || value === '';

/** Milliseconds, 1 to a day, as a number or decimal text. Throws `CommandError` BAD_REQUEST. */
export function timeoutOf(value: unknown): number {
  const ms = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
  if (typeof ms === 'number' && Number.isInteger(ms) && ms >= 1 && ms <= MAX_TIMEOUT_MS) return ms;
  throw badRequest(`"timeout" is in milliseconds, a whole number from 1 to ${MAX_TIMEOUT_MS}, not ${show(value)}.`);
}

function strictOf(value: unknown, otherwise: boolean): boolean {
  if (blank(value)) return otherwise;
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  throw badRequest(`"strict" is true or false, not ${show(value)}.`);
}

function formatOf(value: unknown): number {
  const known = Object.entries(FORMATS);
  const found = known.find(([name, number]) =>
    typeof value === 'string' ? value.toLowerCase() === name || value === String(number) : value === number,
  );
  if (found !== undefined) return found[1];
  throw badRequest(`"format" is one of ${known.map(([name, number]) => `"${name}" (${number})`).join(', ')}, not ${show(value)}.`);
}

function warnUnknownParams(command: Command, row: CommandRow, warnings: string[]): void {
  const names = row.params.map((entry) => entry.name);
  const unknown = Object.keys(command.params).filter((name) => name !== 'key' && !names.includes(name));
  if (unknown.length === 0) return;
  warnings.push(`Ignored: ${unknown.map(show).join(', ')}. The parameters of ${row.method} are ${names.join(', ')}.`);
}

/** Values of an object nobody knows have no type of their own. */
function warnUnknown({ kind, path }: Operation, registration: Registration, model: Model, warnings: string[]): void {
  const [objectId = 0] = path.ids;
  if (kind === 'Discover' || kind === 'Execute' || kind === 'ObserveCancel') return;
  if (!model.object(objectId, registration.versions.get(objectId))) warnings.push(missingDefinitions([objectId]));
}

/** What the model says against the operation; the device decides, its model may be newer. Writes are looked at value by value. */
function warnAccess(operation: Operation, registration: Registration, model: Model, warnings: string[]): void {
  const [objectId = 0, , resourceId] = operation.path.ids;
  if (resourceId === undefined) return;
  const known = model.resource(objectId, resourceId, registration.versions.get(objectId));
  if (known === undefined) return;
  const needed = operation.kind === 'Execute' ? 'E' : operation.kind === 'Read' || operation.kind === 'Observe' ? 'R' : '';
  if (needed === '' || known.operations.includes(needed)) return;
  const what = needed === 'E' ? 'executable' : 'readable';
  warnings.push(`${formatPath(operation.path.ids)} (${known.name}) is not ${what} by its definition; the device decides.`);
}
