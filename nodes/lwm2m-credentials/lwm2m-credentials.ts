import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';
import type { DeviceEntry, Lwm2mServer } from '../../lib/index';
import { codeOf, reasonOf, textField } from '../shared/fields';
import { StatusLine } from '../shared/status';
import type { ServerNode, ServerState } from '../shared/types';
import { migrate } from './migrations';

/** What `msg.topic` may say. */
const actions = ['add', 'replace', 'remove', 'list'] as const;
type Action = (typeof actions)[number];

function init(RED: NodeAPI): void {
  function Lwm2mCredentialsNode(this: Node, def: NodeDef): void {
    RED.nodes.createNode(this, def);
    const settings = migrate(def);
    const status = new StatusLine(this);
    const server = RED.nodes.getNode(settings.server) as ServerNode | null;
    this.on('close', () => {
      server?.deregister(this);
      status.close();
    });
    if (!server) {
      status.set({ fill: 'red', shape: 'ring', text: 'lwm2m-credentials.status.noServer' });
      return;
    }
    server.register(this, { onState: (state) => showState(status, state, server) });

    this.on('input', (msg: NodeMessage, send, done) => {
      try {
        const live = server.live?.server;
        if (!live) throw new Error(RED._('lwm2m-credentials.errors.notRunning'));
        const action = actionOf(textField(msg.topic));
        msg.payload = act(live, action, msg.payload);
        send(msg);
        showState(status, server.state, server);
        done();
      } catch (error) {
        // A Catch node gets the message, and need not know the key, nor what was taken for a public one.
        msg.payload = withoutKeys(msg.payload, textField(msg.topic));
        const failed = Object.assign(new Error(reasonOf(error)), { code: codeOf(error) || 'BAD_ENTRY' });
        status.set({ fill: 'yellow', shape: 'ring', text: failed.code });
        done(failed);
      }
    });
  }

  function actionOf(topic: string): Action {
    const action = actions.find((each) => each === topic);
    if (!action) throw new Error(RED._('lwm2m-credentials.errors.topic', { topic: topic.slice(0, 40) }));
    return action;
  }

  function showState(status: StatusLine, state: ServerState, server: ServerNode): void {
    switch (state.kind) {
      case 'starting':
        return status.set({ fill: 'yellow', shape: 'ring', text: 'lwm2m-credentials.status.starting' });
      case 'listening': {
        const count = server.live?.server.knownDevices().length ?? 0;
        return status.set({ fill: 'green', shape: 'dot', text: RED._('lwm2m-credentials.status.devices', { count }) });
      }
      case 'failed':
        return status.set({ fill: 'red', shape: 'ring', text: state.brief });
    }
  }

  RED.nodes.registerType('lwm2m-credentials', Lwm2mCredentialsNode);
}

/** What goes out as payload: the device, or all of them; never a key. Throws what the server throws. */
function act(server: Lwm2mServer, action: Action, payload: unknown): unknown {
  switch (action) {
    case 'add':
      return server.addDevice(payload as DeviceEntry);
    case 'replace':
      return server.replaceDevice(payload as DeviceEntry);
    case 'remove': {
      const endpoint = textField(isEndpoint(payload) ? payload.endpoint : payload);
      server.removeDevice(endpoint);
      return { endpoint };
    }
    case 'list':
      return server.knownDevices();
  }
}

/** What of a device may be shown. Under any other name a key may stand, also in one that was mistyped. */
const openFields = ['endpoint', 'mode', 'identity', 'name', 'timeout', 'awakeWindow', 'edrxCycle', 'disabled', 'profile'];

/** Text is the name of a device to be removed; any other may be a device in JSON, or the key itself. */
function withoutKeys(payload: unknown, topic: string): unknown {
  if (typeof payload === 'string') return topic === 'remove' && !payload.includes('{') ? payload : '';
  if (typeof payload !== 'object' || payload === null) return payload;
  if (Array.isArray(payload)) return payload.map((each) => withoutKeys(each, topic));
  return Object.fromEntries(Object.entries(payload).filter(([name, value]) => openFields.includes(name) && typeof value !== 'object'));
}

function isEndpoint(value: unknown): value is { readonly endpoint: unknown } {
  return typeof value === 'object' && value !== null && 'endpoint' in value;
}

export = init;
