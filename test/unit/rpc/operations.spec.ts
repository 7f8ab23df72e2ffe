import assert from 'node:assert/strict';
import fc from 'fast-check';
import { COMMANDS } from '../../../lib/rpc/commands';
import { CommandError } from '../../../lib/rpc/errors';
import { FORMATS, toOperation } from '../../../lib/rpc/operations';
import { parseCommand } from '../../../lib/rpc/parse';
import { createModel } from '../../../lib/model/model';
import { model, registration } from './fixture';

const ready = (input: unknown): ReturnType<typeof toOperation> => toOperation(parseCommand(input), registration, model);

function refused(input: unknown, ...texts: RegExp[]): void {
  assert.throws(
    () => ready(input),
    (error: unknown) => {
      assert.ok(error instanceof CommandError, String(error));
      assert.equal(error.code, 'BAD_REQUEST');
      for (const text of texts) assert.match(error.message, text);
      return true;
    },
  );
}

describe('commands to operations', () => {
  for (const [command, expected] of [
    ['Read {"id":"/3/0/9"}', { kind: 'Read', path: { ids: [3, 0, 9] } }],
    ['Read {"id":"3"}', { kind: 'Read', path: { ids: [3] } }],
    ['Read {"id":" /3/0/6/1/ "}', { kind: 'Read', path: { ids: [3, 0, 6, 1] } }],
    ['Read {"id":"/3_1.1/0/9"}', { kind: 'Read', path: { ids: [3, 0, 9] } }],
    ['Discover {"id":"/3"}', { kind: 'Discover', path: { ids: [3] } }],
    ['Observe {"id":"/3/0"}', { kind: 'Observe', path: { ids: [3, 0] } }],
    ['ObserveCancel {"id":"/5/0/7"}', { kind: 'ObserveCancel', path: { ids: [5, 0, 7] } }],
    ['Execute {"id":"5/0/2"}', { kind: 'Execute', path: { ids: [5, 0, 2] } }],
    [
      'WriteUpdate  {"id":"/3/0","value":{"14":"+5","15":"Kiyv/Europe"}}',
      {
        kind: 'WriteUpdate',
        path: { ids: [3, 0] },
        nodes: [
          { path: [3, 0, 14], type: 'string', value: '+5' },
          { path: [3, 0, 15], type: 'string', value: 'Kiyv/Europe' },
        ],
      },
    ],
    [
      'WriteUpdate {"id": "/19/0","value": {"0":{"0":"00ad456756", "25":"25ad456756"}}}',
      {
        kind: 'WriteUpdate',
        path: { ids: [19, 0] },
        nodes: [
          { path: [19, 0, 0, 0], type: 'opaque', value: Uint8Array.of(0x00, 0xad, 0x45, 0x67, 0x56) },
          { path: [19, 0, 0, 25], type: 'opaque', value: Uint8Array.of(0x25, 0xad, 0x45, 0x67, 0x56) },
        ],
      },
    ],
    [
      'WriteUpdate {"id": "/19/0/0","value": {"0":"00ad456756", "25":"25ad456756"}}',
      {
        kind: 'WriteUpdate',
        path: { ids: [19, 0, 0] },
        nodes: [
          { path: [19, 0, 0, 0], type: 'opaque', value: Uint8Array.of(0x00, 0xad, 0x45, 0x67, 0x56) },
          { path: [19, 0, 0, 25], type: 'opaque', value: Uint8Array.of(0x25, 0xad, 0x45, 0x67, 0x56) },
        ],
      },
    ],
    [
      'WriteReplace {"id":"/19/0/0","value":"0081"}',
      {
        kind: 'WriteReplace',
        path: { ids: [19, 0, 0] },
        nodes: [{ path: [19, 0, 0, 0], type: 'opaque', value: Uint8Array.of(0x00, 0x81) }],
      },
    ],
    [
      'WriteReplace {"id": "/19_1.1/0/0","value": {"0":"00ad456797", "25":"25ad456700"}}',
      {
        kind: 'WriteReplace',
        path: { ids: [19, 0, 0] },
        nodes: [
          { path: [19, 0, 0, 0], type: 'opaque', value: Uint8Array.of(0x00, 0xad, 0x45, 0x67, 0x97) },
          { path: [19, 0, 0, 25], type: 'opaque', value: Uint8Array.of(0x25, 0xad, 0x45, 0x67, 0x00) },
        ],
      },
    ],
    [
      'WriteReplace {"id":"/3/0/15","value":"Europe/Vienna"}',
      { kind: 'WriteReplace', path: { ids: [3, 0, 15] }, nodes: [{ path: [3, 0, 15], type: 'string', value: 'Europe/Vienna' }] },
    ],
  ] as const) {
    it(`[RPC-007] [RPC-008] makes the operation of ${command}`, () => {
      const { operation, options, warnings } = ready(command);
      assert.deepEqual({ operation, options, warnings }, { operation: expected, options: {}, warnings: [] });
    });
  }

  it('[RPC-006] gives every command of the table an example that works', () => {
    const objects = [{ objectId: 1, instanceId: 0 }, ...registration.objects];
    for (const row of COMMANDS.filter(({ target }) => target !== 'keys')) {
      assert.equal(toOperation(parseCommand(row.example), { ...registration, objects }, model).operation.kind, row.method);
    }
  });

  for (const [command, ...texts] of [
    ['Read', /needs an "id"/, /Right is: Read \{"id":"\/3\/0\/9"\}/],
    ['Read {"id":null}', /needs an "id"/],
    ['Read {"id":3}', /must be text, not 3/],
    ['Read {"id":["/3/0/9"]}', /must be text, not an array/],
    ['Read {"id":"/3/x"}', /"x"/, /A path looks like/],
    ['Read {"id":"/3/0/9/1/2"}', /5 ids/],
    ['Read {"id":"/65535"}', /65534/],
    ['Read {"key":"batteryLevel"}', /no key "batteryLevel"/, /There is none at all/],
    ['Read {"key":"batteryLevel","id":"/3/0/9"}', /no key/],
  ] as const) {
    it(`[RPC-007] refuses ${command}`, () => refused(command, ...texts));
  }

  const paths = ['/', '/30000', '/30000/0', '/30000/0/10', '/30000/0/10/2'];
  const values: Record<string, unknown> = { '/30000/0': { 10: { 0: 'a' } }, '/30000/0/10': { 0: 'a' }, '/30000/0/10/2': 'a' };
  for (const [method, allowed] of [
    ['Read', [1, 2, 3, 4]],
    ['Discover', [1, 2, 3]],
    ['WriteReplace', [2, 3, 4]],
    ['WriteUpdate', [2, 3]],
    ['Observe', [1, 2, 3, 4]],
    ['ObserveCancel', [1, 2, 3, 4]],
  ] as const) {
    for (const [level, id] of paths.entries()) {
      const input = { method, params: { id, ...(method.startsWith('Write') ? { value: values[id] ?? 'a' } : {}) } };
      if ((allowed as readonly number[]).includes(level))
        it(`[RPC-008] does ${method} on ${id}`, () => assert.equal(ready(input).operation.kind, method));
      else it(`[RPC-008] refuses ${method} on ${id}`, () => refused(input, new RegExp(`${method} cannot be done on`), /Right is/));
    }
  }

  it('[RPC-008] refuses WriteUpdate on a single resource and names WriteReplace', () => {
    refused('WriteUpdate {"id":"/3/0/15","value":"x"}', /Timezone/, /single resource/, /WriteReplace \{"id":"\/3\/0\/15"/);
    refused('WriteUpdate {"id":"/3/0/15","value":{"0":"x"}}', /single resource/);
    refused('WriteUpdate {"id":"/31024/10/1","value":"x"}', /single value/);
    assert.equal(ready('WriteUpdate {"id":"/31024/10/1","value":{"0":"x"}}').operation.kind, 'WriteUpdate');
  });

  it('[RPC-009] refuses an object the device does not have, and says which it has', () => {
    refused(
      'Read {"id":"/33/0/1"}',
      /"dev-1" does not have object 33\./,
      /It has 3 \(Device\), 5 \(Firmware Update\), 19 \(.*\), .* 31024\./,
    );
    const bare = { ...registration, objects: [] };
    assert.throws(() => toOperation(parseCommand('Read {"id":"/3/0/9"}'), bare, model), /object 3 \(Device\)\. It registered no object\./);
    const many = { ...registration, objects: Array.from({ length: 30 }, (_, at) => ({ objectId: 40_000 + at })) };
    assert.throws(() => toOperation(parseCommand('Read {"id":"/3/0/9"}'), many, model), /40019 and 10 more\./);
  });

  it('[RPC-009] cancels an observation of an object that left the list', () => {
    assert.deepEqual(ready('ObserveCancel {"id":"/33/0/1"}').operation, { kind: 'ObserveCancel', path: { ids: [33, 0, 1] } });
  });

  it('[RPC-010] takes the registered version where the path has none or the same', () => {
    assert.deepEqual(ready('Read {"id":"/3/0/9"}').warnings, []);
    assert.deepEqual(ready('Read {"id":"/3_1.1/0/9"}').warnings, []);
    assert.deepEqual(ready('Read {"id":"/3_1.01/0/9"}').warnings, []);
  });

  it('[RPC-010] warns of another minor version and refuses another major one', () => {
    const { operation, warnings } = ready('Read {"id":"/3_1.0/0/9"}');
    assert.deepEqual(operation, { kind: 'Read', path: { ids: [3, 0, 9] } });
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /version 1\.0 of object 3 \(Device\).* version 1\.1/);
    refused('Read {"id":"/3_2.0/0/9"}', /version 2\.0 of object 3/, /registered version 1\.1/, /\/3_1\.1\/0\/9/);
  });

  for (const [timeout, ms] of [
    [1, 1],
    [86_400_000, 86_400_000],
    ['5000', 5000],
  ] as const) {
    it(`[RPC-011] takes timeout ${JSON.stringify(timeout)}`, () => {
      assert.deepEqual(ready({ method: 'Read', params: { id: '/3/0/9', timeout } }).options, { timeout: ms });
    });
  }
  for (const timeout of [0, -1, 1.5, 86_400_001, '5s', '', NaN, Infinity, true, [5000], {}]) {
    const blank = timeout === '';
    it(`[RPC-011] ${blank ? 'has no' : 'refuses'} timeout ${JSON.stringify(timeout)}`, () => {
      const input = { method: 'Read', params: { id: '/3/0/9', timeout } };
      if (blank) assert.deepEqual(ready(input).options, {});
      else refused(input, /milliseconds, a whole number from 1 to 86400000/);
    });
  }

  it('[RPC-011] takes a format by name or number', () => {
    for (const [name, contentFormat] of Object.entries(FORMATS)) {
      for (const format of [name, name.toUpperCase(), contentFormat, String(contentFormat)]) {
        assert.deepEqual(ready({ method: 'Read', params: { id: '/3/0/9', format } }).options, { contentFormat });
      }
    }
    assert.deepEqual(FORMATS, {
      text: 0,
      opaque: 42,
      cbor: 60,
      'senml-json': 110,
      'senml-cbor': 112,
      tlv: 11542,
      'lwm2m-json': 11543,
      'lwm2m-cbor': 11544,
    });
    for (const format of ['xml', 1, 'constructor', {}]) {
      refused({ method: 'Read', params: { id: '/3/0/9', format } }, /"format" is one of "text" \(0\)/);
    }
  });

  it('[RPC-012] does a command with parameters it does not know and warns of them', () => {
    const { operation, warnings } = ready('Discover {"id":"/3/0","format":"tlv","ids":2}');
    assert.equal(operation.kind, 'Discover');
    assert.deepEqual(warnings, ['Ignored: "format", "ids". The parameters of Discover are id, key, depth, timeout, ttl.']);
  });

  it('[RPC-013] passes the arguments of Execute on', () => {
    for (const [value, args] of [
      ["0='on',1", "0='on',1"],
      [5, '5'],
      [{ 0: 'on', 2: 60 }, "0='on',2='60'"],
      [undefined, undefined],
      ['', undefined],
    ] as const) {
      const operation = ready({ method: 'Execute', params: { id: '/3/0/4', value } }).operation;
      assert.deepEqual(operation, { kind: 'Execute', path: { ids: [3, 0, 4] }, ...(args === undefined ? {} : { args }) });
    }
    for (const value of ["'60'", [1], { x: 1 }, 'on off', true])
      refused({ method: 'Execute', params: { id: '/3/0/4', value } }, /[Ee]xecute arguments/);
  });

  it('[RPC-007] takes the value of a Create before its nodes, and warns', () => {
    const { operation, warnings } = ready({ method: 'Create', params: { id: '/19', value: { 0: '00' }, nodes: { 0: '01' } } });
    assert.deepEqual('nodes' in operation && operation.nodes.map(({ value }) => value), [Uint8Array.of(0)]);
    assert.deepEqual(warnings, ['Both "value" and "nodes" are given: the "value" counts.']);
  });

  it('[RPC-022] does what the definition does not allow and warns', () => {
    const single = (command: string): string => {
      const { warnings } = ready(command);
      assert.equal(warnings.length, 1, command);
      return warnings[0]!;
    };
    refused('Execute {"id":"/3/0/9"}', /\/3\/0\/9 \(Battery Level\) is not executable\. Executable are \/3\/0\/4 \(Reboot\)\./);
    assert.deepEqual(ready('Execute {"id":"/31024/10/1"}').warnings, [], 'what no definition knows the device decides');
    assert.match(single('Read {"id":"/5/0/0"}'), /\/5\/0\/0 \(Package\) is not readable/);
    assert.match(single('Observe {"id":"/3/0/4"}'), /not readable/);
    assert.match(single('WriteReplace {"id":"/3/0/0","value":"x"}'), /\/3\/0\/0 \(Manufacturer\) is read-only/);
    assert.match(single('WriteReplace {"id":"/3/0/4","value":"x"}'), /executable/);
    assert.match(single('WriteReplace {"id":"/3/0/6","value":[1,2]}'), /\/3\/0\/6 \(Available Power Sources\) is read-only/);
    assert.match(
      single('Read {"id":"/3/0/9/0"}'),
      /\/3\/0\/9\/0 \(Battery Level\): a single resource by its definition, without instances/,
    );
    assert.match(single('WriteReplace {"id":"/3/0/14/1","value":"x"}'), /a single resource by its definition/);
    assert.deepEqual(ready('Read {"id":"/3/0/6/0"}').warnings, []);
  });

  it('[RPC-004] never throws anything but a CommandError', () => {
    const input = fc.record(
      {
        id: fc.oneof(fc.constantFrom('/3', '/3/0', '/30000/0', '/30000/0/10', '/30000/0/1', '/31024/10/1'), fc.string(), fc.anything()),
        value: fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withTypedArray: true,
          withNullPrototype: true,
          withSparseArray: true,
        }),
        timeout: fc.oneof(fc.constant(1), fc.anything()),
        format: fc.oneof(fc.constant('tlv'), fc.anything()),
      },
      { requiredKeys: ['id'] },
    );
    fc.assert(
      fc.property(fc.constantFrom(...COMMANDS.map((row) => row.method)), input, (method, params) => {
        try {
          toOperation({ method, params }, registration, model);
        } catch (error) {
          assert.ok(error instanceof CommandError, String(error));
        }
      }),
      { seed: 53, numRuns: 2000 },
    );
  });

  for (const [command, warned] of [
    ['Read {"id":"/31024/10"}', true],
    ['Observe {"id":"/31024/10/1"}', true],
    ['WriteReplace {"id":"/31024/10/1","value":5}', true],
    ['Discover {"id":"/31024/10"}', false],
    ['Execute {"id":"/31024/10/1"}', false],
    ['ObserveCancel {"id":"/31024/10/1"}', false],
    ['Read {"id":"/3/0/9"}', false],
    ['Read {"id":"/3/0/999"}', false],
  ] as const) {
    it(`[RPC-039] ${command} is done ${warned ? 'with a word on where definitions are' : 'without one'}`, () => {
      assert.equal(
        ready(command).warnings.some((text) => /No definition of object 31024 is known.*https:/.test(text)),
        warned,
      );
    });
  }

  describe('strict', () => {
    const ranged = createModel([
      {
        ...model.object(19)!,
        resources: new Map([[0, { ...model.resource(19, 0)!, range: '2' }]]),
      },
    ]);
    const write = (params: object, strict?: boolean): ReturnType<typeof toOperation> =>
      toOperation(parseCommand({ method: 'WriteReplace', params: { id: '/19/0/0', value: '010203', ...params } }), registration, ranged, {
        ...(strict !== undefined && { strict }),
      });
    it('[RPC-042] of the command wins over the setting, which is off by default', () => {
      assert.equal(write({}).warnings.length, 1);
      assert.equal(write({}, false).warnings.length, 1);
      assert.throws(() => write({}, true), /outside its range 2/);
      for (const strict of [true, 'true']) assert.throws(() => write({ strict }, false), /"strict" is set/);
      for (const strict of [false, 'false']) assert.equal(write({ strict }, true).warnings.length, 1);
      assert.throws(() => write({ strict: '' }, true), /outside/);
    });
    it('[RPC-042] is true or false', () => {
      for (const strict of [1, 'yes', {}]) assert.throws(() => write({ strict }), /"strict" is true or false, not/);
    });
    it('[RPC-042] of a command that does not write is ignored with a warning', () => {
      assert.match(ready('Read {"id":"/3/0/9","strict":true}').warnings.join(), /Ignored: "strict"/);
    });
  });
});
