import assert from 'node:assert/strict';
import { testStore, ownKey, type TestStore } from '../../support/dtls/certificate-store';
import { ScriptedClient, type ClientOptions } from '../../support/dtls/client';
import { DEVICE, P256, P384, RSA, type FixedKey } from '../../support/dtls/fixed-keys';
import { createDtlsGround, IDENTITY, type DtlsGround, type GroundOptions } from '../../support/dtls/ground';
import * as wire from '../../support/dtls/wire';

const RPK = 2;
const X509 = 0;
const names = new Map(
  [DEVICE, P256, P384, RSA].flatMap(({ publicKey, certificate }, index) => [
    [publicKey.toString('hex'), `key ${index}`] as const,
    [certificate.toString('hex'), `certificate ${index}`] as const,
  ]),
);
const all = (): TestStore => testStore({ own: [ownKey(P256), ownKey(P384), ownKey(RSA)], known: names });

function groundWith(certificates: TestStore = all(), options: Partial<GroundOptions> = {}): DtlsGround & { certificates: TestStore } {
  return Object.assign(createDtlsGround({ ...options, certificates }), { certificates });
}

/** A client with a raw public key, and one with a certificate. */
const rpk = (key: FixedKey = DEVICE): Partial<ClientOptions> => ({
  suite: 'ECDHE_ECDSA_CCM_8',
  own: { privateKey: key.privateKey, shown: key.publicKey },
  clientTypes: [RPK],
  serverTypes: [RPK],
});
const x509 = (key: FixedKey = DEVICE): Partial<ClientOptions> => ({
  suite: 'ECDHE_ECDSA_CCM_8',
  own: { privateKey: key.privateKey, shown: [key.certificate] },
});

const client = (ground: DtlsGround, options: Partial<ClientOptions>): ScriptedClient => new ScriptedClient({ ground, ...options });
const NOTHING = { sessions: 0, handshakes: 0, reassemblyBytes: 0 };
const reason = (ground: DtlsGround): string | undefined => ground.of('failed').at(-1)?.reason;

