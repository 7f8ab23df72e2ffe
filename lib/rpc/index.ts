/** Commands as flows write them, and messages as flows get them. */
export { COMMANDS, PLANNED_COMMANDS, findCommand } from './commands';
export type { CommandRow, ParamRow } from './commands';
export { CommandError } from './errors';
export { toMessage } from './messages';
export type { EventMessage, MessageOptions } from './messages';
export { FORMATS, toOperation } from './operations';
export type { ReadyOperation } from './operations';
export { MAX_COMMAND_TEXT, parseCommand } from './parse';
export { EVENTS, FAILURE_CODES, RESERVED_EVENTS, RESULTS } from './results';
export type { ResultName } from './results';
export { runCommand } from './run';
export type { RpcServer, RunOptions } from './run';
export type * from './types';
export { scalarIn } from './scalar-in';
export { valuesIn } from './values-in';
export type { ValuesIn, ValuesInContext } from './values-in';
export { latest, shape, valueOut } from './values-out';
export type { ShapeContext } from './values-out';
