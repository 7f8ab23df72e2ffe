import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatPath } from '../../../lib/lwm2m/path';
import type { DataNode } from '../../../lib/lwm2m/types';
import { omaModel, omaObjects } from '../../../lib/model/oma';
import { compileProfile } from '../../../lib/profile/compile';
import { keyedValues, keyTable } from '../../../lib/profile/keyed';
import { planFor } from '../../../lib/profile/plan';
import { fromDevice, toDevice } from '../../../lib/profile/scale';
import { keyName, keyOfInstance } from '../../../lib/profile/key-name';
import { ProfileError, type ProfileDefinition, type ResourceEntry } from '../../../lib/profile/types';
import { registration } from '../../support/fake-server';

const AT = 1_700_000_000_000;
const profile = (resources: readonly ResourceEntry[], more: Partial<ProfileDefinition> = {}) =>
  compileProfile({ id: 'p', name: 'p', definition: { resources, ...more } }, omaModel());
const node = (path: number[], value: DataNode['value'], type: DataNode['type'], time?: number): DataNode => ({
  path,
  type,
  value,
  ...(time !== undefined && { time }),
});
const keyed = (resources: readonly ResourceEntry[], nodes: readonly DataNode[]) =>
  keyedValues(profile(resources), { at: AT, registration: registration('dev'), nodes }).map(({ kind, time, values }) => [
    kind,
    time,
    values,
  ]);

/** What is wrong with a definition, one line a problem. */
function problems(definition: unknown): string[] {
  try {
    compileProfile({ id: 'p', name: 'p', definition: definition as ProfileDefinition }, omaModel());
    return [];
  } catch (error) {
    assert.ok(error instanceof ProfileError);
    return error.problems.map(({ where, problem }) => `${where}: ${problem}`);
  }
}

describe('Keys of a profile', () => {
  for (const [name, key] of [
    ['Battery Level', 'batteryLevel'],
    ['PkgVersion', 'pkgversion'],
    ['Package URI', 'packageUri'],
    ['Default Minimum Period', 'defaultMinimumPeriod'],
    ['Min-Measured_Value', 'minMeasuredValue'],
    ['  a  b ', 'aB'],
    ['', ''],
  ] as const) {
    it(`[PRF-020] "${name}" is ${JSON.stringify(key)}`, () => assert.equal(keyName(name), key));
  }

  it('[PRF-020] the id of an instance follows, but of instance 0, or stands where a * is', () => {
    assert.deepEqual(
      [keyOfInstance('t', 0), keyOfInstance('t', 3), keyOfInstance('t*C', 0), keyOfInstance('t*C', 12)],
      ['t', 't3', 't0C', 't12C'],
    );
    const [explicit, every] = profile([{ path: '/3303/2/5700' }, { path: '/3303/*/5701' }]).resources;
    assert.deepEqual([explicit?.key, every?.key], ['sensorValue2', 'sensorUnits']);
  });

  it('[PRF-020] every resource of the registry has a key of its own rule, and none breaks a profile', () => {
    for (const object of omaObjects()) {
      for (const id of object.resources.keys()) {
        assert.deepEqual(problems({ resources: [{ path: `/${object.id}/0/${id}`, telemetry: true }] }), []);
      }
    }
  });

  it('[PRF-021] commands by key: what the device has, by path', () => {
    const device = registration('dev', {
      objects: [
        { objectId: 3, instanceId: 0 },
        { objectId: 3303, instanceId: 0 },
        { objectId: 3303, instanceId: 4 },
      ],
      versions: new Map([[3, '1.1']]),
    });
    const table = keyTable(
      profile([{ path: '/3_1.2/0/9' }, { path: '/3_2.0/0/1' }, { path: '/3303/*/5700', key: 't' }]),
      device,
      omaModel(),
    );
    assert.deepEqual(table, { batteryLevel: '/3/0/9', t: '/3303/0/5700', t4: '/3303/4/5700' });
  });
});

