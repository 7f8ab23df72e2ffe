/** A simulated LwM2M device: it registers with one server, answers it, and its values live. Uses npm `coap`, over UDP or DTLS. */
import { formatPath, parsePath, PathError } from '../lwm2m/path';
import { omaModel } from '../model/oma';
import type { Clock } from '../transport/types';
import { realClock } from './clock';
import { fromFlow, toFlow } from './flow-values';
import { openLink, type Link } from './link';
import { LIFETIME } from './objects/server';
import { Observations } from './observations';
import { registrationLinks } from './operations/discover';
import { checkOptions, keyOf, seedOf, type DeviceOptions } from './options';
import { Registration } from './registration';
import { resolveHost } from './resolve';
import { Responder, type Reply } from './responder';
import { DeviceError, type DeviceEvent, type DeviceState, type DeviceValue } from './types';
import type { Incoming } from './wire';
import { createWorld, definitionOf, exists, isMultiple, putResource, resetWorld, resourceAt, sorted, tickWorld, type World } from './world';

export type { DeviceOptions } from './options';

export interface SimulatedDevice {
  readonly state: DeviceState;
  /** The UDP port in use, 0 while there is none. */
  readonly localPort: number;
  /** Does nothing when it runs already. */
  start(): void;
  /** De-registers, frees socket and timers; takes little more than 2 s at the most. Never rejects. */
  stop(): Promise<void>;
  /** Sends an Update now, which wakes a device that sleeps; nothing while it is not registered. */
  update(): void;
  /**
   * Gives a resource (`/3/0/9`) or resource instance (`/3/0/6/0`) a value; from then on the simulation leaves it alone.
   * Values are those of the message contract: time as Date, ISO text or epoch ms, opaque as bytes or hex text.
   * Throws `DeviceError` BAD_PATH, NOT_FOUND or BAD_VALUE.
   */
  set(path: string, value: unknown): void;
  /** Object, instance, resource or resource instance; undefined when it is not there. Throws `DeviceError` BAD_PATH. */
  get(path: string): DeviceValue | undefined;
}

/** Throws `DeviceError` BAD_OPTION. Opens nothing before `start`. */
export function createDevice(options: DeviceOptions): SimulatedDevice {
  checkOptions(options);
  return new Device(options);
}

class Device implements SimulatedDevice {
  state: DeviceState = 'stopped';
  private readonly clock: Clock;
  private readonly tickMs: number;
  private readonly world: World;
  private readonly responder: Responder;
  private readonly observations: Observations;
  private readonly registration: Registration;
  private link: Link | undefined;
  /** Counts openings, so that a late one is recognised. */
  private opening = 0;
  private closing: Promise<void> = Promise.resolve();
  /** Ends an opening that is under way. */
  private giveUp: AbortController | undefined;
  private running = false;
  private stopping: Promise<void> | undefined;
  private nextTick = Infinity;

  constructor(private readonly options: DeviceOptions) {
    const { endpoint, lwm2mVersion: version = '1.1', binding = 'U', lifetime = 300 } = options;
    this.clock = options.clock ?? realClock();
    this.tickMs = options.tickMs ?? 1000;
    const wall = (): number => this.clock.wall() / 1000;
    this.world = createWorld({ model: omaModel(), version, lifetime, binding, seed: options.seed ?? seedOf(endpoint), wall });
    this.responder = new Responder(this.world);
    this.observations = new Observations(this.world, this.responder);
    this.registration = new Registration(
      { endpoint, version, binding },
      {
        open: () => void this.open(),
        send: (request) => {
          if (this.link) this.link.send(request, (outcome) => this.step(() => this.registration.outcome(this.clock.now(), outcome)));
        },
        abort: () => this.link?.abort(),
        state: (state, detail) => this.changed(state, detail),
        forget: () => this.observations.clear(),
        lifetime: () => Number(resourceAt(this.world, [1, 0, LIFETIME]) ?? lifetime),
        links: () => registrationLinks(this.world),
      },
    );
  }

