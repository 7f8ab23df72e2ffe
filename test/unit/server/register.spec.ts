import assert from 'node:assert/strict';
import fc from 'fast-check';
import * as coap from '../../support/coap-message';
import { eventsOf } from '../../support/ground';
import { identityOf, plainOnly } from '../../support/scheme';
import { closeAll, createWorld, DEVICE, ELSEWHERE, LIST, read, recordOrder, ScriptedPeer, story, type Asked } from './fixture';

/** Registers with these query items on top of `ep=dev` and gives back the code, or what became of it. */
function registering(query: readonly (string | Buffer)[], more: Asked = {}) {
  const ground = createWorld();
  const peer = new ScriptedPeer(ground);
  const answer = peer.ask({ query: ['ep=dev', ...query], contentFormat: 40, payload: LIST, ...more });
  const code = coap.codeText(answer.code);
  const registration = ground.server.registration('dev');
  assert.equal(registration !== undefined, code === '2.01', 'registered exactly when told so');
  return { ground, code, registration, answer };
}

const nameless = plainOnly('over DTLS a Register without a name is that of the device of the identity');

describe('Register', () => {
  afterEach(closeAll);

  it('[SRV-001] takes a device in and says so by 2.01 and one event', () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    const id = peer.register({ query: ['lt=300', 'b=U', 'Q', 'sms=4917100'], version: '1.1' });
    const registration = ground.server.registration('dev');
    assert.ok(registration);
    const { versions, objects, ...rest } = registration;
    assert.deepEqual(rest, {
      id,
      endpoint: 'dev',
      lwm2mVersion: '1.1',
      lifetime: 300,
      binding: 'U',
      queueMode: true,
      smsNumber: '4917100',
      extra: {},
      rootPath: '',
      contentFormats: [110],
      identity: identityOf('dev'),
      address: DEVICE.address,
      port: DEVICE.port,
      registeredAt: ground.clock.wall() - 1,
      updatedAt: ground.clock.wall() - 1,
      lastSeenAt: ground.clock.wall() - 1,
    });
    assert.deepEqual(objects, [
      { objectId: 1, instanceId: 0 },
      { objectId: 3, instanceId: 0 },
      { objectId: 3303, instanceId: 0 },
    ]);
    assert.deepEqual([...versions.keys()], [1, 3, 3303]);
    const at = registration.registeredAt;
    assert.deepEqual(ground.events, [
      { kind: 'registered', at, registration },
      { kind: 'awake', at, registration, waiting: 0 },
    ]);
    assert.deepEqual(ground.server.registrations(), [registration]);
    assert.equal(ground.server.counters().registers, 1);
  });

  it('[SRV-002] gives an id of ten letters and digits that nobody can guess', () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    const ids = Array.from({ length: 200 }, () => peer.register());
    for (const id of ids) assert.match(id, /^[A-Za-z0-9]{10}$/);
    assert.equal(new Set(ids).size, ids.length);
    // Drawn anew each time: no place holds the same character throughout, as a counter or a stamp would make it.
    for (let place = 0; place < 10; place++) assert.ok(new Set(ids.map((id) => id[place])).size > 20, `place ${place}`);
  });

  for (const [what, query] of [
    ['missing', ['lt=60']],
    ['empty', ['ep=', 'lt=60']],
    ['without a value', ['ep', 'lt=60']],
  ] as const) {
    const test = what === 'empty' ? it : nameless;
    test(`[SRV-003] refuses an endpoint name that is ${what} with 4.00`, () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const answer = peer.ask({ query, contentFormat: 40, payload: LIST });
      assert.equal(coap.codeText(answer.code), '4.00');
      assert.match(answer.payload.toString(), /endpoint name \(ep\) is missing/);
      assert.deepEqual(story(ground.events), ['refused  4.00']);
    });
  }

  for (const [what, name, shown] of [
    ['a line feed', Buffer.from('a\nb'), 'a?b'],
    ['a NUL', Buffer.from('a\0b'), 'a?b'],
    ['a C1 control', Buffer.from('a\u0085b'), 'a?b'],
    ['bytes that are not UTF-8', Buffer.from([0x61, 0xff, 0x62]), 'a?b'],
  ] as const) {
    it(`[SRV-004] refuses an endpoint name with ${what} with 4.00, and reports it printable`, () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      const code = peer.code({ query: [Buffer.concat([Buffer.from('ep='), name])], contentFormat: 40, payload: LIST });
      assert.equal(code, '4.00');
      assert.deepEqual(story(ground.events), [`refused ${shown} 4.00`]);
    });
  }

  for (const name of ['urn:imei:490154203237518', 'Küche 3', 'a=b&c', '__proto__', 'constructor', '温度', 'x'.repeat(252)]) {
    it(`[SRV-004] takes the endpoint name ${JSON.stringify(name.slice(0, 30))} as it is`, () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      peer.register({ endpoint: name });
      assert.equal(ground.server.registration(name)?.endpoint, name);
      assert.deepEqual(story(ground.events), [`registered ${name}`]);
    });
  }

  for (const query of [
    ['ep=other'],
    ['lt=60', 'lt=61'],
    ['lwm2m=1.0', 'lwm2m=1.1'],
    ['b=U', 'b=U'],
    ['lwm2m=1.1', 'Q', 'Q'],
    ['sms=1', 'sms=1'],
  ]) {
    it(`[SRV-005] refuses a standard parameter that is there twice: ${query.join('&')}`, () => {
      const { code, answer } = registering(query);
      assert.equal(code, '4.00');
      assert.match(answer.payload.toString(), /is there twice/);
    });
  }

  for (const [query, lifetime] of [
    [[], 86_400],
    [['lt=1'], 1],
    [['lt=0'], 0],
    [['lt=007'], 7],
    [['lt=4294967295'], 4_294_967_295],
  ] as const) {
    it(`[SRV-006] takes the lifetime of "${query.join('&')}" as ${lifetime} s`, () => {
      assert.equal(registering(query).registration?.lifetime, lifetime);
    });
  }

  for (const value of [
    'lt',
    'lt=',
    'lt=-1',
    'lt=+5',
    'lt=1.5',
    'lt=1e3',
    'lt=0x10',
    'lt= 5',
    'lt=abc',
    'lt=4294967296',
    'lt=99999999999',
    'lt=٣',
  ]) {
    it(`[SRV-006] refuses the lifetime "${value}" with 4.00`, () => assert.equal(registering([value]).code, '4.00'));
  }

  for (const [query, version] of [
    [[], '1.0'],
    [['lwm2m=1.0'], '1.0'],
    [['lwm2m=1.1'], '1.1'],
    [['lwm2m=1.2'], '1.2'],
    [['lwm2m=1.0.2'], '1.0'],
    [['lwm2m=1.1.1'], '1.1'],
  ] as const) {
    it(`[SRV-007] takes "${query.join('&')}" for LwM2M ${version}`, () => {
      assert.equal(registering(query).registration?.lwm2mVersion, version);
    });
  }

  for (const value of ['lwm2m=4.12', 'lwm2m=1.3', 'lwm2m=2.0', 'lwm2m=1', 'lwm2m=1.0.22', 'lwm2m=', 'lwm2m', 'lwm2m=01.1', 'lwm2m=1.1 ']) {
    it(`[SRV-007] answers 4.12 to the version "${value}", so that a client tries a lower one`, () => {
      const { code, ground } = registering([value, 'b=UQ']);
      assert.equal(code, '4.12');
      const [event] = eventsOf(ground.events, 'refused');
      assert.equal(event?.code, '4.12');
      assert.match(event.hint, /1\.0, 1\.1 and 1\.2/);
    });
  }

  const bindings: readonly [string, string, boolean][] = [
    ...['U', 'UQ', 'S', 'SQ', 'US', 'UQS'].map((b) => ['1.0', b, true] as [string, string, boolean]),
    ...['', 'Q', 'QU', 'T', 'UT', 'SU', 'UU', 'u', 'N', 'UQSQ'].map((b) => ['1.0', b, false] as [string, string, boolean]),
    ...['U', 'T', 'S', 'N', 'UT', 'TU', 'UTSN', 'NSTU'].map((b) => ['1.1', b, true] as [string, string, boolean]),
    ...['', 'Q', 'UQ', 'UU', 'H', 'M', 'UTSNU', 'U T', '😀'].map((b) => ['1.1', b, false] as [string, string, boolean]),
    ...['U', 'UM', 'UH', 'H', 'UTSNMH'].map((b) => ['1.2', b, true] as [string, string, boolean]),
    ...['', 'UQ', 'HH', 'X'].map((b) => ['1.2', b, false] as [string, string, boolean]),
  ];
  for (const [version, binding, fine] of bindings) {
    it(`[SRV-008] ${fine ? 'takes' : 'refuses'} the binding "${binding}" of LwM2M ${version}`, () => {
      const { code, registration } = registering([`lwm2m=${version}`, `b=${binding}`]);
      assert.equal(code, fine ? '2.01' : '4.00');
      assert.equal(registration?.binding, fine ? binding : undefined);
    });
  }

  it('[SRV-008] takes U where no binding is given, and refuses b without a value', () => {
    assert.equal(registering([]).registration?.binding, 'U');
    assert.equal(registering(['b']).code, '4.00');
  });

  for (const [query, queueMode] of [
    [['lwm2m=1.0'], false],
    [['lwm2m=1.0', 'b=U'], false],
    [['lwm2m=1.0', 'b=UQ'], true],
    [['lwm2m=1.0', 'b=UQS'], true],
    [['lwm2m=1.1'], false],
    [['lwm2m=1.1', 'Q'], true],
    [['lwm2m=1.2', 'Q', 'b=U'], true],
  ] as const) {
    it(`[SRV-009] reads queue mode ${queueMode ? 'on' : 'off'} from "${query.join('&')}"`, () => {
      assert.equal(registering(query).registration?.queueMode, queueMode);
    });
  }

  for (const query of [['lwm2m=1.0', 'Q'], ['Q'], ['lwm2m=1.1', 'Q='], ['lwm2m=1.1', 'Q=1'], ['lwm2m=1.2', 'Q=true']]) {
    it(`[SRV-009] refuses "${query.join('&')}" with 4.00`, () => assert.equal(registering(query).code, '4.00'));
  }

  it('[SRV-010] keeps the SMS number', () => {
    assert.equal(registering(['sms=+491710000']).registration?.smsNumber, '+491710000');
    assert.equal(registering([]).registration?.smsNumber, undefined);
    assert.equal(registering(['sms']).registration?.smsNumber, undefined);
  });

  it('[SRV-011] keeps parameters nobody standardised as they came', () => {
    const { registration } = registering(['mac=aa:bb', 'at=22', 'flag', 'empty=', 'x=1', 'x=2=3', 'ver=Käse']);
    assert.deepEqual(registration?.extra, { mac: 'aa:bb', at: '22', flag: '', empty: '', x: '2=3', ver: 'Käse' });
  });

  it('[SRV-011] keeps hostile parameter names as plain data', () => {
    const { registration } = registering(['__proto__=evil', 'constructor=c', 'toString', 'hasOwnProperty=h', '=nameless']);
    assert.ok(registration);
    assert.deepEqual(Object.entries(registration.extra), [
      ['__proto__', 'evil'],
      ['constructor', 'c'],
      ['toString', ''],
      ['hasOwnProperty', 'h'],
      ['', 'nameless'],
    ]);
    assert.equal(Object.getPrototypeOf(registration.extra), Object.prototype);
    assert.equal(({} as Record<string, unknown>)['evil'], undefined);
  });

  it('[SRV-011] keeps 32 of them at most', () => {
    const { registration } = registering(Array.from({ length: 60 }, (_, index) => `p${index}=${index}`));
    assert.equal(Object.keys(registration?.extra ?? {}).length, 32);
  });

  it('[SRV-012] takes pid for any other parameter before LwM2M 1.2', () => {
    assert.deepEqual(registering(['lwm2m=1.1', 'pid=4711']).registration?.extra, { pid: '4711' });
    assert.deepEqual(registering(['pid=4711']).registration?.extra, { pid: '4711' });
  });

  it('[SRV-013] refuses a Non-confirmable Register with 4.00', () => {
    assert.equal(registering([], { type: coap.NON }).code, '4.00');
  });

  it('[SRV-014] takes the object list as link-format or without a Content-Format, and as nothing else', () => {
    assert.equal(registering([], { contentFormat: undefined }).code, '2.01');
    assert.equal(registering([], { contentFormat: 40 }).code, '2.01');
    for (const contentFormat of [0, 41, 42, 50, 60, 110, 11_542]) assert.equal(registering([], { contentFormat }).code, '4.00');
  });

  it('[SRV-015] answers a repeated datagram with the same bytes and registers once', () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    const register: Asked = { query: ['ep=dev'], contentFormat: 40, payload: LIST, mid: 7 };
    const first = peer.ask(register);
    const second = peer.ask(register);
    assert.deepEqual(second, first);
    assert.deepEqual(story(ground.events), ['registered dev']);
  });

  it('[SRV-016] has the 2.01 on the wire before anybody hears of it, and a Read from the listener after it', () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    ground.server.subscribe((event) => {
      if (event.kind === 'registered') void ground.server.perform('dev', read(3, 0, 0));
    });
    const order = recordOrder(ground);
    peer.request({ query: ['ep=dev'], contentFormat: 40, payload: LIST });
    peer.tick();
    assert.deepEqual(order, ['sent 2.01', 'sent 0.01', 'registered']);
    assert.deepEqual(
      peer.inbox.map((message) => coap.codeText(message.code)),
      ['2.01', '0.01'],
    );
  });

  for (const [code, path, answer] of [
    ['0.01', '/rd', '4.05'],
    ['0.03', '/rd', '4.05'],
    ['0.05', '/rd', '4.05'],
    ['0.04', '/rd', '4.05'],
    ['0.02', '/rd/a/b', '4.04'],
    ['0.04', '/rd/a/b', '4.04'],
    ['0.02', '/', '4.04'],
    ['0.02', '/bs', '4.04'],
    ['0.02', '/RD', '4.04'],
  ] as const) {
    it(`[SRV-017] answers ${answer} to ${code} ${path}`, () => {
      const ground = createWorld();
      const peer = new ScriptedPeer(ground);
      assert.equal(peer.code({ code, path, query: ['ep=dev'], contentFormat: 40, payload: LIST }), answer);
      assert.deepEqual(ground.events, []);
    });
  }

  it('[SRV-018] says in a short text what is wrong, to the device and in the event', () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    const answer = peer.ask({ query: [`ep=dev`, 'lwm2m=1.1', `b=${'Q'.repeat(200)}`], contentFormat: 40, payload: LIST });
    assert.equal(coap.codeText(answer.code), '4.00');
    assert.ok(answer.payload.length <= 120, `${answer.payload.length} bytes`);
    const [event] = eventsOf(ground.events, 'refused');
    assert.ok(event);
    assert.equal(event.reason.startsWith(answer.payload.toString()), true);
    assert.match(event.reason, /binding mode \(b\)/);
    const { address, port, code, endpoint } = event;
    assert.deepEqual({ address, port, code, endpoint }, { ...DEVICE, code: '4.00', endpoint: 'dev' });
    assert.notEqual(event.hint, '');
    assert.equal(ground.server.counters().refused, 1);
  });

  it('[SRV-029] is answered, whatever it holds, and registers exactly when told so', () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    const name = fc.constantFrom('ep', 'lt', 'lwm2m', 'b', 'Q', 'sms', 'pid', '__proto__', 'x', '');
    const value = fc.oneof(fc.constantFrom('', '1.0', '1.1', '1.2', 'U', 'UQ', '60', '0', '-1', 'dev'), fc.string({ maxLength: 20 }));
    const item = fc.oneof(
      { weight: 8, arbitrary: fc.tuple(name, value).map(([left, right]) => Buffer.from(`${left}=${right}`)) },
      { weight: 1, arbitrary: name.map((left) => Buffer.from(left)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)) },
    );
    const link = fc.oneof(
      fc.tuple(fc.nat(70_000), fc.nat(70_000)).map(([object, instance]) => `</${object}/${instance}>`),
      fc.constantFrom(
        '</>;rt="oma.lwm2m"',
        '</>;ct="110 112"',
        '</a>;rt="oma.lwm2m"',
        '</3>;ver=1.1',
        '</x>',
        '<',
        ';',
        '',
        '</a/3/0>',
        '"',
      ),
    );
    const payload = fc.oneof(
      fc.array(link, { maxLength: 6 }).map((links) => Buffer.from(links.join(','))),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    );
    const codes = new Set<string>();
    fc.assert(
      fc.property(fc.array(item, { maxLength: 6 }), payload, fc.constantFrom(40, 40, undefined, 0), (items, list, contentFormat) => {
        const before = ground.events.length;
        const code = peer.code({ query: [Buffer.from('ep=dev'), ...items], payload: list, contentFormat });
        codes.add(code);
        const [event, ...rest] = ground.events.slice(before).filter(({ kind }) => kind !== 'replaced' && kind !== 'log');
        assert.deepEqual(rest, []);
        assert.equal(event?.kind, code === '2.01' ? 'registered' : 'refused');
        assert.deepEqual(ground.errors, []);
      }),
      { numRuns: 500, seed: 7 },
    );
    for (const code of codes) assert.ok(['2.01', '4.00', '4.09', '4.12'].includes(code), code);
    for (const code of ['2.01', '4.00', '4.12']) assert.ok(codes.has(code), `${code} never came up`);
  });

  it('[SRV-019] never confuses two devices with the same tokens and message ids', async () => {
    const ground = createWorld();
    const one = new ScriptedPeer(ground, DEVICE, 5);
    const other = new ScriptedPeer(ground, ELSEWHERE, 5);
    const ids = [one.register({ endpoint: 'one' }), other.register({ endpoint: 'other' })];
    assert.notEqual(ids[0], ids[1]);
    const results = [ground.server.perform('one', read(3, 0, 0)), ground.server.perform('other', read(3, 0, 0))];
    one.tick();
    const asked = one.takeRequest();
    const askedOther = other.takeRequest();
    // Each answers with the other's message id and token: neither fits.
    one.send({ type: coap.ACK, code: coap.code('2.05'), mid: askedOther.mid, token: askedOther.token, payload: Buffer.from('wrong') });
    other.push(asked.token, '2.05', { payload: 'wrong' });
    one.answer(asked, '2.05', { payload: 'eins', contentFormat: 0 });
    other.answer(askedOther, '2.05', { payload: 'zwei', contentFormat: 0 });
    assert.deepEqual(
      (await Promise.all(results)).map((result) => (result.kind === 'answer' ? result.nodes?.[0]?.value : result.code)),
      ['eins', 'zwei'],
    );
  });
});
