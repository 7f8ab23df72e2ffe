import { COMMANDS } from './commands';

/** What a command box answers to `help`: every command by an example. */
export function commandHelp(): string {
  return COMMANDS.map((row) => row.example).join('\n');
}
