import type { DataNode, Path } from '../lwm2m/types';
import { formatPath, isWithin } from '../lwm2m/path';
import type { Cancellation, FreshOperation } from './operation-requests';
import type { StartedOperation } from './operation-service';
import type { Operation, OperationResult, Registration } from './types';

/** The composite operations. */
export type Composite = Extract<Operation, { kind: 'ReadComposite' | 'WriteComposite' | 'ObserveComposite' | 'ObserveCompositeCancel' }>;

/** Does one step of an operation. */
export type Step = (operation: StartedOperation) => Promise<OperationResult>;

export function isComposite(operation: Operation): operation is Composite {
  const { kind } = operation;
  return kind === 'ReadComposite' || kind === 'WriteComposite' || kind === 'ObserveComposite' || kind === 'ObserveCompositeCancel';
}

/**
 * Does a composite path by path, in order, for devices without composite operations. What is not there (4.04) is left out of a reading,
 * as the composite leaves it out; anything else that goes wrong ends it, and the text says how far it came: it is not atomic.
 */
export async function performOneByOne(composite: Composite, registration: Registration, perform: Step): Promise<OperationResult> {
  const nodes: DataNode[] = [];
  const warnings: string[] = [];
  const done: string[] = [];
  let rtt = 0;
  let cancelled = 0;
  let contentFormat: number | undefined;
  for (const path of composite.paths) {
    const result = await perform(singleOf(composite, path));
    if (result.kind === 'failed') return { ...result, error: `${result.error} ${soFar(done)}` };
    warnings.push(...(result.warnings ?? []));
    rtt += result.rtt;
    if (!result.ok) {
      if (result.code === '4.04' && composite.kind !== 'WriteComposite') continue;
      return { ...result, error: `${formatPath(path.ids)}: ${result.error ?? result.code}. ${soFar(done)}` };
    }
    nodes.push(...(result.nodes ?? []));
    cancelled += result.cancelled ?? 0;
    contentFormat ??= result.contentFormat;
    done.push(formatPath(path.ids));
  }
  return {
    kind: 'answer',
    code: composite.kind === 'WriteComposite' ? '2.04' : '2.05',
    result: composite.kind === 'WriteComposite' ? 'CHANGED' : 'CONTENT',
    ok: true,
    nodes,
    ...(composite.kind === 'ObserveCompositeCancel' && { cancelled }),
    ...(contentFormat !== undefined && { contentFormat }),
    rtt,
    registration,
    ...(warnings.length > 0 && { warnings: [...new Set(warnings)] }),
  };
}

function soFar(done: readonly string[]): string {
  return done.length === 0 ? 'It was the first of the paths, which go one by one.' : `Done before, one by one: ${done.join(', ')}.`;
}

/** The step for one path of a composite. */
export function singleOf(composite: Composite, path: Path): FreshOperation | Cancellation {
  switch (composite.kind) {
    case 'ReadComposite':
      return { kind: 'Read', path };
    case 'ObserveComposite':
      return composite.attributes ? { kind: 'Observe', path, attributes: composite.attributes } : { kind: 'Observe', path };
    case 'ObserveCompositeCancel':
      return { kind: 'ObserveCancel', path };
    case 'WriteComposite': {
      const nodes = composite.nodes.filter((node) => isWithin(node.path, path.ids));
      // What a composite does not name stays: of an instance, or of a multiple resource, a part is written.
      const part = nodes.some((node) => node.path.length > path.ids.length);
      return { kind: part ? 'WriteUpdate' : 'WriteReplace', path, nodes };
    }
    default:
      return composite satisfies never;
  }
}