describe('DTLS: handshakes with raw public keys and certificates', () => {
  for (const [mode, of] of [
    ['rpk', rpk],
    ['x509', x509],
  ] as const) {
    for (const suite of Object.keys(wire.CERTIFICATE_SUITES)) {
      for (const group of [23, 24, 29] as const) {
        for (const [cid, ems] of [
          [undefined, true],
          [Buffer.alloc(0), true],
          [Buffer.from('c1d0', 'hex'), false],
        ] as const) {
          const with_ = `${cid ? `a connection ID of ${cid.length} bytes` : 'no connection ID'}, ${ems ? 'with' : 'without'} EMS`;
          it(`[DTLS-240] ${mode}, ${suite}, group ${group}, ${with_}`, () => {
            const ground = groundWith();
            const groups = { extensions: [[10, wire.lengthed(2, wire.num(group, 2), wire.num(23, 2))]] as const };
            const device = client(ground, { ...of(), suite, ems, ...(cid && { cid }) });
            const fields = device.fields();
            const extensions = [...(fields.extensions ?? []).filter(([type]) => type !== 10), ...groups.extensions];
            device.send(device.helloRecord({ extensions }));
            device.send(device.helloRecord({ extensions }));
            assert.equal(device.serverSignature, 'right');
            assert.equal(device.serverPoint?.group, group);
            device.send(device.certificate(), device.keyExchange(), device.certificateVerify(), device.ccs(), device.finished());
            assert.equal(device.serverFinished, 'right');
            const { identity } = ground.peer();
            assert.deepEqual(identity, { scheme: 'coaps', mode, name: mode === 'rpk' ? 'key 0' : 'certificate 0' });
            device.say('hello');
            assert.equal(ground.received[0]?.data.toString(), 'hello');
            ground.core.send(Buffer.from('back'), ground.peer(), ground.now);
            device.take(ground.sent.at(-1)!.data);
            assert.equal(device.data.at(-1)?.toString(), 'back');
          });
        }
      }
    }
  }

  it('[DTLS-240] keys on P-384 and RSA keys prove a device as well, in every signature that was asked for', () => {
    for (const [key, schemes] of [
      [P384, [0x0403, 0x0503, 0x0603]],
      [RSA, [0x0401, 0x0501, 0x0601, 0x0804, 0x0805, 0x0806]],
    ] as const) {
      for (const scheme of schemes) {
        for (const of of [rpk(key), x509(key)]) {
          const ground = groundWith();
          client(ground, { ...of, own: { ...of.own!, scheme } }).connect();
          assert.equal(ground.core.sizes().sessions, 1, scheme.toString(16));
        }
      }
    }
  });

  it('[DTLS-241] the types of certificates are the first that both sides have, ours rather that of the device, and are answered only when asked about', () => {
    for (const [store, clientTypes, serverTypes, expected] of [
      [all(), [RPK], [RPK], [RPK, RPK]],
      [all(), [RPK, X509], [X509, RPK], [RPK, RPK]],
      [all(), [RPK, X509], [X509], [RPK, X509]],
      [all(), [X509, RPK], [RPK], [X509, RPK]],
      [all(), [1, 99, RPK], [1, RPK], [RPK, RPK]],
      [all(), undefined, undefined, [undefined, undefined]],
      [all(), [RPK], undefined, [RPK, undefined]],
      [testStore({ own: [ownKey(P256, false)], known: names }), [X509], [X509, RPK], [X509, RPK]],
      [testStore({ own: [ownKey(P256)], accepts: ['x509'], known: names }), [RPK, X509], [RPK], [X509, RPK]],
    ] as const) {
      const device = client(groundWith(store), { ...rpk(), clientTypes, serverTypes }).greet();
      const answers = [device.hello?.extensions.get(19)?.[0], device.hello?.extensions.get(20)?.[0]];
      assert.deepEqual(answers, expected);
      assert.equal(device.serverSignature, 'right');
    }
  });

  it('[DTLS-242] where nothing fits, a suite does not count, and the reason is said', () => {
    const noKeys = testStore({ own: [], known: names });
    for (const [store, options, why] of [
      [noKeys, rpk(), /has no key pair/],
      [testStore({ own: [ownKey(P256, false)], known: names }), x509(), /no EC key with a certificate/],
      [testStore({ own: [ownKey(P256)], accepts: ['x509'], known: names }), rpk(), /knows no device by a raw public key/],
      [testStore({ own: [ownKey(RSA)], known: names }), rpk(), /no EC key/],
      [testStore({ own: [ownKey(P256)], known: names }), { ...x509(), suite: 'ECDHE_RSA_GCM' }, /no RSA key/],
      [all(), { ...rpk(), schemes: [0x0203, 0x0201] }, /no EC key/],
      [all(), { ...rpk(), serverTypes: [1] }, /what the device wants/],
    ] as const) {
      const ground = groundWith(store);
      const device = client(ground, options).greet();
      assert.deepEqual(device.alerts, [{ level: 2, description: 40, protected: false }]);
      assert.equal(reason(ground), 'no-common-certificate');
      assert.match(ground.of('failed')[0]?.detail ?? '', why);
      assert.deepEqual(ground.core.sizes(), NOTHING);
    }
    // A suite with a pre-shared key behind it is taken.
    const other = client(groundWith(noKeys), rpk());
    for (let round = 0; round < 2; round += 1) other.send(other.helloRecord({ suites: [0xc0ae, 0xc0a8] }));
    assert.equal(other.hello?.suite, 0xc0a8);
    // Without a certificate store there are no such suites at all.
    const plain = createDtlsGround();
    client(plain, rpk()).greet();
    assert.equal(reason(plain), 'no-common-certificate');
  });

  it('[DTLS-242] our key must be on a curve that the device knows', () => {
    const store = testStore({ own: [ownKey(P384), ownKey(P256)], known: names });
    const device = client(groundWith(store), { ...rpk(), group: 23 }).greet();
    assert.ok(device.serverCertificate?.includes(P256.publicKey), 'not the key on P-384');
    const both = client(groundWith(store), { ...rpk(), group: 24 }).greet();
    assert.ok(both.serverCertificate?.includes(P384.publicKey));
  });

  it('[DTLS-243] a device that does not say which signatures it reads gets SHA-256', () => {
    const device = client(groundWith(), { ...rpk(), schemes: undefined }).connect();
    assert.equal(device.serverSignature, 'right');
  });

  it('[DTLS-244] a key that nobody has ends it before its signature is looked at', () => {
    for (const [of, alert, why] of [
      [rpk, 46, 'unknown-key'],
      [x509, 48, 'bad-certificate'],
    ] as const) {
      const ground = groundWith(testStore({ own: [ownKey(P256)], known: new Map() }));
      const device = client(ground, of()).greet();
      device.send(device.certificate());
      assert.deepEqual(device.alerts, [{ level: 2, description: alert, protected: false }]);
      assert.equal(reason(ground), why);
      assert.deepEqual(ground.core.sizes(), NOTHING);
      device.send(device.keyExchange(), device.certificateVerify(), device.ccs(), device.finished());
      assert.equal(ground.of('established').length, 0);
    }
  });

  it('[DTLS-245] a signature that is wrong, of another key, of another handshake or over something else ends it', () => {
    const cases: Record<string, (device: ScriptedClient) => Buffer> = {
      'of another key': (device) => device.certificateVerify({ privateKey: P256.privateKey }),
      'bytes that are none': (device) => device.certificateVerify({ signature: Buffer.alloc(70, 7) }),
      empty: (device) => device.certificateVerify({ signature: Buffer.alloc(0) }),
      'over less': (device) => {
        const { transcript } = device;
        device.transcript = transcript.subarray(0, -1);
        const record = device.certificateVerify();
        device.transcript = transcript;
        return record;
      },
    };
    for (const of of [rpk, x509]) {
      for (const [what, make] of Object.entries(cases)) {
        const ground = groundWith();
        const device = client(ground, of()).greet();
        device.send(device.certificate(), device.keyExchange());
        device.send(make(device), device.ccs(), device.finished());
        assert.deepEqual(device.alerts, [{ level: 2, description: 51, protected: false }], what);
        assert.equal(reason(ground), 'bad-certificate');
        assert.deepEqual(ground.core.sizes(), NOTHING);
      }
    }
  });

  it('[DTLS-245] a signature of a kind that was not asked for, or that the key cannot make, is illegal_parameter', () => {
    for (const scheme of [0x0203, 0x0401, 0x0804, 0x0807, 0xffff]) {
      const device = client(groundWith(), rpk()).greet();
      device.send(device.certificate(), device.keyExchange());
      device.send(device.certificateVerify({ scheme, signature: Buffer.alloc(70, 1) }));
      assert.deepEqual(device.alerts, [{ level: 2, description: 47, protected: false }], scheme.toString(16));
    }
  });

  it('[DTLS-246] without a certificate there is no session, however the rest looks', () => {
    for (const of of [rpk, x509]) {
      const ground = groundWith();
      const device = client(ground, of()).greet();
      device.send(device.certificate({ body: Buffer.alloc(3) }));
      assert.deepEqual(device.alerts, [{ level: 2, description: 40, protected: false }]);
      assert.equal(reason(ground), 'no-certificate');
    }
  });

  it('[DTLS-246] each message left out, or in the place of another, is unexpected_message, and never a session', () => {
    type Part = 'certificate' | 'keyExchange' | 'certificateVerify';
    const order: readonly Part[] = ['certificate', 'keyExchange', 'certificateVerify'];
    const say = (device: ScriptedClient, part: Part, messageSeq: number): Buffer => device[part]({ messageSeq });
    for (const first of order) {
      for (const second of order) {
        for (const third of [...order, undefined]) {
          const parts = [first, second, ...(third ? [third] : [])];
          if (parts.join() === order.join()) continue;
          const ground = groundWith();
          const device = client(ground, rpk()).greet();
          parts.forEach((part, index) => device.send(say(device, part, 2 + index)));
          device.send(device.ccs(), device.secure(wire.HANDSHAKE, device.finishedMessage(2 + parts.length)));
          ground.advance(100_000);
          assert.deepEqual([ground.of('established').length, ground.core.sizes()], [0, NOTHING], parts.join());
          const alert = device.alerts[0]?.description;
          assert.ok(alert === 10 || alert === undefined, `${parts.join()}: ${alert}`);
        }
      }
    }
  });

  it('[DTLS-246] a change of cipher and Finished before CertificateVerify do not stand in for it', () => {
    const ground = groundWith();
    const device = client(ground, rpk()).greet();
    device.send(device.certificate(), device.keyExchange());
    device.send(device.ccs(), device.secure(wire.HANDSHAKE, device.finishedMessage(4)));
    assert.equal(ground.of('established').length, 0);
    device.send(device.certificateVerify());
    assert.equal(ground.of('established').length, 0, 'nor does the early one count now: it has another number');
    device.send(device.finished());
    assert.equal(ground.of('established').length, 1);
  });

  it('[DTLS-246] certificate messages in a handshake with a pre-shared key are unexpected', () => {
    for (const part of ['certificate', 'certificateVerify'] as const) {
      const ground = groundWith();
      const device = client(ground, { own: { privateKey: DEVICE.privateKey, shown: DEVICE.publicKey } }).greet();
      device.send(device[part]({ messageSeq: 2 }));
      assert.deepEqual(device.alerts, [{ level: 2, description: 10, protected: false }]);
    }
  });

  it('[DTLS-247] a key where a certificate was agreed on, the reverse, and what is neither, do not count', () => {
    const store = testStore({ own: [ownKey(P256)], known: new Map() });
    for (const [of, body, alerts] of [
      [rpk(), wire.lengthed(3, wire.lengthed(3, DEVICE.certificate)), [46]],
      [x509(), wire.lengthed(3, DEVICE.publicKey), [50]],
      [x509(), wire.lengthed(3, wire.lengthed(3)), [50]],
      [x509(), Buffer.concat([wire.lengthed(3, wire.lengthed(3, DEVICE.certificate)), Buffer.alloc(1)]), [50]],
      [rpk(), Buffer.concat([wire.lengthed(3, DEVICE.publicKey), Buffer.alloc(1)]), [50]],
      [x509(), wire.lengthed(3, ...Array.from({ length: 11 }, () => wire.lengthed(3, Buffer.alloc(4)))), [50]],
      [rpk(), Buffer.alloc(2), [50]],
    ] as const) {
      const ground = groundWith(store);
      const device = client(ground, of).greet();
      device.send(device.certificate({ body }));
      assert.deepEqual(
        device.alerts.map(({ description }) => description),
        alerts,
      );
      assert.deepEqual(ground.core.sizes(), NOTHING);
    }
  });

  it('[DTLS-248] what was judged, signed or verified too late is ignored', () => {
    for (const until of ['judge', 'agree', 'verify'] as const) {
      const ground = groundWith(all(), { holdJobs: true });
      const device = client(ground, rpk());
      const step = (): void => {
        const before = ground.sent.length;
        ground.work();
        for (const { data } of ground.sent.slice(before)) device.take(data);
      };
      device.greet();
      step();
      step();
      device.send(device.certificate(), device.keyExchange(), device.certificateVerify(), device.ccs(), device.finished());
      for (let round = 0; round < 9 && ground.jobs[0]?.job.kind !== until; round += 1) step();
      assert.equal(ground.jobs[0]?.job.kind, until);
      const [late] = ground.jobs.splice(0);
      ground.advance(200_000);
      assert.equal(reason(ground), 'timeout', until);
      ground.jobs.push(late!);
      ground.work();
      assert.deepEqual([ground.core.sizes(), ground.of('established').length], [NOTHING, 0]);
    }
  });

  it('[DTLS-249] who lost the right while it shook hands gets no session', () => {
    const ground = groundWith();
    const device = client(ground, rpk()).greet();
    device.send(device.certificate(), device.keyExchange());
    ground.core.closePrincipal({ scheme: 'coaps', mode: 'rpk', name: 'key 0' }, ground.now);
    device.send(device.certificateVerify(), device.ccs(), device.finished());
    assert.deepEqual([reason(ground), ground.core.sizes()], ['cancelled', NOTHING]);
  });

  it('[DTLS-249] by any of the names that its certificate holds, and not by those of other modes', () => {
    const store = all();
    const ground = groundWith({
      ...store,
      judge: (shown) => {
        const verdict = store.judge(shown);
        return verdict.accepted ? { ...verdict, identity: { ...verdict.identity, aliases: ['urn:dev:1', 'urn:dev:2'] } } : verdict;
      },
    });
    for (const [mode, name, ends] of [
      ['x509', 'urn:dev:2', true],
      ['x509', 'certificate 0', true],
      ['psk', 'urn:dev:1', false],
      ['x509', 'urn:dev:3', false],
    ] as const) {
      const device = client(ground, x509()).greet();
      device.send(device.certificate(), device.keyExchange());
      ground.core.closePrincipal({ scheme: 'coaps', mode, name }, ground.now);
      device.send(device.certificateVerify(), device.ccs(), device.finished());
      assert.equal(device.serverFinished, ends ? 'none' : 'right', name);
    }
  });

  it('[DTLS-249] nor does one whose kind of proof lost its worth meanwhile', () => {
    const ground = groundWith();
    const device = client(ground, x509()).greet();
    device.send(device.certificate(), device.keyExchange());
    ground.core.dropHandshakes(({ mode }) => mode === 'rpk', ground.now);
    assert.equal(ground.core.sizes().handshakes, 1);
    ground.core.dropHandshakes(({ mode }) => mode === 'x509', ground.now);
    device.send(device.certificateVerify(), device.ccs(), device.finished());
    assert.deepEqual([reason(ground), ground.core.sizes()], ['cancelled', NOTHING]);
  });

  it('[DTLS-250] all modes at the same time on one port', () => {
    const ground = groundWith();
    const devices = [client(ground, rpk()), client(ground, { ...x509(P256), suite: 'ECDHE_RSA_GCM' }), client(ground, {})];
    for (const device of devices) device.greet();
    devices[2]?.send(devices[2].keyExchange(), devices[2].ccs(), devices[2].finished());
    for (const device of devices.slice(0, 2)) {
      device.send(device.certificate(), device.keyExchange(), device.certificateVerify());
      device.send(device.ccs(), device.finished());
    }
    assert.deepEqual(
      ground.core.sessions().map(({ identity }) => [identity.mode, identity.name]),
      [
        ['psk', IDENTITY.toString()],
        ['rpk', 'key 0'],
        ['x509', 'certificate 1'],
      ],
    );
  });

  it('[DTLS-251] messages in pieces of any size, and their flight in datagrams of the size that is set', () => {
    for (const mtu of [228, 256, 600, 1_400]) {
      const ground = groundWith(all(), { limits: { mtu } });
      const device = client(ground, x509()).greet();
      assert.equal(device.serverSignature, 'right');
      assert.ok(ground.sent.every(({ data }) => data.length <= mtu));
    }
  });
});

