import { step } from '../random';
import type { ResourceValue } from '../types';
import { clamp, every, rounded, type SimulatedObject, type Surroundings } from './types';

const REBOOT = 4;
const FACTORY_RESET = 5;
const BATTERY = 9;
const ERROR_CODES = 11;
const RESET_ERRORS = 12;
const CURRENT_TIME = 13;
const UTC_OFFSET = 14;
const BATTERY_STATUS = 20;

const CHARGING = 1;
const NORMAL = 0;

/** Device (object 3): a battery that drains by 1 % every 10 to 20 s and recharges below 10 %, memory that comes and goes, a clock. */
export function deviceObject(around: Surroundings): SimulatedObject {
  const { random } = around;
  let charging = false;
  let clockOffset = 0;
  const batteryDue = every(() => (charging ? 1 : 10 + random() * 10));
  const memoryDue = every(() => 15);

  const put = (resource: number, value: ResourceValue): void => around.put([3, 0, resource], value);

  const tickBattery = (): void => {
    const level = around.get([3, 0, BATTERY]);
    if (typeof level !== 'number') return;
    if (level <= 10) charging = true;
    if (level >= 100) charging = false;
    const next = clamp(level + (charging ? 2 : -1), 0, 100);
    put(BATTERY, next);
    put(BATTERY_STATUS, charging ? CHARGING : NORMAL);
    put(7, new Map([[0, 3300 + next * 9], [1, charging ? 5000 : 0]])); // prettier-ignore
    put(8, new Map([[0, Math.round(120 + step(random, 15))], [1, charging ? 900 : 0]])); // prettier-ignore
  };

  return {
    id: 3,
    version: around.version === '1.0' ? '1.0' : '1.1',
    instances: new Map([
      [
        0,
        new Map<number, ResourceValue>([
          [0, 'Node-RED LwM2M'],
          [1, 'Simulated Device'],
          [2, `SIM-${around.seed.toString(16).padStart(8, '0')}`],
          [3, '1.0.0'],
          [REBOOT, null],
          [FACTORY_RESET, null],
          [6, new Map([[0, 1], [1, 5]])], // prettier-ignore
          [7, new Map([[0, 4200], [1, 0]])], // prettier-ignore
          [8, new Map([[0, 120], [1, 0]])], // prettier-ignore
          [BATTERY, 70 + Math.floor(random() * 31)],
          [10, 128 + Math.floor(random() * 64)],
          [ERROR_CODES, new Map([[0, 0]])],
          [RESET_ERRORS, null],
          [CURRENT_TIME, Math.floor(around.wall())],
          [UTC_OFFSET, '+00:00'],
          [15, 'Etc/UTC'],
          [16, around.version === '1.0' ? around.binding : 'U'],
          [17, 'simulator'],
          [18, '1.0'],
          [19, '1.0.0'],
          [BATTERY_STATUS, NORMAL],
          [21, 256],
        ]),
      ],
    ]),
    tick: (now) => {
      put(CURRENT_TIME, Math.floor(around.wall() + clockOffset));
      if (batteryDue(now)) tickBattery();
      if (memoryDue(now)) put(10, Math.round(clamp(Number(around.get([3, 0, 10]) ?? 128) + step(random, 8), 32, 240)));
    },
    execute: (resource) => {
      if (resource === REBOOT) around.ask('reboot');
      if (resource === FACTORY_RESET) around.ask('factory-reset');
      if (resource === RESET_ERRORS) put(ERROR_CODES, new Map([[0, 0]]));
      return true;
    },
    refuse: (resource, value) => {
      if (resource === UTC_OFFSET) return typeof value === 'string' && /^(?:Z|[+-]\d\d(?::?\d\d)?)$/.test(value) ? undefined : '4.00';
      return undefined;
    },
    written: (resource) => {
      const time = around.get([3, 0, CURRENT_TIME]);
      if (resource === CURRENT_TIME && typeof time === 'number') clockOffset = rounded(time - around.wall(), 0);
    },
  };
}
