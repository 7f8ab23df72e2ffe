import * as coap from '../coap-message';
import type { Random } from '../random';
import type { Appointment, VirtualClock } from '../virtual-clock';
import type { Address, VirtualHost, VirtualNetwork } from '../virtual-network';
import { Messenger, type Answer } from './messenger';
import {
  createTree,
  decodeValue,
  encodeInstance,
  encodeObject,
  encodeResource,
  encodeText,
  LINK_FORMAT,
  TEXT,
  TLV,
  type SimResource,
  type SimTree,
} from './objects';
import { readTlv } from './tlv';

export type DeviceState = 'off' | 'registering' | 'registered' | 'deregistering' | 'gone';

export interface SimDeviceOptions {
  readonly index: number;
  readonly network: VirtualNetwork;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly at: Address;
  readonly server: Address;
  readonly lwm2m: '1.0' | '1.1';
  /** Seconds. */
  readonly lifetime: number;
  /** Format of a single value when the server names none. */
  readonly preferred: typeof TEXT | typeof TLV;
  /** Milliseconds between two values of /3303/0/5700; 0 = never. */
  readonly measureEvery: number;
  /** How many values it measures before it falls silent. */
  readonly measurements: number;
}

interface Watch {
  readonly token: Buffer;
  readonly path: readonly number[];
  readonly accept: number | undefined;
  sequence: number;
  inFlight: boolean;
  stale: boolean;
}

/** Values of device n are n * VALUES_PER_DEVICE and up, so that a value tells whose it is. */
export const VALUES_PER_DEVICE = 64;
const RETRY_REGISTER = 5_000;

/**
 * One scripted LwM2M client: registers (again and again, until it is let in), updates, answers Read, Discover, Write, Execute,
 * Write-Attributes and Observe on objects 1, 3 and 3303, notifies new values Confirmable, de-registers.
 */
export class SimDevice {
  readonly endpoint: string;
  readonly serial: string;
  readonly tree: SimTree;
  state: DeviceState = 'off';
  /** The id of the Location-Path. */
  registrationId = '';
  /** Values of /3303/0/5700 the server acknowledged, in order, notified to each observation. */
  readonly acknowledged: number[] = [];
  readonly executed: string[] = [];
  readonly refusals: string[] = [];
  readonly counters = { registers: 0, updates: 0, notifications: 0, lostNotifications: 0, observes: 0 };
  readonly messenger: Messenger;
  private readonly options: SimDeviceOptions;
  private readonly host: VirtualHost;
  private readonly watches = new Map<string, Watch>();
  private readonly timers = new Set<Appointment>();
  private measured = 0;

  constructor(options: SimDeviceOptions) {
    this.options = options;
    this.endpoint = `sim-${String(options.index).padStart(5, '0')}`;
    this.serial = `SN${String(options.index).padStart(6, '0')}`;
    this.tree = createTree({ serial: this.serial, lifetime: options.lifetime, binding: 'U' });
    this.measurement.value = options.index * VALUES_PER_DEVICE;
    this.messenger = new Messenger({
      clock: options.clock,
      random: options.random,
      send: (data) => this.host.send(data, options.server),
      onRequest: (request) => this.answer(request),
    });
    this.host = options.network.host(options.at, (data, from) => {
      if (from.address === options.server.address && from.port === options.server.port) this.messenger.receive(data);
    });
  }

  get address(): Address {
    return { address: this.host.address, port: this.host.port };
  }

  /** The last value it measured. */
  get value(): number {
    return Number(this.measurement.value);
  }

  /** It has measured all it will, and every observation has the last value acknowledged. */
  get quiet(): boolean {
    return this.measured >= this.options.measurements && [...this.watches.values()].every((watch) => !watch.inFlight && !watch.stale);
  }

  get observed(): number {
    return this.watches.size;
  }

  register(): void {
    this.state = 'registering';
    this.watches.clear();
    this.counters.registers += 1;
    const query = [`ep=${this.endpoint}`, `lt=${this.options.lifetime}`, `lwm2m=${this.options.lwm2m}`, 'b=U'];
    this.messenger.request(
      {
        code: '0.02',
        options: [
          ...coap.pathOptions('/rd'),
          coap.uintOption(coap.OptionNumber.ContentFormat, LINK_FORMAT),
          ...query.map((item) => coap.textOption(coap.OptionNumber.UriQuery, item)),
        ],
        payload: Buffer.from(`</>;rt="oma.lwm2m";ct=${TLV},</1/0>,</3/0>,</3303/0>`),
      },
      (delivery) => {
        const reply = delivery.kind === 'acknowledged' ? delivery.reply : undefined;
        const [rd, id] = reply === undefined ? [] : coap.texts(reply, coap.OptionNumber.LocationPath);
        if (reply?.code === coap.code('2.01') && rd === 'rd' && id !== undefined) {
          this.registrationId = id;
          this.state = 'registered';
          this.after((this.options.lifetime * 1000) / 2, () => this.update());
          if (this.measured === 0) this.after(this.options.measureEvery, () => this.measure());
          return;
        }
        if (reply !== undefined) this.refusals.push(coap.codeText(reply.code));
        this.after(RETRY_REGISTER * (1 + this.options.random.next()), () => this.register());
      },
    );
  }

