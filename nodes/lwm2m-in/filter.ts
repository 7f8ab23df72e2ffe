import { matchesGlob } from '../../lib/index';
import type { KeyedValues, Operation, ServerEvent } from '../../lib/index';
import { textField } from '../shared/fields';
import type { InSettings } from './migrations';

/** Gives back what of an event this node wants, or undefined. */
export type EventFilter = (event: ServerEvent) => ServerEvent | undefined;

/** What values it is to be: ids of paths, of which one suffices, and keys. */
interface Wanted {
  readonly prefixes: readonly (readonly number[])[];
  readonly keys: ReadonlySet<string>;
}

/** Makes the filter the dialog describes. Throws an Error for a path that is none. */
export function eventFilter(settings: InSettings): EventFilter {
  const kinds = new Set<string>(Array.isArray(settings.events) ? settings.events : []);
  const pattern = textField(settings.endpoint) || '*';
  const wanted = wantedValues(textField(settings.path));
  return (event) => {
    if (!kinds.has(event.kind)) return undefined;
    const endpoint = endpointOf(event);
    // It is about the server: no device's name could fit.
    if (endpoint === undefined) return event;
    if (!matchesGlob(pattern, endpoint)) return undefined;
    return wanted ? valuesOf(event, wanted) : event;
  };
}

const PATH = /^\/?\d{1,5}(\/\d{1,5}){0,3}\/?$/;

/** The paths and keys of the field; undefined for all values. Throws an Error for a path that is none. */
export function wantedValues(text: string): Wanted | undefined {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length === 0 || parts.includes('/')) return undefined;
  const paths = parts.filter((part) => PATH.test(part) || part.startsWith('/'));
  return { prefixes: paths.map(pathPrefix), keys: new Set(parts.filter((part) => !paths.includes(part))) };
}

/** The ids of a path such as `/3303/0`. Throws an Error when it is none. */
function pathPrefix(path: string): number[] {
  if (!PATH.test(path)) throw new Error(`not a path: ${path.slice(0, 60)}`);
  return path
    .split('/')
    .filter((id) => id !== '')
    .map(Number);
}

function endpointOf(event: ServerEvent): string | undefined {
  switch (event.kind) {
    case 'stats':
      return undefined;
    case 'refused':
    case 'command':
      return event.endpoint;
    case 'log':
      return event.registration?.endpoint ?? event.endpoint;
    default:
      return event.registration.endpoint;
  }
}

/** The event with the wanted values only; undefined when none is left. Events without values pass; those without keys by their paths only. */
function valuesOf(event: ServerEvent, wanted: Wanted): ServerEvent | undefined {
  const fits = (path: readonly number[]): boolean => wanted.prefixes.some((prefix) => overlap(path, prefix));
  switch (event.kind) {
    case 'telemetry':
    case 'attributes':
      return keyedValues(event, wanted);
    case 'notification':
    case 'send': {
      const nodes = event.nodes.filter((node) => fits(node.path));
      if (nodes.length > 0) return { ...event, nodes };
      // A notification without values still tells something about what it observes: an error, or an object without instances.
      return event.kind === 'notification' && event.nodes.length === 0 && fits(event.observation.path.ids) ? event : undefined;
    }
    case 'command':
      return pathsOf(event.operation).some(({ ids }) => fits(ids)) ? event : undefined;
    case 'observation-ended':
      return fits(event.observation.path.ids) ? event : undefined;
    default:
      return event;
  }
}

function keyedValues(event: KeyedValues, { prefixes, keys }: Wanted): KeyedValues | undefined {
  const chosen = Object.keys(event.values).filter((key) => {
    if (keys.has(key)) return true;
    const path = prefixes.length > 0 ? event.keys[key]?.path : undefined;
    return path !== undefined && prefixes.some((prefix) => overlap(pathPrefix(path), prefix));
  });
  if (chosen.length === 0) return undefined;
  const of = <T>(table: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(table).filter(([key]) => chosen.includes(key)));
  return { ...event, values: of(event.values), keys: of(event.keys) };
}

/** What a command is about; one of no path is about the whole device. */
function pathsOf(operation: Operation): readonly { readonly ids: readonly number[] }[] {
  if ('path' in operation) return [operation.path];
  return 'paths' in operation ? operation.paths : [{ ids: [] }];
}

/** One lies at or below the other. */
function overlap(a: readonly number[], b: readonly number[]): boolean {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return false;
  return true;
}
