import { formatLinks, type Link } from '../lwm2m/link-format';
import type { Identity } from '../transport/types';
import type { StateRecord } from './keeper';
import { readObjectList, type ObjectList } from './object-list';
import { isRefusal } from './refusal';
import type { ObjectLink } from './types';

/** Lists known at a time; the one unused for longest goes. */
const MAX_PROFILES = 1000;
/** Profile ids of one message, and the length of one. */
const MAX_IDS = 16;
const MAX_ID_LENGTH = 100;
/** Core TS 1.2 6.2.1: of the list's hash, or of a list that was agreed on. */
const PROFILE = /^(?:\d{1,3}:[0-9a-f]{8,}|(?:oma|v):[A-Za-z0-9-]+)$/;
/** Every device has them (Core TS appendix E): a list with both is a whole one. */
const SERVER = 1;
const DEVICE = 3;

/**
 * Object lists by the profile ids (`pid`, Core TS 1.2 6.2.1) that stand for them. Nothing says how an id is made from its list, so it is
 * an opaque key, learned from a device that gave both. What a device without security teaches holds for such devices only.
 */
export class Profiles {
  readonly #touch: (name: string) => void;
  readonly #lists = new Map<string, ObjectList>();

  /** `touch` is told of each list that is new or gone, by its name. */
  constructor(touch: (name: string) => void) {
    this.#touch = touch;
  }

  get size(): number {
    return this.#lists.size;
  }

  /**
   * The list of a device that named `ids` and, maybe, objects: both together; undefined when the objects of an id cannot be had. A whole
   * list is taken as it is, and learned.
   */
  resolve(identity: Identity, ids: readonly string[], given: ObjectList | undefined): ObjectList | undefined {
    if (given && isWhole(given)) {
      this.#learn(nameOf(identity, ids), given);
      return given;
    }
    const together = this.#list(nameOf(identity, ids));
    const known = together ? [together] : ids.map((id) => this.#list(nameOf(identity, [id])));
    if (known.some((list) => list === undefined)) return undefined;
    return union(known as ObjectList[], given);
  }

  record(name: string): StateRecord | undefined {
    const list = this.#lists.get(name);
    return list && { value: formatLinks(linksOf(list)) };
  }

  /** Takes back a record. False when it is damaged. */
  restore(name: string, value: unknown): boolean {
    if (typeof value !== 'string' || name === '' || this.#lists.size >= MAX_PROFILES) return false;
    const list = readObjectList(Buffer.from(value, 'utf8'), '');
    if (isRefusal(list)) return false;
    this.#lists.set(name, list);
    return true;
  }

  #list(name: string): ObjectList | undefined {
    const list = this.#lists.get(name);
    if (list) {
      this.#lists.delete(name);
      this.#lists.set(name, list);
    }
    return list;
  }

  #learn(name: string, list: ObjectList): void {
    const known = this.#list(name);
    if (known && textOf(known) === textOf(list)) return;
    this.#lists.set(name, list);
    this.#touch(name);
    const [oldest] = this.#lists.keys();
    if (this.#lists.size <= MAX_PROFILES || oldest === undefined) return;
    this.#lists.delete(oldest);
    this.#touch(oldest);
  }
}

/** The ids of `pid` parameters: one each, or a list in quotes. Undefined when one is none. */
export function profileIds(values: readonly (string | null)[]): string[] | undefined {
  const ids = values.flatMap((value) => (value ?? '').replace(/^"(.*)"$/, '$1').split(','));
  const all = [...new Set(ids.map((id) => id.trim()))].sort();
  return all.length <= MAX_IDS && all.every((id) => id.length <= MAX_ID_LENGTH && PROFILE.test(id)) ? all : undefined;
}

/** Without security an id may be taught by anybody. */
function nameOf({ mode }: Identity, ids: readonly string[]): string {
  return `${mode}|${ids.join(',')}`;
}

function isWhole({ objects }: ObjectList): boolean {
  return [SERVER, DEVICE].every((id) => objects.some(({ objectId }) => objectId === id));
}

function union(known: readonly ObjectList[], given: ObjectList | undefined): ObjectList | undefined {
  const lists = given ? [given, ...known] : known;
  const [first] = lists;
  if (lists.length === 1) return first;
  const objects = new Map<string, ObjectLink>();
  const written = new Map<number, string>();
  // What the device says itself counts.
  for (const list of [...lists].reverse()) {
    for (const link of list.objects) objects.set(`${link.objectId}/${link.instanceId ?? ''}`, link);
    for (const [id, version] of list.written) written.set(id, version);
  }
  return Object.freeze({
    rootPath: lists.find(({ rootPath }) => rootPath !== undefined)?.rootPath,
    contentFormats: lists.find(({ contentFormats }) => contentFormats.length > 0)?.contentFormats ?? Object.freeze([]),
    objects: Object.freeze([...objects.values()]),
    written,
  });
}

const textOf = (list: ObjectList): string => formatLinks(linksOf(list));

/** The list as a device sends it. */
function linksOf({ rootPath, contentFormats, objects, written }: ObjectList): Link[] {
  const formats: Link['attributes'] = contentFormats.length > 0 ? [['ct', contentFormats.join(' ')]] : [];
  const root: Link[] =
    rootPath === undefined ? [] : [{ target: rootPath === '' ? '/' : rootPath, attributes: [['rt', 'oma.lwm2m'], ...formats] }];
  const links = objects.map(({ objectId, instanceId }): Link => {
    const version = written.get(objectId);
    const target = instanceId === undefined ? `/${objectId}` : `/${objectId}/${instanceId}`;
    return { target, attributes: version === undefined ? [] : [['ver', version]] };
  });
  return [...root, ...links];
}
