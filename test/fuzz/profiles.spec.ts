import assert from 'node:assert/strict';
import type { ProfileSettings } from '../../lib/profile/types';
import * as coap from '../support/coap-message';
import { createGround, eventsOf } from '../support/ground';
import { COAPS } from '../support/scheme';
import { createPopulation, deviceKey } from '../support/sim/population';
import { addressKey } from '../support/virtual-network';

/** `PROFILE_COUNT` and `PROFILE_SEED` of the environment; 5000 is the full measure. */
const COUNT = Number(process.env['PROFILE_COUNT'] ?? 500);
const SEED = Number(process.env['PROFILE_SEED'] ?? 1);
const NETWORK = { loss: 0.005, duplication: 0.02, reordering: 0.02, reorderBy: 100, delay: [5, 60] as [number, number] };
const MINUTE = 60_000;

const profile: ProfileSettings = {
  id: 'p',
  name: 'ten',
  endpoints: 'sim-*',
  definition: {
    resources: [
      { path: '/3/0/0', attribute: true },
      { path: '/3/0/1', attribute: true },
      { path: '/3/0/2', attribute: true },
      { path: '/3/0/14', attribute: true },
      { path: '/1/0/1', attribute: true },
      { path: '/3303/*/5701', attribute: true },
      { path: '/3/0/9', telemetry: true, observe: true },
      { path: '/3303/*/5700', telemetry: true, observe: true },
      { path: '/1/0/2', telemetry: true, observe: true },
      { path: '/1/0/7', attribute: true, observe: true },
    ],
    attributes: { '/3303/*/5700': { pmin: 5 }, '/3/0/9': { pmin: 10, pmax: 600 } },
  },
};

/** What each device is asked, in this order. */
const EXPECTED = [
  'PUT /3303/0/5700',
  'PUT /3/0/9',
  'GET /3/0/9 observe',
  'GET /3303/0/5700 observe',
  'GET /1/0/2 observe',
  'GET /1/0/7 observe',
  'GET /3/0/0',
  'GET /3/0/1',
  'GET /3/0/2',
  'GET /3/0/14',
  'GET /1/0/1',
  'GET /3303/0/5701',
];

describe(`${COUNT} devices with a profile of ten resources, on a network that loses, doubles and reorders (seed ${SEED})`, function () {
  this.timeout(900_000);

  it('[PRF-060] within a minute each has exactly its observations; each was asked in order, and every value came under its key', async function () {
    // Over DTLS what is sent cannot be read on the way.
    if (COAPS) this.skip();
    const ground = createGround({ seed: SEED, up: NETWORK, down: NETWORK, profiles: [profile] });
    const population = createPopulation({
      count: COUNT,
      network: ground.network,
      clock: ground.clock,
      seed: SEED,
      server: ground.at,
      lifetime: 3_600,
      measureEvery: 0,
    });
    const asked = new Map<string, { readonly seen: Set<number>; readonly lines: string[] }>();
    ground.network.tap(({ direction, data, to }) => {
      const message = coap.decodeMessage(data);
      if (direction !== 'down' || !coap.isRequest(message)) return;
      const key = addressKey(to.address, to.port);
      const device = asked.get(key) ?? { seen: new Set<number>(), lines: [] };
      asked.set(key, device);
      // A retransmission is no request of its own.
      if (device.seen.has(message.mid)) return;
      device.seen.add(message.mid);
      const observes = message.options.some(({ number }) => number === coap.OptionNumber.Observe);
      const method = coap.codeText(message.code) === '0.03' ? 'PUT' : 'GET';
      device.lines.push(`${method} /${coap.texts(message, coap.OptionNumber.UriPath).join('/')}${observes ? ' observe' : ''}`);
    });
    try {
      const begun = ground.clock.now();
      population.start(MINUTE / 3);
      const values = new Map<string, Record<string, unknown>>();
      const complete = (): boolean => {
        for (const kind of ['telemetry', 'attributes'] as const) {
          for (const event of eventsOf(ground.events, kind)) {
            const { endpoint } = event.registration;
            values.set(endpoint, { ...values.get(endpoint), ...event.values });
          }
        }
        ground.events.length = 0;
        return values.size === COUNT && [...values.values()].every((each) => Object.keys(each).length === 10);
      };
      for (let second = 0; second < 60 && !complete(); second++) await ground.clock.elapse(1000);
      assert.ok(complete(), 'all values are there');
      assert.ok(ground.clock.now() - begun <= MINUTE);
      for (const device of population.devices) {
        const observed = ground.server.observations(device.endpoint).map(({ path }) => `/${path.ids.join('/')}`);
        assert.deepEqual(observed, ['/3/0/9', '/3303/0/5700', '/1/0/2', '/1/0/7'], device.endpoint);
        assert.deepEqual(asked.get(deviceKey(device))?.lines, EXPECTED, device.endpoint);
        assert.equal(values.get(device.endpoint)?.['serialNumber'], device.serial);
      }
      assert.deepEqual(ground.errors, []);
    } finally {
      population.close();
      ground.close();
    }
  });
});
