/**
 * CBOR (RFC 8949) read as it stands in the payload, item by item, all that LwM2M uses. Own code: the readers on npm either cannot be
 * required from CommonJS, or lack chunked strings, a depth limit, offsets or exact 64-bit numbers, and what is left is small.
 */
import { ARRAY, MAP, NULL } from './items';
import { parseNumber, shrink } from './numbers';
import { asBuffer, readUtf8 } from './utf8';
import type { Item } from './items';

/** Bytes that are not the CBOR that must be there, or more of it than this server takes. */
export class CborError extends Error {
  constructor(
    problem: string,
    readonly offset: number,
  ) {
    super(problem);
    this.name = 'CborError';
  }
}

const MAX_DEPTH = 8;
/** Twenty thousand records of a handful of fields each. */
const MAX_ITEMS = 250_000;

/** Bits 7-5 of the first byte (RFC 8949 3.1). */
export const Major = { uint: 0, negint: 1, bytes: 2, string: 3, array: 4, map: 5, tag: 6, simple: 7 } as const;
const MAJOR_NAMES = ['an integer', 'an integer', 'bytes', 'a text', 'an array', 'a map', 'a tag', 'a simple value'] as const;
const INDEFINITE = 31;
const BREAK = 0xff;

export class CborReader {
  readonly #bytes: Buffer;
  #at = 0;
  #items = 0;
  /** Of the head read last: where it begins, its major type, its low bits. */
  #offset = 0;
  #major = 0;
  #info = 0;
  /** The value, the length or the tag; -1 for an indefinite length. */
  #argument: number | bigint = 0;

  constructor(payload: Uint8Array) {
    this.#bytes = asBuffer(payload);
  }

  /** Where the next item begins. */
  get at(): number {
    return this.#at;
  }

