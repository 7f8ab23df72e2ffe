import assert from 'node:assert/strict';
import { parsePath } from '../../lib/lwm2m/path';
import type { Path } from '../../lib/lwm2m/types';
import type { Operation } from '../../lib/server/types';
import type { LeshanOptions, Peer } from './peers';
import { reasonMissing, startLeshan, startWakaamaFork } from './peers';
import type { Nat, SecureGround } from './secure-ground';
import { IDENTITY, KEY, openNat, openSecureGround } from './secure-ground';
import { skipWithout } from './suite';

const psk = { identity: IDENTITY, key: KEY.toString('hex') };
const level: Path = parsePath('/3/0/9');

async function valueOf(ground: SecureGround, endpoint: string, operation: Operation): Promise<unknown> {
  const result = await ground.server.perform(endpoint, operation);
  assert.ok(result.kind === 'answer' && result.ok, JSON.stringify(result));
  const [node] = result.nodes ?? [];
  return node && 'value' in node ? node.value : undefined;
}

/** Waits for a notification with this value of /3/0/9. */
const notified = (ground: SecureGround, value: number, from: number): Promise<unknown> =>
  ground.events.waitFor(
    (event) => event.kind === 'notification' && event.nodes.some((node) => 'value' in node && Number(node.value) === value),
    `notification of ${value}`,
    { from },
  );

describe('LwM2M over DTLS: Eclipse Leshan', () => {
  let ground: SecureGround;
  let nat: Nat | undefined;
  let peer: Peer | undefined;

  before(function () {
    skipWithout(this, 'leshan', reasonMissing('leshan'));
  });

  afterEach(async function () {
    if (this.currentTest?.state === 'failed') console.error(peer?.log().slice(-4_000));
    await peer?.stop();
    await nat?.close();
    await ground.close();
    [nat, peer] = [undefined, undefined];
    assert.deepEqual([ground.errors, ground.secure.counters.internalErrors], [[], 0]);
  });

  async function registered(endpoint: string, options: Partial<LeshanOptions>, through = ground.port): Promise<void> {
    peer = await startLeshan({ port: through, endpoint, psk, ...options });
    await peer.waitFor('registered');
    await ground.events.waitFor(({ kind }) => kind === 'registered', 'registered');
  }

  for (const suite of [
    'TLS_PSK_WITH_AES_128_CCM_8',
    'TLS_PSK_WITH_AES_128_CCM',
    'TLS_PSK_WITH_AES_128_GCM_SHA256',
    'TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256',
    'TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256',
    'TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256',
    'TLS_PSK_WITH_AES_128_CBC_SHA256',
    'TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256',
  ]) {
    it(`registers with ${suite}, and is read`, async () => {
      ground = await openSecureGround();
      const cid = suite.includes('GCM') ? {} : { cid: 4 };
      await registered('leshan-suite', { cipherSuites: [suite], ...cid });
      assert.equal(await valueOf(ground, 'leshan-suite', { kind: 'Read', path: level }), 100);
      const established = ground.reports.seen.find((report) => report.kind === 'established');
      assert.ok(established?.kind === 'established');
      assert.deepEqual([established.suite, established.cid], [suite, true]);
      assert.deepEqual(established.peer.identity, { scheme: 'coaps', mode: 'psk', name: IDENTITY });
    });
  }

  it('with connection IDs: its port changes while it is observed, and notifications, reads and updates go on', async () => {
    ground = await openSecureGround();
    nat = await openNat(ground.port);
    await registered('leshan-moving', { cid: 6 }, nat.port);
    assert.equal(await valueOf(ground, 'leshan-moving', { kind: 'Observe', path: level }), 100);
    for (const value of [61, 62, 63]) {
      await nat.rebind();
      const from = ground.events.seen.length;
      peer?.command(`set /3/0/9 ${value}`);
      await notified(ground, value, from);
      assert.equal(Number(await valueOf(ground, 'leshan-moving', { kind: 'Read', path: level })), value);
    }
    await nat.rebind();
    peer?.command('update');
    await peer?.waitFor('updated');
    assert.equal(ground.secure.counters.handshakesCompleted, 1);
    assert.equal(ground.secure.counters.moves, 4);
    assert.equal(ground.secure.sizes().sessions, 1);
  });

  it('with connection IDs behind a NAT that changes its port every two datagrams: no new handshake, nothing lost', async () => {
    ground = await openSecureGround();
    nat = await openNat(ground.port);
    await registered('leshan-nat', {}, nat.port);
    await valueOf(ground, 'leshan-nat', { kind: 'Observe', path: level });
    nat.everyNth = 2;
    for (let value = 20; value < 40; value += 1) {
      const from = ground.events.seen.length;
      peer?.command(`set /3/0/9 ${value}`);
      await notified(ground, value, from);
      if (value % 4 === 0) assert.equal(Number(await valueOf(ground, 'leshan-nat', { kind: 'Read', path: level })), value);
    }
    nat.everyNth = 0;
    assert.ok(nat.rebinds >= 10, `${nat.rebinds} changes`);
    assert.equal(ground.secure.counters.handshakesCompleted, 1);
  });

  it('with a wrong key it does not register, and the reason is told', async () => {
    ground = await openSecureGround({ limits: { wrongKeyGrace: 500 } });
    peer = await startLeshan({ port: ground.port, endpoint: 'leshan-wrong', psk: { identity: IDENTITY, key: '00' } });
    const failed = await ground.reports.waitFor(({ kind }) => kind === 'failed', 'failed');
    assert.equal(failed.kind === 'failed' && failed.reason, 'wrong-key');
    assert.equal(ground.server.registrations().length, 0);
  });

  it('begins anew: the new session takes the place of the old one', async () => {
    ground = await openSecureGround();
    await registered('leshan-again', { cid: 6 });
    await peer?.stop();
    await registered('leshan-again', { cid: 6 });
    assert.equal(ground.secure.sizes().sessions, 1);
  });
});

describe('LwM2M over DTLS: the Wakaama fork and its old tinydtls', () => {
  let ground: SecureGround;
  let peer: Peer | undefined;

  before(function () {
    skipWithout(this, 'wakaama', reasonMissing('wakaama'));
  });

  afterEach(async function () {
    if (this.currentTest?.state === 'failed') console.error(peer?.log().slice(-4_000));
    await peer?.stop();
    await ground.close();
    assert.deepEqual([ground.errors, ground.secure.counters.internalErrors], [[], 0]);
  });

  it('registers, is read and observed', async () => {
    ground = await openSecureGround();
    peer = await startWakaamaFork({ port: ground.port, endpoint: 'fork', psk });
    await peer.waitFor('registered');
    await ground.events.waitFor(({ kind }) => kind === 'registered', 'registered');
    assert.equal(Number(await valueOf(ground, 'fork', { kind: 'Read', path: level })), 88);
    await valueOf(ground, 'fork', { kind: 'Observe', path: level });
    const from = ground.events.seen.length;
    peer.command('set /3/0/9 55');
    await notified(ground, 55, from);
    const established = ground.reports.seen.find((report) => report.kind === 'established');
    assert.ok(established?.kind === 'established');
    assert.deepEqual([established.suite, established.extendedMasterSecret], ['TLS_PSK_WITH_AES_128_CCM_8', false]);
  });
});
