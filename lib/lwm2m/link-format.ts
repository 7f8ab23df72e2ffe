/** CoRE Link Format (RFC 6690), as Register, Update and Discover carry it. One pass, linear time. */

/** `target` as it stands between `<` and `>`; values without their quotes, null where an attribute has no value. */
export interface Link {
  readonly target: string;
  readonly attributes: readonly (readonly [string, string | null])[];
}

/** Longest text taken, in characters. */
export const MAX_LINK_TEXT = 262_144;
/** Most links in one text. */
export const MAX_LINKS = 10_000;
/** Most attributes of one link. */
export const MAX_ATTRIBUTES = 64;

/** A text that is not link-format; `offset` counts characters from 0. */
export class LinkFormatError extends Error {
  readonly code = 'BAD_REQUEST';
  constructor(
    problem: string,
    readonly offset: number,
  ) {
    super(`${problem} at character ${offset}. Link format looks like </1/0>,</3/0>;ver=1.1`);
    this.name = 'LinkFormatError';
  }
}

const COMMA = 0x2c;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LESS = 0x3c;
const GREATER = 0x3e;

/** RFC 6690 2: an unquoted value is visible ASCII but for `"`, `,`, `;` and `\`. A name has no `=` either. */
function isToken(code: number): boolean {
  return code > 0x20 && code < 0x7f && code !== QUOTE && code !== COMMA && code !== SEMICOLON && code !== BACKSLASH;
}

/**
 * Reads a list of links. Empty text is no links. Lenient where clients need it: blanks and line ends between the parts and one
 * trailing comma (old LwM2M 1.0 clients), attributes without a value (`hb`), any value quoted or bare (`ver="1.1"`, `ver=1.1`).
 * The order and duplicates are kept. Throws `LinkFormatError`.
 */
export function parseLinks(text: string): Link[] {
  if (text.length > MAX_LINK_TEXT)
    throw new LinkFormatError(`The link list is longer than ${MAX_LINK_TEXT} characters, given up`, MAX_LINK_TEXT);
  const links: Link[] = [];
  let at = skipBlanks(text, 0);
  while (at < text.length) {
    if (links.length === MAX_LINKS) throw new LinkFormatError(`More than ${MAX_LINKS} links`, at);
    if (text.charCodeAt(at) !== LESS) throw new LinkFormatError('A link must begin with "<"', at);
    const end = targetEnd(text, at + 1);
    const target = text.slice(at + 1, end);
    const attributes: (readonly [string, string | null])[] = [];
    at = skipBlanks(text, end + 1);
    while (at < text.length && text.charCodeAt(at) === SEMICOLON) {
      if (attributes.length === MAX_ATTRIBUTES) throw new LinkFormatError(`More than ${MAX_ATTRIBUTES} attributes`, at);
      const read = readAttribute(text, skipBlanks(text, at + 1));
      attributes.push([read.name, read.value]);
      at = skipBlanks(text, read.next);
    }
    links.push({ target, attributes });
    if (at === text.length) break;
    if (text.charCodeAt(at) !== COMMA) throw new LinkFormatError('A link must be followed by ";", "," or the end', at);
    at = skipBlanks(text, at + 1);
  }
  return links;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' \t\r\n'.includes(text.charAt(at))) at += 1;
  return at;
}

/** The index of the closing `>`. A target is visible ASCII (RFC 3986); percent signs are left as they are. */
function targetEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charCodeAt(at) !== GREATER) {
    const code = text.charCodeAt(at);
    if (code <= 0x20 || code >= 0x7f || code === LESS || code === QUOTE)
      throw new LinkFormatError('A link target holds an illegal character', at);
    at += 1;
  }
  if (at === text.length) throw new LinkFormatError('A link target has no closing ">"', at);
  if (at === from) throw new LinkFormatError('A link target is empty', at);
  return at;
}

function tokenEnd(text: string, from: number, stopAtEquals: boolean): number {
  let at = from;
  while (at < text.length && isToken(text.charCodeAt(at)) && !(stopAtEquals && text.charCodeAt(at) === EQUALS)) at += 1;
  return at;
}

function readAttribute(text: string, from: number): { name: string; value: string | null; next: number } {
  const nameEnd = tokenEnd(text, from, true);
  if (nameEnd === from) throw new LinkFormatError('An attribute name is missing', from);
  const name = text.slice(from, nameEnd);
  let at = skipBlanks(text, nameEnd);
  if (text.charCodeAt(at) !== EQUALS) return { name, value: null, next: nameEnd };
  at = skipBlanks(text, at + 1);
  if (text.charCodeAt(at) === QUOTE) return { name, ...readQuoted(text, at) };
  const valueEnd = tokenEnd(text, at, false);
  if (valueEnd === at) throw new LinkFormatError(`The attribute "${name}" has "=" and no value`, at);
  return { name, value: text.slice(at, valueEnd), next: valueEnd };
}

/** From the opening quote; a backslash takes the next character as it is (RFC 6690 2, quoted-string of RFC 2616). */
function readQuoted(text: string, from: number): { value: string; next: number } {
  let value = '';
  let chunk = from + 1;
  for (let at = from + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return { value: value + text.slice(chunk, at), next: at + 1 };
    if (code === BACKSLASH) {
      value += text.slice(chunk, at);
      at += 1;
      chunk = at;
    }
  }
  throw new LinkFormatError('A quoted value has no closing quote', from);
}

/** Numbers and versions go bare, as LwM2M 1.1 writes `ct=60`, `ver=1.1`, `dim=8`. */
const BARE = /^\d+(?:\.\d+)*$/;

/** Writes links in their shortest legal form. Throws `LinkFormatError` on a target or name that cannot be written. */
export function formatLinks(links: readonly Link[]): string {
  return links.map(formatLink).join(',');
}

function formatLink(link: Link): string {
  targetEnd(`${link.target}>`, 0);
  if (link.target.includes('>')) throw new LinkFormatError('A link target holds an illegal character', link.target.indexOf('>'));
  let text = `<${link.target}>`;
  for (const [name, value] of link.attributes) {
    if (name === '' || tokenEnd(name, 0, true) !== name.length) throw new LinkFormatError(`"${name}" is no attribute name`, 0);
    text += `;${name}`;
    if (value !== null) text += BARE.test(value) ? `=${value}` : `="${value.replace(/["\\]/g, '\\$&')}"`;
  }
  return text;
}

/** The value of the first attribute of that name; null when it has none, undefined when it is not there. */
export function linkAttribute(link: Link, name: string): string | null | undefined {
  return link.attributes.find(([key]) => key === name)?.[1];
}
