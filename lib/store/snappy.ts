import { readVarint } from './varint';

const MAX_SIZE = 64 * 1024 * 1024;

/** Snappy's raw format (format_description.txt of the project). Throws RangeError for what is not. */
export function uncompress(input: Buffer): Buffer {
  const { value: size, next } = readVarint(input, 0);
  if (size > MAX_SIZE) throw new RangeError('too large');
  const output = Buffer.alloc(size);
  let from = next;
  let to = 0;
  while (from < input.length) {
    const tag = input[from]!;
    from += 1;
    let length = (tag >> 2) + 1;
    let offset: number;
    switch (tag & 3) {
      case 0: {
        const extra = Math.max(length - 60, 0);
        if (extra > 0) length = input.readUIntLE(from, extra) + 1;
        from += extra;
        if (from + length > input.length || to + length > size) throw new RangeError('a literal behind the end');
        input.copy(output, to, from, from + length);
        from += length;
        to += length;
        continue;
      }
      case 1:
        length = ((tag >> 2) & 7) + 4;
        offset = ((tag >> 5) << 8) | input.readUInt8(from);
        from += 1;
        break;
      case 2:
        offset = input.readUInt16LE(from);
        from += 2;
        break;
      default:
        offset = input.readUInt32LE(from);
        from += 4;
    }
    if (offset === 0 || offset > to || to + length > size) throw new RangeError('a copy of what is not there');
    for (; length > 0; length -= 1, to += 1) output[to] = output[to - offset]!;
  }
  if (to !== size) throw new RangeError('too short');
  return output;
}
