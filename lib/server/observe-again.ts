import type { Operation, OperationOptions, OperationResult, Observation, Registration } from './types';

/** Starts an operation the server wants for itself. */
export type Start = (endpoint: string, operation: Operation, options: OperationOptions, done: (result: OperationResult) => void) => void;

/**
 * A device that registers anew has forgotten what it observed (Core TS 6.4.1): asks for it again, in the order it began, one after the
 * other. `failed` hears of each that could not be had; what the device registered no more is among them. Ends with the registration.
 */
export function observeAgain(
  registration: Registration,
  observations: readonly Observation[],
  start: Start,
  failed: (observation: Observation, reason: string) => void,
): void {
  const registered = new Set(registration.objects.map(({ objectId }) => objectId));
  const waiting = [...observations].sort((a, b) => a.startedAt - b.startedAt);
  const next = (): void => {
    const observation = waiting.shift();
    if (!observation) return;
    const { path, paths, attributes, accept } = observation;
    const gone = (paths ?? [path]).find(({ ids }) => !registered.has(ids[0] ?? -1));
    if (gone) {
      failed(observation, `the device did not register object ${gone.ids[0]} again`);
      next();
      return;
    }
    const asked = attributes === undefined ? {} : { attributes };
    const operation: Operation = paths ? { kind: 'ObserveComposite', paths, ...asked } : { kind: 'Observe', path, ...asked };
    start(registration.endpoint, operation, accept === undefined ? {} : { contentFormat: accept }, (result) => {
      // Overtaken by an Observe of a flow, or ended with the registration: no word, those who did it know.
      if (result.kind === 'failed' && result.code === 'CANCELLED') {
        if (result.registration === registration) next();
        return;
      }
      if (result.kind === 'failed') failed(observation, result.error);
      else if (!result.ok) failed(observation, `the device answered ${result.result}`);
      else if (!result.observation) failed(observation, 'the device does not observe it any more');
      next();
    });
  };
  next();
}
