/**
 * Block-wise transfers of the device (RFC 7959). Its own, because npm `coap` tells uploads apart by token, while a client may
 * choose a new one for every block, and because it cannot send a large notification.
 */
import { createHash } from 'node:crypto';

/** A Block1 or Block2 option. */
export interface Block {
  readonly num: number;
  readonly more: boolean;
  /** Size exponent 0 to 6: 16 to 1024 bytes. */
  readonly szx: number;
}

/** `value`: 0 to 3 bytes; undefined for anything else and for the reserved exponent 7. */
export function parseBlock(value: Uint8Array): Block | undefined {
  if (value.length > 3) return undefined;
  const number = value.reduce((sum, byte) => sum * 256 + byte, 0);
  const szx = number & 7;
  return szx === 7 ? undefined : { num: number >> 4, more: (number & 8) !== 0, szx };
}

export function formatBlock(block: Block): Buffer {
  const number = (block.num << 4) | (block.more ? 8 : 0) | block.szx;
  if (number > 0xffff) return Buffer.from([number >> 16, (number >> 8) & 255, number & 255]);
  return number > 0xff ? Buffer.from([number >> 8, number & 255]) : Buffer.from([number]);
}

const MAX_BODY = 1024 * 1024;
const MAX_UPLOADS = 4;
/** RFC 7252 4.8.2, EXCHANGE_LIFETIME: after this a half upload is forgotten. */
const UPLOAD_MS = 247_000;

export type Upload =
  | { readonly kind: 'more' }
  | { readonly kind: 'whole'; readonly payload: Uint8Array }
  | { readonly kind: 'refused'; readonly code: '4.00' | '4.08' | '4.13' };

/** Puts uploads together. `key` names what is uploaded, without the token. */
export class Uploads {
  private readonly parts = new Map<string, { chunks: Uint8Array[]; length: number; until: number }>();

  /** `now`: monotonic ms. */
  take(key: string, block: Block, payload: Uint8Array, now: number): Upload {
    for (const [other, part] of this.parts) if (part.until <= now) this.parts.delete(other);
    const size = 16 << block.szx;
    if (payload.length > size || (block.more && payload.length !== size)) return this.refuse(key, '4.00');
    if (block.num === 0) this.begin(key, now);
    const part = this.parts.get(key);
    if (!part || part.length !== block.num * size) return this.refuse(key, '4.08');
    if (part.length + payload.length > MAX_BODY) return this.refuse(key, '4.13');
    part.chunks.push(payload);
    part.length += payload.length;
    part.until = now + UPLOAD_MS;
    if (block.more) return { kind: 'more' };
    this.parts.delete(key);
    return { kind: 'whole', payload: Buffer.concat(part.chunks, part.length) };
  }

  private begin(key: string, now: number): void {
    this.parts.delete(key);
    const [oldest] = this.parts.keys();
    if (this.parts.size >= MAX_UPLOADS && oldest !== undefined) this.parts.delete(oldest);
    this.parts.set(key, { chunks: [], length: 0, until: now + UPLOAD_MS });
  }

  private refuse(key: string, code: '4.00' | '4.08' | '4.13'): Upload {
    this.parts.delete(key);
    return { kind: 'refused', code };
  }
}

/** Payloads up to here go in one piece: npm `coap` would cut one of 1024 bytes on its own. */
const MAX_WHOLE = 1000;
const SZX_512 = 5;

export interface Slice {
  readonly payload: Uint8Array;
  /** Not there when the payload is whole. */
  readonly block?: Block;
  readonly etag?: Buffer;
}

/** The part of a body that one response carries; undefined for a block beyond its end. */
export function sliceBody(body: Uint8Array, asked: Block | undefined): Slice | undefined {
  if (!asked && body.length <= MAX_WHOLE) return { payload: body };
  const szx = Math.min(asked?.szx ?? SZX_512, SZX_512);
  const size = 16 << szx;
  // Asked for in larger blocks than given: the number counts blocks of the size asked for.
  const start = (asked?.num ?? 0) * (16 << (asked?.szx ?? szx));
  if (start > 0 && start >= body.length) return undefined;
  const payload = body.subarray(start, start + size);
  const block = { num: start / size, more: start + size < body.length, szx };
  return { payload, block, etag: createHash('sha256').update(body).digest().subarray(0, 4) };
}

const MAX_BODIES = 8;

export interface Body {
  readonly payload: Uint8Array;
  readonly contentFormat: number | undefined;
}

/** Bodies whose first block has been sent, so that later blocks come from the same state of the device. */
export class Bodies {
  private readonly kept = new Map<string, Body>();

  keep(key: string, body: Body): void {
    this.kept.delete(key);
    this.kept.set(key, body);
    const [oldest] = this.kept.keys();
    if (this.kept.size > MAX_BODIES && oldest !== undefined) this.kept.delete(oldest);
  }

  get(key: string): Body | undefined {
    return this.kept.get(key);
  }
}
