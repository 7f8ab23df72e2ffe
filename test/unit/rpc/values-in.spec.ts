import assert from 'node:assert/strict';
import vm from 'node:vm';
import fc from 'fast-check';
import type { DataNode, ResourceType, Value } from '../../../lib/lwm2m/types';
import { CommandError } from '../../../lib/rpc/errors';
import { scalarIn } from '../../../lib/rpc/scalar-in';
import { valuesIn } from '../../../lib/rpc/values-in';
import { shape } from '../../../lib/rpc/values-out';
import { model, versions } from './fixture';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const write = (ids: number[], value: unknown, method: 'WriteReplace' | 'WriteUpdate' = 'WriteReplace'): ReturnType<typeof valuesIn> =>
  valuesIn(ids, value, { method, model, versions });

function refused(act: () => unknown, ...texts: RegExp[]): void {
  assert.throws(act, (error: unknown) => {
    assert.ok(error instanceof CommandError, String(error));
    assert.equal(error.code, 'BAD_REQUEST');
    for (const text of texts) assert.match(error.message, text);
    return true;
  });
}

const REQUIREMENTS: Record<ResourceType, string> = {
  integer: '[RPC-014]',
  unsigned: '[RPC-014]',
  float: '[RPC-015]',
  boolean: '[RPC-015]',
  string: '[RPC-015]',
  opaque: '[RPC-016]',
  time: '[RPC-017]',
  objlnk: '[RPC-018]',
  corelnk: '[RPC-018]',
  none: '[RPC-021]',
};
function words(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  return typeof value === 'object' && value !== null ? 'an object' : JSON.stringify(value);
}

