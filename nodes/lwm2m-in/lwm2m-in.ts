import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';
import { toKeyMessages, toMessage } from '../../lib/index';
import type { ServerEvent } from '../../lib/index';
import { reasonOf } from '../shared/fields';
import { StatusLine } from '../shared/status';
import type { ServerNode, ServerState } from '../shared/types';
import { eventFilter } from './filter';
import type { EventFilter } from './filter';
import { migrate } from './migrations';

/** Milliseconds. */
const failedShownFor = 15_000;
/** Devices whose last values are sent in one turn of the event loop. */
const devicesPerTurn = 50;

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
    let { startValues } = settings;
    let started = false;
    let onStarted = (): void => undefined;
    const flowsStarted = (): void => onStarted();
    RED.events.on('flows:started', flowsStarted);
    let turn: NodeJS.Immediate | undefined;
    this.on('close', () => {
      clearTimeout(failedShown);
      clearImmediate(turn);
      RED.events.off('flows:started', flowsStarted);
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

    const tell = (event: ServerEvent): void => {
      const wanted = filter(event);
      if (!wanted) return;
      const model = server.live?.server.model;
      const keyed = settings.messagePer === 'key' && (wanted.kind === 'telemetry' || wanted.kind === 'attributes');
      const options = { instanceKeys: settings.instanceKeys, ...(model && { model }) };
      for (const msg of keyed ? toKeyMessages(wanted) : [toMessage(wanted, options)]) this.send(msg as unknown as NodeMessage);
    };
    /** The last known values of all registered devices, once. */
    const tellValues = (): void => {
      const running = server.live?.server;
      if (!startValues || !started || !running || server.state.kind !== 'listening') return;
      startValues = false;
      const waiting = running.registrations().map(({ endpoint }) => endpoint);
      const next = (): void => {
        for (const endpoint of waiting.splice(0, devicesPerTurn)) for (const event of running.currentValues(endpoint)) tell(event);
        if (waiting.length > 0) turn = setImmediate(next);
      };
      next();
    };
    onStarted = () => {
      started = true;
      tellValues();
    };

    server.register(this, {
      onState: (state) => {
        showState(status, state, server);
        tellValues();
      },
      onEvent: (event) => {
        if (changesDevices(event)) showState(status, server.state, server);
        if (event.kind === 'log' && event.reason !== undefined) showFailed(event.reason);
        tell(event);
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
        return status.set({ fill: 'red', shape: 'ring', text: state.brief });
    }
  }

  RED.nodes.registerType('lwm2m-in', Lwm2mInNode);
}

/** Whether an event can change the number of registered devices; notifications, by far the most, cannot. */
function changesDevices({ kind }: ServerEvent): boolean {
  return kind === 'registered' || kind === 'deregistered' || kind === 'expired' || kind === 'replaced';
}

export = init;
