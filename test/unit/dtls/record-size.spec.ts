import assert from 'node:assert/strict';
import { runBodyJob } from '../../../lib/coap/body-job';
import { CoapCore } from '../../../lib/coap/core';
import type { IncomingRequest, Outcome, RequestSpec } from '../../../lib/coap/types';
import { writeFlight } from '../../../lib/dtls/handshake/flight';
import { decodeSession, encodeSession } from '../../../lib/dtls/session-codec';
import * as coap from '../../support/coap-message';
import { ownKey, testStore } from '../../support/dtls/certificate-store';
import { ScriptedClient, type ClientOptions } from '../../support/dtls/client';
import { DEVICE, P256 } from '../../support/dtls/fixed-keys';
import { createDtlsGround, type DtlsGround, type GroundOptions } from '../../support/dtls/ground';
import { ScriptedServer } from '../../support/dtls/server';
import * as wire from '../../support/dtls/wire';

const MFL = 1;
const RSL = 28;
const fragmentLength = (code: number): readonly [number, Buffer] => [MFL, Buffer.from([code])];
let tokens = 0;
const sizeLimit = (bytes: number): readonly [number, Buffer] => [RSL, wire.num(bytes, 2)];

/** A chain that takes some 2 KB. */
const chained = { ...ownKey(P256), chain: Array.from({ length: 5 }, () => P256.certificate) };
const certificates = testStore({ own: [chained], known: new Map([[DEVICE.certificate.toString('hex'), 'device']]) });
const x509 = { suite: 'ECDHE_ECDSA_CCM_8', own: { privateKey: DEVICE.privateKey, shown: [DEVICE.certificate] } } as const;

type Extensions = NonNullable<ClientOptions['extensions']>;

/** The plaintext of all records that were sent, by epoch. */
function plaintexts(client: ScriptedClient, datagrams: readonly Buffer[]): { epoch: number; bytes: number }[] {
  const cidBytes = client.options.cid?.length ?? 0;
  return datagrams.flatMap((datagram) =>
    wire.records(datagram, cidBytes).map((record) => {
      if (record.epoch === 0) return { epoch: 0, bytes: record.body.length };
      const type = record.type === wire.CID_RECORD ? 1 : 0;
      return { epoch: 1, bytes: wire.unprotect(client.readSide, record).data.length + type };
    }),
  );
}

function connected(options: Partial<ClientOptions>, ground: Partial<GroundOptions> = {}): { client: ScriptedClient; ground: DtlsGround } {
  const made = createDtlsGround({ certificates, ...ground });
  return { ground: made, client: new ScriptedClient({ ground: made, ...options }).connect() };
}

