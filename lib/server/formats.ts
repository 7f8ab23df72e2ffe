import { samePath } from '../lwm2m/path';
import type { DataNode, Lwm2mVersion } from '../lwm2m/types';
import type { Registration } from './types';

/** Content-Format numbers (Core TS 7.4). */
export const ContentFormat = {
  TEXT: 0,
  LINK: 40,
  OPAQUE: 42,
  SENML_JSON: 110,
  SENML_CBOR: 112,
  TLV: 11542,
  TLV_OLD: 1542,
  JSON: 11543,
  JSON_OLD: 1543,
  LWM2M_CBOR: 11544,
} as const;

const { TEXT, OPAQUE, SENML_JSON, SENML_CBOR, TLV, TLV_OLD, JSON, JSON_OLD, LWM2M_CBOR } = ContentFormat;

/** What we would rather have for instances and objects, of what a device of this version announced. */
const PREFERRED: Readonly<Record<Lwm2mVersion, readonly number[]>> = {
  '1.0': [TLV, TLV_OLD, JSON, JSON_OLD, SENML_CBOR, SENML_JSON],
  '1.1': [SENML_CBOR, SENML_JSON, TLV, TLV_OLD, JSON, JSON_OLD],
  '1.2': [LWM2M_CBOR, SENML_CBOR, SENML_JSON, TLV, TLV_OLD, JSON, JSON_OLD],
};

/** What a device that announced nothing most likely takes: TLV is mandatory in 1.0 and common in 1.1, and gone in 1.2. */
const LIKELY: Readonly<Record<Lwm2mVersion, readonly number[]>> = {
  '1.0': [TLV, JSON],
  '1.1': [TLV, SENML_CBOR],
  '1.2': [SENML_CBOR, SENML_JSON],
};

function announced({ contentFormats, lwm2mVersion }: Registration): number[] {
  return PREFERRED[lwm2mVersion].filter((format) => contentFormats.includes(format));
}

/**
 * The Accept of a Read or Observe, and what to try when the device refuses it: the best of what it announced, then the next. Undefined is
 * no Accept: the device uses its own default, which every client can and which we can read; several LwM2M 1.0 clients answer 4.06 to
 * any Accept. An Observe rather asks for SenML: LwM2M CBOR has no times, so a device would lose those of values it kept.
 */
export function acceptFormats(registration: Registration, kind: 'Read' | 'Observe'): (number | undefined)[] {
  const formats = announced(registration);
  if (formats.length === 0) return [undefined, LIKELY[registration.lwm2mVersion][0]];
  if (kind === 'Observe') formats.sort((a, b) => Number(a === LWM2M_CBOR) - Number(b === LWM2M_CBOR));
  return [...formats, undefined];
}

/**
 * The formats of a Write, in the order to try: for one plain value text, which every client takes; else the best announced, and where
 * nothing was announced what is likely. One opaque value goes as octets since LwM2M 1.1.
 */
export function writeFormats(registration: Registration, path: readonly number[], nodes: readonly DataNode[]): number[] {
  const [first, ...others] = nodes;
  const single = first !== undefined && others.length === 0 && samePath(first.path, path) && first.value !== null;
  const plain = single && first.type !== 'opaque' ? [TEXT] : [];
  const octets = single && first.type === 'opaque' && registration.lwm2mVersion !== '1.0' ? [OPAQUE] : [];
  return [...new Set([...plain, ...announced(registration), ...octets, ...LIKELY[registration.lwm2mVersion]])];
}
