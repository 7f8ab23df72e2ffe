import assert from 'node:assert/strict';
import { migrate as credentials } from '../../nodes/lwm2m-credentials/migrations';
import { migrate as device } from '../../nodes/lwm2m-device/migrations';
import { eventKinds } from '../../nodes/lwm2m-in/events';
import { migrate as incoming } from '../../nodes/lwm2m-in/migrations';
import { migrate as profile } from '../../nodes/lwm2m-profile/migrations';
import { migrate as rpc } from '../../nodes/lwm2m-rpc/migrations';
import { migrate as server } from '../../nodes/lwm2m-server/migrations';
import { serverOptions } from '../../nodes/lwm2m-server/options';

const nodes: [string, (settings: object) => object, object, number?][] = [
  [
    'lwm2m-server',
    server,
    {
      name: '',
      port: 5683,
      host: '',
      unknownDevices: 'refuse',
      devices: [],
      devicesFile: '',
      receiveBuffer: '',
      timeout: '',
      statsInterval: '',
      awakeWindow: '',
      awakeParameter: '',
      queueTtl: '',
      queueLimit: '',
      replaceWrites: false,
      securePort: '',
      keyLogFile: '',
      observeAgain: true,
      tls: '',
      serverCertificate: '',
      trustAnchors: '',
      certificateNames: '',
      transportLog: true,
    },
    7,
  ],
  ['lwm2m-credentials', credentials, { server: '' }],
  [
    'lwm2m-profile',
    profile,
    { name: '', server: '', endpoints: '', isDefault: false, definition: { resources: [], transportLog: true }, kept: null },
  ],
  [
    'lwm2m-in',
    incoming,
    { server: '', endpoint: '', events: [...eventKinds], path: '', instanceKeys: 'id', messagePer: 'event', startValues: false },
    2,
  ],
  [
    'lwm2m-rpc',
    rpc,
    {
      server: '',
      endpoint: '',
      operation: '',
      path: '',
      value: 'payload',
      valueType: 'msg',
      args: '',
      timeout: '',
      instanceKeys: 'id',
      strict: false,
      failures: 'output',
      keys: [],
      answers: 'values',
      oneByOne: false,
    },
    2,
  ],
  [
    'lwm2m-device',
    device,
    {
      endpoint: 'simulated-device',
      host: '127.0.0.1',
      port: 5683,
      lifetime: 300,
      lwm2mVersion: '1.1',
      security: 'none',
      identity: '',
      sleepAfter: '',
    },
    3,
  ],
];

describe('migrations', () => {
  for (const [type, migrate, defaults, version = 1] of nodes) {
    describe(type, () => {
      it('gives a flow written by hand what it does not say', () => {
        assert.deepEqual(migrate({ id: 'n1', type }), { id: 'n1', type, ...defaults, version });
      });
      it('keeps what the flow says, even blank', () => {
        const [field = ''] = Object.keys(defaults);
        assert.deepEqual(migrate({ [field]: 'mine' }), { ...defaults, [field]: 'mine', version });
        assert.deepEqual(migrate({ [field]: '' }), { ...defaults, [field]: '', version });
      });
      it(`leaves version ${version} as it is`, () => {
        const settings = { ...defaults, version, other: true };
        assert.deepEqual(migrate(settings), settings);
      });
    });
  }
});

describe('lwm2m-server options', () => {
  it('are the defaults of the library for an empty dialog', () => {
    assert.deepEqual(serverOptions(server({})), {
      name: 'LwM2M :5683',
      port: 5683,
      queue: { awakeParameter: '', replaceWrites: false },
      observeAgain: true,
      transportLog: true,
      unknownDevices: 'refuse',
      devices: [],
    });
  });

  it('take every field', () => {
    const settings = {
      name: 'Plant',
      port: '5690',
      host: ' ::1 , 127.0.0.2,',
      observeAgain: false,
      transportLog: false,
      unknownDevices: 'accept-without-security',
      devices: [
        { endpoint: ' meter-1 ', mode: 'none', name: 'Cellar', timeout: '5000', profile: ' Meters ' },
        { endpoint: 'meter-2', mode: 'none', name: '', timeout: '', profile: '' },
        { endpoint: '', mode: 'none', name: 'blank row', timeout: '' },
      ],
      devicesFile: '/data/devices.json',
      receiveBuffer: '1048576',
      timeout: 60000,
      awakeWindow: '22000',
      awakeParameter: ' at ',
      queueTtl: '0',
      queueLimit: 5,
      replaceWrites: true,
      statsInterval: '60',
    };
    assert.deepEqual(serverOptions(server(settings)), {
      name: 'Plant',
      port: 5690,
      host: ['::1', '127.0.0.2'],
      observeAgain: false,
      transportLog: false,
      unknownDevices: 'accept-without-security',
      devices: [
        { endpoint: 'meter-1', mode: 'none', name: 'Cellar', timeout: 5000, profile: 'Meters' },
        { endpoint: 'meter-2', mode: 'none' },
      ],
      devicesFile: '/data/devices.json',
      receiveBuffer: 1048576,
      timeout: 60000,
      queue: { awakeWindow: 22_000, awakeParameter: 'at', queueTtl: 0, queueLimit: 5, replaceWrites: true },
      statsInterval: 60,
    });
  });

  it('never fall back to less security', () => {
    assert.equal(serverOptions(server({ unknownDevices: 'accept-everything' })).unknownDevices, 'refuse');
  });

  const wrong: [string, object][] = [
    ['port', { port: 'coap' }],
    ['port', { port: 70000 }],
    ['timeout', { timeout: '0' }],
    ['receiveBuffer', { receiveBuffer: '-1' }],
    ['statsInterval', { statsInterval: '0.5' }],
    ['timeout of x', { devices: [{ endpoint: 'x', timeout: '1.5' }] }],
  ];
  for (const [field, settings] of wrong) {
    it(`refuse ${JSON.stringify(settings)} and name the field`, () => {
      assert.throws(() => serverOptions(server(settings)), new RegExp(`^RangeError: ${field}:`));
    });
  }

  it('survive a device table that is none', () => {
    assert.deepEqual(serverOptions(server({ devices: 'x' })).devices, []);
  });
});
