import assert from 'node:assert/strict';
import type { OperationResult, RpcResult } from '../../lib/index';
import { commandOf } from '../../nodes/lwm2m-rpc/command';
import { Deliveries } from '../../nodes/lwm2m-rpc/deliveries';
import type { Deliver, Waiting } from '../../nodes/lwm2m-rpc/deliveries';
import rpcNode from '../../nodes/lwm2m-rpc/lwm2m-rpc';
import { FakeServer, fakeServerNode, registration } from '../support/fake-server';
import { Badges, Inbox, getNode, load, redeploy, request, settled, useFlows } from '../support/flows';
import type { FlowNode, Message } from '../support/flows';

function flow(settings: object = {}): FlowNode[] {
  return [
    { id: 'server', type: 'lwm2m-server' },
    { id: 'rpc', type: 'lwm2m-rpc', z: 'flow', server: 'server', wires: [['out']], ...settings },
    { id: 'out', type: 'helper', z: 'flow' },
    { id: 'catcher', type: 'catch', z: 'flow', scope: null, uncaught: false, wires: [['caught']] },
    { id: 'caught', type: 'helper', z: 'flow' },
    { id: 'complete', type: 'complete', z: 'flow', scope: ['rpc'], wires: [['completed']] },
    { id: 'completed', type: 'helper', z: 'flow' },
  ];
}

/** A flow with one registered device, `meter-1`. */
async function start(settings: object = {}): Promise<{ server: FakeServer; out: Inbox; caught: Inbox; completed: Inbox }> {
  const server = new FakeServer();
  server.devices = [registration('meter-1')];
  await load([fakeServerNode(server), rpcNode], flow(settings));
  return { server, out: new Inbox('out'), caught: new Inbox('caught'), completed: new Inbox('completed') };
}

const give = (msg: Message): void => getNode('rpc').receive(msg);
const battery = 'Read {"id":"/3/0/9"}';

