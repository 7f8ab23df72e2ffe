import assert from 'node:assert/strict';
import {
  blockOption,
  blockSizeFor,
  findBlock,
  findOption,
  findTexts,
  findUint,
  recognise,
  uintBytes,
  uintValue,
} from '../../../lib/coap/options';
import type { Option } from '../../../lib/coap/types';

const option = (number: number, length = 0): Option => ({ number, value: Buffer.alloc(length, 0x61) });
const numbers = (options: readonly Option[]): number[] => options.map(({ number }) => number);

/** Number, least and greatest length, and whether it may be repeated (RFC 7252 table 4, 7641, 7959, 7967, 9175). */
const rules: readonly (readonly [name: string, number: number, min: number, max: number, repeatable: boolean])[] = [
  ['Uri-Host', 3, 1, 255, false],
  ['ETag', 4, 1, 8, true],
  ['Observe', 6, 0, 3, false],
  ['Uri-Port', 7, 0, 2, false],
  ['Location-Path', 8, 0, 255, true],
  ['Uri-Path', 11, 0, 255, true],
  ['Content-Format', 12, 0, 2, false],
  ['Max-Age', 14, 0, 4, false],
  ['Uri-Query', 15, 0, 255, true],
  ['Accept', 17, 0, 2, false],
  ['Location-Query', 20, 0, 255, true],
  ['Block2', 23, 0, 3, false],
  ['Block1', 27, 0, 3, false],
  ['Size2', 28, 0, 4, false],
  ['Proxy-Uri', 35, 1, 1034, false],
  ['Proxy-Scheme', 39, 1, 255, false],
  ['Size1', 60, 0, 4, false],
  ['Echo', 252, 1, 40, false],
  ['No-Response', 258, 0, 1, false],
  ['Request-Tag', 292, 0, 8, true],
];

describe('CoAP options', () => {
  for (const [name, number, min, max, repeatable] of rules) {
    const critical = number % 2 === 1;
    const unrecognised = (options: Option[]): boolean => {
      const { known, badCritical } = recognise(options);
      if (critical) {
        assert.ok(badCritical === undefined || badCritical === number);
        return badCritical !== undefined;
      }
      assert.equal(badCritical, undefined);
      return known.length < options.length;
    };

    it(`[COAP-010] knows ${name} of ${min} to ${max} bytes${repeatable ? ', repeated' : ', once'}`, () => {
      assert.equal(unrecognised([option(number, min)]), false);
      assert.equal(unrecognised([option(number, max)]), false);
      assert.equal(unrecognised([option(number, max + 1)]), true);
      if (min > 0) assert.equal(unrecognised([option(number, min - 1)]), true);
      assert.equal(unrecognised([option(number, min), option(number, max)]), !repeatable);
    });
  }

  it('[COAP-010] keeps the first of an elective option that may stand once, drops the others', () => {
    const first = { number: 12, value: Buffer.from([1]) };
    const { known } = recognise([
      option(11, 1),
      first,
      { number: 12, value: Buffer.from([2]) },
      { number: 12, value: Buffer.from([3]) },
      option(15, 1),
    ]);
    assert.deepEqual(numbers(known), [11, 12, 15]);
    assert.equal(findUint(known, 12), 1);
  });

  it('[COAP-010] takes the good one after one of the wrong length', () => {
    const { known } = recognise([option(12, 3), { number: 12, value: Buffer.from([42]) }]);
    assert.equal(findUint(known, 12), 42);
  });

  it('[COAP-011] ignores unknown elective options and reports unknown critical ones', () => {
    assert.deepEqual(recognise([option(11, 1), option(2048, 5), option(65000)]), { known: [option(11, 1)], badCritical: undefined });
    for (const number of [1, 5, 9, 13, 19, 2049, 65001]) assert.equal(recognise([option(11, 1), option(number)]).badCritical, number);
  });

  it('hands back the same array when all are known', () => {
    const options = [option(6), option(11, 1)];
    assert.equal(recognise(options).known, options);
  });

  it('[COAP-012] reads and writes unsigned integers in the fewest bytes', () => {
    const table: readonly (readonly [number, string])[] = [
      [0, ''],
      [1, '01'],
      [255, 'ff'],
      [256, '0100'],
      [65535, 'ffff'],
      [65536, '010000'],
      [0xffffff, 'ffffff'],
      [0x1000000, '01000000'],
      [0xffffffff, 'ffffffff'],
    ];
    for (const [value, hex] of table) {
      assert.equal(Buffer.from(uintBytes(value)).toString('hex'), hex);
      assert.equal(uintValue(Buffer.from(hex, 'hex')), value);
    }
    assert.equal(uintValue(Buffer.from('0000002a', 'hex')), 42, 'leading zeros are allowed');
  });

  it('finds options', () => {
    const options = [option(4, 2), option(11, 1), option(11, 0), option(60)];
    assert.equal(findOption(options, 4)?.length, 2);
    assert.equal(findOption(options, 12), undefined);
    assert.equal(findOption(options, 300), undefined);
    assert.deepEqual(findTexts(options, 11), ['a', '']);
    assert.deepEqual(findTexts([{ number: 11, value: Uint8Array.of(0x68, 0xc3, 0xa4) }], 11), ['hä']);
    assert.deepEqual(findTexts([{ number: 11, value: Buffer.from([0x61, 0xff]) }], 11), ['a\ufffd']);
  });

  it('[COAP-013] reads and writes Block options', () => {
    const table: readonly (readonly [string, number, boolean, number])[] = [
      ['', 0, false, 16],
      ['08', 0, true, 16],
      ['06', 0, false, 1024],
      ['1e', 1, true, 1024],
      ['f2', 15, false, 64],
      ['0102', 16, false, 64],
      ['fffffe', 0xfffff, true, 1024],
    ];
    for (const [hex, num, more, size] of table) {
      assert.deepEqual(findBlock([{ number: 23, value: Buffer.from(hex, 'hex') }], 23), { num, more, size });
      assert.equal(Buffer.from(blockOption(23, { num, more, size }).value).toString('hex'), hex);
    }
    assert.equal(findBlock([{ number: 23, value: Buffer.from('0f', 'hex') }], 23), null, 'size exponent 7 is reserved');
    assert.equal(findBlock([option(27)], 23), undefined);
  });

  it('[COAP-013] takes the largest legal block size not above a limit', () => {
    const table: readonly (readonly [number, number])[] = [
      [0, 16],
      [15, 16],
      [16, 16],
      [31, 16],
      [32, 32],
      [1023, 512],
      [1024, 1024],
      [65536, 1024],
    ];
    for (const [bytes, size] of table) assert.equal(blockSizeFor(bytes), size);
  });
});
