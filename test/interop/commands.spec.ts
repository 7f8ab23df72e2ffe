/** Each command by name, in each format for more than one value that a real device may have, and what LwM2M 1.0 has at a device of it. */
import assert from 'node:assert/strict';
import { COMMANDS } from '../../lib/index';
import { startLeshan, startWakaamaFork } from './peers';
import { withPeer } from './suite';

/** A command, its result, and its value where there is one. They build on one another. */
type Row = readonly [command: string, result: string, value?: unknown];

const observed = (...paths: readonly (string | string[])[]): Row => ['ObserveReadAll', 'CONTENT', paths];

const leshan: readonly Row[] = [
  ['Read {"id":"/3303/1/5700"}', 'CONTENT', -4.25],
  ['WriteReplace {"id":"/3442/0/1120","value":{"3":3,"4":-4}}', 'CHANGED'],
  ['Read {"id":"/3442/0/1120"}', 'CONTENT', { 3: 3, 4: -4 }],
  ['WriteUpdate {"id":"/3442/0/1120","value":{"4":5,"9":9}}', 'CHANGED'],
  ['Read {"id":"/3442/0/1120"}', 'CONTENT', { 3: 3, 4: 5, 9: 9 }],
  ['WriteUpdate {"id":"/3442/0","value":{"110":"text","140":false}}', 'CHANGED'],
  ['Read {"id":"/3442/0/140"}', 'CONTENT', false],
  ['WriteAttributes {"id":"/3303/1/5700","attributes":{"pmin":2,"st":0.5}}', 'CHANGED'],
  ['Discover {"id":"/3303/1/5700"}', 'CONTENT', [{ url: '/3303/1/5700', attributes: { pmin: 2, st: 0.5 } }]],
  ['WriteAttributes {"id":"/3303/1/5700","attributes":{"pmin":"","st":""}}', 'CHANGED'],
  ['Execute {"id":"/5/0/2"}', 'CHANGED'],
  ['Execute {"id":"/3/0/4","value":"0=\'now\',1"}', 'CHANGED'],
  ['Create {"id":"/3303/7","value":{"5700":1.5,"5701":"Cel"}}', 'CREATED', '/3303/7'],
  ['Read {"id":"/3303/7/5700"}', 'CONTENT', 1.5],
  ['Delete {"id":"/3303/7"}', 'DELETED'],
  ['Read {"id":"/3303/7/5700"}', 'NOT_FOUND'],
  ['Observe {"id":"/3/0/9"}', 'CONTENT', 100],
  ['Observe {"id":"/3/0/7"}', 'CONTENT', { 0: 3800, 1: 5000 }],
  observed('/3/0/9', '/3/0/7'),
  ['ObserveCancel {"id":"/3/0/7"}', 'CONTENT', 1],
  ['ObserveCancelAll', 'CONTENT', 1],
  observed(),
];

const composite: readonly Row[] = [
  ['WriteComposite {"nodes":{"/3442/0/120":-7,"/3442/0/1110":{"2":"x"},"/3/0/15":"Europe/Vienna"}}', 'CHANGED'],
  [
    'ReadComposite {"ids":["/3442/0/120","/3/0/15","/3303/9"]}',
    'CONTENT',
    { '/3442/0/120': -7, '/3/0/15': 'Europe/Vienna', '/3303/9': null },
  ],
  ['ObserveComposite {"ids":["/3/0/9","/3303/1/5700"]}', 'CONTENT', { '/3/0/9': 100, '/3303/1/5700': -4.25 }],
  observed(['/3/0/9', '/3303/1/5700']),
  ['ObserveCompositeCancel {"ids":["/3303/1/5700","/3/0/9"]}', 'CONTENT', 1],
  observed(),
];

