/** What the dialog of a profile asks the running Node-RED for. A server that is not deployed knows no devices, but the names of the registry. */
import type { NodeAPI } from 'node-red';
import {
  compileProfile,
  exportIotHubProfile,
  exportRemarks,
  importIotHubProfile,
  IotHubProfileError,
  omaModel,
  ProfileError,
  RemarkError,
} from '../../lib/index';
import type { Lwm2mServer, Model, ProfileDefinition, ProfileSettings } from '../../lib/index';
import type { ExportAnswer, ImportAnswer, LearnAnswer, PreviewAnswer, Refusal, ResourceName } from '../shared/admin-types';
import { reasonOf, textField } from '../shared/fields';
import type { ServerNode } from '../shared/types';

/** Paths of one question for names. */
const maxPaths = 500;

/** Called once a module load: the routes find their server by id, so that they outlive every node. */
export function registerAdminRoutes(RED: NodeAPI): void {
  const mayRead = RED.auth.needsPermission('lwm2m.read');
  // The device is asked.
  const mayAsk = RED.auth.needsPermission('lwm2m.write');
  const route = (path: string, allowed: typeof mayRead, act: Act): void => {
    RED.httpAdmin.post(`/lwm2m/:id/profile/${path}`, allowed, (request, response) => {
      const given: unknown = request.body;
      const body: Body = typeof given === 'object' && given !== null ? given : {};
      response.set('Cache-Control', 'no-store');
      const server = serverOf(RED, String(request.params['id']));
      // What is thrown at once becomes a rejection too.
      new Promise((resolve) => resolve(act(body, server))).then(
        (result) => response.json(result),
        (error: unknown) => response.json(refusalOf(error)),
      );
    });
  };
  route('names', mayRead, names);
  route('import', mayRead, importProfile);
  route('export', mayRead, exportProfile);
  route('preview', mayRead, preview);
  route('learn', mayAsk, learn);
}

type Act = (body: Body, server: Lwm2mServer | undefined) => unknown;

interface Body {
  readonly paths?: unknown;
  readonly text?: unknown;
  readonly endpoint?: unknown;
  readonly settings?: Partial<ProfileSettings>;
  readonly kept?: unknown;
}

function serverOf(RED: NodeAPI, id: string): Lwm2mServer | undefined {
  const node = RED.nodes.getNode(id) as ServerNode | null;
  return node?.type === 'lwm2m-server' ? node.live?.server : undefined;
}

function refusalOf(error: unknown): Refusal {
  return { error: reasonOf(error), ...(error instanceof RemarkError && { remarks: error.remarks }) };
}

/** What the resources are called, and the keys they get by themselves. */
function names({ paths }: Body, server: Lwm2mServer | undefined): ResourceName[] {
  const list = Array.isArray(paths) ? paths.slice(0, maxPaths) : [];
  const model = server?.model ?? omaModel();
  return list.map((path) => nameOf(path, model));
}

function nameOf(path: unknown, model: Model): ResourceName {
  const object = model.object(Number(/^\/?(\d{1,5})/.exec(textField(path))?.[1] ?? Number.NaN));
  try {
    const [resource] = compileProfile({ id: '', name: '', definition: { resources: [{ path: textField(path) }] } }, model).resources;
    if (!resource) return {};
    const { objectId, resourceId, version, unit, key } = resource;
    const known = model.resource(objectId, resourceId, version);
    if (!known) return { key };
    const name = `${object?.name ?? objectId}: ${known.name}${unit ? ` (${unit})` : ''}`;
    return { key, name, ...(!known.operations.includes('R') && { unreadable: true }) };
  } catch (error) {
    if (!(error instanceof ProfileError)) throw error;
    return object ? { name: object.name } : {};
  }
}

/** Throws in words. */
function importProfile({ text }: Body): ImportAnswer {
  let json: unknown;
  try {
    json = JSON.parse(textField(text));
  } catch (error) {
    throw new IotHubProfileError('hubNoJson', { reason: reasonOf(error) });
  }
  return importIotHubProfile(json);
}

/** Throws in words. */
function exportProfile({ settings, kept }: Body, server: Lwm2mServer | undefined): ExportAnswer {
  const definition = definitionOf(settings);
  const model = server?.model ?? omaModel();
  compileProfile(profileOf(settings, definition), model);
  return { json: exportIotHubProfile(definition, kept ?? undefined, model), remarks: exportRemarks(definition) };
}

function preview({ endpoint, settings }: Body, server: Lwm2mServer | undefined): PreviewAnswer {
  if (!server) return { deployed: false };
  return server.previewProfile(textField(endpoint), profileOf(settings, definitionOf(settings)));
}

function learn({ endpoint }: Body, server: Lwm2mServer | undefined): LearnAnswer | Promise<LearnAnswer> {
  if (!server) return { deployed: false };
  return server.learnProfile(textField(endpoint));
}

function definitionOf(settings: Body['settings']): ProfileDefinition {
  const definition: unknown = settings?.definition;
  if (typeof definition === 'object' && definition !== null && 'resources' in definition && Array.isArray(definition.resources)) {
    return definition as ProfileDefinition;
  }
  throw new ProfileError(textField(settings?.name), [{ where: 'resources', problem: 'There is no list of resources.' }]);
}

function profileOf(settings: Body['settings'], definition: ProfileDefinition): ProfileSettings {
  return { id: 'preview', name: textField(settings?.name), definition };
}
