import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { CIPHER_SUITES, suiteById, type CipherSuite } from '../../../lib/dtls/constants';
import { readRecord } from '../../../lib/dtls/record/codec';
import { SecureLink, type LinkOptions, type OpenedRecord, type Refusal } from '../../../lib/dtls/record/link';
import { decodeSession, encodeSession } from '../../../lib/dtls/session-codec';
import { ownKey, testStore } from '../../support/dtls/certificate-store';
import { ScriptedClient } from '../../support/dtls/client';
import { DEVICE, P256 } from '../../support/dtls/fixed-keys';
import { createDtlsGround, IDENTITY, KEY, type DtlsGround } from '../../support/dtls/ground';
import { ScriptedServer } from '../../support/dtls/server';
import * as wire from '../../support/dtls/wire';

const NONE = Buffer.alloc(0);
const suite = suiteById(0x00ae) as CipherSuite;
const keys = { key: Buffer.alloc(16, 7), salt: NONE, mac: Buffer.alloc(32, 9) };

function linkOf(change: Partial<LinkOptions> = {}): SecureLink {
  return new SecureLink({ suite, encryptThenMac: false, write: keys, read: keys, ownCid: NONE, peerCid: NONE, ...change });
}

const sideOf = (etm: boolean): wire.Side => ({ aead: 'cbc', key: keys.key, iv: NONE, mac: keys.mac, etm });

function openAt(link: SecureLink, bytes: Buffer, cidLength = 0): OpenedRecord | Refusal {
  const record = readRecord(bytes, 0, cidLength);
  assert.ok(record);
  return link.open(record, 0, true);
}

/** For the suite with certificates; the others do not mind. */
const certificates = testStore({ own: [ownKey(P256)], known: new Map([[DEVICE.publicKey.toString('hex'), 'device one']]) });
const rawPublicKey = { own: { privateKey: DEVICE.privateKey, shown: DEVICE.publicKey }, clientTypes: [2], serverTypes: [2] };

const textOf = (opened: OpenedRecord | Refusal): string => (typeof opened === 'string' ? `refused: ${opened}` : opened.data.toString());

/** A record with all that can be wrong about it, but for its number. `fill` is how long its content is. */
function spoiled(side: wire.Side, seq: number, fill = 200): Record<string, Buffer> {
  const make = (cbc: wire.CbcOptions, content = Buffer.alloc(fill, 'a'), { type = wire.DATA } = {}): Buffer =>
    wire.protect(side, type, seq, content, { cbc });
  const free = 15 - ((fill + (side.etm ? 0 : 32)) % 16);
  const long = free + 16;
  const wrongAt = (at: number): Buffer => {
    const bytes = Buffer.alloc(long + 1, long);
    bytes[at] = (bytes[at] as number) ^ 128;
    return bytes;
  };
  const right = make({});
  const cut = (bytes: number): Buffer => wire.record(wire.DATA, 1, seq, right.subarray(13, right.length - bytes));
  return {
    'wrong HMAC': make({ spoilMac: true }),
    'wrong HMAC under long padding': make({ spoilMac: true, pad: free + 16 * 14 }),
    'wrong padding at its start': make({ padBytes: wrongAt(0) }),
    'wrong padding near its end': make({ padBytes: wrongAt(long - 1) }),
    'padding longer than the text': make({ padBytes: Buffer.alloc(free + 1, 255) }, Buffer.alloc(fill, 'a')),
    'both wrong': make({ padBytes: wrongAt(3), spoilMac: true }),
    'another type in the HMAC': Buffer.concat([Buffer.from([wire.DATA]), make({}, undefined, { type: wire.ALERT }).subarray(1)]),
    'a block less': cut(16),
    'a byte less': cut(1),
    'a byte more': wire.record(wire.DATA, 1, seq, Buffer.concat([right.subarray(13), Buffer.alloc(1)])),
    'a block more': wire.record(wire.DATA, 1, seq, Buffer.concat([right.subarray(13), Buffer.alloc(16)])),
    'a vector alone': wire.record(wire.DATA, 1, seq, Buffer.alloc(16)),
    'too short for an HMAC': wire.record(wire.DATA, 1, seq, right.subarray(13, 13 + 48)),
    nothing: wire.record(wire.DATA, 1, seq, NONE),
  };
}