describe('lwm2m-rpc', () => {
  useFlows();

  it('does a command given as text and keeps the message', async () => {
    const { server, out, completed } = await start();
    const res = { anything: true };
    give({ _msgid: 'abcd', payload: battery, endpoint: 'meter-1', topic: 'old', mine: 1, res });
    const msg = await out.first();
    assert.deepEqual(msg.payload, { result: 'CONTENT', value: 85 });
    assert.equal(msg.topic, 'meter-1/3/0/9');
    assert.equal(msg.endpoint, 'meter-1');
    assert.equal(msg['lwm2m'].code, '2.05');
    assert.equal(msg._msgid, 'abcd');
    assert.equal(msg['mine'], 1);
    assert.equal(msg['res'], res);
    assert.deepEqual(server.performed[0]?.operation, { kind: 'Read', path: { ids: [3, 0, 9] } });
    await completed.first();
  });

  for (const [what, make] of [
    ['sealed', (): Message => Object.seal({ _msgid: 'abcd', payload: battery, endpoint: 'meter-1' })],
    ['frozen', (): Message => Object.freeze({ _msgid: 'abcd', payload: battery, endpoint: 'meter-1' })],
    [
      'guarded by a getter',
      (): Message => Object.defineProperty({ _msgid: 'abcd', payload: battery, endpoint: 'meter-1' }, 'topic', { get: () => 'mine' }),
    ],
  ] as const) {
    it(`answers a message that is ${what} by a copy`, async () => {
      const { out } = await start();
      getNode('rpc').emit('input', make());
      const msg = await out.first();
      assert.deepEqual(msg.payload, { result: 'CONTENT', value: 85 });
      assert.equal(msg._msgid, 'abcd');
      assert.equal(msg.topic, 'meter-1/3/0/9');
    });
  }

  it('ends in an error when the message cannot be sent on', async () => {
    const server = new FakeServer();
    server.devices = [registration('meter-1')];
    // Two wires: Node-RED copies the message for the second.
    await load([fakeServerNode(server), rpcNode], [...flow({ wires: [['out', 'second']] }), { id: 'second', type: 'helper', z: 'flow' }]);
    const caught = new Inbox('caught');
    const msg = { _msgid: 'abcd', payload: battery, endpoint: 'meter-1' };
    Object.defineProperty(msg, 'trap', {
      enumerable: true,
      configurable: true,
      get: () => {
        throw new Error('do not touch');
      },
    });
    // The Catch node copies it, too: what is left is the log.
    const logged = new Promise<unknown>((resolve) => (getNode('rpc').error = resolve));
    getNode('rpc').emit('input', msg);
    assert.match(String(await logged), /do not touch|notSent/);
    assert.equal(caught.messages.length, 0);
  });

  it('lets a filled field win over the message', async () => {
    const { server, out } = await start({ endpoint: 'meter-1', operation: 'Observe', path: '/3303/0/5700', timeout: '1500' });
    give({ payload: battery, endpoint: 'meter-2' });
    await out.first();
    assert.equal(server.performed[0]?.endpoint, 'meter-1');
    assert.deepEqual(server.performed[0].operation, { kind: 'Observe', path: { ids: [3303, 0, 5700] } });
    assert.equal(server.performed[0].timeout, 1500);
  });

  it('writes the value of the dialog', async () => {
    const { server, out } = await start({ operation: 'WriteReplace', path: '/3/0/15', value: 'zone', valueType: 'msg' });
    give({ payload: 'not this', zone: 'Europe/Vienna', endpoint: 'meter-1' });
    await out.first();
    const { operation } = server.performed[0]!;
    assert.equal(operation.kind, 'WriteReplace');
    assert.deepEqual('nodes' in operation && operation.nodes, [{ path: [3, 0, 15], type: 'string', value: 'Europe/Vienna' }]);
  });

  for (const [strict, command, result] of [
    [true, 'WriteReplace {"id":"/3/0/9","value":101}', 'BAD_REQUEST'],
    [true, 'WriteReplace {"id":"/3/0/9","value":101,"strict":false}', 'CONTENT'],
    [false, 'WriteReplace {"id":"/3/0/9","value":101}', 'CONTENT'],
    [undefined, 'WriteReplace {"id":"/3/0/9","value":101,"strict":true}', 'BAD_REQUEST'],
  ] as const) {
    it(`[RPC-042] ${command} with ${strict === true ? 'the setting' : 'no setting'} for ranges ends in ${result}`, async () => {
      const { server, out } = await start(strict === undefined ? {} : { strict });
      give({ payload: command, endpoint: 'meter-1' });
      const { payload, lwm2m } = (await out.first()) as unknown as {
        payload: { result: string; error?: string };
        lwm2m: { warnings: string[] };
      };
      assert.equal(payload.result, result);
      assert.equal(server.performed.length, result === 'CONTENT' ? 1 : 0);
      assert.match(payload.error ?? lwm2m.warnings.join(), /Battery Level.* got 101: it is outside its range 0\.\.100/);
    });
  }

  it('takes keys, the form of answers and one by one from the dialog', async () => {
    const { server, out } = await start({
      keys: [{ key: 'battery', path: '/3/0/9' }, { key: 'battery', path: '/1' }, { key: ' ' }, null],
      answers: 'iot-hub',
      oneByOne: true,
    });
    give({ payload: 'ReadComposite {"keys":["battery"]}', endpoint: 'meter-1' });
    const { payload, lwm2m } = await out.first();
    assert.deepEqual(payload, { result: 'CONTENT', value: '{/3/0/9=LwM2mSingleResource [id=9, value=85, type=INTEGER]}' });
    assert.deepEqual(lwm2m.paths, ['/3/0/9']);
    assert.deepEqual(server.performed[0]?.operation, { kind: 'Read', path: { ids: [3, 0, 9] } });
  });

  it('does a command of the box in the dialog', async () => {
    const { server } = await start();
    const ask = async (id: string, body: object): Promise<Record<string, unknown>> =>
      (await request().post(`/lwm2m/${id}/command`).send(body).expect(200)).body as Record<string, unknown>;
    const settings = { keys: [{ key: 'battery', path: '/3/0/9' }] };
    assert.deepEqual(await ask('server', { endpoint: 'meter-1', command: 'Read {"key":"battery"}', settings }), {
      payload: { result: 'CONTENT', value: { battery: 85 } },
      warnings: [],
    });
    assert.equal(server.performed[0]?.timeout, 30_000);
    assert.match(String((await ask('_', { command: ' HELP ' }))['help']), /^Read \{"id":"\/3\/0\/9"\}\nReadComposite/);
    assert.deepEqual(await ask('rpc', { endpoint: 'meter-1', command: 'DiscoverAll' }), { deployed: false });
    assert.deepEqual(await ask('nobody', { endpoint: 'meter-1', command: 'DiscoverAll' }), { deployed: false });
    for (const body of [
      {},
      { endpoint: 5, command: {}, settings: 7 },
      { endpoint: 'meter-1', command: 'Explode', settings: { keys: 5 } },
    ]) {
      const { payload } = await ask('server', body);
      assert.match((payload as { result: string }).result, /BAD_REQUEST|METHOD_NOT_ALLOWED/);
    }
  });

  it('gives the refusal of a device as a result, not as an error', async () => {
    const { server, out, caught, completed } = await start();
    server.answer = (): OperationResult => ({
      kind: 'answer',
      code: '4.04',
      result: 'NOT_FOUND',
      ok: false,
      error: 'no such thing',
      rtt: 5,
      registration: registration('meter-1'),
    });
    give({ payload: battery, endpoint: 'meter-1' });
    assert.deepEqual((await out.first()).payload, { result: 'NOT_FOUND', error: 'no such thing' });
    await completed.first();
    assert.equal(caught.messages.length, 0);
  });

  const failing: [string, Message, string][] = [
    ['an unknown device', { payload: battery, endpoint: 'nobody' }, 'UNKNOWN_ENDPOINT'],
    ['no device', { payload: battery }, 'BAD_REQUEST'],
    ['a device that is no text', { payload: battery, endpoint: 7 }, 'BAD_REQUEST'],
    ['no command', { payload: undefined, endpoint: 'meter-1' }, 'BAD_REQUEST'],
    ['a number as command', { payload: 42, endpoint: 'meter-1' }, 'BAD_REQUEST'],
    ['a command nobody knows', { payload: 'Explode', endpoint: 'meter-1' }, 'METHOD_NOT_ALLOWED'],
    ['broken JSON', { payload: 'Read {"id"', endpoint: 'meter-1' }, 'BAD_REQUEST'],
  ];
  for (const [name, message, code] of failing) {
    it(`gives a failure on the output and to Catch nodes: ${name}`, async () => {
      const { out, caught } = await start();
      give(message);
      const [msg, problem] = [await out.first(), await caught.first()];
      assert.equal(msg.payload.result, code);
      assert.equal(typeof msg.payload.error, 'string');
      assert.equal(problem['error'].code, code);
      assert.equal(problem.payload.result, code);
      await settled();
      assert.equal(caught.messages.length, 1, 'once');
    });
  }

  it('gives a failure to Catch nodes only, when the dialog says so', async () => {
    const { out, caught } = await start({ failures: 'catch' });
    give({ payload: battery, endpoint: 'nobody' });
    assert.equal((await caught.first())['error'].code, 'UNKNOWN_ENDPOINT');
    await settled();
    assert.equal(out.messages.length, 0);
  });

  it('gives a timeout as failure', async () => {
    const { server, caught } = await start();
    server.answer = (): OperationResult => ({ kind: 'failed', code: 'TIMEOUT_NO_ACK', error: 'no answer' });
    give({ payload: battery, endpoint: 'meter-1' });
    assert.equal((await caught.first())['error'].code, 'TIMEOUT_NO_ACK');
  });

  it('shows what it does', async () => {
    const { server, out } = await start();
    const badges = new Badges('rpc');
    let answer: (result: OperationResult) => void = () => undefined;
    server.answer = () => new Promise((resolve) => (answer = resolve));
    give({ payload: battery, endpoint: 'meter-1' });
    await badges.seen(/^lwm2m-rpc\.status\.waiting$/);
    answer({ kind: 'answer', code: '2.04', result: 'CHANGED', ok: true, rtt: 1, registration: registration('meter-1') });
    await out.first();
    await badges.seen(/^\w+ \d+ ms$/);
  });

  it('fails at once while its server is not open', async () => {
    await load([fakeServerNode(new FakeServer(), { kind: 'failed', text: 'port taken', brief: 'taken' }), rpcNode], flow());
    const out = new Inbox('out');
    give({ payload: battery, endpoint: 'meter-1' });
    assert.deepEqual((await out.first()).payload, { result: 'CLOSED', error: 'port taken' });
  });

  it('fails without a server', async () => {
    await load([rpcNode], flow().slice(1));
    const out = new Inbox('out');
    give({ payload: battery, endpoint: 'meter-1' });
    assert.equal((await out.first()).payload.result, 'CLOSED');
  });

  describe('a command that waits through a Deploy', () => {
    async function wait(): Promise<{ answer: () => void; sent: string[] }> {
      const { server } = await start();
      let resolve: (result: OperationResult) => void = () => undefined;
      const asked = new Promise<void>((called) => {
        server.answer = () => {
          called();
          return new Promise((done) => (resolve = done));
        };
      });
      const old = getNode('rpc');
      const sent: string[] = [];
      old.send = () => sent.push('send of a closed node');
      old.error = () => sent.push('error of a closed node');
      give({ payload: battery, endpoint: 'meter-1' });
      await asked;
      return { answer: () => resolve({ kind: 'failed', code: 'TIMEOUT_NO_RESPONSE', error: 'late' }), sent };
    }

    it('is answered by the new node of the same id', async () => {
      const { answer, sent } = await wait();
      await redeploy(flow({ name: 'changed' }));
      const [out, caught] = [new Inbox('out'), new Inbox('caught')];
      answer();
      assert.equal((await out.first()).payload.result, 'TIMEOUT_NO_RESPONSE');
      assert.equal((await caught.first())['error'].code, 'TIMEOUT_NO_RESPONSE');
      assert.deepEqual(sent, []);
    });

    it('is not answered by a node that is gone', async () => {
      const { answer, sent } = await wait();
      await redeploy(flow().filter(({ id }) => id !== 'rpc'));
      const out = new Inbox('out');
      answer();
      await settled();
      assert.deepEqual(sent, []);
      assert.equal(out.messages.length, 0);
    });
  });
});

