import { Code } from '../coap/codes';

/** A request from a device that is turned down: the CoAP answer, and for people why and what to do. */
export interface Refusal {
  readonly code: number;
  /** Goes to the device as diagnostic payload, and into the event. */
  readonly reason: string;
  readonly hint: string;
}

export function refusal(code: number, reason: string, hint: string): Refusal {
  return { code, reason, hint };
}

export function isRefusal(value: object): value is Refusal {
  return 'hint' in value;
}

const HINT = 'Check what the device sends in its Register message.';

/** A message that is not what the specification says. */
export function bad(reason: string): Refusal {
  return refusal(Code.BAD_REQUEST, reason, HINT);
}

/** Shortens and cleans text from the network before it goes into a message for people. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.slice(0, 64).replace(/[\u0000-\u001f\u007f-\u009f\ufffd]/g, '?');
}