describe('Values of a profile', () => {
  it('[PRF-021] of entries for several versions the one for the version of the device counts, for values and for requests', () => {
    const entries = [
      { path: '/3_1.0/0/9', key: 'old', telemetry: true, observe: true },
      { path: '/3/0/9', key: 'any', telemetry: true },
      { path: '/3_1.2/0/9', key: 'new', attribute: true },
    ];
    const given = [node([3, 0, 9], 80, 'integer')];
    for (const [version, kind, key, observed] of [
      [undefined, 'telemetry', 'old', 1],
      ['1.0', 'telemetry', 'old', 1],
      ['1.1', 'telemetry', 'old', 1],
      ['1.2', 'attributes', 'new', 0],
      ['2.0', 'telemetry', 'any', 0],
    ] as const) {
      const device = registration('dev', {
        objects: [{ objectId: 3, instanceId: 0 }],
        versions: new Map(version === undefined ? [] : [[3, version]]),
      });
      const [told] = keyedValues(profile(entries), { at: AT, registration: device, nodes: given });
      assert.deepEqual([told?.kind, told?.values], [kind, { [key]: 80 }], version);
      assert.equal(planFor(profile(entries), device, omaModel(), false).observe.length, observed, version);
    }
  });

  it('[PRF-021] a key that is of two resources of a device: a message for each, the first for commands, and it is said', () => {
    const entries = [
      { path: '/3303/*/5700', key: 't', telemetry: true },
      { path: '/3304/0/5700', key: 't1', telemetry: true },
    ];
    const objects = [0, 1].map((instanceId) => ({ objectId: 3303, instanceId })).concat({ objectId: 3304, instanceId: 0 });
    const device = registration('dev', { objects });
    const nodes = [node([3303, 0, 5700], 20, 'float'), node([3304, 0, 5700], 60, 'float'), node([3303, 1, 5700], 21, 'float')];
    const told = keyedValues(profile(entries), { at: AT, registration: device, nodes });
    assert.deepEqual(
      told.map(({ time, values }) => [time, values]),
      [
        [AT, { t: 20, t1: 60 }],
        [AT, { t1: 21 }],
      ],
    );
    assert.deepEqual(keyTable(profile(entries), device, omaModel()), { t: '/3303/0/5700', t1: '/3303/1/5700' });
    const { remarks } = planFor(profile(entries), device, omaModel(), false);
    assert.deepEqual(
      remarks.map(({ text }) => text),
      ['The key "t1" is that of /3303/1/5700 and of /3304/0/5700.'],
    );
  });

  it('[PRF-022] each type: also unsigned integers beyond 2^53 and object links', () => {
    const types: readonly (readonly [DataNode['type'], DataNode['value'], unknown])[] = [
      ['string', 'x', 'x'],
      ['integer', -5, -5],
      ['unsigned', 18_446_744_073_709_551_615n, '18446744073709551615'],
      ['float', 2.5, 2.5],
      ['boolean', true, true],
      ['opaque', Buffer.from('0a', 'hex'), Buffer.from('0a', 'hex')],
      ['time', 1_700_000_000, 1_700_000_000_000],
      ['objlnk', '3:0', '3:0'],
      ['corelnk', '</3>', '</3>'],
    ];
    for (const [type, value, shown] of types) {
      assert.deepEqual(keyed([{ path: '/9/0/1', key: 'k', telemetry: true }], [node([9, 0, 1], value, type)]), [
        ['telemetry', AT, { k: shown }],
      ]);
    }
  });

  it('[PRF-023] multiple resources are objects by instance; empty ones too; what has no value is not told', () => {
    const entries = [
      { path: '/3/0/7', key: 'volts', telemetry: true },
      { path: '/3/0/9', telemetry: true },
    ];
    assert.deepEqual(keyed(entries, [node([3, 0, 7, 0], 3600, 'integer'), node([3, 0, 7, 5], 5000, 'integer')]), [
      ['telemetry', AT, { volts: { '0': 3600, '5': 5000 } }],
    ]);
    assert.deepEqual(keyed(entries, [node([3, 0, 7], null, 'integer'), node([3, 0, 9], null, 'integer')]), [
      ['telemetry', AT, { volts: {} }],
    ]);
  });

  it('[PRF-024] both kinds, one kind, neither', () => {
    const nodes = [node([3, 0, 9], 80, 'integer'), node([3, 0, 0], 'Acme', 'string'), node([3, 0, 1], 'M1', 'string')];
    const entries = [
      { path: '/3/0/9', telemetry: true, attribute: true },
      { path: '/3/0/0', attribute: true },
      { path: '/3/0/1', observe: true },
    ];
    assert.deepEqual(keyed(entries, nodes), [
      ['telemetry', AT, { batteryLevel: 80 }],
      ['attributes', AT, { batteryLevel: 80, manufacturer: 'Acme' }],
    ]);
  });

  it('[PRF-025] scale and unit; a write by key goes the way back', () => {
    const entry = { path: '/3303/0/5700', key: 't', telemetry: true, factor: 0.1, offset: -40, unit: 'Cel' };
    assert.deepEqual(keyed([entry], [node([3303, 0, 5700], 3, 'float')]), [['telemetry', AT, { t: -39.7 }]]);
    const [resource] = profile([entry]).resources;
    assert.equal(resource?.unit, 'Cel');
    assert.equal(toDevice(-39.7, { factor: 0.1, offset: -40 }), 3);
    assert.deepEqual(keyed([{ ...entry, path: '/3/0/0' }], [node([3, 0, 0], 'text', 'string')]), [['telemetry', AT, { t: 'text' }]]);
  });

  it('[PRF-025] large and small numbers keep their digits, also integers beyond 2^53, and come back the same', () => {
    for (const [factor, offset, raw, shown] of [
      [0.001, 0, 1_700_000_000_123, 1_700_000_000.123],
      [0.001, 0, 99_999_999_999_999, 99_999_999_999.999],
      [1, -273.15, 300.15, 27],
      [0.1, 0, 3, 0.3],
      [0.01, 0, 2135, 21.35],
      [1e-120, 0, 5, 5e-120],
      [3, 0, 0, 0],
      [1e30, 0, 7, 7e30],
    ] as const) {
      assert.equal(fromDevice(raw, { factor, offset }), shown);
      assert.equal(toDevice(shown, { factor, offset }), raw);
    }
    assert.ok(Number.isNaN(fromDevice(Number.NaN, { factor: 2, offset: 0 })));
    const entry = { path: '/7/0/1', key: 'sent', telemetry: true, factor: 0.001 };
    assert.deepEqual(keyed([entry], [node([7, 0, 1], 2n ** 60n, 'integer')]), [['telemetry', AT, { sent: 1_152_921_504_606_847 }]]);
    fc.assert(
      fc.property(fc.integer({ min: -1e14, max: 1e14 }), fc.constantFrom(0.001, 0.01, 0.1, 10, 0.5), (raw, factor) => {
        assert.equal(Number(toDevice(fromDevice(raw, { factor, offset: 0 }), { factor, offset: 0 })), raw);
      }),
      { seed: 20_261_123, numRuns: 500 },
    );
  });

  it('[PRF-026] several times are several events, the oldest first; without a time it is of when it came', () => {
    const entry = { path: '/3303/0/5700', key: 't', telemetry: true };
    const nodes = [30, 10, undefined, 20].map((time, at) => node([3303, 0, 5700], at, 'float', time));
    assert.deepEqual(keyed([entry], nodes), [
      ['telemetry', 10_000, { t: 1 }],
      ['telemetry', 20_000, { t: 3 }],
      ['telemetry', 30_000, { t: 0 }],
      ['telemetry', AT, { t: 2 }],
    ]);
  });

  it('[PRF-026] several times within a millisecond: nothing is lost, and what is of one time stays together', () => {
    const at = AT / 1000;
    const entries = [
      { path: '/3303/0/5700', key: 't', telemetry: true },
      { path: '/3303/1/5700', key: 'u', telemetry: true },
    ];
    const nodes = [
      node([3303, 0, 5700], 2, 'float', at + 0.0003),
      node([3303, 0, 5700], 1, 'float', at + 0.0001),
      node([3303, 1, 5700], 3, 'float', at + 0.00010001),
    ];
    assert.deepEqual(keyed(entries, nodes), [
      ['telemetry', AT, { t: 1, u: 3 }],
      ['telemetry', AT, { t: 2 }],
    ]);
  });

  it('[PRF-026] nothing is lost and nothing is told twice, whatever comes', () => {
    const entries = [
      { path: '/3303/*/5700', key: 't', telemetry: true },
      { path: '/3303/1/5700', key: 'special', telemetry: true },
    ];
    const value = fc.record({ instance: fc.integer({ min: 0, max: 3 }), time: fc.integer({ min: 1, max: 4 }), value: fc.integer() });
    fc.assert(
      fc.property(fc.uniqueArray(value, { selector: (each) => `${each.instance}/${each.time}` }), (given) => {
        const nodes = given.map((each) => node([3303, each.instance, 5700], each.value, 'float', each.time));
        const told = keyed(entries, nodes).flatMap(([, time, values]) =>
          Object.entries(values as object).map(([key, shown]) => `${key} ${Number(time)} ${String(shown)}`),
        );
        const names = ['t', 'special', 't2', 't3'];
        const expected = given.map((each) => `${names[each.instance]} ${each.time * 1000} ${each.value}`);
        assert.deepEqual(told.sort(), expected.sort());
      }),
      { seed: 20_261_123, numRuns: 200 },
    );
  });
});

