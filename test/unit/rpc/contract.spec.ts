import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createLwm2mServer } from '../../../lib/index';
import { COMMANDS, COMMON_PARAMS } from '../../../lib/rpc/commands';
import { toKeyMessages, toMessage } from '../../../lib/rpc/messages';
import { FORMATS, MAX_TIMEOUT_MS, MAX_TTL_MS } from '../../../lib/rpc/operations';
import { MAX_COMMAND_TEXT, parseCommand } from '../../../lib/rpc/parse';
import { EVENTS, FAILURE_CODES, RESERVED_EVENTS, RESULTS } from '../../../lib/rpc/results';
import { runCommand } from '../../../lib/rpc/run';
import { Code, codeText } from '../../../lib/coap/codes';
import type { DataNode } from '../../../lib/lwm2m/types';
import { AT, answer, model, observation, registration, stubServer } from './fixture';

const text = readFileSync(path.resolve(__dirname, '../../../docs/message-contract.md'), 'utf8');

/** The cells of every table row below a heading, up to the next heading. */
function rows(heading: string): string[][] {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading);
  assert.ok(start >= 0, `no heading ${heading}`);
  const end = lines.findIndex((line, at) => at > start && /^#+ /.test(line));
  const table = lines.slice(start + 1, end < 0 ? undefined : end).filter((line) => line.startsWith('| `'));
  return table.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
const bare = (cell: string | undefined): string => (cell ?? '').replaceAll('`', '');
const names = (heading: string): string[] => rows(heading).map((cells) => bare(cells[0]));
const same = (documented: readonly string[], known: readonly string[]): void => assert.deepEqual([...documented].sort(), [...known].sort());

describe('message contract', () => {
  for (const [heading, known] of [
    ['Events', EVENTS],
    ['Reserved events', RESERVED_EVENTS],
    ['Counters', Object.keys(createLwm2mServer().stats())],
    ['Results', RESULTS],
    ['Failures', FAILURE_CODES],
    ['Commands', COMMANDS.map((row) => row.method)],
    ['Answers', COMMANDS.map((row) => row.method)],
    [
      'Parameters',
      [...new Set(COMMANDS.flatMap((row) => row.params.map((param) => param.name))), ...COMMON_PARAMS, ...Object.keys(FORMATS)],
    ],
  ] as const) {
    it(`[RPC-038] has a closed table: ${heading}`, () => same(names(heading), known));
  }

  it('[RPC-038] gives every result its CoAP code', () => {
    const codes = new Map<string, string>(Object.entries(Code).map(([name, code]) => [name, codeText(code)]));
    for (const [result, code] of rows('Results')) {
      if (bare(result) !== 'UNKNOWN') assert.equal(code, codes.get(bare(result)), result);
    }
  });

  it('[RPC-038] says of every command what its table row says', () => {
    const levels = ['root', 'object', 'object instance', 'resource', 'resource instance'];
    for (const [at, [method, params, targets, example]] of rows('Commands').entries()) {
      const row = COMMANDS[at]!;
      assert.equal(bare(method), row.method);
      assert.deepEqual(
        [...params!.matchAll(/`(\w+)`/g)].map(([, name]) => name),
        row.params.map((param) => param.name),
      );
      assert.deepEqual(
        targets!.replace('multiple resource', 'resource').split(', '),
        row.levels.length === 0 ? ['device'] : row.levels.map((level) => levels[level]),
      );
      assert.equal(bare(example), row.example);
    }
  });

  it('[RPC-038] names the limits and formats of the code', () => {
    assert.ok(text.includes(`at most ${MAX_COMMAND_TEXT} characters`));
    assert.ok(text.includes(`1 to ${MAX_TIMEOUT_MS}`));
    assert.ok(text.includes(`0 to ${MAX_TTL_MS}`));
    const formats = rows('Parameters').slice(-Object.keys(FORMATS).length);
    assert.deepEqual(Object.fromEntries(formats.map(([name, number]) => [bare(name), Number(number)])), FORMATS);
  });

  it('[RPC-038] has examples that can be read', () => {
    const block = /```\n([^`]+)```/.exec(text)?.[1] ?? '';
    const examples = block.trim().split('\n');
    assert.ok(examples.length > 3);
    for (const example of examples) parseCommand(example);
  });

  it('[RPC-038] lists every property msg.lwm2m can have, and no other', async () => {
    const timed = (value: number, time: number): DataNode => ({ path: [3, 0, 9], type: 'integer', value, time });
    const full = { observation, contentFormat: 112 };
    const run = async (fields: Parameters<typeof answer>[0]): Promise<object> =>
      (await runCommand(stubServer(answer(fields)), 'dev-1', 'Observe {"id":"/3/0/9"}', { model })).meta;
    const common = { at: AT, registration, contentFormat: 112 };
    const parts: object[] = [
      await run({ ...full, nodes: [timed(1, 2)], queue: { position: 1, waiting: 0 } }),
      await run({ ...full, nodes: [timed(1, 2), timed(1, 3)] }),
      (await runCommand(stubServer(), 'dev-1', 'Read {"id":"/3/0/9","timeout":0}', { model })).meta,
      (await runCommand(stubServer(), 'dev-1', 'ReadComposite {"ids":["/3/0/9"]}', { model })).meta,
      toMessage({ kind: 'notification', ...common, observation, nodes: [timed(1, 2)], code: '2.05', sequence: 1 }, { model }).lwm2m,
      toMessage({ kind: 'send', ...common, nodes: [timed(1, 2)] }, { model }).lwm2m,
      toMessage({ kind: 'observation-ended', at: AT, registration, observation, reason: 'x', code: '4.04' }, { model }).lwm2m,
      toMessage({ kind: 'refused', at: AT, endpoint: 'x', address: 'a', port: 1, code: '4.03', reason: 'r', hint: 'h' }, { model }).lwm2m,
      toMessage({ kind: 'registered', at: AT, registration }, { model }).lwm2m,
      toMessage(
        {
          kind: 'command',
          at: AT,
          endpoint: 'dev-1',
          id: 'c1',
          operation: { kind: 'Read', path: { ids: [3, 0, 9] } },
          result: { kind: 'failed', code: 'EXPIRED', error: 'x' },
          origin: { nodeId: 'n1', context: 1 },
        },
        { model },
      ).lwm2m,
      toMessage({ kind: 'telemetry', at: AT, registration, time: AT, values: { a: 1 }, keys: {}, profile: 'p' }, { model }).lwm2m,
      ...toKeyMessages({
        kind: 'telemetry',
        at: AT,
        registration,
        time: AT,
        values: { a: 1 },
        keys: { a: { path: '/3/0/9', type: 'integer', unit: '%' } },
        profile: 'p',
      }).map(({ lwm2m }) => lwm2m),
      toMessage({ kind: 'stats', at: AT, interval: 60, counters: createLwm2mServer().stats() }).lwm2m,
    ];
    same(names('Properties of `msg.lwm2m`'), [...new Set(parts.flatMap((part) => Object.keys(part)))]);
  });

  it('[RPC-038] lists every property of a registration in a payload', () => {
    const paragraph = /A \*\*registration\*\* in a payload is plain JSON:([\s\S]+?)\n\n/.exec(text)?.[1] ?? '';
    const documented = new Set([...paragraph.matchAll(/`(\w+)/g)].map((match) => match[1]));
    const { payload } = toMessage({ kind: 'registered', at: AT, registration: { ...registration, smsNumber: '+43' } }, { model });
    same([...documented].map(String), Object.keys(payload as object));
  });
});
