import { createCipheriv, createDecipheriv, randomBytes, timingSafeEqual } from 'node:crypto';
import { Hmac } from './hmac';

/** Bytes of a block of AES, which are those of an initialisation vector, and of an HMAC-SHA256. */
const BLOCK = 16;
const MAC = 32;

/** The most that a record is longer than what it holds: vector, HMAC and a whole block of padding. */
export const CBC_OVERHEAD = BLOCK + MAC + BLOCK;

export interface CbcKeys {
  readonly key: Uint8Array;
  readonly mac: Uint8Array;
  /** RFC 7366: the HMAC is over the ciphertext. Else it is within (RFC 5246 6.2.3.2). */
  readonly encryptThenMac: boolean;
}

/**
 * Body of a record of AES-128-CBC with HMAC-SHA256, under a random vector. `header` is what the HMAC is over beside the text; it ends with
 * the two bytes of a length, which are filled in here.
 */
export function sealCbc({ key, mac, encryptThenMac }: CbcKeys, header: Buffer, content: Uint8Array): Buffer {
  const iv = randomBytes(BLOCK);
  const inside = content.length + (encryptThenMac ? 0 : MAC);
  const padding = BLOCK - 1 - (inside % BLOCK);
  const text = Buffer.alloc(inside + padding + 1, padding);
  text.set(content, 0);
  const hmac = new Hmac(mac);
  if (!encryptThenMac) {
    header.writeUInt16BE(content.length, header.length - 2);
    text.write(hmac.of(Buffer.concat([header, content])), content.length, 'latin1');
  }
  const cipher = createCipheriv('aes-128-cbc', key, iv).setAutoPadding(false);
  const body = Buffer.concat([iv, cipher.update(text), cipher.final()]);
  if (!encryptThenMac) return body;
  header.writeUInt16BE(body.length, header.length - 2);
  return Buffer.concat([body, Buffer.from(hmac.of(Buffer.concat([header, body])), 'latin1')]);
}

/** What such a body holds; undefined for whatever is wrong with it. Its length is known to everybody; nothing else shows in the work done. */
export function openCbc(keys: CbcKeys, header: Buffer, body: Buffer): Buffer | undefined {
  // Vector and HMAC, and a block at least beside them.
  if (body.length % BLOCK !== 0 || body.length < BLOCK + MAC + BLOCK) return undefined;
  return keys.encryptThenMac ? openOutside(keys, header, body) : openInside(keys, header, body);
}

function openOutside({ key, mac }: CbcKeys, header: Buffer, body: Buffer): Buffer | undefined {
  const sealed = body.subarray(0, body.length - MAC);
  header.writeUInt16BE(sealed.length, header.length - 2);
  const expected = Buffer.from(new Hmac(mac).of(Buffer.concat([header, sealed])), 'latin1');
  if (!timingSafeEqual(body.subarray(sealed.length), expected)) return undefined;
  const text = decrypt(key, sealed);
  const { padding, bad } = paddingOf(text, 0);
  return bad === 0 ? text.subarray(0, text.length - padding - 1) : undefined;
}

/**
 * Wrong padding counts as none at all, so that the HMAC is looked at in any case, and the HMAC costs the same for any length that the
 * padding leaves to the content: otherwise the time tells them apart, and with them the text (RFC 5246 6.2.3.2; "Lucky Thirteen").
 */
function openInside({ key, mac }: CbcKeys, header: Buffer, body: Buffer): Buffer | undefined {
  const text = decrypt(key, body);
  const { padding, bad } = paddingOf(text, MAC);
  const most = text.length - MAC - 1;
  const length = most - padding;
  header.writeUInt16BE(length, header.length - 2);
  const hashed = Buffer.concat([header, text.subarray(0, most)]);
  const expected = Buffer.from(new Hmac(mac).ofPart(hashed, header.length + length), 'latin1');
  const same = timingSafeEqual(text.subarray(length, length + MAC), expected);
  return same && bad === 0 ? text.subarray(0, length) : undefined;
}

function decrypt(key: Uint8Array, sealed: Buffer): Buffer {
  const decipher = createDecipheriv('aes-128-cbc', key, sealed.subarray(0, BLOCK)).setAutoPadding(false);
  const text = decipher.update(sealed.subarray(BLOCK));
  decipher.final();
  return text;
}

/**
 * The value of the last byte, which as many bytes before it must repeat, with room for `reserved` more: then `bad` is 0. Else it is -1, and
 * `padding` 0. The same steps for any text of a length.
 */
function paddingOf(text: Buffer, reserved: number): { padding: number; bad: number } {
  const last = text.length - 1;
  const claimed = text[last]!;
  const looked = Math.min(255, last);
  let wrong = (last - reserved - claimed) >> 31;
  for (let back = 1; back <= looked; back++) wrong |= ((back - claimed - 1) >> 31) & (text[last - back]! ^ claimed);
  const bad = (wrong | -wrong) >> 31;
  return { padding: claimed & ~bad, bad };
}
