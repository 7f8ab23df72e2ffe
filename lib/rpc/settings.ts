import type { OperationOptions } from '../server/types';
import { lateOrigin } from './late';
import { timeoutOf, type ReadyOperation } from './operations';
import type { RunOptions } from './run';

/** How an operation is to be done: as its command says, else as the node does. */
export function settingsOf(ready: ReadyOperation, { timeout: given, origin, oneByOne = false, ...options }: RunOptions): OperationOptions {
  const timeout = ready.options.timeout ?? (given === undefined ? undefined : timeoutOf(given));
  return {
    ...ready.options,
    ...(oneByOne && { oneByOne }),
    ...(timeout !== undefined && { timeout }),
    ...(origin && { origin: lateOrigin(origin, ready, options) }),
  };
}
