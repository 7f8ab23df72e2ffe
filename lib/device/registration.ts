import type { Core } from '../transport/types';
import type { DeviceState, Lwm2mVersion } from './types';

/** A request of the registration interface; always confirmable. */
export interface OutgoingRequest {
  readonly method: 'POST' | 'DELETE';
  readonly path: readonly string[];
  readonly query: readonly string[];
  /** Link format. */
  readonly payload?: string;
}

/** How a request ended; that no answer came the registration sees for itself. */
export type Outcome =
  | { readonly kind: 'response'; readonly code: string; readonly location: readonly string[]; readonly diagnostic: string }
  | { readonly kind: 'reset' }
  | { readonly kind: 'failed'; readonly error: Error };

/** What the registration needs done. `open` is answered by `opened` or `failed`, `send` by `outcome`. */
export interface RegistrationPort {
  /** Finds the server's address and opens a socket, in place of one that may be open. */
  open(): void;
  send(request: OutgoingRequest): void;
  /** The answer to the request under way is of no interest any more. */
  abort(): void;
  state(state: DeviceState, detail?: string): void;
  /** The server knows nothing of this device any more, nor of its observations. */
  forget(): void;
  lifetime(): number;
  links(): string;
}

export interface RegistrationOptions {
  readonly endpoint: string;
  readonly version: Lwm2mVersion;
  readonly binding: 'U' | 'UQ';
}

/** ACK_TIMEOUT * (2^4 - 1) * ACK_RANDOM_FACTOR: three retransmissions, then the server counts as unreachable. */
const GIVE_UP_MS = 45_000;
const FIRST_RETRY_MS = 5_000;
const LONGEST_RETRY_MS = 60_000;
const LEAVE_MS = 2_000;
const REBOOT_MS = 2_000;
/** The part of the lifetime after which an Update goes out; the rest is for retransmissions. */
const UPDATE_AFTER = 0.8;

type Phase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'opening' }
  | { readonly kind: 'registering'; readonly until: number }
  | { readonly kind: 'registered'; readonly updateAt: number }
  | { readonly kind: 'updating'; readonly until: number }
  /** Until then nothing is sent; `reopen`: with a new look-up of the address. */
  | { readonly kind: 'waiting'; readonly until: number; readonly reopen: boolean }
  | { readonly kind: 'leaving'; readonly until: number };

/** Register, Update and De-register (Core TS 1.1.1 6.2) as a state machine. All times monotonic ms. */
export class Registration implements Core {
  private phase: Phase = { kind: 'idle' };
  private location: readonly string[] = [];
  private retry = FIRST_RETRY_MS;
  private told = { lifetime: 0, links: '' };
  private again = false;
  private left: (() => void) | undefined;

  constructor(
    private readonly options: RegistrationOptions,
    private readonly port: RegistrationPort,
  ) {}

  start(): void {
    if (this.phase.kind !== 'idle') return;
    this.retry = FIRST_RETRY_MS;
    this.open();
  }

  /** De-registers if registered; `done` is called when it is over, after 2 s at the latest. */
  stop(now: number, done: () => void): void {
    const { kind } = this.phase;
    if (kind === 'idle') {
      done();
      return;
    }
    this.left = done;
    this.port.abort();
    if (kind !== 'registered' && kind !== 'updating') {
      this.finish();
      return;
    }
    this.phase = { kind: 'leaving', until: now + LEAVE_MS };
    this.port.send({ method: 'DELETE', path: this.location, query: [] });
  }

  opened(now: number): void {
    if (this.phase.kind === 'opening') this.register(now);
  }

  failed(now: number, error: Error): void {
    if (this.phase.kind === 'opening') this.later(now, 'unreachable', error.message, true);
  }

  outcome(now: number, outcome: Outcome): void {
    switch (this.phase.kind) {
      case 'registering':
        this.registerEnded(now, outcome);
        break;
      case 'updating':
        this.updateEnded(now, outcome);
        break;
      case 'leaving':
        this.finish();
        break;
      case 'idle':
      case 'opening':
      case 'registered':
      case 'waiting':
        break;
      default:
        this.phase satisfies never;
    }
  }

  /** Tells the server now: because it asked, or because lifetime or objects have changed. */
  update(now: number): void {
    if (this.phase.kind === 'updating') this.again = true;
    if (this.phase.kind === 'registered') this.sendUpdate(now);
  }