describe('lwm2m-rpc deliveries', () => {
  const waiting = (nodeId: string): Waiting => ({ nodeId, msg: { _msgid: '1' }, endpoint: 'meter-1', since: 0 });
  const result = (name: string): RpcResult => ({ payload: { result: name }, meta: {} });
  function world(): { deliveries: Deliveries; story: string[]; deliver: (name: string) => Deliver } {
    const story: string[] = [];
    const deliver =
      (name: string): Deliver =>
      ({ nodeId }, { payload }) =>
        story.push(`${name} ${nodeId} ${payload.result}`);
    return { deliveries: new Deliveries(deliver('lost')), story, deliver };
  }

  it('keep results while the flows are being replaced, and hand them to the new nodes in order', () => {
    const { deliveries, story, deliver } = world();
    const old = deliver('old');
    deliveries.open('rpc', old);
    deliveries.settle(waiting('rpc'), result('A'));
    assert.equal(deliveries.hold(), true);
    assert.equal(deliveries.hold(), false, 'one holds for all');
    deliveries.settle(waiting('rpc'), result('B'));
    deliveries.close('rpc', old);
    deliveries.settle(waiting('rpc'), result('C'));
    deliveries.settle(waiting('gone'), result('D'));
    deliveries.open('rpc', deliver('new'));
    assert.deepEqual(story, ['old rpc A']);
    deliveries.release();
    assert.deepEqual(story, ['old rpc A', 'new rpc B', 'new rpc C', 'lost gone D']);
    deliveries.settle(waiting('rpc'), result('E'));
    assert.equal(story.at(-1), 'new rpc E');
  });

  it('do not let a node that closes late take its successor along', () => {
    const { deliveries, story, deliver } = world();
    const old = deliver('old');
    deliveries.open('rpc', old);
    deliveries.open('rpc', deliver('new'));
    deliveries.close('rpc', old);
    deliveries.settle(waiting('rpc'), result('A'));
    assert.deepEqual(story, ['new rpc A']);
  });
});

