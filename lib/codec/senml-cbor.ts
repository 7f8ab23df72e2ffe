/** application/senml+cbor (112), what Anjay and Leshan prefer, and application/senml-etch+cbor (322): RFC 8428 6, RFC 8790. */
import { readCbor } from './cbor';
import { Major } from './cbor-reader';
import { writeBoolean, writeBytes, writeFloat, writeHead, writeInteger, writeNull, writeText } from './cbor-writer';
import { DecodeError } from './errors';
import { Output } from './output';
import { nodesToRecords, recordsToNodes, setField } from './senml';
import { MAX_NODES, emptyNodes } from './typed';
import type { CborReader } from './cbor-reader';
import type { Place } from './errors';
import type { Item } from './items';
import type { Dialect, SenmlRecord, SenmlValue } from './senml';
import type { Codec, CodecContext } from './types';

/** RFC 8428 table 4; `vlo` is a text label (Core TS 1.1.1 7.4.6). */
const LABELS = new Map([[-1, 'bver'], [-2, 'bn'], [-3, 'bt'], [-5, 'bv'], [0, 'n'], [2, 'v'], [3, 'vs'], [4, 'vb'], [6, 't'], [8, 'vd']]); // prettier-ignore
const LINK = 'vlo';

const output = new Output();

export const senmlCborCodec = codecOf('senml+cbor', 112, false);
export const senmlEtchCborCodec = codecOf('senml-etch+cbor', 322, true);

function codecOf(format: string, contentFormat: number, removes: boolean): Codec {
  const dialect: Dialect = { format, removes, data: readData };
  return {
    name: format,
    contentFormat,
    aliases: [],
    decode(payload, context) {
      if (payload.length === 0 && context.path.length > 0) return emptyNodes(context, format);
      const records = readCbor(payload, { path: context.path, format }, (reader) => readRecords(reader, dialect, context));
      return recordsToNodes(records, context, format);
    },
    encode(nodes, context) {
      const records = nodesToRecords(nodes, context, dialect);
      output.clear();
      for (let index = records.length - 1; index >= 0; index -= 1) writeRecord(records[index] as SenmlRecord);
      writeHead(output, Major.array, records.length);
      return output.take();
    },
  };
}

function readData(item: Item): Uint8Array | undefined {
  // What is kept must not be a view on the payload.
  return item.kind === 'bytes' ? new Uint8Array(item.value) : undefined;
}

function readRecords(reader: CborReader, dialect: Dialect, { path }: CodecContext): SenmlRecord[] {
  const { format } = dialect;
  const records: SenmlRecord[] = [];
  const count = reader.open(Major.array);
  for (let index = 0; reader.more(index, count); index += 1) {
    const offset = reader.at;
    if (index === MAX_NODES) throw new DecodeError(`more than ${MAX_NODES} records`, { path, format, offset });
    const record: SenmlRecord = { offset };
    const fields = reader.open(Major.map);
    for (let field = 0; reader.more(field, fields); field += 1) readField(reader, record, dialect, path);
    records.push(record);
  }
  return records;
}

function readField(reader: CborReader, record: SenmlRecord, dialect: Dialect, path: readonly number[]): void {
  const place: Place = { path, format: dialect.format, offset: reader.at };
  const number = reader.integer();
  const label = number === undefined ? reader.string() : (LABELS.get(number) ?? '');
  if (label === undefined) throw new DecodeError('a label is a number or a text', place);
  setField(record, label, reader.whole(), dialect, place);
}

function writeRecord(record: SenmlRecord): void {
  let fields = 0;
  if (record.value !== undefined) {
    writeValue(record.value);
    fields += 1;
  }
  if (record.time !== undefined) {
    if (Number.isInteger(record.time)) writeInteger(output, record.time);
    else writeFloat(output, record.time);
    output.byte(0x06);
    fields += 1;
  }
  if (record.name !== undefined) {
    writeText(output, record.name);
    output.byte(0x00);
    fields += 1;
  }
  if (record.baseName !== undefined) {
    writeText(output, record.baseName);
    output.byte(0x21);
    fields += 1;
  }
  writeHead(output, Major.map, fields);
}

/** A value and, before it, its label. */
function writeValue(value: SenmlValue): void {
  switch (value.kind) {
    case 'number':
      if (value.whole) writeInteger(output, value.value);
      else writeFloat(output, Number(value.value));
      output.byte(0x02);
      return;
    case 'string':
      writeText(output, value.value);
      output.byte(0x03);
      return;
    case 'boolean':
      writeBoolean(output, value.value);
      output.byte(0x04);
      return;
    case 'data':
      writeBytes(output, value.value);
      output.byte(0x08);
      return;
    case 'link':
      writeText(output, value.value);
      writeText(output, LINK);
      return;
    case 'removal':
      writeNull(output);
      output.byte(0x02);
  }
}
