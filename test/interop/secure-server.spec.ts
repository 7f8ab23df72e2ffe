import assert from 'node:assert/strict';
import { createLwm2mServer, type Lwm2mServer, type ServerEvent } from '../../lib/index';
import { EventLog } from './event-log';
import { reasonMissing, startLeshan, startWakaamaFork, type Peer } from './peers';
import { openNat, type Nat } from './secure-ground';
import { skipWithout } from './suite';

const KEY = '73656372657450534b73656372657450';
const level = { ids: [3, 0, 9] };

describe('the whole server over DTLS, with its table of devices', () => {
  let server: Lwm2mServer | undefined;
  let peer: Peer | undefined;
  let nat: Nat | undefined;
  let events: EventLog<ServerEvent>;

  async function start(endpoint: string): Promise<Lwm2mServer> {
    const devices = [{ endpoint, mode: 'psk' as const, identity: 'the-identity', key: KEY }];
    server = createLwm2mServer({ port: 0, securePort: 0, host: '127.0.0.1', devices });
    events = new EventLog<ServerEvent>();
    server.subscribe((event) => events.push(event));
    await server.start();
    return server;
  }

  afterEach(async function () {
    if (this.currentTest?.state === 'failed') console.error(peer?.log().slice(-4_000));
    await peer?.stop();
    await nat?.close();
    await server?.close();
    server = peer = nat = undefined;
  });

  const psk = { identity: 'the-identity', key: KEY };
  const notified = (value: number, from: number): Promise<unknown> =>
    events.waitFor(
      (event) => event.kind === 'notification' && event.nodes.some((node) => 'value' in node && Number(node.value) === value),
      `notification of ${value}`,
      { from },
    );

  it('the Wakaama fork with its old tinydtls registers, is read and observed', async function () {
    skipWithout(this, 'wakaama', reasonMissing('wakaama'));
    const running = await start('fork');
    peer = await startWakaamaFork({ port: running.securePort, endpoint: 'fork', psk });
    await peer.waitFor('registered');
    await events.waitFor(({ kind }) => kind === 'registered', 'registered');
    const read = await running.perform('fork', { kind: 'Read', path: level });
    assert.ok(read.kind === 'answer' && read.ok);
    await running.perform('fork', { kind: 'Observe', path: level });
    const from = events.seen.length;
    peer.command('set /3/0/9 55');
    await notified(55, from);
  });

  it('Leshan may not register under a name that is not that of its identity', async function () {
    skipWithout(this, 'leshan', reasonMissing('leshan'));
    const running = await start('mine');
    peer = await startLeshan({ port: running.securePort, endpoint: 'not-mine', psk });
    const refused = await events.waitFor(({ kind }) => kind === 'refused', 'refused');
    assert.ok(refused.kind === 'refused' && refused.code === '4.03' && refused.endpoint === 'not-mine');
    assert.equal(running.size, 0);
  });

  it('Leshan changes its port in the middle of an observation: its registration follows, without a handshake', async function () {
    skipWithout(this, 'leshan', reasonMissing('leshan'));
    const running = await start('moving');
    nat = await openNat(running.securePort);
    peer = await startLeshan({ port: nat.port, endpoint: 'moving', psk, cid: 6 });
    await events.waitFor(({ kind }) => kind === 'registered', 'registered');
    await running.perform('moving', { kind: 'Observe', path: level });
    for (const value of [61, 62]) {
      await nat.rebind();
      const from = events.seen.length;
      peer.command(`set /3/0/9 ${value}`);
      await notified(value, from);
      const read = await running.perform('moving', { kind: 'Read', path: level });
      assert.ok(read.kind === 'answer' && read.ok);
    }
    assert.equal(events.seen.filter(({ kind }) => kind === 'address-changed').length, 2);
    const { dtlsHandshakesCompleted, dtlsMoves } = running.stats();
    assert.deepEqual([dtlsHandshakesCompleted, dtlsMoves], [1, 2]);
  });
});
