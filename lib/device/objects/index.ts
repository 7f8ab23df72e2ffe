import { connectivityObject } from './connectivity';
import { containerObject } from './container';
import { deviceObject } from './device';
import { firmwareObject } from './firmware';
import { locationObject } from './location';
import { serverObject } from './server';
import { temperatureObject } from './temperature';
import type { SimulatedObject, Surroundings } from './types';

export type { SimulatedObject, Surroundings } from './types';

/** All objects of a new device, in the order of their ids. The same seed gives the same values. */
export function createObjects(around: Surroundings): Map<number, SimulatedObject> {
  const objects = [
    serverObject(around),
    deviceObject(around),
    connectivityObject(around),
    firmwareObject(around),
    locationObject(around),
    containerObject(around),
    temperatureObject(around),
  ];
  return new Map(objects.map((object) => [object.id, object]));
}
