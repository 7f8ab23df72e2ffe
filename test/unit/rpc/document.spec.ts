/** Every request of the IoT Hub's documentation of its LwM2M device API, against a device whose every answer is written here. */
import assert from 'node:assert/strict';
import { runCommand } from '../../../lib/rpc/run';
import type { RpcOptions, RpcResult } from '../../../lib/rpc/types';
import * as coap from '../../support/coap-message';
import type { Ground } from '../../support/ground';
import { closeAll, createWorld, ScriptedPeer } from '../server/fixture';

const LIST =
  '</>;rt="oma.lwm2m";ct=110,</1>;ver=1.2,</1/0>,</3>;ver=1.0,</3/0>,</5/0>,</6/0>,</19>;ver=1.1,</19/0>,</19/1>,' +
  '</31024>;ver=1.0,</31024/10>,</31024/11>,</31024/12>';

const keys = {
  batteryLevel: '/3/0/9',
  timezone: '/3/0/14',
  state: '/5/0/3',
  updateResult: '/5/0/5',
  pkgversion: '/5/0/7',
  packageUri: '/5/0/1',
  defaultMinimumPeriod: '/1/0/2',
};

const METHODS = ['', 'GET', 'POST', 'PUT', 'DELETE', 'FETCH', 'PATCH', 'iPATCH'];

/** "PUT /19/0/0?pmax=120 {body}", Observe and Content-Format where they are. */
function line(message: coap.CoapMessage): string {
  const query = coap.texts(message, coap.OptionNumber.UriQuery).join('&');
  const observe = coap.number(message, coap.OptionNumber.Observe);
  const format = coap.number(message, coap.OptionNumber.ContentFormat);
  return [
    METHODS[message.code],
    `${coap.uriPath(message)}${query === '' ? '' : `?${query}`}`,
    ...(observe === undefined ? [] : [`observe=${observe}`]),
    ...(format === undefined ? [] : [`ct=${format}`]),
    ...(message.payload.length === 0 ? [] : [message.payload.toString()]),
  ].join(' ');
}

const device = [
  [0, 'vs', 'IoT Hub Test Device'],
  [1, 'vs', 'Model 500'],
  [2, 'vs', 'TH-500-000-0001'],
  [3, 'vs', 'TestIoT Hub@TestMore1024_2.04'],
  ['6/0', 'v', 1],
  ['7/0', 'v', 96],
  ['8/0', 'v', 37],
  [9, 'v', 75],
  [10, 'v', 110673],
  ['11/0', 'v', 1],
  [13, 'v', 1625146789],
  [14, 'vs', '+03'],
  [15, 'vs', 'Europe/Kiev'],
  [16, 'vs', 'U'],
  [17, 'vs', 'smart meters'],
  [18, 'vs', '1.01'],
  [19, 'vs', '1.02'],
  [20, 'v', 2],
  [21, 'v', 256000],
] as const;
const deviceBody = JSON.stringify(device.map(([id, field, value]) => ({ n: `/3/0/${id}`, [field]: value })));
const deviceValue = {
  0: 'IoT Hub Test Device',
  1: 'Model 500',
  2: 'TH-500-000-0001',
  3: 'TestIoT Hub@TestMore1024_2.04',
  6: { 0: 1 },
  7: { 0: 96 },
  8: { 0: 37 },
  9: 75,
  10: 110673,
  11: { 0: 1 },
  13: 1625146789000,
  14: '+03',
  15: 'Europe/Kiev',
  16: 'U',
  17: 'smart meters',
  18: '1.01',
  19: '1.02',
  20: 2,
  21: 256000,
};
const one = (id: number, value: string | number, type: string): string =>
  `${id}=LwM2mSingleResource [id=${id}, value=${value}, type=${type}]`;
const many = (id: number, value: string | number): string =>
  `${id}=LwM2mMultipleResource [id=${id}, values={0=LwM2mResourceInstance [id=0, value=${value}, type=INTEGER]}, type=INTEGER]`;
