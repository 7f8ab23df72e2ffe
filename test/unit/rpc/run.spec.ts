import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FAILURE_CODES, RESULTS } from '../../../lib/rpc/results';
import { runCommand } from '../../../lib/rpc/run';
import type { RunOptions } from '../../../lib/rpc/run';
import type { RpcResult } from '../../../lib/rpc/types';
import { RESULT_NAMES } from '../../../lib/server/results';
import { AT, answer, model, observation, registration, stubServer } from './fixture';

const battery = { path: [3, 0, 9], type: 'integer', value: 75 } as const;
const run = (server: ReturnType<typeof stubServer>, command: unknown, options: RunOptions = {}): Promise<RpcResult> =>
  runCommand(server, 'dev-1', command, { model, now: () => AT, ...options });

const summary = {
  id: 'r1',
  endpoint: 'dev-1',
  lwm2mVersion: '1.1',
  lifetime: 300,
  binding: 'U',
  queueMode: false,
  address: '192.0.2.7',
  port: 56830,
  identity: { scheme: 'coap', mode: 'none', name: '' },
  registeredAt: 1_700_000_000_000,
  updatedAt: 1_700_000_060_000,
  lastSeenAt: 1_700_000_060_000,
};

describe('running commands', () => {
  it('[RPC-029] [RPC-033] answers a Read with the value, and all about it beside', async () => {
    const server = stubServer(answer({ nodes: [battery], contentFormat: 112, warnings: ['odd'] }));
    const result = await run(server, 'Read {"id":"/3_1.0/0/9","x":1}');
    assert.deepEqual(server.performed, [{ endpoint: 'dev-1', operation: { kind: 'Read', path: { ids: [3, 0, 9] } }, options: {} }]);
    const { meta, ...rest } = result;
    assert.deepEqual(rest, { payload: { result: 'CONTENT', value: 75 }, path: '/3/0/9', registration });
    const { warnings, ...about } = meta;
    assert.deepEqual(about, {
      method: 'Read',
      at: AT,
      path: '/3/0/9',
      object: 'Device',
      resource: 'Battery Level',
      type: 'integer',
      unit: '%',
      code: '2.05',
      rtt: 12,
      contentFormat: 112,
      registration: summary,
    });
    assert.equal((warnings as string[]).length, 3);
    assert.match((warnings as string[]).join(' '), /version 1\.0.*Ignored: "x".*odd/);
  });

  it('[RPC-033] tells the times the device gave', async () => {
    const timed = (value: number, time?: number) => ({ ...battery, value, ...(time === undefined ? {} : { time }) });
    const one = await run(stubServer(answer({ nodes: [timed(75, 1714564800.25)] })), 'Read {"id":"/3/0/9"}');
    assert.equal(one.meta['time'], 1714564800250);
    assert.ok(!('values' in one.meta));
    const two = await run(stubServer(answer({ nodes: [timed(75, 1714564800), timed(76)] })), 'Read {"id":"/3/0/9"}');
    assert.equal(two.payload.value, 76);
    assert.deepEqual(two.meta['values'], [
      { path: '/3/0/9', value: 75, time: 1714564800000 },
      { path: '/3/0/9', value: 76, time: AT },
    ]);
    const same = await run(
      stubServer(answer({ nodes: [timed(75, 5), { ...battery, path: [3, 0, 6, 0], time: 5 }] })),
      'Read {"id":"/3/0"}',
    );
    assert.equal(same.meta['time'], 5000);
    assert.ok(!('type' in same.meta), 'an instance has no type');
  });

  it('[RPC-024] keys instances as the option says', async () => {
    const server = stubServer(answer({ nodes: [battery] }));
    assert.deepEqual((await run(server, 'Read {"id":"/3/0"}')).payload, { result: 'CONTENT', value: { 9: 75 } });
    assert.deepEqual((await run(server, 'Read {"id":"/3/0"}', { instanceKeys: 'name' })).payload.value, { 'Battery Level': 75 });
  });

  it('[RPC-011] hands the timeout and the format on; the command comes before the setting', async () => {
    const server = stubServer();
    await run(server, 'Read {"id":"/3/0/9"}', { timeout: 5000 });
    await run(server, 'Read {"id":"/3/0/9","timeout":700,"format":"tlv"}', { timeout: 5000 });
    assert.deepEqual(
      server.performed.map((entry) => entry.options),
      [{ timeout: 5000 }, { timeout: 700, contentFormat: 11542 }],
    );
  });

  for (const [command, fields, payload] of [
    [
      'Discover {"id":"/3"}',
      { links: '</3>;ver=1.1,</3/0/9>;pmin=10' },
      {
        result: 'CONTENT',
        value: [
          { url: '/3', attributes: { ver: '1.1' } },
          { url: '/3/0/9', attributes: { pmin: 10 } },
        ],
      },
    ],
    ['ObserveCancel {"id":"/3/0/9"}', { cancelled: 1 }, { result: 'CONTENT', value: 1 }],
    ['Execute {"id":"/3/0/4"}', { code: '2.04', result: 'CHANGED' }, { result: 'CHANGED' }],
    ['WriteReplace {"id":"/3/0/15","value":"Z"}', { code: '2.04', result: 'CHANGED' }, { result: 'CHANGED' }],
    ['WriteUpdate {"id":"/3/0","value":{"15":"Z"}}', { code: '2.04', result: 'CHANGED' }, { result: 'CHANGED' }],
    ['Observe {"id":"/3/0/9"}', { nodes: [battery], observation }, { result: 'CONTENT', value: 75 }],
    ['Read {"id":"/3/0/6"}', { nodes: [] }, { result: 'CONTENT', value: {} }],
    ['Read {"id":"/3/0/9"}', {}, { result: 'CONTENT', value: null }],
  ] as const) {
    it(`[RPC-032] answers ${command} with ${JSON.stringify(payload)}`, async () => {
      const result = await run(stubServer(answer(fields)), command);
      assert.deepEqual(result.payload, payload);
      assert.equal(result.failure, undefined);
      assert.deepEqual(result.meta['warnings'], []);
    });
  }

  it('[RPC-032] tells the observation that runs, and the warning when none does', async () => {
    const observing = await run(stubServer(answer({ nodes: [battery], observation })), 'Observe {"id":"/3/0/9"}');
    assert.deepEqual(observing.meta['observation'], { id: 'a1b2', path: '/3/0/9', startedAt: 1_700_000_001_000 });
    const only = await run(stubServer(answer({ nodes: [battery], warnings: ['does not observe'] })), 'Observe {"id":"/3/0/9"}');
    assert.equal(only.payload.value, 75);
    assert.ok(!('observation' in only.meta));
    assert.deepEqual(only.meta['warnings'], ['does not observe']);
  });

  it('[RPC-029] passes a refusal of the device on as a result, with its reason or a word that there is none', async () => {
    const refusal = { ok: false, code: '4.04', result: 'NOT_FOUND' } as const;
    const { payload, failure, meta } = await run(stubServer(answer({ ...refusal, error: 'no such thing' })), 'Read {"id":"/3/0/9"}');
    assert.deepEqual({ payload, failure }, { payload: { result: 'NOT_FOUND', error: 'no such thing' }, failure: undefined });
    assert.equal(meta['code'], '4.04');
    assert.ok(!('failure' in meta));
    const silent = await run(stubServer(answer(refusal)), 'Read {"id":"/3/0/9"}');
    assert.deepEqual(silent.payload, { result: 'NOT_FOUND', error: 'The device answered 4.04 and gave no reason.' });
  });

  it('[RPC-029] has a closed list of results, and UNKNOWN for codes that have no name', async () => {
    const odd = await run(stubServer(answer({ ok: false, code: '4.30', result: '4.30' })), 'Read {"id":"/3/0/9"}');
    assert.deepEqual(odd.payload, { result: 'UNKNOWN', error: 'The device answered 4.30 and gave no reason.' });
    // 2.31 Continue belongs to block-wise transfer and never ends a request.
    const missing = RESULT_NAMES.filter((name) => name !== 'CONTINUE' && !RESULTS.some((known) => known === name));
    assert.deepEqual(missing, []);
  });

  for (const code of FAILURE_CODES) {
    it(`[RPC-030] ends in ${code} when the server says so`, async () => {
      const result = await run(stubServer({ kind: 'failed', code, error: 'why', registration }), 'Read {"id":"/3/0/9"}');
      assert.deepEqual(result.payload, { result: code, error: 'why' });
      assert.equal(result.failure, code);
      assert.equal(result.path, '/3/0/9');
      assert.deepEqual(result.meta, {
        method: 'Read',
        at: AT,
        path: '/3/0/9',
        object: 'Device',
        resource: 'Battery Level',
        type: 'integer',
        unit: '%',
        failure: code,
        registration: summary,
        warnings: [],
      });
    });
  }

  it('[RPC-030] asks nothing of the device when the command is wrong', async () => {
    const server = stubServer();
    for (const [command, code, text] of [
      ['Read /3/0/9', 'BAD_REQUEST', /not JSON/],
      ['Created {"id":"/3"}', 'METHOD_NOT_ALLOWED', /There is no command "Created"/],
      ['Read {"id":"/33"}', 'BAD_REQUEST', /does not have object 33/],
      ['WriteReplace {"id":"/3/0/13","value":"soon"}', 'BAD_REQUEST', /ISO 8601/],
      ['WriteReplace {"id":"/3/0/13"}', 'BAD_REQUEST', /needs a "value"/],
      ['Read {"id":"/3/0/9","timeout":0}', 'BAD_REQUEST', /milliseconds/],
    ] as const) {
      const result = await run(server, command);
      assert.equal(result.failure, code);
      assert.equal(result.payload.result, code);
      assert.match(result.payload.error!, text);
      assert.equal(result.meta['failure'], code);
    }
    assert.deepEqual(server.performed, []);
  });

  it('[RPC-031] names the unknown device and the ones that are there', async () => {
    const of = async (server: ReturnType<typeof stubServer>, endpoint: unknown): Promise<RpcResult> =>
      runCommand(server, endpoint as string, 'Read {"id":"/3/0/9"}', { model });
    const unknown = await of(stubServer(), 'dev-2');
    assert.equal(unknown.failure, 'UNKNOWN_ENDPOINT');
    assert.deepEqual(unknown.payload, {
      result: 'UNKNOWN_ENDPOINT',
      error: 'The device "dev-2" is not registered. Registered now: "dev-1".',
    });
    const none = await of(stubServer(undefined, []), 'dev-1');
    assert.equal(none.payload.error, 'The device "dev-1" is not registered. No device is registered now.');
    const many = await of(
      stubServer(
        undefined,
        Array.from({ length: 8 }, (_, at) => ({ ...registration, endpoint: `d${at}` })),
      ),
      'dev-1',
    );
    assert.match(many.payload.error!, /"d0", "d1", "d2", "d3", "d4" and 3 more\.$/);
    const long = await of(stubServer(), 'x'.repeat(100_000));
    assert.ok(long.payload.error!.length < 200);
    for (const endpoint of [undefined, null, '', 7, {}]) {
      const bad = await of(stubServer(), endpoint);
      assert.equal(bad.failure, 'BAD_REQUEST');
      assert.match(bad.payload.error!, /names no device/);
    }
  });

  it('[RPC-028] does not reject when the server does', async () => {
    const rejecting = await run(
      stubServer(() => Promise.reject(new Error('boom'))),
      'Read {"id":"/3/0/9"}',
    );
    assert.equal(rejecting.failure, 'BAD_RESPONSE');
    assert.match(rejecting.payload.error!, /boom/);
    const throwing = stubServer(() => {
      throw new Error('bang');
    });
    assert.match((await run(throwing, 'Read {"id":"/3/0/9"}')).payload.error!, /bang/);
  });

  it('[RPC-028] never rejects, whatever the command is', async () => {
    const server = stubServer(answer({ nodes: [battery] }));
    const known = new Set<string>([...RESULTS, ...FAILURE_CODES]);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.anything(),
          fc.record({ method: fc.constantFrom('Read', 'Execute'), params: fc.dictionary(fc.constantFrom('id', 'value'), fc.anything()) }),
        ),
        async (command) => {
          const result = await run(server, command);
          assert.ok(known.has(result.payload.result));
          if (result.failure !== undefined) assert.equal(result.payload.result, result.failure);
        },
      ),
      { seed: 57, numRuns: 500 },
    );
  });
});
