import { codecFor } from '../codec/index';
import { samePath } from '../lwm2m/path';
import type { DataNode } from '../lwm2m/types';
import type { Registration } from './types';

/** Content-Format numbers (Core TS 7.4). */
export const ContentFormat = {
  TEXT: 0,
  LINK: 40,
  OPAQUE: 42,
  CBOR: 60,
  SENML_JSON: 110,
  SENML_CBOR: 112,
  TLV: 11542,
  TLV_OLD: 1542,
} as const;

/** What we would rather have, for whole instances and objects; only formats with a codec count. */
const PREFERRED = [ContentFormat.SENML_CBOR, ContentFormat.SENML_JSON, ContentFormat.TLV, ContentFormat.TLV_OLD];

/**
 * The Accept of a Read or Observe: as asked, else the best of what the device announced, else none. Without Accept a device
 * uses its own default, which every client can and which we can read; several LwM2M 1.0 clients answer 4.06 to any Accept.
 */
export function acceptFor(registration: Registration, asked: number | undefined): number | undefined {
  return asked ?? announced(registration);
}

function announced({ contentFormats }: Registration): number | undefined {
  return PREFERRED.find((format) => contentFormats.includes(format) && codecFor(format) !== undefined);
}

/**
 * The format of a Write: as asked; else text for one plain value, which every client takes; else the best announced; else TLV,
 * the only format for several values that LwM2M 1.0 makes mandatory.
 */
export function writeFormatFor(
  registration: Registration,
  path: readonly number[],
  nodes: readonly DataNode[],
  asked: number | undefined,
): number {
  if (asked !== undefined) return asked;
  const [first, ...others] = nodes;
  const single = first !== undefined && others.length === 0 && samePath(first.path, path) && first.value !== null;
  if (single && first.type !== 'opaque') return ContentFormat.TEXT;
  const format = announced(registration);
  if (format !== undefined) return format;
  return single && registration.lwm2mVersion !== '1.0' ? ContentFormat.OPAQUE : ContentFormat.TLV;
}
