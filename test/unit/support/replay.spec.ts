import assert from 'node:assert/strict';
import * as coap from '../../support/coap-message';
import { ReplayingPeer } from '../../support/replay';
import { ScriptedServer } from '../../support/scripted-server';
import { loadTrace } from '../../support/traces';
import { VirtualClock } from '../../support/virtual-clock';
import { VirtualNetwork } from '../../support/virtual-network';

const SERVER = { address: '192.0.2.1', port: 5683 };
const CLIENT = { address: '192.0.2.2', port: 56_830 };

function play(name: string) {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock });
  const server = new ScriptedServer({ network, clock, at: SERVER });
  const peer = new ReplayingPeer({ trace: loadTrace(name), network, clock, host: CLIENT, server: SERVER });
  peer.start();
  return { clock, network, server, peer, route: server.transport.peerFor(CLIENT.address, CLIENT.port) };
}

describe('replaying peer', () => {
  it('sends the recorded requests at their times, with the live registration id in place of the recorded one', () => {
    const { clock, server, peer } = play('queue-anjay-10');
    clock.advance(90_000);
    assert.deepEqual(server.paths, ['0.02 /rd']);
    assert.equal(peer.finished, false);
    clock.advance(20_000);
    assert.deepEqual(server.paths, ['0.02 /rd', '0.02 /rd', '0.04 /rd/live2']);
    assert.equal(peer.finished, true);
    assert.deepEqual(
      [...peer.registrationIds],
      [
        ['r1', 'live1'],
        ['r2', 'live2'],
      ],
    );
    assert.ok(peer.requests[0]?.sent.equals(peer.requests[0].recorded.record.bytes), 'recorded bytes');
    assert.equal(peer.requests.at(-1)?.reply?.code, coap.code('2.02'));
  });

  it('registers in blocks', () => {
    const { clock, server, peer } = play('block1-register-anjay');
    clock.advance(10_000);
    assert.equal(server.registered.length, 1);
    assert.equal(server.registered[0]?.endpoint, 'anjblk');
    assert.equal(peer.requests.length, 8);
    assert.equal(peer.registers.length, 1);
    assert.equal(server.paths.at(-1), '0.04 /rd/live1');
  });

  it('answers as recorded, with the live message id and token', () => {
    const { clock, server, peer, route } = play('wakaama-udp');
    clock.advance(100);
    const accept = coap.uintOption(coap.OptionNumber.Accept, 110);
    const mid = server.ask(route, { code: '0.01', path: '/3/0/7', token: 'aabbcc', options: [accept] });
    clock.advance(100);
    const { message } = server.responses[0] as { message: coap.CoapMessage };
    assert.equal(message.mid, mid);
    assert.equal(message.token.toString('hex'), 'aabbcc');
    assert.equal(message.payload.toString(), '[{"bn":"/3/0/7/","n":"0","v":3800},{"n":"1","v":5000}]');
    assert.notEqual(peer.played[0]?.exchange, undefined);
  });

  it('repeats an answer to a duplicate, and does not play the next one for it', () => {
    const { clock, network, server, peer, route } = play('wakaama-udp');
    network.down.duplication = 1;
    network.down.reordering = 1;
    network.down.reorderBy = 500;
    server.ask(route, { code: '0.01', path: '/3/0/0', token: '01' });
    clock.advance(1_000);
    assert.equal(server.responses.length, 2);
    assert.deepEqual(server.responses[0]?.message, server.responses[1]?.message);
    assert.equal(peer.played.length, 1);
  });

  it('falls back to the same request with another Accept when the format fits, and says so when nothing does', () => {
    const { clock, server, peer, route } = play('observe-wakaama-battery');
    const accept = (format: number) => [coap.uintOption(coap.OptionNumber.Accept, format)];
    server.ask(route, { code: '0.01', path: '/3/0/9', token: '01', options: accept(0) });
    clock.advance(10);
    assert.equal(server.responses[0]?.message.code, coap.code('2.05'));
    server.ask(route, { code: '0.01', path: '/3/0/9', token: '02', options: accept(112) });
    clock.advance(10);
    assert.equal(server.responses[1]?.message.code, coap.code('4.04'));
    assert.deepEqual(
      peer.played.map(({ exchange }) => exchange !== undefined),
      [true, false],
    );
  });

  it('plays notifications under the live token, until they are reset', () => {
    const { clock, server, peer, route } = play('observe-wakaama-instance-partial');
    clock.advance(10);
    const options = [coap.uintOption(coap.OptionNumber.Observe, 0), coap.uintOption(coap.OptionNumber.Accept, 11542)];
    server.ask(route, { code: '0.01', path: '/3/0', token: 'cafe', options });
    clock.advance(9_000);
    assert.deepEqual(
      server.responses.map(({ message }) => [message.token.toString('hex'), coap.number(message, coap.OptionNumber.Observe)]),
      [
        ['cafe', 1],
        ['cafe', 2],
        ['cafe', 3],
      ],
    );
    const last = server.responses.at(-1)?.message as coap.CoapMessage;
    server.transport.send(coap.encodeMessage({ type: coap.RST, code: 0, mid: last.mid }), route);
    clock.advance(60_000);
    assert.equal(server.responses.length, 3);
    assert.deepEqual(peer.resets, [last.mid]);
  });
});
