const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const { fromCharCode } = String;

/** A payload as a Buffer on the same memory, whose readers of numbers and texts are the fast ones. */
export function asBuffer(payload: Uint8Array): Buffer {
  return Buffer.isBuffer(payload) ? payload : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
}

/** Text of the UTF-8 bytes from `from` to before `to`, or undefined when they are not UTF-8. */
export function readUtf8(bytes: Buffer, from = 0, to = bytes.length): string | undefined {
  // A call of TextDecoder costs more than the names and ids that most texts are.
  return to - from > 32 ? readAnyUtf8(bytes, from, to) : (readShortAscii(bytes, from, to) ?? readAnyUtf8(bytes, from, to));
}

function readShortAscii(bytes: Buffer, from: number, to: number): string | undefined {
  let text = '';
  let at = from;
  let high = 0;
  for (; at + 4 <= to; at += 4) {
    const a = bytes[at] ?? 0;
    const b = bytes[at + 1] ?? 0;
    const c = bytes[at + 2] ?? 0;
    const d = bytes[at + 3] ?? 0;
    high |= a | b | c | d;
    text += fromCharCode(a, b, c, d);
  }
  for (; at < to; at += 1) {
    const a = bytes[at] ?? 0;
    high |= a;
    text += fromCharCode(a);
  }
  return high > 0x7f ? undefined : text;
}

function readAnyUtf8(bytes: Buffer, from: number, to: number): string | undefined {
  try {
    return decoder.decode(bytes.subarray(from, to));
  } catch {
    return undefined;
  }
}

const encoder = new TextEncoder();

export function writeUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}