  get localPort(): number {
    return this.link?.port ?? 0;
  }

  start(): void {
    if (this.running) return;
    if (this.stopping) {
      void this.stopping.then(() => this.start());
      return;
    }
    this.running = true;
    this.nextTick = this.clock.now() + this.tickMs;
    this.step(() => this.registration.start());
  }

  stop(): Promise<void> {
    this.stopping ??= this.leave().finally(() => (this.stopping = undefined));
    return this.stopping;
  }

  update(): void {
    this.step(() => this.registration.update(this.clock.now()));
  }

  set(path: string, value: unknown): void {
    const ids = pathOf(path);
    const [objectId = -1, instanceId = -1, resourceId = -1, resourceInstanceId] = ids;
    const target = [objectId, instanceId, resourceId];
    const current = resourceAt(this.world, target);
    const definition = definitionOf(this.world, objectId, resourceId);
    if (ids.length < 3 || current === undefined || !definition) throw new DeviceError('NOT_FOUND', `The device has no resource ${path}.`);
    if (resourceInstanceId === undefined) putResource(this.world, target, fromFlow(definition.type, definition.multiple, value, path));
    else {
      if (!definition.multiple) throw new DeviceError('NOT_FOUND', `${formatPath(target)} has a single value, no instances.`);
      const inner = fromFlow(definition.type, false, value, path);
      const others = isMultiple(current) ? [...current] : [];
      if (inner !== null && !isMultiple(inner)) putResource(this.world, target, new Map([...others, [resourceInstanceId, inner]]));
    }
    this.world.held.add(formatPath(target));
    this.step(() => this.observations.check(this.clock.now()));
  }

  get(path: string): DeviceValue | undefined {
    const ids = pathOf(path);
    const [objectId = -1, instanceId, resourceId, resourceInstanceId] = ids;
    if (ids.length === 0 || !exists(this.world, ids)) return undefined;
    if (instanceId === undefined) {
      const instances = sorted(this.world.objects.get(objectId)?.instances ?? new Map<number, unknown>());
      return Object.fromEntries(instances.map(([id]) => [id, this.get(formatPath([objectId, id])) ?? null]));
    }
    if (resourceId === undefined) {
      const resources = sorted(this.world.objects.get(objectId)?.instances.get(instanceId) ?? new Map<number, unknown>());
      return Object.fromEntries(resources.map(([id]) => [id, this.get(formatPath([objectId, instanceId, id])) ?? null]));
    }
    const value = resourceAt(this.world, [objectId, instanceId, resourceId]);
    const shown = toFlow(definitionOf(this.world, objectId, resourceId)?.type ?? 'none', value ?? null);
    return resourceInstanceId === undefined ? shown : (shown as Record<string, DeviceValue>)[resourceInstanceId];
  }

  private async leave(): Promise<void> {
    if (this.running) {
      this.running = false;
      await new Promise<void>((resolve) => {
        this.registration.stop(this.clock.now(), resolve);
        this.schedule();
      });
      this.observations.clear();
      this.opening += 1;
      this.closeLink();
      this.schedule();
    }
    await this.closing;
  }

  private async open(): Promise<void> {
    const turn = (this.opening += 1);
    this.closeLink();
    const { server, binding, listenMs } = this.options;
    const { host, port } = server;
    let link: Link | undefined;
    let failure: Error | undefined;
    const giveUp = new AbortController();
    this.giveUp = giveUp;
    try {
      const address = await resolveHost(host, turn);
      await this.closing;
      if (turn !== this.opening) return;
      link = await openLink({
        remote: { address, port },
        localPort: this.options.localPort ?? 0,
        now: () => this.clock.now(),
        ...(binding === 'UQ' && listenMs !== undefined && { listenMs }),
        respond: (incoming) => this.respond(incoming),
        observed: (incoming, reply, channel) => {
          const { token, request } = incoming;
          const { path, format } = reply.observe ?? { path: [], format: 0 };
          this.observations.add({ token, path, accept: request.accept, format, channel }, this.clock.now());
        },
        ended: (token, channel) => this.observations.ended(token, channel),
        answered: () => this.step(() => this.observations.check(this.clock.now())),
        fault: (error) => this.tell({ kind: 'error', error }),
        psk: this.psk(),
        signal: giveUp.signal,
        gone: (reason) => this.gone(reason),
      });
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
    }
    if (turn !== this.opening) {
      await link?.close();
      return;
    }
    this.link = link;
    this.step(() => {
      if (failure) this.registration.failed(this.clock.now(), failure);
      else this.registration.opened(this.clock.now());
    });
  }