  update(): void {
    if (this.state !== 'registered') return;
    this.counters.updates += 1;
    this.messenger.request({ code: '0.02', options: coap.pathOptions(`/rd/${this.registrationId}`) }, (delivery) => {
      if (this.state !== 'registered') return;
      if (delivery.kind === 'acknowledged' && delivery.reply?.code === coap.code('2.04'))
        this.after((this.options.lifetime * 1000) / 2, () => this.update());
      else this.register();
    });
  }

  /** Comes from another address from now on, and says so with an Update, as a device with a new address must (Core TS 1.1.1 6.2.2). */
  move(to: Address): void {
    this.host.move(to);
    this.update();
  }

  /** De-registers; `gone` also when no answer came, as a device that is switched off does not wait for ever. */
  deregister(): void {
    if (this.state !== 'registered') return;
    this.state = 'deregistering';
    this.watches.clear();
    this.messenger.request({ code: '0.04', options: coap.pathOptions(`/rd/${this.registrationId}`) }, () => {
      this.state = 'gone';
    });
  }

  /** Power off, without a word. */
  close(): void {
    this.state = 'gone';
    for (const timer of this.timers) timer.cancel();
    this.messenger.clear();
    this.host.close();
  }

  /** Measures a new value and notifies whoever watches it. */
  measure(): void {
    if (this.state !== 'registered' || this.options.measureEvery === 0 || this.measured >= this.options.measurements) return;
    if (this.watches.size > 0) {
      this.measured += 1;
      this.measurement.value = this.options.index * VALUES_PER_DEVICE + this.measured;
      for (const watch of this.watches.values()) {
        if (covers(watch.path, [3303, 0, 5700])) this.notify(watch);
      }
    }
    this.after(this.options.measureEvery, () => this.measure());
  }

  private get measurement(): SimResource {
    return this.tree.get(3303)?.get(0)?.get(5700) as SimResource;
  }

  private after(delay: number, run: () => void): void {
    const timer = this.options.clock.after(delay, () => {
      this.timers.delete(timer);
      run();
    });
    this.timers.add(timer);
  }

  /** RFC 7641 4.5.2: while one notification is in flight a newer value waits and replaces those before it. */
  private notify(watch: Watch): void {
    if (watch.inFlight) {
      watch.stale = true;
      return;
    }
    watch.inFlight = true;
    watch.stale = false;
    watch.sequence = (watch.sequence + 1) % 2 ** 24;
    this.counters.notifications += 1;
    const value = this.value;
    const content = this.content(watch.path, watch.accept);
    this.messenger.notify(
      {
        code: '2.05',
        token: watch.token,
        options: [coap.uintOption(coap.OptionNumber.Observe, watch.sequence), ...(content.options ?? [])],
        ...(content.payload === undefined ? {} : { payload: content.payload }),
      },
      (delivery) => {
        watch.inFlight = false;
        if (delivery.kind === 'reset') return void this.watches.delete(watch.token.toString('hex'));
        if (delivery.kind === 'acknowledged') this.acknowledged.push(value);
        else {
          this.counters.lostNotifications += 1;
          watch.stale = true;
        }
        if (watch.stale && this.watches.has(watch.token.toString('hex'))) this.notify(watch);
      },
    );
  }

  private answer(request: coap.CoapMessage): Answer {
    const segments = coap.texts(request, coap.OptionNumber.UriPath);
    if (segments.length === 0 || segments.length > 3 || !segments.every((segment) => /^\d{1,5}$/.test(segment))) return { code: '4.04' };
    const path = segments.map(Number);
    if (!this.exists(path)) return { code: '4.04' };
    switch (coap.codeText(request.code)) {
      case '0.01':
        return this.get(request, path);
      case '0.02':
        return path.length === 3 && this.resource(path)?.type === 'execute' ? this.execute(path) : this.write(request, path);
      case '0.03':
        if (request.payload.length === 0 && coap.texts(request, coap.OptionNumber.UriQuery).length > 0) return { code: '2.04' };
        return this.write(request, path);
      default:
        return { code: '4.05' };
    }
  }

