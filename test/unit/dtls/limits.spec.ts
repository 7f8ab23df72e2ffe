import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { completeLimits, DEFAULT_LIMITS } from '../../../lib/dtls/limits';
import { Buckets, network } from '../../../lib/transport/rates';
import { ScriptedClient } from '../../support/dtls/client';
import { createDtlsGround } from '../../support/dtls/ground';
import * as wire from '../../support/dtls/wire';

const NONE = Buffer.alloc(0);
const manyKeys = (count: number): Map<string, Buffer> =>
  new Map(Array.from({ length: count }, (_, index) => [`device ${index}`, Buffer.alloc(16, index + 1)]));

describe('DTLS: limits', () => {
  it('[DTLS-120] a flood of hellos without cookies leaves nothing behind, and a client gets through during it', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground });
    const flood = (from: number): void => {
      for (let index = from; index < from + 2_000; index += 1) {
        const stranger = ground.route(`10.0.${index >> 8}.${index & 255}`, 1_024 + index);
        const random = wire.num(index, 32);
        ground.receive(wire.record(wire.HANDSHAKE, 0, 0, wire.handshake(1, 0, wire.clientHello({ random, suites: [0xc0a8] }))), stranger);
      }
    };
    flood(0);
    client.send(client.helloRecord());
    flood(2_000);
    client.send(client.helloRecord());
    flood(4_000);
    client.send(client.keyExchange(), client.ccs(), client.finished());
    assert.equal(client.serverFinished, 'right');
    assert.deepEqual(ground.core.sizes(), { sessions: 1, handshakes: 0, reassemblyBytes: 0 });
  });

  it('[DTLS-121] handshakes under way are capped: the oldest gives way, and a new client still gets through', () => {
    const ground = createDtlsGround({ limits: { maxHandshakes: 50, sourceRate: 0, totalRate: 0 } });
    for (let index = 0; index < 300; index += 1) {
      new ScriptedClient({ ground, from: ground.route(`10.1.${index >> 8}.${index & 255}`, 5_000), cid: NONE }).greet();
      assert.ok(ground.core.sizes().handshakes <= 50);
    }
    assert.equal(ground.core.counters.handshakesDisplaced, 250);
    assert.equal(new ScriptedClient({ ground }).connect().serverFinished, 'right');
    ground.advance(200_000);
    assert.equal(ground.core.sizes().handshakes, 0);
  });

  it('[DTLS-122] handshakes per second are limited for one source, its ports together, and for all', () => {
    const ground = createDtlsGround({ limits: { sourceRate: 1, sourceBurst: 5, totalRate: 10, totalBurst: 20 } });
    const attempt = (address: string, port: number): boolean =>
      new ScriptedClient({ ground, from: ground.route(address, port) }).greet().sawDone;
    const from = (address: string, count: number): number =>
      Array.from({ length: count }, (_, index) => attempt(address, 1_000 + index)).filter(Boolean).length;
    assert.equal(from('192.0.2.1', 20), 5);
    assert.equal(from('192.0.2.2', 20), 5, 'another source has its own');
    ground.advance(2_000);
    assert.equal(from('192.0.2.1', 20), 2);
    for (let index = 10; index < 40; index += 1) from(`192.0.2.${index}`, 5);
    const before = ground.core.counters.handshakesStarted;
    assert.equal(from('192.0.2.99', 5), 0, 'all together are used up');
    assert.equal(ground.core.counters.handshakesStarted, before);
    assert.ok(ground.core.counters.rateLimited > 0);
  });

  it('[DTLS-122] a /64 of IPv6 is one source', () => {
    assert.equal(network('192.0.2.1'), '192.0.2.1');
    assert.equal(network('2001:db8:1:2::1'), network('2001:db8:1:2:ffff:1:2:3'));
    assert.notEqual(network('2001:db8:1:2::1'), network('2001:db8:1:3::1'));
    assert.equal(network('2001:db8::1'), '2001:db8:0:0');
    assert.equal(network('::1'), '0:0:0:0');
  });

  it('[DTLS-122] a bucket fills again with time and remembers no more sources than it may', () => {
    const limit = new Buckets(10, 3);
    assert.deepEqual(
      [1, 2, 3, 4].map(() => limit.take('a', 0)),
      [true, true, true, false],
    );
    assert.deepEqual([limit.take('a', 99), limit.take('a', 100), limit.take('a', 100)], [false, true, false]);
    for (let index = 0; index < 200_000; index += 1) limit.take(String(index), 0);
    assert.equal(new Buckets(0, 0).take('x', 0), true);
  });

  it('[DTLS-123] sessions are capped: one silent for long gives way, otherwise the newcomer is turned away', () => {
    const keys = manyKeys(12);
    const ground = createDtlsGround({ keys, limits: { maxSessions: 10, staleAfter: 100_000 } });
    const open = (name: string): ScriptedClient => {
      const client = new ScriptedClient({ ground, identity: Buffer.from(name), key: keys.get(name)!, cid: NONE }).greet();
      client.send(client.keyExchange(), client.ccs(), client.finished());
      return client;
    };
    const clients = Array.from({ length: 10 }, (_, index) => open(`device ${index}`));
    ground.advance(70_000);
    const refused = open('device 10');
    assert.equal(ground.of('failed').at(-1)?.reason, 'no-room');
    assert.deepEqual(refused.alerts.at(-1), { level: 2, description: 80, protected: true });
    assert.equal(open('device 3').alerts.length, 0, 'a device that has one may have another instead');
    clients[0]!.say('I am not idle');
    ground.advance(70_000);
    open('device 11');
    assert.deepEqual(
      ground.of('ended').map(({ peer, reason }) => [peer.identity.name, reason]),
      [['device 1', 'evicted']],
    );
    assert.equal(ground.core.sizes().sessions, 10);
  });

  it('[DTLS-124] what is put together is bounded in size, in number and in all', () => {
    const ground = createDtlsGround({ limits: { maxMessage: 1_000, maxReassembly: 10_000, sourceRate: 0, totalRate: 0 } });
    const clients = Array.from({ length: 40 }, () => new ScriptedClient({ ground }).greet());
    for (const client of clients) {
      const piece = (seq: number, length: number, offset: number): Buffer =>
        client.plain(wire.HANDSHAKE, wire.handshake(16, seq, Buffer.alloc(0), { offset, data: Buffer.alloc(1), length }));
      ground.receive(piece(2, 16_777_215, 0), client.from);
      ground.receive(piece(2, 1_001, 0), client.from);
      for (let seq = 2; seq < 65_536; seq += 997) ground.receive(piece(seq, 900, 5), client.from);
      for (let seq = 2; seq < 20; seq += 1) ground.receive(piece(seq, 900, 5), client.from);
      assert.ok(ground.core.sizes().reassemblyBytes <= 10_000);
    }
    assert.ok(ground.core.counters.reassemblyRefused > 0);
    const before = ground.core.sizes().reassemblyBytes;
    const one = clients[0]!;
    for (let offset = 0; offset < 900; offset += 2) {
      ground.receive(
        one.plain(wire.HANDSHAKE, wire.handshake(16, 2, Buffer.alloc(0), { offset, data: Buffer.alloc(1), length: 900 })),
        one.from,
      );
    }
    for (let round = 0; round < 1_000; round += 1) {
      ground.receive(one.plain(wire.HANDSHAKE, wire.handshake(16, 5, Buffer.alloc(0), { offset: 0, data: NONE, length: 50 })), one.from);
    }
    assert.ok(ground.core.sizes().reassemblyBytes <= Math.max(before, 10_000));
    ground.advance(200_000);
    assert.deepEqual(ground.core.sizes(), { sessions: 0, handshakes: 0, reassemblyBytes: 0 });
  });

  it('[DTLS-124] one handshake keeps eight messages of the largest size at most', () => {
    const ground = createDtlsGround({ limits: { maxMessage: 1_000, maxReassembly: 1_000_000_000 } });
    const client = new ScriptedClient({ ground }).greet();
    for (const length of [1_001, 16_777_215, 1_000]) {
      for (let seq = 2; seq < 2_000; seq += 1) {
        ground.receive(
          client.plain(wire.HANDSHAKE, wire.handshake(16, seq, NONE, { offset: 5, data: Buffer.alloc(1), length })),
          client.from,
        );
      }
      assert.ok(ground.core.sizes().reassemblyBytes <= (length === 1_000 ? 8 * 1_200 : 0));
    }
  });

  it('[DTLS-124] a peer with a message that is too long is told so after a while, and so is a person', () => {
    const ground = createDtlsGround({ limits: { maxMessage: 1_000 } });
    const client = new ScriptedClient({ ground }).greet();
    const piece = (length: number): Buffer =>
      client.plain(wire.HANDSHAKE, wire.handshake(11, 2, Buffer.alloc(0), { offset: 0, data: Buffer.alloc(100), length }));
    for (let round = 0; round < 4; round += 1) {
      ground.receive(piece(20_000), client.from);
      ground.advance(1_000);
    }
    assert.deepEqual([ground.of('failed'), client.alerts], [[], []], 'anybody could have sent it');
    const before = ground.sent.length;
    ground.advance(1_500);
    for (const { data } of ground.sent.slice(before)) client.take(data);
    const alerts = client.alerts.map(({ description }) => description);
    const [failed] = ground.of('failed');
    assert.equal(failed?.reason, 'bad-message');
    assert.match(failed.detail, /^it has 20000 bytes, and 1000 are the most/);
    assert.deepEqual(alerts, [40]);
    assert.equal(ground.core.sizes().handshakes, 0);
  });

  it('[DTLS-124] a message that is too long, of somebody else, does not keep a handshake from going on', () => {
    const ground = createDtlsGround({ limits: { maxMessage: 1_000 } });
    const client = new ScriptedClient({ ground }).greet();
    ground.receive(
      client.plain(wire.HANDSHAKE, wire.handshake(11, 2, Buffer.alloc(0), { offset: 0, data: Buffer.alloc(100), length: 20_000 })),
      client.from,
    );
    ground.advance(1_000);
    client.send(client.keyExchange(), client.ccs(), client.finished());
    ground.advance(60_000);
    assert.deepEqual([ground.of('failed'), ground.of('established').length], [[], 1]);
  });

  it('[DTLS-125] failures are reported, but not without limit; what is left out is counted', () => {
    const ground = createDtlsGround({ limits: { reportRate: 5, sourceRate: 0, totalRate: 0 } });
    for (let index = 0; index < 50; index += 1) new ScriptedClient({ ground, suite: 'PSK_GCM' }).send(Buffer.alloc(0));
    for (let index = 0; index < 50; index += 1) {
      const client = new ScriptedClient({ ground });
      for (let round = 0; round < 2; round += 1) client.send(client.helloRecord({ suites: [0x1301] }));
    }
    assert.equal(ground.of('failed').length, 5);
    ground.advance(1_000);
    const last = new ScriptedClient({ ground });
    for (let round = 0; round < 2; round += 1) last.send(last.helloRecord({ suites: [0x1301] }));
    assert.equal(ground.of('failed').at(-1)?.suppressed, 45);
    assert.equal(ground.core.counters.reportsSuppressed, 45);
  });

  it('[DTLS-126] limits are checked: no unknown names, no numbers below 0, no connection ID too long, no MTU too small', () => {
    assert.deepEqual(completeLimits({}), DEFAULT_LIMITS);
    assert.equal(completeLimits({ mtu: 500 }).mtu, 500);
    for (const bad of [{ nonsense: 1 }, { mtu: -1 }, { mtu: NaN }, { mtu: '5' }, { mtu: 100 }, { cidLength: 21 }, { cidLength: 1.5 }]) {
      assert.throws(() => completeLimits(bad as never), RangeError, JSON.stringify(bad));
    }
  });

  it('[DTLS-127] no secret is in what is reported', () => {
    const ground = createDtlsGround();
    const wrong = new ScriptedClient({ ground, key: Buffer.alloc(16, 0xee) }).greet();
    wrong.send(wrong.keyExchange(), wrong.ccs(), wrong.finished());
    const right = new ScriptedClient({ ground }).connect();
    ground.advance(200_000);
    const text = JSON.stringify(ground.reports) + inspect(ground.reports, { depth: 10, maxStringLength: null, maxArrayLength: null });
    const used = Object.values({ ...wrong.keys, ...right.keys }).filter((key: Buffer) => key.length > 0);
    const keys = used.flatMap((key: Buffer) => [key.toString('hex'), inspect(key).slice(8, 40)]);
    for (const secret of ['000102030405060708090a0b0c0d0e0f', wrong.master.toString('hex'), ...keys]) assert.ok(!text.includes(secret));
    assert.equal(ground.of('failed')[0]?.claimed?.name, 'device one');
  });
});
