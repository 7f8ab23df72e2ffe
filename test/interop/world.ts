/** A real Node-RED with a flow of our nodes: commands go in by HTTP, the events of `lwm2m-in` come out as lines of JSON on a TCP socket. */
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { NodeRed } from '../support/node-red';
import { freeUdpPort, startNodeRed } from '../support/node-red';
import { EventLog, lineSplitter } from './event-log';

/** A message of `lwm2m-in`, or what a command of `give` ended in, as the event 'answer'. */
export interface FlowEvent {
  readonly event: string;
  /** 'answer': the text of the command. */
  readonly command?: string;
  readonly endpoint: string;
  readonly topic: string;
  readonly payload: any;
  readonly lwm2m: any;
}

/** The answer of `lwm2m-rpc`, as JSON makes it: opaque is `{ type: 'Buffer', data }`. */
export interface RpcAnswer {
  readonly result: string;
  readonly value?: any;
  readonly error?: string;
  readonly lwm2m: any;
}

export interface World {
  /** UDP port of the LwM2M server. */
  readonly port: number;
  readonly nodeRed: NodeRed;
  readonly events: EventLog<FlowEvent>;
  /** Waits for an `lwm2m-in` message of this event and endpoint. */
  waitFor(event: string, endpoint: string, options?: WaitOptions): Promise<FlowEvent>;
  /** One command, as text (`Read {"id":"/3/0/9"}`) or `{ method, params }`. */
  rpc(endpoint: string, command: string | object): Promise<RpcAnswer>;
  /** Gives commands in this order and does not wait for them; what each ends in comes among the events, as 'answer'. */
  give(endpoint: string, commands: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

export interface WorldOptions {
  /** Settings of the `lwm2m-server` node beside those it needs. */
  readonly server?: Readonly<Record<string, unknown>>;
  /** The definition of a profile for every device. */
  readonly profile?: object;
}

export interface WaitOptions {
  readonly limit?: number;
  readonly from?: number;
  readonly matches?: (event: FlowEvent) => boolean;
}

const rpcLimit = 40_000;

/** Starts Node-RED with the server on a free port and resolves when events can come out. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const events = new EventLog<FlowEvent>();
  const sockets = new Set<Socket>();
  const sink = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on(
      'data',
      lineSplitter((line) => events.push(JSON.parse(line) as FlowEvent)),
    );
  });
  const sinkPort = await new Promise<number>((resolve, reject) => {
    sink.once('error', reject);
    sink.listen(0, '127.0.0.1', () => resolve((sink.address() as AddressInfo).port));
  });
  const closeSink = (): void => {
    sink.close();
    for (const socket of sockets) socket.destroy();
  };
  const port = await freeUdpPort();
  let nodeRed: NodeRed;
  try {
    nodeRed = await startNodeRed({ flow: flow(port, sinkPort, options) });
  } catch (error) {
    closeSink();
    throw error;
  }
  const stop = async (): Promise<void> => {
    await nodeRed.stop();
    closeSink();
  };
  try {
    // Until it is connected, the `tcp out` node drops what it gets.
    await nodeRed.waitFor(new RegExp(`connected to 127\\.0\\.0\\.1:${sinkPort}`, 'i'));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    nodeRed,
    events,
    waitFor: (event, endpoint, { matches = () => true, ...options } = {}) =>
      events.waitFor(
        (seen) => seen.event === event && seen.endpoint === endpoint && matches(seen),
        `"${event}" of ${endpoint} at lwm2m-in`,
        options,
      ),
    rpc: async (endpoint, command) => (await post(`${nodeRed.url}rpc`, { endpoint, command })) as RpcAnswer,
    give: async (endpoint, commands) => {
      await post(`${nodeRed.url}give`, { endpoint, commands });
    },
    stop,
  };
}

async function post(url: string, body: object): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(rpcLimit),
  });
  return response.json();
}

function flow(port: number, sinkPort: number, options: WorldOptions): object[] {
  const z = 'tab';
  return [
    { id: z, type: 'tab', label: 'interop' },
    // Without security, and any device may come: the clients under test are not in a device table.
    {
      ...{ id: 'server', type: 'lwm2m-server', name: 'interop', port, host: '' },
      ...{ unknownDevices: 'accept-without-security', devices: [], ...options.server },
    },
    ...(options.profile
      ? [{ id: 'profile', type: 'lwm2m-profile', name: 'Profile', server: 'server', isDefault: true, definition: options.profile }]
      : []),

    { id: 'in', type: 'lwm2m-in', z, server: 'server', endpoint: '', path: '', wires: [['line']] },
    {
      id: 'line',
      type: 'function',
      z,
      func: "return { payload: JSON.stringify({ event: msg.event, endpoint: msg.endpoint, topic: msg.topic, payload: msg.payload, lwm2m: msg.lwm2m }) + '\\n' };",
      wires: [['sink']],
    },
    {
      id: 'sink',
      type: 'tcp out',
      z,
      host: '127.0.0.1',
      port: String(sinkPort),
      beserver: 'client',
      base64: false,
      end: false,
      tls: '',
      wires: [],
    },

    { id: 'request', type: 'http in', z, url: '/rpc', method: 'post', upload: false, swaggerDoc: '', wires: [['command']] },
    {
      id: 'command',
      type: 'function',
      z,
      func: 'msg.endpoint = msg.payload.endpoint; msg.payload = msg.payload.command; return msg;',
      wires: [['rpc']],
    },
    { id: 'rpc', type: 'lwm2m-rpc', z, server: 'server', endpoint: '', operation: '', path: '', timeout: '15000', wires: [['answer']] },
    {
      id: 'answer',
      type: 'function',
      z,
      func: 'msg.payload = { ...msg.payload, lwm2m: msg.lwm2m }; return msg;',
      wires: [['response']],
    },
    { id: 'response', type: 'http response', z, statusCode: '', headers: {}, wires: [] },

    { id: 'given', type: 'http in', z, url: '/give', method: 'post', upload: false, swaggerDoc: '', wires: [['each']] },
    {
      id: 'each',
      type: 'function',
      z,
      outputs: 2,
      // The commands first: when the answer is there, they are with the server.
      func:
        'const { endpoint, commands } = msg.payload; ' +
        'for (const command of commands) node.send([{ endpoint, payload: command, command }, null]); return [null, { ...msg, payload: {} }];',
      wires: [['late'], ['response']],
    },
    { id: 'late', type: 'lwm2m-rpc', z, server: 'server', endpoint: '', operation: '', path: '', wires: [['late-line']] },
    {
      id: 'late-line',
      type: 'function',
      z,
      func: "const { command, endpoint, topic, payload, lwm2m } = msg; return { payload: JSON.stringify({ event: 'answer', command, endpoint, topic, payload, lwm2m }) + '\\n' };",
      wires: [['sink']],
    },
  ];
}