  private get(request: coap.CoapMessage, path: readonly number[]): Answer {
    const accept = coap.number(request, coap.OptionNumber.Accept);
    if (accept === LINK_FORMAT) return this.discover(path);
    const answer = this.content(path, accept);
    const observe = coap.number(request, coap.OptionNumber.Observe);
    const key = request.token.toString('hex');
    if (observe === 1) this.watches.delete(key);
    if (observe !== 0 || answer.code !== '2.05') return answer;
    this.counters.observes += 1;
    const watch: Watch = { token: request.token, path, accept, sequence: 0, inFlight: false, stale: false };
    this.watches.set(key, watch);
    return { ...answer, options: [coap.uintOption(coap.OptionNumber.Observe, watch.sequence), ...(answer.options ?? [])] };
  }

  private content(path: readonly number[], accept: number | undefined): Answer {
    const format = accept ?? (path.length === 3 ? this.options.preferred : TLV);
    if ((format !== TEXT && format !== TLV) || (format === TEXT && path.length < 3)) return { code: '4.06' };
    const [objectId, instanceId, resourceId] = path as [number, number, number];
    const instances = this.tree.get(objectId);
    const resource = this.resource(path);
    if (resource !== undefined && !resource.operations.includes('R')) return { code: '4.05' };
    let payload: Buffer;
    if (resource !== undefined) payload = format === TEXT ? encodeText(resource) : encodeResource(resourceId, resource);
    else if (path.length === 2) payload = encodeInstance(instances?.get(instanceId) ?? new Map());
    else payload = encodeObject(instances ?? new Map());
    return { code: '2.05', options: [coap.uintOption(coap.OptionNumber.ContentFormat, format)], payload };
  }

  private discover(path: readonly number[]): Answer {
    const [objectId, instanceId, resourceId] = path as [number, number | undefined, number | undefined];
    const targets = [`/${path.join('/')}`];
    for (const [id, resources] of this.tree.get(objectId) ?? []) {
      if (instanceId !== undefined && id !== instanceId) continue;
      if (instanceId === undefined) targets.push(`/${objectId}/${id}`);
      if (resourceId === undefined) targets.push(...[...resources.keys()].map((resource) => `/${objectId}/${id}/${resource}`));
    }
    const text = targets.map((target) => `<${target}>`).join(',');
    return { code: '2.05', options: [coap.uintOption(coap.OptionNumber.ContentFormat, LINK_FORMAT)], payload: Buffer.from(text) };
  }

  private write(request: coap.CoapMessage, path: readonly number[]): Answer {
    const format = coap.number(request, coap.OptionNumber.ContentFormat) ?? TEXT;
    if (format !== TEXT && format !== TLV) return { code: '4.15' };
    if (path.length < 2 || (path.length === 2 && format !== TLV)) return { code: '4.05' };
    const changes: { resource: SimResource; value: string | number }[] = [];
    const ids = path.length === 3 ? [path[2] as number] : readTlv(request.payload).map((entry) => entry.id);
    for (const id of ids) {
      const resource = this.resource([path[0] as number, path[1] as number, id]);
      if (resource === undefined) return { code: '4.04' };
      if (!resource.operations.includes('W')) return { code: '4.05' };
      const value = decodeValue(id, resource, format, request.payload);
      if (value === undefined) return { code: '4.00' };
      changes.push({ resource, value });
    }
    for (const { resource, value } of changes) resource.value = value;
    return { code: '2.04' };
  }

  private execute(path: readonly number[]): Answer {
    this.executed.push(`/${path.join('/')}`);
    if (path.join('/') === '1/0/8') this.after(0, () => this.update());
    return { code: '2.04' };
  }

  private resource(path: readonly number[]): SimResource | undefined {
    return path.length === 3
      ? this.tree
          .get(path[0] as number)
          ?.get(path[1] as number)
          ?.get(path[2] as number)
      : undefined;
  }

  private exists(path: readonly number[]): boolean {
    const [objectId, instanceId] = path as [number, number | undefined];
    const instances = this.tree.get(objectId);
    if (instances === undefined || (instanceId !== undefined && !instances.has(instanceId))) return false;
    return path.length < 3 || this.resource(path) !== undefined;
  }
}

/** Whether an observation of `path` sees a change of `resource`. */
function covers(path: readonly number[], resource: readonly number[]): boolean {
  return path.every((id, at) => id === resource[at]);
}
