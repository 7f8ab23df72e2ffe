/** application/senml+json, Content-Format 110 (RFC 8428 5; Core TS 1.1.1 7.4.5). */
import { DecodeError, EncodeError } from './errors';
import { parseNumber } from './numbers';
import { checkUnknownLabel, nodesToRecords, recordsToNodes, setValue } from './senml';
import { readBase64 } from './text';
import { MAX_NODES, emptyNodes, readUtf8, writeUtf8 } from './typed';
import type { Place } from './errors';
import type { Numeric } from './numbers';
import type { SenmlRecord, SenmlValue } from './senml';
import type { Codec } from './types';

const NAME = 'senml+json';
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

export const senmlJsonCodec: Codec = {
  name: NAME,
  contentFormat: 110,
  aliases: [],
  decode(payload, context) {
    const place: Place = { path: context.path, format: NAME };
    if (payload.length === 0 && context.path.length > 0) return emptyNodes(context, NAME);
    const text = readUtf8(payload);
    if (text === undefined) throw new DecodeError('the text is not UTF-8', place);
    const pack = parseJson(text, place);
    if (!Array.isArray(pack)) throw new DecodeError('the payload is no list of records', place);
    if (pack.length > MAX_NODES) throw new DecodeError(`more than ${MAX_NODES} records`, place);
    return recordsToNodes(
      pack.map((entry) => readRecord(entry, place)),
      context,
      NAME,
    );
  },
  encode(nodes, context) {
    const records = nodesToRecords(nodes, context, NAME);
    return writeUtf8(
      `[${records.map((record, index) => writeRecord(record, { path: nodes[index]?.path ?? [], format: NAME })).join(',')}]`,
    );
  },
};

/**
 * JSON.parse would round numbers beyond 2^53, so every number goes through it as text: "n12", and every string with an "s" in front.
 * JSON.parse still judges all the rest.
 */
function parseJson(text: string, place: Place): unknown {
  try {
    return JSON.parse(markNumbers(text, place));
  } catch (error) {
    if (error instanceof DecodeError) throw error;
    throw new DecodeError('the payload is not JSON', place);
  }
}

function markNumbers(text: string, place: Place): string {
  const parts: string[] = [];
  let from = 0;
  let at = 0;
  while (at < text.length) {
    const char = text.charAt(at);
    if (char === '"') {
      parts.push(text.slice(from, at), '"s');
      from = at + 1;
      at = stringEnd(text, at, place);
    } else if (char === '-' || (char >= '0' && char <= '9')) {
      let end = at + 1;
      while (end < text.length && '0123456789.eE+-'.includes(text.charAt(end))) end += 1;
      parts.push(text.slice(from, at), '"n', text.slice(at, end), '"');
      from = end;
      at = end;
    } else {
      at += 1;
    }
  }
  parts.push(text.slice(from));
  return parts.join('');
}

/** Past the closing quote of the string that begins at `from`. */
function stringEnd(text: string, from: number, place: Place): number {
  let at = from + 1;
  while (at < text.length) {
    const char = text.charAt(at);
    if (char === '"') return at + 1;
    at += char === '\\' ? 2 : 1;
  }
  throw new DecodeError('a JSON string has no end', place);
}

function readRecord(entry: unknown, place: Place): SenmlRecord {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) throw new DecodeError('a record is no object', place);
  const record: SenmlRecord = {};
  for (const [marked, value] of Object.entries(entry)) readField(record, marked.slice(1), value, place);
  return record;
}

function readField(record: SenmlRecord, label: string, value: unknown, place: Place): void {
  switch (label) {
    case 'bn':
      record.baseName = textOf(label, value, place);
      return;
    case 'n':
      record.name = textOf(label, value, place);
      return;
    case 'bt':
      record.baseTime = Number(numberOf(label, value, place).value);
      return;
    case 't':
      record.time = Number(numberOf(label, value, place).value);
      return;
    case 'bv':
      record.baseValue = numberOf(label, value, place);
      return;
    case 'bver':
      record.baseVersion = Number(numberOf(label, value, place).value);
      return;
    case 'v':
      setValue(record, { kind: 'number', value: numberOf(label, value, place) }, place);
      return;
    case 'vs':
      setValue(record, { kind: 'string', value: textOf(label, value, place) }, place);
      return;
    case 'vb':
      if (typeof value !== 'boolean') throw new DecodeError('vb is true or false', place);
      setValue(record, { kind: 'boolean', value }, place);
      return;
    case 'vd': {
      // Without padding from Anjay, as RFC 8428 wants it; padded from Wakaama; both alphabets.
      const data = readBase64(textOf(label, value, place));
      if (!data) throw new DecodeError('vd is not base64', place);
      setValue(record, { kind: 'data', value: data }, place);
      return;
    }
    case 'vlo':
      setValue(record, { kind: 'link', value: textOf(label, value, place) }, place);
      return;
    default:
      // Units (u, bu), sums (s, bs), update time (ut) and what others add mean nothing to LwM2M.
      checkUnknownLabel(label, place);
  }
}

function textOf(label: string, value: unknown, place: Place): string {
  if (typeof value !== 'string' || !value.startsWith('s')) throw new DecodeError(`${label} is a string`, place);
  return value.slice(1);
}

function numberOf(label: string, value: unknown, place: Place): Numeric {
  const text = typeof value === 'string' && value.startsWith('n') ? value.slice(1) : '';
  const numeric = JSON_NUMBER.test(text) ? parseNumber(text) : undefined;
  if (!numeric) throw new DecodeError(`${label} is a number`, place);
  return numeric;
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
    case 'number': {
      const number = value.value.value;
      if (typeof number === 'number' && !Number.isFinite(number)) {
        throw new EncodeError(`JSON has no ${number}`, place);
      }
      return `"v":${number}`;
    }
    case 'string':
      return `"vs":${JSON.stringify(value.value)}`;
    case 'boolean':
      return `"vb":${value.value}`;
    case 'data':
      return `"vd":"${Buffer.from(value.value).toString('base64url')}"`;
    case 'link':
      return `"vlo":"${value.value}"`;
  }
}
