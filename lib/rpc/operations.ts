import type { Model } from '../model/types';
import type { Attributes, Operation, OperationOptions, Registration } from '../server/types';
import type { Command, KeyTable } from './types';
import { AttributeError, checkAttributes } from '../lwm2m/attributes';
import { ExecuteArgsError, formatExecuteArgs } from '../lwm2m/execute-args';
import { formatPath } from '../lwm2m/path';
import { announcesComposite } from '../server/composite-requests';
import type { CommandRow } from './commands';
import { COMMON_PARAMS, findCommand } from './commands';
import { checkCreate, checkDelete, checkExecute, checkUpdate, warnAccess, warnDepth, warnUnknown } from './checks';
import { CommandError, badRequest, isRecord, show } from './errors';
import type { Target } from './targets';
import { blank, checkObject, param, targetsOf } from './targets';
import { valuesIn } from './values-in';

/** A command made ready for the server. */
export interface ReadyOperation {
  readonly operation: Operation;
  readonly options: OperationOptions;
  /** What it is about, in the order it was named. */
  readonly targets: readonly Target[];
  /** What was done although something looked odd. */
  readonly warnings: string[];
}

/** What decides how a command is understood, beside the device. */
export interface CommandSettings {
  readonly keys?: KeyTable;
  readonly oneByOne?: boolean;
  /** Refuse values outside the definition's range or enumeration, where the command does not say. Default: warn. */
  readonly strict?: boolean;
}

export const MAX_TIMEOUT_MS = 86_400_000;
export const MAX_TTL_MS = 2_592_000_000;
const MAX_DEPTH = 3;

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

/** Everything an operation is built from. */
interface Build {
  readonly row: CommandRow;
  readonly command: Command;
  readonly registration: Registration;
  readonly model: Model;
  readonly strict: boolean;
  readonly warnings: string[];
}

/**
 * Turns a command into an operation on this device: checks path, object, object version and parameters, and types the values by the
 * model. Throws `CommandError` BAD_REQUEST or METHOD_NOT_ALLOWED. Its paths have no version: the device's own is meant.
 */
export function toOperation(command: Command, registration: Registration, model: Model, settings: CommandSettings = {}): ReadyOperation {
  try {
    return readOperation(command, registration, model, settings);
  } catch (error) {
    // A getter or a proxy in a flow's object may throw anything.
    throw error instanceof CommandError ? error : badRequest(`The parameters of ${command.method} cannot be read.`);
  }
}

function readOperation(command: Command, registration: Registration, model: Model, settings: CommandSettings): ReadyOperation {
  const row = findCommand(command.method);
  if (row.target === 'keys') throw badRequest(`${row.method} is an operation for each key, not one.`);
  const warnings: string[] = [];
  const named = targetsOf(command, row, settings.keys ?? {}, warnings);
  // An observation may outlive the object in the device's list, and must still be cancellable.
  if (row.method !== 'ObserveCancel' && row.method !== 'ObserveCompositeCancel') {
    for (const { path } of named) checkObject(path, registration, model, warnings);
  }
  const targets = named.map((target) => ({ ...target, path: { ids: target.path.ids } }));
  const options = optionsOf(command, row);
  warnUnknownParams(command, row, warnings);
  const strict = row.params.some(({ name }) => name === 'strict') && strictOf(param(command, 'strict'), settings.strict === true);
  const build: Build = { row, command, registration, model, strict, warnings };
  const composite = row.target === 'paths' || row.target === 'nodes';
  if (composite && settings.oneByOne !== true && row.method !== 'ObserveCompositeCancel') checkComposite(build);
  const [first] = targets;
  const operation = first && !composite ? single(first, build) : several(targets, build);
  warnAccess(operation, registration, model, warnings);
  warnDepth(targets, registration, model, warnings);
  warnUnknown(operation, registration, model, warnings);
  return { operation, options, targets, warnings };
}

