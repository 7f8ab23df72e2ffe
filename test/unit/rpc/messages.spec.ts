import assert from 'node:assert/strict';
import { createLwm2mServer } from '../../../lib/index';
import type { DataNode } from '../../../lib/lwm2m/types';
import { toMessage } from '../../../lib/rpc/messages';
import { EVENTS, RESERVED_EVENTS } from '../../../lib/rpc/results';
import type { Registration, ServerEvent } from '../../../lib/server/types';
import { AT, model, observation, registration } from './fixture';

const summary = {
  id: 'r1',
  endpoint: 'dev-1',
  lwm2mVersion: '1.1',
  lifetime: 300,
  binding: 'U',
  queueMode: false,
  address: '192.0.2.7',
  port: 56830,
  identity: { scheme: 'coap', mode: 'none', name: '' },
  registeredAt: 1_700_000_000_000,
  updatedAt: 1_700_000_060_000,
  lastSeenAt: 1_700_000_060_000,
};
const whole = {
  ...summary,
  objects: ['/3/0', '/5/0', '/19', '/19/0', '/3303/0', '/30000/0', '/31024/10'],
  versions: { 3: '1.1', 5: '1.0', 19: '1.1', 3303: '1.1', 30000: '1.0', 31024: '1.0' },
  contentFormats: [110, 112],
  rootPath: '',
  extra: { site: 'north' },
};
const about = { at: AT, registration: summary };
const battery: DataNode = { path: [3, 0, 9], type: 'integer', value: 75 };
const temperature = (value: number, time?: number): DataNode => ({
  path: [3303, 0, 5700],
  type: 'float',
  value,
  ...(time === undefined ? {} : { time }),
});
const batteryFacts = { path: '/3/0/9', object: 'Device', resource: 'Battery Level', type: 'integer', unit: '%' };
const observed = { id: 'a1b2', path: '/3/0/9', startedAt: 1_700_000_001_000 };

const notification = (nodes: readonly DataNode[], more: object = {}): ServerEvent => ({
  kind: 'notification',
  at: AT,
  registration,
  observation,
  nodes,
  contentFormat: 112,
  code: '2.05',
  sequence: 7,
  ...more,
});
const counters = { ...createLwm2mServer().stats(), received: 7 };
const send = (nodes: readonly DataNode[]): ServerEvent => ({ kind: 'send', at: AT, registration, nodes, contentFormat: 112 });

