import { step } from '../random';
import type { ResourceValue } from '../types';
import { clamp, every, rounded, type SimulatedObject, type Surroundings } from './types';

const METRES_PER_DEGREE = 111_320;
const PERIOD = 10;

/** Location (object 6): a slow walk that turns a little at every step; degrees, metres, metres a second. */
export function locationObject(around: Surroundings): SimulatedObject {
  const { random } = around;
  const moveDue = every(() => PERIOD);
  let heading = random() * 2 * Math.PI;

  const move = (): void => {
    heading += step(random, 0.5);
    const speed = 1 + random();
    const north = Math.cos(heading) * speed * PERIOD;
    const east = Math.sin(heading) * speed * PERIOD;
    const latitude = Number(around.get([6, 0, 0]) ?? 0);
    const longitude = Number(around.get([6, 0, 1]) ?? 0);
    const altitude = Number(around.get([6, 0, 2]) ?? 0);
    const squeeze = Math.max(0.01, Math.cos((latitude * Math.PI) / 180));
    around.put([6, 0, 0], rounded(clamp(latitude + north / METRES_PER_DEGREE, -90, 90), 6));
    around.put([6, 0, 1], rounded(((longitude + east / METRES_PER_DEGREE / squeeze + 540) % 360) - 180, 6));
    around.put([6, 0, 2], rounded(clamp(altitude + step(random, 0.5), -100, 5000), 1));
    around.put([6, 0, 5], Math.floor(around.wall()));
    around.put([6, 0, 6], rounded(speed, 2));
  };

  return {
    id: 6,
    version: '1.0',
    instances: new Map([
      [
        0,
        new Map<number, ResourceValue>([
          [0, rounded(48.1 + step(random, 0.05), 6)],
          [1, rounded(11.5 + step(random, 0.05), 6)],
          [2, 520],
          [3, 5],
          [5, Math.floor(around.wall())],
          [6, 0],
        ]),
      ],
    ]),
    tick: (now) => {
      if (moveDue(now)) move();
    },
  };
}
