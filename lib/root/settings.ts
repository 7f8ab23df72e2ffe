import { queueSettings, type QueueSettings } from '../server/presence';
import type { Lwm2mServerOptions } from './types';

export const DEFAULT_PORT = 5683;
const DEFAULT_TIMEOUT = 120_000;
const MAX_LOOP_DELAY = 1000;

export interface Settings {
  readonly timeout: number;
  readonly statsInterval: number;
  readonly queue: QueueSettings;
  readonly maxOperations?: number;
  readonly maxLoopDelay: number;
  readonly observeAgain: boolean;
  readonly transportLog: boolean;
}

/** What a running server takes over, besides what is about security. Throws RangeError on what makes no sense. */
export function settings(options: Lwm2mServerOptions): Settings {
  const { timeout = DEFAULT_TIMEOUT, statsInterval = 0, maxOperations } = options;
  const { maxLoopDelay = MAX_LOOP_DELAY, observeAgain = true, transportLog = true } = options;
  if (statsInterval !== 0 && !(statsInterval >= 1 && statsInterval < Infinity)) {
    throw new RangeError('statsInterval must be a number of seconds from 1 up, or 0');
  }
  return {
    timeout,
    statsInterval,
    queue: queueSettings(options.queue),
    maxLoopDelay,
    observeAgain,
    transportLog,
    ...(maxOperations !== undefined && { maxOperations }),
  };
}
