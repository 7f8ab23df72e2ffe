/** Device profiles of an IoT Hub, imported, at Eclipse Leshan: what it is then asked for, on the wire, and what it reports. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type * as Cborg from 'cborg';
import { exportIotHubProfile, importIotHubProfile, omaModel } from '../../lib/index';
import type { ProfileDefinition } from '../../lib/index';
import * as coap from '../support/coap-message';
import { packageRoot } from '../support/node-red';
import { UdpRecorder } from '../support/udp-recorder';
import type { Peer } from './peers';
import { reasonMissing, startLeshan } from './peers';
import { skipWithout } from './suite';
import type { FlowEvent, World } from './world';
import { startWorld } from './world';

const SENML_JSON = 110;
let cborg: typeof Cborg;
before(async () => {
  cborg = await import('cborg');
});
const LISTS = ['3_1.2/0/9', '3_1.2/0/20', '5_1.1/0/3', '6_1.0/0/0', '6_1.0/0/1'].map((text) => `/${text}`);
const OBSERVED = ['/3/0/20', '/3/0/9', '/5/0/3', '/6/0/0', '/6/0/1'];

/** As a ThingsBoard exports it. */
const hub = (observeStrategy: string, together: boolean): object => ({
  observeAttr: {
    observe: LISTS,
    attribute: ['/3_1.2/0/0', '/3_1.2/0/1', '/3_1.2/0/2', '/3_1.2/0/15'],
    telemetry: LISTS,
    keyName: {
      '/3_1.2/0/0': 'manufacturer',
      '/3_1.2/0/1': 'modelNumber',
      '/3_1.2/0/2': 'serialNumber',
      '/3_1.2/0/15': 'timezone',
      '/3_1.2/0/9': 'batteryLevel',
      '/3_1.2/0/20': 'batteryStatus',
      '/5_1.1/0/3': 'state',
      '/6_1.0/0/0': 'latitude',
      '/6_1.0/0/1': 'longitude',
    },
    attributeLwm2m: {},
    initAttrTelAsObsStrategy: together,
    observeStrategy,
  },
  bootstrap: [
    { shortServerId: 123, bootstrapServerIs: false, host: '0.0.0.0', port: 5685, lifetime: 300, binding: 'U', securityMode: 'NO_SEC' },
  ],
  clientLwM2mSettings: {
    clientOnlyObserveAfterConnect: 1,
    fwUpdateStrategy: 1,
    powerMode: 'DRX',
    edrxCycle: null,
    defaultObjectIDVer: '1.0',
  },
  bootstrapServerUpdateEnable: false,
  type: 'LWM2M',
});

interface Stage {
  readonly world: World;
  readonly peer: Peer;
  readonly endpoint: string;
  readonly recorder: UdpRecorder;
}

/** Runs a world with a profile for every device, and Leshan behind a recorder. */
function withProfile(title: string, definition: () => ProfileDefinition, tests: (stage: () => Stage) => void): void {
  describe(title, () => {
    const endpoint = 'profiled-leshan';
    let stage: Stage | undefined;
    const ends: (() => unknown)[] = [];

    before(async function () {
      skipWithout(this, 'leshan', reasonMissing('leshan'));
      const world = await startWorld({ profile: definition() });
      ends.unshift(() => world.stop());
      const recorder = await UdpRecorder.open(world.port);
      ends.unshift(() => recorder.close());
      const peer = await startLeshan({ port: recorder.port, endpoint });
      ends.unshift(() => peer.stop());
      stage = { world, peer, endpoint, recorder };
      await world.waitFor('registered', endpoint);
    });
    after(async () => {
      for (const end of ends) await end();
    });
    afterEach(function () {
      if (this.currentTest?.state !== 'failed') return;
      console.error(`--- leshan ---\n${stage?.peer.log().slice(-2000)}\n--- Node-RED ---\n${stage?.world.nodeRed.log().slice(-3000)}`);
    });

    tests(() => {
      if (!stage) throw new Error(`${title} is not running`);
      return stage;
    });
  });
}

