/** What no other file here asks, of the list in docs/dtls-checklist.md. */
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { decodeSession, encodeSession } from '../../../lib/dtls/session-codec';
import { ownKey, testStore, type TestStore } from '../../support/dtls/certificate-store';
import { ScriptedClient, type ClientOptions } from '../../support/dtls/client';
import { DEVICE, P256, RSA } from '../../support/dtls/fixed-keys';
import { createDtlsGround, IDENTITY, KEY, type DtlsGround } from '../../support/dtls/ground';
import * as wire from '../../support/dtls/wire';

const NOTHING = { sessions: 0, handshakes: 0, reassemblyBytes: 0 };
const NONE = Buffer.alloc(0);
const SUITES = { ...wire.SUITES, ...wire.CERTIFICATE_SUITES, ...wire.CBC_SUITES };
const x509 = { own: { privateKey: DEVICE.privateKey, shown: [DEVICE.certificate] } } as const;

function store(): TestStore {
  return testStore({ own: [ownKey(P256), ownKey(RSA)], known: new Map([[DEVICE.certificate.toString('hex'), 'device']]) });
}

/** How often two things were compared in constant time while `work` ran. */
function comparisons(work: () => void): number {
  const real = crypto.timingSafeEqual;
  let count = 0;
  crypto.timingSafeEqual = (left, right) => {
    count += 1;
    return real(left, right);
  };
  try {
    work();
  } finally {
    crypto.timingSafeEqual = real;
  }
  return count;
}

/** A handshake with certificates or a key, one record at a time. */
function* steps(client: ScriptedClient): Generator<Buffer> {
  yield client.helloRecord();
  yield client.helloRecord();
  if (client.suite.cert) yield client.certificate();
  yield client.keyExchange();
  if (client.suite.cert) yield client.certificateVerify();
  yield client.ccs();
  yield client.finished();
}

