import type { Lwm2mServer, ServerEvent } from '../../lib/index';

/** Events kept while the flows stand still. */
const defaultLimit = 10_000;

/**
 * Stands between a live server and the flows: while they are being replaced it keeps the events, and hands them over in order once
 * the new flows run. It outlives the node, as the server does.
 */
export class EventGate {
  private kept: ServerEvent[] = [];
  private lost = 0;
  private listener: ((event: ServerEvent) => void) | undefined;
  private server: Lwm2mServer | undefined;
  private unsubscribe: () => void = () => undefined;

  constructor(private readonly limit = defaultLimit) {}

  /** Takes the events of this server, and no longer those of the one before. */
  attach(server: Lwm2mServer): void {
    if (server === this.server) return;
    this.detach();
    // What the server before reported is no longer so: its devices have to register again.
    this.lost += this.kept.length;
    server.countLost(this.kept.length);
    this.kept = [];
    this.server = server;
    this.unsubscribe = server.subscribe((event) => this.push(event));
  }

  detach(): void {
    this.unsubscribe();
    this.unsubscribe = () => undefined;
    this.server = undefined;
  }

  /** Hands over what was kept, then every event as it comes. Returns how many were lost because there were too many. */
  open(listener: (event: ServerEvent) => void): number {
    const { kept, lost } = this;
    this.kept = [];
    this.lost = 0;
    for (const event of kept) listener(event);
    this.listener = listener;
    return lost;
  }

  /** Keeps the events from now on. */
  shut(): void {
    this.listener = undefined;
  }

  private push(event: ServerEvent): void {
    if (this.listener) this.listener(event);
    else if (this.kept.length < this.limit) this.kept.push(event);
    else {
      this.lost++;
      this.server?.countLost(1);
    }
  }
}
