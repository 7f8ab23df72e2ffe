/** The command box of the dialog: one command, done at once by a deployed server. */
import type { NodeAPI } from 'node-red';
import { commandHelp, runCommand } from '../../lib/index';
import type { TryAnswer } from '../shared/admin-types';
import { textField } from '../shared/fields';
import type { ServerNode } from '../shared/types';
import type { RpcSettings } from './migrations';
import { runOptions } from './options';

/** Commands change devices, so reading the editor is not enough. */
const writePermission = 'lwm2m.write';
/** Milliseconds: a person waits. */
const patience = 30_000;

/** POST lwm2m/<server id>/command with `{ endpoint, command, settings }`. */
export function registerCommandRoute(RED: NodeAPI): void {
  RED.httpAdmin.post('/lwm2m/:id/command', RED.auth.needsPermission(writePermission), (request, response) => {
    const body: unknown = request.body;
    void tryCommand(RED, String(request.params['id']), typeof body === 'object' && body !== null ? body : {}).then((answer) =>
      response.json(answer),
    );
  });
}

/** Never rejects. */
async function tryCommand(RED: NodeAPI, id: string, { endpoint, command, settings }: Body): Promise<TryAnswer> {
  const text = textField(command);
  if (/^help$/i.test(text)) return { help: commandHelp() };
  const node = RED.nodes.getNode(id) as ServerNode | null;
  if (node?.type !== 'lwm2m-server' || !node.live) return { deployed: false };
  const given = typeof settings === 'object' && settings !== null ? settings : {};
  const options = { ...runOptions(given as RpcSettings), timeout: patience };
  const { payload, meta } = await runCommand(node.live.server, textField(endpoint), text, options);
  return { payload, warnings: (meta['warnings'] as readonly string[] | undefined) ?? [] };
}

interface Body {
  readonly endpoint?: unknown;
  readonly command?: unknown;
  readonly settings?: unknown;
}
