import assert from 'node:assert/strict';
import type { CertificateVerdict, PeerCertificate } from '../../../lib/dtls/types';
import { ownKey, testStore } from '../../support/dtls/certificate-store';
import { ScriptedClient, type ClientOptions } from '../../support/dtls/client';
import { DEVICE, P256 } from '../../support/dtls/fixed-keys';
import { createDtlsGround, IDENTITY, type DtlsGround, type GroundOptions } from '../../support/dtls/ground';
import * as wire from '../../support/dtls/wire';

const identity = { scheme: 'coaps', mode: 'psk', name: IDENTITY.toString() } as const;

function resuming(options: Partial<GroundOptions> = {}): DtlsGround {
  return createDtlsGround({ proof: () => 'proof', ...options });
}

function connected(ground: DtlsGround, options: Partial<ClientOptions> = {}): ScriptedClient {
  return new ScriptedClient({ ground, ...options }).connect();
}

/** A client that wants to go on, after both its hellos. */
function again(ground: DtlsGround, before: ScriptedClient, options: Partial<ClientOptions> = {}): ScriptedClient {
  return new ScriptedClient({ earlier: before.earlier, ...before.options, from: before.from, seed: 77, ...options, ground }).greet();
}

const rpk: Partial<ClientOptions> = {
  suite: 'ECDHE_ECDSA_CCM_8',
  own: { privateKey: DEVICE.privateKey, shown: DEVICE.publicKey },
  clientTypes: [2],
  serverTypes: [2],
};
const certificates = testStore({ own: [ownKey(P256)], known: new Map([[DEVICE.publicKey.toString('hex'), 'device']]) });