  /** Major type of the next item, without reading it. */
  get next(): number {
    if (this.#at >= this.#bytes.length) throw new CborError('the value is cut off', this.#at);
    return (this.#bytes[this.#at] ?? 0) >> 5;
  }

  /** Whether the next item is a text. */
  get atText(): boolean {
    return this.next === Major.string;
  }

  /** Throws unless all was read. */
  end(): void {
    if (this.#at < this.#bytes.length) throw new CborError('bytes are left after the value', this.#at);
  }

  /** Begins an array or a map: how many members or pairs it has, Infinity when a break ends it. For `more`. */
  open(major: typeof Major.array | typeof Major.map): number {
    this.#head();
    while (this.#major === Major.tag) this.#head();
    if (this.#major !== major) throw new CborError(`${MAJOR_NAMES[this.#major] ?? ''} where ${MAJOR_NAMES[major]} must be`, this.#offset);
    return this.#argument === -1 ? Infinity : Number(this.#argument);
  }

  /** Whether there is a member of this index; past the break byte when there is none. */
  more(index: number, count: number): boolean {
    if (count !== Infinity) return index < count;
    if (this.#at >= this.#bytes.length) throw new CborError('the value is cut off', this.#at);
    if (this.#bytes[this.#at] !== BREAK) return true;
    this.#at += 1;
    return false;
  }

  /** The next value. Definite and indefinite lengths, any float width, chunked strings; tags 0 to 4 are applied, others skipped. */
  item(depth = 0): Item {
    this.#head();
    switch (this.#major) {
      case Major.uint:
        return { kind: 'number', value: this.#number(), whole: true };
      case Major.negint: {
        const argument = this.#number();
        const small = typeof argument === 'number' && argument < Number.MAX_SAFE_INTEGER;
        return { kind: 'number', value: small ? -1 - argument : -1n - BigInt(argument), whole: true };
      }
      case Major.bytes:
        return { kind: 'bytes', value: this.#string() };
      case Major.string:
        return { kind: 'string', value: this.#text() };
      case Major.array:
        return ARRAY;
      case Major.map:
        return MAP;
      case Major.tag:
        return this.#tagged(depth);
      default:
        return this.#simple();
    }
  }

  /** The next value, a whole number; undefined, and nothing read, when it is anything else. */
  integer(): number | undefined {
    const first = this.#bytes[this.#at] ?? 0xff;
    // The labels and ids that most keys are.
    if (first < 24) {
      this.#count(this.#at);
      this.#at += 1;
      return first;
    }
    if (first >= 0x40) return undefined;
    const item = this.item();
    return item.kind === 'number' ? Number(item.value) : undefined;
  }

  /** The next value, a text; undefined, and nothing read, when it is anything else. */
  string(): string | undefined {
    if (this.#at >= this.#bytes.length || !this.atText) return undefined;
    this.#head();
    return this.#text();
  }

  /** The next value with all that is in it; of an array or a map only the kind is given. */
  whole(depth = 0): Item {
    if (depth > MAX_DEPTH) throw new CborError(`nested deeper than ${MAX_DEPTH}`, this.#at);
    const item = this.item();
    if (item.kind !== 'array' && item.kind !== 'map') return item;
    const count = this.#argument === -1 ? Infinity : Number(this.#argument);
    for (let index = 0; this.more(index, count); index += 1) {
      if (item.kind === 'map') this.whole(depth + 1);
      this.whole(depth + 1);
    }
    return item;
  }

  #count(offset: number): void {
    this.#items += 1;
    if (this.#items > MAX_ITEMS) throw new CborError(`more than ${MAX_ITEMS} items`, offset);
  }

  /** Moves on by `length` bytes that must be there; gives where they begin. */
  #take(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) throw new CborError('the value is cut off', at);
    this.#at = at + length;
    return at;
  }

  #head(): void {
    const offset = this.#take(1);
    this.#count(offset);
    const first = this.#bytes[offset] ?? 0;
    this.#offset = offset;
    this.#major = first >> 5;
    this.#info = first & 0x1f;
    this.#argument = this.#info < 24 ? this.#info : this.#longArgument();
  }

  #longArgument(): number | bigint {
    switch (this.#info) {
      case 24:
        return this.#bytes[this.#take(1)] ?? 0;
      case 25:
        return this.#bytes.readUInt16BE(this.#take(2));
      case 26:
        return this.#bytes.readUInt32BE(this.#take(4));
      case 27:
        return shrink(this.#bytes.readBigUInt64BE(this.#take(8)));
      case INDEFINITE:
        return -1;
      default:
        throw new CborError('a reserved first byte', this.#offset);
    }
  }

  #number(): number | bigint {
    if (this.#argument === -1) throw new CborError('a number has no indefinite length', this.#offset);
    return this.#argument;
  }

  /** UTF-8, in one piece or in chunks. */
  #text(): string {
    const offset = this.#offset;
    let text: string | undefined;
    if (this.#argument === -1) {
      text = readUtf8(this.#chunks());
    } else {
      const from = this.#take(Number(this.#argument));
      text = readUtf8(this.#bytes, from, this.#at);
    }
    if (text === undefined) throw new CborError('the text is not UTF-8', offset);
    return text;
  }

  #string(): Buffer {
    if (this.#argument === -1) return this.#chunks();
    const from = this.#take(Number(this.#argument));
    return this.#bytes.subarray(from, this.#at);
  }

  /** A string of indefinite length: definite chunks of the same type, up to a break (RFC 8949 3.2.3). */
  #chunks(): Buffer {
    const major = this.#major;
    const chunks: Buffer[] = [];
    while (this.more(0, Infinity)) {
      this.#head();
      if (this.#major !== major || this.#argument === -1) throw new CborError('a chunk of another type', this.#offset);
      chunks.push(this.#string());
    }
    return Buffer.concat(chunks);
  }

  #simple(): Item {
    const from = this.#offset + 1;
    switch (this.#info) {
      case 20:
      case 21:
        return { kind: 'boolean', value: this.#info === 21 };
      case 22:
      case 23:
        return NULL;
      case 25:
        return { kind: 'number', value: halfFloat(this.#bytes.readUInt16BE(from)), whole: false };
      case 26:
        return { kind: 'number', value: this.#bytes.readFloatBE(from), whole: false };
      case 27:
        return { kind: 'number', value: this.#bytes.readDoubleBE(from), whole: false };
      default:
        throw new CborError('a value was expected', this.#offset);
    }
  }

  /** RFC 8949 3.4: dates, big numbers, decimal fractions (Leshan's base times); other tags say nothing we need. */
  #tagged(depth: number): Item {
    const offset = this.#offset;
    if (depth >= MAX_DEPTH) throw new CborError(`nested deeper than ${MAX_DEPTH}`, offset);
    const tag = this.#number();
    const item = this.item(depth + 1);
    switch (tag) {
      case 0: {
        const seconds = item.kind === 'string' && item.value.length <= 40 ? Date.parse(item.value) / 1000 : NaN;
        if (!Number.isFinite(seconds)) throw new CborError('a date text was expected', offset);
        return { kind: 'time', value: seconds };
      }
      case 1:
        if (item.kind !== 'number') throw new CborError('a time number was expected', offset);
        return { kind: 'time', value: Number(item.value) };
      case 2:
      case 3: {
        if (item.kind !== 'bytes' || item.value.length > 16) throw new CborError('a big number was expected, of 16 bytes at most', offset);
        const magnitude = BigInt(`0x0${Buffer.from(item.value).toString('hex')}`);
        return { kind: 'number', value: shrink(tag === 2 ? magnitude : -1n - magnitude), whole: true };
      }
      case 4:
        return this.#decimalFraction(item, offset, depth);
      default:
        return item;
    }
  }

  #decimalFraction(array: Item, offset: number, depth: number): Item {
    const wrong = (): never => {
      throw new CborError('a decimal fraction was expected', offset);
    };
    if (array.kind !== 'array') return wrong();
    const count = this.#argument === -1 ? Infinity : Number(this.#argument);
    if (count !== Infinity && count !== 2) return wrong();
    const exponent = this.item(depth + 1);
    const mantissa = this.item(depth + 1);
    if (exponent.kind !== 'number' || mantissa.kind !== 'number' || !exponent.whole || !mantissa.whole) return wrong();
    if (Math.abs(Number(exponent.value)) > 400) return wrong();
    if (count === Infinity && this.more(2, count)) return wrong();
    const numeric = parseNumber(`${mantissa.value}e${exponent.value}`);
    if (!numeric) throw new CborError('a decimal fraction is out of range', offset);
    const { value } = numeric;
    return { kind: 'number', value, whole: typeof value === 'bigint' || Number.isInteger(value) };
  }
}

/** IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. */
function halfFloat(bits: number): number {
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}
