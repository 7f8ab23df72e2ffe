import type { Node, NodeAPI, NodeDef, NodeMessage, NodeMessageInFlow } from 'node-red';
import { callerContext, describeKept, runCommand } from '../../lib/index';
import type { FailureCode, RpcResult } from '../../lib/index';
import { codeOf, reasonOf, textField } from '../shared/fields';
import { StatusLine } from '../shared/status';
import type { ServerNode, ServerState, ServerUser } from '../shared/types';
import { registerCommandRoute } from './admin';
import { commandOf, writesValue } from './command';
import { runOptions } from './options';
import { Deliveries } from './deliveries';
import type { Deliver, Waiting } from './deliveries';
import { contextOf, keptMessage } from './kept';
import { migrate } from './migrations';
import type { RpcSettings } from './migrations';

function init(RED: NodeAPI): void {
  const deliveries = new Deliveries(({ endpoint }, { payload }) => {
    RED.log.warn(RED._('lwm2m-rpc.errors.nodeGone', { endpoint, result: payload.result }));
  });
  // Registered by the nodes, so that a runtime without any has no listeners of ours; one of them holds for all.
  const flowsStopping = (): void => {
    if (deliveries.hold()) RED.events.once('flows:started', () => deliveries.release());
  };

  function Lwm2mRpcNode(this: Node, def: NodeDef): void {
    RED.nodes.createNode(this, def);
    const settings = migrate(def);
    const status = new StatusLine(this);
    const server = RED.nodes.getNode(settings.server) as ServerNode | null;
    const callbacks = new Map<Waiting, { send: (msg: NodeMessage) => void; done: (error?: Error) => void }>();

    const deliver: Deliver = (waiting, result) => {
      const { msg } = waiting;
      const { send, done } = callbacks.get(waiting) ?? {
        send: (message: NodeMessage) => this.send(message),
        done: (error?: Error) => error && this.error(error, msg),
      };
      callbacks.delete(waiting);
      let error = result.failure === undefined ? undefined : failureError(result.failure, result);
      if (callbacks.size > 0 || queued() > 0) showWaiting();
      else showResult(status, result, Date.now() - waiting.since);
      const answer = withResult(msg, {
        payload: result.payload,
        topic: `${waiting.endpoint}${result.path ?? ''}`,
        endpoint: waiting.endpoint,
        lwm2m: result.meta,
      });
      // Sending copies the message for a second wire, and what a flow put into it may refuse that. It must not end Node-RED.
      try {
        if (!error || settings.failures !== 'catch') send(answer);
      } catch (cause) {
        error ??= Object.assign(new Error(RED._('lwm2m-rpc.errors.notSent', { reason: reasonOf(cause) })), { code: 'BAD_REQUEST' });
      }
      try {
        done(error);
      } catch (cause) {
        this.error(RED._('lwm2m-rpc.errors.notSent', { reason: reasonOf(cause) }));
      }
    };
    /** Commands of this node that wait for a sleeping device, those from before a Deploy or a restart among them. */
    const queued = (): number => server?.live?.server.waitingOf(this.id) ?? 0;
    const showWaiting = (): void => {
      const count = queued();
      const text = count > 0 ? RED._('lwm2m-rpc.status.queued', { count }) : RED._('lwm2m-rpc.status.waiting', { count: callbacks.size });
      status.set({ fill: 'blue', shape: 'ring', text });
    };
    const onCommand: ServerUser['onCommand'] = (event) => {
      const msg = keptMessage(callerContext(event));
      const waiting: Waiting = { nodeId: this.id, msg, endpoint: event.endpoint, since: Date.now() };
      deliveries.settle(waiting, describeKept(event, server?.live ? { model: server.live.server.model } : {}));
    };
    const onEvent: ServerUser['onEvent'] = ({ kind }) => {
      if ((kind === 'awake' || kind === 'sleeping') && callbacks.size + queued() > 0) showWaiting();
    };

    deliveries.open(this.id, deliver);
    RED.events.on('flows:stopping', flowsStopping);
    if (server)
      server.register(this, {
        onState: (state) => (state.kind === 'listening' && queued() > 0 ? showWaiting() : showState(status, state)),
        onEvent,
        onCommand,
      });
    else status.set({ fill: 'red', shape: 'ring', text: 'lwm2m-rpc.status.noServer' });

    this.on('input', (msg, send, done) => {
      const endpoint = textField(settings.endpoint) || endpointOf(msg);
      if (callsBack(msg)) {
        // Each of them has its message, with the result CANCELLED.
        server?.live?.server.cancelWaitingOf(this.id, endpoint === '' ? undefined : endpoint);
        done();
        return;
      }
      const waiting: Waiting = { nodeId: this.id, msg, endpoint, since: Date.now() };
      callbacks.set(waiting, { send, done });
      showWaiting();
      void perform(RED, this, settings, server, waiting, showWaiting).then((result) => deliveries.settle(waiting, result));
    });

    this.on('close', () => {
      deliveries.close(this.id, deliver);
      RED.events.off('flows:stopping', flowsStopping);
      server?.deregister(this);
      status.close();
    });
  }

  RED.nodes.registerType('lwm2m-rpc', Lwm2mRpcNode);
  registerCommandRoute(RED);
}

