import type { Step } from './one-by-one';
import type { Observation, OperationResult, Registration } from './types';

/** Cancels every observation of a device, each by a request of its own, and tells how many ended. Never rejects. */
export async function cancelAll(registration: Registration, observations: readonly Observation[], perform: Step): Promise<OperationResult> {
  const results = await Promise.all(
    observations.map(({ path, paths }) => perform(paths ? { kind: 'ObserveCompositeCancel', paths } : { kind: 'ObserveCancel', path })),
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
