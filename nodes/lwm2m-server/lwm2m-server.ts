import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Node, NodeAPI, NodeDef } from 'node-red';
import { acquireServer } from '../../lib/index';
import type { LiveServer, ServerEvent } from '../../lib/index';
import { codeOf, reasonOf } from '../shared/fields';
import type { ServerNode, ServerState, ServerUser } from '../shared/types';
import { registerAdminRoutes } from './admin';
import { claim, unclaim } from './claims';
import { migrate } from './migrations';
import { modelFolders } from './models-admin';
import { serverOptions } from './options';
import { credentialDefinition } from './slots';
import type { ServerOptions, TlsNode } from './options';

/** A server that could not be opened is tried again after so many milliseconds, as the port may be free by then; the last one stays. */
const retryAfter = [500, 1_000, 2_000, 5_000];
/** Names in a warning; the rest is a number. */
const maxNamed = 10;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function init(RED: NodeAPI): void {
  registerAdminRoutes(RED);
  /** Where Node-RED keeps what is the user's; an embedded one may have no such folder, and then nothing outlives it. */
  const { userDir } = RED.settings as { userDir?: string };

  function Lwm2mServerNode(this: Writable<ServerNode>, def: NodeDef): void {
    RED.nodes.createNode(this, def);
    const listeners = new Map<string, { node: Node; user: ServerUser }>();
    let closed = false;
    /** The flows can take events. */
    let running = false;
    let unsubscribe = (): void => undefined;
    /** A call, since the compiler takes a variable for unchanged across an await. */
    const isClosed = (): boolean => closed;
    let retry: NodeJS.Timeout | undefined;
    let attempts = 0;
    let lastProblem = '';

    this.users = {};
    this.live = undefined;
    this.state = { kind: 'starting' };
    this.register = (node, user) => {
      this.users[node.id] = node;
      listeners.set(node.id, { node, user });
      tell(() => user.onState?.(this.state), node);
    };
    this.deregister = (node) => {
      Reflect.deleteProperty(this.users, node.id);
      listeners.delete(node.id);
    };

    const tell = (call: () => void, node: Node): void => {
      try {
        call();
      } catch (error) {
        node.error(error);
      }
    };
    const setState = (state: ServerState): void => {
      this.state = state;
      for (const { node, user } of [...listeners.values()]) tell(() => user.onState?.(state), node);
    };
    const onEvent = (event: ServerEvent): void => {
      if (event.kind === 'command') {
        const giver = listeners.get(event.origin?.nodeId ?? '');
        if (giver?.user.onCommand) {
          tell(() => giver.user.onCommand?.(event), giver.node);
          return;
        }
        // No node may be there that takes the event, and nothing should be lost in silence.
        const { endpoint, operation, result } = event;
        const facts = { endpoint, method: operation.kind, result: result.kind === 'answer' ? result.result : result.code };
        this.warn(RED._('lwm2m-server.warnings.commandEnded', facts));
      }
      for (const { node, user } of [...listeners.values()]) tell(() => user.onEvent?.(event), node);
    };

    const fail = (text: string): void => {
      // Each new attempt would say the same again.
      if (text !== lastProblem) this.error(text);
      lastProblem = text;
      setState({ kind: 'failed', text });
      retry = setTimeout(open, retryAfter[Math.min(attempts, retryAfter.length - 1)]);
      attempts++;
    };
    const open = (): void => {
      let options: ServerOptions;
      try {
        const settings = migrate(def);
        options = serverOptions(settings, this.credentials, tlsOf(RED, settings.tls));
      } catch (error) {
        fail(RED._('lwm2m-server.errors.setting', { reason: reasonOf(error) }));
        return;
      }
      const { name, port, securePort, host: hosts = [] } = options;
      const wishes = [port, ...(securePort === undefined ? [] : [securePort])];
      for (const [index, wish] of wishes.entries()) {
        const rival = claim({ id: this.id, index, name, port: wish, hosts });
        if (!rival) continue;
        unclaim(this.id);
        fail(RED._('lwm2m-server.errors.duplicate', { port: wish, first: rival.name, second: name }));
        return;
      }
      void run(options);
    };
    /** Never rejects. */
    const run = async (options: ServerOptions): Promise<void> => {
      let live: LiveServer | undefined;
      try {
        live = acquireServer(this.id, {
          ...options,
          ...(userDir && { storeDir: path.join(userDir, 'lwm2m', 'store'), storeId: this.id }),
          ...modelOptions(RED, this.id),
          onError: (error) => RED.log.error(`${options.name}: ${reasonOf(error)}`),
          onNotice: (text) => RED.log.warn(`${options.name}: ${text}`),
          onModelProblem: ({ file, line, reason }) => this.warn(RED._('lwm2m-server.errors.model', { file, line, reason })),
        });
        this.live = live;
        unsubscribe = live.server.subscribe(onEvent);
        if (running) live.server.resumeEvents();
        else live.server.pauseEvents();
        warnAbout('warnings.moved', live.displaced);
        await live.ready;
        warnAbout('warnings.unwelcome', live.server.unwelcome());
        if (isClosed()) return;
        attempts = 0;
        lastProblem = '';
        setState({ kind: 'listening', port: live.server.port });
      } catch (error) {
        if (isClosed()) return;
        this.live = undefined;
        unsubscribe();
        await live?.release(true).catch(() => undefined);
        unclaim(this.id);
        if (!isClosed()) fail(problemText(RED, error, options));
      }
    };

    /** A changed setting says which devices it affects. */
    const warnAbout = (text: string, endpoints: readonly string[]): void => {
      const count = endpoints.length;
      const names = endpoints.slice(0, maxNamed).join(', ') + (count > maxNamed ? ' …' : '');
      if (count > 0) this.warn(RED._(`lwm2m-server.${text}`, { count, names }));
    };
    const flowsStopping = (): void => {
      running = false;
      this.live?.server.pauseEvents();
    };
    const flowsStarted = (): void => {
      running = true;
      const lost = this.live?.server.resumeEvents() ?? 0;
      if (lost > 0) this.warn(RED._('lwm2m-server.errors.lost', { count: lost }));
    };
    RED.events.on('flows:stopping', flowsStopping);
    RED.events.on('flows:started', flowsStarted);

    this.on('close', (removed: boolean, done: () => void) => {
      closed = true;
      clearTimeout(retry);
      RED.events.off('flows:stopping', flowsStopping);
      RED.events.off('flows:started', flowsStarted);
      // Whoever comes next takes over what was not handed out.
      this.live?.server.pauseEvents();
      unsubscribe();
      unclaim(this.id);
      const released = this.live?.release(removed) ?? Promise.resolve();
      released.catch((error: unknown) => this.error(reasonOf(error))).finally(done);
    });

    open();
  }

  RED.nodes.registerType('lwm2m-server', Lwm2mServerNode as (this: Node, def: NodeDef) => void, { credentials: credentialDefinition });
}

