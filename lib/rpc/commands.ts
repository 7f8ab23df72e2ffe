import type { Operation } from '../server/types';
import { CommandError, show } from './errors';

/** One parameter of a command. */
export interface ParamRow {
  readonly name: string;
  readonly required: boolean;
}

/** A command this version does. */
export interface CommandRow {
  readonly method: Operation['kind'];
  readonly params: readonly ParamRow[];
  /** How many ids its path may have: 1 object, 2 object instance, 3 resource, 4 resource instance. */
  readonly levels: readonly number[];
  /** As a user types it. */
  readonly example: string;
  /** Key of its description in a locale catalogue. */
  readonly description: string;
}

const ID: ParamRow = { name: 'id', required: true };
const VALUE: ParamRow = { name: 'value', required: true };
const ARGUMENTS: ParamRow = { name: 'value', required: false };
const TIMEOUT: ParamRow = { name: 'timeout', required: false };
const FORMAT: ParamRow = { name: 'format', required: false };
const STRICT: ParamRow = { name: 'strict', required: false };

/** The commands of this version; one row each. */
export const COMMANDS: readonly CommandRow[] = [
  {
    method: 'Read',
    params: [ID, TIMEOUT, FORMAT],
    levels: [1, 2, 3, 4],
    example: 'Read {"id":"/3/0/9"}',
    description: 'command.Read',
  },
  {
    method: 'Discover',
    params: [ID, TIMEOUT],
    levels: [1, 2, 3],
    example: 'Discover {"id":"/3/0"}',
    description: 'command.Discover',
  },
  {
    method: 'WriteReplace',
    params: [ID, VALUE, TIMEOUT, FORMAT, STRICT],
    levels: [2, 3, 4],
    example: 'WriteReplace {"id":"/3/0/15","value":"Europe/Vienna"}',
    description: 'command.WriteReplace',
  },
  {
    method: 'WriteUpdate',
    params: [ID, VALUE, TIMEOUT, FORMAT, STRICT],
    levels: [2, 3],
    example: 'WriteUpdate {"id":"/3/0","value":{"14":"+02","15":"Europe/Vienna"}}',
    description: 'command.WriteUpdate',
  },
  {
    method: 'Execute',
    params: [ID, ARGUMENTS, TIMEOUT],
    levels: [3],
    example: 'Execute {"id":"/3/0/4"}',
    description: 'command.Execute',
  },
  {
    method: 'Observe',
    params: [ID, TIMEOUT, FORMAT],
    levels: [1, 2, 3, 4],
    example: 'Observe {"id":"/3/0/9"}',
    description: 'command.Observe',
  },
  {
    method: 'ObserveCancel',
    params: [ID, TIMEOUT],
    levels: [1, 2, 3, 4],
    example: 'ObserveCancel {"id":"/3/0/9"}',
    description: 'command.ObserveCancel',
  },
];

/** Names that are known and not there yet; a row moves up when its command is built. */
export const PLANNED_COMMANDS: readonly string[] = [
  'ReadComposite',
  'DiscoverAll',
  'WriteComposite',
  'WriteAttributes',
  'Create',
  'Delete',
  'ObserveComposite',
  'ObserveCompositeCancel',
  'ObserveCancelAll',
  'ObserveReadAll',
];

const ROWS: ReadonlyMap<string, CommandRow> = new Map(COMMANDS.map((row) => [row.method.toLowerCase(), row]));
const PLANNED: ReadonlyMap<string, string> = new Map(PLANNED_COMMANDS.map((name) => [name.toLowerCase(), name]));
const MAX_NAME = 64;

/** Finds a command by its name in any letter case. Throws `CommandError` METHOD_NOT_ALLOWED. */
export function findCommand(name: string): CommandRow {
  const folded = name.length > MAX_NAME ? '' : name.toLowerCase();
  const row = ROWS.get(folded);
  if (row !== undefined) return row;
  const commands = `The commands are ${COMMANDS.map((command) => command.method).join(', ')}.`;
  const planned = PLANNED.get(folded);
  if (planned !== undefined) throw new CommandError('METHOD_NOT_ALLOWED', `This version does not have ${planned} yet. ${commands}`);
  throw new CommandError('METHOD_NOT_ALLOWED', `There is no command ${show(name)}. ${commands}`);
}
