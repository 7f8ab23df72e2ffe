import type { DataNode } from '../lwm2m/types';
import type { Model } from '../model/types';
import type { KeyedValues, Registration, ServerEvent } from '../server/types';
import type { InstanceKeys } from './types';
import { formatPath } from '../lwm2m/path';
import { latest } from '../lwm2m/value-out';
import { omaModel } from '../model/oma';
import type { Part } from './describe';
import { describeNodes, describeObservation, describePaths, describeRegistration, registrationPayload } from './describe';
import { describeKept } from './run';
import type { ShapeContext } from './values-out';
import { shape, shapeEach } from './values-out';

/** The message of one event, as `docs/message-contract.md` lists it. */
export interface EventMessage {
  readonly payload: unknown;
  readonly topic: string;
  /** Absent where the event is about no device. */
  readonly endpoint?: string;
  readonly event: ServerEvent['kind'];
  readonly lwm2m: Readonly<Record<string, unknown>>;
}

export interface MessageOptions {
  /** Default 'id'. */
  readonly instanceKeys?: InstanceKeys;
  /** Default: the OMA registry. */
  readonly model?: Model;
}

/**
 * Makes the message of an event. Everything in it is made at this call and belongs to the receiver; properties may be changed and added.
 * Times in `lwm2m` are epoch ms.
 */
export function toMessage(event: ServerEvent, options: MessageOptions = {}): EventMessage {
  switch (event.kind) {
    case 'registered':
    case 'expired':
      return about(event, event.registration, {});
    case 'awake':
    case 'sleeping':
      return about(event, event.registration, { waiting: event.waiting });
    case 'command': {
      const { payload, meta } = describeKept(event, options);
      return message(event.kind, event.endpoint, event.kind, payload, { ...meta, ...(event.origin && { node: event.origin.nodeId }) });
    }
    case 'deregistered':
      return about(event, event.registration, event.reason === undefined ? {} : { reason: event.reason });
    case 'updated':
      return about(event, event.registration, { changed: [...event.changed] });
    case 'address-changed':
      return about(event, event.registration, { from: { address: event.from.address, port: event.from.port } });
    case 'replaced':
      return about(event, event.registration, { by: event.by.id });
    case 'refused': {
      const { reason, hint, code, address, port } = event;
      const lwm2m = { at: event.at, code, address, port };
      return message(event.kind, event.endpoint, event.kind, { reason, hint, code, address, port }, lwm2m);
    }
    case 'observation-ended':
      return ended(event, options.model ?? omaModel());
    case 'notification':
      return notification(event, contextOf(event.registration, options));
    case 'send':
      return send(event, contextOf(event.registration, options));
    case 'telemetry':
    case 'attributes':
      return keyed(event);
    case 'log':
      return log(event);
    case 'stats':
      return { payload: { ...event.counters }, topic: 'stats', event: 'stats', lwm2m: { at: event.at, interval: event.interval } };
    default:
      return unreachable(event);
  }
}

/** One message a key, with the value itself as payload, as `docs/message-contract.md` says. */
export function toKeyMessages(event: KeyedValues): EventMessage[] {
  const { kind, at, time, registration, values, keys, profile } = event;
  const { endpoint } = registration;
  return Object.entries(values).map(([key, value]) => {
    const facts = { at, time, profile, key, ...keys[key], registration: describeRegistration(registration) };
    return { ...message(kind, endpoint, kind, ownCopy(value), facts), topic: `${endpoint}/${key}` };
  });
}

/** Buffers are copied: each receiver may write in its own. */
function keyed({ kind, at, time, registration, values, keys, profile }: KeyedValues): EventMessage {
  const payload = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, ownCopy(value)]));
  const facts = Object.fromEntries(Object.entries(keys).map(([key, fact]) => [key, { ...fact }]));
  const { endpoint } = registration;
  return message(kind, endpoint, kind, payload, { at, time, profile, keys: facts, registration: describeRegistration(registration) });
}

function ownCopy(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, ownCopy(each)]));
}

function unreachable(event: never): never {
  throw new TypeError(`no such event: ${String(event)}`);
}

