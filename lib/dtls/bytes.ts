import { DecodeError } from './errors';

/** Reads big-endian fields; whatever reaches past the end throws `DecodeError`. Slices are views on the given bytes. */
export class Reader {
  readonly #data: Buffer;
  #at = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  get left(): number {
    return this.#data.length - this.#at;
  }

  uint(bytes: 1 | 2 | 3): number {
    const at = this.#step(bytes);
    return this.#data.readUIntBE(at, bytes);
  }

  take(length: number): Buffer {
    const at = this.#step(length);
    return this.#data.subarray(at, at + length);
  }

  /** A vector with a length field of `bytes` in front; its length must be within the bounds. */
  vector(bytes: 1 | 2 | 3, min = 0, max = Infinity): Buffer {
    const length = this.uint(bytes);
    if (length < min || length > max) throw new DecodeError(`a vector of ${length} bytes`);
    return this.take(length);
  }

  /** Nothing may be left over. */
  end(): void {
    if (this.left > 0) throw new DecodeError(`${this.left} bytes too many`);
  }

  #step(length: number): number {
    const at = this.#at;
    if (length > this.#data.length - at) throw new DecodeError('it ends too early');
    this.#at = at + length;
    return at;
  }
}

/** Nothing, on memory that exists. */
export const EMPTY: Buffer = Buffer.alloc(1).subarray(0, 0);

/** Writes big-endian fields one behind the other; grows as is needed. */
export class Writer {
  #data = Buffer.allocUnsafe(1024);
  #at = 0;

  uint(value: number, bytes: 1 | 2 | 3): this {
    this.#room(bytes);
    this.#at = this.#data.writeUIntBE(value, this.#at, bytes);
    return this;
  }

  bytes(data: Uint8Array): this {
    this.#room(data.length);
    this.#data.set(data, this.#at);
    this.#at += data.length;
    return this;
  }

  /** The data with its length in `bytes` in front. */
  vector(data: Uint8Array, bytes: 1 | 2 | 3): this {
    return this.uint(data.length, bytes).bytes(data);
  }

  /** Leaves room for a length of two bytes; what is written until `close` is what it counts. */
  open(): number {
    this.uint(0, 2);
    return this.#at;
  }

  close(from: number): this {
    this.#data.writeUInt16BE(this.#at - from, from - 2);
    return this;
  }

  /** A copy of what was written; the writer is empty then. */
  done(): Buffer {
    const length = this.#at;
    this.#at = 0;
    return Buffer.from(this.#data.subarray(0, length));
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#data.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#at + bytes));
    larger.set(this.#data.subarray(0, this.#at));
    this.#data = larger;
  }
}

const scratch = new Writer();

/** What `write` writes. One at a time: it must not write another. */
export function written(write: (writer: Writer) => void): Buffer {
  try {
    write(scratch);
  } catch (error) {
    scratch.done();
    throw error;
  }
  return scratch.done();
}

export function uint(value: number, bytes: 1 | 2 | 3): Buffer {
  return written((writer) => writer.uint(value, bytes));
}

/** The data with its length in `bytes` in front. */
export function vector(data: Uint8Array, bytes: 1 | 2 | 3): Buffer {
  return written((writer) => writer.vector(data, bytes));
}
