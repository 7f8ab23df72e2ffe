import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createLwm2mServer } from '../../lib/root/create-server';
import type { Lwm2mServer } from '../../lib/root/types';
import { parsePath } from '../../lib/lwm2m/path';
import type { DataNode } from '../../lib/lwm2m/types';
import type { Operation, OperationOptions, OperationResult, ServerEvent } from '../../lib/server/types';
import { EventLog } from './event-log';
import { skipWithout } from './suite';

/** The `demo` of Anjay 3.14 or newer, built with `-DWITH_LWM2M12=ON` by whoever runs this: no registry of packages has it. */
const demo = process.env['LWM2M_ANJAY_DEMO'] || undefined;
const ENDPOINT = 'anjay';
const LIMIT = 20_000;

const SENML_JSON = 110;
const SENML_CBOR = 112;
const SENML_ETCH_JSON = 320;
const SENML_ETCH_CBOR = 322;
const LWM2M_CBOR = 11_544;

type Answer = Extract<OperationResult, { kind: 'answer' }>;

/** What LwM2M 1.2 has and 1.1 has not, at a client of another house. */
describe('LwM2M 1.2: Anjay', function () {
  this.timeout(2 * LIMIT);
  const events = new EventLog<ServerEvent>();
  let server: Lwm2mServer | undefined;
  let child: ChildProcess | undefined;

  before(async function () {
    skipWithout(this, 'anjay', demo === undefined ? 'LWM2M_ANJAY_DEMO names no program' : undefined);
    if (demo === undefined) return;
    server = createLwm2mServer({ name: 'interop', port: 0, host: '127.0.0.1', unknownDevices: 'accept-without-security', timeout: LIMIT });
    server.subscribe((event) => events.push(event));
    await server.start();
    const uri = `coap://127.0.0.1:${server.port}`;
    const args = ['--endpoint-name', ENDPOINT, '--security-mode', 'nosec', '--server-uri', uri, '--lifetime', '300'];
    child = spawn(demo, args, { stdio: ['pipe', 'ignore', 'ignore'] });
    await events.waitFor(({ kind }) => kind === 'registered', 'registered');
  });

  after(async () => {
    if (child && child.exitCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await server?.close();
  });

  async function ask(operation: Operation, options?: OperationOptions): Promise<Answer> {
    assert.ok(server);
    const result = await server.perform(ENDPOINT, operation, options);
    assert.ok(result.kind === 'answer', JSON.stringify(result));
    return result;
  }

  const values = ({ nodes = [] }: Answer): Map<string, unknown> =>
    new Map(nodes.map((node) => [node.path.join('/'), 'value' in node ? node.value : undefined]));

  /** The instance of the server object that is ours. */
  async function serverInstance(): Promise<number> {
    const { nodes = [] } = await ask({ kind: 'Read', path: parsePath('/1') });
    return nodes[0]?.path[1] ?? 0;
  }

  it('registers with 1.2', () => {
    assert.equal(server?.registrations()[0]?.lwm2mVersion, '1.2');
  });

  for (const [depth, most] of [
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 4],
  ] as const) {
    it(`Discover with a depth of ${depth}`, async () => {
      const { links = '' } = await ask({ kind: 'Discover', path: parsePath('/3'), depth });
      const levels = [...links.matchAll(/<\/([\d/]+)>/g)].map(([, path = '']) => path.split('/').length);
      assert.equal(Math.max(...levels), most, links);
    });
  }

  it('reads an instance in LwM2M CBOR, with the same values as in SenML', async () => {
    const cbor = await ask({ kind: 'Read', path: parsePath('/3/0') }, { contentFormat: LWM2M_CBOR });
    const senml = await ask({ kind: 'Read', path: parsePath('/3/0') }, { contentFormat: SENML_CBOR });
    assert.deepEqual([cbor.contentFormat, senml.contentFormat], [LWM2M_CBOR, SENML_CBOR]);
    const steady = (answer: Answer): unknown[] => [...values(answer)].filter(([path]) => /^3\/0\/(0|1|2|3|6|7|17|18|19)/.test(path)).sort();
    assert.ok(steady(senml).length > 6);
    assert.deepEqual(steady(cbor), steady(senml));
  });

  for (const [name, contentFormat] of Object.entries({ SENML_JSON, SENML_CBOR, LWM2M_CBOR })) {
    it(`Read-Composite in ${name}`, async () => {
      const instance = await serverInstance();
      const paths = [parsePath('/3/0/0'), parsePath(`/1/${instance}/1`)];
      const answer = await ask({ kind: 'ReadComposite', paths }, { contentFormat });
      assert.equal(answer.contentFormat, contentFormat);
      assert.deepEqual(
        [...values(answer)],
        [
          ['3/0/0', 'Anjay'],
          [`1/${instance}/1`, 300],
        ],
      );
    });
  }

  for (const [name, contentFormat] of Object.entries({ SENML_ETCH_JSON, SENML_ETCH_CBOR, LWM2M_CBOR, SENML_JSON, SENML_CBOR })) {
    it(`Write-Composite in ${name}`, async () => {
      const instance = await serverInstance();
      const written = 100 + (contentFormat % 97);
      const paths = [parsePath(`/1/${instance}/2`), parsePath(`/1/${instance}/3`)];
      const nodes: DataNode[] = paths.map(({ ids }, index) => ({ path: ids, type: 'integer', value: index + written }));
      const answer = await ask({ kind: 'WriteComposite', paths, nodes }, { contentFormat });
      assert.equal(answer.code, '2.04');
      const read = await ask({ kind: 'ReadComposite', paths });
      assert.deepEqual([...values(read).values()], [written, written + 1]);
    });
  }

  it('takes the attributes of 1.2', async () => {
    const attributes = ['pmin', 'pmax', 'edge', 'con', 'hqmax'].map((name, index) => [name, String(index === 1 ? 60 : 1)] as const);
    assert.equal((await ask({ kind: 'WriteAttributes', path: parsePath('/3/0/13'), attributes })).code, '2.04');
  });

  it('Observe with attributes of its own: notifications come as they say', async () => {
    const attributes = [
      ['pmin', '1'],
      ['pmax', '2'],
      ['con', '1'],
    ] as const;
    const path = parsePath('/3/0/13');
    const { observation } = await ask({ kind: 'Observe', path, attributes });
    assert.ok(observation);
    const from = events.seen.length;
    await events.waitFor((event) => event.kind === 'notification' && event.observation.id === observation.id, 'a notification', { from });
    const ended = await ask({ kind: 'ObserveCancel', path });
    assert.equal(ended.cancelled, 1);
  });
});
