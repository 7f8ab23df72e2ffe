import assert from 'node:assert/strict';
import type { Operation, OperationOptions } from '../../../lib/server/types';
import type { DataNode } from '../../../lib/lwm2m/types';
import * as coap from '../../support/coap-message';
import { answered, at, closeAll, createWorld, failed, node, observe, perform, read, ScriptedPeer, type Answered } from './fixture';

/** A request in one line: "GET /3/0/9 accept=110", with the payload in hex where there is one. */
function line(message: coap.CoapMessage): string {
  const parts = [['', 'GET', 'POST', 'PUT', 'DELETE'][message.code] ?? `0.0${message.code}`, coap.uriPath(message)];
  for (const [name, option] of [
    ['observe', coap.OptionNumber.Observe],
    ['ct', coap.OptionNumber.ContentFormat],
    ['accept', coap.OptionNumber.Accept],
  ] as const) {
    const value = coap.number(message, option);
    if (value !== undefined) parts.push(`${name}=${value}`);
  }
  const known: number[] = [6, 11, 12, 17];
  for (const { number } of message.options) if (!known.includes(number)) parts.push(`option${number}`);
  if (message.payload.length > 0) parts.push(message.payload.toString('hex'));
  return parts.join(' ');
}

const hex = (text: string): string => Buffer.from(text).toString('hex');

interface Row {
  readonly list?: string;
  readonly version?: string;
  readonly operation: Operation;
  readonly options?: OperationOptions;
  readonly wire: string;
}

const replace = (path: number[], nodes: readonly DataNode[]): Operation => ({ kind: 'WriteReplace', path: at(...path), nodes });
const update = (path: number[], nodes: readonly DataNode[]): Operation => ({ kind: 'WriteUpdate', path: at(...path), nodes });
const plain = (list: string): string => `${list},</1/0>,</3/0>,</3303/0>`;

async function requestOf(row: Row): Promise<string> {
  const ground = createWorld();
  const peer = new ScriptedPeer(ground);
  peer.register({ payload: row.list ?? '</1/0>,</3/0>,</3303/0>', version: row.version ?? '1.1' });
  const { request } = await perform(ground, peer, { operation: row.operation, ...(row.options && { options: row.options }), code: '4.04' });
  assert.ok(request.token.length >= 1 && request.token.length <= 8);
  return line(request);
}

