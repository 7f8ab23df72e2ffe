import assert from 'node:assert/strict';
import { countEscapes, FUZZ, liveHeap } from '../support/fuzz';
import { ownKey, testStore } from '../support/dtls/certificate-store';
import { ScriptedClient, type ClientOptions } from '../support/dtls/client';
import { readConversations, showing } from '../support/dtls/conversations';
import { DEVICE, P256, P384, RSA } from '../support/dtls/fixed-keys';
import { createDtlsGround, type DtlsGround } from '../support/dtls/ground';
import * as wire from '../support/dtls/wire';
import { createRandom, type Random } from '../support/random';

/** A datagram of DTLS is cheap: 40 000 of them at the default of 10 000, and 10 000 where keys are agreed on and signed with. */
const SHARES = { psk: 4, certificates: 1 } as const;
const NOTHING = { sessions: 0, handshakes: 0, reassemblyBytes: 0 };
const MAX_DATAGRAM = 65_507;
/** Sessions that live through it all. */
const names = ['alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta'];
const keys = new Map(names.map((name, index) => [name, Buffer.alloc(16, index + 1)]));
const LENGTHS = [0, 1, 12, 13, 14, 255, 256, 1_000, 16_384, 16_385, 18_432, 18_433, 65_535];

/** Spoils bytes as a whole, as records, and as handshake messages with their lengths put right or wrong. */
function spoil(data: Buffer, others: readonly Buffer[], random: Random): Buffer {
  let out: Buffer = Buffer.from(data);
  for (let left = random.pick([1, 1, 1, 2, 2, 3, 4]); left > 0; left -= 1) {
    const at = random.int(out.length + 1);
    switch (random.int(12)) {
      case 0:
        if (out.length > 0) out[at % out.length] = random.int(256);
        break;
      case 1:
        if (out.length > 0) out[at % out.length] = (out[at % out.length] as number) ^ (1 << random.int(8));
        break;
      case 2:
        out = out.subarray(0, at);
        break;
      case 3:
        out = Buffer.concat([out, random.bytes(random.int(random.chance(0.02) ? 60_000 : 80))]);
        break;
      case 4:
        out = Buffer.concat([out.subarray(0, at), random.pick(others).subarray(random.int(20))]);
        break;
      case 5:
        out = Buffer.concat([out, random.pick(others)]);
        break;
      case 6:
        // The length of the record.
        if (out.length >= 13) out.writeUInt16BE(random.pick(LENGTHS), 11);
        break;
      case 7:
        // Epoch and number.
        if (out.length >= 13) random.bytes(random.pick([2, 8])).copy(out, 3);
        break;
      case 8:
        // A field of the handshake header: length, number, offset, size.
        if (out.length >= 25) out.writeUIntBE(random.pick([0, 1, 2, 11, 12, 100, 0xffff]), random.pick([14, 15, 17, 19, 20, 22, 23]), 2);
        break;
      case 9:
        if (out.length >= 14) out[13] = random.pick([0, 1, 2, 3, 4, 11, 12, 13, 14, 15, 16, 20, 24, 255]);
        break;
      case 10:
        if (out.length >= 1) out[0] = random.pick([19, 20, 21, 22, 23, 24, 25, 26, 64, 255]);
        break;
      default: {
        // Whole again: the body as a record of its own length.
        const body = out.subarray(Math.min(13, out.length));
        out = wire.record(random.pick([20, 21, 22, 23, 25]), random.pick([0, 0, 1, 1, 2]), random.int(1_000), body.subarray(0, 65_535));
      }
    }
  }
  return Buffer.from(out.subarray(0, MAX_DATAGRAM));
}

const certificates = testStore({
  own: [ownKey(P256), ownKey(RSA)],
  known: new Map([
    [DEVICE.publicKey.toString('hex'), 'a key'],
    [P384.certificate.toString('hex'), 'a certificate'],
    [RSA.certificate.toString('hex'), 'never proven'],
  ]),
});

/** Where datagrams come from: what is recorded or made, sessions that live through it all, and handshakes that never complete. */
interface Corpus {
  samples(seed: number): Buffer[];
  /** Of the session `index`. */
  session(index: number, random: Random): Partial<ClientOptions>;
  readonly stranger: Partial<ClientOptions>;
  /** What the stranger says after the hellos; it is never right. */
  steps(client: ScriptedClient): readonly (() => Buffer)[];
}

