/** Runs flows with our nodes inside the test process. */
import type { Node, NodeAPI } from 'node-red';
import helper from 'node-red-node-test-helper';

export type Initializer = (RED: NodeAPI) => void;
/** A node of a flow, as in a flow file. */
export type FlowNode = Readonly<Record<string, unknown>> & { readonly id: string; readonly type: string };
/** A message whose properties a test may look at without asking. */
export type Message = { _msgid?: string; topic?: string; [property: string]: any };

helper.init(require.resolve('node-red'));

/** Mocha hooks: one HTTP server for the suite, no flow left behind by a test. */
export function useFlows(): void {
  before((done) => {
    helper.startServer(done);
  });
  after((done) => {
    helper.stopServer(done);
  });
  afterEach(async () => {
    await helper.unload();
  });
}

/** Every flow starts with a tab `flow`. */
export const tab: FlowNode = { id: 'flow', type: 'tab', label: 'test' };

/** Node-RED takes a node without a place for a configuration node. */
const placed = (flow: readonly FlowNode[]): FlowNode[] => [tab, ...flow.map((node) => ('z' in node ? { x: 0, y: 0, ...node } : node))];

export async function load(nodes: readonly Initializer[], flow: readonly FlowNode[]): Promise<void> {
  await helper.load(nodes as never, placed(flow));
}

/** Deploys another flow onto the running one. */
export async function redeploy(flow: readonly FlowNode[], kind: 'full' | 'nodes' | 'flows' = 'full'): Promise<void> {
  await helper.setFlows(placed(flow), kind);
}

export function getNode<T extends Node = Node>(id: string): T {
  return helper.getNode(id) as unknown as T;
}

export const request = (): ReturnType<typeof helper.request> => helper.request();

/** Everything that arrives at a `helper` node, now and later. */
export class Inbox {
  readonly messages: Message[] = [];
  private waiting: { count: number; resolve: () => void }[] = [];

  constructor(id: string) {
    getNode(id).on('input', (msg, _send, done) => {
      this.messages.push(msg as Message);
      this.waiting = this.waiting.filter(({ count, resolve }) => {
        if (this.messages.length < count) return true;
        resolve();
        return false;
      });
      done();
    });
  }

  /** The first `count` messages, once they are there. */
  async take(count: number): Promise<Message[]> {
    if (this.messages.length < count) await new Promise<void>((resolve) => this.waiting.push({ count, resolve }));
    return this.messages.slice(0, count);
  }

  /** The first message that fits. */
  async find(fits: (msg: Message) => boolean): Promise<Message> {
    for (let count = 1; ; count++) {
      const msg = (await this.take(count)).at(-1)!;
      if (fits(msg)) return msg;
    }
  }

  async first(): Promise<Message> {
    const [message] = await this.take(1);
    return message!;
  }
}

/** The badges a node showed, and a promise for the first one that fits. */
export class Badges {
  readonly texts: string[] = [];
  private waiting: { text: RegExp; resolve: () => void }[] = [];

  constructor(id: string) {
    const node = getNode(id);
    // The helper wraps `status` in a spy; what it was called with so far is in its record.
    const spy = node.status as unknown as { args?: [{ text?: string }][] };
    for (const [status] of spy.args ?? []) this.add(status.text);
    const original = node.status.bind(node);
    node.status = (status) => {
      original(status);
      this.add(typeof status === 'string' ? status : status.text);
    };
  }

  async seen(text: RegExp): Promise<void> {
    if (this.texts.some((shown) => text.test(shown))) return;
    await new Promise<void>((resolve) => this.waiting.push({ text, resolve }));
  }

  private add(text = ''): void {
    this.texts.push(text);
    for (const { text: wanted, resolve } of this.waiting) if (wanted.test(text)) resolve();
  }
}

/** Runs the queue of Node-RED empty: what was sent has arrived. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(() => setImmediate(resolve))));
}
