import assert from 'node:assert/strict';
import * as coap from '../../support/coap-message';
import { plainOnly } from '../../support/scheme';
import { closeAll, createWorld, ScriptedPeer } from '../server/fixture';

const LIMITED = { params: { sourceRate: 0.001, sourceBurst: 3 } };
const elsewhere = { path: '/rd/nobody', query: ['lt=60'] };

/** How many of a number of requests are answered at all. */
function answered(peer: ScriptedPeer, count: number): number {
  for (let i = 0; i < count; i++) peer.request(elsewhere);
  peer.tick();
  return peer.inbox.splice(0).length;
}

const unproven = plainOnly('over DTLS a cookie has proven the address, and the key the device, before anything is said');

describe('the standing of devices', () => {
  afterEach(closeAll);

  unproven('[COAP-138] a registered device has no limit, until it de-registers', () => {
    const peer = new ScriptedPeer(createWorld(LIMITED));
    const id = peer.register();
    assert.equal(answered(peer, 20), 20);
    assert.equal(peer.code({ code: '0.04', path: `/rd/${id}` }), '2.02');
    assert.equal(answered(peer, 20), 2, 'what is left of the burst');
  });

  it('[COAP-138] nor has one that has registered anew', () => {
    const peer = new ScriptedPeer(createWorld(LIMITED));
    peer.register();
    peer.register();
    assert.equal(answered(peer, 20), 20);
  });

  unproven('[COAP-042] Register alone proves nothing, for the address may be forged; an Update does', () => {
    const peer = new ScriptedPeer(createWorld());
    const id = peer.register();
    const wrong = { path: `/rd/${id}`, query: ['lt=x'] };
    const before = peer.ask(wrong);
    assert.equal(coap.codeText(before.code), '4.00');
    assert.equal(peer.code({ path: `/rd/${id}` }), '2.04');
    const after = peer.ask(wrong);
    assert.equal(coap.codeText(after.code), '4.00');
    assert.ok(after.payload.length > before.payload.length);
    assert.ok(after.payload.toString().startsWith(before.payload.toString()));
  });
});