const bySharedKey = (name: string): Partial<ClientOptions> => ({ identity: Buffer.from(name), key: keys.get(name)! });

const CORPORA: Readonly<Record<keyof typeof SHARES, Corpus>> = {
  psk: {
    samples: (seed) => corpusOf(createDtlsGround({ keys, limits: { sourceRate: 0, totalRate: 0 } }), seed),
    session: (index, random) => ({ ...bySharedKey(names[index]!), suite: random.pick(Object.keys(wire.SUITES)) }),
    stranger: { identity: Buffer.from('nobody'), key: Buffer.alloc(16) },
    steps: (client) => [() => client.keyExchange(), () => Buffer.concat([client.keyExchange(), client.ccs(), client.finished()])],
  },
  certificates: {
    samples: readConversations,
    session: (index, random) => {
      if (index === 0) return { ...showing(DEVICE, 'rpk'), suite: 'ECDHE_ECDSA_CCM_8' };
      if (index === 1) return { ...showing(P384, 'x509'), suite: random.pick(['ECDHE_ECDSA_CBC', 'ECDHE_RSA_GCM']), etm: true };
      return { ...bySharedKey(names[index]!), suite: random.pick(['PSK_CBC', 'ECDHE_PSK_CBC']), etm: index % 2 === 0 };
    },
    // It shows what is not its own.
    stranger: { ...showing(RSA, 'x509'), suite: 'ECDHE_ECDSA_CBC', schemes: [0x0403, 0x0804] },
    steps: (client) => {
      const signed = (): Buffer => client.certificateVerify({ scheme: 0x0403, privateKey: DEVICE.privateKey });
      return [
        () => client.certificate(),
        () => client.keyExchange(),
        signed,
        () => Buffer.concat([client.certificate(), client.keyExchange(), signed(), client.ccs(), client.finished()]),
      ];
    },
  },
};

/** The datagrams of whole handshakes and their sessions, each as a client would send it. */
function corpusOf(ground: DtlsGround, seed: number): Buffer[] {
  const samples: Buffer[] = [];
  for (const [index, suite] of Object.keys(wire.SUITES).entries()) {
    const name = names[index % names.length]!;
    const client = new ScriptedClient({
      ground,
      suite,
      seed: seed + index,
      identity: Buffer.from(name),
      key: keys.get(name)!,
      ...(index % 2 === 0 && { cid: Buffer.alloc(index) }),
      extensions: [[0x1234, Buffer.alloc(5)]],
    });
    const say = (datagram: Buffer): void => {
      samples.push(datagram);
      client.send(datagram);
    };
    say(client.helloRecord());
    say(client.helloRecord());
    const flight = [client.keyExchange(), client.ccs(), client.finished()];
    samples.push(...flight);
    say(Buffer.concat(flight));
    say(client.secure(wire.DATA, Buffer.from('data of a device')));
    samples.push(client.secure(wire.ALERT, Buffer.from([1, 0]), { seq: 500 }), client.plain(wire.ALERT, Buffer.from([2, 40])));
  }
  return samples;
}