describe('A profile as somebody wrote it', () => {
  for (const [what, definition, expected] of [
    ['no list', {}, ['resources: There is no list of resources.']],
    ['not an object', 5, ['resources: There is no list of resources.']],
    ['an entry that is none', { resources: [null] }, ['resources[0]: It is not an object such as {"path":"/3/0/9","telemetry":true}.']],
    [
      'an instance',
      { resources: [{ path: '/3/0' }] },
      ['resources[0]: /3/0 is no resource: a path has an object, an instance (or *) and a resource, like "/3/0/9".'],
    ],
    [
      'twice',
      { resources: [{ path: '/3/0/9' }, { path: '/3/0/9', key: 'b' }] },
      ['resources[1]: /3/0/9 is there already, at resources[0].'],
    ],
    [
      'a key twice',
      {
        resources: [
          { path: '/3/0/9', key: 'a' },
          { path: '/3/0/1', key: 'a' },
        ],
      },
      ['resources[1]: The key "a" is that of /3/0/9 already.'],
    ],
    ['a bad factor', { resources: [{ path: '/3/0/9', factor: 0 }] }, ['resources[0]: "factor" is a number other than 0.']],
    [
      'a bad key',
      { resources: [{ path: '/3/0/9', key: '__proto__' }] },
      ['resources[0]: The "key" is a text of 1 to 100 characters without blanks around it.'],
    ],
    ['a strategy', { resources: [], strategy: 'all' }, ['strategy: It is one of single, composite-by-object, composite.']],
    [
      'attributes',
      { resources: [], attributes: { '/3/0': { gt: 1 } } },
      ['attributes /3/0: The attribute "gt" is not valid for an object instance, /3/0. It belongs to a resource or a resource instance.'],
    ],
  ] as const) {
    it(`[PRF-030] ${what}: says what is wrong, and where`, () => assert.deepEqual(problems(definition), expected));
  }

  it('[PRF-030] whatever it is: a list of problems or a profile, never anything else', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), fc.anything(), (path, entry, attributes) => {
        problems({ resources: [{ path }, entry], attributes });
        problems(entry);
      }),
      { seed: 7, numRuns: 500 },
    );
  });

  it('[PRF-030] versions of one resource may share a key', () => {
    assert.deepEqual(problems({ resources: [{ path: '/3_1.0/0/9' }, { path: '/3_1.2/0/9' }] }), []);
    assert.equal(formatPath([3, 0, 9], '1.2'), '/3_1.2/0/9');
  });
});
