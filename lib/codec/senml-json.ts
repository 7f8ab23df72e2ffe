/** application/senml+json (110) and application/senml-etch+json (320): RFC 8428 5, RFC 8790; Core TS 1.1.1 7.4.5, Core TS 1.2 7.4.6. */
import { DecodeError, EncodeError } from './errors';
import { JsonError, JsonReader } from './json-reader';
import { nodesToRecords, recordsToNodes, setField } from './senml';
import { readBase64 } from './text';
import { MAX_NODES, emptyNodes } from './typed';
import { writeUtf8 } from './utf8';
import type { Place } from './errors';
import type { Item } from './items';
import type { Dialect, SenmlRecord, SenmlValue } from './senml';
import type { Codec } from './types';

export const senmlJsonCodec = codecOf('senml+json', 110, false);
export const senmlEtchJsonCodec = codecOf('senml-etch+json', 320, true);

function codecOf(format: string, contentFormat: number, removes: boolean): Codec {
  const dialect: Dialect = { format, removes, data: readData };
  return {
    name: format,
    contentFormat,
    aliases: [],
    decode(payload, context) {
      const { path } = context;
      if (payload.length === 0 && path.length > 0) return emptyNodes(context, format);
      return recordsToNodes(
        readJson(payload, { path, format }, (reader) => readRecords(reader, dialect, path)),
        context,
        format,
      );
    },
    encode(nodes, context) {
      const records = nodesToRecords(nodes, context, dialect);
      return writeUtf8(`[${records.map((record, index) => writeRecord(record, { path: nodes[index]?.path ?? [], format })).join(',')}]`);
    },
  };
}

/** Reads a whole JSON payload and turns what is wrong with it into a `DecodeError`. */
export function readJson<T>(payload: Uint8Array, place: Place, read: (reader: JsonReader) => T): T {
  const reader = new JsonReader(payload);
  try {
    const result = read(reader);
    reader.end();
    return result;
  } catch (error) {
    if (error instanceof JsonError) throw new DecodeError(error.message, { ...place, offset: error.offset });
    throw error;
  }
}

/** Without padding from Anjay, as RFC 8428 wants it; padded from Wakaama; both alphabets. */
function readData(item: Item): Uint8Array | undefined {
  return item.kind === 'string' ? readBase64(item.value) : undefined;
}

function readRecords(reader: JsonReader, dialect: Dialect, path: readonly number[]): SenmlRecord[] {
  const { format } = dialect;
  const records: SenmlRecord[] = [];
  reader.open('array');
  for (let index = 0; reader.more(index, 'array'); index += 1) {
    const offset = reader.at;
    if (index === MAX_NODES) throw new DecodeError(`more than ${MAX_NODES} records`, { path, format, offset });
    const record: SenmlRecord = { offset };
    reader.open('map');
    for (let field = 0; reader.more(field, 'map'); field += 1) {
      const label = reader.key();
      const place: Place = { path, format, offset: reader.at };
      setField(record, label, reader.whole(), dialect, place);
    }
    records.push(record);
  }
  return records;
}

function writeRecord(record: SenmlRecord, place: Place): string {
  const fields: string[] = [];
  if (record.baseName !== undefined) fields.push(`"bn":${JSON.stringify(record.baseName)}`);
  if (record.name !== undefined) fields.push(`"n":${JSON.stringify(record.name)}`);
  if (record.time !== undefined) fields.push(`"t":${record.time}`);
  if (record.value !== undefined) fields.push(writeValue(record.value, place));
  return `{${fields.join(',')}}`;
}

function writeValue(value: SenmlValue, place: Place): string {
  switch (value.kind) {
    case 'number':
      return `"v":${jsonNumber(value.value, place)}`;
    case 'string':
      return `"vs":${JSON.stringify(value.value)}`;
    case 'boolean':
      return `"vb":${value.value}`;
    case 'data':
      return `"vd":"${Buffer.from(value.value).toString('base64url')}"`;
    case 'link':
      return `"vlo":"${value.value}"`;
    case 'removal':
      return '"v":null';
  }
}

/** A number as JSON has it. Throws `EncodeError` for what JSON does not have. */
export function jsonNumber(value: number | bigint, place: Place): string {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new EncodeError(`JSON has no ${value}`, place);
  return String(value);
}