for (const [name, corpus] of Object.entries(CORPORA)) {
  const COUNT = SHARES[name as keyof typeof SHARES] * FUZZ.count;
  describe(`DTLS: ${COUNT} spoiled datagrams (${name}), seed ${FUZZ.seed}`, () => {
    it('from strangers leave nothing behind and get no more back than they are', async () => {
      const samples = corpus.samples(FUZZ.seed).filter((datagram) => !isHelloWithCookie(datagram));
      const ground = createDtlsGround({ keys, certificates, seed: FUZZ.seed });
      const random = createRandom(FUZZ.seed);
      let heap = 0;
      let answered = 0;
      const escaped = await countEscapes(async () => {
        heap = liveHeap();
        for (let index = 0; index < COUNT / 2; index += 1) {
          const datagram = spoil(random.pick(samples), samples, random);
          const from = ground.route(`10.0.0.${index & 7}`, 1_024 + (index % 1_000));
          const answers = ground.receive(datagram, from);
          const bytes = answers.reduce((sum, answer) => sum + answer.length, 0);
          assert.ok(bytes <= datagram.length, `${bytes} bytes for ${datagram.toString('hex')}`);
          answered += answers.length;
          ground.sent.length = 0;
          if (index % 64 === 0) ground.advance(50);
        }
        await Promise.resolve();
      });
      assert.deepEqual(escaped, []);
      assert.deepEqual(ground.core.sizes(), NOTHING);
      assert.deepEqual([ground.reports.length, ground.core.counters.internalErrors, ground.core.deadline()], [0, 0, Infinity]);
      assert.ok(answered > COUNT / 100, `only ${answered} were answered`);
      const grown = liveHeap() - heap;
      assert.ok(grown < 6_000_000, `the heap grew by ${grown} bytes`);
    });

    it('into handshakes and sessions, from their own addresses too: no exception, no growth, and live sessions go on', async () => {
      const limits = { sourceRate: 0, totalRate: 0, maxHandshakes: 100 };
      const ground = createDtlsGround({ keys, certificates, seed: FUZZ.seed + 1, limits });
      const random = createRandom(FUZZ.seed + 1);
      const samples = corpus.samples(FUZZ.seed);
      const open = (_name: string, index: number): ScriptedClient =>
        new ScriptedClient({
          ground,
          from: ground.route('192.0.2.1', 2_000 + index),
          seed: 1_000_000 + index,
          ...corpus.session(index, random),
          ...(index % 2 === 0 && { cid: Buffer.alloc(index % 5) }),
        }).connect();
      const live = names.map(open);
      const home = live.map((client) => client.from);
      let heap = 0;
      let pending: ScriptedClient | undefined;
      let completed = 0;
      let next = 10;
      const escaped = await countEscapes(async () => {
        heap = liveHeap();
        for (let index = 0; index < COUNT / 2; index += 1) {
          const client = random.pick(live);
          // What is under way, to be spoiled: records of a live session, or the steps of a handshake that is going on.
          pending ??= new ScriptedClient({
            ground,
            seed: FUZZ.seed + next,
            ...corpus.stranger,
            from: ground.route('192.0.2.2', 1_024 + (next++ % 2_000)),
          }).greet();
          const genuine = random.pick([
            () => client.secure(wire.DATA, random.bytes(random.int(60)), { seq: client.seq + random.int(100) }),
            () => random.pick(samples),
            () => pending!.helloRecord(),
            ...corpus.steps(pending),
          ])();
          const target = random.pick([client.from, pending.from, random.pick(home)]);
          ground.receive(spoil(genuine, samples, random), target);
          ground.received.length = 0;
          ground.sent.length = 0;
          if (random.chance(0.02)) pending = undefined;
          if (index % 50 === 49) {
            // A live session whose own number was used by a spoiled but authentic copy goes on behind it.
            const speaker = random.pick(live);
            speaker.seq += 200;
            const text = `still here ${index}`;
            ground.receive(speaker.secure(wire.DATA, Buffer.from(text)), speaker.from);
            if (!ground.received.some(({ data }) => data.toString() === text)) {
              // Within a burst of forged records a session may be quiet; a second later it is not.
              ground.advance(10_000);
              ground.receive(speaker.secure(wire.DATA, Buffer.from(text)), speaker.from);
            }
            assert.ok(
              ground.received.some(({ data }) => data.toString() === text),
              `session ${live.indexOf(speaker)} is dead after ${index}`,
            );
            completed += 1;
            ground.reports.length = 0;
            ground.keyLog.length = 0;
            certificates.judged.length = 0;
            certificates.called.length = 0;
            ground.advance(200);
          }
        }
        ground.advance(300_000);
        await Promise.resolve();
      });
      assert.deepEqual(escaped, []);
      assert.equal(ground.core.counters.internalErrors, 0);
      assert.deepEqual(ground.core.sizes(), { sessions: live.length, handshakes: 0, reassemblyBytes: 0 });
      assert.ok(completed > 0);
      const grown = liveHeap() - heap;
      assert.ok(grown < 12_000_000, `the heap grew by ${grown} bytes`);
    });
  });
}

function isHelloWithCookie(datagram: Buffer): boolean {
  return datagram[0] === wire.HANDSHAKE && datagram[13] === 1 && datagram.readUInt16BE(17) === 1;
}
