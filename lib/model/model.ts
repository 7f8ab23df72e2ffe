import type { Model, ObjectDefinition } from './types';

/** All known versions of one object, by layer: definitions of a later layer win over those of an earlier one. */
export type Layers = readonly (readonly ObjectDefinition[])[];

/** Object versions come from devices: more than so many of one object are looked up anew each time. */
const MAX_REMEMBERED = 32;

/** Finds the definition of an object version; see `chooseVersion` for what is taken when the version is not there. */
export function createModel(definitions: readonly ObjectDefinition[]): Model {
  const byId = groupById(definitions);
  return modelOf((id) => {
    const versions = byId.get(id);
    return versions && [versions];
  });
}

/** Definitions by object id, in their order. */
export function groupById(definitions: readonly ObjectDefinition[]): ReadonlyMap<number, readonly ObjectDefinition[]> {
  const byId = new Map<number, ObjectDefinition[]>();
  for (const definition of definitions) {
    const list = byId.get(definition.id);
    if (list) list.push(definition);
    else byId.set(definition.id, [definition]);
  }
  return byId;
}

/** A model over any source of definitions that does not change; `layersOf` is undefined for an object nobody knows. */
export function modelOf(layersOf: (id: number) => Layers | undefined): Model {
  const remembered = new Map<number, Map<string | undefined, ObjectDefinition | undefined>>();
  const object = (id: number, version?: string): ObjectDefinition | undefined => {
    const known = remembered.get(id);
    const found = known?.get(version);
    if (found) return found;
    const layers = layersOf(id);
    // Unknown ids are not remembered: they come from the network and would fill the memory.
    if (!layers) return undefined;
    const chosen = chooseVersion(layers, version);
    if (!known) remembered.set(id, new Map([[version, chosen]]));
    else if (known.size < MAX_REMEMBERED) known.set(version, chosen);
    return chosen;
  };
  return {
    object,
    resource: (objectId, resourceId, version) => object(objectId, version)?.resources.get(resourceId),
  };
}

/**
 * The exact version; else in the same major version the highest minor not above; else the lowest minor above (a newer minor only adds
 * resources, so the nearest one is the closest description); else, or when no version is asked, of the last layer that has any the
 * highest version. Of two equal versions the later one wins, within a layer and between layers.
 */
function chooseVersion(layers: Layers, version: string | undefined): ObjectDefinition | undefined {
  const wanted = version === undefined ? undefined : parse(version);
  let best: ObjectDefinition | undefined;
  let bestRank: Rank = [-1, 0, 0, 0];
  for (const [layer, candidates] of layers.entries()) {
    for (const candidate of candidates) {
      const rank = rankOf(parse(candidate.version), wanted, layer);
      if (best !== undefined && compareRanks(rank, bestRank) < 0) continue;
      best = candidate;
      bestRank = rank;
    }
  }
  return best;
}

type Rank = readonly [number, number, number, number];

function rankOf([major, minor]: readonly [number, number], wanted: readonly [number, number] | undefined, layer: number): Rank {
  if (wanted === undefined || major !== wanted[0]) return [0, layer, major, minor];
  if (minor <= wanted[1]) return [2, minor, 0, 0];
  return [1, -minor, 0, 0];
}

function compareRanks(a: Rank, b: Rank): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || a[3] - b[3];
}

/** "1.2" to [1, 2]; what is not a number counts as 0. */
function parse(version: string): readonly [number, number] {
  const [major = '', minor = ''] = version.split('.', 2);
  return [Number.parseInt(major, 10) || 0, Number.parseInt(minor, 10) || 0];
}
