import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as coap from '../support/coap-message';
import { freeUdpPort, startNodeRed, type NodeRed } from '../support/node-red';
import { UdpRecorder } from '../support/udp-recorder';
import { reasonMissing, startLeshan, type Peer } from './peers';
import { skipWithout } from './suite';

/** Deploys of each kind: `DEPLOY_COUNT` of the environment, 10 in the full measure; kills of the process: `KILL_COUNT`. */
const DEPLOYS = Number(process.env['DEPLOY_COUNT'] ?? 2);
const KILLS = Number(process.env['KILL_COUNT'] ?? 1);
const ENDPOINT = 'deploy-leshan';
const PATH = '/3303/0/5700';
/** The device gives a new value every second. */
const EVERY = 1_000;
/** A notification is retransmitted after 2 to 3 s, then after twice that. */
const PATIENCE = 30_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Everything `lwm2m-in` gives goes into a file, which outlives what happens to Node-RED. */
function flow(port: number, file: string): object[] {
  const z = 'tab';
  return [
    { id: z, type: 'tab', label: 'deploy' },
    { id: 'server', type: 'lwm2m-server', name: 'deploy', port, host: '', unknownDevices: 'accept-without-security', devices: [] },
    { id: 'in', type: 'lwm2m-in', z, server: 'server', endpoint: '', path: '', wires: [['line']] },
    {
      id: 'line',
      type: 'function',
      z,
      func: 'return { payload: JSON.stringify({ event: msg.event, payload: msg.payload, coalesced: msg.lwm2m.coalesced }) };',
      wires: [['journal']],
    },
    {
      id: 'journal',
      type: 'file',
      z,
      filename: file,
      filenameType: 'str',
      appendNewline: true,
      createDir: false,
      overwriteFile: 'false',
      wires: [[]],
    },
    { id: 'request', type: 'http in', z, url: '/rpc', method: 'post', upload: false, swaggerDoc: '', wires: [['command']] },
    {
      id: 'command',
      type: 'function',
      z,
      func: 'msg.endpoint = msg.payload.endpoint; msg.payload = msg.payload.command; return msg;',
      wires: [['rpc']],
    },
    { id: 'rpc', type: 'lwm2m-rpc', z, server: 'server', endpoint: '', wires: [['answer']] },
    { id: 'answer', type: 'http response', z, statusCode: '200', headers: {}, wires: [] },
  ];
}

interface Line {
  readonly event: string;
  readonly payload: unknown;
  readonly coalesced?: number;
}

