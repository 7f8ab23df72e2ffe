import assert from 'node:assert/strict';
import { generateEphemeral } from '../../../lib/dtls/crypto/ecdh';
import { createJobs } from '../../../lib/dtls/jobs';
import { DtlsTransport } from '../../../lib/dtls/transport';
import type { DtlsJobResult } from '../../../lib/dtls/types';
import { createRealClock } from '../../../lib/transport/clock';
import { Driver } from '../../../lib/transport/driver';
import type { Peer, TransportSink } from '../../../lib/transport/types';
import { ScriptedClient } from '../../support/dtls/client';
import { P256 } from '../../support/dtls/fixed-keys';
import { createDtlsGround, IDENTITY, KEY } from '../../support/dtls/ground';
import * as wire from '../../support/dtls/wire';

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));
const never = (error: unknown): void => {
  throw error;
};
/** As `lib/dtls/jobs.ts` has it. */
const MAX_WAITING = 1_000;

describe('DTLS: traps of implementations', () => {
  it('[DTLS-310] shared secrets are made one a turn of the loop, and only so many wait', async () => {
    const jobs = createJobs({ keys: { psk: () => undefined }, onError: never });
    const own = await generateEphemeral(23);
    const results: DtlsJobResult[] = [];
    for (let index = 0; index <= MAX_WAITING; index += 1) {
      jobs.run({ kind: 'agree', own, point: own.point }, (result) => results.push(result));
    }
    assert.equal(results.length, 0, 'nothing was done within the call');
    await Promise.resolve();
    assert.deepEqual(
      results.map(({ kind }) => kind),
      ['failed'],
      'the one too many',
    );
    for (let turns = 1; turns <= 3; turns += 1) {
      await turn();
      assert.equal(results.length, 1 + turns);
    }
    assert.equal(results.at(-1)?.kind, 'agree');
  });

  it('[DTLS-310] signatures are made and verified aside, and only so many at a time', async () => {
    const jobs = createJobs({ keys: { psk: () => undefined }, onError: never });
    const results: DtlsJobResult[] = [];
    const job = { kind: 'sign', scheme: 0x0403, key: P256.privateKey, data: Buffer.from('to be signed') } as const;
    for (let index = 0; index <= MAX_WAITING; index += 1) jobs.run(job, (result) => results.push(result));
    assert.equal(results.length, 0, 'nothing was done within the call');
    await Promise.resolve();
    assert.deepEqual(
      results.map(({ kind }) => kind),
      ['failed'],
    );
    const until = async (count: number): Promise<void> => {
      while (results.length < count) await turn();
    };
    await until(MAX_WAITING + 1);
    assert.equal(results.filter(({ kind }) => kind === 'sign').length, MAX_WAITING);
    jobs.run(job, (result) => results.push(result));
    await until(MAX_WAITING + 2);
    assert.equal(results.at(-1)?.kind, 'sign', 'there is room again');
  });

  it('[DTLS-311] an error of our own ends the handshake it happens in, is counted, and goes no further', () => {
    const ground = createDtlsGround({ holdJobs: true });
    const client = new ScriptedClient({ ground }).greet();
    client.send(client.keyExchange());
    const [job] = ground.jobs;
    // No key store gives this; whatever a job brings must not reach the socket.
    ground.core.done(job!.id, { kind: 'psk', key: 7 as never }, ground.now);
    assert.equal(ground.core.counters.internalErrors, 1);
    assert.equal(ground.of('failed').at(-1)?.reason, 'internal');
    assert.deepEqual(ground.core.sizes(), { sessions: 0, handshakes: 0, reassemblyBytes: 0 });
  });

  it('[DTLS-311] what is thrown above the transport does not reach the socket below, and the session goes on', async () => {
    const errors: unknown[] = [];
    const received: string[] = [];
    const boom = new Error('boom');
    const quiet: TransportSink = { receive: () => undefined, gone: () => undefined };
    const open = (sink: TransportSink, onError: (error: unknown) => void): DtlsTransport =>
      new DtlsTransport({
        driver: new Driver({ clock: createRealClock(), onError }),
        keys: { psk: (identity) => (IDENTITY.equals(identity) ? KEY : undefined) },
        sink,
        onError,
      });
    const server = open(
      {
        receive: (data) => {
          received.push(data.toString());
          if (received.length === 1) throw boom;
        },
        gone: () => undefined,
      },
      (error) => void errors.push(error),
    );
    const device = open(quiet, never);
    const none = { scheme: 'coap', mode: 'none', name: '' } as const;
    const up: Peer = {
      ...{ key: 'up', address: '192.0.2.1', port: 5684, identity: none },
      transport: { maxMessage: 1152, send: (data) => queueMicrotask(() => server.receive(Buffer.from(data), down)) },
    };
    const down: Peer = {
      ...{ key: 'down', address: '198.51.100.1', port: 1, identity: none },
      transport: { maxMessage: 1152, send: (data) => queueMicrotask(() => device.receive(Buffer.from(data), up)) },
    };
    const peer = await device.connect(up, { identity: IDENTITY, key: KEY });
    for (const text of ['one', 'two']) device.send(Buffer.from(text), peer);
    await turn();
    assert.deepEqual([received, errors], [['one', 'two'], [boom]]);
    server.stop();
    device.stop();
  });

  it('[DTLS-312] a connection ID of the client that was not agreed on is not used', () => {
    const ground = createDtlsGround({ limits: { cid: 0 } });
    const client = new ScriptedClient({ ground, cid: Buffer.from('c1d0', 'hex') }).connect();
    assert.equal(client.hello?.extensions.has(54), false);
    ground.core.send(Buffer.from('plain'), ground.peer(), ground.now);
    assert.equal(ground.sent.at(-1)?.data[0], wire.DATA);
    client.take(ground.sent.at(-1)!.data);
    assert.equal(client.data.at(-1)?.toString(), 'plain');
  });

  it('[DTLS-313] nothing that is kept of a datagram is a view on it', () => {
    const ground = createDtlsGround({ holdJobs: true });
    const client = new ScriptedClient({ ground });
    const receive = (...parts: Buffer[]): void => {
      const datagram = Buffer.concat(parts);
      ground.core.receive(datagram, client.from, ground.now);
      datagram.fill(0xff);
    };
    client.send(client.helloRecord());
    const before = ground.sent.length;
    receive(client.helloRecord());
    for (const { data } of ground.sent.slice(before)) client.take(data);
    const keyExchange = client.keyExchange();
    // Before the keys are there: kept until then.
    receive(client.ccs(), client.finished());
    receive(keyExchange);
    ground.work();
    assert.equal(ground.of('established').length, 1);
    client.take(ground.sent.at(-1)!.data);
    assert.equal(client.serverFinished, 'right');
  });

  it('[DTLS-314] what was left of epoch 0 is let go when the keys are there', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground }).greet();
    const piece = wire.handshake(20, 3, Buffer.alloc(12), { data: Buffer.alloc(5) });
    client.send(client.plain(wire.HANDSHAKE, piece));
    assert.ok(ground.core.sizes().reassemblyBytes > 0);
    client.send(client.keyExchange());
    assert.equal(ground.core.sizes().reassemblyBytes, 0);
    client.send(client.ccs(), client.finished());
    assert.equal(ground.of('established').length, 1);
  });
});
