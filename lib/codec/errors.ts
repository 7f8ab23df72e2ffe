import { formatPath } from '../lwm2m/path';

/** Where in a payload something is wrong. */
export interface Place {
  /** The path the payload, or the part of it, is about. */
  readonly path: readonly number[];
  /** The codec's name. */
  readonly format: string;
  /** Byte offset in the payload, where it is known. */
  readonly offset?: number | undefined;
}

/** A payload from a peer that is not what its content format, or the request, says it should be. */
export class DecodeError extends Error {
  readonly code = 'BAD_RESPONSE';
  /** As text, e.g. "/3/0/9". */
  readonly path: string;
  readonly format: string;
  readonly offset: number | undefined;
  constructor(problem: string, place: Place) {
    const path = formatPath(place.path);
    super(`${problem} (${place.format}, ${path}${place.offset === undefined ? '' : `, byte ${place.offset}`})`);
    this.name = 'DecodeError';
    this.path = path;
    this.format = place.format;
    this.offset = place.offset;
  }
}

/** A value, or a set of values, that cannot be written in a content format. */
export class EncodeError extends Error {
  readonly code = 'BAD_REQUEST';
  readonly path: string;
  readonly format: string;
  constructor(problem: string, place: Place) {
    const path = formatPath(place.path);
    super(`${problem} (${place.format}, ${path})`);
    this.name = 'EncodeError';
    this.path = path;
    this.format = place.format;
  }
}
