import assert from 'node:assert/strict';
import type { ServerEvent } from '../../lib/index';
import { eventFilter, wantedValues } from '../../nodes/lwm2m-in/filter';
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
    await load([fakeServerNode(new FakeServer(), { kind: 'failed', text: 'x', brief: 'taken' }), inNode], flow());
    await new Badges('in').seen(/^taken$/);
  });

  it('shows that it has no server', async () => {
    await load([inNode], flow().slice(1));
    await new Badges('in').seen(/^lwm2m-in\.status\.noServer$/);
  });

  it('shows that its path is none', async () => {
    await load([fakeServerNode(new FakeServer()), inNode], flow({ path: '/battery' }));
    await new Badges('in').seen(/^lwm2m-in\.status\.setting$/);
  });

  describe('telemetry and attributes', () => {
    const keyed = (kind: 'telemetry' | 'attributes', values: Record<string, unknown>, paths: Record<string, string>, name = 'meter-1') =>
      ({
        kind,
        at: 1_700_000_000_500,
        time: 1_700_000_000_000,
        registration: registration(name),
        values,
        keys: Object.fromEntries(Object.entries(paths).map(([key, path]) => [key, { path, type: 'integer' as const, unit: '%' }])),
        profile: 'Meters',
      }) satisfies ServerEvent;
    const both = keyed('telemetry', { battery: 85, quality: 60 }, { battery: '/3/0/9', quality: '/4/0/3' });

    it('come as they are', async () => {
      const server = new FakeServer();
      await load([fakeServerNode(server), inNode], flow());
      const out = new Inbox('out');
      server.emit(both);
      server.emit(keyed('attributes', { maker: 'ACME' }, { maker: '/3/0/0' }));
      const [telemetry, attributes] = await out.take(2);
      assert.equal(telemetry?.topic, 'meter-1/telemetry');
      assert.deepEqual(telemetry['payload'], { battery: 85, quality: 60 });
      const { registration: _registration, ...facts } = telemetry['lwm2m'] as Record<string, unknown>;
      assert.deepEqual(facts, { at: both.at, time: both.time, profile: 'Meters', keys: both.keys });
      assert.deepEqual([attributes?.['event'], attributes?.['payload']], ['attributes', { maker: 'ACME' }]);
    });

    it('come one key a message', async () => {
      const server = new FakeServer();
      await load([fakeServerNode(server), inNode], flow({ messagePer: 'key' }));
      const out = new Inbox('out');
      server.emit(both);
      server.emit(keyed('telemetry', { transportLog: 'registered' }, {}));
      server.emit(notification('meter-1', [3, 0, 9], 85));
      const got = await out.take(4);
      assert.deepEqual(
        got.map(({ topic, payload, event }) => [topic, payload as unknown, event as unknown]),
        [
          ['meter-1/battery', 85, 'telemetry'],
          ['meter-1/quality', 60, 'telemetry'],
          ['meter-1/transportLog', 'registered', 'telemetry'],
          ['meter-1/3/0/9', 85, 'notification'],
        ],
      );
      const { registration: of, ...facts } = got[1]!['lwm2m'] as Record<string, unknown>;
      assert.deepEqual(facts, {
        at: both.at,
        time: both.time,
        profile: 'Meters',
        key: 'quality',
        path: '/4/0/3',
        type: 'integer',
        unit: '%',
      });
      assert.notEqual(of, (got[0]!['lwm2m'] as Record<string, unknown>)['registration']);
    });

    const table: [string, string[] | undefined][] = [
      ['', ['battery', 'quality']],
      ['battery', ['battery']],
      ['battery, nothing', ['battery']],
      ['/3', ['battery']],
      ['3/0/9', ['battery']],
      ['/4/0/3, battery', ['battery', 'quality']],
      ['nothing', undefined],
      ['/5', undefined],
    ];
    for (const [path, keys] of table) {
      it(`"${path}" leaves ${keys?.join(' and ') ?? 'nothing'}`, () => {
        const result = eventFilter(migrate({ path }))(both);
        assert.deepEqual(
          result && 'values' in result ? [Object.keys(result.values), Object.keys(result.keys)] : undefined,
          keys && [keys, keys],
        );
      });
    }

    it('keys are of them only; other values pass by paths', () => {
      const filter = eventFilter(migrate({ path: 'battery' }));
      assert.equal(filter(notification('a', [3, 0, 9], 1)), undefined);
      assert.equal(filter(registered('a'))?.kind, 'registered');
      assert.equal(eventFilter(migrate({ path: 'battery,/3' }))(notification('a', [3, 0, 9], 1))?.kind, 'notification');
    });

    it('of all devices come once the flows have started, where that is wanted', async () => {
      const server = new FakeServer();
      server.devices = Array.from({ length: 120 }, (_, at) => registration(`meter-${at}`));
      server.currentValues = (endpoint) => [
        keyed('telemetry', { battery: 85 }, { battery: '/3/0/9' }, endpoint),
        keyed('attributes', { maker: 'ACME' }, { maker: '/3/0/0' }, endpoint),
      ];
      const [, ...rest] = flow({ startValues: true });
      const silent = { id: 'silent', type: 'lwm2m-in', z: 'flow', server: 'server', wires: [['out']] };
      await load([fakeServerNode(server), inNode], [flow()[0]!, ...rest, silent]);
      const out = new Inbox('out');
      const got = await out.take(240);
      await settled();
      assert.equal(out.messages.length, 240);
      assert.equal(new Set(got.map(({ topic }) => topic)).size, 240);
      assert.deepEqual(
        got.slice(0, 2).map(({ topic, payload }) => [topic, payload as unknown]),
        [
          ['meter-0/telemetry', { battery: 85 }],
          ['meter-0/attributes', { maker: 'ACME' }],
        ],
      );
    });
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

    for (const wrong of ['/battery', '/3/0/9/1/2', '//', '/3/-1', '/123456', 'a, /b']) {
      it(`refuses "${wrong}"`, () => assert.throws(() => wantedValues(wrong), /not a path/));
    }
  });
});
