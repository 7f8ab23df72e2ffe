import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Node, NodeDef } from 'node-red';
import inNode from '../../nodes/lwm2m-in/lwm2m-in';
import rpcNode from '../../nodes/lwm2m-rpc/lwm2m-rpc';
import { layeredModel, parseDdf } from '../../lib/index';
import serverNode from '../../nodes/lwm2m-server/lwm2m-server';
import type { ServerNode, ServerState } from '../../nodes/shared/types';
import { Badges, Inbox, getNode, load, redeploy, request, settled, useFlows } from '../support/flows';
import type { FlowNode, Initializer } from '../support/flows';
import { freeUdpPort } from '../support/node-red';
import { ddf } from '../unit/models/files';
import { UdpPeer } from '../support/udp-peer';

function flow(settings: object = {}): FlowNode[] {
  return [
    { id: 'server', type: 'lwm2m-server', name: 'Mine', port: 0, unknownDevices: 'accept-without-security', ...settings },
    { id: 'in', type: 'lwm2m-in', z: 'flow', server: 'server', wires: [['out']] },
    { id: 'out', type: 'helper', z: 'flow' },
  ];
}

const nodes = [serverNode, inNode, rpcNode];

/** Waits for a state of the server node; what it was. */
function state<K extends ServerState['kind']>(kind: K, id = 'server'): Promise<Extract<ServerState, { kind: K }>> {
  return new Promise((resolve) => {
    const node = getNode<ServerNode>(id);
    const listener = { id: `test-${id}-${kind}`, error: assert.ifError } as never;
    node.register(listener, {
      onState(now) {
        if (now.kind !== kind) return;
        setImmediate(() => node.deregister(listener));
        resolve(now as Extract<ServerState, { kind: K }>);
      },
    });
  });
}

/** What the error log of a node got, from now on. */
function errorsOf(id: string): string[] {
  const errors: string[] = [];
  const node = getNode(id);
  const original = node.error.bind(node);
  node.error = (message, ...rest) => {
    errors.push(String(message));
    original(message, ...rest);
  };
  return errors;
}

/** A node that keeps what it gets over every Deploy, and the events of the runtime. */
function recording(): { recorder: Initializer; messages: string[]; events: () => NodeJS.EventEmitter } {
  const messages: string[] = [];
  let events: NodeJS.EventEmitter | undefined;
  const recorder: Initializer = (RED) => {
    events = RED.events;
    RED.nodes.registerType('recorder', function (this: Node, def: NodeDef) {
      RED.nodes.createNode(this, def);
      this.on('input', (msg, _send, done) => {
        messages.push(`${String(msg['event'])} of ${String(msg['endpoint'])}`);
        done();
      });
    });
  };
  return { recorder, messages, events: () => events! };
}