const deviceText = `LwM2mObjectInstance [id=0, resources={${[
  one(0, 'IoT Hub Test Device', 'STRING'),
  one(1, 'Model 500', 'STRING'),
  one(2, 'TH-500-000-0001', 'STRING'),
  one(3, 'TestIoT Hub@TestMore1024_2.04', 'STRING'),
  many(6, 1),
  many(7, 96),
  many(8, 37),
  one(9, 75, 'INTEGER'),
  one(10, 110673, 'INTEGER'),
  many(11, 1),
  one(13, 'Thu Jul 01 13:39:49 UTC 2021', 'TIME'),
  one(14, '+03', 'STRING'),
  one(15, 'Europe/Kiev', 'STRING'),
  one(16, 'U', 'STRING'),
  one(17, 'smart meters', 'STRING'),
  one(18, '1.01', 'STRING'),
  one(19, '1.02', 'STRING'),
  one(20, 2, 'INTEGER'),
  one(21, 256000, 'INTEGER'),
].join(', ')}}]`;

const serverBody =
  '{"n":"/1/0/0","v":123},{"n":"/1/0/1","v":300},{"n":"/1/0/6","vb":false},{"n":"/1/0/22","vs":"U"},{"n":"/1/0/7","vs":"U"}';
const serverValue = { 0: 123, 1: 300, 6: false, 7: 'U', 22: 'U' };
const serverText = `LwM2mObjectInstance [id=0, resources={${[
  one(0, 123, 'INTEGER'),
  one(1, 300, 'INTEGER'),
  one(6, 'false', 'BOOLEAN'),
  one(7, 'U', 'STRING'),
  one(22, 'U', 'STRING'),
].join(', ')}}]`;

const links = (upTo: number, from: string): string =>
  [from, ...Array.from({ length: upTo + 1 }, (_, id) => `/3/0/${id}`)].map((url) => `<${url}>`).join(',');
const linkValues = (text: string): object[] => text.split(',').map((link) => ({ url: link.slice(1, -1), attributes: {} }));

const BATTERY = { answer: ['2.05', '[{"n":"/3/0/9","v":100}]'], text: 'LwM2mSingleResource [id=9, value=100, type=INTEGER]' } as const;
const CHANGED = { answer: ['2.04'], result: 'CHANGED' } as const;

interface Row {
  readonly command: string;
  /** Commands that must have been done before; answered by 2.05 with a value. */
  readonly before?: readonly string[];
  readonly wire?: string;
  /** Code, body and Content-Format of the device's answer; absent where it is not asked. */
  readonly answer?: readonly [code: string, body?: string, format?: number];
  readonly result?: string;
  readonly value?: unknown;
  readonly text?: string;
  readonly textResult?: string;
  readonly warned?: RegExp;
}

