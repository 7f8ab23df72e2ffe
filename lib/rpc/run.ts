import type { Path } from '../lwm2m/types';
import type { Model } from '../model/types';
import type {
  CommandOrigin,
  FailureCode,
  Operation,
  OperationOptions,
  OperationResult,
  QueueFacts,
  Registration,
  ServerEvent,
} from '../server/types';
import type { Command, KeyTable, RpcOptions, RpcResult } from './types';
import { formatPath } from '../lwm2m/path';
import { omaModel } from '../model/oma';
import type { LastValue } from '../server/last-values';
import type { Part } from './describe';
import { valueOf, type Answer } from './answers';
import { describeNodes, describeObservation, describePaths, describeRegistration } from './describe';
import { CommandError, badRequest, show } from './errors';
import { iotHubResult, iotHubValue } from './iot-hub';
import { readLate } from './late';
import { isComposite } from '../server/one-by-one';
import type { ReadyOperation } from './operations';
import { toOperation } from './operations';
import { parseCommand } from './parse';
import { resultName } from './results';
import { scaledIn, scaledOut, type Scales } from './scaling';
import { settingsOf } from './settings';
import { updateAttributes } from './update-attributes';

/** What a command needs of a server. */
export interface RpcServer {
  registrations(): readonly Registration[];
  registration(endpoint: string): Registration | undefined;
  /** Its object definitions; default the OMA registry. */
  readonly model?: Model;
  /** Path by key, of what the device has of its profile; a key of the command's own table comes before it. Default none. */
  keysOf?(endpoint: string): KeyTable;
  /** How values under such keys are scaled. Default not at all. */
  scalesOf?(endpoint: string): Scales;
  /** By path text; needed by UpdateAttributes alone. */
  lastValues?(endpoint: string): ReadonlyMap<string, LastValue>;
  /** What the device is being asked, and will be asked when it wakes; for UpdateAttributes alone. Default nothing. */
  underway?(endpoint: string): readonly Operation[];
  /** Never rejects. */
  perform(endpoint: string, operation: Operation, options?: OperationOptions): Promise<OperationResult>;
}

export interface RunOptions extends RpcOptions {
  /** Default: that of the server. */
  readonly model?: Model;
  /** Epoch ms, for `meta.at`. Default `Date.now`. */
  readonly now?: () => number;
  /** What finds the way back with the result when the server is restarted while the command waits. */
  readonly origin?: CommandOrigin;
}

/** What is known of the command by the time it ends. */
interface Progress {
  command?: Pick<Command, 'method'>;
  queue?: QueueFacts;
  registration?: Registration;
  ready?: ReadyOperation;
}

const LISTED_ENDPOINTS = 5;

/**
 * Does one command, given as `parseCommand` takes it, on one device. Never rejects: a device's refusal is a result without `failure`,
 * what kept the command from being done has its code in `failure` and as `payload.result`.
 */
export async function runCommand(server: RpcServer, endpoint: string, command: unknown, options: RunOptions = {}): Promise<RpcResult> {
  const progress: Progress = {};
  const now = options.now ?? Date.now;
  const model = options.model ?? server.model ?? omaModel();
  try {
    const parsed = parseCommand(command);
    progress.command = parsed;
    progress.registration = findRegistration(server, endpoint);
    const known = { ...options, keys: { ...server.keysOf?.(endpoint), ...options.keys } };
    const scales = scalesFor(server, endpoint, options);
    if (parsed.method === 'UpdateAttributes')
      return await updateAttributes(server, progress.registration, parsed, model, known, scales, now);
    progress.ready = toOperation(scaledIn(parsed, scales), progress.registration, model, known);
    const result = await server.perform(endpoint, progress.ready.operation, settingsOf(progress.ready, options));
    if (result.kind === 'failed') {
      if (result.registration !== undefined) progress.registration = result.registration;
      if (result.queue !== undefined) progress.queue = result.queue;
      return failed(result.code, result.error, progress, model, now());
    }
    return answered(result, progress.ready, model, options, now(), scales);
  } catch (error) {
    if (error instanceof CommandError) return failed(error.code, error.message, progress, model, now());
    const code = progress.ready === undefined ? 'BAD_REQUEST' : 'BAD_RESPONSE';
    return failed(
      code,
      `The command failed inside the server: ${error instanceof Error ? error.message : show(error)}`,
      progress,
      model,
      now(),
    );
  }
}

