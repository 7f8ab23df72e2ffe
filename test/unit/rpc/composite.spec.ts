import assert from 'node:assert/strict';
import { commandHelp } from '../../../lib/rpc/help';
import { toMessage } from '../../../lib/rpc/messages';
import { toOperation } from '../../../lib/rpc/operations';
import { parseCommand } from '../../../lib/rpc/parse';
import { runCommand, type RunOptions } from '../../../lib/rpc/run';
import type { RpcResult } from '../../../lib/rpc/types';
import { isComposite, performOneByOne } from '../../../lib/server/one-by-one';
import type { Operation, OperationOptions, OperationResult } from '../../../lib/server/types';
import { iotHubValue } from '../../../lib/rpc/iot-hub';
import type { DataNode } from '../../../lib/lwm2m/types';
import { AT, answer, model, observation, registration, stubServer, versions } from './fixture';

const keys = { battery: '/3/0/9', zone: '/3_1.0/0/15', 'floor 3': '/3/0/14', '3rd': '/3/0/13' };
const ready = (command: string, changes: object = {}): ReturnType<typeof toOperation> =>
  toOperation(parseCommand(command), { ...registration, ...changes }, model, { keys });
const refused = (command: string, text: RegExp, changes: object = {}): void => {
  assert.throws(() => ready(command, changes), text);
};
const battery: DataNode = { path: [3, 0, 9], type: 'integer', value: 75 };
const zone: DataNode = { path: [3, 0, 15], type: 'string', value: 'Z' };

