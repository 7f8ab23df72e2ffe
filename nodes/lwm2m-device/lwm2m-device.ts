import type { Node, NodeAPI, NodeDef, NodeStatus } from 'node-red';
import { createDevice } from '../../lib/index';
import type { DeviceEvent, DeviceOptions, Lwm2mVersion, SimulatedDevice } from '../../lib/index';
import { numberField, reasonOf, textField } from '../shared/fields';
import { StatusLine } from '../shared/status';
import { migrate } from './migrations';
import type { DeviceSettings } from './migrations';

type EventOf<K extends DeviceEvent['kind']> = Extract<DeviceEvent, { kind: K }>;
type DeviceState = EventOf<'state'>['state'];
type DeviceValue = EventOf<'written'>['value'];

const versions: readonly string[] = ['1.0', '1.1', '1.2'] satisfies Lwm2mVersion[];
const defaultPort = 5683;
const defaultLifetime = 300;
const maxLifetime = 2 ** 31 - 1;

function init(RED: NodeAPI): void {
  function Lwm2mDeviceNode(this: Node, def: NodeDef): void {
    RED.nodes.createNode(this, def);
    const settings = migrate(def);
    const status = new StatusLine(this);
    let device: SimulatedDevice | undefined;
    let closed = false;

    const onEvent = (event: DeviceEvent): void => {
      if (closed) return;
      switch (event.kind) {
        case 'state':
          return status.set(badge(event.state));
        case 'written':
          return this.send(message(event.kind, settings.endpoint, event.path, flowValue(event.value)));
        case 'executed':
          return this.send(message(event.kind, settings.endpoint, event.path, event.args));
        case 'error':
          return this.warn(event.error.message);
      }
    };

    this.on('input', (msg, _send, done) => {
      try {
        if (!device) throw new Error(RED._('lwm2m-device.errors.notStarted'));
        if (textField(msg.topic) === 'update') device.update();
        else device.set(textField(msg.topic), msg.payload);
        done();
      } catch (error) {
        done(error instanceof Error ? error : new Error(reasonOf(error)));
      }
    });

    this.on('close', (_removed: boolean, done: () => void) => {
      closed = true;
      status.close();
      const stopped = device?.stop() ?? Promise.resolve();
      stopped.catch((error: unknown) => this.error(reasonOf(error))).finally(done);
    });

    try {
      device = createDevice({ ...deviceOptions(settings, this.credentials), onEvent });
      device.start();
    } catch (error) {
      this.error(RED._('lwm2m-device.errors.setting', { reason: reasonOf(error) }));
      status.set({ fill: 'red', shape: 'ring', text: 'lwm2m-device.status.setting' });
    }
  }

  RED.nodes.registerType('lwm2m-device', Lwm2mDeviceNode, { credentials: { psk: { type: 'password' } } });
}

/** Throws an Error in plain words for a setting that cannot be meant. */
function deviceOptions(settings: DeviceSettings, credentials: { readonly psk?: unknown } | undefined): DeviceOptions {
  const identity = textField(settings.identity);
  const key = textField(credentials?.psk);
  const sleepAfter = numberField(settings.sleepAfter, 'sleepAfter', 0, 86_400) ?? 0;
  return {
    endpoint: textField(settings.endpoint),
    server: { host: textField(settings.host) || '127.0.0.1', port: numberField(settings.port, 'port', 1, 65535) ?? defaultPort },
    lifetime: numberField(settings.lifetime, 'lifetime', 1, maxLifetime) ?? defaultLifetime,
    lwm2mVersion: (versions.includes(settings.lwm2mVersion) ? settings.lwm2mVersion : '1.1') as Lwm2mVersion,
    ...(settings.security === 'psk' && { psk: { key, ...(identity && { identity }) } }),
    ...(sleepAfter > 0 && { binding: 'UQ' as const, listenMs: sleepAfter * 1000 }),
  };
}

function badge(state: DeviceState): NodeStatus {
  switch (state) {
    case 'resolving':
    case 'registering':
      return { fill: 'yellow', shape: 'ring', text: 'lwm2m-device.status.registering' };
    // An update is part of being registered: no flicker every few minutes.
    case 'registered':
    case 'updating':
      return { fill: 'green', shape: 'dot', text: 'lwm2m-device.status.registered' };
    case 'refused':
      return { fill: 'red', shape: 'ring', text: 'lwm2m-device.status.refused' };
    case 'unreachable':
      return { fill: 'red', shape: 'ring', text: 'lwm2m-device.status.unreachable' };
    case 'stopped':
      return { fill: 'grey', shape: 'ring', text: 'lwm2m-device.status.stopped' };
  }
}

function message(event: 'written' | 'executed', endpoint: string, path: string, payload: unknown) {
  return { event, endpoint, topic: `${endpoint}${path}`, payload, lwm2m: { path } };
}

/** Values as flows have them: bytes as Buffer, integers beyond 2^53 as text. */
function flowValue(value: DeviceValue): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([id, inner]) => [id, flowValue(inner)]));
}

export = init;
