import type { CommandOrigin, Operation } from '../server/types';
import { pathsOf } from '../server/operation-requests';
import type { ReadyOperation } from './operations';
import type { AnswerForm, InstanceKeys, RpcOptions } from './types';

/** How the giver of a command wanted its answer: kept with a command that waits, for it may end in another process. */
interface Late {
  readonly instanceKeys: InstanceKeys;
  readonly answers: AnswerForm;
  /** By target; null where it was named by its path. */
  readonly keys: readonly (string | null)[];
  readonly warnings: readonly string[];
  /** What the giver wants back, as it is. */
  readonly caller: unknown;
}

/** The origin as the server keeps it. */
export function lateOrigin({ nodeId, context }: CommandOrigin, { targets, warnings }: ReadyOperation, options: RpcOptions): CommandOrigin {
  const late: Late = {
    instanceKeys: options.instanceKeys ?? 'id',
    answers: options.answers ?? 'values',
    keys: targets.map(({ key }) => key ?? null),
    warnings,
    caller: context,
  };
  return { nodeId, context: late };
}

/** What was made of a command before the restart, and how its answer is wanted. Anything else in the store counts as the defaults. */
export function readLate(
  operation: Operation,
  origin: CommandOrigin | undefined,
): ReadyOperation & Required<Pick<Late, 'instanceKeys' | 'answers'>> {
  const { instanceKeys, answers, keys, warnings } = fields(origin);
  const names = Array.isArray(keys) ? (keys as readonly unknown[]) : [];
  const targets = pathsOf(operation).map((path, index) => {
    const key = names[index];
    return typeof key === 'string' ? { path, key } : { path };
  });
  return {
    operation,
    options: {},
    targets,
    warnings: Array.isArray(warnings) ? warnings.filter((text) => typeof text === 'string') : [],
    instanceKeys: instanceKeys === 'name' ? 'name' : 'id',
    answers: answers === 'iot-hub' ? 'iot-hub' : 'values',
  };
}

/** The `context` that the giver of a command handed to `runCommand`, of a `command` event. */
export function callerContext({ origin }: { readonly origin?: CommandOrigin }): unknown {
  return fields(origin).caller;
}

function fields(origin: CommandOrigin | undefined): Partial<Record<keyof Late, unknown>> {
  const context = origin?.context;
  return typeof context === 'object' && context !== null ? context : {};
}
