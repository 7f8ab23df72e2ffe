import type { Instance, ResourceValue } from '../types';
import type { SimulatedObject, Surroundings } from './types';

/** BinaryAppDataContainer (object 19): two instances to begin with; the server may create and delete more. */
export function containerObject(around: Surroundings): SimulatedObject {
  const instance = (data: Uint8Array): Instance =>
    new Map<number, ResourceValue>([
      [0, new Map([[0, data]])],
      [1, 0],
      [2, Math.floor(around.wall())],
      [3, 'Simulated container'],
      [4, 'application/octet-stream'],
      [5, 1],
    ]);
  return {
    id: 19,
    version: '1.0',
    instances: new Map([
      [0, instance(Uint8Array.of(0x01, 0x02, 0x03, 0x04))],
      [1, instance(Uint8Array.of(0xca, 0xfe))],
    ]),
    create: () => new Map([[0, new Map<number, Uint8Array>()]]),
  };
}
