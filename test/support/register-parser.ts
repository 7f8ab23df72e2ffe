/**
 * A second opinion on one datagram: is it a Register (Core TS 1.1.1 6.2.1, Transport TS 6.4.1, RFC 7252, RFC 6690)? It shares no code
 * with the server, and is written for clarity, not for speed.
 */

import * as coap from './coap-message';

/** What the datagram registers, or why it does not. */
export type Verdict =
  | {
      readonly kind: 'register';
      readonly endpoint: string;
      readonly lifetime: number;
      readonly version: string;
      readonly binding: string;
      readonly queueMode: boolean;
      /** "/3/0" or "/2", in the order of the list, without the alternate path. */
      readonly objects: readonly string[];
    }
  | { readonly kind: 'other'; readonly reason: string };

export const DEFAULT_LIFETIME = 86_400;

interface OptionFacts {
  readonly min: number;
  readonly max: number;
  readonly repeatable: boolean;
}

const once = (min: number, max: number): OptionFacts => ({ min, max, repeatable: false });
const many = (min: number, max: number): OptionFacts => ({ min, max, repeatable: true });

/** Critical options that may stand in a Register, with their legal lengths (RFC 7252 table 4, RFC 7959 table 1). */
const CRITICAL: Readonly<Record<number, OptionFacts>> = {
  [coap.OptionNumber.UriHost]: once(1, 255),
  [coap.OptionNumber.UriPort]: once(0, 2),
  [coap.OptionNumber.UriPath]: many(0, 255),
  [coap.OptionNumber.UriQuery]: many(0, 255),
  [coap.OptionNumber.Accept]: once(0, 2),
  [coap.OptionNumber.Block2]: once(0, 3),
  [coap.OptionNumber.Block1]: once(0, 3),
};

/** The bounds the server puts on one message and one list, documented where they are kept. */
const LIMITS = { options: 128, links: 10_000, attributes: 64, lifetime: 0xffff_ffff, highestId: 65_534, path: 255 };

/** Judges one datagram from a peer that has not sent anything before. */
export function judgeRegister(data: Uint8Array): Verdict {
  let message: coap.CoapMessage;
  try {
    message = coap.decodeMessage(data);
  } catch (error) {
    return other(`no CoAP: ${(error as Error).message}`);
  }
  if (message.type !== coap.CON) return other('not Confirmable');
  if (message.code !== coap.code('0.02')) return other('not POST');
  if (message.options.length > LIMITS.options) return other('too many options');
  const critical = badCriticalOption(message.options);
  if (critical !== undefined) return other(`critical option ${critical}`);
  const path = coap.texts(message, coap.OptionNumber.UriPath);
  if (path.length !== 1 || path[0] !== 'rd') return other('not /rd');
  for (const [number, name] of [
    [coap.OptionNumber.Block1, 'Block1'],
    [coap.OptionNumber.Block2, 'Block2'],
  ] as const) {
    const value = coap.number(message, number) ?? 0;
    if ((value & 7) === 7) return other(`${name} with the reserved size`);
    if (value >> 4 !== 0) return other(`${name} that is not the first`);
    if (number === coap.OptionNumber.Block1 && (value & 8) !== 0) return other('the first block of several');
  }
  const contentFormat = contentFormatOf(message);
  if (contentFormat !== undefined && contentFormat !== 40) return other('not link-format');
  return judgeParameters(coap.values(message, coap.OptionNumber.UriQuery), message.payload);
}

/** The first critical option that cannot be served: unknown, of a wrong length, or there twice. */
function badCriticalOption(options: readonly coap.CoapOption[]): number | undefined {
  const seen = new Set<number>();
  for (const { number, value } of options) {
    if (number % 2 === 0) continue;
    const facts = CRITICAL[number];
    if (facts === undefined || value.length < facts.min || value.length > facts.max) return number;
    if (seen.has(number) && !facts.repeatable) return number;
    seen.add(number);
  }
  return undefined;
}

/** Content-Format is elective: one of a wrong length, and a second one, do not count (RFC 7252 5.4.3, 5.4.5). */
function contentFormatOf(message: coap.CoapMessage): number | undefined {
  const usable = coap.values(message, coap.OptionNumber.ContentFormat).find((value) => value.length <= 2);
  return usable === undefined ? undefined : coap.readUint(usable);
}

function judgeParameters(query: readonly Buffer[], payload: Buffer): Verdict {
  const parameters = new Map<string, string | undefined>();
  for (const item of query) {
    const text = item.toString('utf8');
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    // A parameter of the standard stands once; of others the last counts.
    if (parameters.has(name) && ['ep', 'lt', 'lwm2m', 'b', 'Q', 'sms'].includes(name)) return other(`two of ${name}`);
    parameters.set(name, equals < 0 ? undefined : text.slice(equals + 1));
  }
  const endpoint = parameters.get('ep') ?? '';
  if (endpoint === '') return other('no endpoint name');
  if (/[\p{Cc}\ufffd]/u.test(endpoint)) return other('an endpoint name that cannot be printed');
  const lifetime = parameters.has('lt') ? parameters.get('lt') : String(DEFAULT_LIFETIME);
  if (lifetime === undefined || !/^[0-9]{1,10}$/.test(lifetime) || Number(lifetime) > LIMITS.lifetime) return other('lt');
  const written = (parameters.has('lwm2m') ? parameters.get('lwm2m') : '1.0') ?? '';
  // coap-node writes the version of the document, 1.0.0.
  const version = ['1.0', '1.1', '1.2'].find(
    (known) => written === known || (written.startsWith(`${known}.`) && /^\d$/.test(written.slice(4))),
  );
  if (version === undefined) return other('lwm2m');
  const binding = parameters.has('b') ? parameters.get('b') : 'U';
  if (binding === undefined || !isBinding(binding, version)) return other('b');
  if (parameters.has('Q') && (version === '1.0' || parameters.get('Q') !== undefined)) return other('Q');
  // A profile id (Core TS 1.2 6.2.1) stands for an object list the server would have to know already.
  if (version === '1.2' && parameters.has('pid')) return other('pid');
  const list = utf8(payload);
  if (list === undefined) return other('links that are not UTF-8');
  const links = readLinks(list);
  if (typeof links === 'string') return other(links);
  const objects = objectsOf(links);
  if (typeof objects === 'string') return other(objects);
  if (objects.length === 0) return other('no object');
  const queueMode = version === '1.0' ? binding.includes('Q') : parameters.has('Q');
  return { kind: 'register', endpoint, lifetime: Number(lifetime), version, binding, queueMode, objects };
}

