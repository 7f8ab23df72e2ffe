import { Code } from '../coap/codes';
import type { IncomingRequest } from '../coap/types';
import { linkAttribute, LinkFormatError, parseLinks, type Link } from '../lwm2m/link-format';
import { MAX_ID } from '../lwm2m/path';
import type { Lwm2mVersion } from '../lwm2m/types';
import { defaultObjectVersion, parseLwm2mVersion } from '../lwm2m/version';
import { isRefusal, refusal, type Refusal } from './refusal';
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

/** A well-formed Register. */
export interface RegisterRequest extends ObjectList {
  readonly endpoint: string;
  readonly lwm2mVersion: Lwm2mVersion;
  readonly lifetime: number;
  readonly binding: string;
  readonly queueMode: boolean;
  readonly smsNumber?: string;
  readonly extra: Readonly<Record<string, string>>;
}

/** What an Update changes; what it does not name stays. */
export interface UpdateRequest {
  readonly lifetime?: number;
  readonly binding?: string;
  readonly queueMode?: boolean;
  readonly smsNumber?: string;
  readonly extra: Readonly<Record<string, string>>;
  readonly list?: ObjectList;
}

const DEFAULT_LIFETIME = 86_400;
/** Four bytes of seconds are 136 years. */
const MAX_LIFETIME = 0xffff_ffff;
const LINK_FORMAT = 40;
const BINDINGS_1_0 = new Set(['U', 'UQ', 'S', 'SQ', 'US', 'UQS']);
/** Core TS 1.1 6.2.1.2 and 1.2: transports in any order, once each; queue mode has its own parameter. */
const BINDING_LETTERS: Record<Exclude<Lwm2mVersion, '1.0'>, string> = { '1.1': 'UTSN', '1.2': 'UTSNMH' };
const VERSION = /^\d{1,3}\.\d{1,3}$/;
const HINT = 'Check what the device sends in its Register message.';
const UNKNOWN_PROFILE = 'profile ids (pid) are not known here';
const PROFILE_HINT = 'The device should register again with its full object list.';
/** Parameters nobody standardised that are kept of one device. */
const MAX_EXTRA = 32;
/** Segments of a URI path; RFC 7252 5.10 lets one have 255 bytes, and no client needs more for all of them. */
const ROOT_PATH = /^\/?[^/?#]+(?:\/[^/?#]+)*$/;
const MAX_ROOT_PATH = 255;

const bad = (reason: string): Refusal => refusal(Code.BAD_REQUEST, reason, HINT);

type Query = ReadonlyMap<string, string | null>;

/** Parameters by name; null for one without "=". Twice the same standard parameter is an error, of others the last counts. */
function parseQuery(items: readonly string[]): Query | Refusal {
  const query = new Map<string, string | null>();
  for (const item of items) {
    const at = item.indexOf('=');
    const name = at < 0 ? item : item.slice(0, at);
    if (query.has(name) && STANDARD.has(name)) return bad(`the parameter "${printable(name)}" is there twice`);
    query.set(name, at < 0 ? null : item.slice(at + 1));
  }
  return query;
}

const STANDARD = new Set(['ep', 'lt', 'lwm2m', 'b', 'Q', 'sms']);

/** Shortens and cleans text from the network before it goes into a message for people. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.slice(0, 64).replace(/[\u0000-\u001f\u007f-\u009f\ufffd]/g, '?');
}

/** Names with control characters, or bytes that are not UTF-8, would not survive logs and topics. */
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\ufffd]/;

/**
 * Reads a Register (Core TS 6.2.1; Transport TS 6.4). `identityName` is the name a secure identity gives, for a device that
 * leaves out `ep`. Never throws.
 */
export function parseRegister(request: IncomingRequest, identityName: string): RegisterRequest | Refusal {
  if (!request.confirmable) return bad('a Register must be Confirmable');
  const query = parseQuery(request.query);
  if (isRefusal(query)) return query;
  const endpoint = query.get('ep') ?? (identityName || undefined);
  if (endpoint === undefined || endpoint === '') return bad('the endpoint name (ep) is missing');
  if (UNPRINTABLE.test(endpoint)) return bad('the endpoint name (ep) has characters that cannot be printed');

  const versionText = query.get('lwm2m') === undefined ? '1.0' : (query.get('lwm2m') ?? '');
  const lwm2mVersion = parseLwm2mVersion(versionText);
  if (!lwm2mVersion) {
    return refusal(
      Code.PRECONDITION_FAILED,
      `LwM2M version "${printable(versionText)}" is not supported`,
      'This server speaks LwM2M 1.0, 1.1 and 1.2. Set one of them in the device.',
    );
  }
  const common = parseCommon(query, lwm2mVersion);
  if (isRefusal(common)) return common;
  if (query.has('pid') && lwm2mVersion === '1.2') {
    return refusal(Code.CONFLICT, UNKNOWN_PROFILE, PROFILE_HINT);
  }
  const list = parseObjectList(request, undefined);
  if (isRefusal(list)) return list;
  return {
    endpoint,
    lwm2mVersion,
    lifetime: common.lifetime ?? DEFAULT_LIFETIME,
    binding: common.binding ?? 'U',
    queueMode: common.queueMode ?? false,
    extra: common.extra,
    ...(common.smsNumber !== undefined && { smsNumber: common.smsNumber }),
    ...list,
  };
}

