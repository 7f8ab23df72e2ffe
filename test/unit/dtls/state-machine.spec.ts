import assert from 'node:assert/strict';
import { ScriptedClient } from '../../support/dtls/client';
import { createDtlsGround, IDENTITY, type DtlsGround } from '../../support/dtls/ground';
import * as wire from '../../support/dtls/wire';

const NOTHING = { sessions: 0, handshakes: 0, reassemblyBytes: 0 };

type Kind =
  | 'hello'
  | 'hello with cookie'
  | 'key exchange'
  | 'key exchange again, changed'
  | 'change cipher spec'
  | 'finished'
  | 'finished in epoch 0'
  | 'data'
  | 'data in epoch 0'
  | 'certificate'
  | 'certificate verify'
  | 'server hello'
  | 'hello request'
  | 'warning'
  | 'fatal alert in epoch 0'
  | 'record of epoch 2';

/** All a client might say, each as it would be right at its place. */
function makers(client: ScriptedClient): Record<Kind, () => Buffer> {
  // The keys are there from the start, whatever is sent when.
  const keyExchange = client.keyExchange();
  const finished = client.finished();
  const hello = wire.handshake(1, 1, wire.clientHello(client.fields()));
  const bare = wire.handshake(1, 0, wire.clientHello({ ...client.fields(), cookie: Buffer.alloc(0) }));
  const at = (messageSeq: number, type: number, body: Buffer): Buffer =>
    client.plain(wire.HANDSHAKE, wire.handshake(type, messageSeq, body));
  return {
    hello: () => client.plain(wire.HANDSHAKE, bare),
    'hello with cookie': () => client.plain(wire.HANDSHAKE, hello),
    'key exchange': () => keyExchange,
    'key exchange again, changed': () => at(2, 16, wire.lengthed(2, Buffer.from('device two'))),
    'change cipher spec': () => client.ccs(),
    finished: () => finished,
    'finished in epoch 0': () => client.plain(wire.HANDSHAKE, client.finishedMessage()),
    data: () => client.secure(wire.DATA, Buffer.from('data')),
    'data in epoch 0': () => client.plain(wire.DATA, Buffer.from('data')),
    certificate: () => at(2, 11, Buffer.from([0, 0, 0])),
    'certificate verify': () => at(3, 15, Buffer.alloc(70)),
    'server hello': () => at(2, 2, Buffer.alloc(38)),
    'hello request': () => at(2, 0, Buffer.alloc(0)),
    warning: () => client.plain(wire.ALERT, Buffer.from([1, 90])),
    'fatal alert in epoch 0': () => client.plain(wire.ALERT, Buffer.from([2, 40])),
    'record of epoch 2': () => client.secure(wire.DATA, Buffer.from('data'), { epoch: 2, seq: 0 }),
  };
}

const KINDS: readonly Kind[] = [
  'hello',
  'hello with cookie',
  'key exchange',
  'key exchange again, changed',
  'change cipher spec',
  'finished',
  'finished in epoch 0',
  'data',
  'data in epoch 0',
  'certificate',
  'certificate verify',
  'server hello',
  'hello request',
  'warning',
  'fatal alert in epoch 0',
  'record of epoch 2',
];

/** Messages that take the place of ClientKeyExchange. What comes first at a place counts. */
const IN_ITS_PLACE: readonly Kind[] = ['key exchange again, changed', 'certificate', 'server hello', 'hello request'];

/** By the rules alone: whether a session comes out of these messages, in this order. */
function expected(order: readonly Kind[]): boolean {
  const first = order.findIndex((kind) => kind === 'key exchange' || IN_ITS_PLACE.includes(kind));
  if (order[first] !== 'key exchange') return false;
  return order.includes('change cipher spec') && order.includes('finished');
}

function started(): { ground: DtlsGround; client: ScriptedClient; say: Record<Kind, () => Buffer> } {
  const ground = createDtlsGround({ keys: new Map([[IDENTITY.toString('latin1'), Buffer.alloc(16, 3)]]) });
  const client = new ScriptedClient({ ground, key: Buffer.alloc(16, 3) }).greet();
  return { ground, client, say: makers(client) };
}