describe('DTLS: what else is asked of a server', () => {
  for (const suite of Object.keys(SUITES)) {
    it(`[DTLS-280] ${suite}: hellos without a good cookie cause no work, no question and no memory, and are answered by less`, () => {
      const certificates = store();
      const ground = createDtlsGround({ certificates, holdJobs: true });
      const client = new ScriptedClient({ ground, suite, clientTypes: [0], serverTypes: [0], cid: NONE });
      for (const cookie of [NONE, Buffer.alloc(16, 1), Buffer.alloc(255, 2)]) {
        const hello = client.helloRecord({ cookie });
        const answers = ground.receive(hello, client.from);
        assert.equal(answers.length, 1);
        assert.ok(answers[0]!.length < hello.length);
      }
      assert.deepEqual([ground.jobs, certificates.called, ground.core.sizes(), ground.core.deadline()], [[], [], NOTHING, Infinity]);
    });
  }

  it('[DTLS-281] cookies, Finished and the HMACs of CBC are compared in constant time', () => {
    const ground = createDtlsGround({ proof: () => 'proof' });
    const client = new ScriptedClient({ ground, suite: 'PSK_CBC' });
    client.send(client.helloRecord());
    assert.equal(
      comparisons(() => void client.send(client.helloRecord())),
      1,
      'the cookie',
    );
    const wrong = new ScriptedClient({ ground });
    const hello = wrong.helloRecord({ cookie: Buffer.alloc(16, 3) });
    assert.ok(comparisons(() => void ground.receive(hello, wrong.from)) > 0, 'a wrong one as well');
    ground.receive(client.keyExchange(), client.from);
    ground.receive(client.ccs(), client.from);
    assert.equal(
      comparisons(() => void client.send(client.finished())),
      2,
      'HMAC and Finished',
    );
    const data = client.secure(wire.DATA, Buffer.from('x'));
    assert.equal(
      comparisons(() => void ground.receive(data, client.from)),
      1,
      'HMAC',
    );
    assert.equal(ground.received.length, 1);
  });

  it('[DTLS-282] a flight with certificates goes to the address that has the cookie alone, and no more often than is allowed', () => {
    const certificates = testStore({
      own: [{ ...ownKey(P256), chain: Array.from({ length: 10 }, () => P256.certificate) }],
      known: new Map(),
    });
    const ground = createDtlsGround({ certificates });
    const client = new ScriptedClient({ ground, suite: 'ECDHE_ECDSA_CCM_8', ...x509 });
    client.send(client.helloRecord());
    const before = ground.sent.length;
    const hello = client.helloRecord();
    ground.receive(hello, client.from);
    const flight = ground.sent.slice(before).reduce((sum, { data }) => sum + data.length, 0);
    assert.ok(flight > 4_000, `${flight} bytes`);
    const elsewhere = ground.route('203.0.113.77', 4);
    for (let round = 0; round < 300; round += 1) {
      ground.receive(hello, client.from);
      assert.ok(ground.receive(hello, elsewhere).reduce((sum, answer) => sum + answer.length, 0) < hello.length);
      ground.advance(1_000);
    }
    const sent = ground.sent.slice(before).filter(({ to }) => to === client.from);
    const all = sent.reduce((sum, { data }) => sum + data.length, 0);
    // The handshake ends, and the same hello begins another as long as its cookie lives: 60 to 120 s.
    const { maxFlights, handshakeTimeout } = ground.core.limits;
    const handshakes = Math.ceil(120_000 / handshakeTimeout);
    assert.ok(all <= handshakes * maxFlights * flight + 300 * hello.length, `${all} bytes`);
    assert.deepEqual(ground.core.sizes(), NOTHING);
  });

  for (const [suite, more] of [
    ['ECDHE_ECDSA_CCM_8', x509],
    ['ECDHE_PSK_CCM_8', {}],
  ] as const satisfies readonly (readonly [string, Partial<ClientOptions>])[]) {
    it(`[DTLS-283] ${suite}: silent after each message, and with each answer of ours late, a handshake ends in time and leaves nothing`, () => {
      const count = [...steps(new ScriptedClient({ ground: createDtlsGround({ certificates: store() }), suite, ...more }))].length;
      for (const late of [false, true]) {
        for (let said = 2; said < count; said += 1) {
          const ground = createDtlsGround({ certificates: store(), holdJobs: true });
          const client = new ScriptedClient({ ground, suite, ...more });
          let left = said;
          for (const record of steps(client)) {
            client.send(record);
            left -= 1;
            if (left === 0) break;
            const from = ground.sent.length;
            while (ground.jobs.length > 0) ground.work();
            for (const { data } of ground.sent.slice(from)) client.take(data);
          }
          if (!late) while (ground.jobs.length > 0) ground.work();
          assert.equal(ground.core.sizes().handshakes, 1, `after ${said}`);
          ground.advance(ground.core.limits.handshakeTimeout);
          assert.deepEqual([ground.core.sizes(), ground.of('failed')[0]?.reason], [NOTHING, 'timeout'], `after ${said}`);
          const sent = ground.sent.length;
          while (ground.jobs.length > 0) ground.work();
          assert.deepEqual([ground.core.sizes(), ground.sent.length, ground.core.deadline()], [NOTHING, sent, Infinity]);
        }
      }
    });
  }

  it('[DTLS-284] a ClientKeyExchange of another kind of key exchange is decode_error, and makes no session', () => {
    const psk = wire.lengthed(2, IDENTITY);
    const point = wire.lengthed(1, Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 1)]));
    for (const [suite, body] of [
      ['PSK_CCM_8', Buffer.concat([psk, point])],
      ['PSK_CCM_8', point],
      ['ECDHE_PSK_CCM_8', psk],
      ['ECDHE_PSK_CCM_8', point],
      ['ECDHE_ECDSA_CCM_8', psk],
      ['ECDHE_ECDSA_CCM_8', Buffer.concat([psk, point])],
      ['ECDHE_ECDSA_CCM_8', Buffer.concat([point, NONE, Buffer.alloc(1)])],
    ] as const) {
      const ground = createDtlsGround({ certificates: store() });
      const client = new ScriptedClient({ ground, suite, ...x509 }).greet();
      if (client.suite.cert) client.send(client.certificate());
      client.send(client.keyExchange({ body }));
      assert.deepEqual(client.alerts, [{ level: 2, description: 50, protected: false }], `${suite} ${body.toString('hex', 0, 4)}`);
      assert.deepEqual(ground.core.sizes(), NOTHING);
    }
  });

  it('[DTLS-285] what a message says a second time, at its place, counts as the first, whatever it says', () => {
    const ground = createDtlsGround({ certificates: store() });
    const client = new ScriptedClient({ ground, suite: 'ECDHE_ECDSA_CCM_8', ...x509 }).greet();
    const again = (type: number, messageSeq: number, body: Buffer): void =>
      void ground.receive(client.plain(wire.HANDSHAKE, wire.handshake(type, messageSeq, body)), client.from);
    client.send(client.certificate());
    again(11, 2, wire.lengthed(3, wire.lengthed(3, RSA.certificate)));
    client.send(client.keyExchange());
    again(16, 3, wire.lengthed(1, Buffer.alloc(65, 4)));
    client.send(client.certificateVerify());
    again(15, 4, Buffer.concat([wire.num(0x0403, 2), wire.lengthed(2, Buffer.alloc(70))]));
    again(16, 5, wire.lengthed(1, Buffer.alloc(65, 4)));
    client.send(client.ccs(), client.ccs(), client.finished(), client.finished());
    assert.deepEqual([client.serverFinished, client.alerts], ['right', []]);
    assert.equal(ground.peer().identity.name, 'device');
  });

  it('[DTLS-286] once a session has moved, nothing goes to its old address, and who is there now is somebody else', () => {
    const keys = new Map([
      [IDENTITY.toString(), KEY],
      ['two', Buffer.alloc(16, 2)],
    ]);
    const ground = createDtlsGround({ keys });
    const client = new ScriptedClient({ ground, cid: NONE }).connect();
    const peer = ground.peer();
    const old = client.from;
    client.from = ground.route('203.0.113.8', 8_888);
    client.say('moved');
    client.say('and heard again');
    for (const datagram of [
      client.plain(wire.ALERT, Buffer.from([2, 40])),
      client.ccs(),
      client.secure(wire.DATA, Buffer.from('x'), { cid: NONE }),
    ]) {
      assert.deepEqual(ground.receive(datagram, old), []);
    }
    const other = new ScriptedClient({ ground, from: old, identity: Buffer.from('two'), key: Buffer.alloc(16, 2) }).connect();
    other.say('mine');
    const before = ground.sent.length;
    ground.core.send(Buffer.from('to the one that moved'), peer, ground.now);
    assert.deepEqual(
      ground.sent.slice(before).map(({ to }) => to),
      [client.from],
    );
    assert.deepEqual([ground.received.at(-1)?.peer.identity.name, ground.core.sizes().sessions], ['two', 2]);
  });

  it('[DTLS-287] suites that only signal, and those made up to be ignored, choose nothing and spoil nothing', () => {
    const signals = [0x00ff, 0x5600, 0x0a0a, 0xfafa, 0xffff];
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground });
    for (let round = 0; round < 2; round += 1) client.send(client.helloRecord({ suites: [...signals, client.suite.id] }));
    assert.equal(client.hello?.suite, client.suite.id);
    const alone = new ScriptedClient({ ground });
    for (let round = 0; round < 2; round += 1) alone.send(alone.helloRecord({ suites: signals }));
    assert.deepEqual(alone.alerts, [{ level: 2, description: 40, protected: false }]);
  });

  it('[DTLS-288] connection IDs that the source of random bytes gives again are passed over while they are in use, by a handshake or a session', () => {
    // One byte: so many that it must repeat itself.
    const names = Array.from({ length: 200 }, (_, index) => `device ${index}`);
    const ground = createDtlsGround({
      limits: { cidLength: 1, sourceRate: 0, totalRate: 0 },
      keys: new Map(names.map((name) => [name, KEY])),
    });
    const seen = new Set<string>();
    const clients = names.map((name, index) => {
      const client = new ScriptedClient({ ground, cid: NONE, identity: Buffer.from(name) });
      if (index % 2 === 0) client.connect();
      else client.greet();
      seen.add(client.serverCid.toString('hex'));
      return client;
    });
    assert.equal(seen.size, 200);
    for (const [index, client] of clients.entries()) if (index % 2 === 0) client.say(names[index]!);
    assert.deepEqual(
      ground.received.map(({ data, peer }) => [data.toString(), peer.identity.name]),
      names.filter((_, index) => index % 2 === 0).map((name) => [name, name]),
    );
  });

  for (const suite of ['PSK_CCM_8', 'PSK_GCM', 'PSK_CBC']) {
    it(`[DTLS-289] ${suite}: a record sealed for another connection ID, or for one of another length, is forged`, () => {
      const ground = createDtlsGround();
      const client = new ScriptedClient({ ground, suite, cid: NONE, etm: true }).connect();
      const ours = client.serverCid;
      for (const [index, other] of [Buffer.alloc(6, 1), ours.subarray(0, 5), Buffer.concat([ours, Buffer.alloc(1)])].entries()) {
        const [sealed] = wire.records(client.secure(wire.DATA, Buffer.from('x'), { cid: other }), other.length);
        const moved = wire.record(wire.CID_RECORD, 1, sealed!.seq, sealed!.body, { cid: ours });
        assert.deepEqual(ground.receive(moved, client.from), []);
        assert.deepEqual([ground.core.counters.forgedRecords, ground.received.length], [index + 1, 0]);
      }
      client.say('genuine');
      assert.equal(ground.received.length, 1);
    });
  }

  it('[DTLS-290] pre-shared keys of 1 to 64 bytes and identities of 0 to 128 and more are taken as they are', () => {
    for (const [identityBytes, keyBytes] of [
      [0, 1],
      [1, 15],
      [127, 16],
      [128, 17],
      [129, 32],
      [400, 63],
      [1_000, 64],
    ] as const) {
      const [identity, key] = [Buffer.alloc(identityBytes, 'i'), Buffer.alloc(keyBytes, 9)];
      const ground: DtlsGround = createDtlsGround({ keys: new Map([[identity.toString(), key]]) });
      for (const suite of ['PSK_CCM_8', 'ECDHE_PSK_GCM']) new ScriptedClient({ ground, suite, identity, key }).connect().say('x');
      assert.equal(ground.received.length, 2);
    }
  });

  it('[DTLS-291] a client that says to be somebody else the next time is somebody else', () => {
    const ground = createDtlsGround({ keys: new Map([...[IDENTITY.toString(), 'two'].map((name) => [name, KEY] as const)]) });
    const first = new ScriptedClient({ ground }).connect();
    const before = ground.peer();
    new ScriptedClient({ ground, from: first.from, identity: Buffer.from('two') }).connect().say('x');
    assert.deepEqual([before.identity.name, ground.received[0]?.peer.identity.name], [IDENTITY.toString(), 'two']);
    assert.deepEqual([ground.of('rebind').length, ground.of('ended').map(({ peer }) => peer)], [0, [before]]);
  });

  it('[DTLS-292] a number that was used to send a record again is not used by anything else, with certificates as well', () => {
    const ground = createDtlsGround({ certificates: store() });
    const client = new ScriptedClient({ ground, suite: 'ECDHE_ECDSA_GCM', ...x509 }).connect();
    for (let round = 0; round < 5; round += 1) {
      ground.receive(client.finished(), client.from);
      ground.advance(1_000);
    }
    ground.core.send(Buffer.from('x'), ground.peer(), ground.now);
    const used = ground.sent.flatMap(({ data }) => wire.records(data).map(({ epoch, seq }) => `${epoch} ${seq}`));
    assert.equal(new Set(used).size, used.length);
    const [state] = ground.core.stop();
    assert.ok(
      decodeSession(encodeSession(state!))!.sendSeq >
        Math.max(...used.filter((text) => text.startsWith('1')).map((text) => Number(text.slice(2)))),
    );
  });
});
