import type { Model, ObjectDefinition } from './types';

/** Finds the definition of an object version; see `chooseVersion` for what is taken when the version is not there. */
export function createModel(definitions: readonly ObjectDefinition[]): Model {
  const byId = new Map<number, ObjectDefinition[]>();
  for (const definition of definitions) {
    const list = byId.get(definition.id);
    if (list) list.push(definition);
    else byId.set(definition.id, [definition]);
  }
  return modelOf((id) => byId.get(id) ?? []);
}

/** A model over any source of definitions; `versionsOf` gives all known versions of one object. */
export function modelOf(versionsOf: (id: number) => readonly ObjectDefinition[]): Model {
  const object = (id: number, version?: string): ObjectDefinition | undefined => chooseVersion(versionsOf(id), version);
  return {
    object,
    resource: (objectId, resourceId, version) => object(objectId, version)?.resources.get(resourceId),
  };
}

/**
 * The exact version; else in the same major version the highest minor not above; else the lowest minor above (a newer minor only adds
 * resources, so the nearest one is the closest description); else, or when no version is asked, the highest version there is.
 * Of two equal versions the later in the list wins, so that own definitions can go after those of the registry.
 */
function chooseVersion(candidates: readonly ObjectDefinition[], version: string | undefined): ObjectDefinition | undefined {
  if (candidates.length === 0) return undefined;
  const wanted = version === undefined ? undefined : parse(version);
  let best: ObjectDefinition | undefined;
  let bestRank: Rank = [-1, 0, 0];
  for (const candidate of candidates) {
    const rank = rankOf(parse(candidate.version), wanted);
    if (best === undefined || compareRanks(rank, bestRank) >= 0) {
      best = candidate;
      bestRank = rank;
    }
  }
  return best;
}

type Rank = readonly [number, number, number];

function rankOf([major, minor]: readonly [number, number], wanted: readonly [number, number] | undefined): Rank {
  if (wanted === undefined || major !== wanted[0]) return [0, major, minor];
  if (minor <= wanted[1]) return [2, minor, 0];
  return [1, -minor, 0];
}

function compareRanks(a: Rank, b: Rank): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

/** "1.2" to [1, 2]; what is not a number counts as 0. */
function parse(version: string): readonly [number, number] {
  const [major = '', minor = ''] = version.split('.', 2);
  return [Number.parseInt(major, 10) || 0, Number.parseInt(minor, 10) || 0];
}