function single({ path }: Target, build: Build): Operation {
  const { row, command, registration, model, strict, warnings } = build;
  switch (row.method) {
    case 'Read':
    case 'ObserveCancel':
      return { kind: row.method, path };
    case 'Discover': {
      const depth = param(command, 'depth');
      return blank(depth) ? { kind: 'Discover', path } : { kind: 'Discover', path, depth: depthOf(depth, registration) };
    }
    case 'Delete':
      checkDelete(path, registration);
      return { kind: 'Delete', path };
    case 'Observe':
      return { kind: 'Observe', path, ...observedWith(build, path.ids) };
    case 'Execute': {
      checkExecute(path, registration, model);
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
    case 'WriteAttributes': {
      const given = param(command, 'attributes');
      if (blank(given)) throw badRequest(`${row.method} needs "attributes", an object of values by name. Right is: ${row.example}`);
      return { kind: 'WriteAttributes', path, attributes: attributesOf(build, path.ids, true) };
    }
    case 'Create': {
      const value = param(command, 'value') ?? param(command, 'nodes');
      if (!blank(param(command, 'value')) && !blank(param(command, 'nodes'))) {
        warnings.push('Both "value" and "nodes" are given: the "value" counts.');
      }
      const instance = path.ids.length === 2 ? path.ids : [...path.ids, 0];
      const filled = !blank(value) && !(isRecord(value) && Object.keys(value).length === 0);
      const written = filled
        ? valuesIn(instance, value, { method: 'WriteReplace', model, versions: registration.versions, strict })
        : undefined;
      const nodes = written?.nodes ?? [];
      checkCreate(path, nodes, registration, model);
      warnings.push(...(written?.warnings ?? []));
      return { kind: 'Create', path, nodes };
    }
    default:
      throw new TypeError(`${row.method} has no single path`);
  }
}

function several(targets: readonly Target[], build: Build): Operation {
  const { row, registration, model, strict, warnings } = build;
  const paths = targets.map(({ path }) => path);
  switch (row.method) {
    case 'ReadComposite':
    case 'ObserveCompositeCancel':
      return { kind: row.method, paths };
    case 'ObserveComposite':
      return { kind: row.method, paths, ...observedWith(build, undefined) };
    case 'WriteComposite': {
      const nodes = targets.flatMap(({ path, value }) => {
        if (value === undefined || value === null) {
          throw badRequest(
            `WriteComposite has ${show(value)} for ${formatPath(path.ids)}, where a value belongs. Right is: ${row.example}`,
          );
        }
        const written = valuesIn(path.ids, value, { method: 'WriteUpdate', model, versions: registration.versions, strict });
        warnings.push(...written.warnings);
        return written.nodes;
      });
      return { kind: 'WriteComposite', paths, nodes };
    }
    case 'DiscoverAll':
    case 'ObserveReadAll':
    case 'ObserveCancelAll':
      return { kind: row.method };
    default:
      throw new TypeError(`${row.method} has one path`);
  }
}

/** Composite operations came with LwM2M 1.1, in SenML. */
function checkComposite({ row, registration: device }: Build): void {
  const announced = announcesComposite(device);
  if (announced ?? device.lwm2mVersion !== '1.0') return;
  const why =
    device.contentFormats.length > 0
      ? `it announced the content formats ${device.contentFormats.slice(0, 20).join(', ')}, and a composite needs SenML (110 or 112)`
      : 'it registered with LwM2M 1.0, which has none';
  throw badRequest(
    `The device ${show(device.endpoint)} does not do composite operations such as ${row.method}: ${why}. ` +
      'The setting "one by one" asks for each path by itself.',
  );
}

/** Attributes of one observation came with LwM2M 1.2 (Core TS 1.2 6.4.1). */
function observedWith(build: Build, ids: readonly number[] | undefined): { attributes?: Attributes } {
  const { row, command, registration } = build;
  if (blank(param(command, 'attributes'))) return {};
  if (registration.lwm2mVersion !== '1.2') {
    const instead = ids
      ? `WriteAttributes {"id":"${formatPath(ids)}","attributes":{"pmin":10}}, then ${row.method}`
      : 'WriteAttributes to each path';
    throw badRequest(
      `"attributes" of ${row.method} came with LwM2M 1.2, and the device registered with ${registration.lwm2mVersion}. Right is: ${instead}.`,
    );
  }
  return { attributes: attributesOf(build, ids, false) };
}

function attributesOf(
  { row, command, registration, model, warnings }: Build,
  ids: readonly number[] | undefined,
  removable: boolean,
): Attributes {
  const given = param(command, 'attributes');
  if (!isRecord(given)) {
    throw badRequest(
      `The "attributes" of ${row.method} must be an object of values by name, not ${show(given)}. Right is e.g. {"pmin":10,"pmax":60}.`,
    );
  }
  const [objectId = 0, , resourceId] = ids ?? [];
  const type = resourceId === undefined ? undefined : model.resource(objectId, resourceId, registration.versions.get(objectId))?.type;
  const text = ids ? formatPath(ids) : 'its paths';
  try {
    const target = { text, level: ids?.length, type, version: registration.lwm2mVersion, removable };
    const { attributes, warnings: odd } = checkAttributes(given, target);
    warnings.push(...odd);
    return attributes;
  } catch (error) {
    throw error instanceof AttributeError ? badRequest(error.message) : error;
  }
}

/** `depth` of Discover came with LwM2M 1.2 (Core TS 1.2 6.3.2). */
function depthOf(value: unknown, { lwm2mVersion }: Registration): number {
  const depth = typeof value === 'string' && /^\d$/.test(value) ? Number(value) : value;
  if (typeof depth !== 'number' || !Number.isInteger(depth) || depth < 0 || depth > MAX_DEPTH) {
    throw badRequest(`"depth" is how many levels below the path are told of, 0 to ${MAX_DEPTH}, not ${show(value)}.`);
  }
  if (lwm2mVersion !== '1.2') {
    throw badRequest(`"depth" came with LwM2M 1.2, and the device registered with ${lwm2mVersion}. Right is Discover without it.`);
  }
  return depth;
}

function argumentsOf(value: unknown): string {
  try {
    return formatExecuteArgs(value);
  } catch (error) {
    throw error instanceof ExecuteArgsError ? badRequest(error.message) : error;
  }
}

function optionsOf(command: Command, row: CommandRow): OperationOptions {
  const has = (name: string): boolean => row.params.some((entry) => entry.name === name) && !blank(param(command, name));
  return {
    ...(has('timeout') ? { timeout: timeoutOf(param(command, 'timeout')) } : {}),
    ...(blank(param(command, 'ttl')) ? {} : { ttl: ttlOf(param(command, 'ttl')) }),
    ...(has('format') ? { contentFormat: formatOf(param(command, 'format')) } : {}),
  };
}

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

/** Milliseconds a command may wait for a sleeping device, 0 to thirty days. Throws `CommandError` BAD_REQUEST. */
function ttlOf(value: unknown): number {
  const ms = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
  if (typeof ms === 'number' && Number.isInteger(ms) && ms >= 0 && ms <= MAX_TTL_MS) return ms;
  throw badRequest(`"ttl" is in milliseconds, a whole number from 0 to ${MAX_TTL_MS}, not ${show(value)}.`);
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
  const unknown = Object.keys(command.params).filter((name) => !names.includes(name) && !COMMON_PARAMS.includes(name));
  if (unknown.length === 0) return;
  warnings.push(
    `Ignored: ${unknown.map(show).join(', ')}. The parameters of ${row.method} are ${[...names, ...COMMON_PARAMS].join(', ')}.`,
  );
}
