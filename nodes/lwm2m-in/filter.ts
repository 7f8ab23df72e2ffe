import type { Operation, ServerEvent } from '../../lib/index';
import { textField } from '../shared/fields';
import { matchesGlob } from '../shared/glob';
import type { InSettings } from './migrations';

/** Gives back what of an event this node wants, or undefined. */
export type EventFilter = (event: ServerEvent) => ServerEvent | undefined;

/** Makes the filter the dialog describes. Throws an Error for a path that is none. */
export function eventFilter(settings: InSettings): EventFilter {
  const wanted = new Set<string>(Array.isArray(settings.events) ? settings.events : []);
  const pattern = textField(settings.endpoint) || '*';
  const prefix = pathPrefix(textField(settings.path));
  return (event) => {
    if (!wanted.has(event.kind)) return undefined;
    const endpoint = endpointOf(event);
    // It is about the server: no device's name could fit.
    if (endpoint === undefined) return event;
    if (!matchesGlob(pattern, endpoint)) return undefined;
    return prefix.length === 0 ? event : under(event, prefix);
  };
}

/** The ids of a path such as `/3303/0`. Throws an Error when it is none. */
export function pathPrefix(path: string): number[] {
  if (path === '' || path === '/') return [];
  if (!/^\/?\d{1,5}(\/\d{1,5}){0,3}\/?$/.test(path)) throw new Error(`not a path: ${path.slice(0, 60)}`);
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

/** The event with the values under the prefix only; undefined when none is left. Events without values pass. */
function under(event: ServerEvent, prefix: readonly number[]): ServerEvent | undefined {
  switch (event.kind) {
    case 'notification':
    case 'send': {
      const nodes = event.nodes.filter((node) => overlap(node.path, prefix));
      if (nodes.length > 0) return { ...event, nodes };
      // A notification without values still tells something about what it observes: an error, or an object without instances.
      return event.kind === 'notification' && event.nodes.length === 0 && overlap(event.observation.path.ids, prefix) ? event : undefined;
    }
    case 'command':
      return pathsOf(event.operation).some(({ ids }) => overlap(ids, prefix)) ? event : undefined;
    case 'observation-ended':
      return overlap(event.observation.path.ids, prefix) ? event : undefined;
    default:
      return event;
  }
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
