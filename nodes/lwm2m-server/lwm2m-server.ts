import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Node, NodeAPI, NodeDef } from 'node-red';
import { acquireServer } from '../../lib/index';
import type { LiveServer, ProfileSettings, ServerEvent } from '../../lib/index';
import { codeOf, reasonOf } from '../shared/fields';
import type { ServerNode, ServerState, ServerUser } from '../shared/types';
import { registerAdminRoutes } from './admin';
import { claim, unclaim } from './claims';
import { migrate } from './migrations';
import { modelFolders } from './models-admin';
import { serverOptions, tlsWithFiles } from './options';
import { conflictsOf, inOrder } from './profile-order';
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
    const profiles = new Map<string, { profile: ProfileSettings; onProblem: (problem: string | undefined) => void; node: Node }>();
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
    this.setProfile = (node, profile, onProblem) => void profiles.set(node.id, { node, profile, onProblem });
    this.removeProfile = (node) => void profiles.delete(node.id);

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

    const fail = (problem: Problem): void => {
      const { text, brief } = problemTexts(RED, problem);
      // Each new attempt would say the same again.
      if (text !== lastProblem) this.error(text);
      lastProblem = text;
      setState({ kind: 'failed', text, brief });
      retry = setTimeout(open, retryAfter[Math.min(attempts, retryAfter.length - 1)]);
      attempts++;
    };
    const open = (): void => {
      let options: ServerOptions;
      try {
        const settings = migrate(def);
        options = serverOptions(settings, this.credentials, tlsOf(RED, settings.tls));
      } catch (error) {
        fail(error instanceof TlsError ? { kind: error.kind } : { kind: 'setting', reason: reasonOf(error) });
        return;
      }
      const { name, port, securePort, host: hosts = [] } = options;
      const wishes = [port, ...(securePort === undefined ? [] : [securePort])];
      for (const [index, wish] of wishes.entries()) {
        const rival = claim({ id: this.id, index, name, port: wish, hosts });
        if (!rival) continue;
        unclaim(this.id);
        fail({ kind: 'duplicate', port: wish, first: rival.name, second: name });
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
        if (running) {
          useProfiles(live);
          live.server.resumeEvents();
        } else live.server.pauseEvents();
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
        if (!isClosed()) fail(problemOf(error, options));
      }
    };

    /** A changed setting says which devices it affects. */
    const warnAbout = (text: string, endpoints: readonly string[]): void => {
      const count = endpoints.length;
      const names = endpoints.slice(0, maxNamed).join(', ') + (count > maxNamed ? ' …' : '');
      if (count > 0) this.warn(RED._(`lwm2m-server.${text}`, { count, names }));
    };
    /** What profiles were warned about, which the next Deploy need not repeat. */
    let warned: readonly string[] = [];
    /** All at once, and only when all are there: one that a Deploy makes anew was never away. */
    const useProfiles = ({ server }: LiveServer): void => {
      const list = inOrder(Array.from(profiles.values(), ({ profile }) => profile));
      const wrong = new Map(server.setProfiles(list).map(({ id, error }) => [id, error]));
      const conflicts = conflictsOf(list).map(({ text, names, what }) => RED._(`lwm2m-server.profileConflict.${text}`, { names, what }));
      for (const text of conflicts) if (!warned.includes(text)) this.warn(text);
      warned = conflicts;
      for (const { node, profile, onProblem } of profiles.values()) tell(() => onProblem(wrong.get(profile.id)?.message), node);
    };
    const flowsStopping = (): void => {
      running = false;
      this.live?.server.pauseEvents();
    };
    const flowsStarted = (): void => {
      running = true;
      if (this.live) useProfiles(this.live);
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

/** The tls-config node that a server is to use is not there, or has not got its files. */
class TlsError extends Error {
  constructor(readonly kind: 'noTls' | 'badTls') {
    super(kind);
  }
}

/** The tls-config node of the dialog. Throws TlsError. */
function tlsOf(RED: NodeAPI, id: unknown): TlsNode | undefined {
  if (typeof id !== 'string' || id === '') return undefined;
  const node = RED.nodes.getNode(id) as (Node & TlsNode) | null;
  if (node?.type !== 'tls-config') throw new TlsError('noTls');
  if (node.valid === false) throw new TlsError('badTls');
  let def: Readonly<Record<string, unknown>> | undefined;
  RED.nodes.eachNode((each) => {
    if (each.id === id) def = each as unknown as Readonly<Record<string, unknown>>;
  });
  return tlsWithFiles(node, def);
}

/** Where the object definitions are: for all servers, and for this one. The first is made, so that people find it. */
function modelOptions(RED: NodeAPI, id: string): Pick<ServerOptions, 'modelsDir' | 'ownModelsDir'> {
  const folders = modelFolders(RED, id);
  if (!folders) return {};
  // Where it cannot be made, there is nothing to read either.
  mkdir(folders.all, { recursive: true }).catch(() => undefined);
  return { modelsDir: folders.all, ownModelsDir: folders.own };
}

/** Why the server could not be opened: `kind` is that of its texts, the rest goes into them. */
type Problem = { readonly kind: string } & Readonly<Record<string, string | number>>;

/** What is wrong and what to do, in plain words, and the same for a badge. */
function problemTexts(RED: NodeAPI, problem: Problem): { text: string; brief: string } {
  const text = (where: string): string => RED._(`lwm2m-server.${where}.${problem.kind}`, problem);
  return { text: text('errors'), brief: text('badges') };
}

function problemOf(error: unknown, options: ServerOptions): Problem {
  // Of several addresses the one that cannot be had.
  const address = error instanceof Error && 'address' in error && typeof error.address === 'string' ? error.address : '';
  const host = options.host ? address || options.host.join(', ') : '';
  const port = error instanceof Error && 'port' in error && typeof error.port === 'number' ? error.port : options.port;
  const facts = { port, host, name: options.name, reason: reasonOf(error) };
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return { kind: host ? 'inUseAt' : 'inUse', ...facts };
    case 'EACCES':
      return { kind: 'forbidden', ...facts };
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return { kind: 'noAddress', ...facts };
    default:
      return { kind: 'other', ...facts };
  }
}

export = init;
