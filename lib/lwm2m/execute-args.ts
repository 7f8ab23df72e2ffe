/**
 * Arguments of Execute (Core TS 1.1.1 6.3.5): `arg *("," arg)`, an arg is a digit 0-9, alone or with a value in single quotes:
 * `0='abc',1`. A value has no blank, no `'`, no `"` and no backslash.
 */
export class ExecuteArgsError extends Error {
  readonly code = 'BAD_REQUEST';
  constructor(problem: string) {
    super(`${problem} Execute arguments look like 0='on',1,2='60'.`);
    this.name = 'ExecuteArgsError';
  }
}

/** Argument number 0-9 to its value, null where it has none; in the order they were written. */
export type ExecuteArgs = ReadonlyMap<number, string | null>;

const MAX_LENGTH = 4096;
/** A CHAR of the grammar: "!" / %x23-26 / %x28-5B / %x5D-7E. */
const VALUE = /^[!#-&(-[\]-~]*$/;

/** Reads an argument list; empty text is no arguments. Throws `ExecuteArgsError`. */
export function parseExecuteArgs(text: string): ExecuteArgs {
  if (text.length > MAX_LENGTH) throw new ExecuteArgsError(`The arguments are too long: ${text.length} characters, ${MAX_LENGTH} at most.`);
  const args = new Map<number, string | null>();
  let at = 0;
  while (at < text.length) {
    const digit = text.charAt(at);
    if (digit < '0' || digit > '9')
      throw new ExecuteArgsError(`Character ${at} is ${JSON.stringify(digit)}, an argument number 0 to 9 belongs there.`);
    const number = Number(digit);
    if (args.has(number)) throw new ExecuteArgsError(`Argument ${number} is there twice.`);
    at += 1;
    let value: string | null = null;
    if (text.charAt(at) === '=') {
      if (text.charAt(at + 1) !== "'") throw new ExecuteArgsError(`The value of argument ${number} must stand in single quotes.`);
      const end = text.indexOf("'", at + 2);
      if (end < 0) throw new ExecuteArgsError(`The value of argument ${number} has no closing quote.`);
      value = text.slice(at + 2, end);
      checkValue(number, value);
      at = end + 1;
    }
    args.set(number, value);
    if (at === text.length) break;
    if (text.charAt(at) !== ',') {
      throw new ExecuteArgsError(
        `Character ${at} is ${JSON.stringify(text.charAt(at))}, a comma or the end belongs after argument ${number}.`,
      );
    }
    at += 1;
    if (at === text.length) throw new ExecuteArgsError('The list ends in a comma.');
  }
  return args;
}

function checkValue(number: number, value: string): void {
  if (!VALUE.test(value)) {
    throw new ExecuteArgsError(
      `The value ${JSON.stringify(value)} of argument ${number} has a character that is not allowed (a blank, a quote, a backslash or one outside ASCII).`,
    );
  }
}

/**
 * Makes the argument text of what a flow gives: nothing (undefined, null) is no arguments; text and numbers are an argument list as it
 * stands (`5` is argument 5); an object maps numbers to values, `{ "0": "on", "1": null }`, values being text, number, boolean or null.
 * Throws `ExecuteArgsError`.
 */
export function formatExecuteArgs(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string' || typeof value === 'number') {
    const text = String(value);
    parseExecuteArgs(text);
    return text;
  }
  // A Date, a Map and the like have no members, and would be no arguments at all.
  if (typeof value !== 'object' || Object.prototype.toString.call(value) !== '[object Object]') {
    throw new ExecuteArgsError(`Execute arguments must be text or an object, not ${describe(value)}.`);
  }
  const text = Object.entries(value)
    .map(([key, entry]) => formatArg(key, entry))
    .join(',');
  if (text.length > MAX_LENGTH) throw new ExecuteArgsError(`The arguments are too long: ${text.length} characters, ${MAX_LENGTH} at most.`);
  return text;
}

function describe(value: unknown): string {
  if (typeof value !== 'object') return typeof value;
  return Array.isArray(value) ? 'an array' : ArrayBuffer.isView(value) ? 'bytes' : 'an object of a class';
}

function formatArg(key: string, value: unknown): string {
  if (!/^\d$/.test(key)) throw new ExecuteArgsError(`${JSON.stringify(key)} is no argument number, they are 0 to 9.`);
  if (value === null || value === undefined) return key;
  if ((typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') || Number.isNaN(value)) {
    throw new ExecuteArgsError(`The value of argument ${key} must be text, a number or true/false.`);
  }
  checkValue(Number(key), String(value));
  return `${key}='${String(value)}'`;
}
