import { parsePath, formatPath, MAX_ID } from '../lwm2m/path';
import type { Lwm2mVersion, Path, ResourceType, Value } from '../lwm2m/types';
import { NO_IDENTITY } from '../transport/identity';
import type { Identity } from '../transport/types';
import type { LastValue } from './last-values';
import type { Attributes, ObjectLink, Observation, Registration } from './types';

/** A registration as it is kept; `expiresAt` in epoch ms, undefined = never. */
export interface KeptRegistration {
  readonly registration: Registration;
  readonly expiresAt: number | undefined;
  /** The local address the device spoke to, where each has a socket of its own. */
  readonly local?: string | undefined;
}

/** An observation as it is kept, with the Observe number that counted last when it was written. */
export interface KeptObservation {
  readonly observation: Observation;
  readonly last: KeptSequence | undefined;
}

/** Plain data of a registration. Objects and versions are short texts: a hundred thousand records have to be read fast. */
export function writeRegistration({ registration, expiresAt, local }: KeptRegistration): unknown {
  const { objects, versions, identity, ...rest } = registration;
  return {
    ...rest,
    objects: objects.map(writeLink).join(' '),
    versions: Array.from(versions, ([id, version]) => `${id}=${version}`).join(' '),
    ...(identity !== NO_IDENTITY && { identity }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(local !== undefined && { local }),
  };
}

/** An Update that said nothing else: when it came, and when the registration ends now (epoch ms; undefined = never). */
export interface KeptUpdate {
  readonly updatedAt: number;
  readonly expiresAt: number | undefined;
}

export function writeUpdate({ updatedAt, expiresAt }: KeptUpdate): readonly unknown[] {
  return [updatedAt, expiresAt ?? null];
}

export function readUpdate(record: unknown): KeptUpdate | undefined {
  const [updatedAt, expiresAt = null] = Array.isArray(record) ? (record as unknown[]) : [];
  if (!isCount(updatedAt) || (expiresAt !== null && !isCount(expiresAt))) return undefined;
  return { updatedAt, expiresAt: expiresAt ?? undefined };
}

/** The last notification of an observation that counted: its Observe number, and when it came (epoch ms). */
export interface KeptSequence {
  readonly lastObserve: number;
  readonly lastAt: number;
}

export function writeSequence({ lastObserve, lastAt }: KeptSequence): readonly unknown[] {
  return [lastObserve, lastAt];
}

export function readSequence(record: unknown): KeptSequence | undefined {
  const [lastObserve, lastAt] = Array.isArray(record) ? (record as unknown[]) : [];
  return isCount(lastObserve) && isCount(lastAt) ? { lastObserve: lastObserve & 0xffffff, lastAt } : undefined;
}

/** What registrations of one model have in common is read once, and is one object in memory. */
export class RecordReader {
  readonly #objects = new Map<string, readonly ObjectLink[] | undefined>();
  readonly #versions = new Map<string, ReadonlyMap<number, string> | undefined>();
  readonly #texts = new Map<string, string>();

  /** Undefined when the record is not one: a store may have been damaged, or written by somebody else. */
  registration(id: string, record: unknown): KeptRegistration | undefined {
    if (!isRecord(record)) return undefined;
    const { endpoint, lwm2mVersion, lifetime, binding, queueMode, smsNumber, extra, rootPath, contentFormats, address, port } = record;
    const { registeredAt, updatedAt, expiresAt, identity, local } = record;
    const objects = remember(this.#objects, record.objects, readObjects);
    const versions = remember(this.#versions, record.versions, readVersions);
    const who = identity === undefined ? NO_IDENTITY : readIdentity(identity);
    if (!objects || !versions || !who || record.id !== id) return undefined;
    if (typeof endpoint !== 'string' || endpoint === '' || !isVersion(lwm2mVersion) || !isCount(lifetime)) return undefined;
    if (typeof binding !== 'string' || typeof queueMode !== 'boolean' || typeof rootPath !== 'string' || !isTextList(extra))
      return undefined;
    if (!Array.isArray(contentFormats) || !contentFormats.every(isCount) || typeof address !== 'string' || !isPort(port)) return undefined;
    if (!isCount(registeredAt) || !isCount(updatedAt) || (expiresAt !== undefined && !isCount(expiresAt))) return undefined;
    if (![smsNumber, local].every((text) => text === undefined || typeof text === 'string')) return undefined;
    return {
      registration: {
        id,
        endpoint,
        lwm2mVersion,
        lifetime,
        binding: this.#text(binding),
        queueMode,
        ...(typeof smsNumber === 'string' && { smsNumber }),
        extra,
        rootPath: this.#text(rootPath),
        contentFormats,
        objects,
        versions,
        identity: who,
        address,
        port,
        registeredAt,
        updatedAt,
        lastSeenAt: updatedAt,
      },
      expiresAt,
      local: typeof local === 'string' ? local : undefined,
    };
  }

  observation(id: string, record: unknown): KeptObservation | undefined {
    if (!isRecord(record) || !/^(?:[0-9a-f]{2}){1,8}$/.test(id)) return undefined;
    const { registrationId, endpoint, path, contentFormat, accept, startedAt, lastObserve, lastAt } = record;
    const { requestFormat, attributes } = record;
    const parsed = readPath(path);
    const paths = record.paths === undefined ? undefined : readPaths(record.paths);
    if (record.paths !== undefined && !paths) return undefined;
    if (attributes !== undefined && !isAttributes(attributes)) return undefined;
    if (!parsed || typeof registrationId !== 'string' || typeof endpoint !== 'string') return undefined;
    if (![contentFormat, accept, requestFormat, lastObserve].every((number) => number === undefined || isCount(number))) return undefined;
    if (!isCount(startedAt) || (lastAt !== undefined && !isCount(lastAt))) return undefined;
    return {
      observation: {
        id,
        registrationId,
        endpoint,
        path: parsed,
        ...(paths && { paths }),
        ...(isCount(requestFormat) && { requestFormat }),
        ...(attributes !== undefined && { attributes }),
        ...(isCount(contentFormat) && { contentFormat }),
        ...(isCount(accept) && { accept }),
        startedAt,
      },
      last: isCount(lastObserve) && isCount(lastAt) ? { lastObserve: lastObserve & 0xffffff, lastAt } : undefined,
    };
  }

  #text(text: string): string {
    const known = this.#texts.get(text);
    if (known === undefined) this.#texts.set(text, text);
    return known ?? text;
  }
}

export function writeObservation({ observation, last }: KeptObservation): unknown {
  const { path, paths, registrationId, endpoint, contentFormat, accept, requestFormat, attributes, startedAt } = observation;
  return {
    registrationId,
    endpoint,
    contentFormat,
    accept,
    startedAt,
    path: formatPath(path.ids, path.version),
    ...(paths && { paths: paths.map(({ ids }) => formatPath(ids)) }),
    ...(requestFormat !== undefined && { requestFormat }),
    ...(attributes && { attributes }),
    ...last,
  };
}

export function readValue(record: unknown): LastValue | undefined {
  if (!isRecord(record)) return undefined;
  const { type, value, at, unsure } = record;
  if (!isCount(at) || !TYPES.has(type as ResourceType)) return undefined;
  const known = ['string', 'number', 'bigint', 'boolean'].includes(typeof value) || value instanceof Uint8Array;
  return known ? { type: type as ResourceType, value: value as Value, at, ...(unsure === true && { unsure }) } : undefined;
}

const TYPES: ReadonlySet<ResourceType> = new Set([
  'string',
  'integer',
  'unsigned',
  'float',
  'boolean',
  'opaque',
  'time',
  'objlnk',
  'corelnk',
  'none',
]);

function remember<T>(known: Map<string, T | undefined>, text: unknown, read: (text: string) => T | undefined): T | undefined {
  if (typeof text !== 'string') return undefined;
  if (known.has(text)) return known.get(text);
  const value = read(text);
  known.set(text, value);
  return value;
}

/** "1_1.1", "3/0", "44_2.2/0": the version where the device wrote it. */
function writeLink({ objectId, instanceId, version }: ObjectLink): string {
  const object = version === undefined ? `${objectId}` : `${objectId}_${version}`;
  return instanceId === undefined ? object : `${object}/${instanceId}`;
}

function readObjects(text: string): readonly ObjectLink[] | undefined {
  const links: ObjectLink[] = [];
  for (const part of text.split(' ')) {
    const match = /^(\d{1,5})(?:_(\d{1,3}\.\d{1,3}))?(?:\/(\d{1,5}))?$/.exec(part);
    if (!match || Number(match[1]) > MAX_ID || Number(match[3] ?? 0) > MAX_ID) return undefined;
    const instance = match[3] === undefined ? {} : { instanceId: Number(match[3]) };
    links.push(Object.freeze({ objectId: Number(match[1]), ...instance, ...(match[2] !== undefined && { version: match[2] }) }));
  }
  return Object.freeze(links);
}

function readVersions(text: string): ReadonlyMap<number, string> | undefined {
  const versions = new Map<number, string>();
  for (const part of text.split(' ')) {
    const match = /^(\d{1,5})=(\d{1,3}\.\d{1,3})$/.exec(part);
    if (!match) return undefined;
    versions.set(Number(match[1]), match[2]!);
  }
  return versions;
}

function readIdentity(record: unknown): Identity | undefined {
  if (!isRecord(record)) return undefined;
  const { scheme, mode, name, aliases } = record;
  if ((scheme !== 'coap' && scheme !== 'coaps') || typeof name !== 'string') return undefined;
  if (mode !== 'none' && mode !== 'psk' && mode !== 'rpk' && mode !== 'x509') return undefined;
  if (aliases === undefined) return { scheme, mode, name };
  return isNames(aliases) ? { scheme, mode, name, aliases } : undefined;
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

function readPath(text: unknown): Observation['path'] | undefined {
  try {
    return typeof text === 'string' ? parsePath(text) : undefined;
  } catch {
    return undefined;
  }
}

function readPaths(texts: unknown): Observation['paths'] {
  const paths = Array.isArray(texts) ? texts.map(readPath) : [];
  return paths.length > 0 && paths.every((path) => path !== undefined && path.ids.length > 0) ? (paths as Path[]) : undefined;
}

function isAttributes(value: unknown): value is Attributes {
  if (!Array.isArray(value)) return false;
  return value.every((item: unknown) => {
    const [name, text, ...rest] = Array.isArray(item) ? (item as unknown[]) : [];
    return typeof name === 'string' && (text === null || typeof text === 'string') && rest.length === 0;
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTextList(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every((text) => typeof text === 'string');
}

/** A whole number from 0 on that is exact; times with a fraction count too. */
function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isPort(value: unknown): value is number {
  return isCount(value) && Number.isInteger(value) && value > 0 && value <= 65_535;
}

function isVersion(value: unknown): value is Lwm2mVersion {
  return value === '1.0' || value === '1.1' || value === '1.2';
}
