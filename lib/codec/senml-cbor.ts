/** application/senml+cbor, Content-Format 112 (RFC 8428 6; Core TS 1.1.1 7.4.6). What Anjay and Leshan 2 prefer. */
import { readCborPayload } from './cbor';
import { writeCbor } from './cbor-item';
import { DecodeError } from './errors';
import { shrink } from './numbers';
import { checkUnknownLabel, nodesToRecords, recordsToNodes, setValue } from './senml';
import { MAX_NODES, emptyNodes } from './typed';
import type { CborItem } from './cbor-item';
import type { Place } from './errors';
import type { Numeric } from './numbers';
import type { SenmlRecord, SenmlValue } from './senml';
import type { Codec } from './types';

const NAME = 'senml+cbor';

/** RFC 8428 table 4; `vlo` is a text label (Core TS 1.1.1 7.4.6). */
const Label = { bver: -1, bn: -2, bt: -3, bv: -5, n: 0, v: 2, vs: 3, vb: 4, t: 6, vd: 8, vlo: 'vlo' } as const;

export const senmlCborCodec: Codec = {
  name: NAME,
  contentFormat: 112,
  aliases: [],
  decode(payload, context) {
    const place: Place = { path: context.path, format: NAME };
    if (payload.length === 0 && context.path.length > 0) return emptyNodes(context, NAME);
    const pack = readCborPayload(payload, place);
    if (pack.kind !== 'array') throw new DecodeError('the payload is no list of records', place);
    if (pack.items.length > MAX_NODES) throw new DecodeError(`more than ${MAX_NODES} records`, place);
    return recordsToNodes(
      pack.items.map((item) => readRecord(item, place)),
      context,
      NAME,
    );
  },
  encode(nodes, context) {
    return writeCbor({ kind: 'array', items: nodesToRecords(nodes, context, NAME).map(writeRecord) });
  },
};

function readRecord(item: CborItem, place: Place): SenmlRecord {
  if (item.kind !== 'map') throw new DecodeError('a record is no map', place);
  const record: SenmlRecord = {};
  for (const [key, value] of item.entries) {
    if (key.kind !== 'integer' && key.kind !== 'string') throw new DecodeError('a label is a number or a text', place);
    readField(record, key.value, value, place);
  }
  return record;
}

function readField(record: SenmlRecord, label: number | bigint | string, item: CborItem, place: Place): void {
  switch (label) {
    case Label.bn:
      record.baseName = textOf(label, item, place);
      return;
    case Label.n:
      record.name = textOf(label, item, place);
      return;
    case Label.bt:
      record.baseTime = Number(numberOf(label, item, place).value);
      return;
    case Label.t:
      record.time = Number(numberOf(label, item, place).value);
      return;
    case Label.bv:
      record.baseValue = numberOf(label, item, place);
      return;
    case Label.bver:
      record.baseVersion = Number(numberOf(label, item, place).value);
      return;
    case Label.v:
      setValue(record, { kind: 'number', value: numberOf(label, item, place) }, place);
      return;
    case Label.vs:
      setValue(record, { kind: 'string', value: textOf(label, item, place) }, place);
      return;
    case Label.vb:
      if (item.kind !== 'boolean') throw new DecodeError('label 4 (vb) is true or false', place);
      setValue(record, { kind: 'boolean', value: item.value }, place);
      return;
    case Label.vd:
      if (item.kind !== 'bytes') throw new DecodeError('label 8 (vd) is a byte string', place);
      setValue(record, { kind: 'data', value: item.value }, place);
      return;
    case Label.vlo:
      setValue(record, { kind: 'link', value: textOf(label, item, place) }, place);
      return;
    default:
      if (typeof label === 'string') checkUnknownLabel(label, place);
  }
}

function textOf(label: number | string, item: CborItem, place: Place): string {
  if (item.kind !== 'string') throw new DecodeError(`label ${label} is a text`, place);
  return item.value;
}

/** Any number: whole, any float, big, decimal fraction (Leshan's base times), tagged as time. */
function numberOf(label: number, item: CborItem, place: Place): Numeric {
  switch (item.kind) {
    case 'integer':
      return { value: item.value, whole: true };
    case 'float':
    case 'time':
      return { value: item.value, whole: false };
    default:
      throw new DecodeError(`label ${label} is a number`, place);
  }
}

function writeRecord(record: SenmlRecord): CborItem {
  const entries: [CborItem, CborItem][] = [];
  const add = (label: number | string, value: CborItem): void => {
    entries.push([typeof label === 'number' ? { kind: 'integer', value: label } : { kind: 'string', value: label }, value]);
  };
  if (record.baseName !== undefined) add(Label.bn, { kind: 'string', value: record.baseName });
  if (record.name !== undefined) add(Label.n, { kind: 'string', value: record.name });
  if (record.time !== undefined) add(Label.t, { kind: Number.isInteger(record.time) ? 'integer' : 'float', value: record.time });
  if (record.value !== undefined) add(labelOf(record.value), itemOf(record.value));
  return { kind: 'map', entries };
}

function labelOf(value: SenmlValue): number | string {
  switch (value.kind) {
    case 'number':
      return Label.v;
    case 'string':
      return Label.vs;
    case 'boolean':
      return Label.vb;
    case 'data':
      return Label.vd;
    case 'link':
      return Label.vlo;
  }
}

function itemOf(value: SenmlValue): CborItem {
  switch (value.kind) {
    case 'number': {
      const { value: number, whole } = value.value;
      return whole ? { kind: 'integer', value: shrink(BigInt(number)) } : { kind: 'float', value: Number(number) };
    }
    case 'string':
    case 'link':
      return { kind: 'string', value: value.value };
    case 'boolean':
      return value;
    case 'data':
      return { kind: 'bytes', value: value.value };
  }
}
