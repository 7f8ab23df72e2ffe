/** Object definition files: the XML format in which OMA and makers of devices publish objects (schema LWM2M, versions 1.0 and 1.1). */
import { SaxesParser } from 'saxes';
import { MAX_ID } from '../lwm2m/path';
import type { ResourceType } from '../lwm2m/types';
import type { ObjectDefinition, ResourceDefinition } from './types';

/** Most bytes or characters of one file; the largest of the OMA registry has 34 kB. */
export const MAX_DDF_SIZE = 1024 * 1024;
/** Elements inside one another; the schema needs five. */
const MAX_DEPTH = 16;
/** Characters of a name, a range or a unit. */
const MAX_TEXT = 500;

/** A file that is no object definition: `reason` says why in plain words, `line` (from 1) where. */
export class DdfError extends Error {
  constructor(
    readonly line: number,
    readonly reason: string,
  ) {
    super(`line ${line}: ${reason}`);
    this.name = 'DdfError';
  }
}

const TYPES: Readonly<Record<string, ResourceType>> = {
  string: 'string',
  integer: 'integer',
  'unsigned integer': 'unsigned',
  float: 'float',
  boolean: 'boolean',
  opaque: 'opaque',
  time: 'time',
  objlnk: 'objlnk',
  corelnk: 'corelnk',
  '': 'none',
};
const OPERATIONS: Readonly<Record<string, ResourceDefinition['operations']>> = {
  R: 'R',
  W: 'W',
  RW: 'RW',
  WR: 'RW',
  E: 'E',
  RE: 'RE',
  WE: 'WE',
  RWE: 'RWE',
  '': '',
};

interface Field {
  readonly text: string;
  readonly line: number;
}

/** An `<Object>` or `<Item>` under construction. */
interface Draft {
  readonly line: number;
  readonly fields: Map<string, Field>;
}

interface ObjectDraft extends Draft {
  /** A list of resources that several objects share (Common.xml of the registry): it describes no object. */
  readonly common: boolean;
  readonly resources: Map<number, ResourceDefinition>;
  listed: boolean;
}

const OBJECT_FIELDS = new Set(['Name', 'ObjectID', 'ObjectVersion', 'MultipleInstances', 'Mandatory']);
const ITEM_FIELDS = new Set(['Name', 'Operations', 'MultipleInstances', 'Mandatory', 'Type', 'RangeEnumeration', 'Units']);

/**
 * Reads one definition file piece by piece, so that a caller can let others run in between. Nothing is fetched and nothing is expanded:
 * a document type, and with it every entity of its own, is refused where it begins.
 */
export class DdfParser {
  readonly #parser = new SaxesParser<{ xmlns: false; position: true }>({ xmlns: false, position: true });
  readonly #objects: ObjectDefinition[] = [];
  readonly #path: string[] = [];
  #size = 0;
  #object: ObjectDraft | undefined;
  #item: (Draft & { readonly id: number }) | undefined;
  #seen = false;
  /** Line of the last tag. */
  #lastTag = 0;
  #text: string | undefined;
  #textLine = 0;