const wakaama: readonly Row[] = [
  ['Read {"id":"/3303/0/5700"}', 'CONTENT', 21.5],
  ['WriteReplace {"id":"/3/0/14","value":"+01:00"}', 'CHANGED'],
  ['WriteUpdate {"id":"/3/0","value":{"14":"+03:00"}}', 'CHANGED'],
  ['Read {"id":"/3/0/14"}', 'CONTENT', '+03:00'],
  ['WriteAttributes {"id":"/3303/0/5700","attributes":{"pmin":2,"pmax":60}}', 'CHANGED'],
  ['Discover {"id":"/3303/0/5700"}', 'CONTENT', [{ url: '/3303/0/5700', attributes: { pmin: 2, pmax: 60 } }]],
  ['Execute {"id":"/3/0/4"}', 'CHANGED'],
  ['Create {"id":"/3303/3","value":{"5750":"Cellar"}}', 'CREATED', '/3303/3'],
  ['Read {"id":"/3303/3/5750"}', 'CONTENT', 'Cellar'],
  ['Delete {"id":"/3303/3"}', 'DELETED'],
  ['Observe {"id":"/3/0/9"}', 'CONTENT', 88],
  ['Observe {"id":"/3303/0/5700"}', 'CONTENT', 21.5],
  observed('/3/0/9', '/3303/0/5700'),
  ['ObserveCancel {"id":"/3/0/9"}', 'CONTENT', 1],
  ['ObserveCancelAll', 'CONTENT', 1],
  observed(),
];

/** UpdateAttributes needs a profile: `profile.spec.ts` has one. */
const methods: string[] = COMMANDS.map(({ method }) => method).filter((method) => method !== 'UpdateAttributes');
const composites = methods.filter((method) => method.includes('Composite'));
const methodOf = (command: string): string => command.split(' ')[0]!;

/** That nothing is forgotten. */
function covers(rows: readonly Row[], all: readonly string[]): void {
  const tried = new Set([...rows.map(([command]) => methodOf(command)), 'DiscoverAll']);
  assert.deepEqual([...tried].sort(), [...all].sort());
}

for (const format of ['tlv', 'senml-json', 'senml-cbor'] as const) {
  withPeer(
    `Every command, Eclipse Leshan with ${format}`,
    'leshan',
    (options) => startLeshan({ ...options, format }),
    (stage) => {
      const rows = format === 'tlv' ? leshan : [...leshan, ...composite];
      it('is done, and gives what it should', async () => {
        const { world, endpoint } = stage();
        for (const [command, result, value] of rows) {
          const answer = await world.rpc(endpoint, command);
          assert.deepEqual(
            [answer.result, ...(value === undefined ? [] : [answer.value])],
            [result, ...(value === undefined ? [] : [value])],
            `${command}: ${answer.error}`,
          );
        }
        const all = await world.rpc(endpoint, 'DiscoverAll');
        assert.ok(
          (all.value as { url: string }[]).some(({ url }) => url === '/3442/0'),
          all.error,
        );
        if (format !== 'tlv') covers(rows, methods);
      });

      if (format === 'tlv') {
        for (const method of composites) {
          it(`${method} is refused beforehand: there is no composite in TLV`, async () => {
            const { world, endpoint } = stage();
            const params = method === 'WriteComposite' ? '{"nodes":{"/3/0/14":"x"}}' : '{"ids":["/3/0/9"]}';
            const { result, error } = await world.rpc(endpoint, `${method} ${params}`);
            assert.equal(result, 'BAD_REQUEST');
            assert.match(String(error), method === 'ObserveCompositeCancel' ? /is not observed as a composite/ : /a composite needs SenML/);
          });
        }
      }
    },
  );
}

withPeer('Every command of LwM2M 1.0, a Wakaama fork', 'wakaama', startWakaamaFork, (stage) => {
  it('is done, and gives what it should', async () => {
    const { world, endpoint } = stage();
    for (const [command, result, value] of wakaama) {
      const answer = await world.rpc(endpoint, command);
      assert.deepEqual(
        [answer.result, ...(value === undefined ? [] : [answer.value])],
        [result, ...(value === undefined ? [] : [value])],
        `${command}: ${answer.error}`,
      );
    }
    const all = await world.rpc(endpoint, 'DiscoverAll');
    assert.ok(
      (all.value as { url: string }[]).some(({ url }) => url === '/3303/0'),
      all.error,
    );
    covers(
      wakaama,
      methods.filter((method) => !composites.includes(method)),
    );
  });
});
