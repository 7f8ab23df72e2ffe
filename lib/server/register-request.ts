import { Code } from '../coap/codes';
import type { IncomingRequest } from '../coap/types';
import type { Lwm2mVersion } from '../lwm2m/types';
import { parseLwm2mVersion } from '../lwm2m/version';
import { parseObjectList, type ObjectList } from './object-list';
import { profileIds } from './profiles';
import { bad, isRefusal, printable, refusal, type Refusal } from './refusal';

/** A well-formed Register. */
export interface RegisterRequest {
  /** Undefined where profile ids alone stand for it. */
  readonly list: ObjectList | undefined;
  /** LwM2M 1.2: sorted, each once. */
  readonly profiles: readonly string[];
  readonly endpoint: string;
  readonly lwm2mVersion: Lwm2mVersion;
  readonly lifetime: number;
  readonly binding: string;
  readonly queueMode: boolean;
  readonly smsNumber: string | undefined;
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
  readonly profiles?: readonly string[];
}

const DEFAULT_LIFETIME = 86_400;
/** Four bytes of seconds are 136 years. */
const MAX_LIFETIME = 0xffff_ffff;
const BINDINGS_1_0 = new Set(['U', 'UQ', 'S', 'SQ', 'US', 'UQS']);
/** Core TS 1.1 6.2.1.2 and 1.2: transports in any order, once each; queue mode has its own parameter. */
const BINDING_LETTERS: Record<Exclude<Lwm2mVersion, '1.0'>, string> = { '1.1': 'UTSN', '1.2': 'UTSNMH' };
const NO_PROFILES: readonly string[] = [];
const BAD_PROFILE = 'a profile id (pid) looks like 6:27354b9a or oma:name';
/** Parameters nobody standardised that are kept of one device. */
const MAX_EXTRA = 32;

/** Parameters as they came: null for one without "=", undefined for one that is not there. */
interface Query {
  ep: string | null | undefined;
  lwm2m: string | null | undefined;
  lt: string | null | undefined;
  b: string | null | undefined;
  Q: string | null | undefined;
  sms: string | null | undefined;
  profiles: (string | null)[] | undefined;
  readonly extra: Record<string, string>;
}

/** Twice the same standard parameter is an error, of others the last counts. */
function parseQuery(items: readonly string[]): Query | Refusal {
  const query: Query = {
    ep: undefined,
    lwm2m: undefined,
    lt: undefined,
    b: undefined,
    Q: undefined,
    sms: undefined,
    profiles: undefined,
    extra: {},
  };
  for (const item of items) {
    const at = item.indexOf('=');
    const name = at < 0 ? item : item.slice(0, at);
    const value = at < 0 ? null : item.slice(at + 1);
    switch (name) {
      case 'ep':
        if (query.ep !== undefined) return twice(name);
        query.ep = value;
        break;
      case 'lwm2m':
        if (query.lwm2m !== undefined) return twice(name);
        query.lwm2m = value;
        break;
      case 'lt':
        if (query.lt !== undefined) return twice(name);
        query.lt = value;
        break;
      case 'b':
        if (query.b !== undefined) return twice(name);
        query.b = value;
        break;
      case 'Q':
        if (query.Q !== undefined) return twice(name);
        query.Q = value;
        break;
      case 'sms':
        if (query.sms !== undefined) return twice(name);
        query.sms = value;
        break;
      default:
        if (name === 'pid') (query.profiles ??= []).push(value);
        keepExtra(query.extra, name, value ?? '');
    }
  }
  return query;
}

const twice = (name: string): Refusal => bad(`the parameter "${name}" is there twice`);

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
  const endpoint = query.ep ?? (identityName || undefined);
  if (endpoint === undefined || endpoint === '') return bad('the endpoint name (ep) is missing');
  if (UNPRINTABLE.test(endpoint)) return bad('the endpoint name (ep) has characters that cannot be printed');

  const versionText = query.lwm2m === undefined ? '1.0' : (query.lwm2m ?? '');
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
  const profiles = query.profiles && lwm2mVersion === '1.2' ? profileIds(query.profiles) : NO_PROFILES;
  if (!profiles) return bad(BAD_PROFILE);
  const none = request.payload.length === 0;
  if (none && profiles.length === 0 && lwm2mVersion === '1.2') {
    return refusal(Code.CONFLICT, 'the object list is missing', 'The device should register with its full object list.');
  }
  const list = none && profiles.length > 0 ? undefined : parseObjectList(request, undefined);
  if (list && isRefusal(list)) return list;
  return {
    endpoint,
    lwm2mVersion,
    lifetime: common.lifetime ?? DEFAULT_LIFETIME,
    binding: common.binding ?? 'U',
    queueMode: common.queueMode ?? false,
    extra: common.extra,
    smsNumber: common.smsNumber,
    list,
    profiles,
  };
}

/** Reads an Update of a registration in `version` (Core TS 6.2.2). Never throws. */
export function parseUpdate(request: IncomingRequest, version: Lwm2mVersion, knownRoot: string): UpdateRequest | Refusal {
  const query = parseQuery(request.query);
  if (isRefusal(query)) return query;
  const common = parseCommon(query, version);
  if (isRefusal(common)) return common;
  const profiles = query.profiles && version === '1.2' ? profileIds(query.profiles) : NO_PROFILES;
  if (!profiles) return bad(BAD_PROFILE);
  const named = profiles.length === 0 ? common : { ...common, profiles };
  if (request.payload.length === 0) return named;
  const list = parseObjectList(request, knownRoot);
  return isRefusal(list) ? list : { ...named, list };
}

function parseCommon(query: Query, version: Lwm2mVersion): Omit<UpdateRequest, 'list'> | Refusal {
  const { lt, b, Q, sms, extra } = query;
  const result: { lifetime?: number; binding?: string; queueMode?: boolean; smsNumber?: string; extra: Record<string, string> } = { extra };
  if (lt !== undefined) {
    if (lt === null || !/^\d{1,10}$/.test(lt)) return bad('the lifetime (lt) must be a number of seconds');
    const lifetime = Number(lt);
    if (lifetime > MAX_LIFETIME) return bad(`the lifetime (lt) is above ${MAX_LIFETIME} s`);
    result.lifetime = lifetime;
  }
  if (b !== undefined) {
    if (b === null || !isBinding(b, version)) return bad(`the binding mode (b) "${printable(b ?? '')}" is not one of LwM2M ${version}`);
    result.binding = b;
    if (version === '1.0') result.queueMode = b.includes('Q');
  }
  if (Q !== undefined) {
    if (version === '1.0') return bad('the parameter Q does not exist in LwM2M 1.0: queue mode is part of b');
    if (Q !== null) return bad('the parameter Q has no value');
    result.queueMode = true;
  }
  if (sms !== undefined && sms !== null) result.smsNumber = sms;
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
  for (let at = 0; at < value.length; at++) {
    const letter = value.charAt(at);
    if (!allowed.includes(letter) || value.indexOf(letter) !== at) return false;
  }
  return value.length > 0;
}
