import { codecFor } from '../../codec/index';
import type { Codec } from '../../codec/types';
import type { Lwm2mVersion } from '../../lwm2m/types';

export const TEXT = 0;
export const LINK_FORMAT = 40;
export const OPAQUE = 42;
export const CBOR = 60;
export const SENML_JSON = 110;
export const SENML_CBOR = 112;
export const TLV = 11542;
export const LWM2M_CBOR = 11544;

/** Content formats of each version (Core TS 7.4), without the link format of Discover. */
const FORMATS: Readonly<Record<Lwm2mVersion, readonly number[]>> = {
  '1.0': [TEXT, OPAQUE, TLV],
  '1.1': [TEXT, OPAQUE, CBOR, SENML_JSON, SENML_CBOR, TLV],
  '1.2': [TEXT, OPAQUE, CBOR, SENML_JSON, SENML_CBOR, TLV, LWM2M_CBOR],
};

/** The formats a device of this version reads and writes, lowest number first. */
export function formatsOf(version: Lwm2mVersion): number[] {
  return FORMATS[version].filter((format) => codecFor(format) !== undefined);
}

/** The codec of a Content-Format or Accept number, if the device speaks it. */
export function deviceCodec(version: Lwm2mVersion, format: number): Codec | undefined {
  const codec = codecFor(format);
  return codec && FORMATS[version].includes(codec.contentFormat) ? codec : undefined;
}
