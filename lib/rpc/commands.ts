import type { Operation } from '../server/types';
import { CommandError, show } from './errors';

/** Most commands are one operation; UpdateAttributes is a write for each key whose value differs. */
export type CommandMethod = Operation['kind'] | 'UpdateAttributes';

/** One parameter of a command. */
export interface ParamRow {
  readonly name: string;
  /** Of several that name the target (`id` and `key`, `ids` and `keys`) one is needed. */
  readonly required: boolean;
}

/** A command this version does. */
export interface CommandRow {
  readonly method: CommandMethod;
  /** What it is about: one path, several, several with their values, the whole device, or what the parameters themselves name by key. */
  readonly target: 'path' | 'paths' | 'nodes' | 'device' | 'keys';
  readonly params: readonly ParamRow[];
  /** How many ids a path may have: 1 object, 2 object instance, 3 resource, 4 resource instance. */
  readonly levels: readonly number[];
  /** As a user types it. */
  readonly example: string;
  /** Key of its description in a locale catalogue. */
  readonly description: string;
}

const needed = (name: string): ParamRow => ({ name, required: true });
const optional = (name: string): ParamRow => ({ name, required: false });

const PATH = [needed('id'), needed('key')];
const PATHS = [needed('ids'), needed('keys')];
const VALUE = needed('value');
const TIMEOUT = optional('timeout');
const FORMAT = optional('format');
const ATTRIBUTES = optional('attributes');
const STRICT = optional('strict');

function row(
  method: CommandMethod,
  target: CommandRow['target'],
  levels: readonly number[],
  params: readonly ParamRow[],
  example: string,
): CommandRow {
  return { method, target, params, levels, example, description: `command.${method}` };
}

const ANY = [1, 2, 3, 4];

/** Parameters that every command has besides. */
export const COMMON_PARAMS: readonly string[] = ['ttl'];

/** The commands of this version; one row each. */
export const COMMANDS: readonly CommandRow[] = [
  row('Read', 'path', ANY, [...PATH, TIMEOUT, FORMAT], 'Read {"id":"/3/0/9"}'),
  row('ReadComposite', 'paths', ANY, [...PATHS, TIMEOUT, FORMAT], 'ReadComposite {"ids":["/3/0/9","/1"]}'),
  row('Discover', 'path', [1, 2, 3], [...PATH, optional('depth'), TIMEOUT], 'Discover {"id":"/3/0"}'),
  row('DiscoverAll', 'device', [], [TIMEOUT], 'DiscoverAll'),
  row(
    'WriteReplace',
    'path',
    [2, 3, 4],
    [...PATH, VALUE, TIMEOUT, FORMAT, STRICT],
    'WriteReplace {"id":"/3/0/15","value":"Europe/Vienna"}',
  ),
  row(
    'WriteUpdate',
    'path',
    [2, 3],
    [...PATH, VALUE, TIMEOUT, FORMAT, STRICT],
    'WriteUpdate {"id":"/3/0","value":{"14":"+02","15":"Europe/Vienna"}}',
  ),
  row(
    'WriteComposite',
    'nodes',
    [2, 3, 4],
    [needed('nodes'), TIMEOUT, FORMAT, STRICT],
    'WriteComposite {"nodes":{"/3/0/14":"+02","/1/0/2":10}}',
  ),
  row(
    'WriteAttributes',
    'path',
    ANY,
    [...PATH, needed('attributes'), TIMEOUT],
    'WriteAttributes {"id":"/3/0/9","attributes":{"pmin":10,"pmax":60}}',
  ),
  row('UpdateAttributes', 'keys', [3, 4], [], 'UpdateAttributes {"timezone":"Europe/Vienna"}'),
  row('Execute', 'path', [3], [...PATH, optional('value'), TIMEOUT], 'Execute {"id":"/3/0/4"}'),
  row(
    'Create',
    'path',
    [1, 2],
    [...PATH, optional('value'), optional('nodes'), TIMEOUT, FORMAT, STRICT],
    'Create {"id":"/19","value":{"0":{"0":"00ad"}}}',
  ),
  row('Delete', 'path', [2, 4], [...PATH, TIMEOUT], 'Delete {"id":"/19/1"}'),
  row('Observe', 'path', ANY, [...PATH, ATTRIBUTES, TIMEOUT, FORMAT], 'Observe {"id":"/3/0/9"}'),
  row('ObserveComposite', 'paths', ANY, [...PATHS, ATTRIBUTES, TIMEOUT, FORMAT], 'ObserveComposite {"ids":["/3/0/9","/1"]}'),
  row('ObserveCancel', 'path', ANY, [...PATH, TIMEOUT], 'ObserveCancel {"id":"/3/0/9"}'),
  row('ObserveCompositeCancel', 'paths', ANY, [...PATHS, TIMEOUT], 'ObserveCompositeCancel {"ids":["/3/0/9","/1"]}'),
  row('ObserveCancelAll', 'device', [], [TIMEOUT], 'ObserveCancelAll'),
  row('ObserveReadAll', 'device', [], [TIMEOUT], 'ObserveReadAll'),
];

const ROWS: ReadonlyMap<string, CommandRow> = new Map(COMMANDS.map((command) => [command.method.toLowerCase(), command]));
const MAX_NAME = 64;

/** Finds a command by its name in any letter case. Throws `CommandError` METHOD_NOT_ALLOWED. */
export function findCommand(name: string): CommandRow {
  const found = ROWS.get(name.length > MAX_NAME ? '' : name.toLowerCase());
  if (found !== undefined) return found;
  const commands = `The commands are ${COMMANDS.map((command) => command.method).join(', ')}.`;
  throw new CommandError('METHOD_NOT_ALLOWED', `There is no command ${show(name)}. ${commands}`);
}