function contextOf(registration: Registration, options: MessageOptions): ShapeContext {
  return { instanceKeys: options.instanceKeys ?? 'id', model: options.model ?? omaModel(), versions: registration.versions };
}

function message(event: ServerEvent['kind'], endpoint: string, topic: string, payload: unknown, lwm2m: Part): EventMessage {
  return { payload, topic: `${endpoint}/${topic}`, endpoint, event, lwm2m };
}

function about(event: { kind: ServerEvent['kind']; at: number }, registration: Registration, more: Part): EventMessage {
  const lwm2m = { at: event.at, registration: describeRegistration(registration) };
  return message(event.kind, registration.endpoint, event.kind, { ...registrationPayload(registration), ...more }, lwm2m);
}

type EventOf<K extends ServerEvent['kind']> = Extract<ServerEvent, { kind: K }>;

function ended(event: EventOf<'observation-ended'>, model: Model): EventMessage {
  const { path, paths } = event.observation;
  const code = event.code === undefined ? {} : { code: event.code };
  const lwm2m = {
    at: event.at,
    ...describePaths(paths ?? [path], paths !== undefined, model, event.registration.versions),
    ...code,
    observation: describeObservation(event.observation),
    registration: describeRegistration(event.registration),
  };
  const what = paths ? { paths: paths.map(({ ids }) => formatPath(ids)) } : { path: formatPath(path.ids) };
  return message(event.kind, event.registration.endpoint, event.kind, { ...what, reason: event.reason, ...code }, lwm2m);
}

function log({ at, registration, endpoint: known, level, text, reason, transport }: EventOf<'log'>): EventMessage {
  const endpoint = registration?.endpoint ?? known;
  return {
    payload: { level, text, ...(reason !== undefined && { reason }), ...(transport && { transport }) },
    topic: endpoint === undefined ? 'log' : `${endpoint}/log`,
    ...(endpoint !== undefined && { endpoint }),
    event: 'log',
    lwm2m: { at, ...(registration && { registration: describeRegistration(registration) }) },
  };
}

function notification(event: EventOf<'notification'>, context: ShapeContext): EventMessage {
  const { path, paths } = event.observation;
  const lwm2m = {
    at: event.at,
    ...describePaths(paths ?? [path], paths !== undefined, context.model, context.versions),
    ...describeNodes(event.nodes, path.ids, event.at),
    code: event.code,
    ...(event.contentFormat === undefined ? {} : { contentFormat: event.contentFormat }),
    ...(event.sequence === undefined ? {} : { sequence: event.sequence }),
    observation: describeObservation(event.observation),
    registration: describeRegistration(event.registration),
  };
  const topic = paths ? event.kind : path.ids.join('/');
  const payload = paths
    ? shapeEach(
        event.nodes,
        paths.map(({ ids }) => ({ name: formatPath(ids), ids })),
        context,
      )
    : shape(event.nodes, path.ids, context);
  return message(event.kind, event.registration.endpoint, topic, payload, lwm2m);
}

function send(event: EventOf<'send'>, context: ShapeContext): EventMessage {
  const lwm2m = {
    at: event.at,
    ...describeNodes(event.nodes, [], event.at),
    ...(event.contentFormat === undefined ? {} : { contentFormat: event.contentFormat }),
    registration: describeRegistration(event.registration),
  };
  return message(event.kind, event.registration.endpoint, event.kind, sentValues(event.nodes, context), lwm2m);
}

/** Latest values by the path of their resource; the instances of a multiple resource together, as everywhere. */
function sentValues(nodes: readonly DataNode[], context: ShapeContext): Record<string, unknown> {
  const groups = new Map<string, { ids: readonly number[]; nodes: DataNode[] }>();
  for (const node of latest(nodes)) {
    const ids = node.path.slice(0, 3);
    const key = formatPath(ids);
    const group = groups.get(key) ?? { ids, nodes: [] };
    groups.set(key, group);
    group.nodes.push(node);
  }
  return Object.fromEntries([...groups].map(([key, group]) => [key, shape(group.nodes, group.ids, context)]));
}
