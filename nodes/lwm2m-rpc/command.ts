import { COMMANDS, parseCommand } from '../../lib/index';
import type { Command, CommandRow } from '../../lib/index';
import { textField } from '../shared/fields';
import type { RpcSettings } from './migrations';

type CommandSettings = Pick<RpcSettings, 'operation' | 'path' | 'args' | 'timeout'>;
type Params = Readonly<Record<string, unknown>>;

/** The parameter that the value field of the dialog fills. */
const VALUES: Readonly<Record<string, 'value' | 'nodes' | 'attributes'>> = {
  WriteReplace: 'value',
  WriteUpdate: 'value',
  WriteComposite: 'nodes',
  WriteAttributes: 'attributes',
  Create: 'value',
};
/** Its value field holds the parameters themselves. */
const KEYED = 'UpdateAttributes';

/** Whether the operation chosen in the dialog writes the value field. */
export function writesValue(operation: string): boolean {
  return operation in VALUES || operation === KEYED;
}

/**
 * The command a message asks for: a field of the dialog wins, a blank one comes from `msg.payload`. `value` is what the dialog's value
 * field holds, for the operations that write. Throws the errors of `parseCommand`.
 */
export function commandOf(settings: CommandSettings, payload: unknown, value?: unknown): Command {
  const operation = textField(settings.operation);
  const target = targetOf(operation);
  if (operation === KEYED) return parseCommand({ method: KEYED, params: value });
  // What is about the whole device, or names its paths with their values, has no field for a path.
  const path = target === 'nodes' || target === 'device' ? '' : textField(settings.path);
  const command = operation === '' ? parseCommand(payload) : { method: operation, params: paramsOf(operation, path, payload) };
  const params: Record<string, unknown> = { ...command.params };
  if (path !== '') {
    // The path of the dialog replaces every way in which the message could name another one.
    for (const name of ['id', 'key', 'ids', 'keys']) Reflect.deleteProperty(params, name);
    Object.assign(params, named(path, targetOf(command.method) === 'paths'));
  }
  const written = VALUES[operation];
  if (written !== undefined && !(path === '' && written in params)) params[written] = value;
  if (operation === 'Execute' && textField(settings.args) !== '') params['value'] = textField(settings.args);
  if (textField(settings.timeout) !== '') params['timeout'] = Number(settings.timeout);
  return parseCommand({ method: command.method, params });
}

function targetOf(operation: string): CommandRow['target'] | undefined {
  return COMMANDS.find(({ method }) => method === operation)?.target;
}

/** What stands in the path field: a path or a key; of a composite several, which commas separate. */
function named(text: string, several: boolean): Params {
  if (!several) return isPath(text) ? { id: text } : { key: text };
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  return parts.every(isPath) ? { ids: parts } : { keys: parts };
}

const isPath = (text: string): boolean => /^[/\d]/.test(text);

/** What the payload adds to an operation chosen in the dialog: nothing when the path is there, too; else the path, or parameters. */
function paramsOf(operation: string, path: string, payload: unknown): Params {
  const target = targetOf(operation);
  if (path !== '' || target === 'device') return {};
  const own =
    typeof payload === 'string' && payload.trimStart().startsWith('{') ? parseCommand(`${operation} ${payload}`).params : undefined;
  if (target === 'nodes') {
    const given: unknown = own ?? payload;
    return typeof given === 'object' && given !== null && 'nodes' in given ? parseCommand({ ...given, method: operation }).params : {};
  }
  if (own) return own;
  if (typeof payload === 'string') return named(payload.trim(), target === 'paths');
  if (Array.isArray(payload) && target === 'paths') return { ids: payload };
  if (typeof payload !== 'object' || payload === null) return {};
  return parseCommand({ ...payload, method: operation }).params;
}
