import type { DataNode, Path } from '../lwm2m/types';
import type { Operation, OperationOptions, OperationResult, Registration } from '../server/types';
import { formatPath, isWithin } from '../lwm2m/path';

/** The composite operations. */
export type Composite = Extract<Operation, { kind: 'ReadComposite' | 'WriteComposite' | 'ObserveComposite' | 'ObserveCompositeCancel' }>;

type Perform = (operation: Operation, options: OperationOptions) => Promise<OperationResult>;

export function isComposite(operation: Operation): operation is Composite {
  const { kind } = operation;
  return kind === 'ReadComposite' || kind === 'WriteComposite' || kind === 'ObserveComposite' || kind === 'ObserveCompositeCancel';
}

/**
 * Does a composite path by path, in order, for devices without composite operations. What is not there (4.04) is left out of a reading,
 * as the composite leaves it out; anything else that goes wrong ends it, and the text says how far it came: it is not atomic.
 */
export async function performOneByOne(
  composite: Composite,
  registration: Registration,
  options: OperationOptions,
  perform: Perform,
): Promise<OperationResult> {
  const nodes: DataNode[] = [];
  const warnings: string[] = [];
  const done: string[] = [];
  let rtt = 0;
  let cancelled = 0;
  let contentFormat: number | undefined;
  for (const path of composite.paths) {
    const result = await perform(single(composite, path), options);
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

function single(composite: Composite, path: Path): Operation {
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