describe('composite commands', () => {
  it('[RPC-007] takes paths, keys and values by either', () => {
    const paths = [{ ids: [3, 0, 9] }, { ids: [3, 0, 15] }];
    for (const command of ['ReadComposite {"ids":["/3/0/9","3_1.1/0/15/"]}', 'ReadComposite {"keys":["battery","zone"],"ids":["/5"]}']) {
      assert.deepEqual(ready(command).operation, { kind: 'ReadComposite', paths });
    }
    assert.deepEqual(ready('ReadComposite {"ids":"/3/0/9"}').operation, { kind: 'ReadComposite', paths: paths.slice(0, 1) });
    assert.match(ready('ReadComposite {"keys":["battery"],"ids":["/5"]}').warnings.join(), /the "keys" count/);
    assert.match(ready('Read {"key":"battery","id":"/5"}').warnings.join(), /the "key" counts/);
    const written = ready('WriteComposite {"nodes":{"zone":"Z","floor 3":"+1","3rd":0,"/19/0/0":{"5":"00"}}}').operation;

    assert.deepEqual(written.kind === 'WriteComposite' ? written.nodes : written.kind, [
      zone,
      { path: [3, 0, 14], type: 'string', value: '+1' },
      { path: [3, 0, 13], type: 'time', value: 0 },
      { path: [19, 0, 0, 5], type: 'opaque', value: Uint8Array.of(0) },
    ]);
  });

  it('[RPC-050] refuses what overlaps, and takes what lies side by side', () => {
    refused('ReadComposite {"ids":["/3/0","/3/0/9"]}', /\/3\/0 and \/3\/0\/9 overlap/);
    refused('ReadComposite {"ids":["/3/0/9","/3/0/9/0"]}', /overlap/);
    refused('ReadComposite {"ids":["/3/0/9","/3/0/9"]}', /twice/);
    refused('ReadComposite {"ids":[]}', /empty/);
    assert.equal(ready('ReadComposite {"ids":["/3/0/1","/3/0/14","/5/0","/19/0/0"]}').targets.length, 4);
  });

  it('[RPC-051] is done where SenML is announced, or nothing is by a device since LwM2M 1.1', () => {
    for (const changes of [
      { contentFormats: [110], lwm2mVersion: '1.0' },
      { contentFormats: [] },
      { contentFormats: [322], lwm2mVersion: '1.2' },
    ]) {
      assert.equal(ready('ReadComposite {"ids":["/3/0/9"]}', changes).operation.kind, 'ReadComposite');
    }
    refused('ReadComposite {"ids":["/3/0/9"]}', /one by one/, { contentFormats: [], lwm2mVersion: '1.0' });
    refused('ReadComposite {"ids":["/3/0/9"]}', /content formats 11542/, { contentFormats: [11542] });
  });

  const run = (server: ReturnType<typeof stubServer>, command: string, options: RunOptions = {}): Promise<RpcResult> =>
    runCommand(server, 'dev-1', command, { model, keys, now: () => AT, ...options });

  it('[RPC-052] answers by path or key in the order asked, null for what did not come', async () => {
    const nodes = [zone, battery];
    const byPath = await run(stubServer(answer({ nodes })), 'ReadComposite {"ids":["/3/0/9","/19/0","/3/0/15"]}');
    assert.deepEqual(byPath.payload.value, { '/3/0/9': 75, '/19/0': null, '/3/0/15': 'Z' });
    assert.deepEqual(Object.keys(byPath.payload.value as object), ['/3/0/9', '/19/0', '/3/0/15']);
    assert.deepEqual(byPath.meta['paths'], ['/3/0/9', '/19/0', '/3/0/15']);
    assert.equal(byPath.path, undefined);
    const byKey = await run(stubServer(answer({ nodes })), 'ObserveComposite {"keys":["battery","floor 3"]}');
    assert.deepEqual(byKey.payload.value, { battery: 75, 'floor 3': null });
    const read = await run(stubServer(answer({ nodes: [battery] })), 'Read {"key":"battery"}');
    assert.deepEqual(read.payload.value, { battery: 75 });
    assert.equal(read.path, '/3/0/9');
  });

  it('[RPC-055] passes on what LwM2M 1.2 brought, for a device of it', () => {
    const device = { lwm2mVersion: '1.2' };
    assert.deepEqual(ready('Discover {"id":"/3","depth":"3"}', device).operation, { kind: 'Discover', path: { ids: [3] }, depth: 3 });
    assert.deepEqual(ready('Observe {"id":"/3/0/9","attributes":{"pmin":5,"gt":20}}', device).operation, {
      kind: 'Observe',
      path: { ids: [3, 0, 9] },
      attributes: [
        ['pmin', '5'],
        ['gt', '20'],
      ],
    });
    assert.deepEqual(ready('ObserveComposite {"ids":["/3/0/9"],"attributes":{"con":1}}', device).operation, {
      kind: 'ObserveComposite',
      paths: [{ ids: [3, 0, 9] }],
      attributes: [['con', '1']],
    });
    assert.equal(ready('Delete {"id":"/19/0/0/1"}', device).operation.kind, 'Delete');
    refused('ObserveComposite {"ids":["/3/0/9"],"attributes":{"gt":1}}', /A composite takes/, device);
    refused('Observe {"id":"/3/0/9","attributes":{"pmin":""}}', /needs a value/, device);
    for (const command of [
      'Discover {"id":"/3","depth":1}',
      'Observe {"id":"/3/0/9","attributes":{"pmin":5}}',
      'Delete {"id":"/19/0/0/1"}',
    ])
      refused(command, /came with LwM2M 1\.2/);
  });

  it("[RPC-056] creates an instance by its path or of the device's choice", () => {
    const data = { type: 'opaque', value: Uint8Array.of(0) } as const;
    assert.deepEqual(ready('Create {"id":"/19","value":{"0":{"0":"00"}}}').operation, {
      kind: 'Create',
      path: { ids: [19] },
      nodes: [{ path: [19, 0, 0, 0], ...data }],
    });
    assert.deepEqual(ready('Create {"id":"/19_1.1/65533/","nodes":{"Data":["00"]}}').operation, {
      kind: 'Create',
      path: { ids: [19, 65533] },
      nodes: [{ path: [19, 65533, 0, 0], ...data }],
    });
    assert.deepEqual(ready('Create {"id":"/31024"}').operation, { kind: 'Create', path: { ids: [31024] }, nodes: [] });
    refused('Delete {"id":"/3/0"}', /cannot be deleted/);
  });

  describe('one by one', () => {
    /** Answers by what is asked; what is not in the table is not found. */
    function device(
      answers: Record<string, Partial<Extract<OperationResult, { kind: 'answer' }>> | Extract<OperationResult, { kind: 'failed' }>>,
    ) {
      const asked: string[] = [];
      const server = stubServer();
      const perform = (endpoint: string, operation: Operation, how: OperationOptions = {}): Promise<OperationResult> => {
        if (how.oneByOne && isComposite(operation)) return performOneByOne(operation, registration, (each) => perform(endpoint, each));
        const name = `${operation.kind} ${'path' in operation ? `/${operation.path.ids.join('/')}` : ''}`;
        asked.push(name);
        const known = answers[name];
        if (known?.kind === 'failed') return Promise.resolve(known);
        return Promise.resolve(answer(known ?? { ok: false, code: '4.04', result: 'NOT_FOUND', error: 'none' }));
      };
      return { server: { ...server, perform }, asked };
    }
    const options = { oneByOne: true };
    const failure = { kind: 'failed', code: 'TIMEOUT_NO_ACK', error: 'silent', registration } as const;

    it('[RPC-053] reads each, leaving out what is not there, also from a device of LwM2M 1.0', async () => {
      const { server, asked } = device({ 'Read /3/0/9': { nodes: [battery] }, 'Read /3/0/15': { nodes: [zone], warnings: ['odd'] } });
      const old = { ...registration, lwm2mVersion: '1.0' as const, contentFormats: [] };
      const result = await run({ ...server, registration: () => old }, 'ReadComposite {"ids":["/3/0/9","/5/0/3","/3/0/15"]}', options);
      assert.deepEqual(asked, ['Read /3/0/9', 'Read /5/0/3', 'Read /3/0/15']);
      assert.deepEqual(result.payload, { result: 'CONTENT', value: { '/3/0/9': 75, '/5/0/3': null, '/3/0/15': 'Z' } });
      assert.deepEqual(result.meta['warnings'], ['odd']);
      assert.equal(result.meta['rtt'], 36, 'of all three');
    });

    it('[RPC-053] writes each, a part of a multiple resource as an update, and says how far it came', async () => {
      const changed = { code: '2.04', result: 'CHANGED' } as const;
      const command = 'WriteComposite {"nodes":{"/3/0/15":"Z","/19/0/0":{"1":"00"},"/3/0/14":"+1"}}';
      const good = device({ 'WriteReplace /3/0/15': changed, 'WriteUpdate /19/0/0': changed, 'WriteReplace /3/0/14': changed });
      assert.deepEqual((await run(good.server, command, options)).payload, { result: 'CHANGED' });
      assert.deepEqual(good.asked, ['WriteReplace /3/0/15', 'WriteUpdate /19/0/0', 'WriteReplace /3/0/14']);
      const bad = device({ 'WriteReplace /3/0/15': changed });
      const { payload } = await run(bad.server, command, options);
      assert.deepEqual(payload, { result: 'NOT_FOUND', error: '/19/0/0: none. Done before, one by one: /3/0/15.' });
      assert.equal(bad.asked.length, 2);
    });

    it('[RPC-053] observes and cancels each', async () => {
      const { server, asked } = device({
        'Observe /3/0/9': { nodes: [battery] },
        'ObserveCancel /3/0/9': { cancelled: 1 },
        'Observe /3/0/15': failure,
        'ObserveCancel /3/0/15': { cancelled: 1 },
      });
      const observed = await run(server, 'ObserveComposite {"ids":["/3/0/9"]}', options);
      assert.deepEqual(observed.payload.value, { '/3/0/9': 75 });
      const silent = await run(server, 'ObserveComposite {"ids":["/3/0/9","/3/0/15"]}', options);
      assert.equal(silent.failure, 'TIMEOUT_NO_ACK');
      assert.match(silent.payload.error!, /silent Done before, one by one: \/3\/0\/9\./);
      const ended = await run(server, 'ObserveCompositeCancel {"keys":["battery","zone"]}', options);
      assert.deepEqual(ended.payload, { result: 'CONTENT', value: 2 });
      assert.equal(asked.at(-1), 'ObserveCancel /3/0/15');
    });

    it('[RPC-053] changes nothing about other commands', async () => {
      const { server, asked } = device({ 'Read /3/0/9': { nodes: [battery] } });
      assert.equal((await run(server, 'Read {"id":"/3/0/9"}', options)).payload.value, 75);
      assert.deepEqual(asked, ['Read /3/0/9']);
    });
  });

  it('[RPC-060] tells of a composite observation by its paths', () => {
    const composite = { ...observation, path: { ids: [] }, paths: [{ ids: [3, 0, 9] }, { ids: [19] }] };
    const common = { at: AT, registration, observation: composite };
    const changed = toMessage(
      { kind: 'notification', ...common, nodes: [battery], contentFormat: 112, code: '2.05', sequence: 2 },
      { model },
    );
    assert.equal(changed.topic, 'dev-1/notification');
    assert.deepEqual(changed.payload, { '/3/0/9': 75, '/19': null });
    assert.deepEqual(changed.lwm2m['paths'], ['/3/0/9', '/19']);
    assert.deepEqual(changed.lwm2m['observation'], { id: 'a1b2', paths: ['/3/0/9', '/19'], startedAt: observation.startedAt });
    const ended = toMessage({ kind: 'observation-ended', ...common, reason: 'cancelled' }, { model });
    assert.deepEqual(ended.payload, { paths: ['/3/0/9', '/19'], reason: 'cancelled' });
  });

  it('[RPC-061] helps with an example of every command', () => {
    const lines = commandHelp().split('\n');
    assert.equal(lines.length, 18);
    for (const line of lines) parseCommand(line);
  });
});

