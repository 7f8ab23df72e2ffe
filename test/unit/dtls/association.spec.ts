import assert from 'node:assert/strict';
import { ScriptedClient } from '../../support/dtls/client';
import { createDtlsGround, IDENTITY, type DtlsGround } from '../../support/dtls/ground';
import * as wire from '../../support/dtls/wire';

const NONE = Buffer.alloc(0);
const keys = new Map(['one', 'two', 'three', 'four'].map((name, index) => [name, Buffer.alloc(16, index + 1)]));

function device(ground: DtlsGround, name: string, options: { port?: number; cid?: Buffer; seed?: number } = {}): ScriptedClient {
  const { port, cid, seed } = options;
  return new ScriptedClient({
    ground,
    identity: Buffer.from(name),
    key: keys.get(name)!,
    ...(port && { from: ground.route('198.51.100.9', port) }),
    ...(cid && { cid }),
    ...(seed !== undefined && { seed }),
  });
}

const heard = (ground: DtlsGround): string[] => ground.received.map(({ data }) => data.toString());

describe('DTLS: old and new sessions', () => {
  for (const cid of [undefined, NONE]) {
    const kind = cid ? 'with a connection ID' : 'by address';
    it(`[DTLS-090] ${kind}: a hello, and an unfinished handshake, from the address of a session leave it alone`, () => {
      const ground = createDtlsGround({ keys });
      const old = device(ground, 'one', { port: 500, ...(cid && { cid }) }).connect();
      const intruder = device(ground, 'two', { port: 500, seed: 99 });
      const steps = [
        () => intruder.send(intruder.helloRecord()),
        () => intruder.send(intruder.helloRecord()),
        () => intruder.send(intruder.keyExchange(), intruder.ccs()),
        () => ground.advance(2_500),
        () => intruder.send(wire.record(wire.HANDSHAKE, 1, 0, Buffer.alloc(48))),
        () => ground.advance(200_000),
      ];
      for (const [index, step] of steps.entries()) {
        step();
        ground.receive(old.secure(wire.DATA, Buffer.from(`after ${index}`)), old.from);
        assert.equal(heard(ground).at(-1), `after ${index}`);
      }
      assert.deepEqual([ground.of('ended').length, ground.of('rebind').length], [0, 0]);
      assert.deepEqual(ground.core.sizes(), { sessions: 1, handshakes: 0, reassemblyBytes: 0 });
    });
  }

  it('[DTLS-091] the same principal from elsewhere: the old session goes when the new one is complete, and not before', () => {
    const ground = createDtlsGround({ keys });
    const old = device(ground, 'one', { cid: NONE }).connect();
    const young = device(ground, 'one').greet();
    young.send(young.keyExchange(), young.ccs());
    old.say('still me');
    assert.deepEqual(heard(ground), ['still me']);
    young.send(young.finished());
    const [first, second] = ground.of('established');
    assert.deepEqual(
      ground.of('rebind').map(({ from, to }) => [from === first?.peer, to === second?.peer]),
      [[true, true]],
    );
    assert.equal(ground.of('ended').length, 0, 'what belonged to the old one goes on');
    old.say('no more');
    young.say('me now');
    assert.deepEqual(heard(ground), ['still me', 'me now']);
    assert.equal(ground.core.sizes().sessions, 1);
    assert.deepEqual(
      ground.reports.slice(-2).map(({ kind }) => kind),
      ['established', 'rebind'],
    );
  });

  it('[DTLS-091] the same principal at the same address likewise', () => {
    const ground = createDtlsGround({ keys });
    device(ground, 'one', { port: 500, seed: 1 }).connect();
    const young = device(ground, 'one', { port: 500, seed: 2 }).connect();
    young.say('hello');
    assert.deepEqual([heard(ground), ground.of('rebind').length, ground.core.sizes().sessions], [['hello'], 1, 1]);
  });

  it('[DTLS-092] another principal at the address of a session without a connection ID ends it; of one with, it does not', () => {
    const ground = createDtlsGround({ keys });
    device(ground, 'one', { port: 500, seed: 1 }).connect();
    const withCid = device(ground, 'two', { port: 500, seed: 2, cid: NONE }).connect();
    assert.equal(ground.of('ended').length, 0, 'a session with a connection ID needs no address');
    device(ground, 'three', { port: 500, seed: 3 }).connect();
    assert.deepEqual(
      ground.of('ended').map(({ peer, reason }) => [peer.identity.name, reason]),
      [['one', 'replaced']],
    );
    withCid.say('me');
    assert.deepEqual(heard(ground), ['me']);
  });

  it('[DTLS-093] a client that missed our last flight gets it again when it repeats its own, under new numbers, a few times', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground }).greet();
    const flight = (): Buffer[] => ground.receive(Buffer.concat([client.keyExchange(), client.ccs(), client.finished()]), client.from);
    const [first] = flight();
    const [again] = flight();
    const numbers = (datagram: Buffer): number[] => wire.records(datagram).map(({ seq }) => seq);
    assert.deepEqual(
      [numbers(first!), numbers(again!)],
      [
        [3, 0],
        [4, 1],
      ],
    );
    client.take(again!);
    assert.equal(client.serverFinished, 'right');
    for (let round = 0; round < 50; round += 1) flight();
    assert.ok(ground.sent.length < 25, `${ground.sent.length} datagrams`);
    const other = new ScriptedClient({ ground, from: client.from, seed: 3 }).connect();
    other.say('thanks');
    const late = Buffer.concat([other.keyExchange(), other.ccs(), other.finished()]);
    assert.deepEqual(ground.receive(late, other.from), [], 'who sends data has it');
  });

  it('[DTLS-094] our first flight is repeated by the clock, ever slower, and at once when the client repeats its hello', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground });
    client.send(client.helloRecord());
    const hello = client.helloRecord();
    client.send(hello);
    const start = ground.now;
    const at: number[] = [];
    ground.onSend = () => void at.push(ground.now - start);
    ground.advance(89_000);
    assert.deepEqual(at, [2_000, 6_000, 14_000, 30_000, 62_000]);
    const other = new ScriptedClient({ ground });
    other.send(other.helloRecord());
    const second = other.helloRecord();
    other.send(second);
    at.length = 0;
    ground.receive(second, other.from);
    assert.equal(at.length, 0, 'not twice in the same instant');
    ground.advance(600);
    ground.receive(second, other.from);
    assert.equal(at.length, 1);
    for (let round = 0; round < 100; round += 1) {
      ground.advance(500);
      ground.receive(second, other.from);
    }
    assert.ok(at.length <= ground.core.limits.maxFlights, `${String(at.length)} times`);
  });

  it('[DTLS-095] removed credentials end the session and the handshake of their principal at once', () => {
    const ground = createDtlsGround({ keys });
    const client = device(ground, 'one').connect();
    device(ground, 'two').connect();
    const pending = device(ground, 'one').greet();
    pending.send(pending.keyExchange());
    ground.core.closePrincipal({ scheme: 'coaps', mode: 'psk', name: 'one' }, ground.now);
    client.take(ground.sent.at(-1)!.data);
    assert.deepEqual(client.alerts, [{ level: 1, description: 0, protected: true }]);
    assert.deepEqual(ground.core.sizes(), { sessions: 1, handshakes: 0, reassemblyBytes: 0 });
    pending.send(pending.ccs(), pending.finished());
    assert.equal(ground.core.sizes().sessions, 1);
    client.say('x');
    assert.deepEqual(heard(ground), []);
  });

  it('[DTLS-096] data of a peer that is not ours, or no more, goes nowhere', () => {
    const ground = createDtlsGround();
    const other = createDtlsGround();
    new ScriptedClient({ ground: other }).connect();
    const before = ground.sent.length;
    ground.core.send(Buffer.from('x'), other.of('established')[0]!.peer, ground.now);
    ground.core.send(Buffer.from('x'), ground.route('192.0.2.1', 1), ground.now);
    assert.deepEqual([ground.sent.length, ground.core.counters.sendsRefused], [before, 2]);
  });

  it('[DTLS-097] messages in pieces, in any order, twice and overlapping, are put together; what contradicts changes nothing', () => {
    const identity = Buffer.alloc(100, 'i');
    const key = Buffer.alloc(16, 5);
    const body = wire.lengthed(2, identity);
    const piece = (
      client: ScriptedClient,
      from: number,
      to: number,
      change: { length?: number; type?: number; data?: Buffer } = {},
    ): Buffer =>
      client.plain(
        wire.HANDSHAKE,
        wire.handshake(change.type ?? 16, 2, body, {
          offset: from,
          data: change.data ?? body.subarray(from, to),
          ...(change.length && { length: change.length }),
        }),
      );
    const orders: ((client: ScriptedClient) => Buffer[])[] = [
      (client) => [piece(client, 0, 50), piece(client, 50, 102)],
      (client) => [piece(client, 50, 102), piece(client, 0, 50)],
      (client) => [piece(client, 40, 80), piece(client, 0, 60), piece(client, 0, 60), piece(client, 70, 102)],
      (client) => [piece(client, 0, 0), piece(client, 10, 20), piece(client, 0, 102)],
      (client) => Array.from({ length: 51 }, (_, index) => piece(client, 2 * (50 - index), 2 * (51 - index))),
      (client) => [
        piece(client, 0, 40),
        piece(client, 40, 60, { length: 200, data: Buffer.alloc(20, 'x') }),
        piece(client, 40, 60, { type: 11, data: Buffer.alloc(20, 'x') }),
        piece(client, 20, 60, { data: Buffer.concat([Buffer.alloc(20, 'x'), body.subarray(40, 60)]) }),
        piece(client, 60, 102),
      ],
    ];
    for (const [index, order] of orders.entries()) {
      const ground = createDtlsGround({ keys: new Map([[identity.toString('latin1'), key]]) });
      const client = new ScriptedClient({ ground, identity, key }).greet();
      client.keyExchange();
      for (const record of order(client)) ground.receive(record, client.from);
      client.send(client.ccs(), client.finished());
      assert.equal(client.serverFinished, 'right', `order ${index}`);
      assert.equal(ground.core.sizes().reassemblyBytes, 0);
    }
  });

  it('[DTLS-097] several messages in one record, and one message in many datagrams of a small MTU', () => {
    const identity = Buffer.alloc(128, 'i');
    for (const mtu of [228, 256, 400, 1_400]) {
      const ground = createDtlsGround({ limits: { mtu }, keys: new Map([[identity.toString('latin1'), IDENTITY]]) });
      const client = new ScriptedClient({ ground, identity, key: IDENTITY, suite: 'ECDHE_PSK_GCM' }).connect();
      assert.equal(client.serverFinished, 'right');
      assert.ok(ground.sent.every(({ data }) => data.length <= mtu));
    }
  });
});
