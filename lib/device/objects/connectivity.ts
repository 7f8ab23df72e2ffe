import { step } from '../random';
import type { ResourceValue } from '../types';
import { clamp, every, type SimulatedObject, type Surroundings } from './types';

/** Connectivity Monitoring (object 4): a cellular modem whose signal (dBm) and link quality (%) wander. */
export function connectivityObject(around: Surroundings): SimulatedObject {
  const { random } = around;
  const signalDue = every(() => 10);
  return {
    id: 4,
    version: around.version === '1.0' ? '1.0' : '1.2',
    instances: new Map([
      [
        0,
        new Map<number, ResourceValue>([
          [0, 6],
          [1, new Map([[0, 6], [1, 7]])], // prettier-ignore
          [2, -82],
          [3, 70],
          [4, new Map([[0, '192.0.2.17']])],
          [5, new Map([[0, '192.0.2.1']])],
          [7, new Map([[0, 'iot.example']])],
          [8, 1_034_001],
          [9, 1],
          [10, 1],
        ]),
      ],
    ]),
    tick: (now) => {
      if (!signalDue(now)) return;
      const signal = Math.round(clamp(Number(around.get([4, 0, 2]) ?? -82) + step(random, 4), -110, -60));
      around.put([4, 0, 2], signal);
      around.put([4, 0, 3], Math.round(clamp((signal + 120) * 1.8, 0, 100)));
    },
  };
}
