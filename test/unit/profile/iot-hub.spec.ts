import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  compileProfile,
  exportIotHubProfile,
  exportRemarks,
  importIotHubProfile,
  IotHubProfileError,
  omaModel,
  type ProfileDefinition,
} from '../../../lib/index';
import type { AttributeValues } from '../../../lib/profile/types';
import { FUZZ } from '../../support/fuzz';

/** As a ThingsBoard exports it, with every field its dialogs save. */
const EXAMPLE = `{"observeAttr":{
   "observe":["/3_1.2/0/9","/5_1.1/0/3","/5_1.1/0/5"],
   "attribute":["/3_1.2/0/0","/3_1.2/0/2","/3_1.2/0/15"],
   "telemetry":["/3_1.2/0/9","/5_1.1/0/3","/5_1.1/0/5"],
   "keyName":{"/3_1.2/0/0":"manufacturer","/3_1.2/0/2":"serialNumber","/3_1.2/0/15":"timezone",
              "/3_1.2/0/9":"batteryLevel","/5_1.1/0/3":"state","/5_1.1/0/5":"updateResult"},
   "attributeLwm2m":{"/3_1.2/0/9":{"pmin":10,"pmax":60}},
   "initAttrTelAsObsStrategy":false,"observeStrategy":"SINGLE"},
 "bootstrap":[{"shortServerId":123,"bootstrapServerIs":false,"host":"0.0.0.0","port":5685,"clientHoldOffTime":1,
   "serverPublicKey":"","serverCertificate":"","bootstrapServerAccountTimeout":0,"lifetime":300,
   "defaultMinPeriod":1,"notifIfDisabled":true,"binding":"U","securityMode":"NO_SEC"}],
 "clientLwM2mSettings":{"clientOnlyObserveAfterConnect":1,"useObject19ForOtaInfo":false,
   "fwUpdateStrategy":1,"swUpdateStrategy":1,"fwUpdateResource":null,"swUpdateResource":null,
   "powerMode":"DRX","psmActivityTimer":null,"edrxCycle":null,"pagingTransmissionWindow":null,
   "defaultObjectIDVer":"1.0"},
 "bootstrapServerUpdateEnable":false,"type":"LWM2M"}`;

type Config = Record<string, unknown> & { observeAttr: Record<string, unknown> };

const example = (): Config => JSON.parse(EXAMPLE) as Config;
const withAttr = (change: Record<string, unknown>): Config => ({ ...example(), observeAttr: { ...example().observeAttr, ...change } });
const compiled = (definition: ProfileDefinition) => compileProfile({ id: '1', name: 'imported', definition }, omaModel());

