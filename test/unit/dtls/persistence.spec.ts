import assert from 'node:assert/strict';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { decodeSession, encodeSession } from '../../../lib/dtls/session-codec';
import type { SessionState } from '../../../lib/dtls/types';
import { ScriptedClient } from '../../support/dtls/client';
import { createDtlsGround, type DtlsGround } from '../../support/dtls/ground';
import * as wire from '../../support/dtls/wire';

const NONE = Buffer.alloc(0);
const keys = new Map(['one', 'two'].map((name, index) => [name, Buffer.alloc(16, index + 1)]));

/** What passed on the wire: nonces by the key they were used with. */
class Recorder {
  readonly seen = new Map<string, string>();
  count = 0;

  /** `owner` names the keys: one handshake of one client. */
  note(owner: string, datagram: Buffer, cidBytes: number): void {
    for (const { epoch, body } of wire.records(datagram, cidBytes)) {
      if (epoch === 0) continue;
      const nonce = `${owner} ${body.toString('hex', 0, 8)}`;
      const known = this.seen.get(nonce);
      // The very same record sent again would be the same text under the same nonce: that too never happens.
      assert.equal(known, undefined, `nonce used twice: ${nonce}`);
      this.seen.set(nonce, body.toString('hex'));
      this.count += 1;
    }
  }
}

function device(ground: DtlsGround, name: string, cid: Buffer | undefined, seed: number): ScriptedClient {
  return new ScriptedClient({ ground, identity: Buffer.from(name), key: keys.get(name)!, seed, ...(cid && { cid }) }).connect();
}

/** Another life of the server: what the client holds goes on with it. */
function movedTo(client: ScriptedClient, ground: DtlsGround): ScriptedClient {
  const copy = Object.create(client, { options: { value: { ...client.options, ground } }, ground: { value: ground } }) as ScriptedClient;
  return copy;
}

const revived = (states: readonly SessionState[]): SessionState[] => states.map((state) => decodeSession(encodeSession(state))!);

