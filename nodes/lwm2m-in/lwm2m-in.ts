import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';
import { toMessage } from '../../lib/index';
import type { ServerEvent } from '../../lib/index';
import { reasonOf } from '../shared/fields';
import { StatusLine } from '../shared/status';
import type { ServerNode, ServerState } from '../shared/types';
import { eventFilter } from './filter';
import type { EventFilter } from './filter';
import { migrate } from './migrations';

/** Milliseconds. */
const failedShownFor = 15_000;

function init(RED: NodeAPI): void {
  function Lwm2mInNode(this: Node, def: NodeDef): void {
    RED.nodes.createNode(this, def);
    const settings = migrate(def);
    const status = new StatusLine(this);
    const server = RED.nodes.getNode(settings.server) as ServerNode | null;
    let filter: EventFilter;
    let failedShown: NodeJS.Timeout | undefined;
    /** For a while: a device that cannot connect is of more interest than how many could. */
    const showFailed = (reason: string): void => {
      status.set({
        fill: 'yellow',
        shape: 'ring',
        text: RED._('lwm2m-in.status.handshake', { reason: RED._(`lwm2m-in.handshake.${reason}`) }),
      });
      clearTimeout(failedShown);
      failedShown = setTimeout(() => server && showState(status, server.state, server), failedShownFor);
    };
    this.on('close', () => {
      clearTimeout(failedShown);
      server?.deregister(this);
      status.close();
    });
    if (!server) {
      status.set({ fill: 'red', shape: 'ring', text: 'lwm2m-in.status.noServer' });
      return;
    }
    try {
      filter = eventFilter(settings);
    } catch (error) {
      this.error(RED._('lwm2m-in.errors.setting', { reason: reasonOf(error) }));
      status.set({ fill: 'red', shape: 'ring', text: 'lwm2m-in.status.setting' });
      return;
    }

    server.register(this, {
      onState: (state) => showState(status, state, server),
      onEvent: (event) => {
        if (changesDevices(event)) showState(status, server.state, server);
        if (event.kind === 'log' && event.reason !== undefined) showFailed(event.reason);
        const wanted = filter(event);
        if (!wanted) return;
        const model = server.live?.server.model;
        this.send(toMessage(wanted, { instanceKeys: settings.instanceKeys, ...(model && { model }) }) as unknown as NodeMessage);
      },
    });
  }

  function showState(status: StatusLine, state: ServerState, server: ServerNode): void {
    switch (state.kind) {
      case 'starting':
        return status.set({ fill: 'yellow', shape: 'ring', text: 'lwm2m-in.status.starting' });
      case 'listening': {
        const count = server.live?.server.size ?? 0;
        return status.set({ fill: 'green', shape: 'dot', text: RED._('lwm2m-in.status.devices', { count }) });
      }
      case 'failed':
        return status.set({ fill: 'red', shape: 'ring', text: 'lwm2m-in.status.failed' });
    }
  }

  RED.nodes.registerType('lwm2m-in', Lwm2mInNode);
}

/** Whether an event can change the number of registered devices; notifications, by far the most, cannot. */
function changesDevices({ kind }: ServerEvent): boolean {
  return kind === 'registered' || kind === 'deregistered' || kind === 'expired' || kind === 'replaced';
}

export = init;
