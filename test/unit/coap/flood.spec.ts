import assert from 'node:assert/strict';
import * as coap from '../../support/coap-message';
import { floodDatagram, REGISTER_PAYLOAD, registerOptions } from '../../support/flood';
import { createGround, eventsOf, type Ground } from '../../support/ground';
import { LossyPeer } from '../../support/lossy-peer';
import { createRandom } from '../../support/random';

/** `FLOOD_COUNT` of the environment: datagrams of each test; 100000 is the full measure. */
const COUNT = Number(process.env['FLOOD_COUNT'] ?? 20_000);
const SEED = 20_260_103;
const DEVICES = 100;
const SECONDS = 10;

function sizes({ endpoint, server }: Ground): object {
  const { registrations, observations, pendingOperations } = server.counters();
  return { ...endpoint.sizes(), registrations, observations, pendingOperations };
}

describe(`A flood of ${COUNT} datagrams within ${SECONDS} s from one address`, function () {
  this.timeout(Math.max(10_000, COUNT));

  for (const [title, ports] of [
    ['one port', 1],
    ['50 000 ports', 50_000],
  ] as const) {
    it(`of ${title}: ${DEVICES} devices register meanwhile, and nothing is left of it`, async () => {
      const names = Array.from({ length: DEVICES }, (_, index) => `device-${index}`);
      const devices = names.map((endpoint) => ({ endpoint, mode: 'none' as const }));
      const ground = createGround({ seed: SEED, unknownDevices: 'refuse', devices });
      const { clock, network, endpoint, transport } = ground;
      const base = sizes(ground);
      const random = createRandom(SEED);
      const peers = names.map(
        (_, index) =>
          new LossyPeer({
            network,
            clock,
            random: random.fork(),
            at: { address: `198.51.100.${index + 1}`, port: 56_830 },
            server: ground.at,
          }),
      );
      const answers: coap.CoapMessage[] = [];
      const ask = (index: number, request: Pick<coap.CoapMessage, 'code' | 'options' | 'payload'>): void =>
        peers[index]?.ask(request, (answer) => {
          assert.ok(answer, `${names[index]} got no answer`);
          answers[index] = answer;
        });

      const everyDevice = Math.floor(COUNT / DEVICES);
      for (let sent = 0; sent < COUNT; sent += 1) {
        const device = sent / everyDevice;
        if (Number.isInteger(device) && device < DEVICES) {
          ask(device, { code: coap.code('0.02'), options: registerOptions(`device-${device}`), payload: REGISTER_PAYLOAD });
        }
        endpoint.receive(floodDatagram(random), transport.peerFor('127.0.0.2', 1_024 + random.int(ports)));
        clock.advance((SECONDS * 1_000) / COUNT);
        if (sent % 1_000 === 0) await clock.settle();
      }
      await clock.elapse(1_000);
      assert.deepEqual(
        answers.map(({ code }) => coap.codeText(code)),
        names.map(() => '2.01'),
      );
      assert.equal(
        peers.reduce((sum, { retransmissions }) => sum + retransmissions, 0),
        0,
        'no device had to ask twice',
      );
      assert.deepEqual(
        eventsOf(ground.events, 'registered').map(({ registration }) => registration.endpoint),
        names,
      );

      const locations = answers.map((answer) => coap.texts(answer, coap.OptionNumber.LocationPath).join('/'));
      answers.length = 0;
      for (const [index, location] of locations.entries()) {
        ask(index, { code: coap.code('0.04'), options: coap.pathOptions(location), payload: Buffer.alloc(0) });
      }
      await clock.elapse(600_000);
      assert.deepEqual(
        answers.map(({ code }) => coap.codeText(code)),
        names.map(() => '2.02'),
      );
      assert.deepEqual(sizes(ground), base);
      assert.deepEqual(ground.errors, []);
      ground.close();
    });
  }
});
