import assert from 'node:assert/strict';
import { CIPHER_SUITES } from '../../../lib/dtls/constants';
import { clientEnd, serverEnd } from '../../support/dtls/net';
import { createRandom } from '../../support/random';
import { VirtualClock } from '../../support/virtual-clock';
import { VirtualNetwork, type Conditions } from '../../support/virtual-network';

/** `LOSSY_COUNT` of the environment: handshakes of each test. */
const COUNT = Number(process.env['LOSSY_COUNT'] ?? 60);
const SEED = Number(process.env['LOSSY_SEED'] ?? 20_260_105);
const ROUGH: Conditions = { loss: 0.25, duplication: 0.1, reordering: 0.2, reorderBy: 500, delay: [5, 200] };
const server = { address: '192.0.2.1', port: 5684 };
/*
 * A client repeats its flight at 2, 6, 14, 30 and 62 s. A flight of n datagrams each way gets through with 0.75^n; with the
 * smallest MTU the flights have up to three. Within 300 s each of the two round trips has six chances and more, and whoever is given up
 * begins anew after 90 s: less than one in ten thousand needs longer.
 */
const WITHIN = 300_000;

function run(
  mtu: number,
  suites: readonly string[],
  cid: number,
): { times: number[]; restarts: number; seen: Set<string>; repeated: string[] } {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, seed: SEED + mtu + cid, up: ROUGH, down: ROUGH });
  const random = createRandom(SEED + mtu);
  const keys = new Map(Array.from({ length: COUNT }, (_, index) => [`device ${index}`, random.bytes(16)]));
  const there = serverEnd({ clock, network, random: random.fork(), at: server, keys, limits: { mtu, cid, sourceRate: 0, totalRate: 0 } });
  const seen = new Set<string>();
  const repeated: string[] = [];
  let largest = 0;
  /** The random that the keys of each end were made from last. */
  const keysOf = new Map<number, string>();
  network.tap(({ data, direction, to, from }) => {
    largest = Math.max(largest, data.length);
    const end = direction === 'up' ? from.port : -to.port;
    for (let at = 0; at + 13 <= data.length;) {
      // Records that carry a connection ID are those of the client: 6 bytes.
      const withCid = data[at] === 25;
      const length = data.readUInt16BE(at + (withCid ? 17 : 11));
      if (data.readUInt16BE(at + 3) > 0) {
        const name = `${end} ${keysOf.get(end)} ${data.toString('hex', at + 3, at + 11)}`;
        if (seen.has(name)) repeated.push(name);
        seen.add(name);
      } else if (data[at] === 22 && data[at + 13] === (direction === 'up' ? 1 : 2)) {
        keysOf.set(end, data.toString('hex', at + 27, at + 59));
      }
      at += (withCid ? 19 : 13) + length;
    }
  });
  const times: number[] = [];
  let restarts = 0;
  const start = clock.now();
  const clients = [...keys].map(([name, key], index) => {
    const at = { address: '198.51.100.1', port: 1_000 + index };
    const client = clientEnd({ clock, network, random: random.fork(), at, server, suites, limits: { mtu, cid } });
    const psk = { identity: Buffer.from(name), key };
    client.connect(psk);
    return { client, psk };
  });
  const waiting = new Set(clients);
  while (waiting.size > 0 && clock.now() - start < WITHIN) {
    clock.advance(100);
    for (const entry of waiting) {
      const { client, psk } = entry;
      const last = client.reports.at(-1);
      if (last?.kind === 'established') {
        times.push(clock.now() - start);
        waiting.delete(entry);
      } else if (last?.kind === 'failed') {
        client.reports.length = 0;
        restarts += 1;
        client.connect(psk);
      }
    }
  }
  assert.ok(largest <= mtu, `a datagram of ${largest} bytes`);
  assert.equal(waiting.size, 0, `${waiting.size} of ${COUNT} handshakes are not complete after ${WITHIN} ms`);
  // The server may have newer attempts under way; data goes through all the same, and only with the right peer.
  clock.advance(200_000);
  for (const { client, psk } of clients) {
    const established = client.reports.find((report) => report.kind === 'established');
    assert.ok(established?.kind === 'established');
    for (let copy = 0; copy < 30; copy += 1) {
      client.send(Buffer.from(psk.identity), established.peer);
      clock.advance(1_000);
    }
  }
  clock.advance(10_000);
  for (const { data, peer } of there.received) assert.equal(data.toString(), peer.identity.name);
  assert.equal(new Set(there.received.map(({ data }) => data.toString())).size, COUNT);
  assert.deepEqual([there.errors, clients.flatMap(({ client }) => client.errors)], [[], []]);
  assert.deepEqual([there.core.sizes().handshakes, there.core.sizes().reassemblyBytes, there.core.counters.internalErrors], [0, 0, 0]);
  assert.equal(there.core.sizes().sessions, COUNT);
  return { times, restarts, seen, repeated };
}

describe(`DTLS through 25 % loss each way, reordering and duplicates: ${COUNT} handshakes each, seed ${SEED}`, function () {
  this.timeout(Math.max(10_000, 100 * COUNT));
  const psk = ['TLS_PSK_WITH_AES_128_CCM_8'];
  for (const mtu of [256, 400, 600, 1_000, 1_400]) {
    it(`[DTLS-080] MTU ${mtu}: all complete within ${WITHIN / 1000} s, no record number is used twice`, () => {
      const { times, repeated } = run(mtu, psk, 1);
      assert.equal(times.length, COUNT);
      assert.deepEqual(repeated, []);
    });
  }

  it('[DTLS-080] without connection IDs', () => assert.deepEqual(run(256, psk, 0).repeated, []));

  it('[DTLS-080] ECDHE_PSK, whose flights are longer', () => {
    const suites = CIPHER_SUITES.filter(({ keyExchange }) => keyExchange === 'ecdhe_psk').map(({ name }) => name);
    assert.deepEqual(run(256, suites, 1).repeated, []);
  });
});
