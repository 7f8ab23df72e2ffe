import type { Node, NodeStatus } from 'node-red';

/** Every change of a badge goes to every open editor, so a busy node shows at most one in this time. Milliseconds. */
const interval = 500;

/** The badge of one node: set only when it changes, and not too often; the last one wins. */
export class StatusLine {
  private shown = '';
  private wanted: NodeStatus | undefined;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(private readonly node: Node) {}

  /** Shows the badge now, or as soon as the one before has stood long enough. */
  set(status: NodeStatus): void {
    if (this.closed) return;
    this.wanted = status;
    if (!this.timer) this.show();
  }

  /** Clears the badge; nothing is shown any more. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.node.status({});
  }

  private show(): void {
    this.timer = undefined;
    const status = this.wanted;
    this.wanted = undefined;
    if (!status) return;
    const text = JSON.stringify(status);
    if (text === this.shown) return;
    this.shown = text;
    this.node.status(status);
    this.timer = setTimeout(() => this.show(), interval);
  }
}
