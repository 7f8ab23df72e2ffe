import assert from 'node:assert/strict';
import type { Peer } from '../../../lib/transport/types';
import { createRandom } from '../../support/random';
import { VirtualClock } from '../../support/virtual-clock';
import { addressKey, VirtualNetwork, type VirtualNetworkOptions } from '../../support/virtual-network';

function wire(options: Omit<VirtualNetworkOptions, 'clock'> = {}) {
  const clock = new VirtualClock({ start: 0 });
  const network = new VirtualNetwork({ clock, ...options });
  const received: { text: string; peer: Peer; at: number }[] = [];
  const gone: string[] = [];
  const transport = network.transport({ address: '192.0.2.1', port: 5683 }, () => ({
    receive: (data, peer) => received.push({ text: data.toString(), peer, at: clock.now() }),
    gone: (peer, reason) => gone.push(`${peer.key} ${reason}`),
  }));
  const heard: string[] = [];
  const host = network.host({ address: '192.0.2.9', port: 4711 }, (data) => heard.push(data.toString()));
  return { clock, network, transport, host, received, heard, gone };
}

describe('virtual network', () => {
  it('carries datagrams both ways, and knows a peer by one object', () => {
    const { clock, transport, host, received, heard } = wire();
    host.send(Buffer.from('one'), transport);
    host.send(Buffer.from('two'), transport);
    assert.equal(received.length, 0, 'nothing arrives inside send');
    clock.advance(1);
    assert.deepEqual(
      received.map(({ text }) => text),
      ['one', 'two'],
    );
    const [first, second] = received;
    assert.equal(first?.peer, second?.peer);
    assert.equal(first?.peer, transport.peerFor('192.0.2.9', 4711));
    assert.equal(transport.peerFor('192.0.2.9', 4711).transport, transport);
    transport.send(Buffer.from('back'), transport.peerFor('192.0.2.9', 4711));
    clock.advance(1);
    assert.deepEqual(heard, ['back']);
  });

  it('tells addresses of both families apart', () => {
    const { network, clock, transport, received } = wire();
    const seen: string[] = [];
    const six = network.host({ address: '2001:db8::1', port: 5683 }, (data) => seen.push(data.toString()));
    six.send(Buffer.from('six'), transport);
    clock.advance(1);
    assert.equal(received[0]?.peer.address, '2001:db8::1');
    assert.equal(addressKey('2001:db8::1', 5683), '[2001:db8::1]:5683');
    transport.send(Buffer.from('to six'), transport.peerFor('2001:db8::1', 5683));
    transport.send(Buffer.from('to nobody'), transport.peerFor('2001:db8::2', 5683));
    clock.advance(1);
    assert.deepEqual(seen, ['to six']);
    assert.equal(network.counters.down.unreachable, 1);
  });

  it('copies: what the sender does with its buffer afterwards changes nothing', () => {
    const { clock, transport, host, received } = wire();
    const data = Buffer.from('before');
    host.send(data, transport);
    data.fill(0x78);
    clock.advance(1);
    assert.equal(received[0]?.text, 'before');
  });

  it('loses and duplicates as often as it is told, and counts it', () => {
    const { clock, network, transport, host, received } = wire({ seed: 7, up: { loss: 0.1, duplication: 0.2 } });
    for (let index = 0; index < 5_000; index += 1) host.send(Buffer.from(String(index)), transport);
    clock.advance(1_000);
    const { sent, lost, duplicated, delivered } = network.counters.up;
    assert.equal(sent, 5_000);
    assert.equal(received.length, delivered);
    assert.equal(delivered, sent - lost + duplicated);
    assert.ok(lost > 400 && lost < 600, `lost ${lost}`);
    assert.ok(duplicated > 780 && duplicated < 1_020, `duplicated ${duplicated}`);
    assert.equal(network.counters.down.sent, 0);
  });

  it('reorders some, keeps the order of the others', () => {
    const { clock, transport, host, received } = wire({ seed: 3, up: { reordering: 0.2, reorderBy: 40, delay: [5, 5] } });
    for (let index = 0; index < 200; index += 1) {
      host.send(Buffer.from(String(index)), transport);
      clock.advance(1);
    }
    clock.advance(100);
    assert.equal(received.length, 200);
    const overtaken = received.filter(({ text }, at) => at > 0 && Number(text) < Number(received[at - 1]?.text)).length;
    assert.ok(overtaken > 10, `overtaken ${overtaken}`);
    for (const { text, at } of received) assert.ok(at - Number(text) >= 5 && at - Number(text) <= 45);
  });

  it('is the same for the same seed and another for another', () => {
    const run = (seed: number): string => {
      const { clock, transport, host, received } = wire({ seed, up: { loss: 0.3, duplication: 0.3, reordering: 0.3, delay: [1, 20] } });
      for (let index = 0; index < 100; index += 1) host.send(Buffer.from(String(index)), transport);
      clock.advance(1_000);
      return received.map(({ text, at }) => `${text}@${at}`).join(' ');
    };
    assert.equal(run(11), run(11));
    assert.notEqual(run(11), run(12));
  });

  it('moves a host to another address and reports routes that are no more', () => {
    const { clock, transport, host, received, heard, gone } = wire();
    host.send(Buffer.from('here'), transport);
    clock.advance(1);
    host.move({ address: '192.0.2.9', port: 4712 });
    host.send(Buffer.from('there'), transport);
    clock.advance(1);
    assert.deepEqual(
      received.map(({ peer }) => peer.port),
      [4711, 4712],
    );
    transport.send(Buffer.from('old'), received[0]?.peer as Peer);
    transport.send(Buffer.from('new'), received[1]?.peer as Peer);
    clock.advance(1);
    assert.deepEqual(heard, ['new']);
    transport.drop('192.0.2.9', 4711, 'unreachable');
    assert.equal(gone.length, 1);
    assert.notEqual(transport.peerFor('192.0.2.9', 4711), received[0]?.peer, 'a dropped peer comes back as another object');
  });
});

describe('seeded random numbers', () => {
  it('repeat from the seed and stay in range', () => {
    const numbers = (seed: number): number[] => {
      const random = createRandom(seed);
      return Array.from({ length: 50 }, () => random.int(1_000));
    };
    assert.deepEqual(numbers(1), numbers(1));
    assert.notDeepEqual(numbers(1), numbers(2));
    const random = createRandom(5);
    const counts = new Map<number, number>();
    for (let index = 0; index < 6_000; index += 1) {
      const value = random.between(1, 6);
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    assert.deepEqual([...counts.keys()].sort(), [1, 2, 3, 4, 5, 6]);
    for (const count of counts.values()) assert.ok(count > 850 && count < 1_150, `${count}`);
  });
});
