import assert from 'node:assert/strict';
import { main } from '../../../lib/cli';
import type { ObjectDefinition } from '../../../lib/model/types';

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const own: ObjectDefinition = {
  id: 3,
  name: 'Own',
  version: '1.0',
  multiple: false,
  mandatory: false,
  resources: new Map([[9, { id: 9, name: 'nine', operations: 'R', multiple: false, mandatory: false, type: 'string' }]]),
};

const files = [
  { file: '3.xml', objects: [own] },
  { file: 'broken.xml', objects: [], error: { line: 7, reason: 'it is no object definition' } },
];

async function run(args: readonly string[], input = ''): Promise<Said> {
  let out = '';
  let err = '';
  const code = await main(args, {
    print: (text) => (out += text),
    printError: (text) => (err += text),
    readInput: () => Promise.resolve(input),
    loadModels: (dir) => (dir === 'mine' ? Promise.resolve({ files, definitions: [own] }) : Promise.reject(new Error('no such folder'))),
  });
  return { code, out, err };
}

async function decoded(...args: string[]): Promise<unknown> {
  const { code, out, err } = await run(['decode', ...args]);
  assert.deepEqual([code, err], [0, args.includes('mine') ? 'broken.xml, line 7: it is no object definition' : '']);
  return (JSON.parse(out) as { resources: unknown }).resources;
}

async function encoded(...args: string[]): Promise<string> {
  const { code, out, err } = await run(['encode', ...args]);
  assert.deepEqual([code, err], [0, '']);
  return out;
}

