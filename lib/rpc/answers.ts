import type { Link } from '../lwm2m/link-format';
import type { Observation, Operation, OperationResult } from '../server/types';
import { parseLinks } from '../lwm2m/link-format';
import { formatPath } from '../lwm2m/path';
import { NOTIFICATION_ATTRIBUTES } from '../lwm2m/attributes';
import type { Target } from './targets';
import type { ShapeContext } from './values-out';
import { shape, shapeEach } from './values-out';

export type Answer = Extract<OperationResult, { kind: 'answer' }>;

/** A link as a flow gets it: numbers where the attribute is one, null where it has no value. */
export interface LinkValue {
  readonly url: string;
  readonly attributes: Readonly<Record<string, string | number | null>>;
}

/** The `value` of a command that was done, as the message contract has it; undefined where it has none. */
export function valueOf(operation: Operation, answer: Answer, targets: readonly Target[], context: ShapeContext): unknown {
  switch (operation.kind) {
    case 'Read':
    case 'Observe': {
      const value = shape(answer.nodes ?? [], operation.path.ids, context);
      const key = targets[0]?.key;
      return key === undefined ? value : Object.fromEntries([[key, value]]);
    }
    case 'ReadComposite':
    case 'ObserveComposite':
      return shapeEach(
        answer.nodes ?? [],
        targets.map(({ key, path }) => ({ name: key ?? formatPath(path.ids), ids: path.ids })),
        context,
      );
    case 'Discover':
    case 'DiscoverAll':
      return readLinks(answer).map(linkValue);
    case 'ObserveCancel':
    case 'ObserveCompositeCancel':
    case 'ObserveCancelAll':
      return answer.cancelled ?? 0;
    case 'ObserveReadAll':
      return (answer.observations ?? []).map(observedPaths);
    case 'Create':
      return answer.location === undefined ? undefined : formatPath(answer.location);
    case 'WriteReplace':
    case 'WriteUpdate':
    case 'WriteComposite':
    case 'WriteAttributes':
    case 'Execute':
    case 'Delete':
      return undefined;
    default:
      return unreachable(operation);
  }
}

/** The links of a Discover or DiscoverAll. Throws `LinkFormatError`. */
export function readLinks({ links = '' }: Answer): Link[] {
  return parseLinks(links);
}

/** Of one path its text, of a composite the list of its paths. */
function observedPaths({ path, paths }: Observation): string | string[] {
  return paths ? paths.map(({ ids }) => formatPath(ids)) : formatPath(path.ids);
}

const NUMBERS = new Set([...NOTIFICATION_ATTRIBUTES, 'dim', 'ssid']);

function linkValue({ target, attributes }: Link): LinkValue {
  const entries = attributes.map(([name, value]): [string, string | number | null] => {
    const number = value === null || value.trim() === '' || !NUMBERS.has(name) ? NaN : Number(value);
    return [name, Number.isFinite(number) ? number : value];
  });
  return { url: target, attributes: Object.fromEntries(entries) };
}

function unreachable(operation: never): never {
  throw new TypeError(`no such operation: ${String(operation)}`);
}
