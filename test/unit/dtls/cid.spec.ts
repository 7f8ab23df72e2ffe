import assert from 'node:assert/strict';
import { ScriptedClient } from '../../support/dtls/client';
import { createDtlsGround, type DtlsGround, type GroundOptions } from '../../support/dtls/ground';
import * as wire from '../../support/dtls/wire';

const NONE = Buffer.alloc(0);

function session(options: GroundOptions & { cid?: Buffer } = {}): { ground: DtlsGround; client: ScriptedClient } {
  const ground = createDtlsGround(options);
  return { ground, client: new ScriptedClient({ ground, cid: options.cid ?? NONE }).connect() };
}

const texts = (ground: DtlsGround): string[] => ground.received.map(({ data }) => data.toString());
const lastTo = (ground: DtlsGround): string => `${ground.sent.at(-1)?.to.address}:${ground.sent.at(-1)?.to.port}`;

describe('DTLS: connection IDs (RFC 9146)', () => {
  for (const suite of Object.keys(wire.SUITES)) {
    for (const cid of [NONE, Buffer.from('c0ffee', 'hex')]) {
      it(`[DTLS-070] ${suite}: ours of 6 bytes, the client's of ${cid.length}; data both ways`, () => {
        const ground = createDtlsGround();
        const client = new ScriptedClient({ ground, suite, cid }).connect();
        assert.equal(client.serverCid.length, 6);
        const [established] = ground.of('established');
        assert.equal(established?.cid, true);
        client.say('up');
        client.say('padded', { padding: 40 });
        ground.core.send(Buffer.from('down'), established.peer, ground.now);
        client.take(ground.sent.at(-1)!.data);
        assert.deepEqual([texts(ground), client.data.map(String)], [['up', 'padded'], ['down']]);
        assert.equal(ground.sent.at(-1)!.data[0], cid.length > 0 ? wire.CID_RECORD : wire.DATA);
      });
    }
  }

  it('[DTLS-071] without the extension there are none; the numbers of the drafts are not answered', () => {
    for (const type of [53, 254]) {
      const ground = createDtlsGround();
      const client = new ScriptedClient({ ground, extensions: [[type, Buffer.from([2, 1, 2])]] }).connect();
      assert.equal(client.hello?.extensions.has(type), false);
      assert.equal(client.hello.extensions.has(54), false);
      assert.equal(ground.of('established')[0]?.cid, false);
    }
  });

  it('[DTLS-071] they can be turned off, and asked for with length 0, which makes our records carry the client its own', () => {
    const off = session({ limits: { cid: 0 }, cid: Buffer.from([1, 2]) });
    assert.equal(off.client.hello?.extensions.has(54), false);
    off.client.say('x');
    assert.deepEqual(texts(off.ground), ['x']);
    const empty = session({ limits: { cidLength: 0 }, cid: Buffer.from([1, 2]) });
    assert.deepEqual(empty.client.hello?.extensions.get(54), Buffer.from([0]));
    empty.client.say('y');
    assert.deepEqual(texts(empty.ground), ['y']);
    const peer = empty.ground.peer();
    empty.ground.core.send(Buffer.from('z'), peer, empty.ground.now);
    assert.equal(empty.ground.sent.at(-1)!.data[0], wire.CID_RECORD);
  });

  it('[DTLS-072] each is random behind the prefix of the server, and no two live ones are the same', () => {
    const ground = createDtlsGround({ cidPrefix: Buffer.from([7, 9]), limits: { sourceRate: 0, totalRate: 0 } });
    const seen = new Set<string>();
    for (let index = 0; index < 500; index += 1) {
      const client = new ScriptedClient({ ground, cid: NONE }).greet();
      assert.deepEqual([...client.serverCid.subarray(0, 2)], [7, 9]);
      seen.add(client.serverCid.toString('hex'));
    }
    assert.equal(seen.size, 500);
    assert.throws(() => createDtlsGround({ cidPrefix: Buffer.alloc(3) }), RangeError);
  });

  it('[DTLS-073] a session is found by it wherever it comes from, and answered there', () => {
    const { ground, client } = session();
    const peer = ground.peer();
    for (let port = 30_000; port < 30_020; port += 1) {
      client.from = ground.route('203.0.113.5', port);
      client.say(`from ${port}`);
      assert.deepEqual([peer.address, peer.port], ['203.0.113.5', port]);
      ground.core.send(Buffer.from('down'), peer, ground.now);
      assert.equal(lastTo(ground), `203.0.113.5:${port}`);
    }
    assert.equal(ground.received.length, 20);
    assert.ok(ground.received.every((item) => item.peer === peer));
    assert.equal(ground.of('established').length, 1);
    assert.deepEqual(
      ground.of('moved').map(({ port }) => port),
      Array.from({ length: 20 }, (_, index) => 30_000 + index),
    );
  });

  it('[DTLS-074] only the newest record moves it: an older one is delivered, and changes no address', () => {
    const { ground, client } = session();
    const home = client.from;
    const peer = ground.peer();
    const older = client.secure(wire.DATA, Buffer.from('older'));
    client.say('newer');
    ground.receive(older, ground.route('203.0.113.66', 666));
    assert.deepEqual(texts(ground), ['newer', 'older']);
    assert.deepEqual([peer.address, peer.port], [home.address, home.port]);
    assert.equal(ground.of('moved').length, 0);
  });

  it('[DTLS-074] a replayed or forged record does not move it either', () => {
    const { ground, client } = session();
    const peer = ground.peer();
    const { port } = peer;
    const record = client.secure(wire.DATA, Buffer.from('once'));
    ground.receive(record, client.from);
    ground.receive(record, ground.route('203.0.113.66', 666));
    const forged = client.secure(wire.DATA, Buffer.from('never'));
    forged[forged.length - 1] = (forged[forged.length - 1] as number) ^ 1;
    ground.receive(forged, ground.route('203.0.113.66', 666));
    assert.equal(peer.port, port);
    assert.deepEqual(texts(ground), ['once']);
  });

  it('[DTLS-075] unknown, cut and foreign IDs are dropped in silence', () => {
    const { ground, client } = session();
    const other = new ScriptedClient({ ground, cid: NONE, seed: 77 }).greet();
    for (const cid of [
      Buffer.alloc(6, 1),
      client.serverCid.subarray(0, 5),
      Buffer.concat([client.serverCid, Buffer.alloc(1)]),
      other.serverCid,
    ]) {
      assert.deepEqual(ground.receive(client.secure(wire.DATA, Buffer.from('x'), { cid, seq: 60 }), client.from), []);
    }
    assert.equal(ground.received.length, 0);
    assert.ok(ground.core.counters.unknownCids > 0);
  });

  it('[DTLS-075] where one was agreed on, records without it are not of the session, from its own address too', () => {
    const { ground, client } = session();
    client.send(client.secure(wire.DATA, Buffer.from('plain'), { cid: NONE }));
    assert.equal(ground.received.length, 0);
    client.send(wire.record(wire.CID_RECORD, 0, 5, Buffer.alloc(30), { cid: client.serverCid }));
    assert.equal(ground.received.length, 0);
    client.say('with it');
    assert.deepEqual(texts(ground), ['with it']);
  });

  it('[DTLS-075] a Finished without the ID that was agreed on completes nothing', () => {
    const ground = createDtlsGround();
    const client = new ScriptedClient({ ground, cid: NONE }).greet();
    client.send(client.keyExchange(), client.ccs());
    client.send(client.secure(wire.HANDSHAKE, client.finishedMessage(), { cid: NONE }));
    assert.equal(ground.core.sizes().sessions, 0);
    client.send(client.finished());
    assert.equal(client.serverFinished, 'right');
  });

  it('[DTLS-075] one datagram may hold records of two sessions; each is judged by itself', () => {
    const keys = new Map([
      ['one', Buffer.alloc(16, 1)],
      ['two', Buffer.alloc(16, 2)],
    ]);
    const ground = createDtlsGround({ keys });
    const [one, two] = ['one', 'two'].map((name) =>
      new ScriptedClient({ ground, cid: NONE, identity: Buffer.from(name), key: keys.get(name)! }).connect(),
    ) as [ScriptedClient, ScriptedClient];
    const spliced = Buffer.concat([one.secure(wire.DATA, Buffer.from('1')), two.secure(wire.DATA, Buffer.from('2'))]);
    ground.receive(spliced, one.from);
    assert.deepEqual(
      ground.received.map(({ data, peer }) => [data.toString(), peer.identity.name]),
      [
        ['1', 'one'],
        ['2', 'two'],
      ],
    );
  });

  it('[DTLS-076] a record of nothing but zeros has no type and is dropped; handshake and change inside do nothing', () => {
    const { ground, client } = session();
    const zeros = wire.protect(client.writeSide, 0, client.seq++, Buffer.alloc(20), { cid: client.serverCid });
    assert.deepEqual(ground.receive(zeros, client.from), []);
    client.send(
      client.secure(wire.CCS, Buffer.from([1])),
      client.secure(wire.HANDSHAKE, Buffer.from('nonsense')),
      client.secure(99, Buffer.from('?')),
    );
    assert.equal(ground.received.length, 0);
    client.say('on');
    assert.deepEqual(texts(ground), ['on']);
  });

  it('[DTLS-076] padding is taken off only when the record is authentic, and what is data stays', () => {
    const { ground, client } = session();
    const data = Buffer.from('ends in zeros\0\0\0');
    client.say(data, { padding: 3 });
    assert.deepEqual(ground.received[0]?.data, data);
  });

  it('[DTLS-077] after a move little is sent to the new address until it is heard from there again', () => {
    const { ground, client } = session({ limits: { unprovenBytes: 1_000 } });
    const peer = ground.peer();
    // Somebody in between sends on a genuine record from a victim's address.
    ground.receive(client.secure(wire.DATA, Buffer.from('x')), ground.route('203.0.113.99', 9));
    const before = ground.sent.length;
    for (let index = 0; index < 100; index += 1) ground.core.send(Buffer.alloc(200), peer, ground.now);
    const bytes = ground.sent.slice(before).reduce((sum, { data }) => sum + data.length, 0);
    assert.ok(bytes > 0 && bytes <= 1_000, `${bytes} bytes`);
    ground.receive(client.secure(wire.DATA, Buffer.from('y')), ground.route('203.0.113.99', 9));
    ground.core.send(Buffer.alloc(200), peer, ground.now);
    assert.equal(lastTo(ground), '203.0.113.99:9');
    assert.ok(ground.sent.length > before);
  });

  it('[DTLS-078] taking over an address that another session has harms neither', () => {
    const names = ['with', 'without', 'other'];
    const keys = new Map(names.map((name, index) => [name, Buffer.alloc(16, index + 1)]));
    const ground = createDtlsGround({ keys });
    const open = (name: string, cid?: Buffer): ScriptedClient =>
      new ScriptedClient({ ground, identity: Buffer.from(name), key: keys.get(name)!, ...(cid && { cid }) }).connect();
    const moving = open('with', NONE);
    const still = open('without');
    const other = open('other', NONE);
    for (const victim of [still, other]) {
      moving.from = victim.from;
      moving.say('here now');
      victim.say('me too');
    }
    assert.deepEqual(
      ground.received.map(({ peer }) => peer.identity.name),
      ['with', 'without', 'with', 'other'],
    );
    for (const { peer } of ground.of('established')) ground.core.send(Buffer.from(peer.identity.name), peer, ground.now);
    assert.equal(ground.core.sizes().sessions, 3);
  });

  it('[DTLS-079] a device behind a NAT that changes its port every two datagrams needs no new handshake', () => {
    const { ground, client } = session();
    for (let index = 0; index < 200; index += 1) {
      if (index % 2 === 0) client.from = ground.route('203.0.113.5', 10_000 + index);
      client.say(String(index));
    }
    assert.equal(ground.received.length, 200);
    assert.equal(ground.of('established').length, 1);
  });
});