/** Blocks that the compression function of SHA-256 was called for while `work` ran. */
function blocksIn(work: () => void): number {
  const real = crypto.hash;
  let blocks = 0;
  crypto.hash = ((algorithm: string, data: Uint8Array, encoding: 'hex') => {
    blocks += Math.ceil((data.length + 9) / 64);
    return real(algorithm, data, encoding);
  }) as typeof real;
  try {
    work();
  } finally {
    crypto.hash = real;
  }
  return blocks;
}

describe('DTLS: CBC', () => {
  for (const name of Object.keys(wire.CBC_SUITES)) {
    for (const [ems, etm] of [
      [true, false],
      [true, true],
      [false, false],
      [false, true],
    ] as const) {
      it(`[DTLS-260] [DTLS-262] ${name}, ${ems ? 'with' : 'without'} extended master secret, ${etm ? 'encrypt-then-MAC' : 'MAC-then-encrypt'}: data both ways`, () => {
        const ground = createDtlsGround({ certificates });
        const client = new ScriptedClient({ ground, suite: name, ems, etm, ...rawPublicKey }).connect();
        const [established] = ground.of('established');
        assert.ok(established);
        assert.equal(client.hello?.extensions.has(22), etm);
        assert.equal(established.extendedMasterSecret, ems);
        for (const text of ['', 'up', 'x'.repeat(1_152)]) client.say(text);
        assert.deepEqual(
          ground.received.map(({ data }) => data.length),
          [0, 2, 1_152],
        );
        for (const text of ['', 'down', 'y'.repeat(1_152)]) {
          ground.core.send(Buffer.from(text), established.peer, ground.now);
          client.take(ground.sent.at(-1)!.data);
          assert.equal(client.data.at(-1)?.toString(), text);
        }
      });
    }
  }

  it('[DTLS-261] a client that offers anything else gets that, wherever CBC stands in its list', () => {
    for (const [offered, chosen] of [
      [[0x00ae, 0xc0a8], 0xc0a8],
      [[0xc037, 0x00ae, 0xd001], 0xd001],
      [[0xc037, 0x00ae], 0xc037],
      [[0x00ae, 0xc037], 0x00ae],
      [[0x00ae, 0xc02b], 0x00ae],
    ] as const) {
      const client = new ScriptedClient({ ground: createDtlsGround() });
      for (let round = 0; round < 2; round += 1) client.send(client.helloRecord({ suites: offered }));
      assert.equal(client.hello?.suite, chosen, offered.map((id) => id.toString(16)).join());
    }
  });

  it('[DTLS-262] encrypt-then-MAC is not answered where the suite is not CBC; with content it is decode_error', () => {
    for (const name of Object.keys(wire.SUITES)) {
      const client = new ScriptedClient({ ground: createDtlsGround(), suite: name, etm: true }).connect();
      assert.equal(client.hello?.extensions.has(22), false, name);
    }
    const client = new ScriptedClient({ ground: createDtlsGround(), suite: 'PSK_CBC', extensions: [[22, Buffer.alloc(1)]] }).greet();
    assert.deepEqual(client.alerts, [{ level: 2, description: 50, protected: false }]);
  });

  for (const etm of [false, true]) {
    const form = etm ? 'encrypt-then-MAC' : 'MAC-then-encrypt';
    const encryptThenMac = etm;

    it(`[DTLS-263] ${form}: padding of every length from 0 to 255 is taken off`, () => {
      const link = linkOf({ encryptThenMac });
      for (let pad = 0; pad < 256; pad += 1) {
        const text = 'z'.repeat(15 - (pad % 16));
        assert.equal(textOf(openAt(link, wire.protect(sideOf(etm), wire.DATA, pad, Buffer.from(text), { cbc: { pad } }))), text);
      }
    });

    it(`[DTLS-264] ${form}: whatever is wrong with a record, it is forged and nothing else`, () => {
      const side = sideOf(etm);
      for (const fill of [0, 1, 15, 16, 200, 400]) {
        const link = linkOf({ encryptThenMac });
        let forged = 0;
        for (const [what, bytes] of Object.entries(spoiled(side, 9, fill))) {
          assert.equal(openAt(link, bytes), 'forged', `${what}, ${fill} bytes`);
          assert.deepEqual([link.forged, link.window.newest], [(forged += 1), -1], what);
        }
        assert.equal(textOf(openAt(link, wire.protect(side, wire.DATA, 9, Buffer.from('right')))), 'right');
      }
    });

    it(`[DTLS-264] ${form}: each byte of padding and of the HMAC counts`, () => {
      const side = sideOf(etm);
      const link = linkOf({ encryptThenMac });
      for (const pad of [15, 255]) {
        for (let at = 0; at < pad; at += 1) {
          const padBytes = Buffer.alloc(pad + 1, pad);
          padBytes[at] = (padBytes[at] as number) ^ (1 << (at % 8));
          assert.equal(openAt(link, wire.protect(side, wire.DATA, 1, Buffer.alloc(32), { cbc: { padBytes } })), 'forged', `${pad}: ${at}`);
        }
      }
      const right = wire.protect(side, wire.DATA, 1, Buffer.from('right'));
      for (let at = 13; at < right.length; at += 1) {
        const changed = Buffer.from(right);
        changed[at] = (changed[at] as number) ^ (1 << (at % 8));
        assert.equal(openAt(link, changed), 'forged', `byte ${at}`);
      }
      assert.equal(textOf(openAt(link, right)), 'right');
    });

    it(`[DTLS-264] ${form}: at the server they get silence, one counter, and leave session and window alone`, () => {
      const ground = createDtlsGround();
      const client = new ScriptedClient({ ground, suite: 'PSK_CBC', etm }).connect();
      const all = Object.entries(spoiled(client.writeSide, 50));
      for (const [what, bytes] of all) {
        const { forgedRecords, ...others } = ground.core.counters;
        assert.deepEqual(ground.receive(bytes, client.from), [], what);
        const { forgedRecords: after, ...othersAfter } = ground.core.counters;
        assert.equal(after, forgedRecords + 1, what);
        const { datagrams, records } = othersAfter;
        assert.deepEqual({ ...others, datagrams, records }, othersAfter, what);
      }
      client.say('still there', { seq: 1 });
      assert.equal(ground.received.at(-1)?.data.toString(), 'still there');
    });

    it(`[DTLS-264] ${form}: a Finished with wrong padding or a wrong HMAC ends a handshake alike`, () => {
      const outcome = (cbc: wire.CbcOptions): unknown => {
        const ground = createDtlsGround();
        const client = new ScriptedClient({ ground, suite: 'PSK_CBC', etm }).greet();
        const flight = [client.keyExchange(), client.ccs()];
        client.send(...flight, client.secure(wire.HANDSHAKE, client.finishedMessage(), { cbc }));
        ground.advance(100_000);
        return [
          ground.of('failed').map(({ reason, detail }) => [reason, detail]),
          client.alerts,
          ground.core.sizes(),
          ground.core.counters,
        ];
      };
      const wrongHmac = outcome({ spoilMac: true });
      assert.deepEqual(outcome({ padBytes: Buffer.alloc(8, 9) }), wrongHmac);
      assert.match(JSON.stringify(wrongHmac), /wrong-key/);
    });

    it(`[DTLS-265] ${form}: the hashing is the same whatever a record of a length holds`, () => {
      const side = sideOf(etm);
      for (const cid of [NONE, Buffer.alloc(8, 3)]) {
        // 52 lengths: all places that the end of the content may have within a block of SHA-256.
        for (let length = 64; length < 64 + 52 * 16; length += 16) {
          const blocks = new Set<number>();
          const room = length - 16 - (etm ? 32 : 0);
          const text = room - (etm ? 0 : 32);
          // Each of the first, a third of the others.
          for (let pad = 0; pad < Math.min(256, room); pad += pad < 34 || pad > 250 ? 1 : 3) {
            const inner = Math.max(0, text - pad - 1 - (cid.length > 0 ? 1 : 0));
            const pads = room - (etm ? 0 : 32) - inner - (cid.length > 0 ? 1 : 0);
            if (pads < 1) continue;
            const padBytes = Buffer.alloc(pads, pad);
            for (const spoilMac of [false, true]) {
              const bytes = wire.protect(side, wire.DATA, pad, Buffer.alloc(inner, 1), { cid, cbc: { padBytes, spoilMac } });
              const record = readRecord(bytes, 0, cid.length);
              assert.equal(record?.body.length, length);
              const link = linkOf({ encryptThenMac, ownCid: cid });
              blocks.add(blocksIn(() => void link.open(record, 0, true)));
            }
          }
          assert.equal(blocks.size, 1, `${length} bytes: ${[...blocks].join()}`);
        }
      }
    });

    it(`[DTLS-266] ${form}: our records have a new vector each and less than a block of padding, and are no longer than foretold`, () => {
      for (const cid of [NONE, Buffer.alloc(1, 5), Buffer.alloc(20, 6)]) {
        const link = linkOf({ encryptThenMac, peerCid: cid });
        const vectors = new Set<string>();
        let most = 0;
        for (let length = 0; length < 100; length += 1) {
          const bytes = link.seal(wire.DATA, Buffer.alloc(length, 8));
          const [record] = wire.records(bytes, cid.length);
          assert.ok(record);
          assert.deepEqual([record.epoch, record.seq, record.version], [1, length, 0xfefd]);
          assert.deepEqual(wire.unprotect(sideOf(etm), record), { type: wire.DATA, data: Buffer.alloc(length, 8) });
          vectors.add(record.body.toString('hex', 0, 16));
          most = Math.max(most, bytes.length - length);
        }
        assert.equal(vectors.size, 100);
        assert.equal(most, link.overhead);
      }
    });

    for (const cid of [NONE, Buffer.from('beef', 'hex'), Buffer.alloc(20, 9)]) {
      it(`[DTLS-267] ${form}: connection IDs of 6 and ${cid.length} bytes, with padding within, and moves`, () => {
        const ground = createDtlsGround();
        const client = new ScriptedClient({ ground, suite: 'PSK_CBC', etm, cid }).connect();
        client.say('one', { padding: 40 });
        client.from = ground.route('203.0.113.9', 7_777);
        client.say('two');
        assert.deepEqual(
          ground.received.map(({ data }) => data.toString()),
          ['one', 'two'],
        );
        assert.equal(ground.of('moved').length, 1);
        ground.core.send(Buffer.from('down'), ground.peer(), ground.now);
        const { data, to } = ground.sent.at(-1)!;
        assert.equal(data[0], cid.length === 0 ? wire.DATA : wire.CID_RECORD);
        assert.equal(to, client.from);
        client.take(data);
        assert.equal(client.data.at(-1)?.toString(), 'down');
        const plain = wire.protect(client.writeSide, wire.DATA, 70, Buffer.from('x'));
        ground.receive(plain, client.from);
        const other = Buffer.from(client.secure(wire.DATA, Buffer.from('x'), { seq: 71 }));
        other[other.length - 1] = (other[other.length - 1] as number) ^ 1;
        ground.receive(other, client.from);
        assert.equal(ground.received.length, 2);
        assert.equal(ground.core.counters.forgedRecords, 1);
      });
    }

    it(`[DTLS-268] ${form}: a session goes on after a restart`, () => {
      const ground = createDtlsGround();
      const client = new ScriptedClient({ ground, suite: 'PSK_CBC', etm, cid: NONE }).connect();
      const states = ground.core.stop().map((state) => decodeSession(encodeSession(state))!);
      const next: DtlsGround = createDtlsGround({ seed: 2 });
      const [peer] = next.core.restore(states, next.route, next.now);
      assert.ok(peer);
      next.receive(client.secure(wire.DATA, Buffer.from('after')), next.route(client.from.address, client.from.port));
      assert.equal(next.received.at(-1)?.data.toString(), 'after');
      next.core.send(Buffer.from('answer'), peer, next.now);
      client.take(next.sent.at(-1)!.data);
      assert.equal(client.data.at(-1)?.toString(), 'answer');
    });
  }

  it('[DTLS-268] states in the form before, of AEAD alone, are read; keys that do not fit their suite are none', () => {
    const head = Buffer.concat([Buffer.from([1]), wire.lengthed(1, Buffer.from('dtls|k')), Buffer.from([0])]);
    const tail = Buffer.concat([
      ...[Buffer.alloc(16, 1), Buffer.alloc(4, 2), Buffer.alloc(16, 3), Buffer.alloc(4, 4), wire.lengthed(1), wire.lengthed(1)],
      ...[wire.num(5, 6), wire.num(8, 6), Buffer.alloc(8, 255), wire.lengthed(1, Buffer.from('198.51.100.1')), wire.num(40_000, 2)],
      ...[Buffer.from([1]), wire.lengthed(2, Buffer.from('device one'))],
    ]);
    const read = decodeSession(Buffer.concat([head, wire.num(0xc0a8, 2), tail]));
    assert.deepEqual(
      [read?.key, read?.writeKey, read?.readSalt, read?.writeMac.length, read?.encryptThenMac, read?.sendSeq, read?.port],
      ['dtls|k', Buffer.alloc(16, 1), Buffer.alloc(4, 4), 0, false, 5, 40_000],
    );
    assert.equal(decodeSession(Buffer.concat([head, wire.num(0x00ae, 2), tail])), undefined, 'no keys for an HMAC');
    assert.ok(read);
    for (const change of [{ suite: 0x00ae }, { encryptThenMac: true }, { readMac: Buffer.alloc(32) }, { writeSalt: NONE }] as const) {
      assert.equal(decodeSession(encodeSession({ ...read, ...change })), undefined, JSON.stringify(change));
    }
  });

  it('[DTLS-269] both ends of ours agree on each CBC suite, with encrypt-then-MAC', () => {
    for (const { name, keyExchange } of CIPHER_SUITES.filter(
      ({ cipher, keyExchange }) => cipher === 'cbc' && keyExchange !== 'ecdhe_ecdsa',
    )) {
      const server = createDtlsGround({ suites: [name] });
      const client = createDtlsGround({ suites: [name], seed: 3 });
      const there = client.route('192.0.2.1', 5684);
      const here = server.route('192.0.2.2', 50_000);
      client.onSend = (data) => void server.receive(data, here);
      server.onSend = (data) => void client.receive(data, there);
      client.core.connect(there, { identity: IDENTITY, key: KEY }, client.now);
      assert.equal(client.of('established')[0]?.suite, name, keyExchange);
      assert.ok(server.peer().link.options.encryptThenMac && client.peer().link.options.encryptThenMac);
      client.core.send(Buffer.from('hello'), client.peer(), client.now);
      assert.equal(server.received.at(-1)?.data.toString(), 'hello');
    }
  });

  it('[DTLS-269] encrypt-then-MAC in answer to a suite that is not CBC is unsupported_extension', () => {
    const server = new ScriptedServer({ suites: ['TLS_PSK_WITH_AES_128_CCM_8', 'TLS_PSK_WITH_AES_128_CBC_SHA256'] }).invite();
    assert.ok(server.transcript.includes(Buffer.from([0, 22, 0, 0])), 'it is offered');
    server.say(server.hello({ extensions: [[22, NONE]] }));
    assert.deepEqual(server.alerts, [110]);
  });
});