const events: readonly (readonly [ServerEvent, string, unknown, object])[] = [
  [{ kind: 'registered', at: AT, registration }, 'dev-1/registered', whole, about],
  [{ kind: 'deregistered', at: AT, registration }, 'dev-1/deregistered', whole, about],
  [{ kind: 'expired', at: AT, registration }, 'dev-1/expired', whole, about],
  [{ kind: 'updated', at: AT, registration, changed: ['lifetime'] }, 'dev-1/updated', { ...whole, changed: ['lifetime'] }, about],
  [{ kind: 'replaced', at: AT, registration, by: { ...registration, id: 'r2' } }, 'dev-1/replaced', { ...whole, by: 'r2' }, about],
  [
    { kind: 'address-changed', at: AT, registration, from: { address: '192.0.2.1', port: 1 } },
    'dev-1/address-changed',
    { ...whole, from: { address: '192.0.2.1', port: 1 } },
    about,
  ],
  [
    { kind: 'refused', at: AT, endpoint: 'dev-9', address: '192.0.2.9', port: 9, code: '4.03', reason: 'not known', hint: 'add it' },
    'dev-9/refused',
    { reason: 'not known', hint: 'add it', code: '4.03', address: '192.0.2.9', port: 9 },
    { at: AT, code: '4.03', address: '192.0.2.9', port: 9 },
  ],
  [
    notification([battery]),
    'dev-1/3/0/9',
    75,
    { ...about, ...batteryFacts, code: '2.05', contentFormat: 112, sequence: 7, observation: observed },
  ],
  [
    { kind: 'observation-ended', at: AT, registration, observation, reason: 'the device answered 4.04', code: '4.04' },
    'dev-1/observation-ended',
    { path: '/3/0/9', reason: 'the device answered 4.04', code: '4.04' },
    { ...about, ...batteryFacts, code: '4.04', observation: observed },
  ],
  [send([battery, temperature(21.5)]), 'dev-1/send', { '/3/0/9': 75, '/3303/0/5700': 21.5 }, { ...about, contentFormat: 112 }],
  [
    { kind: 'log', at: AT, registration, level: 'warn', text: 'a notification of /3/0/9 is lost' },
    'dev-1/log',
    { level: 'warn', text: 'a notification of /3/0/9 is lost' },
    about,
  ],
  [
    {
      kind: 'telemetry',
      at: AT,
      registration,
      time: AT - 5000,
      values: { batteryLevel: 75 },
      keys: { batteryLevel: { path: '/3/0/9', type: 'integer', unit: '%' } },
      profile: 'meter',
    },
    'dev-1/telemetry',
    { batteryLevel: 75 },
    { ...about, time: AT - 5000, keys: { batteryLevel: { path: '/3/0/9', type: 'integer', unit: '%' } }, profile: 'meter' },
  ],
  [
    { kind: 'attributes', at: AT, registration, time: AT, values: { manufacturer: 'Acme' }, keys: {}, profile: 'meter' },
    'dev-1/attributes',
    { manufacturer: 'Acme' },
    { ...about, time: AT, keys: {}, profile: 'meter' },
  ],
  [
    { kind: 'log', at: AT, registration, level: 'info', text: 'Registration updated.', transport: true },
    'dev-1/log',
    { level: 'info', text: 'Registration updated.', transport: true },
    about,
  ],
  [{ kind: 'awake', at: AT, registration, waiting: 3 }, 'dev-1/awake', { ...whole, waiting: 3 }, about],
  [{ kind: 'sleeping', at: AT, registration, waiting: 0 }, 'dev-1/sleeping', { ...whole, waiting: 0 }, about],
  [
    {
      kind: 'command',
      at: AT,
      endpoint: 'dev-1',
      id: 'c1',
      operation: { kind: 'Read', path: { ids: [3, 0, 9] } },
      result: {
        kind: 'answer',
        code: '2.05',
        result: 'CONTENT',
        ok: true,
        nodes: [battery],
        rtt: 5,
        registration,
        queue: { waiting: 2, position: 1 },
      },
      origin: { nodeId: 'n1', context: {} },
    },
    'dev-1/command',
    { result: 'CONTENT', value: 75 },
    { ...about, ...batteryFacts, method: 'Read', code: '2.05', rtt: 5, queue: { waiting: 2, position: 1 }, node: 'n1', warnings: [] },
  ],
  [
    {
      kind: 'command',
      at: AT,
      endpoint: 'dev-1',
      id: 'c1',
      operation: { kind: 'Execute', path: { ids: [3, 0, 4] } },
      result: { kind: 'failed', code: 'EXPIRED', error: 'too late', queue: { waiting: 0, position: 2 } },
    },
    'dev-1/command',
    { result: 'EXPIRED', error: 'too late' },
    {
      at: AT,
      method: 'Execute',
      path: '/3/0/4',
      object: 'Device',
      resource: 'Reboot',
      failure: 'EXPIRED',
      queue: { waiting: 0, position: 2 },
      warnings: [],
    },
  ],
  [{ kind: 'stats', at: AT, interval: 60, counters }, 'stats', counters, { at: AT, interval: 60 }],
];

