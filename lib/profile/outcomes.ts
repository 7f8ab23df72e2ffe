import { isWithin, parsePath } from '../lwm2m/path';
import type { DataNode } from '../lwm2m/types';
import type { OperationResult, Registration } from '../server/types';
import type { Applied } from './applied';
import type { ProfileHost } from './host';
import type { Plan } from './plan';
import { diagnostic, whyNot } from './results';
import { stepText, type ProfileStep } from './steps';
import type { Profile } from './types';

/** So many requests in a row without an acknowledgement, and the device is left alone until it is heard. */
const MAX_SILENT = 2;

/** A device that has a profile, or had one. */
export interface Device {
  readonly endpoint: string;
  registrationId: string;
  /** The profile it has, as of that `version` of the profiles. */
  present: Profile | undefined;
  version: number;
  /** The one its plan is of. */
  profile: Profile | undefined;
  applied: Applied | undefined;
  /** What it observed before it registered anew: not to be asked for twice. */
  before: ReadonlySet<string>;
  /** `waiting`: for its turn; `running`: asked; `parked`: until it is heard. */
  state: 'idle' | 'waiting' | 'running' | 'parked';
  plan: Plan | undefined;
  /** Something changed while it was asked. */
  stale: boolean;
  silent: number;
  done: number;
  /** How often each request, as text, came to nothing because the device was silent. */
  silences: Map<string, number>;
  /** Requests whose turn comes after all others, and whether it has come: then silence is an answer. */
  later: Set<string>;
  last: boolean;
  /** It was silent to a composite, and to all since: it may be out of reach, and not be without composites. */
  doubted: boolean;
}

export function newDevice({ endpoint, id }: Registration): Device {
  return {
    endpoint,
    registrationId: id,
    present: undefined,
    version: 0,
    profile: undefined,
    applied: undefined,
    before: new Set(),
    state: 'idle',
    plan: undefined,
    stale: false,
    silent: 0,
    done: 0,
    silences: new Map(),
    later: new Set(),
    last: false,
    doubted: false,
  };
}

/** What a device was silent to it is asked once more: it may have been out of reach for a while. */
export function forgetSilence(device: Device): void {
  device.silent = 0;
  device.silences.clear();
  device.later.clear();
  device.last = false;
  if (device.doubted && device.applied) device.applied.single = false;
  device.doubted = false;
}

/** The request that is next; one that came to nothing is after the others. */
export function nextOf(device: Device, steps: readonly ProfileStep[]): ProfileStep | undefined {
  if (device.later.size === 0) return steps[0];
  const next = steps.find((step) => !device.later.has(stepText(step)));
  if (next) return next;
  device.later.clear();
  device.last = true;
  return steps[0];
}

/** The device is heard again: in order, but for what it was silent to twice. */
export function askAgain(device: Device): void {
  device.last = false;
  device.later = new Set([...device.silences].flatMap(([text, times]) => (times > 1 ? [text] : [])));
}

/** Whether the device is asked on; `park`: until it is heard; `retry`: for now there is no room; `leave`: there is nobody to ask. */
export type Next = 'on' | 'park' | 'retry' | 'leave';

/** What follows from how a step ended, and what is told of it. */
export class Outcomes {
  readonly #host: ProfileHost;

  constructor(host: ProfileHost) {
    this.#host = host;
  }

  /** Nothing is left to be asked. */
  finished(device: Device, registration: Registration): void {
    const { profile, applied, plan, done } = device;
    if (done > 0 && profile && applied) {
      const text = `The device reports what the profile "${profile.name}" says. Requests: ${done}, observations: ${applied.observations}.`;
      this.#log(registration, 'info', [text, ...(plan?.remarks ?? []).map((each) => each.text)].join(' '));
    }
    device.before = new Set();
  }