describe('lwm2m-rpc commandOf', () => {
  const blank = { operation: '', path: '', args: '', timeout: '' };
  const table: [string, object, unknown, unknown, object][] = [
    ['all from the message', {}, battery, undefined, { method: 'Read', params: { id: '/3/0/9' } }],
    ['the path of the dialog', { path: '/3/0' }, battery, undefined, { method: 'Read', params: { id: '/3/0' } }],
    ['... instead of a key', { path: '/3' }, { method: 'Read', params: { key: 'x' } }, undefined, { method: 'Read', params: { id: '/3' } }],
    [
      'operation and path of the dialog',
      { operation: 'Read', path: '/3' },
      1700000000000,
      undefined,
      { method: 'Read', params: { id: '/3' } },
    ],
    ['the payload as path', { operation: 'Discover' }, '/3/0', undefined, { method: 'Discover', params: { id: '/3/0' } }],
    ['the payload as parameters', { operation: 'Read' }, { id: '/3' }, undefined, { method: 'Read', params: { id: '/3' } }],
    ['... as text', { operation: 'Read' }, '{"id":"/3"}', undefined, { method: 'Read', params: { id: '/3' } }],
    [
      '... in a command',
      { operation: 'Read' },
      { method: 'Execute', params: { id: '/3' } },
      undefined,
      { method: 'Read', params: { id: '/3' } },
    ],
    [
      'a value',
      { operation: 'WriteReplace', path: '/3/0/15' },
      'x',
      'x',
      { method: 'WriteReplace', params: { id: '/3/0/15', value: 'x' } },
    ],
    [
      'the value of the parameters',
      { operation: 'WriteUpdate' },
      { id: '/3/0', value: 1 },
      2,
      { method: 'WriteUpdate', params: { id: '/3/0', value: 1 } },
    ],
    [
      'arguments',
      { operation: 'Execute', path: '/3/0/4', args: ' 0 ' },
      'x',
      undefined,
      { method: 'Execute', params: { id: '/3/0/4', value: '0' } },
    ],
    ['no arguments', { operation: 'Execute', path: '/3/0/4' }, 1700000000000, undefined, { method: 'Execute', params: { id: '/3/0/4' } }],
    ['a key as path', { operation: 'Read', path: 'battery' }, 1, undefined, { method: 'Read', params: { key: 'battery' } }],
    [
      'several paths',
      { operation: 'ReadComposite', path: '/3/0/9, /1' },
      1,
      undefined,
      { method: 'ReadComposite', params: { ids: ['/3/0/9', '/1'] } },
    ],
    ['several keys', { operation: 'ReadComposite', path: 'a,b' }, 1, undefined, { method: 'ReadComposite', params: { keys: ['a', 'b'] } }],
    ['a list as payload', { operation: 'ReadComposite' }, ['/3'], undefined, { method: 'ReadComposite', params: { ids: ['/3'] } }],
    ['the whole device', { operation: 'DiscoverAll', path: '/3' }, { id: '/3' }, undefined, { method: 'DiscoverAll', params: {} }],
    [
      'values by path',
      { operation: 'WriteComposite', path: '/3' },
      { '/3/0/14': 'Z' },
      { '/3/0/14': 'Z' },
      { method: 'WriteComposite', params: { nodes: { '/3/0/14': 'Z' } } },
    ],
    [
      '... of the parameters',
      { operation: 'WriteComposite' },
      { nodes: { a: 1 }, timeout: 5 },
      2,
      { method: 'WriteComposite', params: { nodes: { a: 1 }, timeout: 5 } },
    ],
    [
      'attributes',
      { operation: 'WriteAttributes', path: '/3' },
      1,
      { pmin: 5 },
      { method: 'WriteAttributes', params: { id: '/3', attributes: { pmin: 5 } } },
    ],
    ['a timeout', { timeout: '100' }, battery, undefined, { method: 'Read', params: { id: '/3/0/9', timeout: 100 } }],
  ];
  for (const [name, settings, payload, value, expected] of table) {
    it(name, () => assert.deepEqual(commandOf({ ...blank, ...settings }, payload, value), expected));
  }

  it('does not change the message', () => {
    const payload = Object.freeze({ method: 'Read', params: Object.freeze({ key: 'x' }) });
    commandOf({ ...blank, path: '/3' }, payload);
    assert.deepEqual(payload, { method: 'Read', params: { key: 'x' } });
  });
});
