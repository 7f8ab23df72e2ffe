/** Uploading, listing and deleting object definition files, for the dialog. They are kept in the user directory, never in a flow. */
import type { NodeAPI } from 'node-red';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { DdfError, MAX_DDF_SIZE, deleteModel, loadModels, storeModel } from '../../lib/index';
import type { ModelFile, ModelScope } from '../../lib/index';
import type { ModelRow, ModelsAnswer, UploadAnswer } from '../shared/admin-types';
import { codeOf, reasonOf } from '../shared/fields';
import type { ServerNode } from '../shared/types';

/** What the editor makes ids of. */
const serverId = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The folder of the definitions for all servers, and that for one inside it; undefined where Node-RED has no user directory. */
export function modelFolders(RED: NodeAPI, id: string): Readonly<Record<ModelScope, string>> | undefined {
  const { userDir } = RED.settings as { readonly userDir?: unknown };
  if (typeof userDir !== 'string' || userDir === '' || !serverId.test(id)) return undefined;
  const all = path.join(userDir, 'lwm2m', 'models');
  return { all, own: path.join(all, id) };
}

export function registerModelRoutes(RED: NodeAPI): void {
  const mayRead = RED.auth.needsPermission('lwm2m-server.read');
  const mayWrite = RED.auth.needsPermission('lwm2m-server.write');
  type Handler = Parameters<typeof RED.httpAdmin.get>[1];
  type Request = Parameters<Handler>[0];
  type Response = Parameters<Handler>[1];
  type Folders = Readonly<Record<ModelScope, string>>;

  /** Calls with the folders of the server in the address, which need not be deployed; whatever goes wrong is answered. */
  const withFolders =
    (act: (request: Request, response: Response, folders: Folders) => Promise<void>) =>
    (request: Request, response: Response): void => {
      const folders = modelFolders(RED, String(request.params['id']));
      const scope = request.params['scope'] ?? 'all';
      if (!folders || (scope !== 'all' && scope !== 'own')) {
        response.sendStatus(404);
        return;
      }
      act(request, response, folders).catch((error: unknown) => answerError(RED, response, error));
    };

  RED.httpAdmin.get(
    '/lwm2m/:id/models',
    mayRead,
    withFolders(async (request, response, folders) => {
      const [own, all] = await Promise.all(
        (['own', 'all'] as const).map((scope) => filesOf(RED, String(request.params['id']), scope, folders)),
      );
      const answer: ModelsAnswer = { files: [...(own ?? []), ...(all ?? [])] };
      response.set('Cache-Control', 'no-store').json(answer);
    }),
  );
  RED.httpAdmin.post(
    '/lwm2m/:id/models/:scope',
    mayWrite,
    withFolders(async (request, response, folders) => {
      const stored = await storeModel(folders[request.params['scope'] as ModelScope], await bodyOf(request));
      const answer: UploadAnswer = { file: stored.file, objects: objectsOf(stored) };
      response.status(201).json(answer);
    }),
  );
  RED.httpAdmin.delete(
    '/lwm2m/:id/models/:scope/:file',
    mayWrite,
    withFolders(async (request, response, folders) => {
      const deleted = await deleteModel(folders[request.params['scope'] as ModelScope], String(request.params['file']));
      response.sendStatus(deleted ? 204 : 404);
    }),
  );
}

/** The files of a folder: as the server has them when it runs, else as they lie there. */
async function filesOf(RED: NodeAPI, id: string, scope: ModelScope, folders: Readonly<Record<ModelScope, string>>): Promise<ModelRow[]> {
  const node = RED.nodes.getNode(id) as ServerNode | null;
  const live = node?.type === 'lwm2m-server' ? node.live?.server : undefined;
  // A folder that is missing has no files.
  const files = live?.listening
    ? await live.modelFiles(scope)
    : await loadModels(folders[scope]).then(
        ({ files: found }) => found,
        () => [],
      );
  return files.map((one) => ({ scope, file: one.file, objects: objectsOf(one), ...(one.error && { error: one.error }) }));
}

function objectsOf({ objects }: ModelFile): ModelRow['objects'] {
  return objects.map(({ id, name, version }) => ({ id, name, version }));
}

class BodyTooLarge extends Error {}

/** The body, never more than one file may have. */
function bodyOf(request: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let size = 0;
    request.on('data', (piece: Buffer) => {
      size += piece.length;
      if (size > MAX_DDF_SIZE) {
        request.pause();
        reject(new BodyTooLarge(`the file is too large, ${MAX_DDF_SIZE} bytes are the most`));
      } else pieces.push(piece);
    });
    request.on('end', () => resolve(Buffer.concat(pieces)));
    request.on('error', reject);
    // After its end this changes nothing.
    request.on('close', () => reject(new Error('the upload was broken off')));
    // Another part of Node-RED read it already: it was not sent as a file.
    if (request.readableEnded) reject(new DdfError(1, 'the request has no file; send it as application/xml'));
  });
}

interface Answering {
  readonly headersSent: boolean;
  status(code: number): Answering;
  set(name: string, value: string): Answering;
  json(body: UploadAnswer): unknown;
}

function answerError(RED: NodeAPI, response: Answering, error: unknown): void {
  if (response.headersSent) return;
  if (error instanceof DdfError) {
    response.status(422).json({ error: { line: error.line, reason: error.reason } });
    return;
  }
  // What is left of the body is not read any more.
  if (error instanceof BodyTooLarge) response.set('Connection', 'close').status(413);
  else if (error instanceof RangeError || codeOf(error) === 'ENOSPC') response.status(507);
  else {
    RED.log.error(`lwm2m-server: ${reasonOf(error)}`);
    response.status(500);
  }
  response.json({ error: { line: 1, reason: reasonOf(error) } });
}
