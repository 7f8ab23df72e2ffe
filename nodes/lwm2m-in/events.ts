/** The events an `lwm2m-in` node can let through, in the order of the dialog. */
export const eventKinds = [
  'registered',
  'updated',
  'deregistered',
  'expired',
  'replaced',
  'address-changed',
  'refused',
  'awake',
  'sleeping',
  'command',
  'telemetry',
  'attributes',
  'notification',
  'observation-ended',
  'send',
  'log',
  'stats',
] as const;

export type EventKind = (typeof eventKinds)[number];

/** The events that carry values, and which the path filter is for. */
export const valueEvents: readonly EventKind[] = ['telemetry', 'attributes', 'notification', 'observation-ended', 'send', 'command'];
