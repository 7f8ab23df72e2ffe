import assert from 'node:assert/strict';
import { ScriptedClient } from '../../support/dtls/client';
import { createDtlsGround, IDENTITY, KEY } from '../../support/dtls/ground';
import * as wire from '../../support/dtls/wire';

describe('DTLS: a handshake with a pre-shared key', () => {
  for (const suite of Object.keys(wire.SUITES)) {
    for (const ems of [true, false]) {
      it(`[DTLS-010] ${suite}, ${ems ? 'with' : 'without'} extended master secret: a session, and data both ways`, () => {
        const ground = createDtlsGround();
        const client = new ScriptedClient({ ground, suite, ems }).connect();
        const [established] = ground.of('established');
        assert.ok(established);
        assert.deepEqual(established.peer.identity, { scheme: 'coaps', mode: 'psk', name: 'device one' });
        assert.deepEqual([established.cid, established.extendedMasterSecret, established.role], [false, ems, 'server']);
        client.say('up');
        assert.deepEqual(
          ground.received.map(({ data, peer }) => [data.toString(), peer]),
          [['up', established.peer]],
        );
        ground.core.send(Buffer.from('down'), established.peer, ground.now);
        client.take(ground.sent.at(-1)!.data);
        assert.equal(client.data.at(-1)?.toString(), 'down');
      });
    }
  }

  for (const group of [23, 29] as const) {
    it(`[DTLS-011] ECDHE_PSK with group ${group}`, () => {
      const ground = createDtlsGround();
      const client = new ScriptedClient({ ground, suite: 'ECDHE_PSK_CCM_8', group }).connect();
      assert.equal(client.serverPoint?.group, group);
    });
  }

  it('[DTLS-011] without supported_groups P-256 is taken; without a common one a plain PSK suite, or handshake_failure', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground, suite: 'ECDHE_PSK_GCM' });
    const bare = { extensions: [] };
    client.send(client.helloRecord(bare));
    client.send(client.helloRecord(bare));
    assert.equal(client.serverPoint?.group, 23);
    const strange = { extensions: [[10, wire.lengthed(2, wire.num(25, 2))]] as const };
    const other = new ScriptedClient({ ground });
    for (let round = 0; round < 2; round += 1) other.send(other.helloRecord({ ...strange, suites: [0xd001, 0xc0a8] }));
    assert.equal(other.hello?.suite, 0xc0a8);
    const third = new ScriptedClient({ ground });
    for (let round = 0; round < 2; round += 1) third.send(third.helloRecord({ ...strange, suites: [0xd001] }));
    assert.deepEqual(third.alerts, [{ level: 2, description: 40, protected: false }]);
    assert.equal(ground.of('failed').at(-1)?.reason, 'no-common-group');
  });

  it('[DTLS-011] a point off the curve ends the handshake with illegal_parameter', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground, suite: 'ECDHE_PSK_CCM_8' }).greet();
    const point = Buffer.alloc(65, 1);
    point[0] = 4;
    client.send(client.keyExchange({ body: Buffer.concat([wire.lengthed(2, IDENTITY), wire.lengthed(1, point)]) }));
    assert.deepEqual(client.alerts, [{ level: 2, description: 47, protected: false }]);
    assert.equal(ground.core.sizes().handshakes, 0);
  });

  it('[DTLS-012] the order of the client decides among our suites; what we do not know is passed over', () => {
    const ground = createDtlsGround();
    for (const [offered, chosen] of [
      [[0x1301, 0xccac, 0x00a8, 0xc0a8], 0x00a8],
      [[0xc0a4, 0x00a8], 0xc0a4],
    ] as const) {
      const client = new ScriptedClient({ ground });
      for (let round = 0; round < 2; round += 1) client.send(client.helloRecord({ suites: [...offered] }));
      assert.equal(client.hello?.suite, chosen);
    }
  });

  it('[DTLS-012] no common suite is handshake_failure, and said so', () => {
    const ground = createDtlsGround({ suites: ['TLS_PSK_WITH_AES_128_CCM_8'] });
    const client = new ScriptedClient({ ground, suite: 'PSK_GCM' }).greet();
    assert.deepEqual(client.alerts, [{ level: 2, description: 40, protected: false }]);
    const [failed] = ground.of('failed');
    assert.equal(failed?.reason, 'no-common-suite');
    assert.equal(failed.port, client.from.port);
    assert.deepEqual(ground.core.sizes(), { sessions: 0, handshakes: 0, reassemblyBytes: 0 });
  });

  it('[DTLS-013] DTLS 1.0 is refused by protocol_version, after the cookie only', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground });
    client.send(client.helloRecord({ version: 0xfeff }));
    assert.deepEqual(client.alerts, []);
    client.send(client.helloRecord({ version: 0xfeff }));
    assert.deepEqual(client.alerts, [{ level: 2, description: 70, protected: false }]);
    assert.equal(ground.of('failed')[0]?.reason, 'protocol-version');
  });

  it('[DTLS-013] a hello of DTLS 1.3, by version or by extensions, comes down to 1.2', () => {
    const ground = createDtlsGround();
    const supported: readonly (readonly [number, Buffer])[] = [
      [43, Buffer.from('04fefcfefd', 'hex')],
      [51, wire.lengthed(2, Buffer.concat([wire.num(29, 2), wire.lengthed(2, Buffer.alloc(32, 9))]))],
      [13, wire.lengthed(2, Buffer.from('0403', 'hex'))],
      [45, Buffer.from([1, 1])],
    ];
    const client = new ScriptedClient({ ground, extensions: supported }).connect();
    assert.equal(client.hello?.version, 0xfefd);
    assert.deepEqual([...client.hello.extensions.keys()].sort(), [23, 0xff01].sort());
    const newer = new ScriptedClient({ ground });
    for (let round = 0; round < 2; round += 1) newer.send(newer.helloRecord({ version: 0xfefc }));
    assert.equal(newer.hello?.version, 0xfefd);
  });

  it('[DTLS-014] renegotiation_info is answered when offered, by suite or by extension; a non-empty one is refused', () => {
    const ground = createDtlsGround();
    const bySuite = new ScriptedClient({ ground }).greet();
    assert.deepEqual(bySuite.hello?.extensions.get(0xff01), Buffer.from([0]));
    const byExtension = new ScriptedClient({ ground });
    for (let round = 0; round < 2; round += 1)
      byExtension.send(byExtension.helloRecord({ suites: [0xc0a8], extensions: [[0xff01, Buffer.from([0])]] }));
    assert.deepEqual(byExtension.hello?.extensions.get(0xff01), Buffer.from([0]));
    const neither = new ScriptedClient({ ground });
    for (let round = 0; round < 2; round += 1) neither.send(neither.helloRecord({ suites: [0xc0a8], extensions: undefined }));
    assert.equal(neither.hello?.extensions.size, 0);
    const spoiled = new ScriptedClient({ ground });
    for (let round = 0; round < 2; round += 1)
      spoiled.send(spoiled.helloRecord({ extensions: [[0xff01, Buffer.from('0401020304', 'hex')]] }));
    assert.deepEqual(spoiled.alerts, [{ level: 2, description: 40, protected: false }]);
  });

  it('[DTLS-015] compression only null; duplicate and broken extensions end it; unknown ones do not', () => {
    const ground = createDtlsGround();
    const cases: [string, Partial<wire.HelloFields>, number][] = [
      ['compression without null', { compression: Buffer.from([1]) }, 47],
      ['extended_master_secret with content', { extensions: [[23, Buffer.from([0])]] }, 50],
      ['half a connection_id', { extensions: [[54, Buffer.from([5, 1])]] }, 50],
      ['connection_id with more behind', { extensions: [[54, Buffer.from([0, 1])]] }, 50],
      ['no group at all', { extensions: [[10, Buffer.from([0, 0])]] }, 50],
    ];
    for (const [name, change, description] of cases) {
      const client = new ScriptedClient({ ground });
      for (let round = 0; round < 2; round += 1) client.send(client.helloRecord(change));
      assert.deepEqual(client.alerts, [{ level: 2, description, protected: false }], name);
    }
    const double = new ScriptedClient({ ground });
    assert.deepEqual(
      double.send(
        double.helloRecord({
          extensions: [
            [23, Buffer.alloc(0)],
            [23, Buffer.alloc(0)],
          ],
        }),
      ),
      [],
    );
    new ScriptedClient({
      ground,
      extensions: [
        [0x1234, Buffer.from('abcd', 'hex')],
        [0, Buffer.alloc(0)],
      ],
    }).connect();
    const both = new ScriptedClient({ ground });
    for (let round = 0; round < 2; round += 1) both.send(both.helloRecord({ compression: Buffer.from([1, 0]) }));
    assert.ok(both.hello);
  });

  for (const [name, identity] of [
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('urn:dev:ops:é')],
    ['no text', Buffer.from('ff00fe', 'hex')],
    ['NUL', Buffer.from('a\0b')],
    ['200 bytes', Buffer.alloc(200, 'x')],
    ['what looks like a name for bytes', Buffer.from('hex:ff00fe')],
  ] as const) {
    it(`[DTLS-016] an identity of ${name} finds its key by its bytes and has a name of its own`, () => {
      const key = Buffer.alloc(64, 7);
      const ground = createDtlsGround({ keys: new Map([[identity.toString('latin1'), key]]) });
      new ScriptedClient({ ground, identity, key }).connect();
      const text = identity.toString('utf8');
      const name = Buffer.from(text).equals(identity) && !text.startsWith('hex:') ? text : `hex:${identity.toString('hex')}`;
      assert.equal(ground.of('established')[0]?.peer.identity.name, name);
    });
  }

  it('[DTLS-017] an unknown identity and a wrong key look alike to the peer, message by message and in time', () => {
    const look = (options: { identity?: Buffer; key?: Buffer }): { seen: string[]; reason: string | undefined } => {
      const ground = createDtlsGround();
      const client = new ScriptedClient({ ground, from: ground.route('198.51.100.7', 7), seed: 5, ...options }).greet();
      client.send(client.keyExchange(), client.ccs(), client.finished());
      const seen: string[] = [];
      const start = ground.now;
      ground.onSend = (data) => void seen.push(`${ground.now - start}: ${data.toString('hex')}`);
      ground.advance(200_000);
      assert.deepEqual(ground.core.sizes(), { sessions: 0, handshakes: 0, reassemblyBytes: 0 });
      return { seen, reason: ground.of('failed')[0]?.reason };
    };
    const wrong = look({ key: Buffer.alloc(16) });
    const unknown = look({ identity: Buffer.from('device two') });
    assert.ok(wrong.seen.length > 0);
    assert.deepEqual(unknown.seen, wrong.seen);
    assert.deepEqual([unknown.reason, wrong.reason], ['unknown-identity', 'wrong-key']);
    const alert = wire.records(Buffer.from(wrong.seen.at(-1)!.split(' ')[1]!, 'hex'))[0];
    assert.deepEqual([alert?.type, alert?.body.toString('hex')], [wire.ALERT, '0233']);
  });

  it('[DTLS-018] a Finished that does not match ends the handshake with decrypt_error', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground }).greet();
    client.send(client.keyExchange(), client.ccs());
    const message = client.finishedMessage();
    message[message.length - 1] = (message[message.length - 1] as number) ^ 1;
    client.send(client.secure(wire.HANDSHAKE, message));
    assert.deepEqual(client.alerts, [{ level: 2, description: 51, protected: false }]);
    assert.deepEqual(ground.core.sizes(), { sessions: 0, handshakes: 0, reassemblyBytes: 0 });
    for (const length of [11, 13]) {
      const other = new ScriptedClient({ ground }).greet();
      other.send(other.keyExchange(), other.ccs());
      const right = other.finishedMessage().subarray(12);
      other.send(other.secure(wire.HANDSHAKE, wire.handshake(20, 3, Buffer.concat([right, Buffer.alloc(1)]).subarray(0, length))));
      assert.deepEqual(other.alerts, [{ level: 2, description: 51, protected: false }]);
    }
    assert.equal(ground.of('established').length, 0);
  });

  it('[DTLS-019] while a look-up takes its time messages wait; a result that comes too late changes nothing', () => {
    const ground = createDtlsGround({ holdJobs: true });
    const client = new ScriptedClient({ ground }).greet();
    client.send(client.keyExchange(), client.ccs(), client.finished());
    assert.equal(ground.of('established').length, 0);
    ground.work();
    client.take(ground.sent.at(-1)!.data);
    assert.equal(client.serverFinished, 'right');
    const late = new ScriptedClient({ ground, identity: Buffer.from('x') }).greet();
    late.send(late.keyExchange(), late.ccs(), late.finished());
    ground.advance(200_000);
    assert.equal(ground.core.sizes().handshakes, 0);
    const before = ground.sent.length;
    ground.work();
    assert.equal(ground.sent.length, before);
  });

  it('[DTLS-019] a result counts once', () => {
    const ground = createDtlsGround({ holdJobs: true });
    const client = new ScriptedClient({ ground }).greet();
    client.send(client.keyExchange());
    const [job] = ground.jobs.splice(0);
    assert.ok(job);
    ground.core.done(job.id, { kind: 'psk', key: KEY }, ground.now);
    ground.core.done(job.id, { kind: 'psk', key: Buffer.alloc(16) }, ground.now);
    ground.core.done(job.id, { kind: 'failed', error: new Error('late') }, ground.now);
    client.send(client.ccs(), client.finished());
    assert.equal(client.serverFinished, 'right');
  });

  it('[DTLS-020] the key log has the random and the master secret, in the form of NSS', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground, key: KEY }).connect();
    assert.deepEqual(ground.keyLog, [`CLIENT_RANDOM ${client.clientRandom.toString('hex')} ${client.master.toString('hex')}`]);
  });
});
