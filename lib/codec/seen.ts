import { DecodeError } from './errors';
import type { DataNode } from '../lwm2m/types';
import type { Place } from './errors';

/**
 * Refuses the same path twice at one time, and a resource that is single and multiple at once. Paths mostly rise, and then the one before
 * is all there is to look at; what came is remembered from the first on that does not.
 */
export class Seen {
  readonly #nodes: readonly DataNode[];
  #values: Set<string> | undefined;
  /** By resource: the length of the paths to its values. */
  readonly #levels = new Map<string, number>();

  /** `nodes` is the list to which each node is added after it was checked here. */
  constructor(nodes: readonly DataNode[]) {
    this.#nodes = nodes;
  }

  check(path: readonly number[], time: number | undefined, place: Place): void {
    if (!this.#values) {
      const before = this.#nodes[this.#nodes.length - 1];
      if (before === undefined || rises(before.path, path)) return;
      this.#values = new Set();
      for (const node of this.#nodes) this.#remember(node.path, node.time, place);
    }
    this.#remember(path, time, place);
  }

  #remember(path: readonly number[], time: number | undefined, place: Place): void {
    const values = this.#values as Set<string>;
    const { size } = values;
    if (values.add(`${path.join('/')}@${time ?? ''}`).size === size) throw new DecodeError('it is there twice', place);
    if (path.length < 3) return;
    const resource = `${path[0]}/${path[1]}/${path[2]}`;
    const level = this.#levels.get(resource);
    if (level === undefined) this.#levels.set(resource, path.length);
    else if (level !== path.length) throw new DecodeError('a resource with a value and with instances', place);
  }
}

/** Whether a path comes after another in the order of their ids, and not below it. */
function rises(before: readonly number[], path: readonly number[]): boolean {
  for (let level = 0; level < before.length; level += 1) {
    const step = (path[level] ?? -1) - (before[level] ?? 0);
    if (step !== 0) return step > 0;
  }
  return false;
}
