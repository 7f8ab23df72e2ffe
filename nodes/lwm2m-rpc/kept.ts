import type { NodeMessageInFlow } from 'node-red';

/** Things, and characters or bytes, of a message that are kept with a command that waits. */
const MAX_THINGS = 5_000;
const MAX_LENGTH = 65_536;
const MAX_DEPTH = 20;

interface Budget {
  things: number;
  length: number;
}

/** Stands for what cannot be kept. */
const NOTHING = Symbol('nothing');

/**
 * What of a message can outlive the process: plain data, and of that not too much. Functions, sockets, circles and the like
 * are left out; of a message that is too large only its id stays.
 */
export function contextOf(msg: NodeMessageInFlow): unknown {
  const id = typeof msg._msgid === 'string' ? { _msgid: msg._msgid } : {};
  try {
    const budget: Budget = { things: MAX_THINGS, length: MAX_LENGTH };
    const kept = plain(msg, budget, 0);
    return budget.things < 0 || budget.length < 0 || kept === NOTHING ? id : kept;
  } catch {
    // A getter or a proxy of a flow may throw anything.
    return id;
  }
}

/** The message of a command that a server before this one took. */
export function keptMessage(context: unknown): NodeMessageInFlow {
  const whole = typeof context === 'object' && context !== null && !Array.isArray(context) ? (revive(context) as object) : {};
  return { _msgid: '', ...whole };
}

function plain(value: unknown, budget: Budget, depth: number): unknown {
  if (--budget.things < 0 || budget.length < 0 || depth > MAX_DEPTH) return NOTHING;
  switch (typeof value) {
    case 'string':
      budget.length -= value.length;
      return value;
    case 'number':
    case 'boolean':
    case 'bigint':
      return value;
    case 'object':
      break;
    default:
      return NOTHING;
  }
  if (value === null) return null;
  if (value instanceof Uint8Array) {
    budget.length -= value.length;
    return budget.length < 0 ? NOTHING : Uint8Array.from(value);
  }
  if (value instanceof Date) return value.toJSON();
  if (Array.isArray(value)) {
    if (value.length > budget.things) return giveUp(budget);
    // A hole would move what comes after it.
    return value.map((item: unknown) => orNull(plain(item, budget, depth + 1)));
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (depth > 0 && prototype !== null && Object.getPrototypeOf(prototype) !== null) return NOTHING;
  const kept: [string, unknown][] = [];
  for (const name of Object.keys(value)) {
    const item = plain((value as Record<string, unknown>)[name], budget, depth + 1);
    budget.length -= name.length;
    if (item !== NOTHING) kept.push([name, item]);
    if (budget.things < 0 || budget.length < 0) return NOTHING;
  }
  return Object.fromEntries(kept);
}

const orNull = (value: unknown): unknown => (value === NOTHING ? null : value);

function giveUp(budget: Budget): typeof NOTHING {
  budget.things = -1;
  return NOTHING;
}

/** Bytes come back as a Buffer, as flows know them. */
function revive(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]): [string, unknown] => [name, revive(item)]));
}
