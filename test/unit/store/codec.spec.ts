import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeValue, encodeValue, StoreError } from '../../../lib/store/index';

const refused = (error: unknown): boolean => error instanceof StoreError && error.code === 'BAD_VALUE';

describe('values of the store', () => {
  const table: [unknown, string][] = [
    [{ a: 1, b: 'x', c: [true, null] }, '{"a":1,"b":"x","c":[true,null]}'],
    [Buffer.from('00ff', 'hex'), '{"$bytes":"AP8="}'],
    [{ token: new Uint8Array([1]) }, '{"token":{"$bytes":"AQ=="}}'],
    [[NaN, Infinity, -Infinity, -0], '[{"$number":"NaN"},{"$number":"Infinity"},{"$number":"-Infinity"},{"$number":"-0"}]'],
    [12_345_678_901_234_567_890n, '{"$bigint":"12345678901234567890"}'],
    [{ $bytes: 'mine' }, '{"$plain":{"$bytes":"mine"}}'],
    [{ $a: 1, b: undefined }, '{"$plain":{"$a":1}}'],
    [{ $a: 1, $b: 2 }, '{"$a":1,"$b":2}'],
    [[undefined], '[{"$undefined":1}]'],
  ];
  for (const [value, text] of table) {
    it(`[STORE-035] writes and reads ${text}`, () => {
      assert.equal(encodeValue(value).toString(), text);
      const wanted = value instanceof Uint8Array ? Buffer.from(value) : value;
      if (text !== '{"token":{"$bytes":"AQ=="}}' && text !== '{"$plain":{"$a":1}}')
        assert.deepEqual(decodeValue(Buffer.from(text)), wanted);
    });
  }

  it('[STORE-035] gives back any plain data', () => {
    const leaf = fc.oneof(
      fc.double(),
      fc.bigInt(),
      fc.string({ unit: 'binary' }),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes)),
    );
    const name = fc.oneof(
      fc.string(),
      fc.constantFrom('$bytes', '$plain', '$number', '$bigint', '$undefined', '$', '__proto__', 'toString'),
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(name, tie('value'), { maxKeys: 3, noNullPrototype: true }),
      ),
    }));
    fc.assert(
      fc.property(value, (data) => {
        const own = JSON.stringify(data, (_, item: unknown) => (typeof item === 'bigint' ? String(item) : item));
        assert.deepEqual(decodeValue(encodeValue(data)), data, own);
      }),
      { numRuns: 500 },
    );
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  });

  it('[STORE-035] refuses what is no data, and bytes that are none of ours', () => {
    const circle: unknown[] = [];
    circle.push(circle);
    for (const value of [circle, () => 1, Symbol('x'), { a: new Map() }, { a: new Date() }])
      assert.throws(() => encodeValue(value), refused);
    for (const text of ['', '{', 'undefined', '{"$bytes":1}', '{"$other":1}', '{"$bigint":"1.5"}', '{"a":{"$plain":null}}']) {
      assert.throws(() => decodeValue(Buffer.from(text)), refused, text);
    }
    assert.throws(() => decodeValue(Buffer.from(`${'['.repeat(5_000)}{"$number":"NaN"}${']'.repeat(5_000)}`)), refused);
  });
});
