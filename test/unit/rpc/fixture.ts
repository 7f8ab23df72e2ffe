/** A registered device, a model of a few objects and a server that answers what it is told. */
import { createModel } from '../../../lib/model/model';
import type { Model, ObjectDefinition, ResourceDefinition } from '../../../lib/model/types';
import type { RpcServer } from '../../../lib/rpc/run';
import type { Observation, Operation, OperationOptions, OperationResult, Registration } from '../../../lib/server/types';

type Row = readonly [number, string, ResourceDefinition['operations'], ResourceDefinition['type'], 'single' | 'multiple', string?];

function object(id: number, name: string, version: string, rows: readonly Row[]): ObjectDefinition {
  const resources = rows.map(([resourceId, title, operations, type, kind, units]): ResourceDefinition => ({
    id: resourceId,
    name: title,
    operations,
    type,
    multiple: kind === 'multiple',
    mandatory: false,
    ...(units === undefined ? {} : { units }),
  }));
  return { id, name, version, multiple: true, mandatory: false, resources: new Map(resources.map((entry) => [entry.id, entry])) };
}

/** Object 30000 has a resource of every type, single (0 to 9) and multiple (10 to 19), and names that cannot be keys. */
export const model: Model = createModel([
  object(3, 'Device', '1.1', [
    [0, 'Manufacturer', 'R', 'string', 'single'],
    [4, 'Reboot', 'E', 'none', 'single'],
    [6, 'Available Power Sources', 'R', 'integer', 'multiple'],
    [9, 'Battery Level', 'R', 'integer', 'single', '%'],
    [13, 'Current Time', 'RW', 'time', 'single'],
    [14, 'UTC Offset', 'RW', 'string', 'single'],
    [15, 'Timezone', 'RW', 'string', 'single'],
  ]),
  object(5, 'Firmware Update', '1.0', [
    [0, 'Package', 'W', 'opaque', 'single'],
    [2, 'Update', 'E', 'none', 'single'],
  ]),
  object(19, 'BinaryAppDataContainer', '1.1', [[0, 'Data', 'RW', 'opaque', 'multiple']]),
  object(3303, 'Temperature', '1.1', [[5700, 'Sensor Value', 'R', 'float', 'single', 'Cel']]),
  object(30000, 'Everything', '1.0', [
    ...(['string', 'integer', 'unsigned', 'float', 'boolean', 'opaque', 'time', 'objlnk', 'corelnk'] as const).flatMap(
      (type, at): Row[] => [
        [at, `One ${type}`, 'RW', type, 'single'],
        [at + 10, `Many ${type}`, 'RW', type, 'multiple'],
      ],
    ),
    [30, 'Twin', 'RW', 'string', 'single'],
    [31, 'Twin', 'RW', 'string', 'single'],
    [32, '__proto__', 'RW', 'string', 'single'],
    [33, '7', 'RW', 'string', 'single'],
  ]),
]);

export const versions: ReadonlyMap<number, string> = new Map([
  [3, '1.1'],
  [5, '1.0'],
  [19, '1.1'],
  [3303, '1.1'],
  [30000, '1.0'],
  [31024, '1.0'],
]);

export const registration: Registration = {
  id: 'r1',
  endpoint: 'dev-1',
  lwm2mVersion: '1.1',
  lifetime: 300,
  binding: 'U',
  queueMode: false,
  extra: { site: 'north' },
  rootPath: '',
  contentFormats: [110, 112],
  objects: [
    { objectId: 3, instanceId: 0, version: '1.1' },
    { objectId: 5, instanceId: 0 },
    { objectId: 19 },
    { objectId: 19, instanceId: 0 },
    { objectId: 3303, instanceId: 0 },
    { objectId: 30000, instanceId: 0 },
    { objectId: 31024, instanceId: 10 },
  ],
  versions,
  identity: { scheme: 'coap', mode: 'none', name: '' },
  address: '192.0.2.7',
  port: 56830,
  registeredAt: 1_700_000_000_000,
  updatedAt: 1_700_000_060_000,
  lastSeenAt: 1_700_000_060_000,
};

export const observation: Observation = {
  id: 'a1b2',
  registrationId: 'r1',
  endpoint: 'dev-1',
  path: { ids: [3, 0, 9] },
  contentFormat: 112,
  startedAt: 1_700_000_001_000,
};

export const AT = 1_700_000_100_000;

/** An answer of the device; the fields given win. */
export function answer(fields: Partial<Extract<OperationResult, { kind: 'answer' }>>): OperationResult {
  return { kind: 'answer', code: '2.05', result: 'CONTENT', ok: true, rtt: 12, registration, ...fields };
}

export interface StubServer extends RpcServer {
  readonly performed: { endpoint: string; operation: Operation; options: OperationOptions | undefined }[];
}

/** Knows `dev-1` and answers every operation with what it is told. */
export function stubServer(reply: OperationResult | (() => Promise<OperationResult>) = answer({}), devices = [registration]): StubServer {
  const performed: StubServer['performed'] = [];
  return {
    performed,
    registrations: () => devices,
    registration: (endpoint) => devices.find((device) => device.endpoint === endpoint),
    perform: (endpoint, operation, options) => {
      performed.push({ endpoint, operation, options });
      return typeof reply === 'function' ? reply() : Promise.resolve(reply);
    },
  };
}
