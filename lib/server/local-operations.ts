import { formatLinks, type Link } from '../lwm2m/link-format';
import { formatPath } from '../lwm2m/path';
import type { LocalOperation } from './operation-requests';
import type { ObjectLink, Observation, OperationResult, Registration } from './types';

/** What the server knows of a device without asking it: its registered objects, its observations. */
export function localAnswer(operation: LocalOperation, registration: Registration, observations: readonly Observation[]): OperationResult {
  const answer = { kind: 'answer', code: '2.05', result: 'CONTENT', ok: true, rtt: 0, registration } as const;
  switch (operation.kind) {
    case 'DiscoverAll':
      return { ...answer, links: formatLinks(registeredLinks(registration)) };
    case 'ObserveReadAll':
      return { ...answer, observations: [...observations].sort((a, b) => a.startedAt - b.startedAt) };
    default:
      return operation satisfies never;
  }
}

/** The object list of a registration as links, the root first, then by number; paths are those of commands, without the alternate path. */
export function registeredLinks({ objects, contentFormats }: Registration): Link[] {
  const formats: Link['attributes'] = contentFormats.length > 0 ? [['ct', contentFormats.join(' ')]] : [];
  const sorted = [...objects].sort((a, b) => a.objectId - b.objectId || (a.instanceId ?? -1) - (b.instanceId ?? -1));
  return [{ target: '/', attributes: [['rt', 'oma.lwm2m'], ...formats] }, ...sorted.map(linkOf)];
}

function linkOf({ objectId, instanceId, version }: ObjectLink): Link {
  return {
    target: formatPath(instanceId === undefined ? [objectId] : [objectId, instanceId]),
    attributes: version === undefined ? [] : [['ver', version]],
  };
}
