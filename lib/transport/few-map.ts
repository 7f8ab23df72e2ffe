/** Up to so many entries are walked through, which is quicker than hashing, and a third of the memory of a `Map`. */
const FEW = 8;

/** A map for what most owners have one or two of, and some have thousands: a list of keys and values that becomes a `Map`. */
export class FewMap<V> {
  /** Key, value, key, value ... just as long as it must be; empty once there is a map. */
  #list: (string | V)[] = [];
  #map: Map<string, V> | null = null;

  get size(): number {
    return this.#map?.size ?? this.#list.length / 2;
  }

  get(key: string): V | undefined {
    if (this.#map) return this.#map.get(key);
    const at = this.#find(key);
    return at < 0 ? undefined : (this.#list[at + 1] as V);
  }

  has(key: string): boolean {
    return this.#map ? this.#map.has(key) : this.#find(key) >= 0;
  }

  set(key: string, value: V): void {
    if (this.#map) {
      this.#map.set(key, value);
      return;
    }
    const at = this.#find(key);
    if (at >= 0) this.#list[at + 1] = value;
    else if (this.#list.length < 2 * FEW) this.#append(key, value);
    else {
      this.#map = new Map(this.entries()).set(key, value);
      this.#list = [];
    }
  }

  delete(key: string): boolean {
    if (this.#map) return this.#map.delete(key);
    const at = this.#find(key);
    if (at < 0) return false;
    this.#list = this.#list.filter((_, place) => place !== at && place !== at + 1);
    return true;
  }

  /** In the order in which the keys came; the map must not change meanwhile. */
  *entries(): Generator<[string, V]> {
    if (this.#map) yield* this.#map;
    else for (let at = 0; at < this.#list.length; at += 2) yield [this.#list[at] as string, this.#list[at + 1] as V];
  }

  /** By hand, for `push` would make room for eight entries at once. */
  #append(key: string, value: V): void {
    const list = new Array<string | V>(this.#list.length + 2);
    for (let at = 0; at < this.#list.length; at++) list[at] = this.#list[at]!;
    list[list.length - 2] = key;
    list[list.length - 1] = value;
    this.#list = list;
  }

  #find(key: string): number {
    for (let at = 0; at < this.#list.length; at += 2) if (this.#list[at] === key) return at;
    return -1;
  }
}
