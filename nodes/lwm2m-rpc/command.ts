import { parseCommand } from '../../lib/index';
import type { Command } from '../../lib/index';
import { textField } from '../shared/fields';
import type { RpcSettings } from './migrations';

type CommandSettings = Pick<RpcSettings, 'operation' | 'path' | 'args' | 'timeout'>;
type Params = Readonly<Record<string, unknown>>;

/** Whether the operation chosen in the dialog writes the value field. */
export function writesValue(operation: string): boolean {
  return operation === 'WriteReplace' || operation === 'WriteUpdate';
}

/**
 * The command a message asks for: a field of the dialog wins, a blank one comes from `msg.payload`. `value` is what the dialog's value
 * field holds, for the operations that write. Throws the errors of `parseCommand`.
 */
export function commandOf(settings: CommandSettings, payload: unknown, value?: unknown): Command {
  const operation = textField(settings.operation);
  const path = textField(settings.path);
  const command = operation === '' ? parseCommand(payload) : { method: operation, params: paramsOf(operation, path, payload) };
  const params: Record<string, unknown> = { ...command.params };
  if (path !== '') {
    // The path of the dialog replaces every way in which the message could name another one.
    for (const name of ['key', 'ids', 'keys']) Reflect.deleteProperty(params, name);
    params['id'] = path;
  }
  if (writesValue(operation) && !(path === '' && 'value' in params)) params['value'] = value;
  if (operation === 'Execute' && textField(settings.args) !== '') params['value'] = textField(settings.args);
  if (textField(settings.timeout) !== '') params['timeout'] = Number(settings.timeout);
  return parseCommand({ method: command.method, params });
}

/** What the payload adds to an operation chosen in the dialog: nothing when the path is there, too; else the path, or parameters. */
function paramsOf(operation: string, path: string, payload: unknown): Params {
  if (path !== '') return {};
  if (typeof payload === 'string') {
    return payload.trimStart().startsWith('{') ? parseCommand(`${operation} ${payload}`).params : { id: payload.trim() };
  }
  if (typeof payload !== 'object' || payload === null) return {};
  return parseCommand({ ...payload, method: operation }).params;
}