describe('operations on the wire', () => {
  afterEach(closeAll);

  const rows: readonly (readonly [string, Row])[] = [
    ['[SRV-070]', { operation: read(3), wire: 'GET /3' }],
    ['[SRV-070]', { operation: read(3, 0), wire: 'GET /3/0' }],
    ['[SRV-070]', { operation: read(3, 0, 9), wire: 'GET /3/0/9' }],
    ['[SRV-070]', { operation: read(3, 0, 6, 1), wire: 'GET /3/0/6/1' }],
    ['[SRV-070]', { operation: read(65_534, 65_534, 65_534), wire: 'GET /65534/65534/65534' }],
    ['[SRV-070]', { list: '</lwm2m>;rt="oma.lwm2m",</lwm2m/3/0>', operation: read(3, 0, 9), wire: 'GET /lwm2m/3/0/9' }],
    ['[SRV-070]', { operation: { kind: 'Discover', path: at(3, 0) }, wire: 'GET /3/0 accept=40' }],
    ['[SRV-070]', { list: plain('</>;ct=110'), operation: { kind: 'Discover', path: at(3) }, wire: 'GET /3 accept=40' }],
    ['[SRV-070]', { operation: observe(3, 0, 9), wire: 'GET /3/0/9 observe=0' }],
    ['[SRV-070]', { operation: { kind: 'Execute', path: at(3, 0, 4) }, wire: 'POST /3/0/4' }],
    ['[SRV-070]', { operation: { kind: 'Execute', path: at(3, 0, 4), args: '' }, wire: 'POST /3/0/4' }],
    ['[SRV-070]', { operation: { kind: 'Execute', path: at(3, 0, 4), args: "0='a',1" }, wire: `POST /3/0/4 ct=0 ${hex("0='a',1")}` }],
    // Accept: what was announced, the more compact first; none where nothing was, for LwM2M 1.0 clients answer it with 4.06.
    ['[SRV-071]', { list: plain('</>;ct="110 112 11542"'), operation: read(3, 0), wire: 'GET /3/0 accept=112' }],
    ['[SRV-071]', { list: plain('</>;ct="60 110 11542"'), operation: read(3, 0), wire: 'GET /3/0 accept=110' }],
    ['[SRV-071]', { list: plain('</>;ct="60 11542 11543"'), operation: read(3, 0, 9), wire: 'GET /3/0/9 accept=11542' }],
    ['[SRV-071]', { list: plain('</>;ct="1542 1543"'), version: '1.0', operation: read(3), wire: 'GET /3 accept=1542' }],
    ['[SRV-071]', { list: plain('</>;ct=11543'), version: '1.0', operation: read(3), wire: 'GET /3 accept=11543' }],
    ['[SRV-071]', { list: plain('</>;ct="112 11542 11543"'), version: '1.0', operation: read(3), wire: 'GET /3 accept=11542' }],
    ['[SRV-071]', { list: plain('</>;ct="110 112 11544"'), version: '1.2', operation: read(3), wire: 'GET /3 accept=11544' }],
    ['[SRV-071]', { list: plain('</>;ct="110 112 11544"'), version: '1.2', operation: observe(3), wire: 'GET /3 observe=0 accept=112' }],
    ['[SRV-071]', { list: plain('</>;ct=11544'), version: '1.2', operation: observe(3), wire: 'GET /3 observe=0 accept=11544' }],
    ['[SRV-071]', { list: plain('</>;ct="110 11544"'), version: '1.1', operation: read(3), wire: 'GET /3 accept=110' }],
    ['[SRV-071]', { list: plain('</>;ct="60 0 42"'), version: '1.2', operation: read(3), wire: 'GET /3' }],
    ['[SRV-071]', { version: '1.2', operation: read(3), wire: 'GET /3' }],
    ['[SRV-071]', { list: plain('</>;ct=112'), operation: observe(3, 0, 9), wire: 'GET /3/0/9 observe=0 accept=112' }],
    ['[SRV-071]', { list: plain('</>;ct=112'), operation: read(3), options: { contentFormat: 110 }, wire: 'GET /3 accept=110' }],
    ['[SRV-071]', { operation: read(3), options: { contentFormat: 11_542 }, wire: 'GET /3 accept=11542' }],
    ['[SRV-071]', { operation: read(3), options: { contentFormat: 0 }, wire: 'GET /3 accept=0' }],
    // Writes.
    ['[SRV-072]', { operation: replace([3, 0, 14], [node('3/0/14', 'string', '+02:00')]), wire: `PUT /3/0/14 ct=0 ${hex('+02:00')}` }],
    ['[SRV-072]', { operation: update([3, 0, 14], [node('3/0/14', 'string', 'Z')]), wire: `POST /3/0/14 ct=0 ${hex('Z')}` }],
    [
      '[SRV-072]',
      {
        list: plain('</>;ct=112'),
        operation: replace([3, 0, 13], [node('3/0/13', 'time', 1_367_491_215)]),
        wire: `PUT /3/0/13 ct=0 ${hex('1367491215')}`,
      },
    ],
    ['[SRV-072]', { operation: replace([1, 0, 6], [node('1/0/6', 'boolean', true)]), wire: `PUT /1/0/6 ct=0 ${hex('1')}` }],
    ['[SRV-072]', { operation: update([3, 0], [node('3/0/14', 'string', 'Z')]), wire: 'POST /3/0 ct=11542 c10e5a' }],
    [
      '[SRV-072]',
      {
        version: '1.2',
        operation: update([3, 0], [node('3/0/14', 'string', 'Z')]),
        wire: `POST /3/0 ct=112 81a20067${hex('/3/0/14')}03615a`,
      },
    ],
    [
      '[SRV-072]',
      {
        list: plain('</>;ct="112 11544"'),
        version: '1.2',
        operation: update([3, 0], [node('3/0/14', 'string', 'Z')]),
        wire: 'POST /3/0 ct=11544 a18303000e615a',
      },
    ],
    [
      '[SRV-072]',
      {
        list: plain('</>;ct=11543'),
        version: '1.0',
        operation: update([3, 0], [node('3/0/14', 'string', 'Z')]),
        wire: `POST /3/0 ct=11543 ${hex('{"bn":"/3/0/","e":[{"n":"14","sv":"Z"}]}')}`,
      },
    ],
    [
      '[SRV-072]',
      {
        list: plain('</>;ct=110'),
        operation: update([3, 0], [node('3/0/14', 'string', 'Z')]),
        wire: `POST /3/0 ct=110 ${hex('[{"n":"/3/0/14","vs":"Z"}]')}`,
      },
    ],
    [
      '[SRV-072]',
      {
        operation: replace([1, 0], [node('1/0/1', 'integer', 300), node('1/0/6', 'boolean', true)]),
        wire: 'PUT /1/0 ct=11542 c201012cc10601',
      },
    ],
    [
      '[SRV-072]',
      {
        list: plain('</>;ct="11542 1542"'),
        operation: replace([1, 0], [node('1/0/1', 'integer', 300)]),
        options: { contentFormat: 1_542 },
        wire: 'PUT /1/0 ct=1542 c201012c',
      },
    ],
    [
      '[SRV-072]',
      {
        list: '</r>;rt="oma.lwm2m";ct=110,</r/3/0>',
        operation: update([3, 0], [node('3/0/14', 'string', 'Z')]),
        wire: `POST /r/3/0 ct=110 ${hex('[{"n":"/r/3/0/14","vs":"Z"}]')}`,
      },
    ],
    [
      '[SRV-072]',
      {
        operation: replace([5, 0, 0], [node('5/0/0', 'opaque', Buffer.from('00ff', 'hex'))]),
        version: '1.1',
        wire: 'PUT /5/0/0 ct=42 00ff',
      },
    ],
    [
      '[SRV-072]',
      {
        operation: replace([5, 0, 0], [node('5/0/0', 'opaque', Buffer.from('00ff', 'hex'))]),
        version: '1.0',
        wire: 'PUT /5/0/0 ct=11542 c20000ff',
      },
    ],
    [
      '[SRV-072]',
      {
        operation: replace([3, 0, 14], [node('3/0/14', 'string', 'Z')]),
        options: { contentFormat: 110 },
        wire: `PUT /3/0/14 ct=110 ${hex('[{"n":"/3/0/14","vs":"Z"}]')}`,
      },
    ],
  ];
  for (const [id, row] of rows) {
    const { operation, list = 'no ct', version = '1.1', options } = row;
    const asked = options?.contentFormat === undefined ? '' : ` in ${options.contentFormat}`;
    it(`${id} sends ${operation.kind} ${'path' in operation ? `/${operation.path.ids.join('/')}` : ''}${asked} (${version}, ${list.split(',')[0]}) as ${row.wire.slice(0, 60)}`, async () => {
      assert.equal(await requestOf(row), row.wire);
    });
  }

  /** What is asked after the device has refused, or "nothing", and the format the result names. */
  async function askedAgain(row: Omit<Row, 'wire'>, refusal: '4.06' | '4.15'): Promise<[string, number | undefined]> {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    peer.register({ payload: row.list ?? '</1/0>,</3/0>', version: row.version ?? '1.1' });
    const done = ground.server.perform('dev', row.operation, row.options ?? {});
    peer.tick();
    peer.answer(peer.takeRequest(), refusal);
    const [message] = peer.inbox;
    if (message === undefined) {
      const result = answered(await done);
      assert.equal(result.code, refusal);
      return ['nothing', result.contentFormat];
    }
    const request = peer.takeRequest();
    // Refused again, it is the result: a third time is not asked.
    peer.answer(request, refusal);
    peer.quiet();
    const result = answered(await done);
    assert.equal(result.code, refusal);
    assert.equal(ground.server.counters().pendingOperations, 0);
    return [line(request), result.contentFormat];
  }

  const again: readonly [Omit<Row, 'wire'>, '4.06' | '4.15', string, number?][] = [
    [{ list: plain('</>;ct="110 112"'), operation: read(3) }, '4.06', 'GET /3 accept=110'],
    [{ list: plain('</>;ct=112'), operation: read(3) }, '4.06', 'GET /3'],
    [{ list: plain('</>;ct=112'), operation: read(3) }, '4.15', 'GET /3'],
    [{ list: plain('</>;ct="112 11544"'), version: '1.2', operation: observe(3) }, '4.06', 'GET /3 observe=0 accept=11544'],
    [{ operation: read(3) }, '4.06', 'GET /3 accept=11542'],
    [{ version: '1.2', operation: read(3) }, '4.06', 'GET /3 accept=112'],
    [{ operation: read(3), options: { contentFormat: 110 } }, '4.06', 'nothing'],
    [{ operation: { kind: 'Discover', path: at(3) } }, '4.06', 'nothing'],
    [{ operation: { kind: 'Execute', path: at(3, 0, 4) } }, '4.15', 'nothing'],
    [{ operation: replace([3, 0, 14], [node('3/0/14', 'string', 'Z')]) }, '4.15', 'PUT /3/0/14 ct=11542 c10e5a', 11_542],
    [
      { operation: update([3, 0], [node('3/0/14', 'string', 'Z')]), version: '1.2' },
      '4.15',
      `POST /3/0 ct=110 ${hex('[{"n":"/3/0/14","vs":"Z"}]')}`,
      110,
    ],
    [{ operation: update([3, 0], [node('3/0/14', 'string', 'Z')]), options: { contentFormat: 11_542 } }, '4.15', 'nothing', 11_542],
    [
      { operation: replace([5, 0, 0], [node('5/0/0', 'opaque', Buffer.from('00ff', 'hex'))]), list: plain('</>;ct=112') },
      '4.15',
      'PUT /5/0/0 ct=42 00ff',
      42,
    ],
  ];
  for (const [row, refusal, expected, format] of again) {
    const what = `${row.operation.kind} /${('path' in row.operation ? row.operation.path.ids : []).join('/')} (${row.version ?? '1.1'}, ${row.list?.split(',')[0] ?? 'no ct'})`;
    it(`[SRV-074] [SRV-075] asks ${expected.slice(0, 50)} after ${refusal} to ${what}`, async () => {
      assert.deepEqual(await askedAgain(row, refusal), [expected, format]);
    });
  }

  it('[SRV-074] takes the answer to the second try, and observes by it', async () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    peer.register({ payload: plain('</>;ct="110 112"'), version: '1.1' });
    const done = ground.server.perform('dev', observe(3, 0, 9), {});
    peer.tick();
    const first = peer.takeRequest();
    peer.answer(first, '4.06');
    const second = peer.takeRequest();
    assert.deepEqual(second.token, first.token);
    peer.answer(second, '2.05', { contentFormat: 110, observe: 1, payload: '[{"n":"/3/0/9","v":80}]' });
    const result = answered(await done);
    assert.equal(result.ok, true);
    assert.equal(result.contentFormat, 110);
    assert.equal(result.observation?.accept, 110);
    assert.deepEqual(result.nodes, [{ path: [3, 0, 9], type: 'integer', value: 80 }]);
  });

  it('[SRV-074] does not try again when the time of the operation is over', async () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    peer.register({ payload: plain('</>;ct="110 112"'), version: '1.1' });
    const done = ground.server.perform('dev', read(3), { timeout: 5_000 });
    peer.tick();
    const first = peer.takeRequest();
    peer.acknowledge(first);
    ground.clock.advance(4_000);
    peer.send({ type: coap.CON, code: coap.code('4.06'), mid: 7_777, token: first.token });
    peer.tick();
    assert.equal(coap.describeMessage(peer.take()).includes('ACK'), true);
    const second = peer.takeRequest();
    peer.acknowledge(second);
    ground.clock.advance(1_500);
    assert.equal(failed(await done).code, 'TIMEOUT_NO_RESPONSE');
  });

  it('[SRV-075] names the format of a Write that was done', async () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    peer.register();
    const { result } = await perform(ground, peer, { operation: replace([3, 0, 14], [node('3/0/14', 'string', 'Z')]), code: '2.04' });
    assert.equal(answered(result).contentFormat, 0);
  });

  it('[SRV-073] sends nothing that it cannot write, and says why', async () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    peer.register();
    for (const [operation, options] of [
      [replace([3, 0, 14], [node('3/0/14', 'integer', 1.5)]), {}],
      [replace([3, 0, 14], [node('3/0/15', 'string', 'x')]), {}],
      [replace([3, 0], [node('3/0/14', 'string', 'x'), node('3/0/15', 'string', 'y')]), { contentFormat: 0 }],
      [replace([3, 0, 14], [node('3/0/14', 'string', 'x')]), { contentFormat: 50 }],
    ] as const) {
      const result = failed(await ground.server.perform('dev', operation, options));
      assert.equal(result.code, 'BAD_REQUEST');
      assert.equal(result.registration?.endpoint, 'dev');
      assert.notEqual(result.error, '');
    }
    peer.tick();
    peer.quiet();
    assert.equal(ground.server.counters().pendingOperations, 0);
  });
});