/** Binding modes: Core TS 1.0.2 5.3.1.1 has six; from 1.1 on a set of letters, queue mode is a parameter of its own. */
function isBinding(binding: string, version: string): boolean {
  if (version === '1.0') return ['U', 'UQ', 'S', 'SQ', 'US', 'UQS'].includes(binding);
  const letters = version === '1.1' ? 'UTSN' : 'UMHTSN';
  return binding !== '' && Array.from(binding).every((letter, at) => letters.includes(letter) && binding.indexOf(letter) === at);
}

function utf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

interface ReadLink {
  readonly target: string;
  readonly attributes: readonly (readonly [name: string, value: string | undefined])[];
}

const TOKEN = '[\\x21\\x23-\\x2b\\x2d-\\x3a\\x3c-\\x5b\\x5d-\\x7e]';
const NAME = '[\\x21\\x23-\\x2b\\x2d-\\x3a\\x3c\\x3e-\\x5b\\x5d-\\x7e]';
const BLANK = '[ \\t\\r\\n]*';
const TARGET = new RegExp(`${BLANK}<([\\x21\\x23-\\x3b\\x3d\\x3f-\\x7e]+)>${BLANK}`, 'y');
const ATTRIBUTE = new RegExp(
  `;${BLANK}(${NAME}+)(?:${BLANK}=${BLANK}(?:"((?:[^"\\\\]|\\\\[^])*)"|(${TOKEN}+))|(?!${BLANK}=))${BLANK}`,
  'y',
);
const SEPARATOR = new RegExp(`,${BLANK}`, 'y');

/**
 * RFC 6690 2, with what clients need: blanks between the parts, one comma at the end, attributes without a value. Returns the reason
 * when it is no such list.
 */
export function readLinks(text: string): ReadLink[] | string {
  const links: ReadLink[] = [];
  if (/^[ \t\r\n]*$/.test(text)) return links;
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  do {
    const target = take(TARGET)?.[1];
    if (target === undefined) return `no link at ${at}`;
    const attributes: [string, string | undefined][] = [];
    for (let match = take(ATTRIBUTE); match !== null; match = take(ATTRIBUTE)) {
      attributes.push([match[1] as string, match[2]?.replace(/\\([^])/g, '$1') ?? match[3]]);
      if (attributes.length > LIMITS.attributes) return 'too many attributes';
    }
    links.push({ target, attributes });
    if (links.length > LIMITS.links) return 'too many links';
    if (at === text.length) return links;
    if (take(SEPARATOR) === null) return `no comma at ${at}`;
  } while (at < text.length);
  return links;
}

/**
 * Objects and object instances of the list. A link with rt="oma.lwm2m", else one to "/", is the root: it names no object, its target is
 * the alternate path that may stand before the others (Transport TS 6.4.1). Links to anything but objects do not count. Returns the reason
 * when an id is reserved or too large (Core TS 7.1), or the alternate path is none (RFC 3986 3.3: segments, no query, no fragment).
 */
function objectsOf(links: readonly ReadLink[]): string[] | string {
  // RFC 6690 3.1: of several rt the first counts.
  const types = (link: ReadLink): string[] => (link.attributes.find(([name]) => name === 'rt')?.[1] ?? '').split(' ');
  const root = links.find((link) => types(link).includes('oma.lwm2m')) ?? links.find(({ target }) => target === '/');
  const prefix = root?.target.replace(/\/+$/, '') ?? '';
  const segments = prefix.replace(/^\//, '').split('/');
  if (prefix !== '' && (prefix.length > LIMITS.path || segments.some((segment) => segment === '' || /[?#]/.test(segment))))
    return 'alternate path';
  const objects = new Set<string>();
  for (const link of links) {
    if (link === root) continue;
    const below = prefix !== '' && link.target.startsWith(`${prefix}/`) ? link.target.slice(prefix.length) : link.target;
    const ids = below.replace(/^\//, '').replace(/\/$/, '').split('/');
    if (ids.length > 2 || !ids.every((id) => /^[0-9]{1,6}$/.test(id))) continue;
    if (ids.some((id) => Number(id) > LIMITS.highestId)) return 'an object id above 65534';
    objects.add(`/${ids.map(Number).join('/')}`);
  }
  return [...objects];
}

function other(reason: string): Verdict {
  return { kind: 'other', reason };
}
