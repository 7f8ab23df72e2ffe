import assert from 'node:assert/strict';
import { isDtls } from '../../../lib/dtls/transport';
import * as coap from '../../support/coap-message';
import { dialogue } from '../../support/coap-dialogue';
import { COAPS, identityOf } from '../../support/scheme';
import { closeAll, createWorld, DEVICE, ELSEWHERE, LIST, perform, read, ScriptedPeer } from '../server/fixture';

const WITH_CONNECTION_ID = 25;

/** What goes over the network of these tests from here on. */
function wire(ground: ReturnType<typeof createWorld>): Buffer[] {
  const datagrams: Buffer[] = [];
  ground.network.tap(({ data }) => datagrams.push(data));
  return datagrams;
}

describe(`what the tests run over: ${COAPS ? 'coaps' : 'coap'}`, () => {
  afterEach(closeAll);

  it('is that and nothing else on the wire', async () => {
    const ground = createWorld();
    const datagrams = wire(ground);
    const peer = new ScriptedPeer(ground);
    peer.register();
    await perform(ground, peer, { operation: read(3, 0, 9), answer: { payload: '1' } });
    assert.equal(datagrams.length, 4);
    for (const datagram of datagrams) {
      assert.equal(isDtls(datagram), COAPS);
      if (COAPS) assert.equal(datagram[0], WITH_CONNECTION_ID);
      else coap.decodeMessage(datagram);
    }
  });

  it('is that in conversations with the engine, too', () => {
    const t = dialogue();
    t.receive('CON GET /a mid=7 token=a1', 'device');
    const request = t.expectRequest();
    const { scheme } = identityOf('device');
    assert.equal(request.peer.identity.scheme, scheme);
    t.respond(request, { code: 0x45, payload: Buffer.from('b') });
    assert.equal(t.sent[0]?.peer.identity.scheme, scheme);
    t.expectSent('ACK 2.05 mid=7 token=a1 "b"');
  });

  it('proves who a device is, from any address', () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground, DEVICE);
    const id = peer.register({ endpoint: 'one' });
    peer.host.move(ELSEWHERE);
    assert.equal(peer.code({ path: `/rd/${id}` }), '2.04');
    const { identity, port } = ground.server.registration('one') ?? {};
    assert.deepEqual([identity, port], [identityOf('one'), ELSEWHERE.port]);
  });

  it('keeps sessions over a restart, without a handshake', () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    const id = peer.register();
    ground.restart({ off: 5_000 });
    const datagrams = wire(ground);
    assert.equal(peer.code({ path: `/rd/${id}` }), '2.04');
    assert.equal(datagrams.length, 2);
  });

  it('takes a datagram that arrives twice for two only where nothing tells them apart', () => {
    const ground = createWorld({ up: { duplication: 1 } });
    const peer = new ScriptedPeer(ground);
    peer.request({ query: ['ep=dev', 'lwm2m=1.1'], contentFormat: 40, payload: LIST });
    peer.tick();
    assert.equal(peer.inbox.length, COAPS ? 1 : 2);
  });

  it('lets somebody else act for a device only where nothing is proven', () => {
    const ground = createWorld();
    const id = new ScriptedPeer(ground).register();
    const stranger = new ScriptedPeer(ground, ELSEWHERE, 0x1000, 'stranger');
    assert.equal(stranger.code({ path: `/rd/${id}` }), COAPS ? '4.00' : '2.04');
  });
});