/** Sends without a look at the answers: some would be for another state of the client. */
function play(order: readonly Kind[]): { ground: DtlsGround; client: ScriptedClient } {
  const { ground, client, say } = started();
  for (const kind of order) {
    const before = ground.received.length;
    const open = ground.core.sizes().sessions > 0;
    ground.receive(say[kind](), client.from);
    if (!open) assert.equal(ground.received.length, before, `${order.join(', ')}: data before the session`);
  }
  return { ground, client };
}

describe('DTLS: every message at every time', () => {
  for (const first of KINDS) {
    it(`[DTLS-040] ${first}, then each other, then what is missing`, () => {
      for (const second of KINDS) {
        const rest = (['key exchange', 'change cipher spec', 'finished'] as const).filter((kind) => kind !== first && kind !== second);
        const order = [first, second, ...rest];
        const { ground, client } = play(order);
        assert.equal(ground.core.sizes().sessions === 1, expected(order), order.join(', '));
        assert.equal(ground.of('established').length, expected(order) ? 1 : 0, order.join(', '));
        assert.equal(ground.core.counters.internalErrors, 0, order.join(', '));
        if (!expected(order)) {
          ground.receive(client.secure(wire.DATA, Buffer.from('too early')), client.from);
          assert.equal(ground.received.length, 0, order.join(', '));
          ground.advance(200_000);
          assert.deepEqual(ground.core.sizes(), NOTHING, order.join(', '));
          assert.equal(ground.core.deadline(), Infinity);
        }
      }
    });
  }

  it('[DTLS-041] all orders of the last flight lead to the same session, in one datagram or in three', () => {
    const flight: readonly Kind[] = ['key exchange', 'change cipher spec', 'finished'];
    for (const a of flight) {
      for (const b of flight) {
        for (const c of flight) {
          if (new Set([a, b, c]).size < 3) continue;
          assert.equal(play([a, b, c]).ground.core.sizes().sessions, 1);
          const { ground, client, say } = started();
          ground.receive(Buffer.concat([say[a](), say[b](), say[c]()]), client.from);
          assert.equal(ground.core.sizes().sessions, 1);
        }
      }
    }
  });

  it('[DTLS-042] without one of them there is no session', () => {
    for (const left of ['key exchange', 'change cipher spec', 'finished'] as const) {
      const { ground } = play((['key exchange', 'change cipher spec', 'finished'] as const).filter((kind) => kind !== left));
      assert.equal(ground.core.sizes().sessions, 0, left);
    }
  });

  it('[DTLS-042] a message of the wrong kind in the place of ClientKeyExchange is unexpected_message; one with bytes behind decode_error', () => {
    for (const kind of ['certificate', 'server hello', 'hello request'] as const) {
      const { ground, client, say } = started();
      client.send(say[kind]());
      assert.deepEqual(client.alerts, [{ level: 2, description: 10, protected: false }], kind);
      assert.equal(ground.of('failed')[0]?.reason, 'bad-message');
    }
    for (const body of [
      Buffer.concat([wire.lengthed(2, IDENTITY), Buffer.alloc(1)]),
      Buffer.from([0]),
      Buffer.alloc(0),
      Buffer.from([1, 0, 5]),
    ]) {
      const { client } = started();
      client.send(client.keyExchange({ body }));
      assert.deepEqual(client.alerts, [{ level: 2, description: 50, protected: false }], body.toString('hex'));
    }
  });

  it('[DTLS-043] a ChangeCipherSpec that is not the byte 1 does not count', () => {
    for (const body of [Buffer.alloc(0), Buffer.from([0]), Buffer.from([2]), Buffer.from([1, 1])]) {
      const { ground, client, say } = started();
      ground.receive(say['key exchange'](), client.from);
      ground.receive(client.plain(wire.CCS, body), client.from);
      ground.receive(say.finished(), client.from);
      assert.equal(ground.core.sizes().sessions, 0);
    }
  });

  it('[DTLS-044] a handshake that stands still is given up in time, whatever it waits for, and leaves nothing', () => {
    const steps: readonly Kind[] = ['key exchange', 'change cipher spec'];
    for (let done = 0; done <= steps.length; done += 1) {
      const { ground } = play(steps.slice(0, done));
      assert.equal(ground.core.sizes().handshakes, 1);
      ground.advance(ground.core.limits.handshakeTimeout);
      assert.deepEqual(ground.core.sizes(), NOTHING);
      assert.equal(ground.of('failed')[0]?.reason, 'timeout');
    }
  });

  it('[DTLS-045] an unprotected fatal alert ends no handshake at once: it may be forged', () => {
    assert.equal(play(['fatal alert in epoch 0', 'key exchange', 'change cipher spec', 'finished']).ground.core.sizes().sessions, 1);
    const { ground } = play(['fatal alert in epoch 0']);
    ground.advance(ground.core.limits.wrongKeyGrace);
    assert.deepEqual(ground.core.sizes(), NOTHING);
    assert.deepEqual([ground.of('failed')[0]?.reason, ground.of('failed')[0]?.detail], ['refused-by-peer', 'handshake_failure (40)']);
  });

  it('[DTLS-045] forged protected records do not spoil a handshake', () => {
    const { ground, client, say } = started();
    ground.receive(say['key exchange'](), client.from);
    ground.receive(say['change cipher spec'](), client.from);
    for (let seq = 0; seq < 20; seq += 1) ground.receive(wire.record(wire.HANDSHAKE, 1, seq, Buffer.alloc(40, seq)), client.from);
    ground.receive(say.finished(), client.from);
    assert.equal(ground.core.sizes().sessions, 1);
  });

  it('[DTLS-046] after the session is there, handshake messages of epoch 0, changes and hellos in it change nothing', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground }).connect();
    for (const make of Object.values(makers(client))) ground.receive(make(), client.from);
    ground.advance(200_000);
    assert.equal(ground.core.sizes().sessions, 1);
    const before = ground.received.length;
    client.say('still here');
    assert.equal(ground.received.length, before + 1);
  });

  it('[DTLS-047] a ClientHello inside a session gets the warning no_renegotiation, a few times', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground }).connect();
    const hello = wire.handshake(1, 4, wire.clientHello({ ...client.fields(), cookie: Buffer.alloc(0) }));
    for (let round = 0; round < 20; round += 1) client.send(client.secure(wire.HANDSHAKE, hello));
    assert.ok(client.alerts.length > 0 && client.alerts.length <= 8);
    assert.deepEqual(client.alerts[0], { level: 1, description: 100, protected: true });
    client.say('on');
    assert.equal(ground.received.length, 1);
  });

  it('[DTLS-048] close_notify is answered by one, a fatal alert by nothing; both end the session, and nothing of it counts any more', () => {
    for (const [alert, answered, reason] of [
      [Buffer.from([1, 0]), true, 'closed-by-peer'],
      [Buffer.from([2, 0]), true, 'closed-by-peer'],
      [Buffer.from([2, 80]), false, 'alert'],
    ] as const) {
      const ground = createDtlsGround();
      const client = new ScriptedClient({ ground }).connect();
      const peer = ground.peer();
      client.send(client.secure(wire.ALERT, alert));
      assert.deepEqual(
        client.alerts.map(({ description, protected: secret }) => [description, secret]),
        answered ? [[0, true]] : [],
      );
      assert.equal(ground.of('ended')[0]?.reason, reason);
      assert.deepEqual(ground.core.sizes(), NOTHING);
      const before = ground.sent.length;
      client.say('more');
      ground.core.send(Buffer.from('down'), peer, ground.now);
      assert.deepEqual([ground.received.length, ground.sent.length], [0, before]);
    }
  });

  it('[DTLS-048] warnings and alerts of a wrong length end nothing', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground }).connect();
    for (const body of [Buffer.from([1, 90]), Buffer.from([1, 100]), Buffer.from([2]), Buffer.alloc(0), Buffer.from([2, 40, 0])]) {
      client.send(client.secure(wire.ALERT, body));
    }
    assert.equal(ground.core.sizes().sessions, 1);
  });

  it('[DTLS-049] records that come before their keys are kept, but few of them', () => {
    const { ground, client, say } = started();
    for (let seq = 10; seq < 14; seq += 1) ground.receive(wire.record(wire.DATA, 1, seq, Buffer.alloc(30)), client.from);
    // The fifth has no room any more.
    ground.receive(say.finished(), client.from);
    ground.receive(say['key exchange'](), client.from);
    ground.receive(say['change cipher spec'](), client.from);
    assert.equal(ground.core.sizes().sessions, 0);
    ground.receive(client.finished(), client.from);
    assert.equal(ground.core.sizes().sessions, 1, 'a repetition of Finished completes it');
  });
});
