import assert from 'node:assert/strict';
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
const ENDPOINT = 'deploy-sleeper';
/** What is written: an instance of its own for each command. */
const PATH = '/3442/0/1120';
const WINDOW = 1_500;
const PATIENCE = 30_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What a command ended in, as `lwm2m-rpc` or `lwm2m-in` gave it, goes into a file, which outlives what happens to Node-RED. */
function flow(port: number, file: string): Record<string, unknown>[] {
  const z = 'tab';
  const server = { awakeWindow: WINDOW, replaceWrites: true, unknownDevices: 'accept-without-security', devices: [] };
  const journal = { filenameType: 'str', appendNewline: true, createDir: false, overwriteFile: 'false', wires: [[]] };
  return [
    { id: z, type: 'tab', label: 'deploy' },
    { id: 'server', type: 'lwm2m-server', name: 'deploy', port, host: '', ...server },
    { id: 'in', type: 'lwm2m-in', z, server: 'server', endpoint: '', path: '', wires: [['event-line']] },
    {
      id: 'event-line',
      type: 'function',
      z,
      func: 'return { payload: JSON.stringify({ event: msg.event, payload: msg.payload }) };',
      wires: [['journal']],
    },
    { id: 'request', type: 'http in', z, url: '/give', method: 'post', upload: false, swaggerDoc: '', wires: [['each']] },
    {
      id: 'each',
      type: 'function',
      z,
      outputs: 2,
      func:
        'const { endpoint, commands } = msg.payload; ' +
        'for (const command of commands) node.send([{ endpoint, payload: command, command }, null]); return [null, { ...msg, payload: {} }];',
      wires: [['rpc'], ['done']],
    },
    { id: 'done', type: 'http response', z, statusCode: '200', headers: {}, wires: [] },
    { id: 'rpc', type: 'lwm2m-rpc', z, server: 'server', endpoint: '', wires: [['line']] },
    {
      id: 'line',
      type: 'function',
      z,
      func: "return { payload: JSON.stringify({ event: 'answer', command: msg.command, payload: msg.payload }) };",
      wires: [['journal']],
    },
    { id: 'journal', type: 'file', z, filename: file, ...journal },
  ];
}

interface Line {
  readonly event: string;
  readonly command?: string;
  readonly payload: { readonly result?: string; readonly value?: unknown };
}