describe('messages of events', () => {
  it('[RPC-034] covers every event', () => {
    assert.deepEqual([...new Set(events.map(([event]) => event.kind))].sort(), [...EVENTS].sort());
    assert.deepEqual(
      EVENTS.filter((name) => (RESERVED_EVENTS as readonly string[]).includes(name)),
      [],
    );
  });

  for (const [event, topic, payload, lwm2m] of events) {
    it(`[RPC-034] makes the message of ${event.kind}`, () => {
      const endpoint = event.kind === 'stats' ? {} : { endpoint: event.kind === 'refused' ? 'dev-9' : 'dev-1' };
      assert.deepEqual(toMessage(event, { model }), { payload, topic, ...endpoint, event: event.kind, lwm2m });
    });
  }

  it('[RPC-034] leaves out what the device did not say', () => {
    const ended: ServerEvent = { kind: 'observation-ended', at: AT, registration, observation, reason: 'cancelled' };
    assert.deepEqual(toMessage(ended, { model }).payload, { path: '/3/0/9', reason: 'cancelled' });
    const bare = toMessage(notification([battery], { contentFormat: undefined, sequence: undefined }), { model });
    assert.ok(!('contentFormat' in bare.lwm2m) && !('sequence' in bare.lwm2m));
    assert.ok(!('smsNumber' in (toMessage({ kind: 'registered', at: AT, registration }, { model }).payload as object)));
    const sms: Registration = { ...registration, smsNumber: '+43' };
    assert.equal((toMessage({ kind: 'registered', at: AT, registration: sms }, { model }).payload as Registration).smsNumber, '+43');
  });

  it('[RPC-034] gives registrations as plain JSON', () => {
    const { payload } = toMessage({ kind: 'registered', at: AT, registration }, { model });
    assert.deepEqual(JSON.parse(JSON.stringify(payload)), payload);
  });

  it('[RPC-035] shapes a notification of an instance, by id or by name', () => {
    const event = notification([battery], { observation: { ...observation, path: { ids: [3, 0] } } });
    const message = toMessage(event, { model });
    assert.equal(message.topic, 'dev-1/3/0');
    assert.deepEqual(message.payload, { 9: 75 });
    assert.equal(message.lwm2m['object'], 'Device');
    assert.ok(!('resource' in message.lwm2m) && !('type' in message.lwm2m));
    assert.deepEqual(toMessage(event, { model, instanceKeys: 'name' }).payload, { 'Battery Level': 75 });
  });

  it('[RPC-035] gives the type of a resource no definition describes', () => {
    const nodes: DataNode[] = [{ path: [31024, 10, 1], type: 'float', value: 1.5 }];
    const message = toMessage(notification(nodes, { observation: { ...observation, path: { ids: [31024, 10, 1] } } }), { model });
    assert.equal(message.payload, 1.5);
    assert.equal(message.lwm2m['type'], 'float');
    assert.ok(!('object' in message.lwm2m));
  });

  it('[RPC-036] gives the latest values of a Send by path, the instances of a multiple resource together', () => {
    const nodes: DataNode[] = [
      temperature(20, 1714564800),
      { path: [3, 0, 6, 0], type: 'integer', value: 1 },
      temperature(22, 1714564820),
      temperature(21, 1714564810.5),
      { path: [3, 0, 6, 1], type: 'integer', value: 5 },
      { path: [19, 0], type: 'none', value: null },
    ];
    const { payload, lwm2m } = toMessage(send(nodes), { model });
    assert.deepEqual(payload, { '/3303/0/5700': 22, '/3/0/6': { 0: 1, 1: 5 }, '/19/0': {} });
    assert.deepEqual(lwm2m['values'], [
      { path: '/3303/0/5700', value: 20, time: 1714564800000 },
      { path: '/3/0/6/0', value: 1, time: AT },
      { path: '/3303/0/5700', value: 22, time: 1714564820000 },
      { path: '/3303/0/5700', value: 21, time: 1714564810500 },
      { path: '/3/0/6/1', value: 5, time: AT },
      { path: '/19/0', value: null, time: AT },
    ]);
    assert.ok(!('time' in lwm2m));
  });

  it('[RPC-036] lists the values when different paths have different times', () => {
    const { lwm2m } = toMessage(send([{ ...battery, time: 5 }, temperature(20, 6)]), { model });
    assert.deepEqual(lwm2m['values'], [
      { path: '/3/0/9', value: 75, time: 5000 },
      { path: '/3303/0/5700', value: 20, time: 6000 },
    ]);
  });

  it('[RPC-036] gives one time of all values as lwm2m.time', () => {
    const { payload, lwm2m } = toMessage(send([temperature(20, 1714564800)]), { model });
    assert.deepEqual(payload, { '/3303/0/5700': 20 });
    assert.equal(lwm2m['time'], 1714564800000);
    assert.ok(!('values' in lwm2m) && !('type' in lwm2m));
  });

  it('[RPC-037] makes every message anew: no two receivers share an object with each other or with the server', () => {
    const bytes: DataNode = { path: [19, 0, 0, 0], type: 'opaque', value: Uint8Array.of(1, 2) };
    const all: ServerEvent[] = [...events.map(([event]) => event), send([bytes, temperature(1, 5), temperature(2, 6)])];
    for (const event of all) {
      const held = objectsOf(event);
      const first = objectsOf(toMessage(event, { model }));
      const second = objectsOf(toMessage(event, { model }));
      assert.ok(first.size > 1);
      for (const part of first) assert.ok(!second.has(part) && !held.has(part), `${event.kind} shares ${JSON.stringify(part)}`);
    }
  });
});

/** Every object within a value. */
function objectsOf(value: unknown, found = new Set<unknown>()): Set<unknown> {
  if (typeof value !== 'object' || value === null || found.has(value)) return found;
  found.add(value);
  if (ArrayBuffer.isView(value)) return found;
  if (value instanceof Map) for (const entry of value.values()) objectsOf(entry, found);
  for (const entry of Object.values(value)) objectsOf(entry, found);
  return found;
}
