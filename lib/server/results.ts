import { Code, codeText } from '../coap/codes';
import type { FailureReason, IncomingResponse } from '../coap/types';
import type { FailureCode, OperationResult, Registration } from './types';

/** The result names of the commands, one per CoAP response code (Transport TS 6.7). */
const NAMES = new Map<number, string>(
  Object.entries(Code)
    .filter(([, code]) => code >= 0x40)
    .map(([name, code]) => [code, name]),
);

/** "CONTENT" for 2.05; a code nobody named is shown as it is, e.g. "4.30". */
export function resultName(code: number): string {
  return NAMES.get(code) ?? codeText(code);
}

/** Every name `resultName` knows. */
export const RESULT_NAMES: readonly string[] = [...NAMES.values()];

/** What a failed exchange is called towards the caller. */
export const FAILURES: Record<FailureReason, FailureCode> = {
  'no-ack': 'TIMEOUT_NO_ACK',
  'no-response': 'TIMEOUT_NO_RESPONSE',
  reset: 'RESET',
  unreachable: 'UNREACHABLE',
  cancelled: 'CANCELLED',
  closed: 'CLOSED',
  'too-large': 'TOO_LARGE',
  protocol: 'BAD_RESPONSE',
  busy: 'BUSY',
  // Our own side gave it up; commands have no streamed bodies.
  stream: 'CANCELLED',
};

/** Bytes of a device's diagnostic text that are passed on. */
const MAX_DIAGNOSTIC = 1024;

export function failure(code: FailureCode, error: string, registration?: Registration): OperationResult {
  return { kind: 'failed', code, error, ...(registration && { registration }) };
}

/** The device's diagnostic payload (RFC 7252 5.5.2), or what the code says. */
export function diagnostic(response: IncomingResponse): string {
  const text = Buffer.from(response.payload.subarray(0, MAX_DIAGNOSTIC)).toString('utf8').trim();
  return text || `the device answered ${codeText(response.code)}`;
}
