import assert from 'node:assert/strict';
import type { Operation } from '../../../lib/server/types';
import * as coap from '../../support/coap-message';
import { at, answered, closeAll, createWorld, failed, observe, perform, read, ScriptedPeer } from './fixture';
import type { GroundOptions } from '../../support/ground';

function world(options: GroundOptions = {}) {
  const ground = createWorld(options);
  const peer = new ScriptedPeer(ground);
  peer.register({ query: ['lt=0'] });
  return { ground, peer };
}

describe('operations that fail', () => {
  afterEach(closeAll);

  it('[SRV-090] with UNKNOWN_ENDPOINT for a device that is not registered', async () => {
    const { ground } = world();
    for (const endpoint of ['nobody', '', '__proto__', 'DEV']) {
      const result = failed(await ground.server.perform(endpoint, read(3)));
      assert.equal(result.code, 'UNKNOWN_ENDPOINT');
      assert.ok(result.error.includes(`"${endpoint}"`));
      assert.equal('registration' in result, false);
    }
  });

  for (const [what, request, told] of [
    ['registers anew', {}, /registered anew/],
    ['de-registers', { code: '0.04' }, /de-registered/],
  ] as const) {
    it(`[SRV-139] with CANCELLED when the device ${what}, also those that wait for their turn`, async () => {
      const { ground } = world();
      const peer = new ScriptedPeer(ground, { address: '192.0.2.77', port: 7 });
      const id = peer.register({ endpoint: 'other', query: ['lt=0'] });
      const results = [ground.server.perform('other', read(3, 0, 9)), ground.server.perform('other', read(3, 0, 0))];
      peer.tick();
      peer.takeRequest();
      if (what === 'registers anew') peer.register({ endpoint: 'other', query: ['lt=0'] });
      else peer.ask({ ...request, path: `/rd/${id}` });
      for (const result of await Promise.all(results)) {
        assert.equal(failed(result).code, 'CANCELLED');
        assert.match(failed(result).error, told);
      }
      ground.clock.advance(100_000);
      peer.quiet();
      assert.equal(ground.server.counters().pendingOperations, 0);
    });
  }

  it('[SRV-091] with TIMEOUT_NO_ACK when nothing comes back after four retransmissions', async () => {
    const { ground, peer } = world({ timeout: 1_000_000 });
    const start = ground.clock.now();
    const promise = ground.server.perform('dev', read(3, 0, 9));
    ground.clock.advance(100_000);
    const result = failed(await promise);
    assert.equal(result.code, 'TIMEOUT_NO_ACK');
    assert.match(result.error, /^Read \/3\/0\/9 of "dev": /);
    assert.equal(result.registration?.endpoint, 'dev');
    assert.equal(peer.inbox.length, 5);
    assert.deepEqual(new Set(peer.inbox.map(({ mid }) => mid)).size, 1);
    assert.ok(ground.clock.now() - start <= 100_000);
    assert.ok(ground.server.registration('dev'), 'the device stays registered');
  });

  for (const [what, settings, options, due] of [
    ['the server', { timeout: 3_000 }, {}, 3_000],
    ['the device', { timeout: 3_000, devices: [{ endpoint: 'dev', mode: 'none', timeout: 1_500 }] }, {}, 1_500],
    ['the call', { timeout: 3_000, devices: [{ endpoint: 'dev', mode: 'none', timeout: 1_500 }] }, { timeout: 700 }, 700],
  ] as const) {
    it(`[SRV-092] after the time of ${what}: ${due} ms`, async () => {
      const { ground } = world(settings);
      let code = '';
      const promise = ground.server.perform('dev', read(3, 0, 9), options).then((result) => (code = failed(result).code));
      await ground.clock.elapse(due - 1);
      assert.equal(code, '');
      await ground.clock.elapse(1);
      await promise;
      assert.equal(code, 'TIMEOUT_NO_ACK');
    });
  }

  it('[SRV-093] with TIMEOUT_NO_RESPONSE when the request is acknowledged and never answered', async () => {
    const { ground, peer } = world({ timeout: 20_000 });
    const promise = ground.server.perform('dev', { kind: 'Execute', path: at(3, 0, 4) });
    peer.tick();
    peer.acknowledge(peer.takeRequest());
    ground.clock.advance(20_000);
    assert.equal(failed(await promise).code, 'TIMEOUT_NO_RESPONSE');
    peer.quiet();
  });

  it('[SRV-094] with RESET when the device answers with a Reset', async () => {
    const { ground, peer } = world();
    const promise = ground.server.perform('dev', read(3, 0, 9));
    peer.tick();
    peer.reset(peer.takeRequest());
    assert.equal(failed(await promise).code, 'RESET');
  });

  it('[SRV-095] with BUSY when too many wait for the device already', async () => {
    const { ground, peer } = world({ params: { maxQueue: 2 } });
    const promises = [0, 1, 2, 3].map((id) => ground.server.perform('dev', read(3, 0, id)));
    peer.tick();
    assert.equal(failed(await promises[3]!).code, 'BUSY');
    for (let round = 0; round < 3; round++) peer.answer(peer.takeRequest(), '2.05', { payload: '1' });
    for (const promise of promises.slice(0, 3)) assert.equal(answered(await promise).ok, true);
  });

  it('[SRV-096] with UNREACHABLE when the route is gone', async () => {
    const { ground, peer } = world();
    const promise = ground.server.perform('dev', read(3, 0, 9));
    peer.tick();
    ground.transport.drop(peer.host.address, peer.host.port, 'port unreachable');
    assert.equal(failed(await promise).code, 'UNREACHABLE');
  });

  it('[SRV-097] with BAD_RESPONSE when the answer breaks CoAP', async () => {
    const { ground, peer } = world();
    const { result } = await perform(ground, peer, {
      operation: read(3, 0, 9),
      answer: { payload: '5', options: [{ number: 65_001, value: Buffer.from('x') }] },
    });
    assert.equal(failed(result).code, 'BAD_RESPONSE');
  });

  it('[SRV-097] with TOO_LARGE when the answer is larger than the limit', async () => {
    const { ground, peer } = world({ params: { maxBody: 100 } });
    const { result } = await perform(ground, peer, {
      operation: read(3, 0, 0),
      answer: { payload: 'x'.repeat(1024), options: [coap.blockOption(coap.OptionNumber.Block2, { num: 0, more: true, size: 1024 })] },
    });
    assert.equal(failed(result).code, 'TOO_LARGE');
  });

  it('[SRV-098] with CLOSED when the server closes, all of them, at once and once', async () => {
    const { ground, peer } = world();
    const promises = [0, 1, 2].map((id) => ground.server.perform('dev', read(3, 0, id)));
    peer.tick();
    const request = peer.takeRequest();
    ground.server.close();
    for (const promise of promises) assert.equal(failed(await promise).code, 'CLOSED');
    peer.answer(request, '2.05', { payload: 'late' });
    ground.clock.advance(200_000);
    peer.quiet();
    assert.equal(ground.server.counters().pendingOperations, 0);
    assert.equal(ground.endpoint.sizes().exchanges, 0);
  });

  it('[SRV-098] with CLOSED when the endpoint below closes', async () => {
    const { ground, peer } = world();
    const promise = ground.server.perform('dev', read(3, 0, 9));
    peer.tick();
    ground.endpoint.close();
    assert.equal(failed(await promise).code, 'CLOSED');
  });

  it('[SRV-099] never reject, whatever they are asked', async () => {
    const { ground } = world();
    const strange = [
      { kind: 'Read', path: { ids: [Number.NaN] } },
      { kind: 'Nonsense', path: at(3) },
      { kind: 'Read' },
      undefined,
    ] as unknown as Operation[];
    for (const operation of strange) {
      const promise = ground.server.perform('dev', operation, { timeout: 10 });
      ground.clock.advance(20);
      assert.equal((await promise).kind, 'failed');
    }
    assert.equal(ground.server.counters().pendingOperations, 0);
    // Such operations are mistakes of the program, and are reported as such.
    ground.errors.length = 0;
  });

  it('[SRV-099] without harm to what is observed', async () => {
    const { ground, peer } = world({ timeout: 1_000 });
    await perform(ground, peer, { operation: observe(3, 0, 9), answer: { payload: '1', observe: 1 } });
    const promise = ground.server.perform('dev', read(3, 0, 9));
    ground.clock.advance(1_000);
    assert.equal(failed(await promise).code, 'TIMEOUT_NO_ACK');
    assert.equal(ground.server.observations('dev').length, 1);
  });
});