describe('Eclipse Leshan in queue mode, asleep with commands waiting, while Node-RED deploys, restarts and is killed', function () {
  this.timeout(120_000 + DEPLOYS * 60_000 + KILLS * 60_000);
  let nodeRed: NodeRed | undefined;
  let recorder: UdpRecorder | undefined;
  let peer: Peer | undefined;
  let file = '';
  /** The instance that the next command writes. */
  let next = 100;

  const lines = async (): Promise<Line[]> => {
    const text = await readFile(file, 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line);
  };
  const answers = async (from: number): Promise<Line[]> => (await lines()).slice(from).filter(({ event }) => event === 'answer');

  async function until(what: string, test: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + PATIENCE;
    while (!(await test())) {
      assert.ok(Date.now() < end, `not within ${PATIENCE} ms: ${what}`);
      await sleep(100);
    }
  }

  async function give(commands: readonly string[]): Promise<void> {
    const body = JSON.stringify({ endpoint: ENDPOINT, commands });
    const headers = { 'content-type': 'application/json' };
    // Node-RED answers a deploy before it has started the flows.
    await until('there is a flow', async () => (await fetch(`${nodeRed?.url}give`, { method: 'POST', headers, body })).status === 200);
  }

  /** The device is asleep, as far as the server knows, and its radio is off. */
  async function asleep(): Promise<void> {
    const last = async (): Promise<string | undefined> =>
      (await lines()).findLast(({ event }) => event === 'awake' || event === 'sleeping')?.event;
    // One that falls asleep while the process is away is not told of: then it sleeps when its windows are over.
    const latest = Date.now() + 3 * WINDOW;
    await until('the device sleeps', async () => (await last()) === 'sleeping' || Date.now() > latest);
    recorder!.hears = 0;
  }

  /** The device updates its registration, and hears so many datagrams. */
  function wake(hears = Infinity): void {
    recorder!.hears = hears;
    peer?.command('update');
  }

  /** The instances that reached the device by writes to `PATH`, in order; a repetition of the same message counts once. */
  function sent(from: number): number[] {
    const seen = new Set<number>();
    return (recorder?.passed ?? []).slice(from).flatMap(({ direction, data }) => {
      const message = coap.decodeMessage(data);
      if (direction !== 'down' || !coap.isRequest(message) || coap.uriPath(message) !== PATH || seen.has(message.mid)) return [];
      seen.add(message.mid);
      return (JSON.parse(message.payload.toString()) as { v: number }[]).map(({ v }) => v);
    });
  }
  const written = (from: number): number[] =>
    (peer?.events.seen ?? []).slice(from).flatMap(({ event, path: at, value }) =>
      // Of each write the instances that came with it.
      event === 'written' && at === PATH ? Object.keys(value as object).map(Number) : [],
    );

  const write = (id: number): string => `WriteUpdate {"id":"${PATH}","value":{"${id}":${id}},"format":"senml-json"}`;
  const offset = (hours: number): string => `WriteReplace {"id":"/3/0/14","value":"+0${hours}:00"}`;

  before(async function () {
    skipWithout(this, 'leshan', reasonMissing('leshan'));
    const port = await freeUdpPort();
    nodeRed = await startNodeRed({ flow: [] });
    file = path.join(nodeRed.dir, 'lines.txt');
    await nodeRed.deploy('full', () => flow(port, file));
    recorder = await UdpRecorder.open(port);
    peer = await startLeshan({ port: recorder.port, endpoint: ENDPOINT, queueMode: true });
    await peer.waitFor('registered');
  });

  after(async () => {
    await peer?.stop();
    recorder?.close();
    await nodeRed?.stop();
  });

  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return;
    console.error(`--- leshan ---\n${peer?.log().slice(-2000)}\n--- Node-RED ---\n${nodeRed?.log().slice(-3000)}`);
  });

  /**
   * Commands are given while the device sleeps, before, between and after what happens to Node-RED; one expires meanwhile, one is
   * replaced. It happens once more when the device has heard half of the others and its radio goes off again. Of every command there is
   * one result in the end, and the device got each that is done once, in order.
   */
  async function survives(happens: () => Promise<void>, times: number): Promise<void> {
    await asleep();
    const [begin, from, told] = [recorder!.passed.length, peer!.events.seen.length, (await lines()).length];
    const unheard = recorder!.unheard.length;
    const given: string[] = [];
    const expected: number[] = [];
    const more = async (...commands: readonly string[]): Promise<void> => {
      const first = next;
      next += 3;
      expected.push(first, first + 1, first + 2);
      const all = [...commands, write(first), write(first + 1), write(first + 2)];
      given.push(...all);
      await give(all);
    };
    const [older, newer, short] = [offset(1), offset(2), 'Read {"id":"/3/0/1","ttl":100}'];
    await more(older, short);
    for (let count = 0; count < times; count += 1) {
      await happens();
      await more();
    }
    await more(newer);
    await until('one has expired, one is replaced', async () => (await answers(told)).length === 2);
    assert.equal(recorder!.unheard.length, unheard, 'nothing was sent to a device that sleeps');

    // The answer to its Update, and half of the commands.
    wake(1 + Math.floor(given.length / 2));
    await until('the next one is not heard', () => Promise.resolve(recorder!.unheard.length > unheard));
    await happens();
    await asleep();
    wake();
    await until('each has a result', async () => (await answers(told)).length >= given.length);

    const ended = await answers(told);
    const results = new Map(ended.map(({ command, payload }) => [command, payload.result]));
    const ends = (command: string): string => (command === older ? 'CANCELLED' : command === short ? 'EXPIRED' : 'CHANGED');
    assert.deepEqual(
      given.map((command) => [command, results.get(command)]),
      given.map((command) => [command, ends(command)]),
    );
    assert.equal(ended.length, given.length, 'one result each');
    const done = ended.filter(({ payload }) => payload.result === 'CHANGED').map(({ command }) => command);
    assert.deepEqual(
      done,
      given.filter((command) => ends(command) === 'CHANGED'),
      'in order',
    );
    assert.deepEqual(sent(begin), expected, 'heard in order, and once');
    assert.deepEqual(written(from), expected, 'and done so');
    assert.equal((await lines()).filter(({ event }) => event === 'registered').length, 1, 'nobody registered anew');
  }

  for (const type of ['full', 'reload'] as const) {
    it(`${DEPLOYS} times ${type === 'full' ? 'Full Deploy' : 'Restart Flows'}, and one when half of them is done`, () =>
      survives(async () => nodeRed?.deploy(type), DEPLOYS));
  }

  it('one restart of the process, and one when half of them is done', () => survives(async () => nodeRed?.restart(), 1));

  it(`${KILLS} times kill -9, and one when half of them is done`, () =>
    survives(async () => {
      // What is not older than a second may not be in the store yet.
      await sleep(1_500);
      await nodeRed?.restart('SIGKILL');
    }, KILLS));
});
