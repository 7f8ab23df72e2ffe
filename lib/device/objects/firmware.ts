import type { ResourceValue } from '../types';
import type { SimulatedObject, Surroundings } from './types';

const PACKAGE = 0;
const PACKAGE_URI = 1;
const UPDATE = 2;
const STATE = 3;
const RESULT = 5;

/** Core TS 1.1.1 E.6: states of an update, and results. */
const IDLE = 0;
const DOWNLOADING = 1;
const DOWNLOADED = 2;
const UPDATING = 3;
const INITIAL = 0;
const SUCCESS = 1;
const INVALID_URI = 7;

const DOWNLOAD_SECONDS = 10;
const UPDATE_SECONDS = 5;

/**
 * Firmware Update (object 5). Any package is good: written it is downloaded at once, by its URI after 10 s (nothing is fetched).
 * Update takes 5 s, then the firmware version goes up and the device restarts. An empty package or URI goes back to idle.
 */
export function firmwareObject(around: Surroundings): SimulatedObject {
  let doneAt: number | undefined;
  let started = false;

  const state = (): ResourceValue | undefined => around.get([5, 0, STATE]);
  const move = (to: number, result: number): void => {
    around.put([5, 0, STATE], to);
    around.put([5, 0, RESULT], result);
    doneAt = undefined;
    started = to === DOWNLOADING || to === UPDATING;
  };

  const finish = (): void => {
    if (state() === DOWNLOADING) {
      move(DOWNLOADED, INITIAL);
      return;
    }
    move(IDLE, SUCCESS);
    around.put([5, 0, PACKAGE_URI], '');
    const version = around.get([3, 0, 3]);
    const next = typeof version === 'string' ? version.replace(/\d+$/, (last) => String(Number(last) + 1)) : '1.0.0';
    around.put([3, 0, 3], next);
    around.ask('reboot');
  };

  return {
    id: 5,
    version: '1.0',
    instances: new Map([
      [
        0,
        new Map<number, ResourceValue>([
          [PACKAGE, null],
          [PACKAGE_URI, ''],
          [UPDATE, null],
          [STATE, IDLE],
          [RESULT, INITIAL],
          [6, ''],
          [7, ''],
          [8, new Map([[0, 0], [1, 2]])], // prettier-ignore
          [9, 2],
        ]),
      ],
    ]),
    tick: (now) => {
      if (!started) return;
      doneAt ??= now + (state() === UPDATING ? UPDATE_SECONDS : DOWNLOAD_SECONDS);
      if (now >= doneAt) finish();
    },
    execute: (resource) => {
      if (resource !== UPDATE || state() !== DOWNLOADED) return false;
      move(UPDATING, INITIAL);
      return true;
    },
    refuse: (resource) => (state() === UPDATING && (resource === PACKAGE || resource === PACKAGE_URI) ? '4.05' : undefined),
    written: (resource) => {
      if (resource === PACKAGE) {
        const data = around.get([5, 0, PACKAGE]);
        const empty = !(data instanceof Uint8Array) || data.length === 0;
        // The bytes are of no use to a simulation, and a package may be large.
        around.put([5, 0, PACKAGE], null);
        move(empty ? IDLE : DOWNLOADED, INITIAL);
      }
      if (resource === PACKAGE_URI) {
        const uri = around.get([5, 0, PACKAGE_URI]);
        if (uri === '') move(IDLE, INITIAL);
        else if (typeof uri === 'string' && /^(?:coaps?|https?):\/\/[^\s/]/.test(uri)) move(DOWNLOADING, INITIAL);
        else move(IDLE, INVALID_URI);
      }
    },
  };
}