describe('IoT Hub text', () => {
  const context = { model, versions };
  const read = (ids: number[], ...nodes: DataNode[]): string | undefined =>
    iotHubValue({ kind: 'Read', path: { ids } }, answer({ nodes }) as Extract<OperationResult, { kind: 'answer' }>, context);
  const bytes = Buffer.from('ac01', 'hex');

  for (const [type, value, text] of [
    ['float', 72, '72.0'],
    ['float', 25.05, '25.05'],
    ['float', 1e7, '1.0E7'],
    ['float', 1.5e-4, '1.5E-4'],
    ['float', -0, '-0.0'],
    ['float', NaN, 'NaN'],
    ['float', 9999999.5, '9999999.5'],
    ['integer', -9007199254740993n, '-9007199254740993'],
    ['unsigned', 18446744073709551615n, '18446744073709551615'],
    ['boolean', false, 'false'],
    ['string', '', ''],
    ['time', 1625146789, 'Thu Jul 01 13:39:49 UTC 2021'],
    ['time', 0, 'Thu Jan 01 00:00:00 UTC 1970'],
    ['objlnk', '10:2', '/10/2'],
    ['objlnk', '65535:65535', '/65535/65535'],
    ['corelnk', '</3/0>,</3/0/9>', '[</3/0>, </3/0/9>]'],
  ] as const) {
    it(`[RPC-057] writes the ${type} ${String(value)} as ${text}`, () => {
      const name = { unsigned: 'UNSIGNED_INTEGER', corelnk: 'CORELINK' }[type as string] ?? type.toUpperCase();
      assert.equal(read([30000, 0, 1], { path: [30000, 0, 1], type, value }), `LwM2mSingleResource [id=1, value=${text}, type=${name}]`);
    });
  }

  it('[RPC-057] shows bytes as their number, and as hex where the resource was asked for by itself', () => {
    const single: DataNode = { path: [30000, 0, 5], type: 'opaque', value: bytes };
    const many: DataNode[] = [25, 0].map((id) => ({ path: [19, 0, 0, id], type: 'opaque', value: bytes }));
    assert.equal(read([30000, 0, 5], single), 'LwM2mSingleResource id=5 value=ac01 type=OPAQUE');
    assert.equal(read([19, 0, 0], ...many), 'LwM2mMultipleResource id=0 values={ id=0 value=ac01,  id=25 value=ac01} type=OPAQUE');
    assert.equal(
      read([30000, 0], single),
      'LwM2mObjectInstance [id=0, resources={5=LwM2mSingleResource [id=5, value=2Bytes, type=OPAQUE]}]',
    );
    assert.equal(read([19, 0, 0, 25], ...many), 'LwM2mResourceInstance [id=25, value=2Bytes, type=OPAQUE]');
  });

  it('[RPC-057] has ids ascending, and a form for what is empty', () => {
    const node = (id: number, instance: number): DataNode => ({ path: [3, instance, id], type: 'integer', value: id });
    assert.equal(
      read([3], node(11, 1), node(9, 1), node(9, 0)),
      'LwM2mObject [id=3, instances={0=LwM2mObjectInstance [id=0, resources={9=LwM2mSingleResource [id=9, value=9, type=INTEGER]}], ' +
        '1=LwM2mObjectInstance [id=1, resources={9=LwM2mSingleResource [id=9, value=9, type=INTEGER], 11=LwM2mSingleResource [id=11, value=11, type=INTEGER]}]}]',
    );
    assert.equal(read([3, 0]), 'LwM2mObjectInstance [id=0, resources={}]');
    assert.equal(
      read([3, 0, 6], { path: [3, 0, 6], type: 'integer', value: null }),
      'LwM2mMultipleResource [id=6, values={}, type=INTEGER]',
    );
  });

  it('[RPC-057] answers what has no value of the device', () => {
    const of = (operation: Operation, fields: object): string | undefined =>
      iotHubValue(operation, answer(fields) as Extract<OperationResult, { kind: 'answer' }>, context);
    assert.equal(of({ kind: 'Create', path: { ids: [19] }, nodes: [] }, { location: [19, 2] }), 'location=19/2');
    assert.equal(
      of({ kind: 'Discover', path: { ids: [3] } }, { links: '</3/0/6>;pmax=100; pmin=10;dim=3' }),
      '</3/0/6>;pmax=100;pmin=10;dim=3',
    );
    const composite = { ...observation, paths: [{ ids: [19, 1, 0] }, { ids: [3, 0, 9] }] };
    assert.equal(
      of({ kind: 'ObserveReadAll' }, { observations: [observation, composite] }),
      '["/3/0/9","CompositeObservation: [/19/1/0, /3/0/9]"]',
    );
    assert.equal(
      of({ kind: 'ReadComposite', paths: [{ ids: [3, 0, 9] }, { ids: [5] }] }, { nodes: [battery] }),
      '{/3/0/9=LwM2mSingleResource [id=9, value=75, type=INTEGER], /5=null}',
    );
  });
});
