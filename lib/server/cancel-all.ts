import type { Observation, Operation, OperationOptions, OperationResult, Registration } from './types';

type Perform = (operation: Operation, options: OperationOptions) => Promise<OperationResult>;

/** Cancels every observation of a device, each by a request of its own, and tells how many ended. Never rejects. */
export async function cancelAll(
  registration: Registration,
  observations: readonly Observation[],
  options: OperationOptions,
  perform: Perform,
): Promise<OperationResult> {
  const results = await Promise.all(
    observations.map(({ path, paths }) =>
      perform(paths ? { kind: 'ObserveCompositeCancel', paths } : { kind: 'ObserveCancel', path }, options),
    ),
  );
  let cancelled = 0;
  let rtt = 0;
  const warnings: string[] = [];
  for (const result of results) {
    if (result.kind === 'failed') {
      warnings.push(result.error);
      continue;
    }
    cancelled += result.cancelled ?? 0;
    rtt = Math.max(rtt, result.rtt);
    warnings.push(...(result.warnings ?? []));
  }
  const unique = [...new Set(warnings)];
  return {
    kind: 'answer',
    code: '2.05',
    result: 'CONTENT',
    ok: true,
    cancelled,
    rtt,
    registration,
    ...(unique.length > 0 && { warnings: unique }),
  };
}