describe('DTLS: resumption', () => {
  for (const suite of [...Object.keys(wire.SUITES), 'ECDHE_ECDSA_CCM_8', 'PSK_CBC', 'ECDHE_PSK_CBC']) {
    for (const cid of [undefined, Buffer.from('c1d0', 'hex')]) {
      it(`[DTLS-300] ${suite}${cid ? ' with connection IDs' : ''}: a session goes on under new keys, without a key exchange`, () => {
        const ground = resuming({ certificates });
        const first = connected(ground, {
          ...(suite in wire.CERTIFICATE_SUITES ? rpk : {}),
          suite,
          etm: cid !== undefined,
          ...(cid && { cid }),
        });
        const before = ground.peer();
        assert.equal(first.hello?.sessionId.length, 32);
        const sent = ground.sent.length;
        const second = again(ground, first);
        assert.ok(second.resumed);
        assert.deepEqual(second.earlier.sessionId, first.earlier.sessionId);
        assert.equal(second.serverFinished, 'right');
        assert.equal(ground.sent.length - sent, 2, 'a HelloVerifyRequest and one flight');
        assert.notDeepEqual(second.keys, first.keys);
        assert.equal(before.ended, false, 'the session before lives until the new one is complete');
        second.resume();
        assert.equal(ground.of('established').length, 2);
        assert.equal(before.ended, true);
        assert.deepEqual(ground.peer().identity, before.identity);
        second.say('on');
        assert.equal(ground.received.at(-1)?.data.toString(), 'on');
        ground.core.send(Buffer.from('and back'), ground.peer(), ground.now);
        second.take(ground.sent.at(-1)!.data);
        assert.equal(second.data.at(-1)?.toString(), 'and back');
        const third = again(ground, first, { seed: 78 });
        third.resume();
        assert.equal(ground.of('established').length, 3, 'and once more');
      });
    }
  }

  it('[DTLS-301] an id that nobody has, a forgotten one, or another suite is a handshake like any other', () => {
    const ground = resuming({ limits: { maxResumable: 1, resumeFor: 1_000_000 } });
    const first = connected(ground);
    const strange = again(ground, first, { earlier: { sessionId: Buffer.alloc(32, 5), master: first.master } });
    assert.deepEqual([strange.resumed, strange.sawDone], [false, true]);
    const other = again(ground, first, { suite: 'PSK_GCM', seed: 5 });
    assert.deepEqual([other.resumed, other.sawDone], [false, true]);
    const late = resuming({ limits: { resumeFor: 50_000 } });
    const one = connected(late);
    late.advance(49_999);
    assert.ok(again(late, one, { seed: 1 }).resumed);
    late.advance(2);
    assert.equal(again(late, one, { seed: 2 }).resumed, false);
    const keys = new Map([
      ['a', Buffer.alloc(16, 1)],
      ['b', Buffer.alloc(16, 2)],
    ]);
    const small = resuming({ limits: { maxResumable: 1 }, keys });
    const [a, b] = [...keys].map(([name, key]) => connected(small, { identity: Buffer.from(name), key })) as [
      ScriptedClient,
      ScriptedClient,
    ];
    assert.equal(again(small, a, { seed: 3 }).resumed, false);
    assert.ok(again(small, b, { seed: 4 }).resumed);
  });

  it('[DTLS-302] without the extended master secret a session is not resumed, nor kept for it', () => {
    const ground = resuming();
    const plain = connected(ground, { ems: false });
    assert.equal(plain.hello?.sessionId.length, 0);
    const first = connected(ground);
    const second = again(ground, first, { ems: false });
    assert.deepEqual([second.resumed, second.sawDone], [false, true]);
  });

  it('[DTLS-303] the server name must be the same', () => {
    const name = (text: string): readonly (readonly [number, Buffer])[] => [
      [0, wire.lengthed(2, Buffer.concat([Buffer.from([0]), wire.lengthed(2, Buffer.from(text))]))],
    ];
    const ground = resuming();
    const first = connected(ground, { extensions: name('one') });
    assert.equal(again(ground, first, { extensions: name('two'), seed: 6 }).resumed, false);
    assert.equal(again(ground, first, { extensions: [], seed: 7 }).resumed, false);
    assert.ok(again(ground, first, { seed: 8 }).resumed);
  });

  it('[DTLS-304] who has lost the right resumes nothing', () => {
    let proof: string | undefined = 'one key';
    const ground = createDtlsGround({ proof: () => proof });
    const first = connected(ground);
    proof = undefined;
    assert.equal(again(ground, first, { seed: 9 }).resumed, false);
    proof = 'another key';
    assert.equal(again(ground, first, { seed: 12 }).resumed, false);
    proof = 'one key';
    assert.ok(again(ground, first, { seed: 10 }).resumed, 'it was asked each time');
    ground.core.closePrincipal(identity, ground.now);
    assert.equal(again(ground, first, { seed: 11 }).resumed, false, 'a key that was changed makes an end of it');
  });

  it('[DTLS-304] it is closed while it is being resumed', () => {
    const ground = resuming();
    const first = connected(ground);
    const second = again(ground, first);
    ground.core.closePrincipal(identity, ground.now);
    second.resume();
    assert.equal(ground.of('established').length, 1);
    assert.deepEqual(ground.core.sizes(), { sessions: 0, handshakes: 0, reassemblyBytes: 0 });
  });

  it('[DTLS-304] certificates are not good for longer than they say', () => {
    const judged = {
      ...certificates,
      judge: (shown: PeerCertificate): CertificateVerdict => {
        const verdict = certificates.judge(shown);
        return verdict.accepted ? { ...verdict, validFor: 5_000 } : verdict;
      },
    };
    const ground = resuming({ certificates: judged });
    const first = connected(ground, rpk);
    ground.advance(4_999);
    assert.ok(again(ground, first, { seed: 12 }).resumed);
    ground.advance(2);
    assert.equal(again(ground, first, { seed: 13 }).resumed, false);
  });

  it('[DTLS-305] who knows the id alone gets nowhere, and spoils nothing', () => {
    const ground = resuming();
    const first = connected(ground);
    const from = ground.route('203.0.113.5', 99);
    const thief = new ScriptedClient({ ground, earlier: { ...first.earlier, master: Buffer.alloc(48, 1) }, seed: 14, from });
    thief.send(thief.helloRecord());
    const [flight] = ground.receive(thief.helloRecord(), from);
    assert.equal(wire.records(flight!)[0]?.body[0], 2, 'the server believes it for now');
    thief.keys = wire.keysOf(Buffer.alloc(48, 1), thief.clientRandom, Buffer.alloc(32));
    ground.receive(Buffer.concat([thief.ccs(), thief.secure(wire.HANDSHAKE, thief.finishedMessage(2))]), from);
    assert.equal(ground.of('established').length, 1);
    first.say('still here');
    assert.equal(ground.received.at(-1)?.data.toString(), 'still here');
    ground.advance(200_000);
    assert.equal(ground.of('failed').at(-1)?.reason, 'wrong-key');
    assert.ok(again(ground, first, { seed: 15 }).resumed);
  });

  it('[DTLS-305] a resumption without a cookie leaves nothing behind', () => {
    const ground = resuming();
    const first = connected(ground);
    const second = new ScriptedClient({ ground, earlier: first.earlier });
    second.send(second.helloRecord());
    assert.deepEqual([second.hello, ground.core.sizes().handshakes], [undefined, 0]);
  });

  it('[DTLS-306] the flight is repeated until the device has answered, with the same Finished', () => {
    const ground = resuming();
    const first = connected(ground);
    const second = again(ground, first);
    const before = ground.sent.length;
    ground.advance(2_001);
    assert.equal(ground.sent.length, before + 1);
    second.serverFinished = 'none';
    second.take(ground.sent.at(-1)!.data);
    second.resume();
    assert.equal(ground.of('established').length, 2);
  });

  it('[DTLS-307] where nobody says who is still good there are no session ids', () => {
    const first = connected(createDtlsGround());
    assert.equal(first.hello?.sessionId.length, 0);
    const off = connected(resuming({ limits: { maxResumable: 0 } }));
    assert.equal(off.hello?.sessionId.length, 0);
  });
});