/** The paths of the requests with Observe 0 that Leshan answered with an Observe option: what it now observes. */
function observedOnWire({ recorder }: Stage): string[][] {
  const messages = recorder.passed.map(({ direction, data }) => ({ direction, message: coap.decodeMessage(data) }));
  const taken = new Set(
    messages
      .filter(
        ({ direction, message }) =>
          direction === 'up' && coap.isResponse(message) && coap.number(message, coap.OptionNumber.Observe) !== undefined,
      )
      .map(({ message }) => message.token.toString('hex')),
  );
  return messages
    .filter(
      ({ direction, message }) =>
        direction === 'down' &&
        coap.isRequest(message) &&
        coap.number(message, coap.OptionNumber.Observe) === 0 &&
        taken.has(message.token.toString('hex')),
    )
    .map(({ message }) => (message.payload.length === 0 ? [coap.uriPath(message)] : pathsOf(message).sort()))
    .sort((a, b) => (a.join() < b.join() ? -1 : 1));
}

/** Of a FETCH, by RFC 8428. */
function pathsOf(message: coap.CoapMessage): string[] {
  const json = coap.number(message, coap.OptionNumber.ContentFormat) === SENML_JSON;
  const records = (json ? JSON.parse(message.payload.toString()) : cborg.decode(message.payload, { useMaps: true })) as unknown[];
  let base = '';
  return records.map((record) => {
    const [baseName, name] = record instanceof Map ? [record.get(-2), record.get(0)] : [(record as any).bn, (record as any).n];
    if (typeof baseName === 'string') base = baseName;
    return `${base}${typeof name === 'string' ? name : ''}`;
  });
}

/** Resolves when all of these keys have come, and gives their values. */
async function keysOf({ world, endpoint }: Stage, event: string, keys: readonly string[], from = 0): Promise<Record<string, unknown>> {
  const values = (): Record<string, unknown> =>
    Object.assign({}, ...world.events.seen.slice(from).flatMap((seen) => (of(seen) ? [seen.payload as object] : []))) as Record<
      string,
      unknown
    >;
  const of = (seen: FlowEvent): boolean => seen.event === event && seen.endpoint === endpoint;
  await world.events.waitFor(() => keys.every((key) => key in values()), `${event} ${keys.join(', ')}`);
  return values();
}

