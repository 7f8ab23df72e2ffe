/** What the dialogs ask the running Node-RED for: the devices of a deployed server, and the names of objects and resources. */
import type { NodeAPI } from 'node-red';
import { omaModel } from '../../lib/index';
import type { ObjectDefinition, Registration } from '../../lib/index';
import type { DevicesAnswer, ObjectRow } from '../shared/admin-types';
import type { ServerNode } from '../shared/types';
import { registerKeyRoutes } from './keys-admin';
import { registerModelRoutes } from './models-admin';

const readPermission = 'lwm2m.read';
const maxObjectId = 65_534;
/** The names change with the package only. Seconds. */
const namesMaxAge = 3600;

let names: string | undefined;

/** Called once a module load: the routes find their server by id, so that they outlive every node. */
export function registerAdminRoutes(RED: NodeAPI): void {
  registerModelRoutes(RED);
  registerKeyRoutes(RED);
  const mayRead = RED.auth.needsPermission(readPermission);
  RED.httpAdmin.get('/lwm2m/objects', mayRead, (_request, response) => {
    names ??= JSON.stringify(objectRows());
    response.set('Cache-Control', `private, max-age=${namesMaxAge}`).type('json').send(names);
  });
  RED.httpAdmin.get('/lwm2m/:id/devices', mayRead, (request, response) => {
    response.json(devicesOf(RED, String(request.params['id'])));
  });
  RED.httpAdmin.get('/lwm2m/:id/objects', mayRead, (request, response) => {
    response.set('Cache-Control', 'no-store');
    ownObjects(RED, String(request.params['id'])).then(
      (rows) => response.json(rows),
      () => response.json([]),
    );
  });
}

/** The objects of definition files that a server uses: what it knows beyond the registry, or otherwise. */
async function ownObjects(RED: NodeAPI, id: string): Promise<ObjectRow[]> {
  const node = RED.nodes.getNode(id) as ServerNode | null;
  const server = node?.type === 'lwm2m-server' ? node.live?.server : undefined;
  if (!server) return [];
  const files = [...(await server.modelFiles('all')), ...(await server.modelFiles('own'))];
  const ids = new Set(files.flatMap(({ objects }) => objects.map((object) => object.id)));
  return [...ids].flatMap((objectId) => {
    const definition = server.model.object(objectId);
    return definition ? [objectRow(definition)] : [];
  });
}

/** A server that is not deployed has no devices: no error, since a dialog asks for one that was only just added. */
function devicesOf(RED: NodeAPI, id: string): DevicesAnswer {
  const node = RED.nodes.getNode(id) as ServerNode | null;
  if (node?.type !== 'lwm2m-server' || !node.live) return { deployed: false, devices: [] };
  return { deployed: true, devices: node.live.server.registrations().map(deviceRow) };
}

function deviceRow(registration: Registration): DevicesAnswer['devices'][number] {
  return {
    endpoint: registration.endpoint,
    objects: registration.objects.map(({ objectId, instanceId }) => ({ objectId, ...(instanceId !== undefined && { instanceId }) })),
  };
}

/** Every object the model knows, each in its newest version. */
function objectRows(): ObjectRow[] {
  const model = omaModel();
  const rows: ObjectRow[] = [];
  for (let id = 0; id <= maxObjectId; id++) {
    const definition = model.object(id);
    if (definition) rows.push(objectRow(definition));
  }
  return rows;
}

function objectRow({ id, name, resources }: ObjectDefinition): ObjectRow {
  const rows = [...resources.values()].map((one) => ({
    id: one.id,
    name: one.name,
    operations: one.operations,
    ...(one.units && { units: one.units }),
  }));
  return { id, name, resources: rows };
}