const rows: readonly Row[] = [
  // Read.
  { command: 'Read {"id":"/3/0/9"}', wire: 'GET /3/0/9', value: 100, ...BATTERY },
  { command: 'Read {"id":"/3_1.0/0/9"}', wire: 'GET /3/0/9', value: 100, ...BATTERY },
  { command: 'Read {"key":"batteryLevel"}', wire: 'GET /3/0/9', value: { batteryLevel: 100 }, ...BATTERY },
  { command: 'Read {"id":"/3/0"}', wire: 'GET /3/0', answer: ['2.05', deviceBody], value: deviceValue, text: deviceText },
  // Discover.
  {
    command: 'Discover {"id":"/3"}',
    wire: 'GET /3',
    answer: ['2.05', links(16, '/3'), 40],
    value: linkValues(links(16, '/3')),
    text: links(16, '/3'),
  },
  {
    command: 'Discover {"id":"/3/0"}',
    wire: 'GET /3/0',
    answer: ['2.05', links(16, '/3/0'), 40],
    value: linkValues(links(16, '/3/0')),
    text: links(16, '/3/0'),
  },
  {
    command: 'Discover {"id":"/3/0/1"}',
    wire: 'GET /3/0/1',
    answer: ['2.05', '</3/0/1>', 40],
    value: [{ url: '/3/0/1', attributes: {} }],
    text: '</3/0/1>',
  },
  {
    command: 'Discover {"key":"batteryLevel"}',
    wire: 'GET /3/0/9',
    answer: ['2.05', '</3/0/9>;pmin=10;pmax=60', 40],
    value: [{ url: '/3/0/9', attributes: { pmin: 10, pmax: 60 } }],
    text: '</3/0/9>;pmin=10;pmax=60',
  },
  {
    command: 'DiscoverAll',
    value: [
      { url: '/', attributes: { rt: 'oma.lwm2m', ct: '110' } },
      { url: '/1', attributes: { ver: '1.2' } },
      { url: '/1/0', attributes: {} },
      { url: '/3', attributes: { ver: '1.0' } },
      ...['/3/0', '/5/0', '/6/0'].map((url) => ({ url, attributes: {} })),
      { url: '/19', attributes: { ver: '1.1' } },
      ...['/19/0', '/19/1'].map((url) => ({ url, attributes: {} })),
      { url: '/31024', attributes: { ver: '1.0' } },
      ...['/31024/10', '/31024/11', '/31024/12'].map((url) => ({ url, attributes: {} })),
    ],
    text:
      '[{"url":"/","attributes":{"rt":"\\"oma.lwm2m\\"","ct":"110"}},{"url":"/1","attributes":{"ver":"1.2"}},{"url":"/1/0","attributes":{}},' +
      '{"url":"/3","attributes":{"ver":"1.0"}},{"url":"/3/0","attributes":{}},{"url":"/5/0","attributes":{}},{"url":"/6/0","attributes":{}},' +
      '{"url":"/19","attributes":{"ver":"1.1"}},{"url":"/19/0","attributes":{}},{"url":"/19/1","attributes":{}},' +
      '{"url":"/31024","attributes":{"ver":"1.0"}},{"url":"/31024/10","attributes":{}},{"url":"/31024/11","attributes":{}},' +
      '{"url":"/31024/12","attributes":{}}]',
  },
  // Write.
  {
    command: 'WriteUpdate  {"id":"/3/0","value":{"14":"+5","15":"Kiyv/Europe"}}',
    wire: 'POST /3/0 ct=110 [{"bn":"/3/0/","n":"14","vs":"+5"},{"n":"15","vs":"Kiyv/Europe"}]',
    ...CHANGED,
  },
  {
    command: 'WriteUpdate {"id": "/19/0","value": {"0":{"0":"00ad456756", "25":"25ad456756"}}}',
    wire: 'POST /19/0 ct=110 [{"bn":"/19/0/","n":"0/0","vd":"AK1FZ1Y"},{"n":"0/25","vd":"Ja1FZ1Y"}]',
    ...CHANGED,
  },
  {
    command: 'WriteUpdate {"id": "/19/0/0","value": {"0":"00ad456756", "25":"25ad456756"}}',
    wire: 'POST /19/0/0 ct=110 [{"bn":"/19/0/0/","n":"0","vd":"AK1FZ1Y"},{"n":"25","vd":"Ja1FZ1Y"}]',
    ...CHANGED,
  },
  { command: 'WriteReplace {"id":"/19/0/0","value":"0081"}', wire: 'PUT /19/0/0 ct=110 [{"n":"/19/0/0/0","vd":"AIE"}]', ...CHANGED },
  { command: 'WriteReplace {"key":"timezone","value":"+10"}', wire: 'PUT /3/0/14 ct=0 +10', ...CHANGED },
  {
    command: 'WriteReplace {"id": "/19_1.1/0/0","value": {"0":"00ad456797", "25":"25ad456700"}}',
    wire: 'PUT /19/0/0 ct=110 [{"bn":"/19/0/0/","n":"0","vd":"AK1FZ5c"},{"n":"25","vd":"Ja1FZwA"}]',
    ...CHANGED,
  },
  // Write-Attributes.
  {
    command: 'WriteAttributes {"id":"/19/0/0","attributes":{"pmax":120, "pmin":10}}',
    wire: 'PUT /19/0/0?pmax=120&pmin=10',
    ...CHANGED,
  },
  // Read-Composite.
  {
    command: 'ReadComposite {"ids":["/3/0/9", "/1_1.2"]}',
    wire: 'FETCH / ct=110 [{"n":"/3/0/9"},{"n":"/1"}]',
    answer: ['2.05', `[{"n":"/3/0/9","v":75},${serverBody}]`],
    value: { '/3/0/9': 75, '/1': { 0: serverValue } },
    text: `{/3/0/9=LwM2mSingleResource [id=9, value=75, type=INTEGER], /1=LwM2mObject [id=1, instances={0=${serverText}}]}`,
  },
  {
    command: 'ReadComposite {"keys":["state", "updateResult", "pkgversion", "batteryLevel"]}',
    wire: 'FETCH / ct=110 [{"n":"/5/0/3"},{"n":"/5/0/5"},{"n":"/5/0/7"},{"n":"/3/0/9"}]',
    answer: ['2.05', '[{"n":"/5/0/7","vs":""},{"n":"/5/0/5","v":0},{"n":"/5/0/3","v":0},{"n":"/3/0/9","v":81}]'],
    value: { state: 0, updateResult: 0, pkgversion: '', batteryLevel: 81 },
    text:
      '{/5/0/3=LwM2mSingleResource [id=3, value=0, type=INTEGER], /5/0/5=LwM2mSingleResource [id=5, value=0, type=INTEGER], ' +
      '/5/0/7=LwM2mSingleResource [id=7, value=, type=STRING], /3/0/9=LwM2mSingleResource [id=9, value=81, type=INTEGER]}',
  },
  {
    command: 'ReadComposite {"ids":["/3/0", "/1_1.2/0"]}',
    wire: 'FETCH / ct=110 [{"n":"/3/0"},{"n":"/1/0"}]',
    answer: ['2.05', `${deviceBody.slice(0, -1)},${serverBody}]`],
    value: { '/3/0': deviceValue, '/1/0': serverValue },
    text: `{/3/0=${deviceText}, /1/0=${serverText}}`,
  },
  // Write-Composite.
  {
    command: 'WriteComposite {"nodes":{"/3/0/14":"+04", "/1/0/2":100, "/5/0/1":"coap://localhost:5685"}}',
    wire: 'iPATCH / ct=110 [{"n":"/3/0/14","vs":"+04"},{"n":"/1/0/2","v":100},{"n":"/5/0/1","vs":"coap://localhost:5685"}]',
    ...CHANGED,
  },
  {
    command: 'WriteComposite {"nodes":{"timezone":"+04", "defaultMinimumPeriod":100, "packageUri":"coap://localhost:5685"}}',
    wire: 'iPATCH / ct=110 [{"n":"/3/0/14","vs":"+04"},{"n":"/1/0/2","v":100},{"n":"/5/0/1","vs":"coap://localhost:5685"}]',
    ...CHANGED,
  },
  // Execute, Delete.
  { command: 'Execute {"id":"5/0/2"}', wire: 'POST /5/0/2', ...CHANGED },
  { command: 'Delete {"id":"/19/1"}', wire: 'DELETE /19/1', answer: ['2.02'], result: 'DELETED', textResult: 'DELETE' },
  // Observe and its end.
  { command: 'Observe {"id":"/3/0/9"}', wire: 'GET /3/0/9 observe=0', value: 100, ...BATTERY },
  { command: 'Observe {"key":"batteryLevel"}', wire: 'GET /3/0/9 observe=0', value: { batteryLevel: 100 }, ...BATTERY },
  { command: 'Observe {"id":"/3/0"}', wire: 'GET /3/0 observe=0', answer: ['2.05', deviceBody], value: deviceValue, text: deviceText },
  {
    command: 'ObserveCancel {"id":"/5/0/7"}',
    before: ['/5/0/7'],
    wire: 'GET /5/0/7 observe=1',
    answer: ['2.05', '[{"n":"/5/0/7","vs":""}]'],
    value: 1,
    text: '1',
  },
  {
    command: 'ObserveCancel {"key":"updateResult"}',
    before: ['/5/0/5'],
    wire: 'GET /5/0/5 observe=1',
    answer: ['2.05', '[{"n":"/5/0/5","v":0}]'],
    value: 1,
    text: '1',
  },
  {
    command: 'ObserveCancelAll',
    before: ['/5/0/7'],
    wire: 'GET /5/0/7 observe=1',
    answer: ['2.05', '[{"n":"/5/0/7","vs":""}]'],
    value: 1,
    text: '1',
  },
  {
    command: 'ObserveReadAll',
    before: ['/5/0/7', '/3/0/3', '/5/0/3', '/5/0/5'],
    value: ['/5/0/7', '/3/0/3', '/5/0/3', '/5/0/5'],
    text: '["/5/0/7","/3/0/3","/5/0/3","/5/0/5"]',
  },
];

