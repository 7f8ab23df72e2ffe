import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suiteById } from '../../../lib/dtls/constants';
import { readRecord } from '../../../lib/dtls/record/codec';
import { FORGERY_BURST, FORGERY_RATE, HOME_FORGERY_BURST, HOME_FORGERY_RATE, SecureLink } from '../../../lib/dtls/record/link';
import { ReplayWindow } from '../../../lib/dtls/record/replay';
import type { Peer } from '../../../lib/transport/types';
import { ScriptedClient } from '../../support/dtls/client';
import { createDtlsGround, type DtlsGround } from '../../support/dtls/ground';
import * as wire from '../../support/dtls/wire';

function session(suite: keyof typeof wire.SUITES = 'PSK_CCM_8', cid?: Buffer): { ground: DtlsGround; client: ScriptedClient } {
  const ground = createDtlsGround();
  return { ground, client: new ScriptedClient({ ground, suite, ...(cid && { cid }) }).connect() };
}

const texts = (ground: DtlsGround): string[] => ground.received.map(({ data }) => data.toString());

describe('DTLS: records', () => {
  it('[DTLS-060] a repeated record is dropped; the window is 64 records wide', () => {
    const { ground, client } = session();
    client.say('first', { seq: 100 });
    client.say('first', { seq: 100 });
    for (const [seq, taken] of [
      [37, true],
      [36, false],
      [35, false],
      [38, true],
      [37, false],
      [99, true],
      [0, false],
    ] as const) {
      const before = ground.received.length;
      client.say(`seq ${seq}`, { seq });
      assert.equal(ground.received.length - before, taken ? 1 : 0, `seq ${seq}`);
    }
    assert.ok(ground.core.counters.replayedRecords > 0);
  });

  it('[DTLS-060] a jump by 2^32 and more moves the window along', () => {
    const { ground, client } = session();
    for (const seq of [2 ** 32 + 5, 2 ** 32 - 50, 2 ** 32 + 5, 6, 2 ** 48 - 1, 2 ** 48 - 64, 2 ** 48 - 65])
      client.say(String(seq), { seq });
    assert.deepEqual(texts(ground), [2 ** 32 + 5, 2 ** 32 - 50, 2 ** 48 - 1, 2 ** 48 - 64].map(String));
  });

  it('[DTLS-060] the window as a plain set of numbers has it', () => {
    const steps = fc.array(fc.oneof(fc.integer({ min: -70, max: 70 }), fc.integer({ min: 0, max: 2 ** 33 })), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (moves) => {
        const window = new ReplayWindow();
        const seen = new Set<number>();
        let newest = -1;
        for (const move of moves) {
          const seq = Math.max(0, Math.max(newest, 0) + move);
          const expected = !seen.has(seq) && seq > newest - 64;
          assert.equal(window.isNew(seq), expected);
          if (!expected) continue;
          window.take(seq);
          seen.add(seq);
          newest = Math.max(newest, seq);
        }
        const copy = new ReplayWindow();
        copy.restore(window.state);
        for (let seq = Math.max(0, newest - 70); seq < newest + 3; seq += 1) assert.equal(copy.isNew(seq), window.isNew(seq));
      }),
      { seed: 20_260_103, numRuns: 300 },
    );
  });

  it('[DTLS-061] a forged record with a high number does not move the window, gets no answer, and harms nothing', () => {
    const { ground, client } = session();
    client.say('one');
    const forged = Buffer.from(client.secure(wire.DATA, Buffer.from('forged'), { seq: 1_000_000 }));
    forged[forged.length - 1] = (forged[forged.length - 1] as number) ^ 1;
    assert.deepEqual(ground.receive(forged, client.from), []);
    client.say('two');
    assert.deepEqual(texts(ground), ['one', 'two']);
    assert.equal(ground.core.counters.forgedRecords, 1);
  });

  for (const suite of ['PSK_CCM_8', 'PSK_CCM', 'PSK_GCM'] as const) {
    it(`[DTLS-062] ${suite}: an empty record is delivered when it is genuine, and refused when it is forged`, () => {
      const { ground, client } = session(suite);
      const explicit = wire.num(2 ** 32, 8);
      for (const tag of [8, 16]) {
        for (const fill of [0, 255]) {
          const body = Buffer.concat([explicit, Buffer.alloc(tag, fill)]);
          assert.deepEqual(ground.receive(wire.record(wire.DATA, 1, 50, body), client.from), []);
        }
      }
      assert.equal(ground.received.length, 0, 'nothing forged');
      client.say('');
      assert.deepEqual(texts(ground), ['']);
    });

    it(`[DTLS-062] ${suite}: records shorter than nonce and tag, and with a changed header, are refused`, () => {
      const { ground, client } = session(suite);
      const right = client.secure(wire.DATA, Buffer.from('right'));
      for (let cut = 0; cut < right.length - 13; cut += 1) {
        const short = Buffer.concat([right.subarray(0, 11), wire.lengthed(2, right.subarray(13, 13 + cut))]);
        ground.receive(short, client.from);
      }
      for (const at of [0, 1, 2, 3, 4, 5, 10]) {
        const changed = Buffer.from(right);
        changed[at] = (changed[at] as number) ^ 1;
        ground.receive(changed, client.from);
      }
      assert.equal(ground.received.length, 0);
      assert.equal(ground.core.sizes().sessions, 1);
      ground.receive(right, client.from);
      assert.deepEqual(texts(ground), ['right']);
    });
  }

  it('[DTLS-063] several records of a datagram all count; a bad one does not spoil the rest', () => {
    const { ground, client } = session();
    const forged = Buffer.from(client.secure(wire.DATA, Buffer.from('x'), { seq: 40 }));
    forged[20] = (forged[20] as number) ^ 1;
    const other = wire.record(wire.HANDSHAKE, 0, 9, Buffer.from('no message'));
    client.send(client.secure(wire.DATA, Buffer.from('a')), forged, other, client.secure(wire.DATA, Buffer.from('b')));
    assert.deepEqual(texts(ground), ['a', 'b']);
  });

  it('[DTLS-063] what reaches past its datagram, is too large or of no known type ends the reading of a datagram', () => {
    const { ground, client } = session();
    const tail = (): Buffer => client.secure(wire.DATA, Buffer.from('behind'));
    const tooLong = Buffer.concat([Buffer.from([23, 0xfe, 0xfd, 0, 1]), wire.num(70, 6), wire.num(2_000, 2), Buffer.alloc(100)]);
    client.send(tooLong);
    client.send(wire.record(wire.DATA, 1, 71, Buffer.alloc(18_433)), tail());
    client.send(wire.record(63, 1, 72, Buffer.alloc(30)), tail());
    assert.deepEqual([ground.received.length, ground.core.counters.malformedDatagrams], [0, 3]);
    client.say('fine');
    assert.deepEqual(texts(ground), ['fine']);
  });

  it('[DTLS-064] unprotected data, alerts and changes of cipher do nothing to a session', () => {
    const { ground, client } = session();
    for (const [type, body] of [
      [wire.DATA, Buffer.from('plain')],
      [wire.ALERT, Buffer.from([2, 40])],
      [wire.ALERT, Buffer.from([1, 0])],
      [wire.CCS, Buffer.from([1])],
      [wire.HANDSHAKE, Buffer.from('garbage')],
    ] as const) {
      for (let seq = 0; seq < 3; seq += 1) assert.deepEqual(ground.receive(wire.record(type, 0, seq, body), client.from), []);
    }
    client.say('on');
    assert.deepEqual(texts(ground), ['on']);
    assert.equal(ground.of('ended').length, 0);
  });

  it('[DTLS-064] records of other epochs and versions are not of the session', () => {
    const { ground, client } = session();
    for (const epoch of [2, 3, 256, 65_535]) client.send(client.secure(wire.DATA, Buffer.from('x'), { epoch, seq: 30 }));
    client.send(wire.protect(client.writeSide, wire.DATA, 31, Buffer.from('x'), { version: 0xfeff }));
    assert.equal(ground.received.length, 0);
  });

  const forgeries = (ground: DtlsGround, from: Peer, count: number, cid: Buffer = Buffer.alloc(0)): void => {
    const type = cid.length > 0 ? wire.CID_RECORD : wire.DATA;
    for (let seq = 0; seq < count; seq += 1) ground.receive(wire.record(type, 1, 1_000 + seq, Buffer.alloc(40), { cid }), from);
  };

  it('[DTLS-065] past so many forged records of the peer in a row none is tried for a moment; the session stays, and so do the counters', () => {
    const { ground, client } = session();
    forgeries(ground, client.from, 2 * HOME_FORGERY_BURST);
    const { forgedRecords, quietRecords } = ground.core.counters;
    assert.ok(forgedRecords <= HOME_FORGERY_BURST + 1, `${forgedRecords} tried`);
    assert.equal(forgedRecords + quietRecords, 2 * HOME_FORGERY_BURST);
    client.say('not now');
    assert.deepEqual(texts(ground), []);
    ground.advance(1000 / HOME_FORGERY_RATE + 1);
    client.say('now');
    assert.deepEqual(texts(ground), ['now']);
    assert.equal(ground.core.sizes().sessions, 1);
  });

  it('[DTLS-065] whoever forges from another address makes the session deaf to other addresses alone, for a while', () => {
    const { ground, client } = session('PSK_CCM_8', Buffer.alloc(0));
    const stranger = ground.route('203.0.113.66', 4_000);
    forgeries(ground, stranger, 3 * FORGERY_BURST, ground.peer().link.options.ownCid);
    assert.ok(ground.core.counters.forgedRecords <= FORGERY_BURST + 1, `${ground.core.counters.forgedRecords} tried`);
    client.say('at home');
    assert.deepEqual(texts(ground), ['at home']);
    client.from = ground.route('198.51.100.9', 6_000);
    client.say('moved');
    assert.deepEqual(texts(ground), ['at home']);
    ground.advance(1000 / FORGERY_RATE + 1);
    client.say('moved, again');
    assert.deepEqual(texts(ground), ['at home', 'moved, again']);
  });

  it('[DTLS-066] the last number is used once, and then the session ends: numbers never wrap', () => {
    const { ground, client } = session();
    const peer = ground.peer();
    peer.link.sendSeq = 2 ** 48 - 2;
    ground.core.send(Buffer.from('last'), peer, ground.now);
    client.take(ground.sent.at(-1)!.data);
    assert.equal(client.data.at(-1)?.toString(), 'last');
    const before = ground.sent.length;
    ground.core.send(Buffer.from('one too many'), peer, ground.now);
    assert.equal(ground.sent.length, before);
    assert.equal(ground.of('ended')[0]?.reason, 'exhausted');
  });

  it('[DTLS-067] our records: version, epoch, explicit nonce and numbers as the RFCs have them', () => {
    for (const suite of Object.keys(wire.SUITES)) {
      const { ground, client } = session(suite);
      const peer = ground.peer();
      for (let index = 0; index < 3; index += 1) ground.core.send(Buffer.from(`n${index}`), peer, ground.now);
      const sent = ground.sent.slice(-3).map(({ data }) => wire.records(data)[0]!);
      assert.deepEqual(
        sent.map(({ type, version, epoch, seq }) => [type, version, epoch, seq]),
        [1, 2, 3].map((seq) => [wire.DATA, 0xfefd, 1, seq]),
      );
      for (const { body, seq } of sent) assert.deepEqual(body.subarray(0, 8), Buffer.concat([wire.num(1, 2), wire.num(seq, 6)]));
      for (const record of sent) assert.match(wire.unprotect(client.readSide, record).data.toString(), /^n\d$/);
    }
  });

  it('[DTLS-068] any bytes are read without an exception, and what is read lies within them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(220), fc.nat(8), (bytes, at, cidLength) => {
        const record = readRecord(Buffer.from(bytes), at, cidLength);
        if (record) assert.ok(record.end <= bytes.length && record.body.length <= bytes.length);
      }),
      { seed: 20_260_104, numRuns: 2_000 },
    );
  });

  it('[DTLS-069] two links of our own agree with each other, with and without connection IDs', () => {
    const suite = suiteById(0xc0a8);
    assert.ok(suite);
    const mac = Buffer.alloc(0);
    const one = { key: Buffer.alloc(16, 1), salt: Buffer.alloc(4, 2), mac };
    const two = { key: Buffer.alloc(16, 3), salt: Buffer.alloc(4, 4), mac };
    const encryptThenMac = false;
    for (const cid of [Buffer.alloc(0), Buffer.from('beef', 'hex'), Buffer.alloc(20, 9)]) {
      const left: SecureLink = new SecureLink({ suite, encryptThenMac, write: one, read: two, peerCid: cid, ownCid: Buffer.alloc(0) });
      const right: SecureLink = new SecureLink({ suite, encryptThenMac, write: two, read: one, peerCid: Buffer.alloc(0), ownCid: cid });
      const bytes = left.seal(wire.DATA, Buffer.from('hello'));
      assert.equal(bytes.length, 5 + left.overhead);
      const opened: ReturnType<SecureLink['open']> = right.open(readRecord(bytes, 0, cid.length)!, 0, true);
      assert.ok(typeof opened === 'object');
      assert.deepEqual([opened.type, opened.data.toString(), opened.newest], [wire.DATA, 'hello', true]);
    }
  });
});
