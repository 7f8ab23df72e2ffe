/** Bytes written from the end to the beginning, so that a length or a count is known when its header is written. */

const START = 4096;
/** A buffer that grew beyond is not kept. */
const KEPT = 65_536;

export class Output {
  #bytes = Buffer.allocUnsafeSlow(START);
  #at = START;

  /** Drops what was written; to be called before a payload, for the one before may have been given up. */
  clear(): void {
    if (this.#bytes.length > KEPT) this.#bytes = Buffer.allocUnsafeSlow(START);
    this.#at = this.#bytes.length;
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#bytes.length - this.#at;
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(this.#at));
  }

  byte(value: number): void {
    if (this.#at === 0) this.#grow(1);
    this.#at -= 1;
    this.#bytes[this.#at] = value;
  }

  /** An unsigned big-endian number of 1 to 4 bytes; more significant bits are cut off, as two's complement wants it. */
  uint(value: number, length: number): void {
    this.#make(length);
    let rest = value;
    for (let i = length - 1; i >= 0; i -= 1) {
      this.#bytes[this.#at + i] = rest & 0xff;
      rest >>= 8;
    }
  }

  /** 8 bytes, two's complement. */
  int64(value: bigint): void {
    this.#make(8);
    this.#bytes.writeBigUInt64BE(BigInt.asUintN(64, value), this.#at);
  }

  float32(value: number): void {
    this.#make(4);
    this.#bytes.writeFloatBE(value, this.#at);
  }

  float64(value: number): void {
    this.#make(8);
    this.#bytes.writeDoubleBE(value, this.#at);
  }

  raw(value: Uint8Array): void {
    this.#make(value.length);
    this.#bytes.set(value, this.#at);
  }

  /** UTF-8. */
  text(value: string): void {
    const { length } = value;
    // What most texts are: a call into the platform costs more than the loop.
    if (length <= 24) {
      this.#make(length);
      let i = 0;
      while (i < length) {
        const code = value.charCodeAt(i);
        if (code > 0x7f) break;
        this.#bytes[this.#at + i] = code;
        i += 1;
      }
      if (i === length) return;
      this.#at += length;
    }
    const size = Buffer.byteLength(value);
    this.#make(size);
    this.#bytes.write(value, this.#at, size, 'utf8');
  }

  #make(length: number): void {
    if (this.#at < length) this.#grow(length);
    this.#at -= length;
  }

  #grow(length: number): void {
    const used = this.length;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, used + length));
    this.#bytes.copy(larger, larger.length - used, this.#at);
    this.#at = larger.length - used;
    this.#bytes = larger;
  }
}
