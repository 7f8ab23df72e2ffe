import assert from 'node:assert/strict';
import * as coap from '../../support/coap-message';
import { deviceTable, plainOnly } from '../../support/scheme';
import { eventsOf } from '../../support/ground';
import { closeAll, createWorld, DEVICE, ELSEWHERE, recordOrder, ScriptedPeer, type Asked } from './fixture';

const JSON_SEND: Asked = { path: '/dp', contentFormat: 110, payload: '[{"bn":"/3303/0/","n":"5700","v":21.5},{"n":"5701","vs":"Cel"}]' };
/** [{-2: "/3303/0/", 0: "5700", 2: 21.5}] */
const CBOR_SEND: Asked = { path: '/dp', contentFormat: 112, payload: Buffer.from('81a321682f333330332f302f00643537303002f94d60', 'hex') };

function world() {
  const ground = createWorld();
  const peer = new ScriptedPeer(ground);
  const id = peer.register();
  ground.events.length = 0;
  return { ground, peer, id };
}

describe('Send', () => {
  afterEach(closeAll);

  it('[SRV-060] in SenML JSON is answered 2.04 and becomes an event with its values', () => {
    const { ground, peer } = world();
    const order = recordOrder(ground);
    assert.equal(peer.code(JSON_SEND), '2.04');
    assert.deepEqual(order, ['sent 2.04', 'send'], 'the event comes after the answer');
    assert.deepEqual(ground.events, [
      {
        kind: 'send',
        at: ground.clock.wall() - 1,
        registration: ground.server.registration('dev'),
        nodes: [
          { path: [3303, 0, 5700], type: 'float', value: 21.5 },
          { path: [3303, 0, 5701], type: 'string', value: 'Cel' },
        ],
        contentFormat: 110,
      },
    ]);
    assert.equal(ground.server.counters().sends, 1);
  });

  it('[SRV-060] in SenML CBOR is taken as well', () => {
    const { ground, peer } = world();
    assert.equal(peer.code(CBOR_SEND), '2.04');
    assert.deepEqual(eventsOf(ground.events, 'send')[0]?.nodes, [{ path: [3303, 0, 5700], type: 'float', value: 21.5 }]);
  });

  it('[SRV-060] in LwM2M CBOR is taken as well', () => {
    const { ground, peer } = world();
    const payload = Buffer.from('a183190ce7001916 44f94d60'.replace(' ', ''), 'hex');
    assert.equal(peer.code({ path: '/dp', contentFormat: 11_544, payload }), '2.04');
    assert.deepEqual(eventsOf(ground.events, 'send')[0]?.nodes, [{ path: [3303, 0, 5700], type: 'float', value: 21.5 }]);
  });

  it('[SRV-060] keeps the time of every value; relative times count from now', () => {
    const { ground, peer } = world();
    const payload = '[{"bn":"/3303/0/5700","bt":1700000000,"v":1},{"t":10,"v":2},{"bt":-60,"v":3}]';
    assert.equal(peer.code({ ...JSON_SEND, payload }), '2.04');
    assert.deepEqual(
      eventsOf(ground.events, 'send')[0]?.nodes.map(({ time }) => time),
      [1_700_000_000, 1_700_000_010, (ground.clock.wall() - 1) / 1000 - 60],
    );
  });

  it('[SRV-061] may have an empty token (Wakaama) and may be Non-confirmable', () => {
    const { ground, peer } = world();
    assert.equal(peer.code({ ...JSON_SEND, token: Buffer.alloc(0) }), '2.04');
    assert.equal(peer.code({ ...JSON_SEND, type: coap.NON }), '2.04');
    assert.equal(ground.events.length, 2);
  });

  it('[SRV-062] from a device that is not registered is answered 4.04', () => {
    const { ground } = world();
    const stranger = new ScriptedPeer(ground, ELSEWHERE, 0x1000, 'stranger');
    assert.equal(stranger.code(JSON_SEND), '4.04');
    assert.deepEqual(eventsOf(ground.events, 'send'), []);
  });

  const unproven = plainOnly('over DTLS it is the session that says whose a Send is; one that a device has left is no more');
  unproven('[SRV-062] from a route without a registration is answered 4.04', () => {
    const { ground, id } = world();
    const stranger = new ScriptedPeer(ground, ELSEWHERE);
    assert.equal(stranger.code(JSON_SEND), '4.04');
    assert.equal(stranger.code({ path: `/rd/${id}` }), '2.04');
    assert.equal(stranger.code(JSON_SEND), '2.04', 'the device has moved there');
    assert.equal(eventsOf(ground.events, 'send').length, 1);
  });

  unproven('[SRV-062] from the address a device has left is answered 4.04', () => {
    const { ground, peer, id } = world();
    const moved = new ScriptedPeer(ground, ELSEWHERE);
    assert.equal(moved.code({ path: `/rd/${id}` }), '2.04');
    assert.equal(peer.code(JSON_SEND), '4.04');
    assert.deepEqual(eventsOf(ground.events, 'send'), []);
  });

  for (const [what, payload] of [
    ['of an object', '[{"n":"/3304/0/5700","v":1}]'],
    ['of an instance', '[{"n":"/3303/1/5700","v":1}]'],
    ['among others', '[{"n":"/3303/0/5700","v":1},{"n":"/5/0/3","v":1}]'],
  ] as const) {
    it(`[SRV-063] with a value ${what} that is not registered is answered 4.04 and is no event`, () => {
      const { ground, peer } = world();
      const answer = peer.ask({ ...JSON_SEND, payload });
      assert.equal(coap.codeText(answer.code), '4.04');
      assert.match(answer.payload.toString(), /is not registered/);
      assert.deepEqual(ground.events, []);
    });
  }

  it('[SRV-063] may be about any instance of an object that is registered without instances', () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    peer.register({ payload: '</3303>,</3/0>' });
    assert.equal(peer.code({ ...JSON_SEND, payload: '[{"n":"/3303/7/5700","v":1}]' }), '2.04');
    assert.equal(peer.code({ ...JSON_SEND, payload: '[{"n":"/3/1/9","v":1}]' }), '4.04');
  });

  it('[SRV-063] may name its values with the alternate path, or without', () => {
    const ground = createWorld();
    const peer = new ScriptedPeer(ground);
    peer.register({ payload: '</lwm2m>;rt="oma.lwm2m",</lwm2m/3303/0>' });
    assert.equal(peer.code({ ...JSON_SEND, payload: '[{"n":"/lwm2m/3303/0/5700","v":1}]' }), '2.04');
    assert.equal(peer.code({ ...JSON_SEND, payload: '[{"n":"/3303/0/5700","v":2}]' }), '2.04');
    assert.deepEqual(
      eventsOf(ground.events, 'send').map(({ nodes }) => nodes[0]?.path),
      [
        [3303, 0, 5700],
        [3303, 0, 5700],
      ],
    );
  });

  for (const [what, contentFormat, payload] of [
    ['no JSON', 110, 'x'],
    ['an unknown name', 110, '[{"n":"temperature","v":1}]'],
    ['nothing', 110, ''],
    ['two values in a record', 110, '[{"n":"/3303/0/5700","v":1,"vs":"a"}]'],
    ['a value of the wrong type', 110, '[{"n":"/3303/0/5700","vs":"warm"}]'],
    ['no CBOR', 112, 'ff'],
    ['JSON called CBOR', 112, '[{"n":"/3303/0/5700","v":1}]'],
  ] as const) {
    it(`[SRV-064] with ${what} is answered 4.00, counted and told of`, () => {
      const { ground, peer } = world();
      const answer = peer.ask({ path: '/dp', contentFormat, payload });
      assert.equal(coap.codeText(answer.code), '4.00');
      assert.ok(answer.payload.length > 0 && answer.payload.length <= 120);
      assert.deepEqual(
        ground.events.map((event) => event.kind),
        ['log'],
      );
      assert.equal(ground.server.counters().undecodable, 1);
    });
  }

  for (const contentFormat of [undefined, 0, 40, 42, 60, 320, 322, 11_542, 11_543]) {
    it(`[SRV-065] in content format ${contentFormat ?? 'none'} is answered 4.15`, () => {
      const { ground, peer } = world();
      assert.equal(peer.code({ ...JSON_SEND, contentFormat }), '4.15');
      assert.deepEqual(ground.events, []);
    });
  }

  it('[SRV-066] by a device that has lost its right is answered 4.00', () => {
    const { ground, peer } = world();
    ground.server.configure({ devices: deviceTable({}), timeout: 1_000 });
    assert.equal(peer.code(JSON_SEND), '4.00');
    assert.deepEqual(eventsOf(ground.events, 'send'), []);
  });

  it('[SRV-067] is POST /dp and nothing else', () => {
    const { peer } = world();
    for (const code of ['0.01', '0.03', '0.04']) assert.equal(peer.code({ ...JSON_SEND, code }), '4.05');
    assert.equal(peer.code({ ...JSON_SEND, path: '/dp/x' }), '4.04');
  });

  it('[SRV-067] leaves the registration as it is', () => {
    const { ground, peer } = world();
    const before = ground.server.registration('dev');
    ground.clock.advance(200_000);
    assert.equal(peer.code(JSON_SEND), '2.04');
    assert.equal(ground.server.registration('dev'), before);
    ground.clock.advance(100_000);
    assert.equal(ground.server.registration('dev'), undefined, 'the lifetime has gone on');
    assert.equal(DEVICE.port, before?.port);
  });
});
