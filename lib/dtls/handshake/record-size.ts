import { Reader, uint } from '../bytes';
import { AlertDescription, ExtensionType, MAX_PLAINTEXT } from '../constants';
import { HandshakeError } from '../errors';
import type { Extensions } from './extensions';

/** RFC 8449 4. */
const LEAST_LIMIT = 64;
/** Codes 1 to 4 of RFC 6066 4: 2^9 to 2^12. */
const MAX_CODE = 4;

/** How long our records may be, and what we answer. */
export interface RecordSize {
  /** Bytes of plaintext. */
  readonly limit: number;
  readonly answer: readonly [type: number, data: Buffer] | undefined;
}

/** What we say of ourselves: all that there can be. */
export const OUR_RECORD_SIZE_LIMIT: Buffer = uint(MAX_PLAINTEXT, 2);

/**
 * What a client asks for. Where it offers both extensions, record_size_limit alone counts (RFC 8449 5). Throws `HandshakeError`
 * for a size that there is not.
 */
export function chooseRecordSize(extensions: Extensions): RecordSize {
  const limit = readRecordSizeLimit(extensions);
  if (limit !== undefined) return { limit, answer: [ExtensionType.RECORD_SIZE_LIMIT, OUR_RECORD_SIZE_LIMIT] };
  const data = extensions.get(ExtensionType.MAX_FRAGMENT_LENGTH);
  if (!data) return { limit: MAX_PLAINTEXT, answer: undefined };
  const reader = new Reader(data);
  const code = reader.uint(1);
  reader.end();
  if (code < 1 || code > MAX_CODE) throw new HandshakeError(AlertDescription.ILLEGAL_PARAMETER, `there is no fragment length ${code}`);
  return { limit: 2 ** (8 + code), answer: [ExtensionType.MAX_FRAGMENT_LENGTH, uint(code, 1)] };
}

/** `record_size_limit` (RFC 8449 4); what is beyond DTLS 1.2 means no limit. Undefined when the extension is not there. */
export function readRecordSizeLimit(extensions: Extensions): number | undefined {
  const data = extensions.get(ExtensionType.RECORD_SIZE_LIMIT);
  if (!data) return undefined;
  const reader = new Reader(data);
  const limit = reader.uint(2);
  reader.end();
  if (limit < LEAST_LIMIT)
    throw new HandshakeError(AlertDescription.ILLEGAL_PARAMETER, `a limit of ${limit} bytes is too small for a record`);
  return Math.min(limit, MAX_PLAINTEXT);
}