for (const [strategy, expected] of [
  ['SINGLE', OBSERVED.map((each) => [each])],
  ['COMPOSITE_ALL', [OBSERVED]],
  ['COMPOSITE_BY_OBJECT', [['/3/0/20', '/3/0/9'], ['/5/0/3'], ['/6/0/0', '/6/0/1']]],
] as const) {
  for (const together of strategy === 'SINGLE' ? [false] : [false, true]) {
    const json = hub(strategy, together);
    const { definition, kept } = importIotHubProfile(json);
    withProfile(
      `An IoT Hub profile with ${strategy}${together ? ', read together,' : ''} at Eclipse Leshan`,
      () => definition,
      (stage) => {
        it('is exported as it was imported', () => {
          assert.deepEqual(exportIotHubProfile(definition, kept, omaModel()), json);
        });

        it('brings the values of telemetry and attributes under its keys', async () => {
          const attributes = await keysOf(stage(), 'attributes', ['manufacturer', 'modelNumber', 'serialNumber', 'timezone']);
          assert.deepEqual(attributes, {
            manufacturer: 'Interop Works',
            modelNumber: 'Model L',
            serialNumber: 'SN-0001',
            timezone: 'Europe/Paris',
          });
          const telemetry = await keysOf(stage(), 'telemetry', ['batteryLevel', 'batteryStatus', 'state', 'latitude', 'longitude']);
          const { transportLog: _log, ...values } = telemetry;
          assert.deepEqual(values, { batteryLevel: 100, batteryStatus: 0, state: 0, latitude: 43.5723, longitude: -27.21 });
        });

        it('has Leshan observe exactly what it says', async () => {
          assert.deepEqual(observedOnWire(stage()), expected);
          const { world, endpoint } = stage();
          const known = (await world.rpc(endpoint, 'ObserveReadAll')).value as (string | string[])[];
          const sorted = known.map((each) => (Array.isArray(each) ? [...each].sort() : [each]));
          assert.deepEqual(
            sorted.sort((a, b) => (a.join() < b.join() ? -1 : 1)),
            expected,
          );
        });

        it('is written by key what differs from the last known value, and only that', async () => {
          const { world, peer, endpoint } = stage();
          const written = (): unknown[] =>
            peer.events.seen.filter(({ event }) => event === 'written').map(({ path: at, value }) => [at, value]);
          const same = await world.rpc(endpoint, 'UpdateAttributes {"timezone":"Europe/Paris"}');
          assert.deepEqual(written(), [], JSON.stringify(same));
          const other = await world.rpc(endpoint, 'UpdateAttributes {"timezone":"Europe/Vienna"}');
          await peer.waitFor('written', '/3/0/15');
          assert.deepEqual(written(), [['/3/0/15', 'Europe/Vienna']], JSON.stringify(other));
        });

        it('reports each change once, and none of what is only read', async () => {
          const { world, peer, endpoint } = stage();
          const from = world.events.seen.length;
          peer.command('set /3/0/0 Other Works');
          for (const [command, key, value] of [
            ['/3/0/9 42', 'batteryLevel', 42],
            ['/5/0/3 1', 'state', 1],
            ['/6/0/0 48.25', 'latitude', 48.25],
          ] as const) {
            const start = world.events.seen.length;
            peer.command(`set ${command}`);
            await world.waitFor('telemetry', endpoint, { from: start, matches: ({ payload }) => payload[key] === value });
          }
          // An exchange after the changes: a notification would have overtaken its answer.
          await world.rpc(endpoint, 'Read {"id":"/3/0/9"}');
          const events = world.events.seen.slice(from);
          assert.equal(events.filter(({ event }) => event === 'notification').length, 3);
          assert.equal(events.filter(({ event }) => event === 'attributes').length, 0);
        });
      },
    );
  }
}

interface ExampleNode {
  readonly type: string;
  readonly definition: ProfileDefinition;
}
const example = JSON.parse(readFileSync(path.join(packageRoot, 'examples/10-profile.json'), 'utf8')) as ExampleNode[];

withProfile(
  'The profile of the example flow at Eclipse Leshan',
  () => example.find(({ type }) => type === 'lwm2m-profile')!.definition,
  (stage) => {
    it('brings manufacturer, model and serial number as attributes, and signal, link, firmware and place as telemetry', async () => {
      const attributes = await keysOf(stage(), 'attributes', ['manufacturer', 'modelNumber', 'serialNumber']);
      assert.equal(attributes['modelNumber'], 'Model L');
      const keys = ['radioSignalStrength', 'linkQuality', 'firmwareState', 'latitude', 'longitude', 'transportLog'];
      const { transportLog, ...values } = await keysOf(stage(), 'telemetry', keys);
      assert.equal(typeof transportLog, 'string');
      assert.deepEqual(values, { radioSignalStrength: -82, linkQuality: 70, firmwareState: 0, latitude: 43.5723, longitude: -27.21 });
      assert.deepEqual(observedOnWire(stage()), [['/4/0/2'], ['/4/0/3'], ['/5/0/3'], ['/6/0/0'], ['/6/0/1']]);
    });

    it('has its conditions written before anything is observed', () => {
      const requests = stage()
        .recorder.passed.filter(({ direction }) => direction === 'down')
        .map(({ data }) => coap.decodeMessage(data))
        .filter(coap.isRequest);
      const written = requests.filter(({ code }) => coap.codeText(code) === '0.03');
      assert.deepEqual(
        written.map((message) => `${coap.uriPath(message)} ${coap.texts(message, coap.OptionNumber.UriQuery).sort().join(' ')}`).sort(),
        ['/4/0/2 gt=-65 lt=-105 st=2', '/4/0/3 st=5', '/6/0 pmax=60 pmin=5'],
      );
      const observe = requests.findIndex((message) => coap.number(message, coap.OptionNumber.Observe) === 0);
      assert.ok(requests.slice(observe).every(({ code }) => coap.codeText(code) !== '0.03'));
    });
  },
);