  private psk(): { identity: Uint8Array; key: Uint8Array } | undefined {
    const { psk, endpoint } = this.options;
    const key = psk && keyOf(psk.key);
    return key && { identity: Buffer.from(psk.identity ?? endpoint, 'utf8'), key };
  }

  /** Without its session the device is as good as switched off: it begins anew. */
  private gone(reason: string): void {
    if (!this.running) return;
    this.tell({ kind: 'error', error: new Error(`The server has ended the DTLS session: ${reason}`) });
    this.step(() => this.registration.reboot(this.clock.now(), true));
  }

  private closeLink(): void {
    this.giveUp?.abort();
    const { link } = this;
    this.link = undefined;
    if (link) this.closing = Promise.all([this.closing, link.close()]).then(() => undefined);
  }

  private respond(incoming: Incoming): Reply {
    const reply = this.responder.respond(incoming, this.clock.now());
    if (reply.observe?.kind === 'cancel') this.observations.cancel(incoming.token);
    if (reply.observe?.kind !== 'start' || this.observations.accepts(incoming.token)) return reply;
    // An answer without Observe: read, but not observed (RFC 7641 4.1).
    return { code: reply.code, options: reply.options, payload: reply.payload };
  }

  /** Does something, then what follows from it: events, actions, the next alarm. */
  private step(work: () => void): void {
    work();
    const { world } = this;
    while (world.actions.size > 0) {
      const [action] = world.actions;
      if (action === undefined) break;
      world.actions.delete(action);
      const now = this.clock.now();
      switch (action) {
        case 'update':
        case 'objects-changed':
          this.registration.update(now);
          break;
        case 'factory-reset':
          resetWorld(world);
          this.registration.reboot(now);
          break;
        case 'reboot':
          this.registration.reboot(now);
          break;
        default:
          action satisfies never;
      }
    }
    for (const event of world.events.splice(0)) this.tell(event);
    this.schedule();
  }

  private advance(): void {
    const now = this.clock.now();
    this.step(() => {
      if (this.running && now >= this.nextTick) {
        tickWorld(this.world, now / 1000);
        this.nextTick = now + this.tickMs;
      }
      this.registration.advance(now);
      this.observations.check(now);
    });
  }

  private schedule(): void {
    const tick = this.running ? this.nextTick : Infinity;
    // An observation that is due but held up is looked at again with the next tick.
    const notify = this.running ? Math.max(this.observations.deadline(), this.clock.now() + 1) : Infinity;
    this.clock.alarm(Math.min(tick, notify, this.registration.deadline()), () => this.advance());
  }

  private changed(state: DeviceState, detail: string | undefined): void {
    this.state = state;
    this.world.events.push(detail === undefined ? { kind: 'state', state } : { kind: 'state', state, detail });
    if (state === 'stopped') for (const event of this.world.events.splice(0)) this.tell(event);
  }

  private tell(event: DeviceEvent): void {
    try {
      this.options.onEvent?.(event);
    } catch {
      // A listener's mistake is not the device's: it must go on, and has nobody else to tell.
    }
  }
}

function pathOf(text: string): readonly number[] {
  try {
    return parsePath(text).ids;
  } catch (error) {
    if (error instanceof PathError) throw new DeviceError('BAD_PATH', error.message);
    throw error;
  }
}