  /** The device restarts: it is silent for 2 s and registers anew. */
  reboot(now: number, reopen = false): void {
    if (this.phase.kind === 'idle' || this.phase.kind === 'leaving' || this.phase.kind === 'opening') return;
    this.port.abort();
    this.port.forget();
    this.port.state('registering', 'restarting');
    this.phase = { kind: 'waiting', until: now + REBOOT_MS, reopen };
  }

  advance(now: number): void {
    const { phase } = this;
    if (now < this.deadline()) return;
    switch (phase.kind) {
      case 'registering':
      case 'updating':
        this.port.abort();
        this.later(now, 'unreachable', 'no answer', true);
        break;
      case 'registered':
        this.sendUpdate(now);
        break;
      case 'waiting':
        if (phase.reopen) this.open();
        else this.register(now);
        break;
      case 'leaving':
        this.port.abort();
        this.finish();
        break;
      case 'idle':
      case 'opening':
        break;
      default:
        phase satisfies never;
    }
  }

  deadline(): number {
    const { phase } = this;
    switch (phase.kind) {
      case 'registering':
      case 'updating':
      case 'waiting':
      case 'leaving':
        return phase.until;
      case 'registered':
        return phase.updateAt;
      case 'idle':
      case 'opening':
        return Infinity;
      default:
        return phase satisfies never;
    }
  }

  private open(): void {
    this.phase = { kind: 'opening' };
    this.port.state('resolving');
    this.port.open();
  }

  private register(now: number): void {
    const { endpoint, version, binding } = this.options;
    // Core TS 1.1.1 6.2.1: since 1.1 queue mode is a flag of its own.
    const mode = version === '1.0' ? [`b=${binding}`] : binding === 'UQ' ? ['b=U', 'Q'] : ['b=U'];
    this.told = { lifetime: this.port.lifetime(), links: this.port.links() };
    this.again = false;
    this.port.forget();
    this.phase = { kind: 'registering', until: now + GIVE_UP_MS };
    this.port.state('registering');
    this.port.send({
      method: 'POST',
      path: ['rd'],
      query: [`ep=${endpoint}`, `lt=${this.told.lifetime}`, `lwm2m=${version}`, ...mode],
      payload: this.told.links,
    });
  }

  private registerEnded(now: number, outcome: Outcome): void {
    switch (outcome.kind) {
      case 'response':
        if (outcome.code === '2.01' && outcome.location.length > 0) {
          this.location = outcome.location;
          this.settled(now);
        } else this.later(now, 'refused', [outcome.code, outcome.diagnostic].join(' ').trim(), false);
        break;
      case 'reset':
        this.later(now, 'refused', 'reset', false);
        break;
      case 'failed':
        this.later(now, 'unreachable', outcome.error.message, true);
        break;
      default:
        outcome satisfies never;
    }
  }

  private sendUpdate(now: number): void {
    const lifetime = this.port.lifetime();
    const links = this.port.links();
    const query = lifetime === this.told.lifetime ? [] : [`lt=${lifetime}`];
    const payload = links === this.told.links ? {} : { payload: links };
    this.told = { lifetime, links };
    this.again = false;
    this.phase = { kind: 'updating', until: now + GIVE_UP_MS };
    this.port.state('updating');
    this.port.send({ method: 'POST', path: this.location, query, ...payload });
  }

  private updateEnded(now: number, outcome: Outcome): void {
    switch (outcome.kind) {
      case 'response':
        if (outcome.code === '2.04') this.settled(now);
        // The server has lost or ended the registration.
        else if (outcome.code === '4.04') this.register(now);
        else this.later(now, 'refused', [outcome.code, outcome.diagnostic].join(' ').trim(), false);
        break;
      case 'reset':
        this.register(now);
        break;
      case 'failed':
        this.later(now, 'unreachable', outcome.error.message, true);
        break;
      default:
        outcome satisfies never;
    }
  }

  private settled(now: number): void {
    this.retry = FIRST_RETRY_MS;
    this.phase = { kind: 'registered', updateAt: now + this.told.lifetime * UPDATE_AFTER * 1000 };
    this.port.state('registered');
    if (this.again) this.sendUpdate(now);
  }

  private later(now: number, state: 'refused' | 'unreachable', detail: string, reopen: boolean): void {
    this.phase = { kind: 'waiting', until: now + this.retry, reopen };
    this.retry = Math.min(this.retry * 2, LONGEST_RETRY_MS);
    this.port.state(state, detail);
  }

  private finish(): void {
    this.phase = { kind: 'idle' };
    this.location = [];
    this.port.state('stopped');
    const done = this.left;
    this.left = undefined;
    done?.();
  }
}
