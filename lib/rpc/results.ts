import type { FailureCode, OperationResult, ServerEvent } from '../server/types';

/** The names a device's answer can have (RFC 7252 12.1.2, RFC 7959, RFC 8132, RFC 8516). Whatever else it says is `UNKNOWN`. */
export const RESULTS = [
  'CONTENT',
  'CHANGED',
  'CREATED',
  'VALID',
  'DELETED',
  'BAD_REQUEST',
  'UNAUTHORIZED',
  'BAD_OPTION',
  'FORBIDDEN',
  'NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'NOT_ACCEPTABLE',
  'REQUEST_ENTITY_INCOMPLETE',
  'CONFLICT',
  'PRECONDITION_FAILED',
  'REQUEST_ENTITY_TOO_LARGE',
  'UNSUPPORTED_CONTENT_FORMAT',
  'UNPROCESSABLE_ENTITY',
  'TOO_MANY_REQUESTS',
  'INTERNAL_SERVER_ERROR',
  'NOT_IMPLEMENTED',
  'BAD_GATEWAY',
  'SERVICE_UNAVAILABLE',
  'GATEWAY_TIMEOUT',
  'PROXYING_NOT_SUPPORTED',
  'UNKNOWN',
] as const;
export type ResultName = (typeof RESULTS)[number];

/** Every code of a command that was not done. The record makes the compiler see that none is missing. */
const CODES: Readonly<Record<FailureCode, true>> = {
  UNKNOWN_ENDPOINT: true,
  BAD_REQUEST: true,
  METHOD_NOT_ALLOWED: true,
  TIMEOUT_NO_ACK: true,
  TIMEOUT_NO_RESPONSE: true,
  RESET: true,
  UNREACHABLE: true,
  TOO_LARGE: true,
  BAD_RESPONSE: true,
  EXPIRED: true,
  CANCELLED: true,
  CLOSED: true,
  BUSY: true,
};
export const FAILURE_CODES = Object.keys(CODES) as readonly FailureCode[];

const KINDS: Readonly<Record<ServerEvent['kind'], true>> = {
  registered: true,
  refused: true,
  replaced: true,
  updated: true,
  'address-changed': true,
  deregistered: true,
  expired: true,
  awake: true,
  sleeping: true,
  command: true,
  notification: true,
  'observation-ended': true,
  send: true,
  telemetry: true,
  attributes: true,
  log: true,
  stats: true,
};
/** Every event this version reports. */
export const EVENTS = Object.keys(KINDS) as readonly ServerEvent['kind'][];

/** Names of the contract that this version does not report yet; nothing else will use them. */
export const RESERVED_EVENTS = ['bootstrap', 'ota'] as const;

/** The name of an answer, out of the closed list. */
export function resultName(answer: Extract<OperationResult, { kind: 'answer' }>): ResultName {
  return RESULTS.find((name) => name === answer.result) ?? 'UNKNOWN';
}
