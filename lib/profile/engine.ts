import type { KeyedValues, Observation, Registration, ServerEvent } from '../server/types';
import { Deadlines } from '../transport/deadlines';
import type { Core } from '../transport/types';
import { Applied, readApplied } from './applied';
import type { ProfileHost } from './host';
import { keyedValues, type Given } from './keyed';
import { askAgain, forgetSilence, newDevice, nextOf, Outcomes, type Device } from './outcomes';
import { groupName, planFor, type Plan } from './plan';
import { profileFor } from './select';
import { operationOf, stepText, stepsTo } from './steps';
import type { ProfilePreview } from './remarks';
import type { Profile } from './types';

/** Devices that are asked at a time; the others wait for their turn. */
const MAX_RUNNING = 200;
/** Devices that begin to be asked in one turn of the loop, and such that are looked at because the profiles have changed. */
const PER_TURN = 20;
const LOOKED_PER_TURN = 500;
/** Milliseconds a device has for a composite: some never answer what they do not know. */
const COMPOSITE_TIMEOUT = 30_000;
/** Milliseconds until a device is tried again for which there was no room. */
const RETRY = 1000;

/** Sees to it that each device reports what its profile says: asks for the difference, and no more. */
export class ProfileEngine implements Core {
  readonly #host: ProfileHost;
  readonly #outcomes: Outcomes;
  readonly #devices = new Map<string, Device>();
  readonly #retries = new Deadlines<Device>();
  #profiles: readonly Profile[] = [];
  /** Counts changes of the profiles; 0 = none were given yet, and nothing is asked. */
  #version = 0;
  /** Registered devices to be looked at because of such a change. */
  #sweep: string[] = [];
  #waiting: Device[] = [];
  #running = 0;
  #scheduled = false;
  #closed = false;

  constructor(host: ProfileHost) {
    this.#host = host;
    this.#outcomes = new Outcomes(host);
  }

  get profiles(): readonly Profile[] {
    return this.#profiles;
  }

  /** Takes over the profiles; devices are asked for what is different now. */
  setProfiles(profiles: readonly Profile[]): void {
    this.#profiles = profiles;
    this.#version++;
    this.#sweep = this.#host.registrations().map(({ endpoint }) => endpoint);
    this.#schedule();
  }

