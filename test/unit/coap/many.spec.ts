import assert from 'node:assert/strict';
import { Code } from '../../../lib/coap/codes';
import { CoapCore } from '../../../lib/coap/core';
import type { RequestSpec } from '../../../lib/coap/types';
import type { Peer } from '../../../lib/transport/types';
import * as coap from '../../support/coap-message';
import { createRandom } from '../../support/random';

const OBSERVATIONS = 10_000;
const IN_FLIGHT = 2_000;
const ROUNDS = 3;
const spec: RequestSpec = { code: Code.GET, path: ['3', '0', '9'], observe: 0 };

/** A core whose message ids begin at the same number for every peer, and what it sent and told. */
function ground(): {
  core: CoapCore;
  sent: { message: coap.CoapMessage; peer: Peer }[];
  notified: Map<string, string[]>;
  outcomes: string[];
} {
  const random = createRandom(7);
  const sent: { message: coap.CoapMessage; peer: Peer }[] = [];
  const notified = new Map<string, string[]>();
  const outcomes: string[] = [];
  const core = new CoapCore({
    now: 0,
    random: { float: () => 0.5, bytes: (count) => random.bytes(count) },
    sink: {
      send: (data, peer) => void sent.push({ message: coap.decodeMessage(Buffer.from(data)), peer }),
      admit: () => 0,
      request: () => assert.fail('nobody asks'),
      outcome: (_id, outcome) => void outcomes.push(outcome.kind === 'failed' ? outcome.reason : coap.codeText(outcome.response.code)),
      observation: (report) => {
        assert.ok(report.kind === 'notification', report.kind);
        const told = notified.get(report.peer.key) ?? [];
        notified.set(report.peer.key, [...told, Buffer.from(report.response.payload).toString()]);
      },
      accept: () => undefined,
      unobserved: () => assert.fail('nobody observes us'),
      body: () => assert.fail('no bodies'),
      bodyEnd: () => assert.fail('no bodies'),
    },
  });
  return { core, sent, notified, outcomes };
}

const peers = Array.from({ length: OBSERVATIONS }, (_, index): Peer => ({
  key: `device ${index}`,
  address: `2001:db8::${index.toString(16)}`,
  port: 5683,
  identity: { scheme: 'coap', mode: 'none', name: '' },
  transport: { maxMessage: 1152, send: () => undefined },
}));

describe(`CoAP with ${OBSERVATIONS} observations and ${IN_FLIGHT} requests under way, all under the same message ids`, function () {
  this.timeout(60_000);
  const tokens = new Map<string, Buffer>();

  /** Every device sends its notifications, under ids that our own requests to it and to others have as well. */
  function notifyAll(core: CoapCore, first: number, mid: number): void {
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [index, peer] of peers.entries()) {
        const options = [coap.uintOption(coap.OptionNumber.Observe, first + round)];
        const type: coap.MessageType = index % 2 === 0 ? coap.CON : coap.NON;
        const payload = Buffer.from(`${peer.key}: ${round}`);
        const message = { type, code: coap.code('2.05'), mid: mid + round, token: tokens.get(peer.key)!, options, payload };
        core.receive(coap.encodeMessage(message), peer, 1);
      }
    }
  }

  function check(notified: ReadonlyMap<string, string[]>): void {
    assert.equal(notified.size, OBSERVATIONS);
    for (const [key, told] of notified) {
      assert.deepEqual(
        told,
        Array.from({ length: ROUNDS }, (_, round) => `${key}: ${round}`),
      );
    }
  }

  it('[COAP-173] none is lost, and each Confirmable one is acknowledged', () => {
    const { core, sent, notified, outcomes } = ground();
    for (const peer of peers) core.request(peer, spec, 0);
    for (const { message, peer } of sent.splice(0)) {
      tokens.set(peer.key, message.token);
      const { mid, token } = message;
      const options = [coap.uintOption(coap.OptionNumber.Observe, 1)];
      core.receive(coap.encodeMessage({ type: coap.ACK, code: coap.code('2.05'), mid, token, options }), peer, 0);
    }
    assert.equal(outcomes.splice(0).length, OBSERVATIONS);
    for (const peer of peers.slice(0, IN_FLIGHT)) core.request(peer, { code: Code.GET, path: ['1'] }, 1);
    const requests = sent.splice(0);
    assert.equal(requests.length, IN_FLIGHT);
    notifyAll(core, 2, requests[0]!.message.mid);
    check(notified);
    assert.equal(sent.filter(({ message }) => message.type === coap.ACK && message.code === 0).length, (OBSERVATIONS / 2) * ROUNDS);
    assert.equal(sent.length, (OBSERVATIONS / 2) * ROUNDS);
    for (const { message, peer } of requests) {
      core.receive(coap.encodeMessage({ type: coap.ACK, code: coap.code('2.05'), mid: message.mid, token: message.token }), peer, 1);
    }
    assert.deepEqual([outcomes.length, new Set(outcomes).size], [IN_FLIGHT, 1]);
  });

  it('[COAP-173] nor after a restart, once their tokens are adopted', () => {
    const { core, sent, notified } = ground();
    for (const peer of peers) core.adoptObservation(peer, tokens.get(peer.key)!, spec, 0);
    notifyAll(core, 100, 500);
    check(notified);
    assert.equal(sent.length, (OBSERVATIONS / 2) * ROUNDS);
    assert.ok(sent.every(({ message }) => message.type === coap.ACK));
  });
});