/** The message with its result; a message that takes no new properties (sealed, frozen, guarded by setters) goes on as a copy. */
function withResult(msg: NodeMessageInFlow, properties: object): NodeMessage {
  try {
    return Object.assign(msg, properties);
  } catch {
    return { _msgid: msg._msgid, ...properties };
  }
}

/** Asks the device. Never rejects: whatever goes wrong is a result. */
async function perform(
  RED: NodeAPI,
  node: Node,
  settings: RpcSettings,
  server: ServerNode | null,
  { nodeId, msg, endpoint }: Waiting,
  /** It has been sent, or waits. */
  underWay: () => void,
): Promise<RpcResult> {
  try {
    if (endpoint === '') return failed('BAD_REQUEST', RED._('lwm2m-rpc.errors.noEndpoint'));
    if (!server) return failed('CLOSED', RED._('lwm2m-rpc.errors.noServer'));
    const value = writesValue(settings.operation) ? await evaluate(RED, node, settings, msg) : undefined;
    const command = commandOf(settings, msg.payload, value);
    // Right after a start it still reads what it kept, and knows no device before it is open.
    if (server.state.kind === 'starting') await server.live?.ready.catch(() => undefined);
    if (!server.live) {
      return failed('CLOSED', server.state.kind === 'failed' ? server.state.text : RED._('lwm2m-rpc.errors.notOpen'));
    }
    const origin = { nodeId, context: contextOf(msg) };
    const result = runCommand(server.live.server, endpoint, command, { ...runOptions(settings), origin });
    underWay();
    return await result;
  } catch (error) {
    return failed((codeOf(error) || 'BAD_REQUEST') as FailureCode, reasonOf(error));
  }
}

function failed(code: FailureCode, error: string): RpcResult {
  return { payload: { result: code, error }, failure: code, meta: { at: Date.now(), failure: code, warnings: [] } };
}

/** The value field of the dialog. Rejects with the error of a JSONata expression, or of JSON that is none. */
function evaluate(RED: NodeAPI, node: Node, { value, valueType }: RpcSettings, msg: NodeMessage): Promise<unknown> {
  return new Promise((resolve, reject) => {
    RED.util.evaluateNodeProperty(value, valueType, node, msg, (error: Error | null, result: unknown) =>
      error ? reject(error) : resolve(result),
    );
  });
}

/** As with the nodes of Node-RED that hold messages. A `false` asks for nothing. */
function callsBack(msg: NodeMessage): boolean {
  const { reset } = msg as { readonly reset?: unknown };
  return reset !== undefined && reset !== false;
}

/** The name as it came: blanks may be part of it. */
function endpointOf({ endpoint }: NodeMessage): string {
  return typeof endpoint === 'string' ? endpoint : '';
}

function failureError(code: FailureCode, { payload }: RpcResult): Error {
  return Object.assign(new Error(payload.error ?? code), { code });
}

function showState(status: StatusLine, state: ServerState): void {
  if (state.kind === 'failed') status.set({ fill: 'red', shape: 'ring', text: state.brief });
  else if (state.kind === 'starting') status.set({ fill: 'yellow', shape: 'ring', text: 'lwm2m-rpc.status.starting' });
  else status.set({});
}

function showResult(status: StatusLine, { failure, payload, meta }: RpcResult, milliseconds: number): void {
  if (failure !== undefined) return status.set({ fill: 'red', shape: 'ring', text: failure });
  // The device answered: green for a success, yellow for its own refusal (4.xx, 5.xx).
  const refused = typeof meta['code'] === 'string' && !meta['code'].startsWith('2');
  status.set({ fill: refused ? 'yellow' : 'green', shape: 'dot', text: `${payload.result} ${milliseconds} ms` });
}

export = init;
