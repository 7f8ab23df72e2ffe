import type { IncomingRequest } from '../coap/types';
import { linkAttribute, LinkFormatError, parseLinks, type Link } from '../lwm2m/link-format';
import { MAX_ID } from '../lwm2m/path';
import type { Lwm2mVersion } from '../lwm2m/types';
import { defaultObjectVersion } from '../lwm2m/version';
import { bad, isRefusal, printable, type Refusal } from './refusal';
import type { ObjectLink } from './types';

/** What a device says of itself in the object list of Register and Update (Core TS 6.2.1, RFC 6690). */
export interface ObjectList {
  /** Undefined when no link says where the root is. */
  readonly rootPath: string | undefined;
  readonly contentFormats: readonly number[];
  readonly objects: readonly ObjectLink[];
  /** Versions the device wrote out; the rest follows from its LwM2M version. */
  readonly written: ReadonlyMap<number, string>;
}

const LINK_FORMAT = 40;
const VERSION = /^\d{1,3}\.\d{1,3}$/;
/** Stands for "no instance" where ids are numbers. */
const NO_INSTANCE = MAX_ID + 1;
/** Segments of a URI path; RFC 7252 5.10 lets one have 255 bytes, and no client needs more for all of them. */
const ROOT_PATH = /^\/?[^/?#]+(?:\/[^/?#]+)*$/;
const MAX_ROOT_PATH = 255;

/**
 * Reads the object list of a request. `knownRoot`: the alternate path of an earlier Register; undefined in a Register itself, which
 * must have a list. Never throws; what it returns is shared by all devices with the same list, and frozen.
 */
export function parseObjectList(request: IncomingRequest, knownRoot: string | undefined): ObjectList | Refusal {
  // Wakaama's Update and lwm2m-node-lib's Register carry no Content-Format; later blocks of Wakaama's Update say text.
  const { contentFormat = LINK_FORMAT } = request;
  if (contentFormat !== LINK_FORMAT && (contentFormat !== 0 || knownRoot === undefined))
    return bad('the object list must be in link-format (40)');
  if (request.payload.length === 0 && knownRoot === undefined) return bad('the object list is missing');
  return readObjectList(request.payload, knownRoot ?? '');
}

/** Devices of one model send the same list, time and again: the last few hundred need no reading. Two generations bound the memory. */
let young = new Map<string, ObjectList>();
let old = new Map<string, ObjectList>();
const GENERATION = 256;
/** A longer list is read every time. */
const MAX_REMEMBERED = 2048;

/** Reads an object list that lies at `knownRoot` where it does not say; see `parseObjectList`. */
export function readObjectList(payload: Uint8Array, knownRoot: string): ObjectList | Refusal {
  if (payload.length > MAX_REMEMBERED) return parse(payload, knownRoot);
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('latin1');
  // Only lists that can be read are remembered: they begin with "<" or a blank, and no path does.
  const key = knownRoot === '' ? text : `${knownRoot}|${text}`;
  const remembered = young.get(key) ?? old.get(key);
  if (remembered) return remembered;
  const list = parse(payload, knownRoot);
  if (isRefusal(list)) return list;
  if (young.size >= GENERATION) {
    old = young;
    young = new Map();
  }
  young.set(key, list);
  return list;
}

/** A byte order mark is not part of link-format: it must not be swallowed. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function parse(payload: Uint8Array, knownRoot: string): ObjectList | Refusal {
  let links: Link[];
  try {
    links = parseLinks(utf8.decode(payload));
  } catch (error) {
    return bad(error instanceof LinkFormatError ? `the object list is not link-format: ${error.message}` : 'the object list is not UTF-8');
  }
  return readLinks(links, knownRoot);
}

/** The root link (`rt="oma.lwm2m"`) gives the alternate path and the content formats; the others name objects. */
function readLinks(links: readonly Link[], knownRoot: string): ObjectList | Refusal {
  const root =
    links.find((link) => linkAttribute(link, 'rt')?.split(' ').includes('oma.lwm2m')) ?? links.find((link) => link.target === '/');
  const rootPath = root ? root.target.replace(/\/+$/, '') : knownRoot;
  if (rootPath !== '' && (rootPath.length > MAX_ROOT_PATH || !ROOT_PATH.test(rootPath)))
    return bad(`the object list has the alternate path "${printable(rootPath)}", which is no path, or too long`);
  const objects = new Map<number, ObjectLink>();
  const written = new Map<number, string>();
  for (const link of links) {
    if (link === root) continue;
    const target = rootPath && link.target.startsWith(`${rootPath}/`) ? link.target.slice(rootPath.length) : link.target;
    // Other resources of the device, such as </digitalOutput/0>, are not LwM2M objects.
    const match = /^\/?(\d{1,6})(?:\/(\d{1,6}))?\/?$/.exec(target);
    if (!match) continue;
    const objectId = Number(match[1]);
    const instanceId = match[2] === undefined ? undefined : Number(match[2]);
    if (objectId > MAX_ID || (instanceId ?? 0) > MAX_ID) return bad(`the object list names ${target}: ids end at ${MAX_ID}`);
    const ver = linkAttribute(link, 'ver');
    const version = typeof ver === 'string' && VERSION.test(ver) ? { version: ver } : {};
    if (version.version !== undefined) written.set(objectId, version.version);
    const objectLink = instanceId === undefined ? { objectId, ...version } : { objectId, instanceId, ...version };
    objects.set(objectId * (MAX_ID + 2) + (instanceId ?? NO_INSTANCE), Object.freeze(objectLink));
  }
  if (objects.size === 0) return bad('the object list names no object');
  const contentFormats = (linkAttribute(root ?? { target: '', attributes: [] }, 'ct') ?? '')
    .split(/[\s,]+/)
    .filter((text) => /^\d{1,5}$/.test(text));
  return Object.freeze({
    rootPath: root && rootPath,
    contentFormats: Object.freeze(contentFormats.map(Number)),
    objects: Object.freeze([...objects.values()]),
    written,
  });
}

/** The versions of remembered lists, which all devices with the same list share. */
const versionsOf = new WeakMap<ObjectList, Map<Lwm2mVersion, ReadonlyMap<number, string>>>();

/** Object id -> version: as written, else as the LwM2M version implies (Core TS 7.2.2). Shared: not to be changed. */
export function objectVersions(list: ObjectList, version: Lwm2mVersion): ReadonlyMap<number, string> {
  let known = versionsOf.get(list);
  if (!known) versionsOf.set(list, (known = new Map<Lwm2mVersion, ReadonlyMap<number, string>>()));
  let versions = known.get(version);
  if (!versions) known.set(version, (versions = readVersions(list, version)));
  return versions;
}

function readVersions(list: ObjectList, version: Lwm2mVersion): ReadonlyMap<number, string> {
  const versions = new Map<number, string>();
  for (const { objectId } of list.objects) {
    if (!versions.has(objectId)) versions.set(objectId, list.written.get(objectId) ?? defaultObjectVersion(objectId, version));
  }
  return versions;
}
