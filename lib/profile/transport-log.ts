import type { Operation, OperationResult, Registration, ServerEvent } from '../server/types';
import { formatPath } from '../lwm2m/path';
import { diagnostic } from './results';

type Log = Extract<ServerEvent, { kind: 'log' }>;

/** Characters of an entry at most. */
const MAX_TEXT = 1024;
/** Entries of one server: so many at once, and then so many a second. What is more is left out, and counted. */
const BURST = 500;
const RATE = 50;
const MAX_LISTED = 10;

/**
 * What happens between the server and its devices, in words for who stands before one of them: `log` events. Neither values nor
 * credentials are in it.
 */
export class TransportLog {
  enabled = true;
  readonly #tell: (event: Log) => void;
  readonly #wall: () => number;
  #tokens = BURST;
  #filledAt: number;
  #leftOut = 0;

  constructor(options: { readonly tell: (event: Log) => void; /** Epoch ms. */ readonly wall: () => number }) {
    this.#tell = options.tell;
    this.#wall = options.wall;
    this.#filledAt = options.wall();
  }

  /** To be called after the event itself has been told of. */
  hear(event: ServerEvent): void {
    if (!this.enabled) return;
    switch (event.kind) {
      case 'registered':
        if (this.#room()) this.#log(event.registration, 'info', registeredText(event.registration));
        return;
      case 'updated': {
        const what = event.changed.length === 0 ? '' : `: ${event.changed.join(', ')}`;
        if (this.#room()) this.#log(event.registration, 'info', `Registration updated${what}.`);
        return;
      }
      case 'address-changed': {
        const { registration, from } = event;
        const now = `${registration.address}:${registration.port}`;
        if (this.#room()) this.#log(registration, 'info', `Goes on from ${now}; it was at ${from.address}:${from.port}.`);
        return;
      }
      case 'deregistered': {
        const text = event.reason === undefined ? 'Said good-bye.' : `Registration ended: ${event.reason}.`;
        if (this.#room()) this.#log(event.registration, 'info', text);
        return;
      }
      case 'expired': {
        const { lifetime } = event.registration;
        const text = `Not heard within its lifetime of ${lifetime} s: the registration is over.`;
        if (this.#room()) this.#log(event.registration, 'warn', text);
        return;
      }
      case 'awake':
        if (this.#room()) this.#log(event.registration, 'info', `Awake. ${waitingText(event.waiting, 'is', 'are')} sent to it now.`);
        return;
      case 'sleeping':
        if (this.#room()) this.#log(event.registration, 'info', `Asleep. ${waitingText(event.waiting, 'waits', 'wait')} for it.`);
        return;
      default:
    }
  }

  began(registration: Registration, operation: Operation): void {
    if (this.enabled && this.#room()) this.#log(registration, 'info', `Request: ${operationText(operation)}.`);
  }

  ended(registration: Registration, operation: Operation, result: OperationResult): void {
    if (!this.enabled || !this.#room()) return;
    const what = operationText(operation);
    if (result.kind === 'failed') {
      // What is said of a value that cannot be sent may hold it.
      const why = result.code === 'BAD_REQUEST' ? '' : ` ${result.error}`;
      this.#log(registration, 'warn', `Failed: ${what}: ${result.code}.${why}`);
      return;
    }
    const text = `${result.code} ${result.result}${diagnostic(result)}`;
    this.#log(registration, result.ok ? 'info' : 'warn', `Answer: ${what}: ${text} after ${Math.round(result.rtt)} ms.`);
  }

  /** Whether one more entry may be made; asked before its text is, for there may be thousands a second. */
  #room(): boolean {
    const at = this.#wall();
    this.#tokens = Math.min(BURST, this.#tokens + (Math.max(0, at - this.#filledAt) * RATE) / 1000);
    this.#filledAt = at;
    if (this.#tokens < 1) {
      this.#leftOut++;
      return false;
    }
    this.#tokens--;
    return true;
  }

  #log(registration: Registration, level: Log['level'], text: string): void {
    const lost = this.#leftOut === 0 ? '' : ` (${this.#leftOut} entries before this one, of all devices, were too many and are left out.)`;
    this.#leftOut = 0;
    this.#tell({ kind: 'log', at: this.#wall(), registration, level, text: cut(`${text}${lost}`), transport: true });
  }
}

function registeredText({ lwm2mVersion, lifetime, queueMode, address, port, objects }: Registration): string {
  const listed = objects
    .slice(0, MAX_LISTED)
    .map(({ objectId, instanceId }) => formatPath(instanceId === undefined ? [objectId] : [objectId, instanceId]));
  const more = objects.length > MAX_LISTED ? ` and ${objects.length - MAX_LISTED} more` : '';
  const life = lifetime === 0 ? 'no lifetime' : `a lifetime of ${lifetime} s`;
  return `Registered from ${address}:${port}: LwM2M ${lwm2mVersion}, ${life}${queueMode ? ', sleeps' : ''}. It has ${listed.join(', ')}${more}.`;
}

function waitingText(waiting: number, one: string, many: string): string {
  if (waiting === 0) return `No command ${one}`;
  return waiting === 1 ? `1 command ${one}` : `${waiting} commands ${many}`;
}

/** Without values: what is written may be secret. */
function operationText(operation: Operation): string {
  if ('paths' in operation) {
    const listed = operation.paths.slice(0, MAX_LISTED).map(({ ids }) => formatPath(ids));
    const more = operation.paths.length > MAX_LISTED ? ` and ${operation.paths.length - MAX_LISTED} more` : '';
    return `${operation.kind} ${listed.join(', ')}${more}`;
  }
  if (!('path' in operation)) return operation.kind;
  const attributes =
    operation.kind === 'WriteAttributes'
      ? ` ${operation.attributes.map(([name, value]) => (value === null ? `-${name}` : `${name}=${value}`)).join(' ')}`
      : '';
  return `${operation.kind} ${formatPath(operation.path.ids)}${attributes}`;
}

function cut(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT - 1)}…`;
}
