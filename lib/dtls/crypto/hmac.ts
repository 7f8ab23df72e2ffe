import { hash } from 'node:crypto';

/** Bytes of a block, and of the digest, of SHA-256. */
const BLOCK = 64;
const DIGEST = 32;

/**
 * HMAC-SHA256 (RFC 2104) under one key, out of whole hashes. A handshake takes a dozen of them, and `createHmac` makes an object of
 * OpenSSL for each, which costs more than the hashing, and again as much when the garbage collector takes it away.
 */
export class Hmac {
  readonly #inner = Buffer.alloc(BLOCK, 0x36);
  readonly #outer = Buffer.alloc(BLOCK + DIGEST, 0x5c);

  constructor(secret: Uint8Array) {
    const key = secret.length > BLOCK ? hash('sha256', secret, 'buffer') : secret;
    for (let at = 0; at < key.length; at++) {
      this.#inner[at]! ^= key[at]!;
      this.#outer[at]! ^= key[at]!;
    }
  }

  /** As a text of Latin-1, a character a byte: a Buffer of its own costs more than a hash. */
  of(data: Uint8Array): string {
    return this.#finish(this.#begin(data));
  }

  /** Of the first `length` bytes of `data`, for the work that any other length of it takes: what is left of the blocks is hashed for nothing. */
  ofPart(data: Uint8Array, length: number): string {
    const inner = this.#begin(data);
    const part = inner.subarray(0, BLOCK + length);
    const result = this.#finish(part);
    hash('sha256', inner.subarray(0, (blocksOf(inner.length) - blocksOf(part.length)) * BLOCK), 'binary');
    return result;
  }

  #begin(data: Uint8Array): Buffer {
    // Memory of its own: in the pool that all Buffers share the key would lie around.
    const inner = Buffer.alloc(BLOCK + data.length);
    inner.set(this.#inner, 0);
    inner.set(data, BLOCK);
    return inner;
  }

  #finish(inner: Uint8Array): string {
    this.#outer.write(hash('sha256', inner, 'binary'), BLOCK, 'latin1');
    return hash('sha256', this.#outer, 'binary');
  }
}

/** Blocks that SHA-256 takes for so many bytes: a byte and the length of 8 bytes come behind them. */
function blocksOf(bytes: number): number {
  return Math.floor((bytes + 8) / BLOCK) + 1;
}
