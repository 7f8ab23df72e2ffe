import { parsePath } from '../lwm2m/path';
import type { DataNode } from '../lwm2m/types';
import type { Model } from '../model/types';
import { brokenProfile, compileProfile, LOG_KEY } from '../profile/compile';
import { ProfileEngine } from '../profile/engine';
import { keyTable, scaleTable } from '../profile/keyed';
import { learnProfile, type LearnedProfile } from '../profile/learn';
import type { Scale } from '../profile/scale';
import { TransportLog } from '../profile/transport-log';
import { remark, RemarkError, type ProfilePreview } from '../profile/remarks';
import { ProfileError, type Profile, type ProfileSettings } from '../profile/types';
import type { Companion } from '../server/companion';
import { appliedKey, type StateKeeper } from '../server/keeper';
import type { ServerCore } from '../server/server';
import type { KeyedValues, Observation, Operation, OperationResult, Registration, ServerEvent } from '../server/types';
import type { Driver } from '../transport/driver';

export interface ServerProfilesOptions {
  readonly model: Model;
  /** The name of the profile that the device table has for a device. */
  readonly wanted: (endpoint: string) => string | undefined;
  readonly onError: (error: unknown) => void;
  /** Hands an event to the flows. */
  readonly tell: (event: ServerEvent) => void;
}

/** Operations whose answers have values that somebody asked for. */
const VALUES: ReadonlySet<Operation['kind']> = new Set(['Read', 'ReadComposite', 'Observe', 'ObserveComposite']);

/** The profiles of a server: they outlive its sockets, as the settings of the server do. */
export class ServerProfiles implements Companion {
  readonly #options: ServerProfilesOptions;
  readonly #log: TransportLog;
  #profiles: Profile[] | undefined;
  #settings: readonly ProfileSettings[] = [];
  #engine: ProfileEngine | undefined;
  #core: ServerCore | undefined;
  #driver: Driver | undefined;
  #loggedAt = 0;

  constructor(options: ServerProfilesOptions) {
    this.#options = options;
    this.#log = new TransportLog({ tell: options.tell, wall: () => this.#wall() });
  }

