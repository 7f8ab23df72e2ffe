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

export function uint(value: number, bytes: 1 | 2 | 3): Buffer {
  const out = Buffer.alloc(bytes);
  out.writeUIntBE(value, 0, bytes);
  return out;
}

/** The data with its length in `bytes` in front. */
export function vector(data: Uint8Array, bytes: 1 | 2 | 3): Buffer {
  return Buffer.concat([uint(data.length, bytes), data]);
}