  constructor() {
    const parser = this.#parser;
    parser.on('error', ({ message }) => this.#malformed(message));
    parser.on('doctype', (text) => {
      const line = parser.line - text.split('\n').length + 1;
      throw new DdfError(line, 'a document type (<!DOCTYPE ...>) is not taken, as it can define entities');
    });
    parser.on('opentag', ({ name, attributes }) => this.#open(name, attributes));
    parser.on('closetag', ({ name }) => this.#close(name));
    const text = (part: string): void => {
      if (this.#text !== undefined) this.#text += part;
    };
    parser.on('text', text);
    parser.on('cdata', text);
  }

  /** The next piece of the text. Throws `DdfError`; the parser must not be used any more then. */
  write(piece: string): void {
    this.#size += piece.length;
    if (this.#size > MAX_DDF_SIZE) this.#fail(tooLarge(undefined));
    this.#parser.write(piece);
  }

  /** The objects of the whole text, in its order; none for a list of resources that several objects share. Throws `DdfError`. */
  end(): ObjectDefinition[] {
    const { line } = this.#parser;
    this.#parser.close();
    if (!this.#seen) this.#fail('there is no <Object> in <LWM2M>', line);
    return this.#objects;
  }

  /** Where the text ends too early, and where an `&` begins no entity, the parser notices much later: the last tag is nearer to it. */
  #malformed(message: string): never {
    const late = /unclosed tag|entity/.test(message);
    return this.#fail(plain(message), late && this.#lastTag > 0 ? this.#lastTag : this.#parser.line);
  }

  #fail(reason: string, line = this.#parser.line): never {
    throw new DdfError(line, reason);
  }

  #open(name: string, attributes: Readonly<Record<string, string>>): void {
    const path = this.#path;
    path.push(name);
    if (path.length > MAX_DEPTH) this.#fail(`more than ${MAX_DEPTH} elements stand inside one another`);
    if (path.length === 1 && name !== 'LWM2M') {
      this.#fail(`the outermost element is <${brief(name)}>, and that of an object definition is <LWM2M>`);
    }
    const { line } = this.#parser;
    this.#lastTag = line;
    if (path.length === 2) {
      if (name !== 'Object') this.#fail(`<LWM2M> has <${brief(name)}> in it where <Object> belongs`);
      const common = attributes['ObjectType'] === 'CommonResources';
      this.#object = { line, fields: new Map(), resources: new Map(), common, listed: false };
    } else if (path.length === 3 && name === 'Resources' && this.#object) this.#object.listed = true;
    else if (path.length === 4 && name === 'Item' && path[2] === 'Resources' && this.#object) {
      this.#item = { line, id: this.#id(attributes['ID'] ?? '', 'the attribute ID of <Item>', line), fields: new Map() };
    } else if (
      (path.length === 3 && this.#object && OBJECT_FIELDS.has(name)) ||
      (path.length === 5 && this.#item && ITEM_FIELDS.has(name))
    ) {
      this.#text = '';
      this.#textLine = line;
    }
  }

  #close(name: string): void {
    const depth = this.#path.length;
    this.#path.pop();
    this.#lastTag = this.#parser.line;
    const draft = this.#item ?? this.#object;
    if (draft && this.#text !== undefined && (depth === 3 || depth === 5)) {
      if (draft.fields.has(name)) this.#fail(`<${name}> is there twice`, this.#textLine);
      const text = this.#text.replace(/\s+/g, ' ').trim();
      if (text.length > MAX_TEXT) this.#fail(`<${name}> has ${text.length} characters, ${MAX_TEXT} are the most`, this.#textLine);
      draft.fields.set(name, { text, line: this.#textLine });
      this.#text = undefined;
    }
    if (depth === 4 && this.#item) this.#closeItem(this.#item);
    else if (depth === 2 && this.#object) this.#closeObject(this.#object);
  }

  #closeItem(item: Draft & { readonly id: number }): void {
    this.#item = undefined;
    const resources = this.#object?.resources;
    if (resources?.has(item.id)) this.#fail(`resource ${item.id} is there twice`, item.line);
    const where = `resource ${item.id}`;
    const type = item.fields.get('Type') ?? this.#fail(`${where} has no <Type>`, item.line);
    const operations = item.fields.get('Operations') ?? this.#fail(`${where} has no <Operations>`, item.line);
    const range = item.fields.get('RangeEnumeration')?.text;
    const units = item.fields.get('Units')?.text;
    resources?.set(item.id, {
      id: item.id,
      name: this.#name(item, where),
      operations:
        OPERATIONS[operations.text.toUpperCase()] ??
        this.#fail(`${where} has the operations "${brief(operations.text)}", which are not R, W, RW or E`, operations.line),
      multiple: this.#choice(item, 'MultipleInstances', 'Multiple', 'Single', where),
      mandatory: this.#choice(item, 'Mandatory', 'Mandatory', 'Optional', where),
      type:
        TYPES[type.text.toLowerCase()] ??
        this.#fail(
          `${where} has the type "${brief(type.text)}"; the types are String, Integer, Unsigned Integer, Float, Boolean, Opaque, Time, Objlnk, Corelnk`,
          type.line,
        ),
      ...(range ? { range } : {}),
      ...(units ? { units } : {}),
    });
  }

  #closeObject(object: ObjectDraft): void {
    this.#object = undefined;
    this.#seen = true;
    if (object.common) return;
    const idField = object.fields.get('ObjectID') ?? this.#fail('<Object> has no <ObjectID>', object.line);
    if (!object.listed) this.#fail('<Object> has no <Resources>', object.line);
    const id = this.#id(idField.text, '<ObjectID>', idField.line);
    const where = `object ${id}`;
    const versionField = object.fields.get('ObjectVersion');
    const version = versionField?.text || '1.0';
    if (!/^\d{1,3}\.\d{1,3}$/.test(version))
      this.#fail(`${where} has the version "${brief(version)}", which is not like 1.0`, versionField?.line);
    this.#objects.push({
      id,
      name: this.#name(object, where),
      version,
      multiple: this.#choice(object, 'MultipleInstances', 'Multiple', 'Single', where),
      mandatory: this.#choice(object, 'Mandatory', 'Mandatory', 'Optional', where),
      resources: new Map([...object.resources].sort(([a], [b]) => a - b)),
    });
  }

  #id(text: string, what: string, line: number): number {
    const id = /^\s*\d{1,6}\s*$/.test(text) ? Number(text) : -1;
    return id >= 0 && id <= MAX_ID ? id : this.#fail(`${what} is "${brief(text)}", which is not a number from 0 to ${MAX_ID}`, line);
  }

  #name(draft: Draft, where: string): string {
    return draft.fields.get('Name')?.text || this.#fail(`${where} has no <Name>`, draft.line);
  }

  /** Resources that objects share say neither; what is not there is the second. */
  #choice(draft: Draft, field: string, yes: string, no: string, where: string): boolean {
    const found = draft.fields.get(field);
    const text = found?.text ?? '';
    if (text === yes) return true;
    if (text === no || text === '') return false;
    return this.#fail(`${where} has "${brief(text)}" as <${field}>, which is neither ${yes} nor ${no}`, found?.line);
  }
}

/** Reads a whole definition file; see `DdfParser`. Throws `DdfError`. */
export function parseDdf(xml: string | Uint8Array): ObjectDefinition[] {
  const parser = new DdfParser();
  parser.write(typeof xml === 'string' ? xml : decodeXml(xml));
  return parser.end();
}

export function tooLarge(bytes: number | undefined): string {
  return `the file ${bytes === undefined ? 'is' : `has ${bytes} bytes and is`} too large, ${MAX_DDF_SIZE} are the most`;
}

/** Encodings in which definition files are found; XML 1.0 4.3.3 asks for the first two. */
const ENCODINGS = new Set(['utf-8', 'utf-16', 'us-ascii', 'ascii', 'iso-8859-1', 'windows-1252']);

/** The text of a file, by its byte order mark or the encoding it declares (XML 1.0 appendix F). Throws `DdfError`. */
export function decodeXml(bytes: Uint8Array): string {
  if (bytes.length > MAX_DDF_SIZE) throw new DdfError(1, tooLarge(bytes.length));
  let encoding = 'utf-8';
  if (bytes[0] === 0xff && bytes[1] === 0xfe) encoding = 'utf-16le';
  else if (bytes[0] === 0xfe && bytes[1] === 0xff) encoding = 'utf-16be';
  else {
    const head = String.fromCharCode(...bytes.subarray(0, 200));
    const declared = /^(?:\xef\xbb\xbf)?<\?xml[^>]{0,150}?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']/.exec(head)?.[1]?.toLowerCase();
    if (declared !== undefined && !ENCODINGS.has(declared))
      throw new DdfError(1, `the encoding ${brief(declared)} is not known; use UTF-8`);
    if (declared !== undefined && declared !== 'utf-16' && !declared.endsWith('ascii')) encoding = declared;
  }
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new DdfError(1, `the file is not ${encoding.toUpperCase()} text`);
  }
}

/** What the parser says, without the place it puts before it. */
function plain(message: string): string {
  return `this is not well-formed XML: ${message.replace(/^(?:\d+:)*\d+:\s*/, '').slice(0, 200)}`;
}

function brief(text: string | undefined): string {
  return text === undefined ? '' : text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
