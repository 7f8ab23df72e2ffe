import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { createLwm2mServer } from '../../lib/index';
import { liveHeap } from '../support/fuzz';

const DEVICES = 200;
const PER_SECOND = 2_000;
/** Seconds of load: `LOAD_SECONDS` of the environment; 30 is the full measure. */
const SECONDS = Number(process.env['LOAD_SECONDS'] ?? 5);
/** The flows stand still for so many ms of every second. */
const BLOCKED = 200;
/** Growth that is not a leak, bytes. */
const SLACK = 8 * 1024 * 1024;

interface Told {
  readonly kind: string;
  readonly sent: number;
  readonly acknowledged: number;
  readonly givenUp: number;
  readonly last: Readonly<Record<string, number>>;
}

describe(`${PER_SECOND} notifications a second for ${SECONDS} s, while a flow blocks the loop for ${BLOCKED} ms of every second`, function () {
  this.timeout(60_000 + SECONDS * 5_000);

  it('[SRV-208] lose nothing: every acknowledged value is told, or counted as joined, in order, and memory is as before', async () => {
    const server = createLwm2mServer({ port: 0, host: '127.0.0.1', unknownDevices: 'accept-without-security' });
    await server.start();
    const worker = new Worker(path.join(__dirname, '../support/notifier.cjs'), {
      workerData: { port: server.port, devices: DEVICES, perSecond: PER_SECOND, seconds: SECONDS },
    });
    const next = async (kind: string): Promise<Told> => {
      for (;;) {
        const [message] = (await once(worker, 'message')) as [Told];
        if (message.kind === kind) return message;
      }
    };
    const values = new Map<string, number>();
    let told = 0;
    let joined = 0;
    let disorder = 0;
    server.subscribe((event) => {
      if (event.kind !== 'notification') return;
      told += 1;
      joined += event.coalesced ?? 0;
      const value = Number(event.nodes[0]?.value);
      if (value <= (values.get(event.registration.endpoint) ?? 0)) disorder += 1;
      values.set(event.registration.endpoint, value);
    });
    let blocking: NodeJS.Timeout | undefined;
    try {
      await next('registered');
      const all = next('observed');
      for (const { endpoint } of server.registrations()) {
        const result = await server.perform(endpoint, { kind: 'Observe', path: { ids: [3303, 0, 5700] } });
        assert.equal(result.kind, 'answer');
      }
      await all;
      const before = liveHeap();
      blocking = setInterval(() => {
        const until = performance.now() + BLOCKED;
        while (performance.now() < until);
      }, 1000);
      worker.postMessage('run');
      const { sent, acknowledged, givenUp, last } = await next('done');
      clearInterval(blocking);
      while (server.stats().waitingEvents > 0) await new Promise((turn) => setImmediate(turn));
      const { staleNotifications, coalescedNotifications, eventsLost, internalErrors } = server.stats();
      assert.ok(sent >= PER_SECOND * SECONDS * 0.9, `${sent} were sent`);
      assert.equal(givenUp, 0);
      assert.equal(acknowledged, sent);
      assert.equal(told + joined + staleNotifications, sent, `${told} told, ${joined} joined, ${staleNotifications} overtaken`);
      assert.equal(coalescedNotifications, joined);
      assert.deepEqual([eventsLost, internalErrors, disorder], [0, 0, 0]);
      assert.deepEqual(Object.fromEntries(values), last, 'the last value of every device');
      assert.ok(liveHeap() - before < SLACK);
    } finally {
      clearInterval(blocking);
      worker.postMessage('close');
      await worker.terminate();
      await server.close();
    }
  });
});