/** The result of a command that a server before this one took, as its giver wanted it of `runCommand`. */
export function describeKept(
  event: Extract<ServerEvent, { kind: 'command' }>,
  { model = omaModel() }: Pick<RunOptions, 'model'> = {},
): RpcResult {
  const { operation, origin, result, at } = event;
  const ready = readLate(operation, origin);
  if (result.kind === 'answer') return answered(result, ready, model, ready, at);
  const { registration, queue } = result;
  const progress = { command: { method: operation.kind }, ready, ...(registration && { registration }), ...(queue && { queue }) };
  return failed(result.code, result.error, progress, model, at);
}

function findRegistration(server: RpcServer, endpoint: unknown): Registration {
  if (typeof endpoint !== 'string' || endpoint === '') {
    throw badRequest(`The command names no device: the endpoint must be its name as text, not ${show(endpoint)}.`);
  }
  const registration = server.registration(endpoint);
  if (registration !== undefined) return registration;
  const registered = server.registrations().map((entry) => entry.endpoint);
  const listed = registered.slice(0, LISTED_ENDPOINTS).map(show).join(', ');
  const more = registered.length > LISTED_ENDPOINTS ? ` and ${registered.length - LISTED_ENDPOINTS} more` : '';
  const others = registered.length === 0 ? 'No device is registered now.' : `Registered now: ${listed}${more}.`;
  throw new CommandError('UNKNOWN_ENDPOINT', `The device ${show(endpoint)} is not registered. ${others}`);
}

function answered(
  answer: Answer,
  ready: ReadyOperation,
  model: Model,
  options: Pick<RunOptions, 'instanceKeys' | 'answers'>,
  at: number,
  scales: Scales = {},
): RpcResult {
  const { operation, targets, warnings } = ready;
  const { registration } = answer;
  const context = { instanceKeys: options.instanceKeys ?? 'id', model, versions: registration.versions } as const;
  const composite = isComposite(operation);
  const meta: Part = {
    method: operation.kind,
    at,
    ...describePaths(pathsOf(ready), composite, model, registration.versions),
    ...describeNodes(answer.nodes ?? [], composite ? [] : (targets[0]?.path.ids ?? []), at),
    code: answer.code,
    rtt: answer.rtt,
    ...(answer.contentFormat === undefined ? {} : { contentFormat: answer.contentFormat }),
    ...(answer.observation === undefined ? {} : { observation: describeObservation(answer.observation) }),
    ...(answer.queue === undefined ? {} : { queue: { ...answer.queue } }),
    registration: describeRegistration(registration),
    warnings: [...warnings, ...(answer.warnings ?? [])],
  };
  const about = { ...pathOf(ready), meta, registration };
  const result = resultName(answer);
  if (!answer.ok) {
    const error =
      answer.error === undefined || answer.error === '' ? `The device answered ${answer.code} and gave no reason.` : answer.error;
    return { payload: { result, error }, ...about };
  }
  if (options.answers === 'iot-hub') {
    const value = iotHubValue(operation, answer, context);
    return { payload: { result: iotHubResult(result), ...(value !== undefined && { value }) }, ...about };
  }
  const value = scaledOut(valueOf(operation, answer, targets, context), targets, scales);
  return { payload: value === undefined ? { result } : { result, value }, ...about };
}

/** A key of the command's own table is not that of the profile. */
function scalesFor(server: RpcServer, endpoint: string, { keys = {} }: RpcOptions): Scales {
  const scales = Object.entries(server.scalesOf?.(endpoint) ?? {});
  return Object.fromEntries(scales.filter(([key]) => !Object.hasOwn(keys, key)));
}

function pathsOf({ targets }: ReadyOperation): Path[] {
  return targets.map(({ path }) => path);
}

/** The path of a command about one; of a composite there is none. */
function pathOf({ operation, targets }: ReadyOperation): { path?: string } {
  const [only] = targets;
  return only === undefined || isComposite(operation) ? {} : { path: formatPath(only.path.ids) };
}

function failed(code: FailureCode, error: string, progress: Progress, model: Model, at: number): RpcResult {
  const { command, registration, ready, queue } = progress;
  const versions: ReadonlyMap<number, string> = registration?.versions ?? new Map<number, string>();
  const about = ready === undefined ? {} : describePaths(pathsOf(ready), isComposite(ready.operation), model, versions);
  const meta: Part = {
    ...(command === undefined ? {} : { method: command.method }),
    at,
    ...about,
    failure: code,
    ...(queue === undefined ? {} : { queue: { ...queue } }),
    ...(registration === undefined ? {} : { registration: describeRegistration(registration) }),
    warnings: ready === undefined ? [] : [...ready.warnings],
  };
  return {
    payload: { result: code, error },
    failure: code,
    ...(ready === undefined ? {} : pathOf(ready)),
    meta,
    ...(registration === undefined ? {} : { registration }),
  };
}