describe('Eclipse Leshan, observed and notifying every second, while Node-RED deploys, restarts and is killed', function () {
  this.timeout(120_000 + DEPLOYS * 30_000 + KILLS * 60_000);
  let nodeRed: NodeRed | undefined;
  let recorder: UdpRecorder | undefined;
  let peer: Peer | undefined;
  let file = '';
  let port = 0;
  let value = 0;
  let notifying: NodeJS.Timeout | undefined;

  const lines = async (): Promise<Line[]> => {
    const text = await readFile(file, 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line);
  };
  const rpc = async (command: string): Promise<{ result: string; value?: unknown }> => {
    const body = JSON.stringify({ endpoint: ENDPOINT, command });
    const response = await fetch(`${nodeRed?.url}rpc`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    return (await response.json()) as { result: string; value?: unknown };
  };

  before(async function () {
    skipWithout(this, 'leshan', reasonMissing('leshan'));
    port = await freeUdpPort();
    nodeRed = await startNodeRed({ flow: [] });
    file = path.join(nodeRed.dir, 'events.txt');
    await nodeRed.deploy('full', () => flow(port, file) as Record<string, unknown>[]);
    recorder = await UdpRecorder.open(port);
    peer = await startLeshan({ port: recorder.port, endpoint: ENDPOINT });
    await peer.waitFor('registered');
    assert.equal((await rpc(`Observe {"id":"${PATH}"}`)).result, 'CONTENT');
    notifying = setInterval(() => {
      value += 1;
      peer?.command(`set ${PATH} ${value}`);
    }, EVERY);
  });

  after(async () => {
    clearInterval(notifying);
    await peer?.stop();
    recorder?.close();
    await nodeRed?.stop();
  });

  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return;
    console.error(`--- leshan ---\n${peer?.log().slice(-2000)}\n--- Node-RED ---\n${nodeRed?.log().slice(-3000)}`);
  });

  /** Waits until a value that was set from now on has arrived. */
  async function settled(): Promise<void> {
    const wanted = value + 2;
    const until = Date.now() + PATIENCE;
    while (Date.now() < until) {
      const seen = (await lines()).filter(({ event }) => event === 'notification').map(({ payload }) => Number(payload));
      if (seen.some((each) => each >= wanted)) return;
      await sleep(200);
    }
    assert.fail(`no notification from ${wanted} on arrived within ${PATIENCE} ms`);
  }

  /** What the device sent as Confirmable notifications, each with whether it was acknowledged, and its value. */
  function notifications(): { value: number; acknowledged: boolean; reset: boolean }[] {
    const sent = new Map<number, { value: number; acknowledged: boolean; reset: boolean }>();
    for (const { direction, data } of recorder?.passed ?? []) {
      const message = coap.decodeMessage(data);
      if (direction === 'up' && coap.codeText(message.code) === '2.05' && message.type !== coap.ACK) {
        assert.equal(message.type, coap.CON, 'the device notifies Confirmable');
        if (!sent.has(message.mid)) sent.set(message.mid, { value: sent.size, acknowledged: false, reset: false });
      }
      const known = direction === 'down' ? sent.get(message.mid) : undefined;
      if (known && message.code === 0 && message.type === coap.ACK) known.acknowledged = true;
      if (known && message.code === 0 && message.type === coap.RST) known.reset = true;
    }
    return [...sent.values()];
  }

  async function nothingLost(): Promise<void> {
    const all = await lines();
    assert.equal(all.filter(({ event }) => event === 'registered').length, 1, 'registered once, at the very beginning');
    const values = all.filter(({ event }) => event === 'notification').map(({ payload }) => Number(payload));
    assert.deepEqual(values, [...new Set(values)], 'each value once');
    assert.deepEqual(
      values,
      values.toSorted((a, b) => a - b),
      'in order',
    );
    const sent = notifications();
    assert.deepEqual(
      sent.filter(({ reset }) => reset),
      [],
      'no notification was refused',
    );
    // The last may be under way, and one that was not acknowledged is superseded by the next one of the device.
    const acknowledged = sent.filter((each) => each.acknowledged).length;
    assert.ok(values.length >= acknowledged - 1, `${acknowledged} were acknowledged, ${values.length} arrived`);
    assert.equal(
      all.some(({ event }) => event === 'observation-ended'),
      false,
    );
  }

  for (const type of ['full', 'reload'] as const) {
    it(`${DEPLOYS} times ${type === 'full' ? 'Full Deploy' : 'Restart Flows'}: nobody registers anew, nothing is lost, nothing comes twice`, async () => {
      for (let count = 0; count < DEPLOYS; count += 1) {
        await nodeRed?.deploy(type);
        await settled();
      }
      await nothingLost();
      assert.equal(typeof (await rpc(`Read {"id":"${PATH}"}`)).value, 'number');
    });
  }

  it('one restart of the process: the device goes on as if nothing had been', async () => {
    await nodeRed?.restart();
    await settled();
    await nothingLost();
    assert.equal(typeof (await rpc(`Read {"id":"${PATH}"}`)).value, 'number');
  });

  it(`${KILLS} times kill -9: the same`, async () => {
    for (let count = 0; count < KILLS; count += 1) {
      await sleep(1_500);
      await nodeRed?.restart('SIGKILL');
      await settled();
    }
    const all = await lines();
    assert.equal(all.filter(({ event }) => event === 'registered').length, 1);
    assert.deepEqual(
      notifications().filter(({ reset }) => reset),
      [],
    );
    assert.equal(typeof (await rpc(`Read {"id":"${PATH}"}`)).value, 'number');
  });

  it('frees its port at once when the server is disabled, and when it is removed', async () => {
    const free = async (): Promise<void> => {
      const socket = createSocket('udp4').bind({ port, exclusive: true });
      await once(socket, 'listening');
      socket.close();
    };
    await nodeRed?.deploy('full', (flows) => flows.map((node) => (node['id'] === 'server' ? { ...node, d: true } : node)));
    await free();
    await nodeRed?.deploy('full', (flows) => flows.map((node) => (node['id'] === 'server' ? { ...node, d: false } : node)));
    await settled();
    await nodeRed?.deploy('full', (flows) => flows.filter(({ id }) => id !== 'server'));
    await free();
  });
});