describe('lwm2m-codec', () => {
  it('[CLI-001] prints what a payload means', async () => {
    assert.deepEqual(await decoded('11542', '/3/0/6', '8606410001410105'), [
      { path: '/3/0/6/0', type: 'integer', value: 1 },
      { path: '/3/0/6/1', type: 'integer', value: 5 },
    ]);
    assert.deepEqual(await decoded('110', '/', Buffer.from('[{"n":"/3303/0/5700","t":1700000000.5,"v":21.5}]').toString('hex')), [
      { path: '/3303/0/5700', type: 'float', value: 21.5, time: 1700000000.5 },
    ]);
    assert.deepEqual(await decoded('42', '/5/0/0', '00 ab CD'), [{ path: '/5/0/0', type: 'opaque', value: '00abcd' }]);
    assert.deepEqual(await decoded('60', '/3/0/9', '1b0020000000000001'), [{ path: '/3/0/9', type: 'integer', value: '9007199254740993' }]);
    assert.deepEqual(await decoded('60', '/3/0/9', '1b001fffffffffffff'), [{ path: '/3/0/9', type: 'integer', value: 9007199254740991 }]);
    assert.deepEqual(await decoded('60', '/3303/0/5700', 'f9fc00'), [{ path: '/3303/0/5700', type: 'float', value: '-Infinity' }]);
    assert.deepEqual(await decoded('60', '/3/0/13', '1a5182428f'), [{ path: '/3/0/13', type: 'time', value: 1367491215 }]);
    assert.deepEqual(await decoded('11542', '/3/0/6', ''), [{ path: '/3/0/6', type: 'integer', value: null }]);
    assert.deepEqual(await decoded('322', '/', '81a20069' + Buffer.from('/3/0/11/0').toString('hex') + '02f6'), [
      { path: '/3/0/11/0', type: 'integer', value: null, remove: true },
    ]);
  });

  it('[CLI-002] writes what decode prints, in every shape', async () => {
    const tlv = '860641000141010' + '5';
    const list = '[{"path":"/3/0/6/0","value":1},{"path":"/3/0/6/1","type":"integer","value":"5"}]';
    assert.equal(await encoded('11542', '/3/0/6', `{"resources":${list}}`), tlv);
    assert.equal(await encoded('11542', '/3/0/6', list), tlv);
    assert.equal(await encoded('11542', '/3/0/6', '{"0":1,"1":5}'), tlv);
    assert.equal(await encoded('11542', '/3/0', '{"6":{"0":1,"1":5},"Battery Level":100}'), `${tlv}c10964`);
    assert.equal(await encoded('11542', '/3', '{"0":{"6":{"0":1,"1":5}}}'), `080008${tlv}`);
    assert.equal(await encoded('11544', '/', '{"3":{"0":{"9":100}},"1":{"0":{"1":86400}}}'), 'a28303000918648301000' + '11a00015180');
    assert.equal(await encoded('60', '/3/0/9', '9007199254740993'), '1b0020000000000001');
    assert.equal(await encoded('60', '/3/0/9', '"-9223372036854775808"'), '3b7fffffffffffffff');
    assert.equal(await encoded('60', '/3303/0/5700', '"-Infinity"'), 'f9fc00');
    assert.equal(await encoded('60', '/3303/0/5700', '"22.5"'), 'f94da0');
    assert.equal(await encoded('42', '/5/0/0', '"00ABcd"'), '00abcd');
    assert.equal(await encoded('0', '/1/0/6', 'true'), '31');
    assert.equal(await encoded('112', '/3/0/6', '{}'), '80');
    assert.equal(
      await encoded('110', '/', '[{"path":"/3303/0/5700","value":21.5,"time":1700000000}]'),
      Buffer.from('[{"n":"/3303/0/5700","t":1700000000,"v":21.5}]').toString('hex'),
    );
    assert.equal(
      await encoded('320', '/', '[{"path":"/3/0/11/0","value":null,"remove":true},{"path":"/3/0"}]'),
      Buffer.from('[{"n":"/3/0/11/0","v":null},{"n":"/3/0"}]').toString('hex'),
    );
    // Of a resource nobody knows.
    assert.equal(
      await encoded('60', '/65000/0/1', '[{"path":"/65000/0/1","type":"unsigned","value":18446744073709551615}]'),
      '1bffffffffffffffff',
    );
    assert.equal(await encoded('60', '/65000/0/1', '1.5'), 'f93e00');
  });

  const wrong: readonly (readonly [string[], RegExp])[] = [
    [['decode', '11542', '/3/0', 'c1'], /cut off \(tlv, \/3\/0, byte 0\)/],
    [['decode', '50', '/3/0', '00'], /content format 50/],
    [['decode', '0', '/3/0/9', '61'], /integer/],
    [['decode', '0', '/3/x', '61'], /path/],
    [['encode', '50', '/3/0/9', '1'], /content format 50/],
    [['encode', '60', '/3/0/9', '"x"'], /integer/],
    [['encode', '60', '/3/0/9', '1.5'], /integer/],
    [['encode', '60', '/3/0/9', '[1]'], /"path"/],
    [['encode', '60', '/3/0/9', '[{"value":1}]'], /"path"/],
    [['encode', '60', '/3/0/9', '[{"path":"/3/0/9","type":"number","value":1}]'], /type is one of/],
    [['encode', '112', '/3/0/9', '[{"path":"/3/0/9","time":"now","value":1}]'], /time/],
    [['encode', '60', '/3/0/9', '[{"path":"/3/0/10","value":1}]'], /does not belong/],
    [['encode', '112', '/3/0', '1'], /map from ids/],
    [['encode', '112', '/3/0', '{"Batery":1}'], /"Batery"/],
    [['encode', '112', '/3/0/6/1', '{"0":1}'], /one value/],
    [['encode', '42', '/5/0/0', '"0"'], /hex/],
    [['decode', '0', '/3/0/9', '31', '--models', 'yours'], /no such folder/],
  ];
  for (const [args, expected] of wrong) {
    it(`[CLI-003] says what is wrong: ${args.join(' ')}`, async () => {
      const { code, out, err } = await run(args);
      assert.deepEqual([code, out], [1, '']);
      assert.match(err, expected);
    });
  }

  const unclear: readonly string[][] = [
    [],
    ['code', '0', '/3/0/9', '31'],
    ['decode', '0', '/3/0/9'],
    ['decode', '0', '/3/0/9', '31', '32'],
    ['decode', '0', '/3/0/9', '3'],
    ['decode', '0', '/3/0/9', 'xx'],
    ['decode', 'text', '/3/0/9', '31'],
    ['encode', '0', '/3/0/9', '{'],
    ['encode', '0', '/3/0/9', '1 2'],
    ['encode', '0', '/3/0/9', '['.repeat(1000)],
    ['decode', '0', '/3/0/9', '31', '--model', 'x'],
    ['decode', '0', '/3/0/9', '31', '--now', 'x'],
  ];
  for (const args of unclear) {
    it(`[CLI-004] does not guess what is meant by: ${args.join(' ').slice(0, 60)}`, async () => {
      const { code, out, err } = await run(args);
      assert.deepEqual([code, out], [2, '']);
      assert.match(err, /--help/);
    });
  }

  it('[CLI-004] has help', async () => {
    const { code, out } = await run(['--help']);
    assert.equal(code, 0);
    for (const word of ['decode', 'encode', '--models', '11544', 'Exit code']) assert.ok(out.includes(word), word);
  });

  it('[CLI-005] takes own definitions and object versions', async () => {
    assert.deepEqual(await decoded('0', '/3/0/9', '31'), [{ path: '/3/0/9', type: 'integer', value: 1 }]);
    assert.deepEqual(await decoded('0', '/3/0/9', '31', '--models', 'mine'), [{ path: '/3/0/9', type: 'string', value: '1' }]);
    assert.deepEqual(await decoded('0', '/1/0/1', '31', '--models', 'mine'), [{ path: '/1/0/1', type: 'integer', value: 1 }]);
    // Sender ID of OSCORE is a string in version 1.0, and opaque from 2.0 on.
    assert.deepEqual(await decoded('0', '/21_1.0/0/1', '3131'), [{ path: '/21/0/1', type: 'string', value: '11' }]);
    assert.deepEqual(await decoded('42', '/21_2.0/0/1', '3131'), [{ path: '/21/0/1', type: 'opaque', value: '3131' }]);
  });

  it('[CLI-006] takes the alternate path, the prefix and the time', async () => {
    const payload = Buffer.from('[{"n":"/lwm2m/dev0/3/0/9","t":-10,"v":5}]').toString('hex');
    assert.deepEqual(await decoded('110', '/', payload, '--root', '/lwm2m/', '--prefix', 'dev0', '--now', '1700000000'), [
      { path: '/3/0/9', type: 'integer', value: 5, time: 1699999990 },
    ]);
  });

  it('[CLI-007] reads standard input, and takes a negative number for a value', async () => {
    assert.equal((await run(['encode', '60', '/3/0/9', '-'], '7\n')).out, '07');
    assert.match((await run(['decode', '60', '/3/0/9', '-'], '07\n')).out, /"value": 7/);
    assert.equal(await encoded('60', '/3/0/9', '-1'), '20');
  });
});
