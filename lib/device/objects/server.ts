import type { ResourceValue } from '../types';
import type { SimulatedObject, Surroundings } from './types';

export const LIFETIME = 1;

/** LwM2M Server (object 1): what the device holds about the server it registers with. */
export function serverObject(around: Surroundings): SimulatedObject {
  const old = around.version === '1.0';
  return {
    id: 1,
    version: old ? '1.0' : '1.1',
    instances: new Map([
      [
        0,
        new Map<number, ResourceValue>([
          [0, 1],
          [LIFETIME, around.lifetime],
          [2, 0],
          [3, 0],
          [6, false],
          [7, old ? around.binding : 'U'],
          [8, null],
        ]),
      ],
    ]),
    execute: (resource) => {
      if (resource === 8) around.ask('update');
      return true;
    },
    refuse: (resource, value) => {
      if (resource === LIFETIME) return typeof value === 'number' && value >= 1 && value <= 0xffffffff ? undefined : '4.00';
      if (resource === 2 || resource === 3) return typeof value === 'number' && value >= 0 ? undefined : '4.00';
      // The device has no other binding to change to.
      if (resource === 7) return value === around.get([1, 0, 7]) ? undefined : '4.00';
      return undefined;
    },
    // Core TS 1.1.1 6.2.2: a changed lifetime is told to the server at once.
    written: (resource) => {
      if (resource === LIFETIME) around.ask('update');
    },
  };
}
