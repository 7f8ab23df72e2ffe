import assert from 'node:assert/strict';
import type { Peer } from '../../lib/transport/types';
import { createDtlsGround } from '../support/dtls/ground';
import { liveHeap } from '../support/fuzz';

const SESSIONS = 10_000;
const ROUNDS = 2;
const SUITE = 'TLS_PSK_WITH_AES_128_CCM_8';
/** Of both ends and of the routes of the test, bytes a session; measured: 5,700. */
const CEILING = 9_000;

describe(`DTLS: ${SESSIONS} sessions at a time, over and over`, () => {
  it('[DTLS-293] each costs little, all carry data, and what ended leaves nothing behind', () => {
    const limits = { sourceRate: 0, totalRate: 0 };
    const names = Array.from({ length: SESSIONS }, (_, index) => `device ${index}`);
    const keys = new Map(names.map((name) => [name, Buffer.alloc(16, 7)]));
    const server = createDtlsGround({ keys, limits, suites: [SUITE] });
    const devices = createDtlsGround({ limits, suites: [SUITE], seed: 2 });
    let port = 0;
    // A port each, which both ends know it by.
    const wire: (() => void)[] = [];
    server.onSend = (data, to) => void wire.push(() => devices.receive(data, devices.route('192.0.2.1', to.port)));
    devices.onSend = (data, to) => void wire.push(() => server.receive(data, server.route('192.0.2.2', to.port)));
    const deliver = (): void => {
      for (let next = wire.shift(); next; next = wire.shift()) next();
    };
    const clear = (): void => {
      for (const ground of [server, devices])
        for (const list of [ground.sent, ground.received, ground.reports, ground.keyLog]) list.length = 0;
    };
    const round = (): Peer[] =>
      names.map((name) => {
        port += 1;
        devices.core.connect(devices.route('192.0.2.1', port), { identity: Buffer.from(name), key: keys.get(name)! }, devices.now);
        deliver();
        const peer = devices.peer();
        devices.core.send(Buffer.from(name), peer, devices.now);
        deliver();
        assert.equal(server.received.at(-1)?.data.toString(), name);
        const there = server.received.at(-1)!.peer;
        server.core.send(Buffer.from('and back'), there, server.now);
        deliver();
        assert.equal(devices.received.at(-1)?.peer, peer);
        clear();
        return peer;
      });
    const before = liveHeap();
    let first = 0;
    for (let index = 0; index < ROUNDS; index += 1) {
      // The devices come back from other ports: each session takes the place of the one before.
      round();
      assert.deepEqual(server.core.sizes(), { sessions: SESSIONS, handshakes: 0, reassemblyBytes: 0 });
      const each = (liveHeap() - before) / SESSIONS;
      if (index === 0) first = each;
      // The routes of the test stay, and so do used hellos for as long as their cookies live.
      assert.ok(
        each < CEILING + index * 1_500,
        `${Math.round(each)} bytes a session after round ${index + 1}, ${Math.round(first)} after the first`,
      );
      for (const ground of [server, devices]) ground.advance(200_000);
    }
    for (const peer of server.core.sessions()) server.core.close(peer, server.now);
    deliver();
    clear();
    assert.deepEqual([server.core.sizes().sessions, devices.core.sizes().sessions], [0, 0]);
    const left = (liveHeap() - before) / (SESSIONS * ROUNDS);
    assert.ok(left < 2_000, `${Math.round(left)} bytes a session are left`);
    assert.equal(server.core.counters.internalErrors, 0);
  }).timeout(300_000);
});
