import type { Lwm2mVersion } from './types';

/**
 * The `lwm2m` parameter of Register (Core TS 1.2 6.2.1); undefined for a version this server does not speak. Lenient: coap-node
 * writes the version of the document, `1.0.0`.
 */
export function parseLwm2mVersion(text: string): Lwm2mVersion | undefined {
  if (text === '1.0' || text === '1.1' || text === '1.2') return text;
  const version = /^(1\.[012])(?:\.\d)?$/.exec(text)?.[1];
  return version as Lwm2mVersion | undefined;
}

/**
 * Objects whose implied version is not 1.0 (Core TS 1.2 7.2.3). 1.1 means 1.1.1. For 1.2: Core TS 1.2.1 still lists Firmware Update
 * (5) as 1.1; OSCORE (21) is 2.0 since 1.2.2 and 1.1 before, but it is never registered. Gateway (25) 2.0 comes from the
 * Gateway enabler and must be written out, so it is 1.0 here.
 */
const IMPLIED: Readonly<Record<Lwm2mVersion, Readonly<Record<number, string>>>> = {
  '1.0': {},
  '1.1': { 0: '1.1', 1: '1.1', 3: '1.1', 4: '1.2' },
  '1.2': { 0: '1.2', 1: '1.2', 2: '1.1', 3: '1.2', 4: '1.3', 5: '1.1', 21: '2.0' },
};

/** The version an object has when the registration writes no `ver` (Core TS 7.2.2): that of the enabler, or 1.0 for all other objects. */
export function defaultObjectVersion(objectId: number, version: Lwm2mVersion): string {
  return IMPLIED[version][objectId] ?? '1.0';
}