/** Reads an Update of a registration in `version` (Core TS 6.2.2). Never throws. */
export function parseUpdate(request: IncomingRequest, version: Lwm2mVersion, knownRoot: string): UpdateRequest | Refusal {
  const query = parseQuery(request.query);
  if (isRefusal(query)) return query;
  const common = parseCommon(query, version);
  if (isRefusal(common)) return common;
  // Transport TS 1.2 6.7 has no 4.09 for Update; on 4.04 every client registers again.
  if (query.has('pid') && version === '1.2') return refusal(Code.NOT_FOUND, UNKNOWN_PROFILE, PROFILE_HINT);
  if (request.payload.length === 0) return common;
  const list = parseObjectList(request, knownRoot);
  return isRefusal(list) ? list : { ...common, list };
}

function parseCommon(query: Query, version: Lwm2mVersion): Omit<UpdateRequest, 'list'> | Refusal {
  const result: { lifetime?: number; binding?: string; queueMode?: boolean; smsNumber?: string; extra: Record<string, string> } = {
    extra: {},
  };
  for (const [name, value] of query) {
    switch (name) {
      case 'lt': {
        if (value === null || !/^\d{1,10}$/.test(value)) return bad('the lifetime (lt) must be a number of seconds');
        const lifetime = Number(value);
        if (lifetime > MAX_LIFETIME) return bad(`the lifetime (lt) is above ${MAX_LIFETIME} s`);
        result.lifetime = lifetime;
        break;
      }
      case 'b': {
        if (value === null || !isBinding(value, version))
          return bad(`the binding mode (b) "${printable(value ?? '')}" is not one of LwM2M ${version}`);
        result.binding = value;
        if (version === '1.0') result.queueMode = value.includes('Q');
        break;
      }
      case 'Q':
        if (version === '1.0') return bad('the parameter Q does not exist in LwM2M 1.0: queue mode is part of b');
        if (value !== null) return bad('the parameter Q has no value');
        result.queueMode = true;
        break;
      case 'sms':
        if (value !== null) result.smsNumber = value;
        break;
      case 'ep':
      case 'lwm2m':
        break;
      default:
        keepExtra(result.extra, name, value ?? '');
    }
  }
  return result;
}

/** Adds or changes a parameter nobody standardised; a new one beyond the limit is left out. Any name is only data. */
function keepExtra(extra: Record<string, string>, name: string, value: string): void {
  if (!Object.hasOwn(extra, name) && Object.keys(extra).length >= MAX_EXTRA) return;
  Object.defineProperty(extra, name, { value, enumerable: true, configurable: true, writable: true });
}

/** The parameters nobody standardised after an Update. */
export function mergeExtra(before: Readonly<Record<string, string>>, update: Readonly<Record<string, string>>): Record<string, string> {
  const extra = { ...before };
  for (const [name, value] of Object.entries(update)) keepExtra(extra, name, value);
  return extra;
}

function isBinding(value: string, version: Lwm2mVersion): boolean {
  if (version === '1.0') return BINDINGS_1_0.has(value);
  const allowed = BINDING_LETTERS[version];
  return value.length > 0 && new Set(value).size === value.length && Array.from(value).every((letter) => allowed.includes(letter));
}

/** `knownRoot`: the alternate path of an earlier Register; undefined in a Register itself, which must have a list. */
function parseObjectList(request: IncomingRequest, knownRoot: string | undefined): ObjectList | Refusal {
  // Wakaama's Update and lwm2m-node-lib's Register carry no Content-Format; later blocks of Wakaama's Update say text.
  const { contentFormat = LINK_FORMAT } = request;
  if (contentFormat !== LINK_FORMAT && (contentFormat !== 0 || knownRoot === undefined))
    return bad('the object list must be in link-format (40)');
  if (request.payload.length === 0 && knownRoot === undefined) return bad('the object list is missing');
  let links: Link[];
  try {
    links = parseLinks(new TextDecoder('utf-8', { fatal: true }).decode(request.payload));
  } catch (error) {
    return bad(error instanceof LinkFormatError ? `the object list is not link-format: ${error.message}` : 'the object list is not UTF-8');
  }
  return readLinks(links, knownRoot ?? '');
}

/** The root link (`rt="oma.lwm2m"`) gives the alternate path and the content formats; the others name objects. */
function readLinks(links: readonly Link[], knownRoot: string): ObjectList | Refusal {
  const root =
    links.find((link) => linkAttribute(link, 'rt')?.split(' ').includes('oma.lwm2m')) ?? links.find((link) => link.target === '/');
  const rootPath = root ? root.target.replace(/\/+$/, '') : knownRoot;
  if (rootPath !== '' && (rootPath.length > MAX_ROOT_PATH || !ROOT_PATH.test(rootPath)))
    return bad(`the object list has the alternate path "${printable(rootPath)}", which is no path, or too long`);
  const objects = new Map<string, ObjectLink>();
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
    const version = linkAttribute(link, 'ver');
    if (typeof version === 'string' && VERSION.test(version)) written.set(objectId, version);
    objects.set(`${objectId}/${instanceId ?? ''}`, { objectId, ...(instanceId !== undefined && { instanceId }) });
  }
  if (objects.size === 0) return bad('the object list names no object');
  const contentFormats = (linkAttribute(root ?? { target: '', attributes: [] }, 'ct') ?? '')
    .split(/[\s,]+/)
    .filter((text) => /^\d{1,5}$/.test(text));
  return { rootPath: root && rootPath, contentFormats: contentFormats.map(Number), objects: [...objects.values()], written };
}

/** Object id -> version: as written, else as the LwM2M version implies (Core TS 7.2.2). */
export function objectVersions(list: ObjectList, version: Lwm2mVersion): ReadonlyMap<number, string> {
  const versions = new Map<number, string>();
  for (const { objectId } of list.objects) {
    if (!versions.has(objectId)) versions.set(objectId, list.written.get(objectId) ?? defaultObjectVersion(objectId, version));
  }
  return versions;
}
