import type { Command } from './types';
import { findCommand } from './commands';
import { CommandError, badRequest, isRecord, show } from './errors';

/** Longest command text, in characters; larger values go in as a Buffer in `{ method, params }`. */
export const MAX_COMMAND_TEXT = 1_048_576;
/** Most parameters of one command. */
const MAX_PARAMS = 64;
/** Its parameters are keys. */
const KEYED = 'UpdateAttributes';
const EXAMPLE = 'Read {"id":"/3/0/9"}';
const RIGHT = `A command looks like ${EXAMPLE}, or { method: "Read", params: { id: "/3/0/9" } }.`;

/**
 * Reads a command: text (the method up to the first white space, then a JSON object), or `{ method, params }`, where `params` may be
 * JSON text and any other property counts as a parameter. The method comes back in the spelling of the table, the params as an
 * object of its own. Throws `CommandError` (BAD_REQUEST, METHOD_NOT_ALLOWED) and nothing else.
 */
export function parseCommand(input: unknown): Command {
  try {
    if (typeof input === 'string') return parseText(input);
    if (!isRecord(input)) throw badRequest(`A command must be text or an object, not ${show(input)}. ${RIGHT}`);
    return parseObject(input);
  } catch (error) {
    // A getter or a proxy in a flow's object may throw anything.
    throw error instanceof CommandError ? error : badRequest(`The command cannot be read. ${RIGHT}`);
  }
}

function parseText(input: string): Command {
  if (input.length > MAX_COMMAND_TEXT) {
    throw badRequest(`The command is too long: ${input.length} characters, ${MAX_COMMAND_TEXT} at most. ${RIGHT}`);
  }
  const text = input.trim();
  if (text === '') throw badRequest(`The command is empty. ${RIGHT}`);
  if (text.startsWith('{')) return parseObject(parseJson(text, 'The command'));
  const blank = text.search(/\s/);
  const method = findCommand(blank < 0 ? text : text.slice(0, blank)).method;
  return { method, params: blank < 0 ? {} : parseParams(method, text.slice(blank).trim()) };
}

function parseObject(input: Record<string, unknown>): Command {
  const { method: name, params: given, ...others } = input;
  if (typeof name !== 'string' || name.trim() === '') {
    throw badRequest(`The command has no method: "method" must be its name, not ${show(name)}. ${RIGHT}`);
  }
  const { method } = findCommand(name.trim());
  const params = parseParams(method, given);
  // Keys of a profile may have any name: a timeout beside them is none of them.
  if (method === KEYED && given !== undefined && given !== null) return { method, params, beside: ownParams(method, others) };
  return { method, params: ownParams(method, { ...others, ...params }) };
}

function parseParams(method: string, given: unknown): Readonly<Record<string, unknown>> {
  if (given === undefined || given === null) return {};
  if (typeof given === 'string') {
    if (given.length > MAX_COMMAND_TEXT) {
      throw badRequest(`The parameters of ${method} are too long: ${given.length} characters, ${MAX_COMMAND_TEXT} at most. ${RIGHT}`);
    }
    return given.trim() === '' ? {} : ownParams(method, parseJson(given, `What follows ${method}`, method, given.trim()));
  }
  if (!isRecord(given)) throw badRequest(`The parameters of ${method} must be an object, not ${show(given)}. ${exampleOf(method)}`);
  return ownParams(method, given);
}

function parseJson(text: string, what: string, method?: string, given?: string): Record<string, unknown> {
  const right = method === undefined ? RIGHT : exampleOf(method, given);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badRequest(`${what} is not JSON: ${show(text)}. ${right}`);
  }
  if (!isRecord(value)) throw badRequest(`${what} must be a JSON object, not ${show(value)}. ${right}`);
  return value;
}

/** Own members only, copied as data, so that neither a prototype nor the flow's later changes reach the command. */
function ownParams(method: string, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(given);
  if (entries.length > MAX_PARAMS) throw badRequest(`${method} has ${entries.length} parameters, ${MAX_PARAMS} are the most.`);
  if (Object.hasOwn(given, '__proto__')) throw badRequest(`${method} has no parameter "__proto__". ${exampleOf(method)}`);
  return Object.fromEntries(entries);
}

function exampleOf(method: string, given = ''): string {
  // Someone who wrote the bare path gets the very command back.
  const { example, target, params } = findCommand(method);
  const needsMore = target !== 'path' || params.some(({ name, required }) => required && name !== 'id' && name !== 'key');
  const path = needsMore ? undefined : /^["']?(\/?\d[\d/_.]{0,39})["']?$/.exec(given)?.[1];
  return `Right is: ${path === undefined ? example : `${method} {"id":${JSON.stringify(path)}}`}`;
}
