/** Reading fields of dialogs and messages, which may hold anything. */

/** The trimmed text; '' for whatever is not text or number. */
export function textField(value: unknown): string {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? value.trim() : '';
}

/**
 * A whole number in a range; undefined when the field is blank. Throws a RangeError that names the field otherwise, since a typo
 * must not turn into a default in silence.
 */
export function numberField(value: unknown, name: string, min: number, max: number): number | undefined {
  const text = textField(value);
  if (text === '') return undefined;
  const number = Number(text);
  if (!Number.isInteger(number) || number < min || number > max) throw new RangeError(`${name}: ${text} is not between ${min} and ${max}`);
  return number;
}

/** The message of anything thrown. */
export function reasonOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  // JSONata throws plain objects.
  if (typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string') return error.message;
  return String(error);
}

/** The `code` of a system error, or ''. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
