/** A profile as rows of the dialog, and back; and what can be wrong in it, in words. */
import { textOf } from '../shared/editor/red';
import type { Translate } from '../shared/editor/red';

export type AttributeValues = Record<string, number | boolean | string>;

export interface ResourceEntry {
  path: string;
  key?: string;
  telemetry?: boolean;
  attribute?: boolean;
  observe?: boolean;
  factor?: number | string;
  offset?: number | string;
  unit?: string;
}

export interface Definition {
  resources: ResourceEntry[];
  attributes?: Record<string, AttributeValues>;
  strategy?: string;
  initialRead?: string;
  muteSend?: boolean;
  transportLog?: boolean;
}

/** A resource with its own attributes, or a path of which there are only attributes. */
export interface Row extends Partial<ResourceEntry> {
  values?: AttributeValues;
}

interface AttributeField {
  readonly name: string;
  readonly kind: 'whole' | 'decimal' | 'flag';
  /** Only of a resource: `false` for what an object or an instance has as well. */
  readonly value: boolean;
}

export const attributeFields: readonly AttributeField[] = [
  { name: 'pmin', kind: 'whole', value: false },
  { name: 'pmax', kind: 'whole', value: false },
  { name: 'gt', kind: 'decimal', value: true },
  { name: 'lt', kind: 'decimal', value: true },
  { name: 'st', kind: 'decimal', value: true },
  { name: 'epmin', kind: 'whole', value: false },
  { name: 'epmax', kind: 'whole', value: false },
  { name: 'edge', kind: 'flag', value: true },
  { name: 'con', kind: 'flag', value: false },
  { name: 'hqmax', kind: 'whole', value: false },
];

const maxWhole = 4_294_967_295;
const maxKey = 100;
// `/3/0/9`, `/3_1.2/0/9`, `/3303/*/5700`.
const resourcePath = /^\/\d{1,5}(_\d{1,3}\.\d{1,3})?\/(\d{1,5}|\*)\/\d{1,5}$/;
/** The same, or less of it. */
const anyPath = /^\/\d{1,5}(_\d{1,3}\.\d{1,3})?(\/(\d{1,5}|\*)(\/\d{1,5})?)?$/;

/** One spelling of a path. */
export function spelled(path: unknown): string {
  const text = textOf(path).replace(/\/+$/, '');
  return text === '' || text.startsWith('/') ? text : `/${text}`;
}

/** Rows of resources with their attributes, and rows of the attributes of other paths. */
export function rowsOf(definition: Definition): { resources: Row[]; others: Row[] } {
  const given = new Map(Object.entries(definition.attributes ?? {}).map(([path, values]) => [spelled(path), values]));
  const resources = (Array.isArray(definition.resources) ? definition.resources : []).map((entry): Row => {
    const values = given.get(spelled(entry.path));
    given.delete(spelled(entry.path));
    return { ...entry, ...(values && { values }) };
  });
  return { resources, others: [...given].map(([path, values]) => ({ path, values })) };
}

/** The other way; rows without a path are left out. */
export function definitionOf(resources: readonly Row[], others: readonly Row[]): Pick<Definition, 'resources' | 'attributes'> {
  const entries = resources.filter(({ path }) => spelled(path) !== '');
  const withValues = [...entries, ...others].filter(({ path, values }) => spelled(path) !== '' && Object.keys(values ?? {}).length > 0);
  const attributes = Object.fromEntries(withValues.map(({ path, values }) => [spelled(path), values ?? {}]));
  return {
    resources: entries.map(({ values: _values, path, ...entry }) => ({ path: spelled(path), ...entry })),
    ...(withValues.length > 0 && { attributes }),
  };
}

/** What is wrong in a row, or ''. */
export function rowProblem(row: Row, isResource: boolean, t: Translate): string {
  const path = spelled(row.path);
  if (path === '') return '';
  if (isResource && !resourcePath.test(path)) return t('invalid.resourcePath', { path });
  if (!anyPath.test(path)) return t('invalid.path', { path });
  if (textOf(row.key).length > maxKey) return t('invalid.key', { path, max: maxKey });
  if (row.factor !== undefined && !(isNumber(row.factor) && Number(row.factor) !== 0)) return t('invalid.factor', { path });
  if (row.offset !== undefined && !isNumber(row.offset)) return t('invalid.offset', { path });
  return valuesProblem(path, row.values ?? {}, t);
}

function valuesProblem(path: string, values: AttributeValues, t: Translate): string {
  for (const [name, value] of Object.entries(values)) {
    const field = attributeFields.find((each) => each.name === name);
    if (!field) return t('invalid.attribute', { path, name });
    if (field.kind === 'flag') continue;
    const number = Number(value);
    if (!isNumber(value)) return t('invalid.number', { path, name });
    if (field.kind === 'whole' && !(Number.isInteger(number) && number >= 0 && number <= maxWhole))
      return t('invalid.whole', { path, name });
    if (name === 'st' && number < 0) return t('invalid.step', { path });
  }
  const limit = (name: string): number | undefined => (values[name] === undefined ? undefined : Number(values[name]));
  const [lt, gt] = [limit('lt'), limit('gt')];
  const apart = lt === undefined || gt === undefined || lt + 2 * (limit('st') ?? 0) < gt;
  return apart ? '' : t('invalid.thresholds', { path });
}

/** The first thing that is wrong in a profile, or ''. */
export function definitionProblem(definition: unknown, t: Translate): string {
  if (typeof definition !== 'object' || definition === null || !Array.isArray((definition as Definition).resources)) {
    return t('invalid.definition');
  }
  const { resources, others } = rowsOf(definition as Definition);
  for (const row of resources) {
    const problem = rowProblem(row, true, t);
    if (problem !== '') return problem;
  }
  for (const row of others) {
    const problem = rowProblem(row, false, t);
    if (problem !== '') return problem;
  }
  const paths = resources.map(({ path }) => spelled(path));
  const path = paths.find((each, at) => paths.indexOf(each) !== at);
  if (path !== undefined) return t('invalid.pathTwice', { path });
  return keysProblem(resources, t);
}

/** Versions of one resource may share a key, two resources may not. */
function keysProblem(resources: readonly Row[], t: Translate): string {
  const taken = new Map<string, string>();
  for (const { path, key } of resources) {
    const text = textOf(key);
    if (text === '') continue;
    const place = spelled(path).replace(/_[\d.]+/, '');
    const other = taken.get(text);
    if (other !== undefined && other !== place) return t('invalid.keyTwice', { key: text });
    taken.set(text, place);
  }
  return '';
}

function isNumber(value: unknown): boolean {
  return typeof value !== 'boolean' && textOf(value) !== '' && Number.isFinite(Number(value));
}