  profileOf(endpoint: string): Profile | undefined {
    if (this.#profiles.length === 0) return undefined;
    const device = this.#devices.get(endpoint);
    if (device?.version === this.#version) return device.present;
    const profile = profileFor(this.#profiles, endpoint, this.#host.wanted(endpoint));
    if (device) {
      device.version = this.#version;
      device.present = profile;
    }
    return profile;
  }

  /** The device table may name another profile for the device now. */
  reconsider(endpoint: string): void {
    const device = this.#devices.get(endpoint);
    if (device) device.version = 0;
    this.look(endpoint);
  }

  /** What the server reports, after the answer to the device is on the wire. */
  hear(event: ServerEvent): void {
    switch (event.kind) {
      case 'registered':
        this.#registered(event.registration);
        return;
      case 'updated':
        if (event.changed.includes('objects')) this.look(event.registration.endpoint);
        else this.#heard(event.registration.endpoint);
        return;
      case 'awake':
      case 'address-changed':
      case 'notification':
      case 'send':
        this.#heard(event.registration.endpoint);
        return;
      case 'deregistered':
      case 'expired':
        this.#left(event.registration.endpoint);
        return;
      case 'observation-ended':
        this.#observationEnded(event.registration, event.observation);
        return;
      default:
    }
  }

  /** Values of an event or an answer under the keys of the device's profile. */
  keyed(given: Given): KeyedValues[] {
    const profile = this.profileOf(given.registration.endpoint);
    return profile ? keyedValues(profile, given) : [];
  }

  /** Whether the observation, of a device that has registered anew, is asked for again because of a profile. */
  owns({ endpoint, path, paths }: Observation): boolean {
    const device = this.#devices.get(endpoint);
    if (!device || this.profileOf(endpoint)?.broken === true) return false;
    const name = nameOf({ path, ...(paths && { paths }) });
    return device.before.has(name) || (this.#planOf(device)?.observe ?? []).some((group) => groupName(group) === name);
  }

  /** What the device would be asked for by a profile that it does not have. */
  preview(profile: Profile, registration: Registration): ProfilePreview {
    const plan = planFor(profile, registration, this.#host.model, false);
    return { requests: stepsTo(plan, new Applied('')).map(stepText), remarks: plan.remarks };
  }

  /** Compares what the device was asked for with what its profile says, when its turn comes. */
  look(endpoint: string): void {
    const registration = this.#version > 0 ? this.#host.registration(endpoint) : undefined;
    if (!registration) return;
    const profile = this.profileOf(endpoint);
    // Nothing is taken back because of a mistake in a profile.
    if (profile?.broken === true) return;
    let device = this.#devices.get(endpoint);
    if (!device) {
      if (!profile) return;
      this.#devices.set(endpoint, (device = newDevice(registration)));
    }
    device.plan = undefined;
    forgetSilence(device);
    if (device.state === 'running') device.stale = true;
    else this.#enqueue(device);
  }

  record(endpoint: string): unknown {
    const device = this.#devices.get(endpoint);
    return device?.applied?.record(device.registrationId);
  }

  /** Takes back a record, after registrations and observations. False when it is damaged, or of a registration that is over. */
  restore(endpoint: string, record: unknown): boolean {
    const registration = this.#host.registration(endpoint);
    const applied = registration && readApplied(record, registration.id);
    if (!applied) return false;
    const running = new Set(this.#host.observations(endpoint).map(nameOf));
    // Without its record an observation is not there any more.
    for (const [name, observes] of applied.observed) if (observes && !running.has(name)) applied.observed.delete(name);
    this.#devices.set(endpoint, { ...newDevice(registration), applied });
    return true;
  }

  deadline(): number {
    return this.#retries.next();
  }

  advance(now: number): void {
    for (;;) {
      const device = this.#retries.takeDue(now);
      if (!device) return;
      if (device.state === 'parked') this.#enqueue(device);
    }
  }

  close(): void {
    this.#closed = true;
    this.#waiting = [];
    this.#sweep = [];
    this.#retries.clear();
  }

  #registered(registration: Registration): void {
    const { endpoint } = registration;
    const device = this.#devices.get(endpoint);
    if (device) {
      device.registrationId = registration.id;
      if (device.applied) {
        device.before = device.applied.registeredAnew();
        this.#host.touch(endpoint);
      }
    }
    this.look(endpoint);
  }

  #heard(endpoint: string): void {
    const device = this.#devices.get(endpoint);
    if (device?.state !== 'parked') return;
    device.silent = 0;
    askAgain(device);
    this.#enqueue(device);
  }

  #left(endpoint: string): void {
    const device = this.#devices.get(endpoint);
    if (!device) return;
    device.registrationId = '';
    this.#devices.delete(endpoint);
    this.#host.touch(endpoint);
  }

  /** By the device, or by a flow: it is not asked for again before the device registers anew. */
  #observationEnded({ endpoint, id }: Registration, observation: Observation): void {
    const device = this.#devices.get(endpoint);
    const name = nameOf(observation);
    if (device?.registrationId !== id || device.applied?.observed.get(name) !== true) return;
    if (this.#host.observations(endpoint).some((each) => nameOf(each) === name)) return;
    device.applied.observed.set(name, false);
    this.#host.touch(endpoint);
  }

  #enqueue(device: Device): void {
    if (device.state === 'waiting' || this.#closed) return;
    device.state = 'waiting';
    this.#waiting.push(device);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    if (this.#sweep.length === 0 && (this.#waiting.length === 0 || this.#running >= MAX_RUNNING)) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    for (const endpoint of this.#sweep.splice(-LOOKED_PER_TURN)) this.look(endpoint);
    const room = Math.min(PER_TURN, MAX_RUNNING - this.#running);
    for (const device of this.#waiting.splice(0, room)) this.#begin(device);
    this.#schedule();
  };

  #begin(device: Device): void {
    device.state = 'running';
    this.#running++;
    device.done = 0;
    const ended = this.#run(device).catch((error: unknown) => this.#host.onError(error));
    void ended.then(() => {
      this.#running--;
      if (device.state === 'running') device.state = 'idle';
      if (device.stale) {
        device.stale = false;
        if (this.#devices.get(device.endpoint) === device) this.#enqueue(device);
      }
      this.#schedule();
    });
  }

  /** The steps of one device, one after the other. */
  async #run(device: Device): Promise<void> {
    const { endpoint } = device;
    for (;;) {
      const registration = this.#host.registration(endpoint);
      if (this.#closed || !registration) return;
      if (registration.id !== device.registrationId) return;
      device.stale = false;
      const plan = this.#planOf(device);
      const { profile } = device;
      if (!device.applied) {
        if (!profile) return;
        device.applied = new Applied(profile.fingerprint);
      }
      const step = nextOf(device, stepsTo(plan, device.applied));
      if (!step) {
        this.#finished(device, registration);
        return;
      }
      if (this.#host.awake(endpoint) === false) {
        device.state = 'parked';
        return;
      }
      const composite = 'group' in step && step.group.composite;
      const options = { whileAwake: true, ...(composite && { timeout: COMPOSITE_TIMEOUT }) };
      const result = await this.#host.perform(endpoint, operationOf(step), options);
      if (device.registrationId !== registration.id || this.#devices.get(endpoint) !== device) return;
      switch (this.#outcomes.took(device, step, result)) {
        case 'on':
          break;
        case 'retry':
          this.#retries.add(this.#host.now() + RETRY, device);
          this.#host.changed();
          device.state = 'parked';
          return;
        case 'park':
          device.state = 'parked';
          return;
        case 'leave':
          return;
      }
    }
  }

  /** The plan of its present profile, made anew where that has changed. */
  #planOf(device: Device): Plan | undefined {
    const { endpoint } = device;
    const registration = this.#host.registration(endpoint);
    if (!registration) return undefined;
    const profile = this.profileOf(endpoint);
    const { applied } = device;
    if (applied && profile && applied.fingerprint !== profile.fingerprint) {
      applied.changed(profile.fingerprint);
      device.plan = undefined;
      this.#host.touch(endpoint);
    }
    if (device.profile !== profile) device.plan = undefined;
    device.profile = profile;
    if (!profile) return undefined;
    if (!device.plan) {
      device.plan = planFor(profile, registration, this.#host.model, device.applied?.single ?? false);
      if (applied) {
        applied.forgetVanished(registration);
        device.plan = applied.keepRunning(device.plan, registration);
      }
    }
    return device.plan;
  }

  #finished(device: Device, registration: Registration): void {
    this.#outcomes.finished(device, registration);
    if (device.profile) return;
    // Nothing is wanted of it any more.
    this.#devices.delete(device.endpoint);
    this.#host.touch(device.endpoint);
  }
}

function nameOf({ path, paths }: Pick<Observation, 'path' | 'paths'>): string {
  const ids = paths ?? [path];
  return groupName({ composite: paths !== undefined, paths: ids.map((each) => `/${each.ids.join('/')}`) });
}
