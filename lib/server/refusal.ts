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