describe('DTLS: records no larger than the device takes', () => {
  for (const [extensions, limit, answer] of [
    [[fragmentLength(1)], 512, [MFL, '01']],
    [[fragmentLength(2)], 1_024, [MFL, '02']],
    [[fragmentLength(3)], 2_048, [MFL, '03']],
    [[fragmentLength(4)], 4_096, [MFL, '04']],
    [[sizeLimit(64)], 64, [RSL, '4000']],
    [[sizeLimit(700)], 700, [RSL, '4000']],
    [[sizeLimit(16_384)], 16_384, [RSL, '4000']],
    [[sizeLimit(16_385)], 16_384, [RSL, '4000']],
    [[sizeLimit(65_535)], 16_384, [RSL, '4000']],
    [[fragmentLength(1), sizeLimit(900)], 900, [RSL, '4000']],
    [[sizeLimit(900), fragmentLength(9)], 900, [RSL, '4000']],
    [[], 16_384, undefined],
  ] as const satisfies readonly (readonly [Extensions, number, readonly [number, string] | undefined])[]) {
    const said = extensions.map(([type, data]) => `${type === MFL ? 'max_fragment_length' : 'record_size_limit'} ${data.toString('hex')}`);
    const ids = extensions.some(([type]) => type === RSL) ? '[DTLS-271]' : '[DTLS-270]';
    for (const cid of [undefined, Buffer.from('c1d0', 'hex')]) {
      it(`${ids} [DTLS-272] ${said.join(' and ') || 'nothing said'}${cid ? ', with connection IDs' : ''}: records of ${limit} bytes at most`, () => {
        const { client, ground } = connected({ ...x509, extensions, ...(cid && { cid }) }, { limits: { mtu: 1_400 } });
        const both = [MFL, RSL].flatMap((type) => (client.hello?.extensions.has(type) ? [type] : []));
        assert.deepEqual(both, answer ? [answer[0]] : []);
        if (answer) assert.equal(client.hello?.extensions.get(answer[0])?.toString('hex'), answer[1]);
        const peer = ground.peer();
        const most = limit - (cid ? 1 : 0);
        assert.equal(peer.maxMessage, limit < 16_384 ? most : undefined);
        for (const length of [0, most - 1, most]) {
          ground.core.send(Buffer.alloc(length, 1), peer, ground.now);
          client.take(ground.sent.at(-1)!.data);
          assert.equal(client.data.at(-1)?.length, length);
        }
        const before = ground.sent.length;
        ground.core.send(Buffer.alloc(most + 1), peer, ground.now);
        assert.deepEqual([ground.sent.length, ground.core.counters.sendsRefused], [before, 1], 'one byte more does not go');
        const records = plaintexts(
          client,
          ground.sent.map(({ data }) => data),
        );
        assert.equal(records.filter(({ bytes }) => bytes > limit).length, 0);
        const handshake = records.filter(({ epoch }) => epoch === 0);
        if (limit <= 512) assert.ok(handshake.length > 5 && handshake.some(({ bytes }) => bytes === limit), 'as long as they may be');
        client.say(Buffer.alloc(1_000, 5));
        assert.equal(ground.received.at(-1)?.data.length, 1_000, 'what the device sends is not limited by what it takes');
      });
    }
  }

  for (const [what, extension, description] of [
    ['code 0', fragmentLength(0), 47],
    ['code 5', fragmentLength(5), 47],
    ['no code', [MFL, Buffer.alloc(0)], 50],
    ['two codes', [MFL, Buffer.from([1, 1])], 50],
    ['a limit of 63', sizeLimit(63), 47],
    ['a limit of 0', sizeLimit(0), 47],
    ['a limit of one byte', [RSL, Buffer.from([1])], 50],
    ['a limit of three bytes', [RSL, Buffer.alloc(3, 1)], 50],
  ] as const) {
    it(`[DTLS-270] [DTLS-271] ${what} is alert ${description}`, () => {
      const ground = createDtlsGround();
      const client = new ScriptedClient({ ground, extensions: [extension] }).greet();
      assert.deepEqual(client.alerts, [{ level: 2, description, protected: false }]);
      assert.equal(ground.core.sizes().handshakes, 0);
    });
  }

  it('[DTLS-272] pieces fill the room of a datagram, and neither a record nor a datagram is longer than a record may be', () => {
    const body = Buffer.alloc(3_000, 7);
    for (const recordSize of [64, 100, 512, 16_384]) {
      for (const mtu of [228, 600, 1_232]) {
        const steps = [{ kind: 'message', type: 11, messageSeq: 0, body, epoch: 0 } as const];
        const most = Math.min(mtu, recordSize + 13);
        const datagrams = writeFlight(steps, { plainSeq: 0, recordSize, link: undefined }, mtu);
        const pieces = datagrams.flatMap((datagram) => wire.records(datagram).map((record) => record.body));
        assert.ok(pieces.every((piece) => piece.length <= recordSize) && datagrams.every(({ length }) => length <= most));
        const whole = Buffer.concat(pieces.flatMap((piece) => wire.messages(piece).map(({ data }) => data)));
        assert.ok(whole.equals(body));
        assert.ok(datagrams.length <= Math.ceil(3_200 / (most - 25)), 'no more of them than it takes');
      }
    }
  });

  it('[DTLS-272] our Finished too, and when it is repeated', () => {
    const { client, ground } = connected({ extensions: [sizeLimit(64)], cid: Buffer.from('beef', 'hex') });
    ground.advance(3_000);
    const again = client.send(client.finished({ seq: 9 }));
    assert.ok(again.length > 0);
    assert.ok(plaintexts(client, again).every(({ bytes }) => bytes <= 64));
  });

  it('[DTLS-274] the limit outlasts a restart; states from before there was one have none', () => {
    const { client, ground } = connected({ extensions: [fragmentLength(1)], cid: Buffer.alloc(0) });
    const [state] = ground.core.stop();
    const kept = decodeSession(encodeSession(state!));
    assert.equal(kept?.recordSize, 512);
    const next = createDtlsGround({ seed: 9 });
    const [peer] = next.core.restore([kept], next.route, next.now);
    assert.equal(peer?.maxMessage, 512);
    next.core.send(Buffer.alloc(513), peer, next.now);
    assert.equal(next.sent.length, 0);
    next.core.send(Buffer.alloc(512), peer, next.now);
    client.take(next.sent.at(-1)!.data);
    assert.equal(client.data.at(-1)?.length, 512);
    const bytes = encodeSession({ ...state!, recordSize: 16_384 });
    const at = bytes.indexOf(Buffer.concat([state!.ownCid, wire.num(16_384, 2)])) + state!.ownCid.length;
    const older = Buffer.concat([Buffer.from([2]), bytes.subarray(1, at), bytes.subarray(at + 2)]);
    assert.deepEqual(decodeSession(older), { ...state, recordSize: 16_384 });
    const larger = Buffer.from(bytes);
    larger.writeUInt16BE(16_385, at);
    assert.equal(decodeSession(larger), undefined);
  });

  it('[DTLS-274] max_fragment_length belongs to what is resumed, record_size_limit to each handshake', () => {
    const resumed = (first: Extensions, second: Extensions): [boolean, number | undefined] => {
      const ground = createDtlsGround({ proof: () => 'proof' });
      const before = new ScriptedClient({ ground, extensions: first }).connect();
      const after = new ScriptedClient({ ground, from: before.from, earlier: before.earlier, extensions: second, seed: 4 }).greet();
      if (after.resumed) after.resume();
      return [after.resumed, after.resumed ? ground.peer().maxMessage : undefined];
    };
    assert.deepEqual(resumed([fragmentLength(1)], [fragmentLength(1)]), [true, 512]);
    assert.deepEqual(resumed([fragmentLength(1)], [fragmentLength(2)]), [false, undefined]);
    assert.deepEqual(resumed([fragmentLength(1)], []), [false, undefined]);
    assert.deepEqual(resumed([sizeLimit(100)], [sizeLimit(200)]), [true, 200]);
  });

  describe('as a client', () => {
    const hello = (extensions: Extensions): ScriptedServer => {
      const server = new ScriptedServer().invite();
      server.say(server.hello({ extensions }));
      return server;
    };

    it('[DTLS-275] it says that it takes all there can be, and keeps to what the server says', () => {
      const server = hello([sizeLimit(100), [23, Buffer.alloc(0)]]);
      assert.ok(server.transcript.includes(Buffer.from('001c00024000', 'hex')));
      server.say(server.done());
      server.say(server.ccs(), server.finished());
      const { core, now } = server.ground;
      const peer = server.ground.peer();
      assert.equal(peer.maxMessage, 100);
      core.send(Buffer.alloc(101, 'a'), peer, now);
      core.send(Buffer.alloc(100, 'b'), peer, now);
      server.listen();
      assert.deepEqual(server.heard, ['b'.repeat(100)]);
    });

    for (const [what, extension, description] of [
      ['a limit below 64', sizeLimit(63), 47],
      ['half a limit', [RSL, Buffer.alloc(1)], 50],
      ['max_fragment_length, which was not offered', fragmentLength(1), 110],
    ] as const) {
      it(`[DTLS-275] ${what} is alert ${description}`, () => assert.deepEqual(hello([extension]).alerts, [description]));
    }
  });

  describe('under CoAP', () => {
    /** An engine of ours on such a session, and what the device at its other end gets. */
    class Dialogue {
      readonly client: ScriptedClient;
      readonly ground: DtlsGround;
      readonly outcomes: Outcome[] = [];
      readonly core: CoapCore;
      onRequest: (request: IncomingRequest) => void = () => undefined;
      #heard = 0;

      constructor(extensions: Extensions, cid?: Buffer) {
        const { client, ground } = connected({ extensions, ...(cid && { cid }) });
        [this.client, this.ground] = [client, ground];
        this.core = new CoapCore({
          now: ground.now,
          random: { float: () => 0, bytes: (count) => wire.num((tokens += 1), count) },
          sink: {
            send: (data, peer) => ground.core.send(data, peer, ground.now),
            admit: () => 0,
            request: (request) => this.onRequest(request),
            outcome: (_id, outcome) => void this.outcomes.push(outcome),
            observation: () => undefined,
            accept: () => undefined,
            unobserved: () => undefined,
            body: (job) => runBodyJob(job, (done, result) => this.core.bodyDone(done, result, ground.now)),
            bodyEnd: () => undefined,
          },
        });
      }

      request(spec: Partial<RequestSpec>): void {
        this.core.request(this.ground.peer(), { code: coap.code('0.03'), path: ['19', '0', '0'], ...spec }, this.ground.now);
        this.core.advance(this.ground.now);
      }

      /** What the device has got since. */
      heard(): coap.CoapMessage[] {
        for (const { data } of this.ground.sent.splice(0)) this.client.take(data);
        const messages = this.client.data.slice(this.#heard);
        this.#heard = this.client.data.length;
        return messages.map((bytes) => coap.decodeMessage(bytes));
      }

      say(message: Parameters<typeof coap.encodeMessage>[0]): void {
        this.client.say(coap.encodeMessage(message));
        for (const { data, peer } of this.ground.received.splice(0)) this.core.receive(data, peer, this.ground.now);
      }

      /** Takes a body in blocks; how large they were. */
      takeBody(): number[] {
        const sizes: number[] = [];
        for (let [message] = this.heard(); message; [message] = this.heard()) {
          sizes.push(message.payload.length);
          const [block] = coap.values(message, coap.OptionNumber.Block1);
          const more = block !== undefined && (coap.readUint(block) & 8) !== 0;
          const options = block ? [{ number: coap.OptionNumber.Block1, value: block }] : [];
          this.say({ type: coap.ACK, code: coap.code(more ? '2.31' : '2.04'), mid: message.mid, token: message.token, options });
        }
        return sizes;
      }
    }

    for (const [extensions, cid, block] of [
      [[fragmentLength(1)], undefined, 256],
      [[fragmentLength(1)], Buffer.alloc(4, 4), 256],
      [[fragmentLength(2)], undefined, 512],
      [[fragmentLength(3)], undefined, 1_024],
      [[sizeLimit(64)], Buffer.alloc(4, 4), 16],
      [[sizeLimit(128)], undefined, 64],
      [[], undefined, 1_024],
    ] as const satisfies readonly (readonly [Extensions, Buffer | undefined, number])[]) {
      const said = extensions.map(([type, data]) => `${type}: ${data.toString('hex')}`).join() || 'no limit';
      it(`[DTLS-273] ${said}: a body goes in blocks of ${block} bytes, from memory and from a source`, () => {
        const whole = Buffer.alloc(2_500, 3);
        for (const body of [
          { payload: whole },
          { body: { size: 2_500, read: (at: number, length: number) => whole.subarray(at, at + length) } },
        ]) {
          const t = new Dialogue(extensions, cid);
          t.request(body);
          const sizes = t.takeBody();
          assert.deepEqual([Math.max(...sizes), sizes.reduce((sum, size) => sum + size, 0)], [block, 2_500]);
          assert.equal(t.outcomes[0]?.kind, 'response');
          assert.equal(t.ground.core.counters.sendsRefused, 0);
        }
      });

      it(`[DTLS-273] ${said}: so do our answers, whatever size is asked for`, () => {
        for (const wanted of [undefined, 6, 0]) {
          const t = new Dialogue(extensions, cid);
          t.onRequest = ({ id }) =>
            t.core.respond(id, { code: coap.code('2.05'), contentFormat: 112, payload: Buffer.alloc(1_500, 6) }, t.ground.now);
          let got = 0;
          const size = wanted === undefined ? undefined : 16 << wanted;
          for (let mid = 1; got < 1_500; mid += 1) {
            const szx = wanted ?? 6;
            const options =
              wanted === undefined && got === 0 ? [] : [coap.uintOption(coap.OptionNumber.Block2, (got / (16 << szx)) * 16 + szx)];
            if (got % (16 << szx) !== 0) break;
            t.say({
              type: coap.CON,
              code: coap.code('0.01'),
              mid,
              token: Buffer.from([mid & 255]),
              options: [...coap.pathOptions('/3'), ...options],
            });
            const [answer] = t.heard();
            assert.equal(answer && coap.codeText(answer.code), '2.05');
            assert.ok(answer!.payload.length <= Math.min(block, size ?? block));
            got += answer!.payload.length;
          }
          assert.ok(got >= Math.min(block, size ?? block) && t.ground.core.counters.sendsRefused === 0);
        }
      });
    }

    it('[DTLS-273] what cannot go in blocks is too-large, is not sent, and the next request has its turn', () => {
      const t = new Dialogue([sizeLimit(64)]);
      t.request({ code: coap.code('0.01'), path: ['x'.repeat(70)] });
      assert.deepEqual(
        t.outcomes.map((outcome) => outcome.kind === 'failed' && outcome.reason),
        ['too-large'],
      );
      assert.deepEqual(t.heard(), []);
      assert.equal(t.ground.core.counters.sendsRefused, 0);
      t.request({ code: coap.code('0.01'), path: ['3'] });
      assert.deepEqual(
        t.heard().map((message) => coap.uriPath(message)),
        ['/3'],
      );
      assert.equal(t.core.sizes().exchanges, 1);
    });

    it('[DTLS-273] an answer with more options than there is room for is 5.00, an error is cut', () => {
      for (const [spec, code] of [
        [{ code: coap.code('2.01'), options: [{ number: 8, value: Buffer.alloc(80, 'a') }] }, '5.00'],
        [{ code: coap.code('4.00'), options: [{ number: 8, value: Buffer.alloc(30, 'a') }], payload: Buffer.alloc(60, 'b') }, '4.00'],
      ] as const) {
        const t = new Dialogue([sizeLimit(64)]);
        t.onRequest = ({ id }) => t.core.respond(id, spec, t.ground.now);
        t.say({ type: coap.CON, code: coap.code('0.02'), mid: 5, token: Buffer.from([1]), options: coap.pathOptions('/rd') });
        assert.deepEqual(
          t.heard().map((message) => coap.codeText(message.code)),
          [code],
        );
      }
    });

    it('[DTLS-279] what waits for its turn when the device comes back with a smaller limit goes in smaller blocks', () => {
      const t = new Dialogue([], undefined);
      const before = t.ground.peer();
      t.request({ payload: Buffer.alloc(100, 1) });
      t.request({ payload: Buffer.alloc(2_000, 2) });
      assert.equal(t.heard().length, 1);
      const again = new ScriptedClient({ ground: t.ground, from: t.client.from, extensions: [fragmentLength(1)], seed: 31 }).connect();
      t.ground.sent.length = 0;
      t.core.rebind(before, t.ground.peer(), t.ground.now);
      for (const { data } of t.ground.sent.splice(0)) again.take(data);
      const [message] = again.data.map((bytes) => coap.decodeMessage(bytes));
      assert.equal(message?.payload.length, 256);
    });
  });
});
