import assert from 'node:assert/strict';
import deviceNode from '../../nodes/lwm2m-device/lwm2m-device';
import inNode from '../../nodes/lwm2m-in/lwm2m-in';
import rpcNode from '../../nodes/lwm2m-rpc/lwm2m-rpc';
import serverNode from '../../nodes/lwm2m-server/lwm2m-server';
import { Badges, Inbox, getNode, load, redeploy, useFlows } from '../support/flows';
import type { FlowNode } from '../support/flows';
import { freeUdpPort } from '../support/node-red';

const nodes = [serverNode, inNode, rpcNode, deviceNode];

/** A server, a simulated device, and a command node whose results arrive at `answers`. */
function flow(port: number, settings: object = {}): FlowNode[] {
  return [
    { id: 'server', type: 'lwm2m-server', port, unknownDevices: 'accept-without-security' },
    { id: 'device', type: 'lwm2m-device', z: 'flow', endpoint: 'simulated', host: '127.0.0.1', port, wires: [['written']], ...settings },
    { id: 'written', type: 'helper', z: 'flow' },
    { id: 'in', type: 'lwm2m-in', z: 'flow', server: 'server', wires: [['events']] },
    { id: 'events', type: 'helper', z: 'flow' },
    { id: 'rpc', type: 'lwm2m-rpc', z: 'flow', server: 'server', endpoint: 'simulated', wires: [['answers']] },
    { id: 'answers', type: 'helper', z: 'flow' },
    { id: 'catcher', type: 'catch', z: 'flow', scope: ['device'], wires: [['caught']] },
    { id: 'caught', type: 'helper', z: 'flow' },
  ];
}

async function registeredDevice(settings: object = {}): Promise<number> {
  const port = await freeUdpPort();
  await load(nodes, flow(port, settings));
  await new Badges('device').seen(/^lwm2m-device\.status\.registered$/);
  return port;
}

describe('lwm2m-device', () => {
  useFlows();

  it('registers, and answers a command', async () => {
    await registeredDevice();
    const answers = new Inbox('answers');
    getNode('rpc').receive({ payload: 'Read {"id":"/3/0/9"}' });
    const { payload } = await answers.first();
    assert.equal(payload.result, 'CONTENT');
    assert.ok(payload.value >= 0 && payload.value <= 100, String(payload.value));
  });

  for (const version of ['1.0', '1.1', '1.2']) {
    it(`speaks LwM2M ${version}`, async () => {
      const port = await freeUdpPort();
      await load(nodes, flow(port, { lwm2mVersion: version }));
      const registered = await new Inbox('events').find(({ event }) => event === 'registered');
      assert.equal(registered.payload.lwm2mVersion, version);
    });
  }

  it('takes a value from the flow and tells who observes it', async () => {
    await registeredDevice();
    const [answers, events] = [new Inbox('answers'), new Inbox('events')];
    getNode('rpc').receive({ payload: 'Observe {"id":"/3/0/9"}' });
    assert.equal((await answers.first()).payload.result, 'CONTENT');
    getNode('device').receive({ topic: '/3/0/9', payload: 42 });
    await events.find(({ event, payload }) => event === 'notification' && payload === 42);
  });

  it('gives out what the server wrote and executed', async () => {
    await registeredDevice();
    const [answers, written] = [new Inbox('answers'), new Inbox('written')];
    getNode('rpc').receive({ payload: 'WriteReplace {"id":"/3/0/15","value":"Europe/Vienna"}' });
    getNode('rpc').receive({ payload: 'Execute {"id":"/3/0/12"}' });
    const results = (await answers.take(2)).map((msg) => msg.payload.result);
    assert.deepEqual(results, ['CHANGED', 'CHANGED']);
    const [write, execute] = await written.take(2);
    assert.deepEqual([write?.['event'], write?.topic, write?.payload], ['written', 'simulated/3/0/15', 'Europe/Vienna']);
    assert.deepEqual([execute?.['event'], execute?.topic], ['executed', 'simulated/3/0/12']);
    assert.equal(write?.['endpoint'], 'simulated');
  });

  for (const message of [
    { topic: '/3/0/9', payload: 'full' },
    { topic: '/99/0/9', payload: 1 },
    { topic: 'battery', payload: 1 },
    { payload: 1 },
    { topic: '/3/0/9' },
  ]) {
    it(`sends ${JSON.stringify(message)} to Catch nodes`, async () => {
      await registeredDevice();
      const caught = new Inbox('caught');
      getNode('device').receive(message);
      assert.match((await caught.first())['error'].code, /^(BAD_PATH|BAD_VALUE|NOT_FOUND)$/);
    });
  }

  it('leaves when its flow is stopped', async () => {
    const port = await registeredDevice();
    const events = new Inbox('events');
    await redeploy(
      flow(port).filter(({ id }) => id !== 'device'),
      'nodes',
    );
    await events.find(({ event }) => event === 'deregistered');
  });

  for (const settings of [{ endpoint: '' }, { port: 'coap' }, { lifetime: '0' }]) {
    it(`says that ${JSON.stringify(settings)} cannot be`, async () => {
      await load(nodes, flow(await freeUdpPort(), settings));
      await new Badges('device').seen(/^lwm2m-device\.status\.setting$/);
    });
  }
});
