import facts from './oma-objects.json';
import { modelOf } from './model';
import type { ResourceType } from '../lwm2m/types';
import type { Model, ObjectDefinition, ResourceDefinition } from './types';

/** A line of the compiled registry; scripts/compile-registry.mjs describes it. */
type ResourceRow = readonly [id: number, name: string, operations: string, flags: number, type: string, range?: string, units?: string];
type ObjectRow = readonly [id: number, name: string, version: string, flags: number, resources: readonly ResourceRow[]];

const MULTIPLE = 1;
const MANDATORY = 2;

const TYPES: Readonly<Record<string, ResourceType>> = {
  s: 'string',
  i: 'integer',
  u: 'unsigned',
  f: 'float',
  b: 'boolean',
  o: 'opaque',
  t: 'time',
  l: 'objlnk',
  c: 'corelnk',
};

let model: Model | undefined;
let rowsById: Map<number, ObjectRow[]> | undefined;
const made = new Map<number, readonly ObjectDefinition[]>();

/** The objects of the OMA registry, all versions. Made once. */
export function omaModel(): Model {
  model ??= modelOf((id) => {
    const versions = omaVersions(id);
    return versions && [versions];
  });
  return model;
}

/** Every object version of the registry, by id and version. Makes all definitions: for lists, not for look-ups. */
export function omaObjects(): ObjectDefinition[] {
  return (facts as unknown as readonly ObjectRow[]).map(definitionOf);
}

/**
 * All versions of one object of the registry, or undefined. They are made when they are first asked for, because a server meets a
 * handful of the hundreds there are.
 */
export function omaVersions(id: number): readonly ObjectDefinition[] | undefined {
  let definitions = made.get(id);
  if (!definitions) {
    rowsById ??= groupRows(facts as unknown as readonly ObjectRow[]);
    // Unknown ids are not remembered: they come from the network and would fill the memory.
    definitions = rowsById.get(id)?.map(definitionOf);
    if (definitions) made.set(id, definitions);
  }
  return definitions;
}

function groupRows(rows: readonly ObjectRow[]): Map<number, ObjectRow[]> {
  const grouped = new Map<number, ObjectRow[]>();
  for (const row of rows) {
    const list = grouped.get(row[0]);
    if (list) list.push(row);
    else grouped.set(row[0], [row]);
  }
  return grouped;
}

function definitionOf([id, name, version, flags, resources]: ObjectRow): ObjectDefinition {
  return {
    id,
    name,
    version,
    multiple: (flags & MULTIPLE) !== 0,
    mandatory: (flags & MANDATORY) !== 0,
    resources: new Map(resources.map((row) => [row[0], resourceOf(row)])),
  };
}

function resourceOf([id, name, operations, flags, type, range, units]: ResourceRow): ResourceDefinition {
  return {
    id,
    name,
    operations: operations as ResourceDefinition['operations'],
    multiple: (flags & MULTIPLE) !== 0,
    mandatory: (flags & MANDATORY) !== 0,
    type: TYPES[type] ?? 'none',
    ...(range ? { range } : {}),
    ...(units ? { units } : {}),
  };
}
