import { pathsOf } from './operation-requests';
import { pathsText } from './pending';
import type { Observing } from './operation-requests';
import type { OperationOptions, OperationResult, Observation, Registration } from './types';

/** An observation as it is asked for once more. */
export interface Again {
  readonly operation: Observing;
  readonly options: OperationOptions;
}

/** Starts an operation the server wants for itself. */
export type Start = (again: Again, done: (result: OperationResult) => void) => void;

/** What asks for each observation again, in the order they began. */
export function againOperations(observations: readonly Observation[]): Again[] {
  const sorted = [...observations].sort((a, b) => a.startedAt - b.startedAt);
  return sorted.map(({ path, paths, attributes, accept }) => {
    const asked = attributes === undefined ? {} : { attributes };
    return {
      operation: paths ? { kind: 'ObserveComposite', paths, ...asked } : { kind: 'Observe', path, ...asked },
      options: accept === undefined ? {} : { contentFormat: accept },
    };
  });
}

/** Why it is of no use to ask: the device registered the object no more. */
export function notThere(operation: Observing, { objects }: Registration): string | undefined {
  const gone = pathsOf(operation).find(({ ids }) => !objects.some(({ objectId }) => objectId === ids[0]));
  return gone && `the device did not register object ${gone.ids[0]} again`;
}

/** Why an observation does not run again; undefined when it does, or when those who stopped it know. */
export function whyNot(result: OperationResult): string | undefined {
  // Overtaken by an Observe of a flow, or ended with the registration.
  if (result.kind === 'failed') return result.code === 'CANCELLED' ? undefined : result.error;
  if (!result.ok) return `the device answered ${result.result}`;
  return result.observation ? undefined : 'the device does not observe it any more';
}

/** What is told of an observation that does not run again. */
export function lostText(operation: Observing, reason: string): string {
  return `${pathsText(operation)} is not observed any more: ${reason}`;
}

/**
 * A device that registers anew has forgotten what it observed (Core TS 6.4.1): asks for it again, one after the other. `failed` hears
 * of each that could not be had; what the device registered no more is among them. Ends with the registration.
 */
export function observeAgain(
  registration: Registration,
  observations: readonly Observation[],
  start: Start,
  failed: (operation: Observing, reason: string) => void,
): void {
  const waiting = againOperations(observations);
  const next = (): void => {
    const again = waiting.shift();
    if (!again) return;
    const gone = notThere(again.operation, registration);
    if (gone !== undefined) {
      failed(again.operation, gone);
      next();
      return;
    }
    start(again, (result) => {
      const reason = whyNot(result);
      if (reason !== undefined) failed(again.operation, reason);
      if (result.kind !== 'failed' || result.code !== 'CANCELLED' || result.registration === registration) next();
    });
  };
  next();
}