describe('DTLS: sessions that outlast the process', () => {
  for (const cid of [NONE, undefined, Buffer.from('beef', 'hex')]) {
    it(`[DTLS-110] after a clean stop a session ${cid ? `with connection IDs of 6 and ${cid.length}` : 'by address'} goes on, numbers and window included`, () => {
      const ground = createDtlsGround({ keys, persistent: true });
      const client = device(ground, 'one', cid, 1);
      client.say('before', { seq: 50 });
      const peer = ground.peer();
      ground.core.send(Buffer.from('a'), peer, ground.now);
      const states = ground.core.stop();
      const next = createDtlsGround({ keys, persistent: true, seed: 2 });
      const [restored] = next.core.restore(revived(states), next.route, next.now);
      assert.ok(restored);
      assert.deepEqual([restored.identity, restored.port], [{ scheme: 'coaps', mode: 'psk', name: 'one' }, client.from.port]);
      assert.equal(restored.key, peer.key);
      const later = movedTo(client, next);
      later.say('replayed', { seq: 50 });
      later.say('Finished had this number', { seq: 0 });
      later.say('older, but not seen', { seq: 40 });
      later.say('after', { seq: 51 });
      assert.deepEqual(
        next.received.map(({ data }) => data.toString()),
        ['older, but not seen', 'after'],
      );
      next.core.send(Buffer.from('b'), restored, next.now);
      const record = wire.records(next.sent.at(-1)!.data, cid?.length ?? 0)[0]!;
      assert.equal(record.seq, 2, 'after Finished and one record');
      assert.equal(wire.unprotect(client.readSide, record).data.toString(), 'b');
    });
  }

  it('[DTLS-111] a stopped server sends nothing and takes nothing', () => {
    const ground = createDtlsGround({ keys });
    const client = device(ground, 'one', NONE, 1);
    const peer = ground.peer();
    new ScriptedClient({ ground }).greet();
    ground.core.stop();
    const before = ground.sent.length;
    ground.core.send(Buffer.from('x'), peer, ground.now);
    assert.deepEqual(client.say('x'), []);
    assert.deepEqual(new ScriptedClient({ ground }).send(client.helloRecord()), []);
    ground.advance(300_000);
    assert.deepEqual([ground.sent.length, ground.received.length], [before, 0]);
  });

  it('[DTLS-112] numbers are reserved ahead: beyond what is said to be kept, none is used', () => {
    const ground = createDtlsGround({ keys, persistent: true, limits: { reserve: 10 } });
    device(ground, 'one', NONE, 1);
    const peer = ground.peer();
    assert.deepEqual(ground.changes, [{ kind: 'save', key: peer.key, reserved: 11 }]);
    assert.equal(ground.core.state(peer.key, 11)?.sendSeq, 11);
    const numbers: number[] = [];
    const send = (count: number): void => {
      const before = ground.sent.length;
      for (let index = 0; index < count; index += 1) ground.core.send(Buffer.from('x'), peer, ground.now);
      numbers.push(...ground.sent.slice(before).map(({ data }) => wire.records(data)[0]!.seq));
    };
    send(30);
    assert.deepEqual(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const last = ground.changes.at(-1);
    assert.ok(last?.kind === 'save' && last.reserved > 11);
    ground.core.persisted(peer.key, last.reserved);
    send(30);
    assert.equal(numbers.at(-1), last.reserved - 1);
    ground.core.persisted(peer.key, 5);
    send(5);
    assert.equal(numbers.at(-1), last.reserved - 1, 'an older reservation takes nothing back and gives nothing');
  });

  it('[DTLS-112] a reservation that the store did not take is asked for again when numbers are wanted: the session does not fall silent', () => {
    const ground = createDtlsGround({ keys, persistent: true, limits: { reserve: 10 } });
    device(ground, 'one', NONE, 1);
    const peer = ground.peer();
    const send = (count: number): number => {
      const before = ground.sent.length;
      for (let index = 0; index < count; index += 1) ground.core.send(Buffer.from('x'), peer, ground.now);
      return ground.sent.length - before;
    };
    assert.equal(send(30), 10);
    // The store fails: nothing of what was asked for so far is answered.
    const asked = ground.changes.length;
    assert.equal(send(1), 0);
    assert.equal(ground.changes.length, asked + 1);
    const last = ground.changes.at(-1);
    assert.ok(last?.kind === 'save' && last.reserved === 21);
    ground.core.persisted(peer.key, last.reserved);
    assert.equal(send(30), 10);
  });

  it('[DTLS-112] a session that ends is to be forgotten by the store', () => {
    const ground = createDtlsGround({ keys, persistent: true });
    const client = device(ground, 'one', NONE, 1);
    const peer = ground.peer();
    client.send(client.secure(wire.ALERT, Buffer.from([1, 0])));
    assert.deepEqual(ground.changes.at(-1), { kind: 'remove', key: peer.key });
    device(ground, 'two', NONE, 2);
    device(ground, 'two', NONE, 3);
    assert.deepEqual(
      ground.changes.slice(2).map(({ kind }) => kind),
      ['save', 'remove', 'save'],
    );
  });

  it('[DTLS-113] through stops, restarts and losses a recorder on the wire sees no nonce twice', () => {
    const recorder = new Recorder();
    const random = createRandomSteps(7);
    let handshakes = 0;
    for (const cid of [NONE, undefined]) {
      let ground = createDtlsGround({ keys, persistent: true, limits: { reserve: 8 } });
      let client = device(ground, 'one', cid, (handshakes += 1));
      let peer = ground.of('established').at(-1)!.peer;
      // The first datagrams with keys are that of the handshake itself.
      for (const { data } of ground.sent) recorder.note(`${handshakes}`, data, 0);
      for (let life = 0; life < 40; life += 1) {
        const before = ground.sent.length;
        for (let index = 0; index < random(20); index += 1) {
          ground.core.send(Buffer.from(`down ${life} ${index}`), peer, ground.now);
          ground.receive(client.secure(wire.DATA, Buffer.from('up')), client.from);
          const last = ground.changes.at(-1);
          if (last?.kind === 'save' && random(2) === 1) ground.core.persisted(last.key, last.reserved);
        }
        for (const { data } of ground.sent.slice(before)) recorder.note(`${handshakes}`, data, 0);
        const clean = random(3) > 0;
        const states = revived(ground.core.stop());
        ground = createDtlsGround({ keys, persistent: true, limits: { reserve: 8 }, seed: 1_000 * handshakes + life });
        if (clean) {
          const [restored] = ground.core.restore(states, ground.route, ground.now);
          assert.ok(restored);
          peer = restored;
          client = movedTo(client, ground);
        } else {
          // Killed: nothing comes back, and the device begins anew.
          client = device(ground, 'one', cid, (handshakes += 1) + 100);
          peer = ground.of('established').at(-1)!.peer;
          for (const { data } of ground.sent) recorder.note(`${handshakes}`, data, 0);
        }
      }
    }
    assert.ok(recorder.count > 300, `${recorder.count} records`);
    assert.ok(handshakes > 10);
  });

  it('[DTLS-114] a state given twice, or that clashes with a live session, is left out', () => {
    const ground = createDtlsGround({ keys });
    device(ground, 'one', NONE, 1);
    const states = revived(ground.core.stop());
    const next = createDtlsGround({ keys, seed: 3 });
    assert.equal(next.core.restore([...states, ...states], next.route, next.now).length, 1);
    assert.equal(next.core.restore(states, next.route, next.now).length, 0);
    const busy = createDtlsGround({ keys, seed: 4 });
    device(busy, 'one', NONE, 9);
    assert.equal(busy.core.restore(states, busy.route, busy.now).length, 0, 'the device has come back before');
    const other = createDtlsGround({ keys, seed: 5, limits: { cidLength: 8 } });
    assert.equal(other.core.restore(states, other.route, other.now).length, 0, 'its connection ID could not be found');
  });

  it('[DTLS-115] a state that was changed, cut, is of another version or sealed under another key is none, and nothing throws', () => {
    const ground = createDtlsGround({ keys });
    device(ground, 'one', Buffer.from('beef', 'hex'), 1);
    const [state] = ground.core.stop();
    const bytes = encodeSession(state!);
    assert.deepEqual(decodeSession(bytes), state);
    const named = { ...state!, identity: { scheme: 'coaps', mode: 'x509', name: 'a', aliases: ['b', 'ä'] } } as const;
    assert.deepEqual(decodeSession(encodeSession(named)), named);
    for (let cut = 0; cut < bytes.length; cut += 1) assert.equal(decodeSession(bytes.subarray(0, cut)), undefined);
    assert.equal(decodeSession(Buffer.concat([bytes, Buffer.alloc(1)])), undefined);
    assert.equal(decodeSession(Buffer.concat([Buffer.from([4]), bytes.subarray(1)])), undefined);
    const random = createRandomSteps(11);
    for (let round = 0; round < 2_000; round += 1) {
      const spoiled = Buffer.from(bytes);
      for (let flips = 0; flips < 1 + (round % 4); flips += 1) spoiled[random(bytes.length)] = random(256);
      const read = decodeSession(spoiled);
      if (!read) continue;
      const next = createDtlsGround({ keys, seed: round });
      for (const peer of next.core.restore([read], next.route, next.now)) next.core.send(Buffer.from('x'), peer, next.now);
      assert.equal(next.core.counters.internalErrors, 0);
    }
    // As an upper floor would seal it: another key opens nothing.
    const seal = createCipheriv('aes-256-gcm', randomBytes(32), Buffer.alloc(12));
    const sealed = Buffer.concat([seal.update(bytes), seal.final()]);
    const open = createDecipheriv('aes-256-gcm', randomBytes(32), Buffer.alloc(12));
    assert.equal(decodeSession(open.update(sealed)), undefined);
  });
});

/** Numbers below a bound, the same in every run. */
function createRandomSteps(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}
