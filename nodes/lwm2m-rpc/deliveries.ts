import type { NodeMessageInFlow } from 'node-red';
import type { RpcResult } from '../../lib/index';

/** One command on its way: plain data, so that it outlives the node that took it. */
export interface Waiting {
  readonly nodeId: string;
  readonly msg: NodeMessageInFlow;
  readonly endpoint: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** How a node takes the result of a command, whoever sent it. */
export type Deliver = (waiting: Waiting, result: RpcResult) => void;

/**
 * Brings results to the node that is open under the id of the one that sent the command: a Deploy makes a new one. While the flows
 * are being replaced, results wait for it.
 */
export class Deliveries {
  readonly #open = new Map<string, Deliver>();
  #held: { readonly waiting: Waiting; readonly result: RpcResult }[] | undefined;
  readonly #lost: Deliver;

  /** `lost` hears of results whose node is gone for good. */
  constructor(lost: Deliver) {
    this.#lost = lost;
  }

  open(id: string, deliver: Deliver): void {
    this.#open.set(id, deliver);
  }

  /** `deliver` tells the node that closes from its successor. */
  close(id: string, deliver: Deliver): void {
    if (this.#open.get(id) === deliver) this.#open.delete(id);
  }

  settle(waiting: Waiting, result: RpcResult): void {
    const deliver = this.#open.get(waiting.nodeId);
    if (this.#held) this.#held.push({ waiting, result });
    else if (deliver) deliver(waiting, result);
    else this.#lost(waiting, result);
  }

  /** The flows are stopping: from now on results wait. False when they do already. */
  hold(): boolean {
    if (this.#held) return false;
    this.#held = [];
    return true;
  }

  /** The flows have started: what waited goes out, in order. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const { waiting, result } of held) this.settle(waiting, result);
  }
}