describe('the device profile of an IoT Hub', () => {
  it('says what is read and observed under which key', () => {
    const { definition } = importIotHubProfile(example());
    assert.deepEqual(definition, {
      resources: [
        { path: '/3_1.2/0/0', key: 'manufacturer', attribute: true },
        { path: '/3_1.2/0/2', key: 'serialNumber', attribute: true },
        { path: '/3_1.2/0/15', key: 'timezone', attribute: true },
        { path: '/3_1.2/0/9', key: 'batteryLevel', observe: true, telemetry: true },
        { path: '/5_1.1/0/3', key: 'state', observe: true, telemetry: true },
        { path: '/5_1.1/0/5', key: 'updateResult', observe: true, telemetry: true },
      ],
      attributes: { '/3_1.2/0/9': { pmin: 10, pmax: 60 } },
      strategy: 'single',
      initialRead: 'single',
      transportLog: true,
    });
    assert.equal(compiled(definition).resources.length, 6);
  });

  it('tells what is otherwise here', () => {
    const { remarks } = importIotHubProfile(example());
    for (const word of [
      /fwUpdateStrategy, swUpdateStrategy/,
      /"bootstrap" is kept/,
      /major number/,
      /5_1\.1\/0\/3, \/5_1\.1\/0\/5.*number/,
      /before/,
    ]) {
      assert.equal(remarks.filter(({ text }) => word.test(text)).length, 1, String(word));
    }
  });

  it('goes back as it came', () => {
    const { definition, kept } = importIotHubProfile(example());
    assert.equal(JSON.stringify(exportIotHubProfile(definition, kept, omaModel())), JSON.stringify(example()));
  });

  it('is found in a whole device profile, whose name it has', () => {
    const whole = {
      name: 'Meter',
      type: 'DEFAULT',
      transportType: 'LWM2M',
      profileData: { configuration: { type: 'DEFAULT' }, transportConfiguration: example(), alarms: [{ id: 'a' }] },
    };
    const { definition, kept, name } = importIotHubProfile(whole);
    assert.equal(name, 'Meter');
    assert.equal(definition.resources.length, 6);
    assert.deepEqual(exportIotHubProfile(definition, kept), whole);
  });

  for (const [given, strategy] of [
    ['SINGLE', 'single'],
    ['COMPOSITE_ALL', 'composite'],
    ['COMPOSITE_BY_OBJECT', 'composite-by-object'],
    [0, 'single'],
    [1, 'composite'],
    [2, 'composite-by-object'],
    [undefined, 'single'],
    ['SOMETHING', 'single'],
  ] as const) {
    it(`reads the strategy ${String(given)}`, () => {
      const json = withAttr({ observeStrategy: given, initAttrTelAsObsStrategy: true });
      const { definition, kept } = importIotHubProfile(json);
      assert.equal(definition.strategy, strategy);
      assert.equal(definition.initialRead, strategy === 'single' ? 'single' : 'composite');
      assert.deepEqual(exportIotHubProfile(definition, kept), json);
    });
  }

  it('keeps attributes a server cannot write, and says so', () => {
    const json = withAttr({ attributeLwm2m: { '/3_1.2': { ver: '1.2', pmin: 5 }, '/3_1.2/0/9': { dim: 3, gt: 50, lwm2m: '1.1' } } });
    const { definition, kept, remarks } = importIotHubProfile(json);
    assert.deepEqual(definition.attributes, { '/3_1.2': { pmin: 5 }, '/3_1.2/0/9': { gt: 50 } });
    for (const name of ['ver', 'dim', 'lwm2m']) {
      assert.ok(
        remarks.some(({ text }) => text.includes(`"${name}"`) && text.includes('PROPERTIES')),
        name,
      );
    }
    assert.deepEqual(exportIotHubProfile(definition, kept), json);
    const changed = { ...definition, attributes: { '/3_1.2': { pmin: '6' }, '/3_1.2/0/9': { gt: 50 } } };
    const { observeAttr } = exportIotHubProfile(changed, kept) as Config;
    assert.deepEqual(observeAttr.attributeLwm2m, { '/3_1.2': { ver: '1.2', pmin: 6 }, '/3_1.2/0/9': { dim: 3, gt: 50, lwm2m: '1.1' } });
  });

  it('passes over attributes no device would take, path by path', () => {
    const attributeLwm2m = { '/3': { gt: 1 }, '/3/0/9': { gt: 10, lt: 20, pmin: 1 }, '/3/0/9/0': 7, '/3/0/7': { pmin: -1 } };
    const { definition, kept, remarks } = importIotHubProfile(withAttr({ attributeLwm2m }));
    assert.deepEqual(definition.attributes, { '/3/0/9': { pmin: 1 } });
    for (const path of ['/3:', '/3/0/9:', '"/3/0/9/0"', '/3/0/7:'])
      assert.ok(
        remarks.some(({ text }) => text.includes(path)),
        path,
      );
    assert.deepEqual(exportIotHubProfile(definition, kept), withAttr({ attributeLwm2m }));
    assert.doesNotThrow(() => compiled(definition));
  });

  it('gives a key that two resources have to the first', () => {
    const json = withAttr({ keyName: { '/3_1.2/0/9': 'level', '/5_1.1/0/3': 'level', '/5_1.1/0/5': ' bad ' } });
    const { definition, kept, remarks } = importIotHubProfile(json);
    assert.deepEqual(
      definition.resources.slice(0, 3).map(({ path, key }) => [path, key]),
      [
        ['/3_1.2/0/9', 'level'],
        ['/5_1.1/0/3', 'level_5_0_3'],
        ['/5_1.1/0/5', undefined],
      ],
    );
    assert.ok(remarks.some(({ text }) => text.includes('"level" is that of')) && remarks.some(({ text }) => text.includes('" bad "')));
    assert.doesNotThrow(() => compiled(definition));
    assert.deepEqual(exportIotHubProfile(definition, kept), json);
  });

  it('takes over what was changed and leaves the rest where it stands', () => {
    const { definition, kept } = importIotHubProfile(example());
    const resources = definition.resources
      .filter(({ path }) => path !== '/5_1.1/0/3')
      .map((entry) => (entry.path === '/3_1.2/0/9' ? { ...entry, key: 'battery', attribute: true } : entry));
    const more = { path: '/3303/0/5700', telemetry: true, observe: true };
    const json = exportIotHubProfile(
      {
        ...definition,
        resources: [...resources, more],
        strategy: 'composite',
        initialRead: 'composite',
        attributes: { '/3303/0/5700': { st: 0.5 } },
      },
      kept,
      omaModel(),
    );
    assert.deepEqual(json, {
      ...example(),
      observeAttr: {
        observe: ['/3_1.2/0/9', '/5_1.1/0/5', '/3303_1.1/0/5700'],
        attribute: ['/3_1.2/0/0', '/3_1.2/0/2', '/3_1.2/0/15', '/3_1.2/0/9'],
        telemetry: ['/3_1.2/0/9', '/5_1.1/0/5', '/3303_1.1/0/5700'],
        keyName: {
          '/3_1.2/0/0': 'manufacturer',
          '/3_1.2/0/2': 'serialNumber',
          '/3_1.2/0/15': 'timezone',
          '/3_1.2/0/9': 'battery',
          '/5_1.1/0/5': 'updateResult',
          '/3303_1.1/0/5700': 'sensorValue',
        },
        attributeLwm2m: { '/3303_1.1/0/5700': { st: 0.5 } },
        initAttrTelAsObsStrategy: true,
        observeStrategy: 'COMPOSITE_ALL',
      },
    });
  });

  it('leaves each attribute where it stands, and as it stands where only another one of the path was changed', () => {
    const text = (gt: number, more = ''): string =>
      `{"observeAttr":{"attributeLwm2m":{"/3303_1.1/0/5700":{"pmax":"60","dim":null,"gt":${gt},"odd":[1],"lt":1.50${more}}}}}`;
    const { definition, kept } = importIotHubProfile(JSON.parse(text(30)));
    assert.deepEqual(definition.attributes, { '/3303_1.1/0/5700': { pmax: '60', gt: 30, lt: 1.5 } });
    const edited = (values: AttributeValues): string =>
      JSON.stringify(exportIotHubProfile({ ...definition, attributes: { '/3303_1.1/0/5700': values } }, kept));
    const plain = (json: string): string => JSON.stringify(JSON.parse(json));
    // A dialog gives numbers.
    assert.equal(edited({ pmax: 60, gt: 30, lt: 1.5 }), plain(text(30)));
    assert.equal(edited({ lt: 1.5, gt: 25, pmax: 60, pmin: 5 }), plain(text(25, ',"pmin":5')));
    assert.equal(edited({ gt: 30, lt: 1.5 }), plain(text(30)).replace('"pmax":"60",', ''));
  });

  it('writes a new one, and says what does not fit in', () => {
    const definition: ProfileDefinition = {
      resources: [
        { path: '/3/0/9', telemetry: true, observe: true, key: 'battery' },
        { path: '/3303/*/5700', telemetry: true, key: 'temp*', factor: 2 },
      ],
      attributes: { '/3303/*': { pmin: 1, con: true } },
      muteSend: true,
    };
    const { observeAttr, bootstrap, type } = exportIotHubProfile(definition) as Config;
    assert.deepEqual(observeAttr, {
      observe: ['/3/0/9'],
      attribute: [],
      telemetry: ['/3/0/9', '/3303/0/5700'],
      keyName: { '/3/0/9': 'battery', '/3303/0/5700': 'temp0' },
      attributeLwm2m: { '/3303/0': { pmin: 1 } },
      initAttrTelAsObsStrategy: false,
      observeStrategy: 'SINGLE',
    });
    assert.deepEqual([bootstrap, type], [[], 'LWM2M']);
    const remarks = exportRemarks(definition)
      .map(({ text }) => text)
      .join('\n');
    for (const word of [/every instance: \/3303\/\*\/5700, \/3303\/\*/, /Factor.*\/3303/, /con of/, /Mute Send/])
      assert.match(remarks, word);
    assert.deepEqual(exportIotHubProfile(definition, { not: 'a profile' }), exportIotHubProfile(definition));
  });

  describe('refuses, in words,', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i += 1) deep = [deep];
    const cyclic: Record<string, unknown> = { type: 'LWM2M' };
    cyclic.observeAttr = cyclic;
    const many = Array.from({ length: 501 }, (_, at) => `/3303/${at}/5700`);
    for (const [name, json, message] of [
      ['nothing', undefined, /not an object/],
      ['a text', EXAMPLE, /not an object/],
      ['a list', [], /not an object/],
      ['another transport', { type: 'SNMP', observeAttr: {} }, /"SNMP"/],
      ['a profile of another transport', { profileData: {} }, /transportConfiguration/],
      ['no observeAttr', { type: 'LWM2M' }, /observeAttr/],
      ['observe as an object', withAttr({ observe: {} }), /observeAttr\.observe/],
      ['keyName as a list', withAttr({ keyName: ['a'] }), /observeAttr\.keyName/],
      ['what is nested too deep', withAttr({ extra: deep }), /nested/],
      ['what holds itself', cyclic, /nested/],
      ['what is too large', { ...example(), extra: Array.from({ length: 60_000 }, () => 0) }, /large/],
      ['a long text', { ...example(), extra: 'x'.repeat(2_100_000) }, /large/],
      ['too many resources', withAttr({ observe: many }), /507 resources/],
      ['functions', { ...example(), extra: () => 1 }, /no JSON/],
    ] as const) {
      it(name, () => {
        assert.throws(
          () => importIotHubProfile(json),
          (error) => error instanceof IotHubProfileError && message.test(error.message),
        );
      });
    }

    it('nothing else: whatever stands in the places, it is read or refused', () => {
      const anything = fc.jsonValue({ maxDepth: 3 });
      const place = fc.oneof(anything, fc.array(fc.oneof(anything, fc.constantFrom('/3/0/9', '3/0/9', '/3/*/9', '__proto__', '/3'))));
      const table = fc.dictionary(fc.oneof(fc.constantFrom('/3/0/9', '3/0/9/', '__proto__', '/3', '/3/0'), fc.string()), anything);
      const config = fc.record({
        observeAttr: fc.record(
          {
            observe: place,
            attribute: place,
            telemetry: place,
            keyName: fc.oneof(table, anything),
            attributeLwm2m: fc.oneof(table, anything),
            observeStrategy: anything,
            initAttrTelAsObsStrategy: anything,
          },
          { requiredKeys: [] },
        ),
      });
      fc.assert(
        fc.property(config, (generated) => {
          const json = JSON.parse(JSON.stringify(generated)) as unknown;
          let imported;
          try {
            imported = importIotHubProfile(json);
          } catch (error) {
            assert.ok(error instanceof IotHubProfileError);
            return;
          }
          assert.deepEqual(exportIotHubProfile(imported.definition, imported.kept), json);
        }),
        { seed: FUZZ.seed, numRuns: 500 },
      );
    });
  });

  it('exports what it imported, whatever profile it is', () => {
    const path = fc
      .tuple(fc.constantFrom('3', '3_1.2', '5_1.1', '3303', '19_1.1', '10241'), fc.nat(3), fc.nat(20))
      .map(([object, instance, resource]) => `/${object}/${instance}/${resource}`);
    const paths = fc.uniqueArray(path, { maxLength: 12 });
    const number = fc.oneof(fc.nat(100), fc.float({ noNaN: true, noDefaultInfinity: true, min: 0, max: 100 }));
    const attributes = fc.record(
      { pmin: number, pmax: number, gt: number, lt: number, st: number, epmin: number, dim: number, ver: fc.constant('1.0') },
      { requiredKeys: [] },
    );
    const anyPath = fc.oneof(
      path,
      path.map((text) => text.split('/').slice(0, 3).join('/')),
      path.map((text) => text.split('/').slice(0, 2).join('/')),
    );
    const config = fc.record({
      observeAttr: fc.record({
        observe: paths,
        attribute: paths,
        telemetry: paths,
        keyName: fc.dictionary(path, fc.constantFrom('a', 'b', 'batteryLevel', 'state', 'x1', 'state1')),
        attributeLwm2m: fc.dictionary(anyPath, attributes),
        observeStrategy: fc.constantFrom('SINGLE', 'COMPOSITE_ALL', 'COMPOSITE_BY_OBJECT', 0, 1, 2),
        initAttrTelAsObsStrategy: fc.boolean(),
      }),
      bootstrap: fc.array(fc.dictionary(fc.string(), fc.jsonValue())),
      clientLwM2mSettings: fc.dictionary(fc.string(), fc.jsonValue()),
      type: fc.constant('LWM2M'),
    });
    fc.assert(
      fc.property(config, (json) => {
        const { definition, kept } = importIotHubProfile(json);
        assert.equal(JSON.stringify(exportIotHubProfile(definition, kept, omaModel())), JSON.stringify(json));
        // As a dialog has it: through JSON and back.
        const again = JSON.parse(JSON.stringify({ definition, kept })) as { definition: ProfileDefinition; kept: unknown };
        assert.deepEqual(exportIotHubProfile(again.definition, again.kept), JSON.parse(JSON.stringify(json)));
      }),
      { seed: FUZZ.seed, numRuns: 300 },
    );
  });
});
