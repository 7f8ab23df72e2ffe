import { formatPath, parsePath, PathError } from '../lwm2m/path';

/** A path in which the instance may be any. */
export interface PathPattern {
  /** 1 object, 2 object instance, 3 resource. */
  readonly level: number;
  readonly objectId: number;
  /** Undefined = every instance, or none where the level has none. */
  readonly instanceId: number | undefined;
  readonly resourceId: number | undefined;
  readonly version: string | undefined;
}

// Reads "/3/0/9", "/3_1.2/0/9" or "/3303/*/5700". Throws `PathError`.
export function parsePattern(text: unknown): PathPattern {
  if (typeof text !== 'string') throw new PathError(`A path must be text, not ${text === null ? 'null' : typeof text}.`);
  const trimmed = text.trim();
  const any = ANY_INSTANCE.exec(trimmed);
  const path = parsePath(any ? `${any[1]}/0${any[2] ?? ''}` : trimmed);
  const [objectId, instanceId, resourceId] = path.ids;
  if (objectId === undefined || path.ids.length > 3) throw new PathError(`A profile has no place for the path ${JSON.stringify(trimmed)}.`);
  return { level: path.ids.length, objectId, instanceId: any ? undefined : instanceId, resourceId, version: path.version };
}

// Object, with its version where it is given; the instance as a star; the resource.
const ANY_INSTANCE = /^([^/]+|\/[^/]+)\/\*(\/[^/]+)?\/?$/;

/** The text of a pattern, in the form in which `parsePattern` takes it. */
export function formatPattern({ level, objectId, instanceId, resourceId, version }: PathPattern): string {
  const object = formatPath([objectId], version);
  const instance = level < 2 ? '' : `/${instanceId ?? '*'}`;
  return `${object}${instance}${resourceId === undefined ? '' : `/${resourceId}`}`;
}
