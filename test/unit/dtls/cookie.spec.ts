import assert from 'node:assert/strict';
import { ScriptedClient } from '../../support/dtls/client';
import { createDtlsGround, IDENTITY } from '../../support/dtls/ground';
import * as wire from '../../support/dtls/wire';

const NOTHING = { sessions: 0, handshakes: 0, reassemblyBytes: 0 };

describe('DTLS: cookies, and nothing before them', () => {
  it('[DTLS-030] a hello without a cookie gets a HelloVerifyRequest smaller than itself, and leaves nothing behind', () => {
    const ground = createDtlsGround();
    for (const suite of Object.keys(wire.SUITES)) {
      const client = new ScriptedClient({ ground, suite });
      // The smallest hello there is: one suite, no extensions.
      for (const change of [{}, { suites: [0xc0a8], extensions: undefined }]) {
        const hello = client.helloRecord(change);
        const answers = ground.receive(hello, client.from);
        assert.equal(answers.length, 1);
        assert.ok(answers[0]!.length < hello.length, `${answers[0]!.length} for ${hello.length}`);
      }
    }
    assert.deepEqual(ground.core.sizes(), NOTHING);
    assert.equal(ground.core.deadline(), Infinity);
    assert.deepEqual([ground.jobs.length, ground.reports.length], [0, 0]);
  });

  it('[DTLS-031] it has record version 0xfefd, the record number of the hello and message number 0', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground });
    for (const version of [0xfeff, 0xfefd, 0xfe00, 0x0303, 0xffff]) {
      client.cookie = Buffer.alloc(0);
      const message = wire.handshake(1, 0, wire.clientHello(client.fields()));
      const [answer] = ground.receive(wire.record(wire.HANDSHAKE, 0, 0x123456, message, { version }), client.from);
      const [record] = wire.records(answer!);
      assert.deepEqual([record?.type, record?.version, record?.epoch, record?.seq], [wire.HANDSHAKE, 0xfefd, 0, 0x123456]);
      const [request] = wire.messages(record!.body);
      assert.deepEqual([request?.type, request?.messageSeq, request?.data.readUInt16BE(0)], [3, 0, 0xfefd]);
    }
  });

  it('[DTLS-032] the record version of a hello does not matter with a cookie either', () => {
    for (const version of [0xfeff, 0xfe00, 0x0303]) {
      const ground = createDtlsGround();
      const client = new ScriptedClient({ ground });
      client.send(client.helloRecord());
      const hello = client.helloRecord();
      hello.writeUInt16BE(version, 1);
      client.send(hello);
      assert.ok(client.sawDone);
    }
  });

  it('[DTLS-033] the answer to a good cookie goes on from the numbers of its hello', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground });
    client.plainSeq = 77;
    client.send(client.helloRecord());
    const [flight] = client.send(client.helloRecord());
    const records = wire.records(flight!);
    assert.deepEqual(
      records.map(({ seq }) => seq),
      [78, 79],
    );
    assert.deepEqual(records.map(({ body }) => wire.messages(body).map(({ type, messageSeq }) => [type, messageSeq])).flat(), [
      [2, 1],
      [14, 2],
    ]);
  });

  it('[DTLS-034] a cookie holds for its address, port, version, random, session id, suites and compression alone', () => {
    const ground = createDtlsGround();
    const changes: [string, Partial<wire.HelloFields>][] = [
      ['version', { version: 0xfefc }],
      ['random', { random: Buffer.alloc(32, 1) }],
      ['session id', { sessionId: Buffer.alloc(8) }],
      ['suites', { suites: [0xc0a8] }],
      ['other suites', { suites: [0xc0a8, 0x00fe] }],
      ['compression', { compression: Buffer.from([0, 1]) }],
    ];
    const refused = (client: ScriptedClient, change: Partial<wire.HelloFields>, name: string): void => {
      const [answer] = ground.receive(client.helloRecord(change), client.from);
      assert.equal(wire.messages(wire.records(answer!)[0]!.body)[0]?.type, 3, name);
      assert.deepEqual(ground.core.sizes(), NOTHING, name);
    };
    for (const [name, change] of changes) {
      const client = new ScriptedClient({ ground });
      client.send(client.helloRecord());
      refused(client, change, name);
    }
    const moved = new ScriptedClient({ ground, from: ground.route('192.0.2.1', 1000) });
    moved.send(moved.helloRecord());
    for (const [address, port] of [
      ['192.0.2.1', 1001],
      ['192.0.2.2', 1000],
    ] as const) {
      moved.from = ground.route(address, port);
      refused(moved, {}, `${address}:${port}`);
    }
    assert.equal(ground.core.counters.wrongCookies, changes.length + 2);
  });

  it('[DTLS-034] a cookie of the wrong length or with a wrong byte gets a new one, and no alert', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground });
    client.send(client.helloRecord());
    const good = client.cookie;
    for (const cookie of [good.subarray(0, 15), Buffer.concat([good, Buffer.alloc(1)]), Buffer.alloc(16), Buffer.alloc(255)]) {
      const [answer] = ground.receive(client.helloRecord({ cookie }), client.from);
      assert.equal(wire.messages(wire.records(answer!)[0]!.body)[0]?.type, 3);
    }
    assert.deepEqual(ground.core.sizes(), NOTHING);
  });

  it('[DTLS-035] a cookie lives for one to two times its lifetime', () => {
    for (const [wait, good] of [
      [59_000, true],
      [60_000, true],
      [119_999, true],
      [120_000, false],
      [10_000_000, false],
    ] as const) {
      const ground = createDtlsGround({ limits: { cookieLifetime: 60_000 } });
      const client = new ScriptedClient({ ground });
      client.send(client.helloRecord());
      ground.advance(wait);
      client.send(client.helloRecord());
      assert.equal(client.sawDone, good, `after ${wait} ms`);
    }
  });

  it('[DTLS-036] malformed hellos and hellos in pieces get no answer and leave nothing', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground });
    client.send(client.helloRecord());
    const fields = { ...client.fields(), cookie: client.cookie };
    const body = wire.clientHello(fields);
    const bad: [string, Buffer][] = [
      ['length 0', wire.handshake(1, 0, Buffer.alloc(0))],
      ['a header cut short', wire.handshake(1, 1, body).subarray(0, 7)],
      ['half a suite', wire.handshake(1, 1, Buffer.concat([body.subarray(0, 52), wire.lengthed(2, Buffer.alloc(3)), Buffer.from([1, 0])]))],
      ['no suites', wire.handshake(1, 1, wire.clientHello({ ...fields, suites: [] }))],
      ['no compression', wire.handshake(1, 1, wire.clientHello({ ...fields, compression: Buffer.alloc(0) }))],
      ['bytes behind', wire.handshake(1, 1, Buffer.concat([body, Buffer.alloc(1)]))],
      ['a session id of 33 bytes', wire.handshake(1, 1, wire.clientHello({ ...fields, sessionId: Buffer.alloc(33) }))],
      ['a first piece', wire.handshake(1, 1, body, { data: body.subarray(0, 60) })],
      ['a piece from the middle', wire.handshake(1, 1, body, { offset: 20, data: body.subarray(20, 40) })],
      ['a piece past the end', wire.handshake(1, 1, body, { offset: body.length, data: Buffer.alloc(1), length: body.length })],
      ['two hellos in one record', Buffer.concat([wire.handshake(1, 1, body), wire.handshake(1, 1, body)])],
      ['message number 2', wire.handshake(1, 2, body)],
      ['message number 65535', wire.handshake(1, 65_535, body)],
      ['a version that is none', wire.handshake(1, 1, wire.clientHello({ ...fields, version: 0x0303 }))],
    ];
    for (let cut = 0; cut < body.length; cut += 1) bad.push([`cut at ${cut}`, wire.handshake(1, 1, body.subarray(0, cut))]);
    for (const [name, message] of bad) {
      // The extensions may be missing as a whole: such a hello is complete.
      const whole = name === `cut at ${wire.clientHello({ ...fields, extensions: undefined }).length}`;
      if (whole) continue;
      assert.deepEqual(ground.receive(client.plain(wire.HANDSHAKE, message), client.from), [], name);
      assert.deepEqual(ground.core.sizes(), NOTHING, name);
    }
    assert.deepEqual(ground.receive(client.plain(wire.HANDSHAKE, wire.handshake(1, 1, body), { seq: 2 ** 48 - 1 }), client.from), []);
    assert.equal(ground.core.counters.fragmentedHellos, 2);
  });

  it('[DTLS-037] a hello is good for one session: a late copy of it starts nothing', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground }).greet();
    const copy = client.helloRecord();
    client.transcript = Buffer.alloc(0);
    const honest = new ScriptedClient({ ground });
    honest.send(honest.helloRecord());
    const hello = honest.helloRecord();
    honest.send(hello);
    honest.send(honest.keyExchange(), honest.ccs(), honest.finished());
    assert.equal(honest.serverFinished, 'right');
    assert.deepEqual(ground.receive(hello, honest.from), []);
    assert.equal(ground.core.counters.spentHellos, 1);
    assert.equal(ground.core.sizes().handshakes, 1, 'only that of the other client');
    assert.ok(copy.length > 0);
  });

  it('[DTLS-038] without a session or a handshake nothing but a hello has any effect', () => {
    const ground = createDtlsGround();
    const from = ground.route('203.0.113.9', 99);
    const message = (type: number): Buffer => wire.record(wire.HANDSHAKE, 0, 0, wire.handshake(type, 0, wire.lengthed(2, IDENTITY)));
    for (let type = 0; type < 256; type += 1) if (type !== 1) assert.deepEqual(ground.receive(message(type), from), []);
    for (let type = 0; type < 256; type += 1) {
      for (const epoch of [0, 1, 2, 65_535]) {
        if (type === wire.HANDSHAKE && epoch === 0) continue;
        assert.deepEqual(ground.receive(wire.record(type, epoch, 0, Buffer.alloc(40, 1)), from), []);
      }
    }
    const inEpoch1 = wire.record(wire.HANDSHAKE, 1, 0, wire.handshake(1, 0, wire.clientHello(new ScriptedClient({ ground }).fields())));
    assert.deepEqual(ground.receive(inEpoch1, from), []);
    assert.deepEqual(ground.core.sizes(), NOTHING);
    assert.equal(ground.core.deadline(), Infinity);
  });
});