describe('DTLS: our client with raw public keys and certificates', () => {
  it('[DTLS-252] both ends of ours agree, for every pair of types and kinds of keys', () => {
    for (const [clientKey, serverKey] of [
      [DEVICE, P256],
      [P384, P384],
      [RSA, RSA],
    ] as const) {
      for (const type of ['rpk', 'x509'] as const) {
        for (const serverType of ['rpk', 'x509'] as const) {
          const server = groundWith(testStore({ own: [ownKey(serverKey)], known: names }));
          const device = groundWith();
          const up = server.route('198.51.100.1', 1);
          const down = device.route('192.0.2.1', 5684);
          const queue: (() => void)[] = [];
          server.onSend = (data) => void queue.push(() => void device.receive(data, down));
          device.onSend = (data) => void queue.push(() => void server.receive(data, up));
          device.core.connect(down, { own: ownKey(clientKey), type, serverType }, device.now);
          for (let next = queue.shift(); next; next = queue.shift()) next();
          assert.equal(server.of('established').length, 1, `${type} ${serverType}: ${JSON.stringify(device.reports)}`);
          assert.equal(server.peer().identity.mode, type);
          assert.equal(device.peer().identity.mode, serverType);
        }
      }
    }
  });

  it('[DTLS-253] it has no session with a server that nobody knows', () => {
    const server = groundWith();
    const device = groundWith(testStore({ own: [], known: new Map() }));
    const down = device.route('192.0.2.1', 5684);
    const up = server.route('198.51.100.1', 1);
    const queue: (() => void)[] = [];
    server.onSend = (data) => void queue.push(() => void device.receive(data, down));
    device.onSend = (data) => void queue.push(() => void server.receive(data, up));
    device.core.connect(down, { own: ownKey(DEVICE), type: 'rpk', serverType: 'rpk' }, device.now);
    for (let next = queue.shift(); next; next = queue.shift()) next();
    assert.equal(reason(device), 'unknown-key');
    assert.equal(server.of('established').length, 0);
  });
});