  /** Notes how a step ended. */
  took(device: Device, step: ProfileStep, result: OperationResult): Next {
    const { applied, endpoint } = device;
    if (!applied) return 'leave';
    device.done++;
    if (result.kind === 'failed') {
      const why = whyNot(result);
      switch (result.code) {
        case 'CLOSED':
        case 'UNKNOWN_ENDPOINT':
          return 'leave';
        case 'EXPIRED':
          return 'park';
        case 'BUSY':
          device.done--;
          return 'retry';
        case 'TIMEOUT_NO_ACK':
        case 'UNREACHABLE':
          if (this.#composite(device, step, why)) {
            device.doubted = true;
            break;
          }
          return this.#unheard(device, applied, step, why);
        default:
          device.silent = 0;
          device.doubted = false;
          if (!this.#composite(device, step, why)) this.#refused(device, applied, step, why);
      }
    } else {
      device.silent = 0;
      device.doubted = false;
      const text = `the device answered ${result.code} ${result.result}${diagnostic(result)}.`;
      if (result.ok) this.#granted(device, applied, step, result);
      else if (!this.#composite(device, step, text)) this.#refused(device, applied, step, text, result.code);
    }
    this.#host.touch(endpoint);
    return 'on';
  }

  #granted(device: Device, applied: Applied, step: ProfileStep, result: Extract<OperationResult, { kind: 'answer' }>): void {
    const observes = result.observation !== undefined;
    if (step.kind === 'observe') {
      applied.addRead(step.group);
      if (!observes && this.#composite(device, step, 'the device gave the values, but observes nothing.')) return;
      if (!observes) this.#tell(device, 'warn', `${stepText(step)}: the device gave the value, but does not observe it.`);
    }
    applied.done(step, observes);
    if (!('group' in step) || !step.group.composite || step.kind === 'cancel') return;
    // Of a resource by itself it would be 4.04.
    const missing = step.group.paths.filter((path) => !isAmong(path, result.nodes ?? []));
    if (missing.length > 0) this.#tell(device, 'warn', `${stepText(step)}: the device gave no value of ${missing.join(', ')}.`);
  }

  /** It may have been a moment out of reach. Who is silent twice to one request only does not know it. */
  #unheard(device: Device, applied: Applied, step: ProfileStep, why: string): Next {
    const text = stepText(step);
    device.silences.set(text, (device.silences.get(text) ?? 0) + 1);
    if (++device.silent >= MAX_SILENT) {
      if (device.doubted) this.#notWithout(device, applied);
      this.#tell(device, 'warn', `${text}: ${why} The rest is asked for when the device is heard again.`);
      return 'park';
    }
    if (device.last) {
      this.#refused(device, applied, step, why);
      this.#host.touch(device.endpoint);
    } else {
      device.later.add(text);
      this.#tell(device, 'warn', `${text}: ${why} It is asked for once more, after the rest.`);
    }
    return 'on';
  }

  /** What does not reach the device says nothing of what it can do: composites are tried again. */
  #notWithout(device: Device, applied: Applied): void {
    device.doubted = false;
    device.plan = undefined;
    device.silences.clear();
    applied.single = false;
    this.#host.touch(device.endpoint);
  }

  /** What was refused is not asked for again until the device registers anew, or its profile changes. */
  #refused(device: Device, applied: Applied, step: ProfileStep, why: string, code = ''): void {
    let more = '';
    if (step.kind === 'observe') {
      // A resource that cannot be observed may be read; one that is not there cannot.
      if (code === '' || code === '4.04') applied.addRead(step.group);
      else more = ' It is read once instead.';
    }
    applied.done(step);
    this.#tell(device, 'warn', `${stepText(step)}: ${why}${more}`);
  }

  /** Of a composite that came to nothing each resource is asked for by itself. False for any other step. */
  #composite(device: Device, step: ProfileStep, why: string): boolean {
    if (!('group' in step) || !step.group.composite || !device.applied) return false;
    if (step.kind === 'cancel') device.applied.done(step);
    else {
      device.applied.single = true;
      this.#tell(device, 'warn', `${stepText(step)}: ${why} From now on each resource is asked for by itself.`);
    }
    device.plan = undefined;
    return true;
  }

  #tell(device: Device, level: 'info' | 'warn', text: string): void {
    const registration = this.#host.registration(device.endpoint);
    if (registration) this.#log(registration, level, `Profile "${device.profile?.name ?? ''}": ${text}`);
  }

  #log(registration: Registration, level: 'info' | 'warn', text: string): void {
    this.#host.tell({ kind: 'log', at: this.#host.wall(), registration, level, text });
  }
}

function isAmong(path: string, nodes: readonly DataNode[]): boolean {
  const { ids } = parsePath(path);
  return nodes.some((node) => isWithin(node.path, ids));
}