/** The tls-config node of the dialog. Throws where there is none any more. */
function tlsOf(RED: NodeAPI, id: unknown): TlsNode | undefined {
  if (typeof id !== 'string' || id === '') return undefined;
  const node = RED.nodes.getNode(id) as (Node & TlsNode) | null;
  if (node?.type !== 'tls-config') throw new Error(RED._('lwm2m-server.errors.noTls'));
  return node;
}

/** Where the object definitions are: for all servers, and for this one. The first is made, so that people find it. */
function modelOptions(RED: NodeAPI, id: string): Pick<ServerOptions, 'modelsDir' | 'ownModelsDir'> {
  const folders = modelFolders(RED, id);
  if (!folders) return {};
  // Where it cannot be made, there is nothing to read either.
  mkdir(folders.all, { recursive: true }).catch(() => undefined);
  return { modelsDir: folders.all, ownModelsDir: folders.own };
}

/** Why the server could not be opened, and what to do, in plain words. */
function problemText(RED: NodeAPI, error: unknown, options: ServerOptions): string {
  // Of several addresses the one that cannot be had.
  const address = error instanceof Error && 'address' in error && typeof error.address === 'string' ? error.address : '';
  const host = options.host ? address || options.host.join(', ') : '';
  const port = error instanceof Error && 'port' in error && typeof error.port === 'number' ? error.port : options.port;
  const facts = { port, host, name: options.name, reason: reasonOf(error) };
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return RED._(`lwm2m-server.errors.${host ? 'inUseAt' : 'inUse'}`, facts);
    case 'EACCES':
      return RED._('lwm2m-server.errors.forbidden', facts);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return RED._('lwm2m-server.errors.noAddress', facts);
    default:
      return RED._('lwm2m-server.errors.other', facts);
  }
}

export = init;
