import type { OperationResult } from '../server/types';

/** What the device said about it, where it did. */
export function diagnostic({ error = '' }: Extract<OperationResult, { kind: 'answer' }>): string {
  return error === '' || error.startsWith('the device answered') ? '' : ` (${error})`;
}

/** Why there is no answer, after the name of the request. What flows are told besides is of no use to a profile, which sees to itself. */
export function whyNot({ code, error }: Extract<OperationResult, { kind: 'failed' }>): string {
  switch (code) {
    case 'TIMEOUT_NO_ACK':
      return 'not acknowledged after all retransmissions.';
    case 'TIMEOUT_NO_RESPONSE':
      return 'acknowledged, but not answered in time.';
    default:
      return /[.!?]$/.test(error) ? error : `${error}.`;
  }
}
