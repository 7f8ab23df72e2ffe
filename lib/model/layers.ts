import { groupById, modelOf } from './model';
import { omaVersions } from './oma';
import type { Model, ObjectDefinition } from './types';

/** The OMA registry below, own definitions above it: each layer wins over those before it, e.g. `[for all servers, for this server]`. */
export function layeredModel(...own: readonly (readonly ObjectDefinition[])[]): Model {
  const layers = own.map(groupById);
  return modelOf((id) => {
    const found = layers.flatMap((layer) => {
      const versions = layer.get(id);
      return versions ? [versions] : [];
    });
    const oma = omaVersions(id);
    return oma ? [oma, ...found] : found.length > 0 ? found : undefined;
  });
}

/** A model whose definitions can be exchanged while it is in use: whoever holds it sees the new ones at the next look-up. */
export class LiveModel implements Model {
  #current: Model;

  constructor(initial: Model) {
    this.#current = initial;
  }

  replace(model: Model): void {
    this.#current = model;
  }

  object(id: number, version?: string): ObjectDefinition | undefined {
    return this.#current.object(id, version);
  }

  resource(...args: Parameters<Model['resource']>): ReturnType<Model['resource']> {
    return this.#current.resource(...args);
  }
}
