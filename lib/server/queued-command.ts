import { parsePath, formatPath, MAX_ID } from '../lwm2m/path';
import type { Deadline } from '../transport/deadlines';
import { pathsOf } from './operation-requests';
import type { QueueableOperation } from './tasks';
import type { CommandOrigin, OperationOptions } from './types';

/** A command that waits for its device, or is on its way to it. Plain data but for its place in the heap of time. */
export interface QueuedItem {
  readonly id: string;
  /** Of two commands the one with the lower number was given first, across restarts. */
  readonly seq: number;
  readonly endpoint: string;
  readonly operation: QueueableOperation;
  readonly options: OperationOptions;
  readonly origin: CommandOrigin | undefined;
  /** The server wants it for itself: to observe again what was observed before a device registered anew. */
  readonly again: boolean;
  /** Epoch ms. */
  readonly queuedAt: number;
  readonly expiresAt: number;
  /** The place at which it began to wait, 1 = the next one; 0 while it never had to. */
  position: number;
  /** When its time is over, on the server's clock. */
  deadline: Deadline<QueuedItem> | undefined;
  /** The task that it is while it is on its way. */
  task: number;
  /** It was called back while it was on its way. */
  cancelled: boolean;
}

export type KeptCommand = Omit<QueuedItem, 'deadline' | 'task' | 'cancelled'>;

/** Plain data of a command, see `StateRecord`. */
export function writeCommand({ seq, endpoint, operation, options, origin, again, queuedAt, expiresAt, position }: QueuedItem): unknown {
  const { timeout, contentFormat, oneByOne } = options;
  return {
    seq,
    endpoint,
    operation: plain(operation),
    queuedAt,
    expiresAt,
    position,
    ...(again && { again }),
    ...(timeout !== undefined && { timeout }),
    ...(contentFormat !== undefined && { contentFormat }),
    ...(oneByOne === true && { oneByOne }),
    ...(origin !== undefined && { nodeId: origin.nodeId, context: origin.context }),
  };
}

/** Undefined when the record is none: a store may have been damaged, or written by somebody else. */
export function readCommand(id: string, record: unknown): KeptCommand | undefined {
  if (!isRecord(record) || id === '') return undefined;
  const { seq, endpoint, queuedAt, expiresAt, position, timeout, contentFormat, nodeId, context } = record;
  const operation = readOperation(record['operation']);
  if (!operation || typeof endpoint !== 'string' || endpoint === '') return undefined;
  if (!isCount(seq) || !isCount(queuedAt) || !isCount(expiresAt) || !isCount(position)) return undefined;
  if (![timeout, contentFormat].every((number) => number === undefined || isCount(number))) return undefined;
  if (nodeId !== undefined && typeof nodeId !== 'string') return undefined;
  return {
    id,
    seq,
    endpoint,
    operation,
    options: {
      ...(isCount(timeout) && { timeout }),
      ...(isCount(contentFormat) && { contentFormat }),
      ...(record['oneByOne'] === true && { oneByOne: true }),
    },
    origin: nodeId === undefined ? undefined : { nodeId, context },
    again: record['again'] === true,
    queuedAt,
    expiresAt,
    position,
  };
}

/** Paths as text: they are the better part of a record, and easily checked. */
function plain(operation: QueueableOperation): unknown {
  const paths = pathsOf(operation).map(({ ids, version }) => formatPath(ids, version));
  if ('paths' in operation) return { ...operation, paths };
  return 'path' in operation ? { ...operation, path: paths[0] } : operation;
}

function readOperation(record: unknown): QueueableOperation | undefined {
  if (!isRecord(record) || typeof record['kind'] !== 'string') return undefined;
  const { nodes, args, path, paths } = record;
  if (args !== undefined && typeof args !== 'string') return undefined;
  if (nodes !== undefined && !(Array.isArray(nodes) && nodes.every(isDataNode))) return undefined;
  try {
    // What it is to do is checked when it is done, as with any other operation.
    const targets =
      typeof path === 'string' ? { path: parsePath(path) } : isTexts(paths) && { paths: paths.map((text) => parsePath(text)) };
    // Only this one is about the whole device.
    if (!targets && record['kind'] !== 'ObserveCancelAll') return undefined;
    return { ...record, ...targets } as unknown as QueueableOperation;
  } catch {
    return undefined;
  }
}

function isDataNode(node: unknown): boolean {
  if (!isRecord(node)) return false;
  const { path, type } = node;
  return Array.isArray(path) && path.length <= 4 && path.every(isId) && typeof type === 'string';
}

const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every((text) => typeof text === 'string');
const isId = (id: unknown): boolean => Number.isInteger(id) && (id as number) >= 0 && (id as number) <= MAX_ID;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** Whether nothing of what `older` would write is left when `newer` has been written. */
export function overwrites(newer: QueueableOperation, older: QueueableOperation): boolean {
  if (newer.kind !== 'WriteReplace' && newer.kind !== 'WriteUpdate') return false;
  if (older.kind !== 'WriteReplace' && older.kind !== 'WriteUpdate') return false;
  if (formatPath(newer.path.ids) !== formatPath(older.path.ids)) return false;
  if (newer.kind === 'WriteReplace') return true;
  if (older.kind === 'WriteReplace') return false;
  const written = new Set(newer.nodes.map(({ path }) => path.join('/')));
  return older.nodes.every(({ path }) => written.has(path.join('/')));
}
