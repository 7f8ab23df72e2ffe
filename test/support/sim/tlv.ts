/** OMA TLV (Core TS 1.1.1 7.4.4), just enough for the scripted devices, written apart from the codec under test. */

const KIND = { instance: 0b00, resourceInstance: 0b01, multiple: 0b10, resource: 0b11 } as const;

function entry(kind: keyof typeof KIND, id: number, value: Buffer): Buffer {
  const wideId = id > 0xff;
  const head = [(KIND[kind] << 6) | (wideId ? 0x20 : 0), ...(wideId ? [id >> 8, id & 0xff] : [id])];
  if (value.length < 8) head[0] = (head[0] as number) | value.length;
  else {
    const width = value.length < 0x100 ? 1 : value.length < 0x1_0000 ? 2 : 3;
    head[0] = (head[0] as number) | (width << 3);
    for (let byte = width - 1; byte >= 0; byte -= 1) head.push((value.length >> (8 * byte)) & 0xff);
  }
  return Buffer.concat([Buffer.from(head), value]);
}

export function tlvResource(id: number, value: Buffer): Buffer {
  return entry('resource', id, value);
}

export function tlvInstance(id: number, resources: readonly Buffer[]): Buffer {
  return entry('instance', id, Buffer.concat(resources));
}

/** Two's complement in 1, 2, 4 or 8 bytes. */
export function tlvInteger(value: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigInt64BE(BigInt(value));
  for (const width of [1, 2, 4]) {
    const limit = 2 ** (8 * width - 1);
    if (value >= -limit && value < limit) return out.subarray(8 - width);
  }
  return out;
}

export function tlvFloat(value: number): Buffer {
  const single = Buffer.alloc(4);
  single.writeFloatBE(value);
  if (single.readFloatBE(0) === value) return single;
  const double = Buffer.alloc(8);
  double.writeDoubleBE(value);
  return double;
}

/** The resources of one level: id and raw value. Throws on bytes that do not fit together. */
export function readTlv(data: Buffer): { kind: number; id: number; value: Buffer }[] {
  const out: { kind: number; id: number; value: Buffer }[] = [];
  for (let at = 0; at < data.length;) {
    const head = data.readUInt8(at);
    const idWidth = head & 0x20 ? 2 : 1;
    const id = data.readUIntBE(at + 1, idWidth);
    at += 1 + idWidth;
    const width = (head >> 3) & 3;
    const length = width === 0 ? head & 7 : data.readUIntBE(at, width);
    at += width;
    if (at + length > data.length) throw new RangeError('TLV value cut off');
    out.push({ kind: head >> 6, id, value: data.subarray(at, at + length) });
    at += length;
  }
  return out;
}
