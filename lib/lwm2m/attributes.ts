/** Attributes of the class NOTIFICATION (Core TS 1.1.1 5.1.2, 1.2.1 7.3): which there are, where they belong, what fits together. */
import type { Lwm2mVersion, ResourceType } from './types';

export class AttributeError extends Error {
  readonly code = 'BAD_REQUEST';
  constructor(problem: string, right = 'Right is e.g. {"pmin":10,"pmax":60}; an empty value removes an attribute.') {
    super(`${problem} ${right}`);
    this.name = 'AttributeError';
  }
}

interface AttributeRow {
  /** seconds and counts are whole numbers, a flag is 0 or 1. */
  readonly kind: 'whole' | 'decimal' | 'flag';
  /** The levels it may be written to: 1 object to 4 resource instance. */
  readonly levels: readonly number[];
  readonly types?: readonly ResourceType[];
  readonly since: Lwm2mVersion;
}

const ANY = [1, 2, 3, 4];
const VALUES = [3, 4];
const NUMERIC: readonly ResourceType[] = ['integer', 'unsigned', 'float', 'time'];

const ROWS: Readonly<Record<string, AttributeRow>> = {
  pmin: { kind: 'whole', levels: ANY, since: '1.0' },
  pmax: { kind: 'whole', levels: ANY, since: '1.0' },
  gt: { kind: 'decimal', levels: VALUES, types: NUMERIC, since: '1.0' },
  lt: { kind: 'decimal', levels: VALUES, types: NUMERIC, since: '1.0' },
  st: { kind: 'decimal', levels: VALUES, types: NUMERIC, since: '1.0' },
  epmin: { kind: 'whole', levels: ANY, since: '1.1' },
  epmax: { kind: 'whole', levels: ANY, since: '1.1' },
  edge: { kind: 'flag', levels: VALUES, types: ['boolean'], since: '1.2' },
  con: { kind: 'flag', levels: ANY, since: '1.2' },
  hqmax: { kind: 'whole', levels: ANY, since: '1.2' },
};

/** The names of all of them. */
export const NOTIFICATION_ATTRIBUTES: readonly string[] = Object.keys(ROWS);

/** Of another class: a device tells them, nobody writes them. */
const PROPERTIES = new Set(['ver', 'dim', 'ssid', 'uri', 'ct', 'rt', 'lwm2m']);

/** What Observe-Composite takes (Core TS 1.2 6.4.4). */
const COMPOSITE = new Set(['pmin', 'pmax', 'epmin', 'epmax', 'con']);

const LEVELS = ['the root', 'an object', 'an object instance', 'a resource', 'a resource instance'] as const;
const MAX_WHOLE = 4_294_967_295;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)$/;

/** Where the attributes go. */
export interface AttributeTarget {
  /** As the user knows it, e.g. "/3/0/9". */
  readonly text: string;
  /** Ids of the path; undefined for a composite. */
  readonly level: number | undefined;
  /** Of the resource, where a definition knows it. */
  readonly type?: ResourceType | undefined;
  readonly version: Lwm2mVersion;
  /** Whether an empty value, which removes an attribute, makes sense. */
  readonly removable: boolean;
}

export interface CheckedAttributes {
  /** As they go into the query; null removes. */
  readonly attributes: readonly (readonly [string, string | null])[];
  /** What the device will pass over. */
  readonly warnings: readonly string[];
}

/** Checks attributes as a flow gives them, by name, level, type, version and against one another. Throws `AttributeError`. */
export function checkAttributes(given: Readonly<Record<string, unknown>>, target: AttributeTarget): CheckedAttributes {
  const entries = Object.entries(given);
  if (entries.length === 0) throw new AttributeError('There are no attributes.');
  const attributes = entries.map(([name, value]): readonly [string, string | null] => [name, checkOne(name, value, target)]);
  const number = (name: string): number | undefined => {
    const text = attributes.find(([known]) => known === name)?.[1];
    return text === undefined || text === null ? undefined : Number(text);
  };
  checkThresholds(number('lt'), number('gt'), number('st'));
  return { attributes, warnings: [...passedOver('pmin', 'pmax', number), ...passedOver('epmin', 'epmax', number)] };
}