describe('lwm2m-server', () => {
  useFlows();
  const peers: UdpPeer[] = [];
  const device = async (port: number): Promise<UdpPeer> => {
    const peer = await UdpPeer.open(port);
    peers.push(peer);
    return peer;
  };
  afterEach(() => {
    for (const peer of peers.splice(0)) peer.close();
  });

  it('takes a device and tells the nodes that use it', async () => {
    await load(nodes, flow());
    const out = new Inbox('out');
    const { port } = await state('listening');
    const answer = await (await device(port)).register('meter-1');
    assert.equal(answer.code, '2.01');
    const msg = await out.first();
    assert.equal(msg['event'], 'registered');
    assert.equal(msg['endpoint'], 'meter-1');
    assert.deepEqual(Object.keys(getNode<ServerNode>('server').users), ['in']);
  });

  it('refuses an unknown device unless it is told otherwise', async () => {
    await load(nodes, flow({ unknownDevices: 'refuse' }));
    const out = new Inbox('out');
    const { port } = await state('listening');
    const answer = await (await device(port)).register('meter-1');
    assert.equal(answer.code, '4.03');
    assert.equal((await out.first())['event'], 'refused');
  });

  it('takes a device of its table', async () => {
    await load(nodes, flow({ unknownDevices: 'refuse', devices: [{ endpoint: 'meter-1', mode: 'none', name: '', timeout: '' }] }));
    const { port } = await state('listening');
    assert.equal((await (await device(port)).register('meter-1')).code, '2.01');
  });

  it('keeps registrations over a Deploy', async () => {
    const port = await freeUdpPort();
    await load(nodes, flow({ port }));
    await state('listening');
    const peer = await device(port);
    await peer.register('meter-1');
    await redeploy(flow({ port, name: 'Renamed' }));
    await state('listening');
    const live = getNode<ServerNode>('server').live;
    assert.equal(live?.server.registration('meter-1')?.endpoint, 'meter-1');
    assert.equal(live.adopted, true);
  });

  it('tells what happened during a Deploy once the flows run again', async () => {
    const port = await freeUdpPort();
    const { recorder, messages, events } = recording();
    const recorded = flow({ port }).map((node) => (node.id === 'out' ? { ...node, type: 'recorder' } : node));
    await load([...nodes, recorder], recorded);
    await state('listening');
    const peer = await device(port);
    events().emit('flows:stopping', {});
    await peer.register('meter-1');
    // The event follows the answer; the next exchange is after it.
    await peer.register('meter-2');
    assert.deepEqual(messages, [], 'nothing while the flows stand still');
    await redeploy(recorded.map((node) => ({ ...node, name: 'changed' })));
    await settled();
    assert.deepEqual(messages.slice(0, 1), ['registered of meter-1']);
  });

  it('tells its counters at the interval of the new settings after a Deploy, and they go on', async () => {
    const port = await freeUdpPort();
    await load(nodes, flow({ port, statsInterval: '86400' }));
    await state('listening');
    await (await device(port)).register('meter-1');
    await redeploy(flow({ port, statsInterval: '1' }).map((node) => (node.id === 'in' ? { ...node, events: ['stats'] } : node)));
    await state('listening');
    const msg = await new Inbox('out').first();
    const { registers, registrations, uptime } = msg.payload as Record<string, number>;
    assert.deepEqual([msg['event'], msg.topic, 'endpoint' in msg, msg['lwm2m'].interval], ['stats', 'stats', false, 1]);
    assert.deepEqual([registers, registrations, typeof uptime], [1, 1, 'number']);
  });

  it('frees its port when it is removed', async () => {
    const port = await freeUdpPort();
    await load(nodes, flow({ port }));
    await state('listening');
    await redeploy([]);
    const socket = createSocket('udp6').bind(port);
    await once(socket, 'listening');
    socket.close();
  });

  it('names both servers that want one port, and opens the second when the first is gone', async () => {
    const port = await freeUdpPort();
    const second: FlowNode = { id: 'second', type: 'lwm2m-server', name: 'Other', port, host: '127.0.0.1' };
    await load(nodes, [...flow({ port }), second]);
    const { text } = await state('failed', 'second');
    assert.equal(text, 'lwm2m-server.errors.duplicate');
    assert.equal(getNode<ServerNode>('second').live, undefined);
    await state('listening', 'server');
    await redeploy([second], 'nodes');
    await state('listening', 'second');
  });

  it('says that its port is taken by another program, and opens once it is free', async () => {
    const blocker = createSocket('udp6').bind(0);
    await once(blocker, 'listening');
    const { port } = blocker.address();
    await load(nodes, flow({ port }));
    const errors = errorsOf('server');
    assert.equal((await state('failed')).text, 'lwm2m-server.errors.inUse');
    await new Badges('in').seen(/^lwm2m-server\.badges\.inUse$/);
    blocker.close();
    await state('listening');
    assert.ok(errors.length <= 1, 'said once');
  });

  it('names the address of its list whose port is taken, and opens all of them once it is free', async () => {
    const blocker = createSocket('udp4').bind(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address();
    await load(nodes, flow({ port, host: '127.0.0.1, 127.0.0.1' }));
    assert.equal((await state('failed')).text, 'lwm2m-server.errors.inUseAt');
    blocker.close();
    await state('listening');
  });

  for (const [hosts, kind] of [
    ['::1, 127.0.0.1', 'failed'],
    ['*each', 'failed'],
    ['::1', 'listening'],
  ] as const) {
    it(`with ${hosts} on the port of a server at 127.0.0.1 it is ${kind}`, async () => {
      const port = await freeUdpPort();
      const second: FlowNode = { id: 'second', type: 'lwm2m-server', name: 'Other', port, host: hosts };
      await load(nodes, [...flow({ port, host: '127.0.0.1' }), second]);
      const { text = '' } = (await state(kind, 'second')) as { text?: string };
      assert.equal(text, kind === 'failed' ? 'lwm2m-server.errors.duplicate' : '');
    });
  }

  it('says that the TLS node it is to use is gone', async () => {
    await load(nodes, flow({ tls: 'gone' }));
    const failed = await state('failed');
    assert.deepEqual([failed.text, failed.brief], ['lwm2m-server.errors.noTls', 'lwm2m-server.badges.noTls']);
  });

  for (const settings of [{ port: 'coap' }, { port: 70000 }, { timeout: 'soon' }]) {
    it(`says what is wrong with ${JSON.stringify(settings)}`, async () => {
      await load(nodes, flow(settings));
      assert.equal((await state('failed')).text, 'lwm2m-server.errors.setting');
    });
  }

  describe('admin routes', () => {
    it('list the registered devices with their objects', async () => {
      await load(nodes, flow());
      const { port } = await state('listening');
      await (await device(port)).register('meter-1');
      const { body } = await request().get('/lwm2m/server/devices').expect(200);
      assert.deepEqual(body, {
        deployed: true,
        devices: [
          {
            endpoint: 'meter-1',
            objects: [
              { objectId: 3, instanceId: 0 },
              { objectId: 3303, instanceId: 0 },
            ],
          },
        ],
      });
    });

    for (const id of ['nothing', 'in', '__proto__', 'flow']) {
      it(`answer for "${id}", which is no server, with no devices`, async () => {
        await load(nodes, flow());
        const { body } = await request().get(`/lwm2m/${id}/devices`).expect(200);
        assert.deepEqual(body, { deployed: false, devices: [] });
      });
    }

    it('[ADMIN-006] give the names of the definition files of a server, and none for what is no running server', async () => {
      await load(nodes, flow());
      await state('listening');
      const { server } = getNode<ServerNode>('server').live!;
      assert.deepEqual((await request().get('/lwm2m/server/objects').expect(200)).body, []);
      const definition = parseDdf(ddf(33333, 'Oil Tank'));
      Object.assign(server, {
        modelFiles: (scope: string) => Promise.resolve(scope === 'own' ? [{ file: 'a.xml', objects: definition }] : []),
        model: layeredModel(definition),
      });
      const { body, headers } = await request().get('/lwm2m/server/objects').expect(200);
      assert.deepEqual(body, [{ id: 33333, name: 'Oil Tank', resources: [{ id: 0, name: 'Level', operations: 'RW', units: '%' }] }]);
      assert.equal(headers['cache-control'], 'no-store');
      for (const id of ['in', 'nothing', '__proto__']) {
        assert.deepEqual((await request().get(`/lwm2m/${id}/objects`).expect(200)).body, []);
      }
    });

    it('give the names of objects and resources, to be kept by the browser', async () => {
      await load(nodes, flow());
      const { body, headers } = await request().get('/lwm2m/objects').expect(200);
      const device = (body as { id: number; name: string; resources: { id: number; name: string; units?: string }[] }[]).find(
        ({ id }) => id === 3,
      );
      assert.equal(device?.name, 'Device');
      const battery = device.resources.find(({ id }) => id === 9);
      assert.equal(battery?.name, 'Battery Level');
      assert.match(String(headers['cache-control']), /max-age=\d+/);
    });
  });
});
