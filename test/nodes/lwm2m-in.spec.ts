import assert from 'node:assert/strict';
import type { ServerEvent } from '../../lib/index';
import { eventFilter, pathPrefix } from '../../nodes/lwm2m-in/filter';
import inNode from '../../nodes/lwm2m-in/lwm2m-in';
import { migrate } from '../../nodes/lwm2m-in/migrations';
import { FakeServer, fakeServerNode, notification, registered, registration } from '../support/fake-server';
import { Badges, Inbox, load, settled, useFlows } from '../support/flows';
import type { FlowNode } from '../support/flows';

function flow(settings: object = {}): FlowNode[] {
  return [
    { id: 'server', type: 'lwm2m-server' },
    { id: 'in', type: 'lwm2m-in', z: 'flow', server: 'server', wires: [['out']], ...settings },
    { id: 'out', type: 'helper', z: 'flow' },
  ];
}

describe('lwm2m-in', () => {
  useFlows();

  it('sends a message of its own for an event', async () => {
    const server = new FakeServer();
    await load([fakeServerNode(server), inNode], flow());
    const out = new Inbox('out');
    server.emit(notification('meter-1', [3, 0, 9], 85));
    const msg = await out.first();
    assert.equal(msg.event, 'notification');
    assert.equal(msg.endpoint, 'meter-1');
    assert.equal(msg.topic, 'meter-1/3/0/9');
    assert.equal(msg.payload, 85);
    assert.equal(msg['lwm2m'].path, '/3/0/9');
    assert.match(msg._msgid ?? '', /^[0-9a-f]{16}$/);
  });

  it('lets only the chosen events of the chosen devices through', async () => {
    const server = new FakeServer();
    await load([fakeServerNode(server), inNode], flow({ events: ['registered'], endpoint: 'meter-*' }));
    const out = new Inbox('out');
    server.emit(registered('pump-1'));
    server.emit(notification('meter-1', [3, 0, 9], 85));
    server.emit(registered('meter-1'));
    server.emit(registered('meter-2'));
    const got = await out.take(2);
    await settled();
    assert.deepEqual(
      got.map((msg) => msg.topic),
      ['meter-1/registered', 'meter-2/registered'],
    );
    assert.equal(out.messages.length, 2);
  });

  it('sends the counters, which are of no device, whatever device and path it is for', async () => {
    const server = new FakeServer();
    await load([fakeServerNode(server), inNode], flow({ endpoint: 'meter-*', path: '/3' }));
    const out = new Inbox('out');
    server.emit({ kind: 'stats', at: 1_700_000_000_000, interval: 60, counters: { ...server.stats(), received: 7 } });
    const msg = await out.first();
    assert.equal(msg.event, 'stats');
    assert.equal(msg.topic, 'stats');
    assert.equal('endpoint' in msg, false);
    assert.equal((msg.payload as Record<string, number>)['received'], 7);
    assert.deepEqual(msg['lwm2m'], { at: 1_700_000_000_000, interval: 60 });
  });

  for (const [instanceKeys, payload] of [
    ['id', { 9: 85 }],
    ['name', { 'Battery Level': 85 }],
  ] as const) {
    it(`keys the values of an instance by ${instanceKeys}`, async () => {
      const server = new FakeServer();
      await load([fakeServerNode(server), inNode], flow({ instanceKeys }));
      const out = new Inbox('out');
      server.emit({
        ...(notification('meter-1', [3, 0], 0) as Extract<ServerEvent, { kind: 'notification' }>),
        nodes: [{ path: [3, 0, 9], type: 'integer', value: 85 }],
      });
      assert.deepEqual((await out.first()).payload, payload);
    });
  }

  it('counts the devices in its badge', async () => {
    const server = new FakeServer();
    server.devices = [registration('a'), registration('b')];
    await load([fakeServerNode(server), inNode], flow());
    await new Badges('in').seen(/^lwm2m-in\.status\.devices$/);
  });

  it('shows that its server is not open', async () => {
    await load([fakeServerNode(new FakeServer(), { kind: 'failed', text: 'x' }), inNode], flow());
    await new Badges('in').seen(/^lwm2m-in\.status\.failed$/);
  });

  it('shows that it has no server', async () => {
    await load([inNode], flow().slice(1));
    await new Badges('in').seen(/^lwm2m-in\.status\.noServer$/);
  });

  it('shows that its path is none', async () => {
    await load([fakeServerNode(new FakeServer()), inNode], flow({ path: 'battery' }));
    await new Badges('in').seen(/^lwm2m-in\.status\.setting$/);
  });

  describe('path filter', () => {
    const filter = (path: string) => eventFilter(migrate({ path }));
    const send = (paths: number[][]): ServerEvent => ({
      kind: 'send',
      at: 0,
      registration: registration('a'),
      contentFormat: 112,
      nodes: paths.map((path) => ({ path, type: 'integer', value: 1 })),
    });

    const table: [string, ServerEvent, number | undefined][] = [
      ['', notification('a', [3, 0, 9], 1), 1],
      ['/', notification('a', [3, 0, 9], 1), 1],
      ['/3', notification('a', [3, 0, 9], 1), 1],
      ['3/0', notification('a', [3, 0, 9], 1), 1],
      ['/3/0/9', notification('a', [3, 0, 9], 1), 1],
      ['/3/0/9/1', notification('a', [3, 0, 9], 1), 1],
      ['/3/1', notification('a', [3, 0, 9], 1), undefined],
      ['/33', notification('a', [3, 0, 9], 1), undefined],
      [
        '/3303',
        send([
          [3, 0, 9],
          [3303, 0, 5700],
          [3303, 1, 5700],
        ]),
        2,
      ],
      ['/5', send([[3, 0, 9]]), undefined],
    ];
    for (const [path, event, count] of table) {
      it(`"${path}" leaves ${count ?? 'nothing'} of ${event.kind}`, () => {
        const result = filter(path)(event);
        assert.equal(result && 'nodes' in result ? result.nodes.length : undefined, count);
      });
    }

    it('lets events without values through', () => assert.equal(filter('/5')(registered('a'))?.kind, 'registered'));

    it('keeps a notification that carries no value', () => {
      const empty = { ...notification('a', [3, 0, 9], 1), nodes: [], code: '4.04' } as ServerEvent;
      assert.equal(filter('/3')(empty), empty);
      assert.equal(filter('/5')(empty), undefined);
    });

    for (const wrong of ['battery', '/3/0/9/1/2', '//', '/3/-1', '/123456']) {
      it(`refuses "${wrong}"`, () => assert.throws(() => pathPrefix(wrong), /not a path/));
    }
  });
});
