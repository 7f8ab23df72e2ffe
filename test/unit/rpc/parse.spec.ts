import assert from 'node:assert/strict';
import fc from 'fast-check';
import { COMMANDS } from '../../../lib/rpc/commands';
import { CommandError } from '../../../lib/rpc/errors';
import { MAX_COMMAND_TEXT, parseCommand } from '../../../lib/rpc/parse';

function refused(input: unknown, code: string, ...texts: RegExp[]): void {
  assert.throws(
    () => parseCommand(input),
    (error: unknown) => {
      assert.ok(error instanceof CommandError, String(error));
      assert.equal(error.code, code);
      assert.ok(error.message.length < 700, `a text of ${error.message.length} characters`);
      for (const text of texts) assert.match(error.message, text);
      return true;
    },
  );
}

describe('reading commands', () => {
  const read = { method: 'Read', params: { id: '/3/0/9' } };

  for (const [title, input, expected] of [
    ['as a user types it', 'Read {"id":"/3/0/9"}', read],
    ['with more blanks', '  Read   {"id": "/3/0/9"}  ', read],
    ['with a tab and line ends', '\nRead\t\n{"id":"/3/0/9"}\r\n', read],
    ['with a no-break space', 'Execute\u00a0{"id":"5/0/2"}', { method: 'Execute', params: { id: '5/0/2' } }],
    ['with two blanks, as the document has it', 'WriteUpdate  {"id":"/3/0"}', { method: 'WriteUpdate', params: { id: '/3/0' } }],
    ['without parameters', 'Read', { method: 'Read', params: {} }],
    [
      'with nested values',
      'WriteUpdate {"id": "/19/0","value": {"0":{"0":"00ad456756", "25":"25ad456756"}}}',
      { method: 'WriteUpdate', params: { id: '/19/0', value: { 0: { 0: '00ad456756', 25: '25ad456756' } } } },
    ],
  ] as const) {
    it(`[RPC-001] reads a text ${title}`, () => assert.deepEqual(parseCommand(input), expected));
  }

  for (const [title, input] of [
    ['method and params', { method: 'Read', params: { id: '/3/0/9' } }],
    ['params as JSON text', { method: 'Read', params: ' {"id":"/3/0/9"} ' }],
    ['the parameters beside the method', { method: 'Read', id: '/3/0/9' }],
    ['params before what stands beside them', { method: 'Read', id: '/1', params: { id: '/3/0/9' } }],
    ['the object as JSON text', '{"method":"Read","params":{"id":"/3/0/9"}}'],
    ['no prototype', Object.assign(Object.create(null), { method: 'Read', params: Object.assign(Object.create(null), { id: '/3/0/9' }) })],
  ] as const) {
    it(`[RPC-002] reads an object: ${title}`, () => assert.deepEqual(parseCommand(input), read));
  }

  it('[RPC-002] takes null and empty text for no parameters', () => {
    for (const params of [null, undefined, '', '  ']) {
      assert.deepEqual(parseCommand({ method: 'Read', params }), { method: 'Read', params: {} });
    }
  });

  it('[RPC-002] leaves values as they are and copies the object that holds them', () => {
    const value = Buffer.from([1]);
    const params = { id: '/5/0/0', value };
    const command = parseCommand({ method: 'WriteReplace', params });
    assert.equal(command.params['value'], value);
    assert.notEqual(command.params, params);
    assert.deepEqual(parseCommand(command), command);
  });

  it('[RPC-003] takes the names of commands in any letter case', () => {
    for (const { method } of COMMANDS) {
      for (const name of [method, method.toLowerCase(), method.toUpperCase()]) assert.equal(parseCommand(name).method, method);
      assert.equal(parseCommand({ method: ` ${method} ` }).method, method);
    }
  });

  it('[RPC-005] says of any other name which commands there are', () => {
    for (const name of ['Write', 'constructor', '__proto__', 'toString', 'Read{"id":"/3"}', 'x'.repeat(100_000)]) {
      refused(name, 'METHOD_NOT_ALLOWED', /There is no command/, /ObserveReadAll\.$/);
    }
  });

  for (const [input, ...texts] of [
    ['', /empty/, /Read \{"id":"\/3\/0\/9"\}/],
    ['   ', /empty/],
    ['Read /3/0/9', /not JSON/, /Right is: Read \{"id":"\/3\/0\/9"\}/],
    ['Discover "/3"', /must be a JSON object, not "\/3"/, /Right is: Discover \{"id":"\/3"\}/],
    ['Read {id:"/3/0/9"}', /not JSON/, /Right is: Read \{"id":"\/3\/0\/9"\}/],
    ['Read {"id":"/3/0/9"', /not JSON/],
    ['Read {"id":"/3/0/9"} {}', /not JSON/],
    ['Read [1]', /must be a JSON object, not an array/],
    ['Read null', /must be a JSON object, not null/],
    ['Read 7', /must be a JSON object, not 7/],
    ['{"method":"Read"', /The command is not JSON/],
    ['{"params":{}}', /no method/],
    ['Read {"__proto__":{"id":"/3"}}', /__proto__/],
    ['x'.repeat(MAX_COMMAND_TEXT + 1), /too long/],
    [`Read {"id":"${'9'.repeat(MAX_COMMAND_TEXT)}"}`, /too long/],
    [{ method: 'Read', params: 'x'.repeat(MAX_COMMAND_TEXT + 1) }, /too long/],
    [`{"method":"Read","__proto__":{"id":"/3"}}`, /__proto__/],
    [{ method: 'Read', params: [] }, /must be an object, not an array/],
    [{ method: 'Read', params: 7 }, /must be an object, not 7/],
    [{ method: 'Read', params: Buffer.from('{}') }, /not a Buffer of 2 bytes/],
    [{ method: 'Read', params: Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`p${at}`, 1])) }, /100 parameters/],
    [{ method: 7 }, /"method" must be its name, not 7/],
    [{ method: '' }, /no method/],
    [{}, /no method/],
    [null, /not null/],
    [undefined, /not nothing/],
    [7, /not 7/],
    [true, /not true/],
    [12n, /not 12/],
    [2n ** 100_000n, /not a huge integer/],
    [Symbol('x'), /not a symbol/],
    [() => 1, /not a function/],
    [[], /not an array/],
    [['Read {"id":"/3/0/9"}'], /not an array/],
    [Buffer.from('Read {"id":"/3/0/9"}'), /not a Buffer of 20 bytes/],
    [new Uint8Array(3), /not 3 bytes/],
    [new Date(0), /not a Date/],
    [new Map([['method', 'Read']]), /not a Map/],
  ] as readonly (readonly [unknown, ...RegExp[]])[]) {
    const title = typeof input === 'string' ? JSON.stringify(input.slice(0, 40)) : typeof input === 'object' ? 'an object' : typeof input;
    it(`[RPC-004] [RPC-006] refuses ${title}: ${texts.map(String).join(' ')}`, () => refused(input, 'BAD_REQUEST', ...texts));
  }

  it('[RPC-004] survives depth, getters that throw and revoked proxies', () => {
    refused(`Read ${'['.repeat(500_000)}`, 'BAD_REQUEST');
    refused(`Read ${'['.repeat(500_000)}${']'.repeat(500_000)}`, 'BAD_REQUEST');
    const deep = `{"a":`.repeat(100_000) + '1' + '}'.repeat(100_000);
    assert.ok(Object.hasOwn(parseCommand(`Read ${deep}`).params, 'a'));
    const trap = {
      get method(): string {
        throw new Error('trap');
      },
    };
    refused(trap, 'BAD_REQUEST', /cannot be read/);
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    refused(proxy, 'BAD_REQUEST');
    refused({ method: 'Read', params: proxy }, 'BAD_REQUEST');
  });

  it('[RPC-004] never throws anything but a CommandError, and leaves Object.prototype alone', () => {
    const before = Object.getOwnPropertyNames(Object.prototype).length;
    const text = fc
      .tuple(fc.constantFrom('Read', 'WriteUpdate', 'Create', '{', ''), fc.oneof(fc.json(), fc.string()))
      .map((parts) => parts.join(' '));
    const withMethod = fc.record({ method: fc.oneof(fc.constantFrom('Read', 'read'), fc.anything()), params: fc.anything() });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true, withNullPrototype: true }),
          text,
          withMethod,
        ),
        (input) => {
          try {
            const command = parseCommand(input);
            assert.equal(Object.getPrototypeOf(command.params), Object.prototype);
          } catch (error) {
            assert.ok(error instanceof CommandError, String(error));
          }
        },
      ),
      { seed: 51, numRuns: 2000 },
    );
    assert.equal(Object.getOwnPropertyNames(Object.prototype).length, before);
    assert.equal(({} as Record<string, unknown>)['id'], undefined);
  });

  it('[RPC-001] reads back every command written as text', () => {
    const params = fc.dictionary(fc.constantFrom('id', 'value', 'timeout', 'x'), fc.jsonValue());
    const blanks = fc.stringMatching(/^[ \t\n]{1,4}$/);
    fc.assert(
      fc.property(fc.constantFrom(...COMMANDS.map((row) => row.method)), blanks, params, (method, blank, given) => {
        const plain = JSON.parse(JSON.stringify(given)) as Record<string, unknown>;
        assert.deepEqual(parseCommand(`${method}${blank}${JSON.stringify(given)}`), { method, params: plain });
      }),
      { seed: 52 },
    );
  });
});
