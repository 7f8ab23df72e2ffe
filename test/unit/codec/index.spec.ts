import assert from 'node:assert/strict';
import { DecodeError, codecFor, codecs, decodePayload } from '../../../lib/codec';
import { parseNumber, plainDecimal } from '../../../lib/codec/numbers';
import { createModel } from '../../../lib/model/model';
import { at, bytes, node, utf8 } from './support';
import type { ObjectDefinition } from '../../../lib/model/types';

describe('codecs by content format', () => {
  it('[LANG-080] has each format under its number', () => {
    const named = [0, 40, 42, 60, 110, 112, 320, 322, 11542, 1542, 11543, 1543, 11544].map((format) => [format, codecFor(format)?.name]);
    assert.deepEqual(named, [
      [0, 'text/plain'],
      [40, 'link-format'],
      [42, 'octet-stream'],
      [60, 'cbor'],
      [110, 'senml+json'],
      [112, 'senml+cbor'],
      [320, 'senml-etch+json'],
      [322, 'senml-etch+cbor'],
      [11542, 'tlv'],
      [1542, 'tlv'],
      [11543, 'lwm2m+json'],
      [1543, 'lwm2m+json'],
      [11544, 'lwm2m+cbor'],
    ]);
    assert.equal(codecFor(50), undefined);
    assert.equal(new Set(codecs.flatMap((codec) => [codec.contentFormat, ...codec.aliases])).size, 13);
  });

  it('[LANG-081] takes a payload without a format as text', () => {
    assert.deepEqual(decodePayload(undefined, utf8('7'), at([100, 0, 1])), [node([100, 0, 1], 'integer', 7)]);
  });

  for (const [format, type, value] of [
    [0, 'string', 'x'],
    [42, 'opaque', bytes('00')],
    [60, 'integer', 7],
  ] as const) {
    it(`[LANG-106] writes in format ${format} only the value of the path itself`, () => {
      const codec = codecFor(format)!;
      assert.ok(codec.encode([node([100, 0, 15], type, value)], at([100, 0, 15])).length > 0);
      assert.ok(codec.encode([node([100, 0, 15, 3], type, value)], at([100, 0, 15, 3])).length > 0);
      const below = /cannot say that it belongs to \/100\/0\/15/;
      for (const path of [[100, 0], [100]]) assert.throws(() => codec.encode([node([100, 0, 15], type, value)], at(path)), below);
      assert.throws(() => codec.encode([node([100, 0, 15, 3], type, value)], at([100, 0, 15])), below);
    });
  }

  it('[LANG-081] refuses a format it does not have', () => {
    assert.throws(
      () => decodePayload(50, utf8('7'), at([100, 0, 1])),
      (error: unknown) => error instanceof DecodeError && error.path === '/100/0/1' && /50/.test(error.message),
    );
  });

  it('[LANG-082] looks types up in the version the device registered', () => {
    const definition = (version: string, type: 'string' | 'integer'): ObjectDefinition => ({
      id: 500,
      name: 'Versioned',
      version,
      multiple: true,
      mandatory: false,
      resources: new Map([[1, { id: 1, name: 'one', operations: 'R', multiple: false, mandatory: true, type }]]),
    });
    const model = createModel([definition('1.0', 'string'), definition('2.0', 'integer')]);
    const read = (version: string): unknown =>
      decodePayload(11542, bytes('c10131'), { path: [500, 0, 1], model, versions: new Map([[500, version]]) })[0]?.value;
    assert.equal(read('1.0'), '1');
    assert.equal(read('2.0'), 49);
  });

  it('[LANG-083] says where in the payload it went wrong', () => {
    assert.throws(
      () => decodePayload(11542, bytes('c10164c20401'), at([100, 0])),
      (error: unknown) => error instanceof DecodeError && error.offset === 3 && error.path === '/100/0',
    );
    assert.throws(
      () => decodePayload(60, bytes('821864'), at([100, 0, 99])),
      (error: unknown) => error instanceof DecodeError && error.offset === 3 && /cut off/.test(error.message),
    );
  });
});

describe('numbers as text', () => {
  // [LANG-102]
  const cases: [string, number | bigint | undefined, boolean?][] = [
    ['0', 0, true],
    ['-0', 0, true],
    ['+5', 5, true],
    ['007', 7, true],
    ['9007199254740991', 9007199254740991, true],
    ['9007199254740993', 9007199254740993n, true],
    ['-9223372036854775808', -(2n ** 63n), true],
    ['9007199254740993.0', 9007199254740993n, false],
    ['900719925474099.3e1', 9007199254740993n, false],
    ['9007199254740993.5', 9007199254740994, false],
    ['1e3', 1000, false],
    ['1e19', 10n ** 19n, false],
    ['1e300', 1e300, false],
    ['1.5', 1.5, false],
    ['1e-7', 1e-7, false],
    ['1e400', undefined],
    ['1e99999', undefined],
    ['', undefined],
    ['.5', undefined],
    ['5.', undefined],
    ['1e', undefined],
    ['Infinity', undefined],
    ['NaN', undefined],
    ['0x1', undefined],
    ['1_000', undefined],
    ['1 ', undefined],
  ];
  for (const [text, value, whole] of cases) {
    it(`reads ${JSON.stringify(text)}`, () => assert.deepEqual(parseNumber(text), value === undefined ? undefined : { value, whole }));
  }

  it('writes decimals without an exponent', () => {
    assert.deepEqual([0, -1.5, 1e21, 1.25e-7, -1.5e300].map(plainDecimal), [
      '0',
      '-1.5',
      '1000000000000000000000',
      '0.000000125',
      `-15${'0'.repeat(299)}`,
    ]);
    assert.equal(Number(plainDecimal(Number.MIN_VALUE)), Number.MIN_VALUE);
    assert.equal(Number(plainDecimal(Number.MAX_VALUE)), Number.MAX_VALUE);
  });
});
