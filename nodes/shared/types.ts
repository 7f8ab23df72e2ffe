/** What the nodes of this package know of each other at run time. */
import type { Node } from 'node-red';
import type { LiveServer, ProfileSettings, ServerEvent } from '../../lib/index';

/** How the server behind an `lwm2m-server` node is. `text` is plain words for a person, `brief` the same for a badge, both already translated. */
export type ServerState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'failed'; readonly text: string; readonly brief: string };

/** What a node that uses the server wants to hear. Listeners are called one after the other; one that throws harms nobody else. */
export interface ServerUser {
  /** Called at once with the present state, then at every change. */
  onState?(state: ServerState): void;
  onEvent?(event: ServerEvent): void;
  /** The result of a command that a node of this id gave before a restart. */
  onCommand?(event: Extract<ServerEvent, { kind: 'command' }>): void;
}

/** The `lwm2m-server` configuration node as the others see it. */
export interface ServerNode extends Node {
  /** Undefined while the server cannot be opened. */
  readonly live: LiveServer | undefined;
  readonly state: ServerState;
  /** Node-RED hands the status and errors of a configuration node on to the nodes in here, by id. */
  readonly users: Record<string, Node>;
  register(node: Node, user: ServerUser): void;
  deregister(node: Node): void;
  /**
   * A profile of the server from the next time that the flows have started: a Deploy, which makes its node anew, changes nothing by
   * itself. `onProblem` then hears what is wrong with it, in words, or undefined.
   */
  setProfile(node: Node, profile: ProfileSettings, onProblem: (problem: string | undefined) => void): void;
  removeProfile(node: Node): void;
}
