import type { Path } from '../lwm2m/types';
import type { Model } from '../model/types';
import type { Registration } from '../server/types';
import { formatPath, isWithin, parsePath } from '../lwm2m/path';
import type { CommandRow } from './commands';
import { badRequest, isRecord, show } from './errors';
import type { Command, KeyTable } from './types';

/** What a command is about: one path, and the key or text by which it was named. */
export interface Target {
  readonly path: Path;
  /** Where it was named by its key. */
  readonly key?: string;
  /** WriteComposite: what is written there. */
  readonly value?: unknown;
}

/** Most paths of one composite. */
export const MAX_PATHS = 1000;
const LEVELS = ['the root', 'an object', 'an object instance', 'a resource', 'a resource instance'] as const;
const MAX_LISTED = 20;
/** Security and OSCORE: a bootstrap server's alone (Core TS appendix E). */
const CLOSED = [0, 21];

export const blank = (value: unknown): boolean => value === undefined || value === null || value === '';

/** A parameter of its own, never one of a prototype. */
export function param(command: Command, name: string): unknown {
  return Object.hasOwn(command.params, name) ? command.params[name] : undefined;
}

/** The targets of a command, in the order they were named. Throws `CommandError` BAD_REQUEST. */
export function targetsOf(command: Command, row: CommandRow, keys: KeyTable, warnings: string[]): Target[] {
  switch (row.target) {
    case 'device':
    case 'keys':
      return [];
    case 'path':
      return [single(command, row, keys, warnings)];
    case 'paths':
      return several(command, row, keys, warnings);
    case 'nodes':
      return nodes(command, row, keys);
    default:
      return row.target satisfies never;
  }
}

function single(command: Command, row: CommandRow, keys: KeyTable, warnings: string[]): Target {
  const key = param(command, 'key');
  const id = param(command, 'id');
  if (!blank(key)) {
    if (!blank(id)) warnings.push('Both "key" and "id" are given: the "key" counts.');
    return byKey(key, row, keys);
  }
  if (blank(id)) {
    const plural = blank(param(command, 'ids')) && blank(param(command, 'keys')) ? '' : ` "ids" and "keys" are for composites.`;
    throw badRequest(`${row.method} needs an "id", the path, or a "key".${plural} Right is: ${row.example}`);
  }
  if (typeof id !== 'string') throw badRequest(`The "id" of ${row.method} must be text, not ${show(id)}. Right is: ${row.example}`);
  return { path: leveled(read(id), row) };
}

function several(command: Command, row: CommandRow, keys: KeyTable, warnings: string[]): Target[] {
  const given = param(command, 'keys');
  const ids = param(command, 'ids');
  const byName = !blank(given);
  if (byName && !blank(ids)) warnings.push('Both "keys" and "ids" are given: the "keys" count.');
  const list = byName ? given : ids;
  if (blank(list)) throw badRequest(`${row.method} needs "ids", a list of paths, or "keys". Right is: ${row.example}`);
  const name = byName ? 'keys' : 'ids';
  if (typeof list !== 'string' && !Array.isArray(list)) {
    throw badRequest(`The "${name}" of ${row.method} must be a list, not ${show(list)}. Right is: ${row.example}`);
  }
  checkCount(typeof list === 'string' ? 1 : list.length, row, name);
  // `map` would leave holes as they are; `Array.from` does not.
  const items: readonly unknown[] = typeof list === 'string' ? [list] : Array.from(list);
  const targets = items.map((item) => {
    if (byName) return byKey(item, row, keys);
    if (typeof item !== 'string')
      throw badRequest(`The "ids" of ${row.method} must be texts, and one is ${show(item)}. Right is: ${row.example}`);
    return { path: leveled(read(item), row) };
  });
  checkOverlap(targets, row);
  return targets;
}