  /** Before the server is there: it asks for records while it is restored. */
  open(driver: Driver, keeper: StateKeeper | undefined): void {
    this.#driver = driver;
    const none: readonly Observation[] = [];
    this.#engine = new ProfileEngine({
      model: this.#options.model,
      registrations: () => this.#core?.registrations() ?? [],
      registration: (endpoint) => this.#core?.registration(endpoint),
      observations: (endpoint) => this.#core?.observations(endpoint) ?? none,
      awake: (endpoint) => this.#core?.awake(endpoint),
      wanted: this.#options.wanted,
      perform: (endpoint, operation, options) => this.#perform(endpoint, operation, options),
      tell: this.#options.tell,
      onError: this.#options.onError,
      touch: (endpoint) => keeper?.touch(appliedKey(endpoint)),
      wall: () => this.#wall(),
      now: () => driver.clock.now(),
      changed: () => driver.changed(),
    });
    driver.attach(this.#engine);
  }

  /** The server is there, and will be restored next. */
  attach(core: ServerCore): void {
    this.#core = core;
  }

  /** All is restored: the work may begin. */
  begin(): void {
    if (this.#profiles) this.#engine?.setProfiles(this.#profiles);
  }

  close(): void {
    this.#engine?.close();
    if (this.#engine) this.#driver?.detach(this.#engine);
    this.#engine = this.#core = undefined;
  }

  set logs(on: boolean) {
    this.#log.enabled = on;
  }

  /** All profiles from now on. Returns those that cannot be used: what they said before holds on, and their devices are asked for nothing new. */
  set(list: readonly ProfileSettings[]): { id: string; error: ProfileError }[] {
    const wrong: { id: string; error: ProfileError }[] = [];
    const before = new Map(this.#profiles?.map((profile) => [profile.id, profile]));
    this.#settings = list;
    this.#profiles = list.flatMap((settings) => {
      try {
        return [compileProfile(settings, this.#options.model)];
      } catch (error) {
        if (!(error instanceof ProfileError)) throw error;
        wrong.push({ id: settings.id, error });
        return [brokenProfile(settings, before.get(settings.id))];
      }
    });
    this.begin();
    return wrong;
  }

  /** Definitions have changed: what a profile says may mean something else. */
  modelChanged(): void {
    if (this.#profiles) this.set(this.#settings);
  }

  /** The device table may name another profile for this device now. */
  reconsidered<T extends { readonly endpoint: string }>(device: T): T {
    this.#engine?.reconsider(device.endpoint);
    return device;
  }

  of(endpoint: string): Profile | undefined {
    return this.#engine?.profileOf(endpoint);
  }

  /** What the server reports, before it is handed to the flows. */
  hear(event: ServerEvent): void {
    this.#log.hear(event);
    this.#engine?.hear(event);
  }

  /** What follows from an event that is handed to the flows: its values under their keys. */
  derived(event: ServerEvent): readonly ServerEvent[] {
    if (!this.#engine || this.#engine.profiles.length === 0) return NOTHING;
    switch (event.kind) {
      case 'notification':
      case 'send':
        return this.#engine.keyed(event);
      case 'log':
        return this.#logged(event);
      default:
        return NOTHING;
    }
  }

  began(registration: Registration, operation: Operation): void {
    this.#log.began(registration, operation);
  }

  ended(registration: Registration, operation: Operation, result: OperationResult): void {
    this.#log.ended(registration, operation, result);
    if (result.kind !== 'answer' || !result.ok || !result.nodes || !VALUES.has(operation.kind)) return;
    for (const event of this.#engine?.keyed({ at: this.#wall(), registration, nodes: result.nodes }) ?? []) this.#options.tell(event);
  }

  owns(observation: Observation): boolean {
    return this.#engine?.owns(observation) ?? false;
  }

  record(endpoint: string): unknown {
    return this.#engine?.record(endpoint);
  }

  restore(endpoint: string, record: unknown): boolean {
    return this.#engine?.restore(endpoint, record) ?? false;
  }

  /** Path by key, of what the device has of its profile. */
  keysOf(endpoint: string): Record<string, string> {
    const registration = this.#core?.registration(endpoint);
    const profile = this.of(endpoint);
    return profile && registration ? keyTable(profile, registration, this.#options.model) : {};
  }

  scalesOf(endpoint: string): Record<string, Scale> {
    const registration = this.#core?.registration(endpoint);
    const profile = this.of(endpoint);
    return profile && registration ? scaleTable(profile, registration, this.#options.model) : {};
  }

  /** The requests a profile would make to a registered device, in words. Throws `ProfileError`; Error where there is no such device. */
  preview(endpoint: string, settings: ProfileSettings): ProfilePreview {
    const registration = this.#registered(endpoint);
    return this.#engine?.preview(compileProfile(settings, this.#options.model), registration) ?? { requests: [], remarks: [] };
  }

  async learn(endpoint: string): Promise<LearnedProfile> {
    const registration = this.#registered(endpoint);
    return learnProfile(registration, {
      model: this.#options.model,
      perform: (device, operation, options) => this.#perform(device, operation, options),
    });
  }

  /** What the device said last under its keys: at most one event of telemetry and one of attributes. */
  currentValues(endpoint: string): KeyedValues[] {
    const registration = this.#core?.registration(endpoint);
    const profile = this.of(endpoint);
    if (!registration || !profile) return [];
    const nodes: DataNode[] = [];
    let at = 0;
    for (const [path, { type, value, at: then }] of this.#core?.lastValues(endpoint) ?? []) {
      nodes.push({ path: parsePath(path).ids, type, value });
      at = Math.max(at, then);
    }
    return this.#engine?.keyed({ at, registration, nodes }) ?? [];
  }

  #registered(endpoint: string): Registration {
    const registration = this.#core?.registration(endpoint);
    if (!registration) throw new RemarkError([remark('nobody', { endpoint })]);
    return registration;
  }

  #perform(endpoint: string, operation: Operation, options: Parameters<ServerCore['perform']>[2]): Promise<OperationResult> {
    return (
      this.#core?.perform(endpoint, operation, options) ??
      Promise.resolve({ kind: 'failed', code: 'CLOSED', error: 'The server is not running.' })
    );
  }

  /** Each entry of a device has a time of its own, or one would take the place of another. */
  #logged({ registration, at, text }: Extract<ServerEvent, { kind: 'log' }>): readonly ServerEvent[] {
    const profile = registration && this.of(registration.endpoint);
    if (!registration || profile?.transportLog !== true) return NOTHING;
    const time = Math.max(at, this.#loggedAt + 1);
    this.#loggedAt = time;
    return [{ kind: 'telemetry', at, registration, time, values: { [LOG_KEY]: text }, keys: {}, profile: profile.name }];
  }

  #wall(): number {
    return this.#driver?.clock.wall() ?? Date.now();
  }
}

const NOTHING: readonly ServerEvent[] = [];
