/** Every row of the contract's tables of conversions, done. The values of the flow are made in another realm, as those of a Function node are. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';
import { codecFor } from '../../../lib/codec/index';
import type { DataNode } from '../../../lib/lwm2m/types';
import { CommandError } from '../../../lib/rpc/errors';
import { valuesIn } from '../../../lib/rpc/values-in';
import type { ValuesInContext } from '../../../lib/rpc/values-in';
import { model, versions } from './fixture';

const text = readFileSync(path.resolve(__dirname, '../../../docs/message-contract.md'), 'utf8');
const types = ['string', 'integer', 'unsigned', 'float', 'boolean', 'opaque', 'time', 'objlnk', 'corelnk'];
const methods = ['WriteReplace', 'WriteUpdate'] as const;

function rows(heading: string): [subject: string, given: string, written: string][] {
  const [, section = ''] = text.split(`\n### ${heading}\n`);
  const [table = ''] = section.split(/\n#+ /);
  return table
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const [subject = '', given = '', written = ''] = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      return [subject.replaceAll('`', ''), given.slice(1, -1), written];
    });
}

const evaluate = (expression: string): unknown => vm.runInNewContext(`(${expression})`, { Buffer });
const plain = (value: unknown): unknown => (value instanceof Uint8Array ? `hex:${Buffer.from(value).toString('hex')}` : value);

interface Attempt {
  readonly nodes: readonly DataNode[];
  readonly warnings: readonly string[];
  readonly refusal?: CommandError;
}

function attempt(ids: readonly number[], value: unknown, method: ValuesInContext['method'] = 'WriteReplace', strict = false): Attempt {
  try {
    return valuesIn(ids, value, { method, model, versions, strict });
  } catch (error) {
    assert.ok(error instanceof CommandError, String(error));
    assert.equal(error.code, 'BAD_REQUEST');
    return { nodes: [], warnings: [], refusal: error };
  }
}

describe('conversions of the message contract', () => {
  const scalars = rows('Conversions');
  const multiples = rows('Conversions of multiple resources');

  it('[RPC-040] has rows for every type', () => {
    assert.deepEqual([...new Set(scalars.map(([type]) => type))].sort(), [...types].sort());
    assert.ok(scalars.length > 80 && multiples.length > 10);
  });

  for (const [type, given, written] of scalars) {
    it(`[RPC-040] ${type}: ${given} becomes ${written}`, () => {
      const single = types.indexOf(type);
      const value = evaluate(given);
      const places: [readonly number[], unknown, ValuesInContext['method']][] = [
        [[30000, 0, single], value, 'WriteReplace'],
        [[30000, 0], { [single]: value }, 'WriteReplace'],
        [[30000, 0], { [`One ${type}`]: value }, 'WriteUpdate'],
        [[30000, 0, single + 10, 3], value, 'WriteReplace'],
        [[30000, 0, single + 10], { 3: value }, 'WriteReplace'],
        [[30000, 0, single + 10], { 3: value }, 'WriteUpdate'],
        [[30000, 0], { [single + 10]: { 3: value } }, 'WriteUpdate'],
      ];
      for (const [ids, payload, method] of places) {
        const { nodes, warnings, refusal } = attempt(ids, payload, method);
        const where = `${method} ${ids.join('/')}`;
        if (written === 'refused') {
          assert.ok(refusal, `${where} took it`);
          assert.match(refusal.message, new RegExp(`\\((One|Many) ${type}, ${type}\\)`), where);
          continue;
        }
        assert.equal(refusal, undefined, where);
        const [literal = ''] = /(?<=`).*(?=`)/.exec(written) ?? [];
        assert.equal(nodes.length, 1, where);
        assert.equal(nodes[0]?.type, type, where);
        assert.deepEqual(plain(nodes[0].value), plain(evaluate(literal)), where);
        assert.equal(warnings.length, written.endsWith('with a warning') ? 1 : 0, `${where}: ${warnings.join()}`);
      }
    });
  }

  for (const [subject, given, written] of multiples) {
    it(`[RPC-040] ${subject}: ${given} becomes ${written}`, () => {
      const [, kind, type = ''] = subject.split(' ');
      const ids = [30000, 0, types.indexOf(type) + (kind === 'multiple' ? 10 : 0)];
      const value = evaluate(given);
      for (const method of methods) {
        const { nodes, refusal } = attempt(ids, value, method);
        if (written === 'refused' || (written.startsWith('no instances') && method === 'WriteUpdate')) {
          assert.match(String(refusal?.message), new RegExp(`${type}\\)`), method);
          continue;
        }
        assert.equal(refusal, undefined, refusal?.message);
        if (written.startsWith('no instances')) {
          assert.deepEqual(nodes, [{ path: ids, type, value: null }]);
          continue;
        }
        const expected = Object.entries(evaluate(written.slice(1, -1)) as object);
        assert.deepEqual(
          nodes.map((node) => [node.path.join('/'), node.type, plain(node.value)]),
          expected.map(([id, one]) => [[...ids, id].join('/'), type, plain(one)]),
        );
      }
    });
  }

  it('[RPC-041] a refusal has path, name and type of the resource, the value seen and what would be right', () => {
    const cases: [number, unknown, string][] = [
      [1, 'abc', '/30000/0/1 (One integer, integer) got "abc": an integer is a whole number from'],
      [2, -5, '/30000/0/2 (One unsigned, unsigned) got -5: an unsigned integer is a whole number from 0 to 18446744073709551615'],
      [4, 'on', '/30000/0/4 (One boolean, boolean) got "on": a boolean is true or false'],
      [5, 'AK0=', '/30000/0/5 (One opaque, opaque) got "AK0=": opaque text is hex'],
      [6, 'noon', '/30000/0/6 (One time, time) got "noon": a time is a Date, ISO 8601 text'],
      [7, '/3', '/30000/0/7 (One objlnk, objlnk) got "/3": an object link is text like "3:0"'],
      [1, { 0: 1 }, '/30000/0/1 (One integer, integer) is a single resource and got an object'],
    ];
    for (const [id, value, expected] of cases) {
      const message = attempt([30000, 0, id], value).refusal?.message ?? '';
      assert.ok(message.startsWith(expected), message);
    }
  });

  describe('ranges', () => {
    const ranged = { ...model, object: (id: number, version?: string) => withRanges(model.object(id, version)) };
    const write = (ids: number[], value: unknown, strict?: boolean): ReturnType<typeof valuesIn> =>
      valuesIn(ids, value, { method: 'WriteReplace', model: ranged, versions, ...(strict !== undefined && { strict }) });
    function withRanges(object: ReturnType<typeof model.object>): typeof object {
      if (object === undefined) return undefined;
      const ranges: Record<string, string> = { integer: '0..100', float: '0.5..1.5', string: '1..4', opaque: '2' };
      const resources = new Map(
        [...object.resources].map(([id, one]) => [id, { ...one, ...(ranges[one.type] && { range: ranges[one.type] }) }]),
      );
      return { ...object, resources: resources };
    }
    const cases: [number, unknown, unknown, string][] = [
      [1, 100, 101, 'outside its range 0..100'],
      [3, 1.5, 1.6, 'outside its range 0.5..1.5'],
      [0, 'abcd', 'abcde', '5 bytes long, which is outside its range 1..4'],
      [5, '0102', '010203', '3 bytes long, which is outside its range 2'],
    ];
    for (const [id, inside, outside, words] of cases) {
      it(`[RPC-042] ${words}: done with a warning, refused when strict`, () => {
        assert.deepEqual(write([30000, 0, id], inside).warnings, []);
        assert.deepEqual(write([30000, 0, id], inside, true).warnings, []);
        const { nodes, warnings } = write([30000, 0, id], outside);
        assert.equal(nodes.length, 1);
        assert.equal(warnings.length, 1);
        assert.ok(warnings[0]?.includes(words), warnings[0]);
        assert.throws(
          () => write([30000, 0, id], outside, true),
          (error: Error) => error instanceof CommandError && error.message.includes(words) && error.message.includes(`/30000/0/${id} (One`),
        );
        assert.throws(() => write([30000, 0, id + 10], { 0: inside, 1: outside }, true), CommandError);
        assert.throws(() => write([30000, 0], { [id]: outside }, true), CommandError);
      });
    }
  });

  // The traps of another product: how a value was turned into bytes there, and what has to come out.
  describe('on the wire', () => {
    const traps: [string, number, unknown, [number, string][]][] = [
      [
        'a negative integer stays negative',
        1,
        -5,
        [
          [0, '2d35'],
          [60, '24'],
          [11542, 'c101fb'],
          [110, ''],
        ],
      ],
      [
        'an integer beyond 32 bits',
        1,
        2147483648,
        [
          [0, '32313437343833363438'],
          [60, '1a80000000'],
          [11542, 'c801080000000080000000'],
        ],
      ],
      [
        '1 is true',
        4,
        1,
        [
          [0, '31'],
          [60, 'f5'],
          [11542, 'c10401'],
        ],
      ],
      [
        '"1" is true',
        4,
        '1',
        [
          [0, '31'],
          [60, 'f5'],
          [11542, 'c10401'],
        ],
      ],
      [
        'hex digits alone are bytes',
        5,
        '1234',
        [
          [42, '1234'],
          [60, '421234'],
          [11542, 'c2051234'],
        ],
      ],
      [
        'text of digits stays text',
        0,
        '1.10',
        [
          [0, '312e3130'],
          [60, '64312e3130'],
          [11542, 'c400312e3130'],
        ],
      ],
      [
        '"null" and "" are text',
        0,
        'null',
        [
          [0, '6e756c6c'],
          [60, '646e756c6c'],
        ],
      ],
      [
        'milliseconds become seconds',
        6,
        1714564800000,
        [
          [0, '31373134353634383030'],
          [11542, 'c40666322ec0'],
        ],
      ],
      [
        'milliseconds as text become seconds',
        6,
        '1714564800000',
        [
          [0, '31373134353634383030'],
          [11542, 'c40666322ec0'],
        ],
      ],
      [
        'an unsigned integer is one',
        2,
        '18446744073709551615',
        [
          [60, '1bffffffffffffffff'],
          [11542, 'c80208ffffffffffffffff'],
        ],
      ],
      ['a core link can be written', 8, '</3/0>', [[0, '3c2f332f303e']]],
      ['a whole number is a float where one belongs', 3, 1, [[11542, 'c4033f800000']]],
    ];
    for (const [name, id, value, wires] of traps) {
      it(`[RPC-043] ${name}`, () => {
        const ids = [30000, 0, id];
        const alone = attempt(ids, value).nodes;
        // The same inside an instance and inside a multiple resource.
        assert.deepEqual(attempt([30000, 0], { [id]: value }).nodes, alone);
        assert.deepEqual(
          attempt([30000, 0, id + 10], { 0: value }).nodes.map((node) => [node.type, node.value]),
          alone.map((node) => [node.type, node.value]),
        );
        for (const [format, hex] of wires) {
          const codec = codecFor(format);
          assert.ok(codec);
          const bytes = codec.encode(alone, { path: ids, model, versions });
          if (hex === '') assert.match(Buffer.from(bytes).toString('utf8'), /"v":-5\b/);
          else assert.equal(Buffer.from(bytes).toString('hex'), hex, `format ${format}`);
        }
      });
    }
  });
});