function checkOne(name: string, value: unknown, target: AttributeTarget): string | null {
  const row = Object.hasOwn(ROWS, name) ? ROWS[name] : undefined;
  const shown = JSON.stringify(name.slice(0, 40));
  if (!row) {
    if (PROPERTIES.has(name)) {
      throw new AttributeError(`The attribute ${shown} is of the class PROPERTIES, which nobody writes: the device tells it.`);
    }
    throw new AttributeError(`There is no attribute ${shown}. The attributes are ${NOTIFICATION_ATTRIBUTES.join(', ')}.`);
  }
  const { level, text, type, version, removable } = target;
  if (level === undefined ? !COMPOSITE.has(name) : !row.levels.includes(level)) {
    const where = level === undefined ? 'a composite' : (LEVELS[level] ?? 'that');
    const right = level === undefined ? [...COMPOSITE].join(', ') : row.levels.map((id) => LEVELS[id]).join(' or ');
    throw new AttributeError(
      `The attribute ${shown} is not valid for ${where}, ${text}.`,
      level === undefined ? `A composite takes ${right}.` : `It belongs to ${right}.`,
    );
  }
  if (version < row.since) {
    throw new AttributeError(
      `The attribute ${shown} came with LwM2M ${row.since}, and the device registered with ${version}.`,
      `It knows ${NOTIFICATION_ATTRIBUTES.filter((known) => ROWS[known]!.since <= version).join(', ')}.`,
    );
  }
  if (row.types && type !== undefined && type !== 'none' && !row.types.includes(type)) {
    throw new AttributeError(`The attribute ${shown} does not fit ${text}, whose type is ${type}.`, `It is for ${row.types.join(', ')}.`);
  }
  if (value === null || value === '') {
    if (removable) return null;
    throw new AttributeError(`The attribute ${shown} of an observation needs a value.`, 'Right is e.g. {"pmin":10}.');
  }
  return valueText(row.kind, name, value);
}

function valueText(kind: AttributeRow['kind'], name: string, value: unknown): string {
  const shown = JSON.stringify(name);
  const given = typeof value === 'string' ? value.trim().slice(0, 40) : typeof value === 'number' ? decimal(value) : '';
  switch (kind) {
    case 'flag': {
      const text = typeof value === 'boolean' ? String(Number(value)) : given;
      if (text === '0' || text === '1') return text;
      throw new AttributeError(`The attribute ${shown} is 0 or 1, not ${describe(value)}.`, `Right is e.g. {${shown}:1}.`);
    }
    case 'whole':
      if (/^\d{1,10}$/.test(given) && Number(given) <= MAX_WHOLE) return String(Number(given));
      throw new AttributeError(
        `The attribute ${shown} is a whole number from 0 to ${MAX_WHOLE}, not ${describe(value)}.`,
        `Right is e.g. {${shown}:10}.`,
      );
    case 'decimal':
      if (DECIMAL.test(given) && !(name === 'st' && Number(given) < 0)) return given.replace(/^\+/, '');
      throw new AttributeError(
        `The attribute ${shown} is a number${name === 'st' ? ' that is not negative' : ''}, not ${describe(value)}.`,
        `Right is e.g. {${shown}:25.5}.`,
      );
  }
}

/** A number without an exponent; "" for one that has none. */
function decimal(value: number): string {
  const text = String(value);
  if (!text.includes('e')) return Number.isFinite(value) ? text : '';
  return Math.abs(value) >= 1 ? BigInt(value).toString() : value.toFixed(20).replace(/0+$/, '');
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === undefined) return 'nothing';
  return Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** Core TS 1.1.1 5.1.2: lt < gt, and lt + 2 st < gt; a device must refuse anything else. */
function checkThresholds(lt: number | undefined, gt: number | undefined, st: number | undefined): void {
  if (lt === undefined || gt === undefined) return;
  if (lt >= gt) throw new AttributeError(`"lt" (${lt}) must be less than "gt" (${gt}).`, 'Right is e.g. {"lt":5,"gt":30}.');
  if (st !== undefined && lt + 2 * st >= gt) {
    throw new AttributeError(
      `"lt" (${lt}) and twice "st" (${st}) must be less than "gt" (${gt}).`,
      'Right is e.g. {"lt":5,"gt":30,"st":2}.',
    );
  }
}

function passedOver(min: string, max: string, number: (name: string) => number | undefined): string[] {
  const low = number(min);
  const high = number(max);
  return low !== undefined && high !== undefined && high < low
    ? [`"${max}" (${high}) is less than "${min}" (${low}): the device passes "${max}" over.`]
    : [];
}

/** The version of LwM2M that brought an attribute of the class NOTIFICATION. */
export function attributeSince(name: string): Lwm2mVersion {
  return (Object.hasOwn(ROWS, name) ? ROWS[name] : undefined)?.since ?? '1.0';
}
