/** What can be judged of an operation before the device is asked. Each throws `CommandError` BAD_REQUEST. */
import type { DataNode, Path } from '../lwm2m/types';
import type { Model } from '../model/types';
import type { Operation, Registration } from '../server/types';
import { formatPath } from '../lwm2m/path';
import { missingDefinitions } from '../model/missing';
import { pathsOf } from '../server/operation-requests';
import { badRequest, show } from './errors';

const DEVICE_OBJECT = 3;
const MAX_LISTED = 10;

/** WriteUpdate adds to something: a single resource has nothing to add to. */
export function checkUpdate(path: Path, value: unknown, registration: Registration, model: Model): void {
  const [objectId = 0, , resourceId] = path.ids;
  if (resourceId === undefined) return;
  const known = model.resource(objectId, resourceId, registration.versions.get(objectId));
  const single = known === undefined ? typeof value !== 'object' : !known.multiple;
  if (!single) return;
  throw badRequest(
    `WriteUpdate goes to an object instance or a multiple resource, and ${formatPath(path.ids)}${known === undefined ? '' : ` (${known.name})`} ` +
      `${known === undefined ? `got ${show(value)}, a single value` : 'is a single resource'}. Right is: WriteReplace {"id":"${formatPath(path.ids)}","value":...}`,
  );
}

/** Only what its definition makes executable can be executed; what no definition knows the device decides. */
export function checkExecute({ ids }: Path, registration: Registration, model: Model): void {
  const [objectId = 0, instanceId = 0, resourceId = 0] = ids;
  const object = model.object(objectId, registration.versions.get(objectId));
  const known = object?.resources.get(resourceId);
  if (object === undefined || known === undefined || known.operations.includes('E')) return;
  const others = [...object.resources.values()].filter(({ operations }) => operations.includes('E')).slice(0, MAX_LISTED);
  const listed = others.map(({ id, name }) => `${formatPath([objectId, instanceId, id])} (${name})`).join(', ');
  const right = others.length > 0 ? `Executable are ${listed}.` : `Object ${objectId} (${object.name}) has nothing that is.`;
  throw badRequest(`${formatPath(ids)} (${known.name}) is not executable. ${right}`);
}

/** Core TS 6.3.7: no Delete touches the Device object; resource instances go since LwM2M 1.2. */
export function checkDelete({ ids }: Path, { lwm2mVersion }: Registration): void {
  if (ids[0] === DEVICE_OBJECT && ids.length === 2)
    throw badRequest('The instance of object 3 (Device) cannot be deleted: every device has it.');
  if (ids.length === 4 && lwm2mVersion !== '1.2') {
    throw badRequest(
      `Delete of a resource instance, ${formatPath(ids)}, came with LwM2M 1.2, and the device registered with ${lwm2mVersion}. ` +
        `Right is WriteReplace of ${formatPath(ids.slice(0, 3))} with the instances that stay.`,
    );
  }
}

/** An object of one instance has it already; a new instance needs its mandatory resources (Core TS 6.3.6). */
export function checkCreate({ ids }: Path, nodes: readonly DataNode[], registration: Registration, model: Model): void {
  const [objectId = 0] = ids;
  const object = model.object(objectId, registration.versions.get(objectId));
  if (!object) return;
  if (!object.multiple) {
    throw badRequest(
      `Object ${objectId} (${object.name}) has a single instance, /${objectId}/0, and no other can be created. WriteUpdate changes it.`,
    );
  }
  const given = new Set(nodes.map(({ path }) => path[2]));
  const missing = [...object.resources.values()].filter(
    ({ id, mandatory, operations }) => mandatory && operations.includes('W') && !given.has(id),
  );
  if (missing.length === 0) return;
  const listed = missing.map(({ id, name }) => `${id} (${name})`).join(', ');
  throw badRequest(
    `A new instance of object ${objectId} (${object.name}) needs a value for ${listed}, which ${missing.length > 1 ? 'are' : 'is'} mandatory.`,
  );
}

/** What the model says against reading; the device decides, its model may be newer. Writes are looked at value by value. */
export function warnAccess(operation: Operation, registration: Registration, model: Model, warnings: string[]): void {
  if (operation.kind !== 'Read' && operation.kind !== 'Observe') return;
  const { ids } = operation.path;
  const [objectId = 0, , resourceId] = ids;
  if (resourceId === undefined) return;
  const known = model.resource(objectId, resourceId, registration.versions.get(objectId));
  if (known === undefined || known.operations.includes('R')) return;
  warnings.push(`${formatPath(ids)} (${known.name}) is not readable by its definition; the device decides.`);
}

/** A single resource has no instances; the device decides, its model may be newer. */
export function warnDepth(targets: readonly { readonly path: Path }[], registration: Registration, model: Model, warnings: string[]): void {
  for (const { path } of targets) {
    const [objectId = 0, , resourceId = 0, instanceId] = path.ids;
    const known = instanceId === undefined ? undefined : model.resource(objectId, resourceId, registration.versions.get(objectId));
    if (known === undefined || known.multiple) continue;
    warnings.push(`${formatPath(path.ids)} (${known.name}): a single resource by its definition, without instances; the device decides.`);
  }
}

const VALUES: readonly Operation['kind'][] = [
  'Read',
  'ReadComposite',
  'Observe',
  'ObserveComposite',
  'WriteReplace',
  'WriteUpdate',
  'WriteComposite',
  'Create',
];

/** Values of an object nobody knows have no type of their own. */
export function warnUnknown(operation: Operation, registration: Registration, model: Model, warnings: string[]): void {
  if (!VALUES.includes(operation.kind)) return;
  const ids = new Set(pathsOf(operation).map((path) => path.ids[0] ?? 0));
  const unknown = [...ids].filter((id) => !model.object(id, registration.versions.get(id)));
  if (unknown.length > 0) warnings.push(missingDefinitions(unknown));
}
