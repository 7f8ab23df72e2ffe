/** JSON (RFC 8259) read as it stands in the payload, byte by byte: with offsets, and with numbers that keep all their digits. */
import { ARRAY, MAP, NULL } from './items';
import { parseNumber } from './numbers';
import { asBuffer, readUtf8 } from './utf8';
import type { Item } from './items';

/** Bytes that are not the JSON that must be there. */
export class JsonError extends Error {
  constructor(
    problem: string,
    readonly offset: number,
  ) {
    super(problem);
    this.name = 'JsonError';
  }
}

const MAX_DEPTH = 8;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const Open = { array: 0x5b, map: 0x7b } as const;
const Close = { array: 0x5d, map: 0x7d } as const;

export class JsonReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(payload: Uint8Array) {
    this.#bytes = asBuffer(payload);
  }

  /** Where the next value begins. */
  get at(): number {
    this.#blanks();
    return this.#at;
  }

  /** Throws unless all was read. */
  end(): void {
    if (this.at < this.#bytes.length) throw new JsonError('something is left after the value', this.#at);
  }

  /** Begins an array or a map ("object" in JSON). */
  open(kind: 'array' | 'map'): void {
    if (this.#bytes[this.at] !== Open[kind]) throw new JsonError(`${kind === 'array' ? 'a list' : 'an object'} must be here`, this.#at);
    this.#at += 1;
  }

  /** Whether there is a member of this index; past the end of the array or map when there is none. */
  more(index: number, kind: 'array' | 'map'): boolean {
    const next = this.#bytes[this.at];
    if (next === Close[kind]) {
      this.#at += 1;
      return false;
    }
    if (index === 0) return true;
    if (next !== COMMA) throw new JsonError('a comma or the end of a list is missing', this.#at);
    this.#at += 1;
    return true;
  }

  /** The name of a member of a map, and its colon. */
  key(): string {
    if (this.#bytes[this.at] !== QUOTE) throw new JsonError('a name in quotes must be here', this.#at);
    const key = this.#string();
    if (this.#bytes[this.at] !== COLON) throw new JsonError('a colon is missing', this.#at);
    this.#at += 1;
    return key;
  }

  /** The next value; an array or a map is opened. */
  item(): Item {
    const { at } = this;
    const first = this.#bytes[at];
    switch (first) {
      case QUOTE:
        return { kind: 'string', value: this.#string() };
      case Open.array:
        this.#at += 1;
        return ARRAY;
      case Open.map:
        this.#at += 1;
        return MAP;
      case undefined:
        throw new JsonError('the text is cut off', at);
      default:
        return this.#word(at);
    }
  }

  /** The next value with all that is in it; of an array or a map only the kind is given. */
  whole(depth = 0): Item {
    const { at } = this;
    if (depth > MAX_DEPTH) throw new JsonError(`nested deeper than ${MAX_DEPTH}`, at);
    const item = this.item();
    if (item.kind !== 'array' && item.kind !== 'map') return item;
    for (let index = 0; this.more(index, item.kind); index += 1) {
      if (item.kind === 'map') this.key();
      this.whole(depth + 1);
    }
    return item;
  }

  /** Space, tab, line feed, carriage return. */
  #blanks(): void {
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return;
      this.#at += 1;
    }
  }

  #string(): string {
    const from = this.#at;
    let at = from + 1;
    let plain = true;
    for (;;) {
      const byte = this.#bytes[at];
      if (byte === undefined) throw new JsonError('a string has no end', from);
      if (byte === QUOTE) break;
      if (byte < 0x20) throw new JsonError('a control character in a string', at);
      if (byte === BACKSLASH) {
        plain = false;
        at += 1;
      }
      at += 1;
    }
    this.#at = at + 1;
    const text = readUtf8(this.#bytes, from + 1, at);
    if (text === undefined) throw new JsonError('the text is not UTF-8', from);
    return plain ? text : unescape(text, from);
  }

  /** A number, true, false or null. */
  #word(from: number): Item {
    let at = from;
    // All that these are made of: digits, letters, signs, points.
    for (;;) {
      const byte = this.#bytes[at] ?? 0;
      if (!(
        (byte >= 0x30 && byte <= 0x39) ||
        (byte >= 0x61 && byte <= 0x7a) ||
        byte === 0x45 ||
        byte === 0x2b ||
        byte === 0x2d ||
        byte === 0x2e
      )) {
        break;
      }
      at += 1;
    }
    const word = readUtf8(this.#bytes, from, at) ?? '';
    this.#at = at;
    switch (word) {
      case 'true':
      case 'false':
        return { kind: 'boolean', value: word === 'true' };
      case 'null':
        return NULL;
    }
    if (!NUMBER.test(word)) throw new JsonError('the text is not JSON', from);
    const numeric = parseNumber(word);
    if (!numeric) throw new JsonError('a number is out of range', from);
    return { kind: 'number', value: numeric.value, whole: numeric.whole };
  }
}

function unescape(text: string, offset: number): string {
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    throw new JsonError('a wrong escape in a string', offset);
  }
}
