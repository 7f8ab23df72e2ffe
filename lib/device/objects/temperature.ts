import { step } from '../random';
import type { ResourceValue } from '../types';
import { clamp, every, rounded, type SimulatedObject, type Surroundings } from './types';

const VALUE = 5700;
const MIN = 5601;
const MAX = 5602;
const RESET_MIN_MAX = 5605;

/** Temperature (object 3303): wanders by tenths of a degree around 21 Cel, and remembers its lowest and highest value. */
export function temperatureObject(around: Surroundings): SimulatedObject {
  const { random } = around;
  const sampleDue = every(() => 5);
  const first = rounded(21 + step(random, 2), 1);
  const number = (resource: number): number => Number(around.get([3303, 0, resource]) ?? 21);

  return {
    id: 3303,
    version: '1.0',
    instances: new Map([
      [
        0,
        new Map<number, ResourceValue>([
          [VALUE, first],
          [MIN, first],
          [MAX, first],
          [5603, -40],
          [5604, 85],
          [RESET_MIN_MAX, null],
          [5701, 'Cel'],
        ]),
      ],
    ]),
    tick: (now) => {
      if (sampleDue(now)) {
        const value = number(VALUE);
        around.put([3303, 0, VALUE], rounded(clamp(value + step(random, 0.4) + (21 - value) * 0.02, -40, 85), 1));
      }
      // Outside the sampling, because a flow may have set the value.
      const value = number(VALUE);
      if (value < number(MIN)) around.put([3303, 0, MIN], value);
      if (value > number(MAX)) around.put([3303, 0, MAX], value);
    },
    execute: (resource) => {
      if (resource !== RESET_MIN_MAX) return false;
      around.put([3303, 0, MIN], number(VALUE));
      around.put([3303, 0, MAX], number(VALUE));
      return true;
    },
  };
}
