import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ExecuteArgsError, formatExecuteArgs, parseExecuteArgs } from '../../../lib/lwm2m/execute-args';

describe('Execute arguments', () => {
  const good: [string, [number, string | null][]][] = [
    ['', []],
    ['5', [[5, null]]],
    ["0='on'", [[0, 'on']]],
    [
      "3='abc',1,2=''",
      [
        [3, 'abc'],
        [1, null],
        [2, ''],
      ],
    ],
    [
      "3=',',4",
      [
        [3, ','],
        [4, null],
      ],
    ],
    [
      "3='=',0='#$%&()*+-./:;<>?@[]^_`{|}~!'",
      [
        [3, '='],
        [0, '#$%&()*+-./:;<>?@[]^_`{|}~!'],
      ],
    ],
  ];
  for (const [text, args] of good) {
    it(`[LANG-030] reads ${JSON.stringify(text)}`, () => {
      assert.deepEqual([...parseExecuteArgs(text)], args);
      assert.equal(formatExecuteArgs(text), text);
    });
  }

  const bad: [string, RegExp][] = [
    ["'60'", /Character 0 is "'"/],
    ['a', /argument number/],
    ['60', /Character 1 is "0"/],
    ['4,4', /Argument 4 is there twice/],
    ["3'x'", /Character 1/],
    ['3=x', /single quotes/],
    ['3=', /single quotes/],
    ["3='x", /no closing quote/],
    ["3='a b'", /not allowed/],
    ["3='ü'", /not allowed/],
    ["3='a\"'", /not allowed/],
    ["3='\\'", /not allowed/],
    ['1,', /ends in a comma/],
    [',1', /Character 0/],
    ['1, 2', /Character 2/],
    [`0='${'x'.repeat(5000)}'`, /too long/],
  ];
  for (const [text, message] of bad) {
    it(`[LANG-031] refuses ${JSON.stringify(text).slice(0, 30)}`, () => {
      const refused = (error: unknown): boolean => {
        assert.ok(error instanceof ExecuteArgsError);
        assert.equal(error.code, 'BAD_REQUEST');
        assert.match(error.message, message);
        return true;
      };
      assert.throws(() => parseExecuteArgs(text), refused);
      assert.throws(() => formatExecuteArgs(text), refused);
    });
  }

  it('[LANG-032] makes arguments of what a flow gives', () => {
    assert.equal(formatExecuteArgs(undefined), '');
    assert.equal(formatExecuteArgs(null), '');
    assert.equal(formatExecuteArgs({}), '');
    assert.equal(formatExecuteArgs(5), '5');
    assert.equal(formatExecuteArgs({ 0: 'on', 2: 60, 1: null, 3: true }), "0='on',1,2='60',3='true'");
  });

  for (const value of [[], ['on'], true, Symbol('x'), new Uint8Array(2), { 10: 'x' }, { a: 1 }, { 0: {} }, { 0: 'a b' }, 60, -1, NaN]) {
    it(`[LANG-032] refuses ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`, () => {
      assert.throws(() => formatExecuteArgs(value), ExecuteArgsError);
    });
  }

  it('[LANG-030] writes what it reads', () => {
    const value = fc.option(fc.stringMatching(/^[!#-&(-[\]-~]{0,20}$/), { nil: null });
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('0', '1', '2', '5', '9'), value), (args) => {
        const read = parseExecuteArgs(formatExecuteArgs(args));
        assert.deepEqual(Object.fromEntries(read), { ...args });
      }),
      { seed: 5 },
    );
  });
});