describe('results of operations', () => {
  afterEach(closeAll);

  async function resultOf(operation: Operation, code: string, answer: Answered = {}, options: OperationOptions = {}) {
    // A busy device would be asked again.
    const ground = createWorld({ params: { busyRetries: 0 } });
    const peer = new ScriptedPeer(ground);
    peer.register();
    const { result } = await perform(ground, peer, { operation, code, answer, options });
    assert.equal(ground.server.counters().pendingOperations, 0);
    assert.equal(ground.server.counters().operations, 1);
    return { ground, result };
  }

  it('[SRV-080] gives the values of a Read with their types, the code, the format and the round-trip time', async () => {
    const { ground, result } = await resultOf(read(3, 0), '2.05', {
      contentFormat: 11_542,
      payload: Buffer.from('c1096486064100014101 05'.replace(' ', ''), 'hex'),
    });
    assert.deepEqual(result, {
      kind: 'answer',
      code: '2.05',
      result: 'CONTENT',
      ok: true,
      rtt: 3,
      contentFormat: 11_542,
      registration: ground.server.registration('dev'),
      nodes: [
        { path: [3, 0, 9], type: 'integer', value: 100 },
        { path: [3, 0, 6, 0], type: 'integer', value: 1 },
        { path: [3, 0, 6, 1], type: 'integer', value: 5 },
      ],
    });
  });

  it('[SRV-080] reads an answer without Content-Format as text, with the type of the object version', async () => {
    const { result } = await resultOf(read(3, 0, 9), '2.05', { payload: '77' });
    assert.deepEqual(answered(result).nodes, [{ path: [3, 0, 9], type: 'integer', value: 77 }]);
    assert.equal('contentFormat' in result, false);
  });

  it('[SRV-080] takes names with the alternate path', async () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    peer.register({ payload: '</lwm2m>;rt="oma.lwm2m";ct=110,</lwm2m/3/0>' });
    const { result } = await perform(ground, peer, {
      operation: read(3, 0),
      answer: { contentFormat: 110, payload: '[{"bn":"/lwm2m/3/0/","n":"9","v":5}]' },
    });
    assert.deepEqual(answered(result).nodes, [{ path: [3, 0, 9], type: 'integer', value: 5 }]);
  });

  it('[SRV-081] gives the links of a Discover as the device sent them', async () => {
    const links = '</3/0>;pmin=10,</3/0/1>, </3/0/6>;dim=8';
    const { result } = await resultOf({ kind: 'Discover', path: at(3, 0) }, '2.05', { contentFormat: 40, payload: links });
    assert.equal(answered(result).links, links);
  });

  it('[SRV-081] gives 2.04 of a Write and an Execute as CHANGED', async () => {
    for (const [operation, format] of [
      [{ kind: 'Execute', path: at(3, 0, 4) }, {}],
      [{ kind: 'WriteReplace', path: at(3, 0, 14), nodes: [node('3/0/14', 'string', 'x')] }, { contentFormat: 0 }],
      [{ kind: 'WriteUpdate', path: at(3, 0), nodes: [node('3/0/14', 'string', 'x')] }, { contentFormat: 110 }],
    ] as const) {
      const { ground, result } = await resultOf(operation, '2.04');
      const registration = ground.server.registration('dev');
      assert.deepEqual(result, { kind: 'answer', code: '2.04', result: 'CHANGED', ok: true, rtt: 3, registration, ...format });
    }
  });

  for (const [code, name] of [
    ['4.00', 'BAD_REQUEST'],
    ['4.01', 'UNAUTHORIZED'],
    ['4.03', 'FORBIDDEN'],
    ['4.04', 'NOT_FOUND'],
    ['4.05', 'METHOD_NOT_ALLOWED'],
    ['4.06', 'NOT_ACCEPTABLE'],
    ['4.09', 'CONFLICT'],
    ['4.12', 'PRECONDITION_FAILED'],
    ['4.15', 'UNSUPPORTED_CONTENT_FORMAT'],
    ['5.00', 'INTERNAL_SERVER_ERROR'],
    ['5.01', 'NOT_IMPLEMENTED'],
    ['5.03', 'SERVICE_UNAVAILABLE'],
    ['4.30', '4.30'],
    ['5.31', '5.31'],
  ] as const) {
    it(`[SRV-082] gives the refusal ${code} as the result ${name} with the device's own words`, async () => {
      // A format that was asked for is not exchanged for another.
      const { ground, result } = await resultOf(read(3, 0, 1), code, { payload: ' no such thing ' }, { contentFormat: 110 });
      const registration = ground.server.registration('dev');
      assert.deepEqual(result, { kind: 'answer', code, result: name, ok: false, error: 'no such thing', rtt: 3, registration });
    });
  }

  it('[SRV-082] says what the code says where the device gives no words, and 1024 bytes of them at most', async () => {
    const { result } = await resultOf(read(3, 0, 1), '4.05');
    assert.equal(answered(result).error, 'the device answered 4.05');
    const long = await resultOf(read(3, 0, 1), '4.05', { payload: 'x'.repeat(1_100) });
    assert.equal(answered(long.result).error, 'x'.repeat(1_024));
  });

  for (const [what, answer] of [
    ['a text that is no number', { payload: 'warm' }],
    ['a format nobody knows', { contentFormat: 65_000, payload: 'x' }],
    ['TLV that is cut off', { contentFormat: 11_542, payload: Buffer.from('c804', 'hex') }],
    ['values of another path', { contentFormat: 110, payload: '[{"n":"/3/0/10","v":1}]' }],
    ['broken JSON', { contentFormat: 110, payload: '[{' }],
  ] as const) {
    it(`[SRV-083] fails with BAD_RESPONSE when the answer is ${what}`, async () => {
      const { ground, result } = await resultOf(read(3, 0, 9), '2.05', answer);
      const { code, error, registration } = failed(result);
      assert.equal(code, 'BAD_RESPONSE');
      assert.match(error, /^dev answered, but its payload cannot be read: ./);
      assert.equal(registration, ground.server.registration('dev'));
      assert.equal(ground.server.counters().undecodable, 1);
    });
  }

  it('[SRV-084] takes a separate response, and acknowledges it', async () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    peer.register();
    const promise = ground.server.perform('dev', read(3, 0, 9));
    peer.tick();
    const request = peer.takeRequest();
    peer.acknowledge(request);
    ground.clock.advance(5_000);
    const mid = peer.push(request.token, '2.05', { type: coap.CON, payload: '5' });
    const acknowledgement = peer.take();
    assert.deepEqual([acknowledgement.type, acknowledgement.code, acknowledgement.mid], [coap.ACK, 0, mid]);
    assert.deepEqual(answered(await promise).nodes, [{ path: [3, 0, 9], type: 'integer', value: 5 }]);
  });

  it('[SRV-084] asks a device one thing at a time, in order, and devices side by side', async () => {
    const ground = createWorld();
    const peers = [1, 2].map((index) => new ScriptedPeer(ground, { address: '192.0.2.40', port: index }));
    for (const [index, peer] of peers.entries()) peer.register({ endpoint: `d${index}` });
    const results = [0, 1].flatMap((index) => [0, 1, 2].map((id) => ground.server.perform(`d${index}`, read(3, 0, id))));
    peers[0]?.tick();
    for (const peer of peers) {
      for (const id of [0, 1, 2]) {
        const request = peer.takeRequest();
        peer.quiet();
        assert.equal(coap.uriPath(request), `/3/0/${id}`);
        peer.answer(request, '2.05', { payload: 'x' });
      }
    }
    for (const result of await Promise.all(results)) assert.equal(answered(result).ok, true);
  });
});
