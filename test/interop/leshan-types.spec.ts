/** Object 3442 has a resource of every type, single and multiple: each is written, read back and observed in each format both sides speak. */
import assert from 'node:assert/strict';
import { startLeshan } from './peers';
import { withPeer } from './suite';

interface Type {
  readonly type: string;
  readonly id: number;
  /** As a flow writes it, and as it comes back. */
  readonly written: unknown;
  readonly back: unknown;
  /** What the device says it got; left out where JSON would round it. */
  readonly atPeer?: unknown;
  /** As the peer's command sets it, and as the notification brings it. */
  readonly set: string;
  readonly notified: unknown;
}

const bytes = (...data: number[]): object => ({ type: 'Buffer', data });
const types: readonly Type[] = [
  { type: 'string', id: 110, written: '12€ "x"', back: '12€ "x"', atPeer: '12€ "x"', set: '1.10', notified: '1.10' },
  {
    type: 'integer',
    id: 120,
    written: '-9223372036854775808',
    back: '-9223372036854775808',
    set: '-9007199254740993',
    notified: '-9007199254740993',
  },
  { type: 'small integer', id: 120, written: -5, back: -5, atPeer: -5, set: '9223372036854775807', notified: '9223372036854775807' },
  {
    type: 'unsigned integer',
    id: 125,
    written: '9007199254740993',
    back: '9007199254740993',
    set: '9223372036854775809',
    notified: '9223372036854775809',
  },
  { type: 'float', id: 130, written: -0.1, back: -0.1, atPeer: -0.1, set: '1.0E-7', notified: 1e-7 },
  { type: 'whole float', id: 130, written: 21, back: 21, atPeer: 21, set: '3.0', notified: 3 },
  { type: 'boolean', id: 140, written: 1, back: true, atPeer: true, set: 'false', notified: false },
  { type: 'opaque', id: 150, written: '1234', back: bytes(0x12, 0x34), atPeer: '1234', set: '00ff', notified: bytes(0, 0xff) },
  {
    type: 'time',
    id: 160,
    written: '2024-05-01T12:00:00Z',
    back: 1_714_564_800_000,
    atPeer: 1_714_564_800_000,
    set: '1000000000000',
    notified: 1_000_000_000_000,
  },
  { type: 'object link', id: 170, written: '/3303/1', back: '3303:1', atPeer: '3303:1', set: '5:0', notified: '5:0' },
];
const many = ['tlv', 'senml-json', 'senml-cbor'];
/** A multiple resource is 1000 above the single one of its type. */
const multiple = 1000;

/**
 * Formats for one value alone. Octets in text are base64 to some and hex to others, so they go as octets. Leshan takes a time in CBOR with
 * a tag alone, and answers 5.00 to the plain integer that Core TS 1.1.1 7.4.3 allows as well.
 */
function single(id: number): string[] {
  if (id === 160) return ['text'];
  return id === 150 ? ['opaque', 'cbor'] : ['text', 'cbor'];
}

withPeer('Eclipse Leshan and every type', 'leshan', startLeshan, (stage) => {
  for (const { type, id, written, back, atPeer, set, notified } of types) {
    for (const format of [...single(id), ...many]) {
      it(`${type} as ${format}: written, read and observed`, async () => {
        const { world, peer, endpoint } = stage();
        const path = `/3442/0/${id}`;
        let from = peer.events.seen.length;
        const write = await world.rpc(endpoint, { method: 'WriteReplace', params: { id: path, value: written, format } });
        assert.equal(write.result, 'CHANGED', write.error);
        const got = await peer.waitFor('written', path, { from });
        if (atPeer !== undefined) assert.deepEqual(got.value, atPeer);
        const read = await world.rpc(endpoint, { method: 'Read', params: { id: path, format } });
        assert.deepEqual(read.value, back, read.error);
        const observe = await world.rpc(endpoint, { method: 'Observe', params: { id: path, format } });
        assert.deepEqual(observe.value, back, observe.error);
        from = world.events.seen.length;
        peer.command(`set ${path} ${set}`);
        const event = await world.waitFor('notification', endpoint, { from });
        assert.deepEqual(event.payload, notified);
        const cancelled = await world.rpc(endpoint, { method: 'ObserveCancel', params: { id: path } });
        assert.equal(cancelled.value, 1, cancelled.error);
      });
    }

    for (const format of many) {
      it(`multiple ${type} as ${format}: written, read and observed`, async () => {
        const { world, peer, endpoint } = stage();
        const path = `/3442/0/${id + multiple}`;
        let from = peer.events.seen.length;
        const value = { 0: written, 65534: written };
        const write = await world.rpc(endpoint, { method: 'WriteReplace', params: { id: path, value, format } });
        assert.equal(write.result, 'CHANGED', write.error);
        const got = await peer.waitFor('written', path, { from });
        if (atPeer !== undefined) assert.deepEqual(got.value, { 0: atPeer, 65534: atPeer });
        const read = await world.rpc(endpoint, { method: 'Read', params: { id: path, format } });
        assert.deepEqual(read.value, { 0: back, 65534: back }, read.error);
        const observe = await world.rpc(endpoint, { method: 'Observe', params: { id: path, format } });
        assert.deepEqual(observe.value, { 0: back, 65534: back }, observe.error);
        from = world.events.seen.length;
        peer.command(`set ${path}/7 ${set}`);
        const event = await world.waitFor('notification', endpoint, { from });
        assert.deepEqual(event.payload, { 0: back, 7: notified, 65534: back });
        const cancelled = await world.rpc(endpoint, { method: 'ObserveCancel', params: { id: path } });
        assert.equal(cancelled.value, 1, cancelled.error);
      });
    }
  }

  for (const format of many) {
    it(`the whole instance as ${format}: written in part, read and observed`, async () => {
      const { world, peer, endpoint } = stage();
      const value = Object.fromEntries(
        types.flatMap(({ id, written }) => [
          [id, written],
          [id + multiple, { 3: written }],
        ]),
      );
      const expected = new Map(
        types.flatMap(
          ({ id, back }) =>
            [
              [id, back],
              [id + multiple, { 3: back }],
            ] as [number, unknown][],
        ),
      );
      const replaced = await world.rpc(endpoint, { method: 'WriteReplace', params: { id: '/3442/0', value, format } });
      assert.equal(replaced.result, 'CHANGED', replaced.error);
      const read = await world.rpc(endpoint, { method: 'Read', params: { id: '/3442/0', format } });
      for (const [id, back] of expected) assert.deepEqual(read.value[id], back, `${id}: ${read.error}`);
      const observe = await world.rpc(endpoint, { method: 'Observe', params: { id: '/3442/0', format } });
      assert.equal(observe.result, 'CONTENT', observe.error);
      const from = world.events.seen.length;
      peer.command('set /3442/0/110 news');
      const event = await world.waitFor('notification', endpoint, { from });
      assert.equal(event.payload['110'], 'news');
      for (const [id, back] of expected) if (id !== 110) assert.deepEqual(event.payload[id], back, String(id));
      await world.rpc(endpoint, 'ObserveCancel {"id":"/3442/0"}');
    });
  }
});