function nodes(command: Command, row: CommandRow, keys: KeyTable): Target[] {
  const given = param(command, 'nodes');
  if (!isRecord(given)) {
    const what = given === undefined || given === null ? 'needs "nodes",' : `has ${show(given)} as "nodes", which must be`;
    throw badRequest(`${row.method} ${what} an object of values by path or key. Right is: ${row.example}`);
  }
  const entries = Object.entries(given);
  checkCount(entries.length, row, 'nodes');
  const targets = entries.map(([name, value]) => ({
    ...(!Object.hasOwn(keys, name) && looksLikePath(name) ? { path: leveled(read(name), row) } : byKey(name, row, keys)),
    value,
  }));
  checkOverlap(targets, row);
  return targets;
}

/** What begins so and is no key. */
const looksLikePath = (text: string): boolean => /^\s*[/\d]/.test(text);

function checkCount(count: number, row: CommandRow, name: string): void {
  if (count === 0) throw badRequest(`The "${name}" of ${row.method} are empty. Right is: ${row.example}`);
  if (count > MAX_PATHS) throw badRequest(`The "${name}" of ${row.method} are ${count}, ${MAX_PATHS} are the most.`);
}

function byKey(key: unknown, row: CommandRow, keys: KeyTable): Target {
  if (typeof key !== 'string') throw badRequest(`A key of ${row.method} must be text, not ${show(key)}. Right is: ${row.example}`);
  const text = Object.hasOwn(keys, key) ? keys[key] : undefined;
  if (typeof text !== 'string') {
    const known = Object.keys(keys);
    const more = known.length > MAX_LISTED ? ` and ${known.length - MAX_LISTED} more` : '';
    const has =
      known.length === 0
        ? 'There is none at all, neither in the key table of this node nor in a profile of the device'
        : `There are ${known.slice(0, MAX_LISTED).map(show).join(', ')}${more}`;
    throw badRequest(`There is no key ${show(key)}. ${has}. By path it is: ${row.example}`);
  }
  try {
    return { path: leveled(read(text), row), key };
  } catch (error) {
    throw badRequest(`The key ${show(key)} stands for ${show(text)}. ${error instanceof Error ? error.message : ''}`);
  }
}

function read(text: string): Path {
  try {
    return parsePath(text.trim());
  } catch (error) {
    throw badRequest(error instanceof Error ? error.message : `${show(text)} is not a path.`);
  }
}

function leveled(path: Path, row: CommandRow): Path {
  const level = path.ids.length;
  if (row.levels.includes(level)) return path;
  const right = row.levels.map((known) => LEVELS[known]).join(' or ');
  throw badRequest(
    `${row.method} cannot be done on ${LEVELS[level]}, ${formatPath(path.ids)}: it goes to ${right}. ` +
      `${row.method === 'WriteUpdate' && level === 4 ? 'WriteReplace writes a resource instance. ' : ''}Right is: ${row.example}`,
  );
}

/** Core TS 1.1 6.3.8 knows no order between what lies within one another; sorted, an overlap is next to what it lies in. */
function checkOverlap(targets: readonly Target[], row: CommandRow): void {
  const sorted = targets.map(({ path }) => path.ids).sort(compare);
  for (const [at, ids] of sorted.entries()) {
    const before = sorted[at - 1];
    if (!before || !isWithin(ids, before)) continue;
    const same = ids.length === before.length;
    const what = same
      ? `${formatPath(ids)} is there twice`
      : `${formatPath(before)} and ${formatPath(ids)} overlap: ${formatPath(before)} holds the other`;
    throw badRequest(`The paths of ${row.method} must lie beside each other, and ${what}. Leave one of them out.`);
  }
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) if (a[at] !== b[at]) return a[at]! - b[at]!;
  return a.length - b.length;
}

/** Refuses an object the device does not have, one closed to servers, and another major version; warns of another minor one. */
export function checkObject(path: Path, registration: Registration, model: Model, warnings: string[]): void {
  const objectId = path.ids[0] ?? 0;
  const object = namedObject(objectId, registration, model);
  if (CLOSED.includes(objectId)) {
    throw badRequest(
      `Object ${object} is closed to an LwM2M server: only a bootstrap server may touch it. ${listObjects(registration, model)}`,
    );
  }
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