async function run(
  ground: Ground,
  peer: ScriptedPeer,
  { before = [], command, wire, answer }: Row,
  options: RpcOptions,
): Promise<RpcResult> {
  for (const [at, id] of before.entries()) {
    const observing = runCommand(ground.server, 'dev', `Observe {"id":"${id}"}`);
    peer.tick();
    const value = id === '/5/0/7' || id === '/3/0/3' ? '"vs":""' : '"v":0';
    peer.answer(peer.takeRequest(), '2.05', { payload: `[{"n":"${id}",${value}}]`, contentFormat: 110, observe: at });
    assert.equal((await observing).payload.result, 'CONTENT');
    ground.clock.advance(10);
  }
  const result = runCommand(ground.server, 'dev', command, { keys, ...options });
  peer.tick();
  if (answer) {
    const request = peer.takeRequest();
    assert.equal(line(request), wire);
    const [code, payload, contentFormat = 110] = answer;
    const observe = command.startsWith('Observe {') ? { observe: 1 } : {};
    peer.answer(request, code, payload === undefined ? {} : { payload, contentFormat, ...observe });
  }
  peer.quiet();
  return result;
}

describe('the requests of the documented API', () => {
  afterEach(closeAll);

  for (const row of rows) {
    for (const answers of ['values', 'iot-hub'] as const) {
      it(`[RPC-058] [RPC-057] ${row.command} (${answers})`, async () => {
        const ground = createWorld();
        const peer = new ScriptedPeer(ground);
        peer.register({ payload: LIST });
        const { payload, failure, meta } = await run(ground, peer, row, { answers });
        const { result = 'CONTENT', textResult = result, value, text } = row;
        const expected = answers === 'values' ? { result, value } : { result: textResult, value: text };
        assert.deepEqual(payload, JSON.parse(JSON.stringify(expected)));
        assert.equal(failure, undefined);
        assert.deepEqual(meta['warnings'], []);
      });
    }
  }

  it('[RPC-058] has every command of it, in any letter case', () => {
    const methods = new Set(rows.map(({ command }) => command.split(/\s/)[0]));
    assert.equal(methods.size, 14);
  });

  it('[RPC-010] [RPC-058] is done by another minor version, with a warning', async () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    peer.register({ payload: LIST.replace('</3>;ver=1.0', '</3>;ver=1.1') });
    const { payload, meta } = await run(ground, peer, { ...rows[1]! }, {});
    assert.deepEqual(payload, { result: 'CONTENT', value: 100 });
    assert.match(String(meta['warnings']), /version 1\.0 of object 3 \(Device\), the device registered version 1\.1/);
  });
});
