import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { freeUdpPort, startNodeRed, type NodeRed } from '../support/node-red';
import { UdpRecorder } from '../support/udp-recorder';
import { reasonMissing, startLeshan, type Peer } from './peers';
import { skipWithout } from './suite';

/** Deploys of each kind: `DEPLOY_COUNT` of the environment, 10 in the full measure. */
const DEPLOYS = Number(process.env['DEPLOY_COUNT'] ?? 2);
const ENDPOINT = 'secure-leshan';
const KEY = '73656372657450534b73656372657450';
const PATH = '/3303/0/5700';
const EVERY = 1_000;
const PATIENCE = 30_000;
/** Until a client whose session is unknown has given up its Update, and begins anew. */
const REHANDSHAKE = 240_000;
const [HANDSHAKE, CID_RECORD] = [22, 25];
const CID_BYTES = 6;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function flow(port: number, securePort: number, file: string): object[] {
  const z = 'tab';
  const device = { endpoint: ENDPOINT, mode: 'psk', identity: 'leshan-id', slot: 'psk1' };
  const server = { id: 'server', type: 'lwm2m-server', version: 4, name: 'dtls', port, securePort, unknownDevices: 'refuse' };
  return [
    { id: z, type: 'tab', label: 'deploy' },
    { ...server, devices: [device], credentials: { psk1: KEY } },
    { id: 'in', type: 'lwm2m-in', z, server: 'server', endpoint: '', path: '', wires: [['line']] },
    {
      id: 'line',
      type: 'function',
      z,
      func: 'return { payload: JSON.stringify({ event: msg.event, payload: msg.payload }) };',
      wires: [['journal']],
    },
    { id: 'journal', type: 'file', z, filename: file, filenameType: 'str', appendNewline: true, overwriteFile: 'false', wires: [[]] },
  ];
}

/** The DTLS 1.2 records of a datagram; connection IDs have the same length both ways here. */
function* records(data: Buffer): Generator<{ epoch: number; nonce: string }> {
  for (let at = 0; at + 13 <= data.length;) {
    const type = data[at]!;
    const head = 11 + (type === CID_RECORD ? CID_BYTES : 0);
    const length = data.readUInt16BE(at + head);
    const body = at + head + 2;
    yield { epoch: data.readUInt16BE(at + 3), nonce: data.toString('hex', body, body + 8) };
    at = body + length;
  }
}

describe('Eclipse Leshan over DTLS with connection IDs, observed, while Node-RED deploys, restarts and is killed', function () {
  this.timeout(120_000 + DEPLOYS * 30_000 + REHANDSHAKE);
  let nodeRed: NodeRed | undefined;
  let recorder: UdpRecorder | undefined;
  let peer: Peer | undefined;
  let file = '';
  let value = 0;
  let notifying: NodeJS.Timeout | undefined;

  const events = async (): Promise<{ event: string; payload: unknown }[]> => {
    const text = await readFile(file, 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { event: string; payload: unknown });
  };
  const values = async (): Promise<number[]> =>
    (await events()).filter(({ event }) => event === 'notification').map(({ payload }) => Number(payload));

  before(async function () {
    skipWithout(this, 'leshan', reasonMissing('leshan'));
    const [port, securePort] = [await freeUdpPort(), await freeUdpPort()];
    nodeRed = await startNodeRed({ flow: [] });
    file = path.join(nodeRed.dir, 'events.txt');
    await nodeRed.deploy('full', () => flow(port, securePort, file) as Record<string, unknown>[]);
    recorder = await UdpRecorder.open(securePort);
    // It gives up a session after 16 to 24 s without an answer, not after a minute and a half.
    const patience = { ackTimeout: 500 };
    peer = await startLeshan({
      port: recorder.port,
      endpoint: ENDPOINT,
      psk: { identity: 'leshan-id', key: KEY },
      cid: CID_BYTES,
      ...patience,
    });
    await peer.waitFor('registered');
    await nodeRed.deploy('nodes', (flows) => [...flows, ...observer()] as Record<string, unknown>[]);
    await sleep(1_000);
    notifying = setInterval(() => {
      value += 1;
      peer?.command(`set ${PATH} ${value}`);
    }, EVERY);
    await settled().catch((error: unknown) => {
      console.error(`--- leshan ---\n${peer?.log().slice(-2000)}\n--- Node-RED ---\n${nodeRed?.log().slice(-3000)}`);
      throw error;
    });
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

  const observer = (): object[] => [
    {
      id: 'once',
      type: 'inject',
      z: 'tab',
      props: [{ p: 'payload' }],
      once: true,
      onceDelay: 0.1,
      payload: `Observe {"id":"${PATH}"}`,
      payloadType: 'str',
      wires: [['rpc']],
    },
    { id: 'rpc', type: 'lwm2m-rpc', z: 'tab', server: 'server', endpoint: ENDPOINT, wires: [[]] },
  ];

  /** Waits until a value that was set from now on has arrived. */
  async function settled(patience = PATIENCE): Promise<void> {
    const wanted = value + 2;
    const until = Date.now() + patience;
    while (Date.now() < until) {
      if ((await values()).some((each) => each >= wanted)) return;
      await sleep(200);
    }
    assert.fail(`no notification from ${wanted} on arrived within ${patience} ms`);
  }

  const handshakes = (): number =>
    (recorder?.passed ?? []).filter(
      ({ direction, data }) => direction === 'up' && data[0] === HANDSHAKE && data.readUInt16BE(3) === 0 && data[13] === 16,
    ).length;

  /** Every protected record that passed, in both directions and of all sessions, has a nonce of its own under its key. */
  function noNonceTwice(): number {
    const seen = new Set<string>();
    let session = 0;
    let count = 0;
    for (const { direction, data } of recorder?.passed ?? []) {
      for (const { epoch, nonce } of records(data)) {
        // The first protected record of a client in a session is its Finished.
        if (direction === 'up' && epoch === 1 && nonce === '0001000000000000') session += 1;
        if (epoch === 0) continue;
        const name = `${session} ${direction} ${nonce}`;
        assert.ok(!seen.has(name), `a nonce twice: ${name}`);
        seen.add(name);
        count += 1;
      }
    }
    return count;
  }

  for (const type of ['full', 'reload'] as const) {
    it(`${DEPLOYS} times ${type === 'full' ? 'Full Deploy' : 'Restart Flows'}: no handshake, no Register, no nonce twice`, async () => {
      for (let count = 0; count < DEPLOYS; count += 1) {
        await nodeRed?.deploy(type);
        await settled();
      }
      assert.equal(handshakes(), 1);
      assert.equal((await events()).filter(({ event }) => event === 'registered').length, 1);
      assert.ok(noNonceTwice() > 10);
    });
  }

  it('one clean restart of the process: the session goes on, with no handshake and no nonce twice', async () => {
    await nodeRed?.restart();
    await settled();
    assert.equal(handshakes(), 1);
    assert.equal((await events()).filter(({ event }) => event === 'registered').length, 1);
    noNonceTwice();
  });

  it('kill -9: the session is not used again; the device makes another one, keeps its registration, and is observed again', async () => {
    await nodeRed?.restart('SIGKILL');
    peer?.command('update');
    const until = Date.now() + REHANDSHAKE;
    while (handshakes() < 2 && Date.now() < until) await sleep(500);
    assert.equal(handshakes(), 2);
    await peer?.waitFor('updated');
    await settled(REHANDSHAKE);
    assert.equal((await events()).filter(({ event }) => event === 'registered').length, 1);
    noNonceTwice();
  });
});
