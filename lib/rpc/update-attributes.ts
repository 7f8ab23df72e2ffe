import { formatPath, isWithin } from '../lwm2m/path';
import type { DataNode, Value } from '../lwm2m/types';
import type { Model } from '../model/types';
import type { LastValue } from '../server/last-values';
import type { FailureCode, Operation, OperationResult, Registration } from '../server/types';
import { describeRegistration } from './describe';
import { badRequest, CommandError } from './errors';
import { toOperation, type ReadyOperation } from './operations';
import { resultName } from './results';
import type { RpcServer, RunOptions } from './run';
import { scaledIn, type Scales } from './scaling';
import { settingsOf } from './settings';
import type { Command, RpcResult } from './types';

/** How the write of one key ended. */
interface Ended {
  readonly key: string;
  readonly result: string;
  readonly error?: string;
  readonly failure?: FailureCode;
  readonly path?: string;
  readonly warnings: readonly string[];
}

const MAX_KEYS = 100;
/** The device has the value already, as far as the server knows. */
const UNCHANGED = 'UNCHANGED';

/**
 * Writes the values under keys that differ from those the device gave or took last, each by itself and in their order; the result names
 * that of each key. What the flow calls shared attributes. Never rejects but for what `runCommand` makes a failure.
 */
export async function updateAttributes(
  server: RpcServer,
  registration: Registration,
  command: Command,
  model: Model,
  options: RunOptions,
  scales: Scales,
  now: () => number,
): Promise<RpcResult> {
  const entries = Object.entries(command.params);
  if (entries.length === 0)
    throw badRequest('UpdateAttributes needs keys and values. Right is: UpdateAttributes {"timezone":"Europe/Vienna"}');
  if (entries.length > MAX_KEYS) throw badRequest(`UpdateAttributes has ${entries.length} keys, ${MAX_KEYS} are the most.`);
  const { endpoint } = registration;
  const last = server.lastValues?.(endpoint) ?? new Map<string, LastValue>();
  const underway = server.underway?.(endpoint) ?? [];
  // All at once: a device that sleeps is sent them one after the other when it wakes, and they are kept until then.
  const ended = await Promise.all(
    entries.map(async ([key, value]): Promise<Ended> => {
      try {
        const write = { method: 'WriteReplace', params: { ...command.beside, key, value } };
        const ready = toOperation(scaledIn(write, scales), registration, model, options);
        const different = differing(ready, last, underway);
        const path = formatPath(ready.targets[0]?.path.ids ?? []);
        if (!different) return { key, result: UNCHANGED, path, warnings: [] };
        const result = await server.perform(endpoint, different.operation, { ...settingsOf(different, options), learn: true });
        return { key, path, ...outcome(result), warnings: ready.warnings };
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        return { key, result: error.code, error: error.message, failure: error.code, warnings: [] };
      }
    }),
  );
  return summary(ended, registration, now());
}

/** Of a resource with several instances those that differ, and the others stay; undefined when nothing does. */
function differing(
  ready: ReadyOperation,
  last: ReadonlyMap<string, LastValue>,
  underway: readonly Operation[],
): ReadyOperation | undefined {
  const { operation } = ready;
  if (operation.kind !== 'WriteReplace') return ready;
  // What is yet to be written is what the device has when its turn comes.
  const open = underway.some((other) => changes(other, operation.path.ids));
  const nodes = operation.nodes.filter((node) => open || !isSame(node, last.get(formatPath(node.path))));
  if (nodes.length === 0 && operation.nodes.length > 0) return undefined;
  if (nodes.length === operation.nodes.length && !hasOthers(ready, last)) return ready;
  return { ...ready, operation: { kind: 'WriteUpdate', path: operation.path, nodes } };
}

/** Whether the device has instances of the resource that the value does not name. */
function hasOthers({ operation }: ReadyOperation, last: ReadonlyMap<string, LastValue>): boolean {
  if (operation.kind !== 'WriteReplace' || operation.nodes.length === 0 || operation.nodes.some(({ path }) => path.length < 4))
    return false;
  const named = new Set(operation.nodes.map(({ path }) => formatPath(path)));
  const below = `${formatPath(operation.path.ids)}/`;
  return [...last.keys()].some((path) => path.startsWith(below) && !named.has(path));
}

function changes(operation: Operation, ids: readonly number[]): boolean {
  switch (operation.kind) {
    case 'WriteReplace':
    case 'WriteUpdate':
    case 'WriteComposite':
      return operation.nodes.some(({ path }) => isWithin(path, ids) || isWithin(ids, path));
    case 'Delete':
      return isWithin(ids, operation.path.ids);
    default:
      return false;
  }
}

function isSame({ value, time }: DataNode, known: LastValue | undefined): boolean {
  return known !== undefined && known.unsure !== true && time === undefined && value !== null && sameValue(value, known.value);
}

function sameValue(a: Value, b: Value): boolean {
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  }
  // A number and a bigint may be the same integer.
  return typeof a === 'bigint' || typeof b === 'bigint' ? String(a) === String(b) : a === b;
}

function outcome(result: OperationResult): Pick<Ended, 'result' | 'error' | 'failure'> {
  if (result.kind === 'failed') return { result: result.code, error: result.error, failure: result.code };
  if (result.ok) return { result: resultName(result) };
  return { result: resultName(result), error: result.error ?? `The device answered ${result.code}.` };
}

/** The result of the first key that was not written, or CHANGED; of each key its own. */
function summary(ended: readonly Ended[], registration: Registration, at: number): RpcResult {
  const wrong = ended.filter(({ error }) => error !== undefined);
  const [first] = wrong;
  const error = wrong.map((each) => `${each.key}: ${each.error ?? ''}`).join(' ');
  const value = Object.fromEntries(ended.map(({ key, result }) => [key, result]));
  return {
    payload: first ? { result: first.result, value, error } : { result: 'CHANGED', value },
    ...(first?.failure && { failure: first.failure }),
    meta: {
      method: 'UpdateAttributes',
      at,
      paths: ended.flatMap(({ path }) => (path === undefined ? [] : [path])),
      ...(first?.failure && { failure: first.failure }),
      registration: describeRegistration(registration),
      warnings: [...new Set(ended.flatMap(({ warnings }) => warnings))],
    },
    registration,
  };
}
