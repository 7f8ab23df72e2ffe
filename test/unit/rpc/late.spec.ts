import assert from 'node:assert/strict';
import type { DataNode } from '../../../lib/lwm2m/types';
import { callerContext } from '../../../lib/rpc/late';
import { describeKept, runCommand, type RunOptions } from '../../../lib/rpc/run';
import type { CommandOrigin, Operation, OperationOptions, OperationResult, ServerEvent } from '../../../lib/server/types';
import { decodeValue, encodeValue } from '../../../lib/store/index';
import { AT, answer, model, registration, stubServer } from './fixture';

const battery: DataNode = { path: [3, 0, 9], type: 'integer', value: 75 };
const zone: DataNode = { path: [3, 0, 15], type: 'string', value: 'Z' };
const keys = { battery: '/3/0/9', device: '/3/0' };

/** The `payload` of a command now, and of the same one when its answer comes after a restart. */
async function both(command: string, fields: object, options: RunOptions = {}): Promise<{ now: object; late: object; event: KeptEvent }> {
  const result = answer(fields);
  const given: { operation: Operation; origin: CommandOrigin | undefined }[] = [];
  const perform = (_endpoint: string, operation: Operation, how: OperationOptions = {}): Promise<OperationResult> => {
    given.push({ operation, origin: how.origin });
    return Promise.resolve(result);
  };
  const origin = { nodeId: 'n1', context: { _msgid: 'a' } };
  const now = await runCommand({ ...stubServer(), perform }, 'dev-1', command, { model, keys, ...options, origin, now: () => AT });
  const [{ operation, origin: kept }] = given as [{ operation: Operation; origin: CommandOrigin | undefined }];
  const stored = decodeValue(encodeValue(kept)) as CommandOrigin;
  const event: KeptEvent = { kind: 'command', at: AT, endpoint: 'dev-1', id: 'c', operation, result, origin: stored };
  return { now, late: describeKept(event, { model }), event };
}
type KeptEvent = Extract<ServerEvent, { kind: 'command' }>;

describe('the answer of a command from before a restart', () => {
  for (const [what, command, fields, options, value] of [
    ['by its key', 'Read {"key":"battery"}', { nodes: [battery] }, {}, { battery: 75 }],
    ['by its path', 'Read {"id":"/3/0/9"}', { nodes: [battery] }, {}, 75],
    ['by names', 'Read {"id":"/3/0"}', { nodes: [battery] }, { instanceKeys: 'name' }, { 'Battery Level': 75 }],
    ['of a composite by keys', 'ReadComposite {"keys":["battery"]}', { nodes: [battery] }, {}, { battery: 75 }],
    ['of a composite by paths', 'ReadComposite {"ids":["/3/0/15","/3/0/9"]}', { nodes: [zone] }, {}, { '/3/0/15': 'Z', '/3/0/9': null }],
    [
      'one by one',
      'ReadComposite {"ids":["/3/0/15","/3/0/9"]}',
      { nodes: [zone, battery] },
      { oneByOne: true },
      { '/3/0/15': 'Z', '/3/0/9': 75 },
    ],
    [
      'as IoT Hub text',
      'Read {"id":"/3/0/9"}',
      { nodes: [battery] },
      { answers: 'iot-hub' },
      'LwM2mSingleResource [id=9, value=75, type=INTEGER]',
    ],
  ] as const) {
    it(`[RPC-062] is as it would have been: ${what}`, async () => {
      const { now, late } = await both(command, fields, options);
      assert.deepEqual((late as { payload: object }).payload, { result: 'CONTENT', value });
      assert.deepEqual(late, now);
    });
  }

  it('[RPC-062] keeps warnings, and what the giver wants back', async () => {
    const { late, event } = await both('Read {"id":"/3_1.0/0/9"}', { nodes: [battery] });
    assert.equal((late as { meta: { warnings: string[] } }).meta.warnings.length, 1);
    assert.deepEqual(callerContext(event), { _msgid: 'a' });
  });

  it('[RPC-062] takes anything from the store', async () => {
    const { event } = await both('Read {"id":"/3/0/9"}', { nodes: [battery] });
    for (const context of [undefined, null, 5, [], { keys: 7, warnings: 'x', answers: {} }, { keys: [{}], warnings: [5] }]) {
      const { payload, meta } = describeKept({ ...event, origin: { nodeId: 'n1', context } }, { model });
      assert.deepEqual([payload, meta['warnings']], [{ result: 'CONTENT', value: 75 }, []]);
    }
    assert.equal(callerContext({}), undefined);
    assert.equal(registration.endpoint, 'dev-1');
  });
});
