import { missingDefinitions } from '../model/missing';
import type { Model } from '../model/types';
import type { Registration } from './types';

/** Objects told of; devices choose the ids, so there is an end to it. */
const MAX_TOLD = 200;

/** Objects of devices that no definition describes: each is told of once. */
export class UnknownObjects {
  readonly #told = new Set<number>();

  /** A text for people when the registration has such objects that were not told of yet. */
  hint({ objects, versions }: Registration, model: Model): string | undefined {
    const found: number[] = [];
    for (const { objectId } of objects) {
      if (this.#told.size >= MAX_TOLD) break;
      if (this.#told.has(objectId) || model.object(objectId, versions.get(objectId))) continue;
      this.#told.add(objectId);
      found.push(objectId);
    }
    return found.length > 0 ? missingDefinitions(found) : undefined;
  }
}
