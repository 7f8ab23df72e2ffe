import { PathError } from '../lwm2m/path';
import { formatPattern, parsePattern, type PathPattern } from './patterns';
import { remark, RemarkError, type RemarkFacts, type RemarkId } from './remarks';
import type { ObserveStrategy } from './types';

/** What an import looks at, at most: values, levels of nesting, characters of all texts together. */
const MAX_VALUES = 50_000;
const MAX_DEPTH = 40;
const MAX_TEXT = 2_000_000;

/** Not a device profile of an IoT Hub; the message says why. */
export class IotHubProfileError extends RemarkError {
  readonly code = 'BAD_PROFILE';
  constructor(id: RemarkId, facts?: RemarkFacts) {
    super([remark('notHub'), remark(id, facts)]);
    this.name = 'IotHubProfileError';
  }
}

export type JsonObject = Readonly<Record<string, unknown>>;

export const LISTS = ['observe', 'attribute', 'telemetry'] as const;
export type ListName = (typeof LISTS)[number];

/** The parts of a transport configuration that a profile is made of, as they stand there. */
export interface IotHubParts {
  /** Of the device profile around the configuration, where there is one. */
  readonly name: string | undefined;
  /** All that was given. */
  readonly json: JsonObject;
  readonly config: JsonObject;
  readonly observeAttr: JsonObject;
  readonly lists: Readonly<Record<ListName, readonly unknown[]>>;
  readonly keyName: JsonObject;
  readonly attributeLwm2m: JsonObject;
}

/** Takes a transport configuration, or a device profile with one in it, apart. Throws `IotHubProfileError`. */
export function partsOf(json: unknown): IotHubParts {
  checkSize(json);
  if (!isRecord(json)) throw new IotHubProfileError('hubNoObject');
  const data = json.profileData;
  const config = isRecord(data) ? data.transportConfiguration : json;
  if (!isRecord(config)) throw new IotHubProfileError('hubNoConfiguration');
  if (config.type !== undefined && config.type !== 'LWM2M') {
    const transport = typeof config.type === 'string' ? JSON.stringify(config.type.slice(0, 40)) : 'of another type';
    throw new IotHubProfileError('hubTransport', { transport });
  }
  const { observeAttr } = config;
  if (!isRecord(observeAttr)) throw new IotHubProfileError('hubNoObserveAttr');
  return {
    name: isRecord(data) && typeof json.name === 'string' ? json.name : undefined,
    json,
    config,
    observeAttr,
    lists: { observe: list(observeAttr, 'observe'), attribute: list(observeAttr, 'attribute'), telemetry: list(observeAttr, 'telemetry') },
    keyName: record(observeAttr, 'keyName'),
    attributeLwm2m: record(observeAttr, 'attributeLwm2m'),
  };
}

function list(observeAttr: JsonObject, name: ListName): readonly unknown[] {
  const value = observeAttr[name] ?? [];
  if (!Array.isArray(value)) throw new IotHubProfileError('hubList', { name });
  return value;
}

function record(observeAttr: JsonObject, name: string): JsonObject {
  const value = observeAttr[name] ?? {};
  if (!isRecord(value)) throw new IotHubProfileError('hubRecord', { name });
  return value;
}

/** Walks without recursion: neither depth nor size of what somebody pasted may hurt. */
function checkSize(json: unknown): void {
  let values = 0;
  let text = 0;
  let level: unknown[] = [json];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) throw new IotHubProfileError('hubNested', { max: MAX_DEPTH });
    const next: unknown[] = [];
    for (const value of level) {
      values += 1;
      if (typeof value === 'string') text += value.length;
      if (typeof value === 'function' || typeof value === 'symbol') throw new IotHubProfileError('hubNoJson', { reason: typeof value });
      if (typeof value !== 'object' || value === null) continue;
      for (const [name, inner] of Object.entries(value)) {
        text += name.length;
        next.push(inner);
        if (values + next.length > MAX_VALUES || text > MAX_TEXT) throw new IotHubProfileError('hubLarge');
      }
    }
    level = next;
  }
}

/** A path of a configuration; undefined for what is none. An IoT Hub has no path for "every instance". */
export function patternOf(path: unknown): PathPattern | undefined {
  try {
    const pattern = parsePattern(path);
    return pattern.level > 1 && pattern.instanceId === undefined ? undefined : pattern;
  } catch (error) {
    if (error instanceof PathError) return undefined;
    throw error;
  }
}

/** One spelling of the path of a resource; undefined for what is none. */
export function resourcePath(path: unknown): string | undefined {
  const pattern = patternOf(path);
  return pattern?.level === 3 ? formatPattern(pattern) : undefined;
}

/** By name or by its number; `SINGLE` where nothing is said. Undefined for a strategy nobody knows. */
export function strategyOf(value: unknown): ObserveStrategy | undefined {
  switch (value) {
    case undefined:
    case null:
    case 0:
    case '0':
    case 'SINGLE':
      return 'single';
    case 1:
    case '1':
    case 'COMPOSITE_ALL':
      return 'composite';
    case 2:
    case '2':
    case 'COMPOSITE_BY_OBJECT':
      return 'composite-by-object';
    default:
      return undefined;
  }
}

export function isRecord(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