describe('values of a flow towards the device', () => {
  const taken: readonly (readonly [ResourceType, unknown, Value, ResourceType?])[] = [
    ['integer', 0, 0],
    ['integer', -5, -5],
    ['integer', 2 ** 53 - 1, 2 ** 53 - 1],
    ['integer', '9007199254740993', 9007199254740993n],
    ['integer', '-9223372036854775808', -(2n ** 63n)],
    ['integer', 2n ** 63n - 1n, 2n ** 63n - 1n],
    ['integer', 7n, 7],
    ['integer', '+5', 5],
    ['integer', '007', 7],
    ['unsigned', '18446744073709551615', 2n ** 64n - 1n],
    ['unsigned', 4294967295, 4294967295],
    ['float', 1.5, 1.5],
    ['float', 3, 3],
    ['float', '-2.5e3', -2500],
    ['float', '.5', 0.5],
    ['float', 12n, 12],
    ['boolean', true, true],
    ['boolean', false, false],
    ['boolean', 'true', true],
    ['boolean', 'False', false],
    ['boolean', 1, true],
    ['boolean', 0, false],
    ['boolean', '1', true],
    ['boolean', '0', false],
    ['string', '', ''],
    ['string', '+10', '+10'],
    ['string', 'true', 'true'],
    ['string', '😀', '😀'],
    ['string', 1.1, '1.1'],
    ['string', true, 'true'],
    ['string', 2n ** 60n, '1152921504606846976'],
    ['opaque', '00ad456756', bytes('00ad456756')],
    ['opaque', '1234', bytes('1234')],
    ['opaque', 'FFfe', bytes('fffe')],
    ['opaque', '', bytes('')],
    ['opaque', 'base64:AK1F', bytes('00ad45')],
    ['opaque', 'base64:AA==', bytes('00')],
    ['opaque', 'base64:AA', bytes('00')],
    ['opaque', 'base64:_-8=', bytes('ffef')],
    ['opaque', 'base64:', bytes('')],
    ['opaque', Buffer.from('abc'), bytes('616263')],
    ['opaque', new Uint8Array([1, 255]), bytes('01ff')],
    ['opaque', new Uint16Array([0x0201]), bytes('0102')],
    ['opaque', new Uint8Array([7]).buffer, bytes('07')],
    ['opaque', { type: 'Buffer', data: [0, 173] }, bytes('00ad')],
    ['opaque', JSON.parse(JSON.stringify(Buffer.from('hi'))), bytes('6869')],
    ['time', new Date('2024-05-01T12:00:00Z'), 1714564800],
    ['time', '2024-05-01T12:00:00Z', 1714564800],
    ['time', '2024-05-01T14:00:00.999+02:00', 1714564800],
    ['time', '2024-05-01T12:00Z', 1714564800],
    ['time', '2024-05-01', 1714521600],
    ['time', 1714564800000, 1714564800],
    ['time', 1714564800999, 1714564800],
    ['time', '1714564800000', 1714564800],
    ['time', -1500, -2],
    ['time', 0, 0],
    ['objlnk', '3:0', '3:0'],
    ['objlnk', '/3/0', '3:0'],
    ['objlnk', '65535:65535', '65535:65535'],
    ['objlnk', '003:01', '3:1'],
    ['corelnk', '</3/0>,</1/0>', '</3/0>,</1/0>'],
    ['none', 5, 5, 'integer'],
    ['none', -0, 0, 'integer'],
    ['none', 1.5, 1.5, 'float'],
    ['none', 2 ** 60, 2 ** 60, 'float'],
    ['none', 2n ** 60n, 2n ** 60n, 'integer'],
    ['none', 2n ** 63n, 2n ** 63n, 'unsigned'],
    ['none', true, true, 'boolean'],
    ['none', '0081', '0081', 'string'],
    ['none', Buffer.from([1]), bytes('01'), 'opaque'],
    ['none', new Date(5000), 5, 'time'],
  ];
  for (const [type, input, value, typed = type] of taken) {
    it(`${REQUIREMENTS[type]} takes ${words(input)} as ${type}`, () => assert.deepEqual(scalarIn(type, input), { type: typed, value }));
  }

  const bad: readonly (readonly [ResourceType, unknown, RegExp])[] = [
    ['integer', 1.5, /whole number/],
    ['integer', 2 ** 53, /not exact, so write it as text/],
    ['integer', 2n ** 63n, /-9223372036854775808 to 9223372036854775807/],
    ['integer', '-9223372036854775809', /to 9223372036854775807/],
    ['integer', '1.0', /decimal text/],
    ['integer', '0x10', /decimal text/],
    ['integer', '1e3', /decimal text/],
    ['integer', '', /decimal text/],
    ['integer', '9'.repeat(100_000), /decimal text/],
    ['integer', NaN, /whole number/],
    ['integer', true, /whole number/],
    ['unsigned', -1, /from 0 to 18446744073709551615/],
    ['unsigned', '18446744073709551616', /from 0/],
    ['float', NaN, /finite/],
    ['float', Infinity, /finite/],
    ['float', '1e999', /finite/],
    ['float', '1,5', /decimal text/],
    ['float', '', /decimal text/],
    ['float', '0x10', /decimal text/],
    ['boolean', 2, /true or false/],
    ['boolean', 'yes', /true or false/],
    ['boolean', '', /true or false/],
    ['string', null, /text/],
    ['string', NaN, /text/],
    ['string', Buffer.from('x'), /text/],
    ['string', '\ud800', /Unicode/],
    ['opaque', '01234567890', /two digits a byte.*11, an odd number/],
    ['opaque', 'AK1F==', /"K" at character 1 is no hex digit.*base64:/],
    ['opaque', '00 ad', /" " at character 2/],
    ['opaque', '00\ud83d\ude00', /at character 2/],
    // AK0= with two stray bits, which no encoder writes.
    ['opaque', 'base64:AK1', /not base64/],
    ['opaque', 'base64:A', /not base64/],
    ['opaque', 'base64:AK=1', /not base64/],
    ['opaque', 'base64: AK1F', /not base64/],
    ['opaque', { type: 'Buffer', data: [256] }, /a Buffer, hex text/],
    ['opaque', 5, /a Buffer, hex text/],
    ['time', '2024-02-31', /no such day/],
    ['time', '2024-13-01', /ISO 8601/],
    ['time', '2024-05-01T12:00:00', /does not say its zone/],
    ['time', '2024-05-01T25:00:00Z', /ISO 8601/],
    ['time', 'yesterday', /ISO 8601/],
    ['time', new Date(NaN), /ISO 8601/],
    ['time', 9e15, /milliseconds/],
    ['time', true, /milliseconds/],
    ['objlnk', '3', /"3:0"/],
    ['objlnk', '3:65536', /65535/],
    ['objlnk', '/3/0/1', /"3:0"/],
    ['objlnk', 3, /"3:0"/],
    ['corelnk', 5, /text/],
    ['none', NaN, /finite/],
    ['none', null, /no object definition/],
    ['none', 2n ** 64n, /from 0/],
    ['none', new Map(), /no object definition/],
  ];
  for (const [type, input, text] of bad) {
    it(`${REQUIREMENTS[type]} refuses ${words(input).slice(0, 40)} as ${type}`, () => {
      const read = scalarIn(type, input);
      assert.ok('wrong' in read, 'it was taken');
      assert.match(read.wrong, text);
    });
  }

  it('[RPC-016] copies the bytes', () => {
    const buffer = Buffer.from([1, 2]);
    const read = scalarIn('opaque', buffer);
    buffer[0] = 9;
    assert.deepEqual(read, { type: 'opaque', value: Uint8Array.of(1, 2) });
  });

  it('[RPC-017] warns of milliseconds that look like seconds', () => {
    const { nodes, warnings } = write([3, 0, 13], 1714564800);
    assert.equal(nodes[0]!.value, 1714564);
    assert.match(warnings[0]!, /\/3\/0\/13 \(Current Time\): 1714564800 looks like seconds/);
    assert.deepEqual(write([3, 0, 13], new Date(1714564800)).warnings, []);
  });

  it('[RPC-014] takes values made in another realm, as function nodes make them', () => {
    const foreign = (code: string): unknown => vm.runInNewContext(code);
    assert.deepEqual(scalarIn('time', foreign('new Date(5000)')), { type: 'time', value: 5 });
    assert.deepEqual(scalarIn('opaque', foreign('new Uint8Array([1])')), { type: 'opaque', value: Uint8Array.of(1) });
    assert.deepEqual(write([3, 0], foreign('({ 14: "+1" })')).nodes, [{ path: [3, 0, 14], type: 'string', value: '+1' }]);
    assert.deepEqual(write([30000, 0, 11], foreign('[7]')).nodes, [{ path: [30000, 0, 11, 0], type: 'integer', value: 7 }]);
  });

  const many = (...values: number[]): DataNode[] => values.map((value, at) => ({ path: [30000, 0, 11, at], type: 'integer', value }));
  for (const [title, ids, value, nodes] of [
    ['an object of instances', [30000, 0, 11], { 0: 5, 1: 6 }, many(5, 6)],
    ['an array', [30000, 0, 11], [5, 6], many(5, 6)],
    ['one value, as instance 0', [30000, 0, 11], 5, many(5)],
    ['an instance of it', [30000, 0, 11, 0], '5', many(5)],
    ['no instances', [30000, 0, 11], {}, [{ path: [30000, 0, 11], type: 'integer', value: null }]],
    ['an empty array', [30000, 0, 11], [], [{ path: [30000, 0, 11], type: 'integer', value: null }]],
    ['one Buffer', [19, 0, 0], Buffer.from([1]), [{ path: [19, 0, 0, 0], type: 'opaque', value: Uint8Array.of(1) }]],
    ['one Buffer as JSON', [19, 0, 0], { type: 'Buffer', data: [1] }, [{ path: [19, 0, 0, 0], type: 'opaque', value: Uint8Array.of(1) }]],
    ['an object, nobody knowing the resource', [31024, 10, 1], { 3: 'x' }, [{ path: [31024, 10, 1, 3], type: 'string', value: 'x' }]],
    ['one value, nobody knowing the resource', [31024, 10, 1], 'x', [{ path: [31024, 10, 1], type: 'string', value: 'x' }]],
  ] as readonly (readonly [string, number[], unknown, DataNode[]])[]) {
    it(`[RPC-019] writes a multiple resource from ${title}`, () => assert.deepEqual(write(ids, value).nodes, nodes));
  }

  for (const [title, ids, value, ...texts] of [
    ['a bad instance id', [30000, 0, 11], { x: 1 }, /\/30000\/0\/11 \(Many integer, integer\) has the key "x"/, /\{"0":1,"1":2\}/],
    ['a reserved instance id', [30000, 0, 11], { 65535: 1 }, /"65535"/],
    ['a leading zero', [30000, 0, 11], { '01': 1 }, /"01"/],
    ['__proto__', [30000, 0, 11], JSON.parse('{"__proto__":1}'), /"__proto__"/],
    ['a bad value within', [30000, 0, 11], { 0: 1, 7: 'x' }, /\/30000\/0\/11\/7 \(Many integer, integer\) got "x"/],
    ['a hole', [30000, 0, 11], [1, , 3], /\/30000\/0\/11\/1 .*got nothing/], // eslint-disable-line no-sparse-arrays
    ['an array too long', [30000, 0, 11], new Array(70_000), /70000 instances/],
    ['a Map', [30000, 0, 11], new Map(), /got a Map/],
    ['depth', [30000, 0, 11], { 0: { 0: 1 } }, /takes one value and got an object: an integer is/],
    ['an object for a single resource', [3, 0, 15], { 0: 'x' }, /single resource and got an object: a string is text/],
    ['an array for a single resource', [3, 0, 15], ['x'], /got an array/],
    ['an object for a resource instance', [30000, 0, 11, 0], { 0: 1 }, /\/30000\/0\/11\/0 .*takes one value/],
    ['null', [3, 0, 15], null, /\/3\/0\/15 \(Timezone, string\) got null: a string is text/],
  ] as readonly (readonly [string, number[], unknown, ...RegExp[]])[]) {
    it(`[RPC-019] refuses ${title}`, () => refused(() => write(ids, value), ...texts));
  }

  it('[RPC-019] refuses an update of no instances', () => {
    refused(() => write([30000, 0, 11], {}, 'WriteUpdate'), /change nothing/);
    refused(() => write([30000, 0], { 11: [] }, 'WriteUpdate'), /change nothing/);
  });

  it('[RPC-020] writes an instance by resource id or name, whatever the letter case of the name', () => {
    const expected = [
      { path: [3, 0, 14], type: 'string', value: '+2' },
      { path: [3, 0, 15], type: 'string', value: 'Z' },
    ];
    for (const value of [
      { 14: '+2', 15: 'Z' },
      { 'UTC Offset': '+2', Timezone: 'Z' },
      { 14: '+2', timezone: 'Z' },
    ]) {
      assert.deepEqual(write([3, 0], value).nodes, expected);
      assert.deepEqual(write([3, 0], value, 'WriteUpdate').nodes, expected);
    }
  });

  for (const [title, ids, value, ...texts] of [
    ['nothing to write', [3, 0], {}, /without resources/, /\{"14":"\+02"/],
    ['one value', [3, 0], 'x', /\/3\/0 got "x"/, /keyed by resource id or name/],
    ['a Buffer', [3, 0], Buffer.from('x'), /got a Buffer/],
    ['an array', [3, 0], ['x'], /got an array/],
    ['an unknown name', [3, 0], { Colour: 1 }, /"Colour": object 3 \(Device\) has no resource of that name/],
    ['a name of two resources', [30000, 0], { Twin: 'x' }, /resources 30, 31: use the id/],
    ['a resource twice', [3, 0], { 15: 'a', Timezone: 'b' }, /resource 15 twice/],
    ['a name where no definition is', [31024, 10], { Colour: 1 }, /no definition of object 31024/],
    ['a bad value', [3, 0], { 13: 'soon' }, /\/3\/0\/13 \(Current Time, time\) got "soon": a time is/],
    ['a key that is no id', [31024, 10], JSON.parse('{"__proto__":{"0":1}}'), /"__proto__"/],
  ] as readonly (readonly [string, number[], unknown, ...RegExp[]])[]) {
    it(`[RPC-020] refuses for an instance: ${title}`, () => refused(() => write(ids, value), ...texts));
  }

  it('[RPC-021] takes the JavaScript type for resources nobody describes', () => {
    assert.deepEqual(write([31024, 10], { 0: 1, 1: 'a', 2: [true], 3: Buffer.from([1]) }).nodes, [
      { path: [31024, 10, 0], type: 'integer', value: 1 },
      { path: [31024, 10, 1], type: 'string', value: 'a' },
      { path: [31024, 10, 2, 0], type: 'boolean', value: true },
      { path: [31024, 10, 3], type: 'opaque', value: Uint8Array.of(1) },
    ]);
  });

  it('[RPC-004] says of values that cannot be read that they cannot', () => {
    const trap = {
      get 14(): string {
        throw new Error('trap');
      },
    };
    refused(() => write([3, 0], trap), /\/3\/0 cannot be read/);
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const ids of [
      [3, 0],
      [3, 0, 15],
      [30000, 0, 11],
      [30000, 0, 11, 0],
    ])
      refused(() => write(ids, proxy));
  });

  it('[RPC-027] brings every value back as it went in', () => {
    const integers = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    const contractOf = (value: bigint): unknown => (Number.isSafeInteger(Number(value)) ? Number(value) : value.toString());
    const text = fc.string({ unit: 'grapheme' });
    const link = fc.tuple(fc.nat(65535), fc.nat(65535)).map((ids) => ids.join(':'));
    const cases: readonly [number, fc.Arbitrary<unknown>][] = [
      [0, text],
      [1, integers.map(contractOf)],
      [2, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(contractOf)],
      [3, fc.double({ noNaN: true, noDefaultInfinity: true })],
      [4, fc.boolean()],
      [5, fc.uint8Array().map((data) => Buffer.from(data))],
      [6, fc.integer({ min: -(2 ** 31), max: 2 ** 40 }).map((seconds) => seconds * 1000)],
      [7, link],
      [8, text],
    ];
    const back = (ids: number[], value: unknown): unknown => shape(write(ids, value).nodes, ids, { model, versions });
    for (const [resourceId, values] of cases) {
      fc.assert(
        fc.property(
          values,
          fc.uniqueArray(fc.nat(65534), { maxLength: 5 }),
          fc.array(values, { minLength: 5, maxLength: 5 }),
          (value, ids, list) => {
            assert.deepEqual(back([30000, 0, resourceId], value), value);
            const map = Object.fromEntries(ids.map((id, at) => [String(id), list[at]]));
            assert.deepEqual(back([30000, 0, resourceId + 10], map), map);
            const whole = { [resourceId]: value, [resourceId + 10]: map };
            assert.deepEqual(back([30000, 0], whole), whole);
          },
        ),
        { seed: 54, numRuns: 60 },
      );
    }
  });

  it('[RPC-027] brings hex and Buffers to the same bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (data) => {
        const buffer = Buffer.from(data);
        const expected = { type: 'opaque', value: data };
        for (const form of [
          buffer,
          buffer.toString('hex'),
          `base64:${buffer.toString('base64')}`,
          `base64:${buffer.toString('base64url')}`,
          buffer.toJSON(),
        ]) {
          assert.deepEqual(scalarIn('opaque', form), expected);
        }
      }),
      { seed: 55 },
    );
  });
});
