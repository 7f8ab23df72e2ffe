import assert from 'node:assert/strict';
import type { OperationResult } from '../../lib/index';
import { decodeValue, encodeValue } from '../../lib/store/index';
import { contextOf, keptMessage } from '../../nodes/lwm2m-rpc/kept';
import rpcNode from '../../nodes/lwm2m-rpc/lwm2m-rpc';
import { FakeServer, fakeServerNode, registration } from '../support/fake-server';
import { Badges, Inbox, getNode, load, useFlows } from '../support/flows';

const keep = (msg: object): object => keptMessage(decodeValue(encodeValue(contextOf(msg as never))));

describe('a message kept with a waiting command', () => {
  it('keeps plain data, bytes and big numbers', () => {
    const msg = { _msgid: 'a', payload: { a: [1, null, 'x'], b: Buffer.from('00ff', 'hex') }, big: 2n ** 60n, none: undefined };
    assert.deepEqual(keep(msg), { _msgid: 'a', payload: { a: [1, null, 'x'], b: Buffer.from('00ff', 'hex') }, big: 2n ** 60n });
  });

  it('leaves out what is no data', () => {
    class Socket {
      readonly on = true;
    }
    const msg = { _msgid: 'a', req: new Socket(), fn: () => 1, list: [1, () => 2, 3], symbol: Symbol('x'), map: new Map() };
    assert.deepEqual(keep(msg), { _msgid: 'a', list: [1, null, 3] });
  });

  for (const [what, msg] of [
    ['long', { _msgid: 'a', payload: 'x'.repeat(70_000) }],
    ['large', { _msgid: 'a', payload: Array.from({ length: 6_000 }, () => 1) }],
    ['with many bytes', { _msgid: 'a', payload: Buffer.alloc(70_000) }],
    [
      'guarded',
      Object.defineProperty({ _msgid: 'a' }, 'x', {
        enumerable: true,
        get: () => {
          throw new Error('no');
        },
      }),
    ],
  ] as const) {
    it(`keeps only the id of one that is ${what}`, () => assert.deepEqual(keep(msg), { _msgid: 'a' }));
  }

  it('ends at a circle', () => {
    const circle: Record<string, unknown> = { _msgid: 'a' };
    circle['self'] = circle;
    assert.equal((keep(circle) as { _msgid: string })._msgid, 'a');
  });

  it('makes a message of anything', () => {
    for (const context of [undefined, null, 5, 'x', []]) assert.deepEqual(keptMessage(context), { _msgid: '' });
  });
});

describe('lwm2m-rpc with waiting commands', () => {
  useFlows();

  const flow = [
    { id: 'server', type: 'lwm2m-server' },
    { id: 'rpc', type: 'lwm2m-rpc', z: 'flow', server: 'server', wires: [['out']] },
    { id: 'out', type: 'helper', z: 'flow' },
    { id: 'catcher', type: 'catch', z: 'flow', scope: null, uncaught: false, wires: [['caught']] },
    { id: 'caught', type: 'helper', z: 'flow' },
  ];

  async function start(): Promise<FakeServer> {
    const server = new FakeServer();
    server.devices = [registration('meter-1')];
    await load([fakeServerNode(server), rpcNode], flow);
    return server;
  }

  it('shows how many of its commands wait', async () => {
    const server = await start();
    let end: (result: OperationResult) => void = () => undefined;
    server.answer = () => {
      server.waiting = 3;
      return new Promise((resolve) => (end = resolve));
    };
    const badges = new Badges('rpc');
    getNode('rpc').receive({ payload: 'Read {"id":"/3/0/9"}', endpoint: 'meter-1' });
    await badges.seen(/^lwm2m-rpc\.status\.queued$/);
    server.waiting = 0;
    end({ kind: 'failed', code: 'EXPIRED', error: 'too late' });
    await badges.seen(/^EXPIRED$/);
  });

  it('calls back what waits, of a device or of all, on a message with `reset`, which is no command', async () => {
    const server = await start();
    const out = new Inbox('out');
    getNode('rpc').receive({ reset: true, endpoint: 'meter-1', payload: 'Read {"id":"/3/0/9"}' });
    getNode('rpc').receive({ reset: 1 });
    getNode('rpc').receive({ reset: false, endpoint: 'meter-1', payload: 'Read {"id":"/3/0/9"}' });
    await out.first();
    assert.deepEqual(server.calledBack, [
      ['rpc', 'meter-1'],
      ['rpc', undefined],
    ]);
    assert.equal(server.performed.length, 1);
  });

  it('sends the result of a command from before a restart with the message it came with', async () => {
    const server = await start();
    const out = new Inbox('out');
    const caller = contextOf({ _msgid: 'abcd', payload: 'Read {"id":"/3/0/9"}', endpoint: 'meter-1', mine: 7 });
    server.emit({
      kind: 'command',
      at: 1_700_000_000_000,
      endpoint: 'meter-1',
      id: 'c1',
      operation: { kind: 'Read', path: { ids: [3, 0, 9] } },
      result: {
        kind: 'answer',
        code: '2.05',
        result: 'CONTENT',
        ok: true,
        nodes: [{ path: [3, 0, 9], type: 'integer', value: 85 }],
        rtt: 12,
        registration: registration('meter-1'),
        queue: { position: 2, waiting: 1 },
      },
      origin: { nodeId: 'rpc', context: { caller, instanceKeys: 'id', answers: 'values', keys: [null], warnings: [] } },
    });
    const msg = await out.first();
    assert.deepEqual(msg.payload, { result: 'CONTENT', value: 85 });
    assert.deepEqual([msg._msgid, msg['mine'], msg.topic], ['abcd', 7, 'meter-1/3/0/9']);
    assert.deepEqual(msg['lwm2m'].queue, { position: 2, waiting: 1 });
  });

  it('reports such a failure to Catch nodes, too', async () => {
    const server = await start();
    const out = new Inbox('out');
    const caught = new Inbox('caught');
    server.emit({
      kind: 'command',
      at: 1_700_000_000_000,
      endpoint: 'meter-1',
      id: 'c1',
      operation: { kind: 'Execute', path: { ids: [3, 0, 4] } },
      result: { kind: 'failed', code: 'EXPIRED', error: 'too late' },
      origin: { nodeId: 'rpc', context: { caller: { _msgid: 'abcd' } } },
    });
    assert.deepEqual((await out.first()).payload, { result: 'EXPIRED', error: 'too late' });
    assert.match(((await caught.first())['error'] as { message: string }).message, /too late/);
  });

  it('waits with commands while the server opens, for it knows no device before, and keeps their order', async () => {
    const server = new FakeServer();
    let open: () => void = () => undefined;
    const opening = new Promise<void>((resolve) => (open = resolve));
    await load([fakeServerNode(server, { kind: 'starting' }, opening), rpcNode], flow);
    const out = new Inbox('out');
    for (const resource of [9, 10]) getNode('rpc').receive({ payload: `Read {"id":"/3/0/${resource}"}`, endpoint: 'meter-1' });
    await new Promise<void>((resolve) => void setImmediate(resolve));
    assert.equal(server.performed.length, 0);
    server.devices = [registration('meter-1')];
    open();
    assert.deepEqual((await out.first()).payload, { result: 'CONTENT', value: 85 });
    assert.deepEqual(
      server.performed.map(({ operation }) => 'path' in operation && operation.path.ids[2]),
      [9, 10],
    );
  });
});
