import assert from 'node:assert/strict';
import { startLeshan } from './peers';
import { withPeer } from './suite';

withPeer('Eclipse Leshan', 'leshan', startLeshan, (stage) => {
  it('registers with its version, binding and objects', () => {
    const { registered, endpoint, peer } = stage();
    assert.equal(registered.topic, `${endpoint}/registered`);
    const { registration } = registered.lwm2m;
    assert.equal(registration.lwm2mVersion, '1.1');
    assert.equal(registration.lifetime, 300);
    assert.equal(registration.binding, 'U');
    assert.equal(registration.queueMode, false);
    const location = peer.events.seen.find(({ event }) => event === 'registered')?.location;
    assert.equal(location, `/rd/${registration.id}`);
  });

  it('is read: a resource, an object instance, an object, a multiple resource, an opaque value', async () => {
    const { world, endpoint } = stage();
    const level = await world.rpc(endpoint, 'Read {"id":"/3/0/9"}');
    assert.equal(level.result, 'CONTENT', level.error);
    assert.equal(level.value, 100);

    const device = await world.rpc(endpoint, 'Read {"id":"/3/0"}');
    assert.equal(device.result, 'CONTENT', device.error);
    assert.equal(device.value['0'], 'Interop Works');
    assert.equal(device.value['9'], 100);
    assert.equal(device.value['13'], 1_700_000_000_000);
    assert.deepEqual(device.value['7'], { 0: 3800, 1: 5000 });

    const object = await world.rpc(endpoint, 'Read {"id":"/3303"}');
    assert.equal(object.result, 'CONTENT', object.error);
    assert.equal(object.value['0']['5700'], 21.5);
    assert.equal(object.value['1']['5700'], -4.25);

    const sources = await world.rpc(endpoint, 'Read {"id":"/3/0/6"}');
    assert.deepEqual(sources.value, { 0: 1, 1: 5 }, sources.error);

    const data = await world.rpc(endpoint, 'Read {"id":"/19/0/0"}');
    assert.deepEqual(data.value, { 0: { type: 'Buffer', data: [0, 0xad, 0x45, 0x67] } }, data.error);
  });

  it('is read in every content format both sides have', async () => {
    const { world, endpoint } = stage();
    for (const format of ['tlv', 'senml-json', 'senml-cbor']) {
      const { result, value, error } = await world.rpc(endpoint, { method: 'Read', params: { id: '/3442/0', format } });
      assert.equal(result, 'CONTENT', `${format}: ${error}`);
      assert.equal(value['110'], 'text ä€', format);
      assert.equal(value['120'], '-9007199254740993', format);
      assert.equal(value['125'], '9223372036854775809', format);
      assert.equal(value['130'], 3.14159, format);
      assert.equal(value['140'], true, format);
      assert.deepEqual(value['150'].data, [0, 1, 2, 255], format);
      assert.equal(value['160'], 946_684_800_000, format);
      assert.equal(value['170'], '3:0', format);
      assert.deepEqual(value['1110'], { 0: 'a', 7: 'b' }, format);
      assert.deepEqual(value['1120'], { 0: 1, 65534: -1 }, format);
    }
    for (const format of ['text', 'cbor', 'tlv', 'senml-json', 'senml-cbor']) {
      const { value, error } = await world.rpc(endpoint, { method: 'Read', params: { id: '/3442/0/130', format } });
      assert.equal(value, 3.14159, `${format}: ${error}`);
    }
    const opaque = await world.rpc(endpoint, 'Read {"id":"/3442/0/150","format":"opaque"}');
    assert.deepEqual(opaque.value, { type: 'Buffer', data: [0, 1, 2, 255] }, opaque.error);
  });

  it('is written, tells what it got and gives it back', async () => {
    const { world, peer, endpoint } = stage();
    const from = peer.events.seen.length;
    const written = await world.rpc(endpoint, 'WriteReplace {"id":"/3/0/14","value":"+05:30"}');
    assert.equal(written.result, 'CHANGED', written.error);
    assert.equal((await peer.waitFor('written', '/3/0/14', { from })).value, '+05:30');
    assert.equal((await world.rpc(endpoint, 'Read {"id":"/3/0/14"}')).value, '+05:30');
  });

  it('is written values of every type', async () => {
    const { world, peer, endpoint } = stage();
    const cases: readonly [id: number, value: unknown, atPeer: unknown][] = [
      [110, 'grüß', 'grüß'],
      [120, -42, -42],
      [125, 42, 42],
      [130, -0.5, -0.5],
      [140, false, false],
      [150, '00ad456756', '00ad456756'],
      [160, '2001-09-09T01:46:40Z', 1_000_000_000_000],
      [170, '3303:1', '3303:1'],
      [1110, { 0: 'x', 3: 'y' }, { 0: 'x', 3: 'y' }],
    ];
    for (const [id, value, atPeer] of cases) {
      const from = peer.events.seen.length;
      const { result, error } = await world.rpc(endpoint, { method: 'WriteReplace', params: { id: `/3442/0/${id}`, value } });
      assert.equal(result, 'CHANGED', `${id}: ${error}`);
      assert.deepEqual((await peer.waitFor('written', `/3442/0/${id}`, { from })).value, atPeer, String(id));
    }
  });

  it('is written in every content format both sides have', async () => {
    const { world, peer, endpoint } = stage();
    const write = async (id: string, value: unknown, format: string, atPeer: unknown): Promise<void> => {
      const from = peer.events.seen.length;
      const { result, error } = await world.rpc(endpoint, { method: 'WriteReplace', params: { id, value, format } });
      assert.equal(result, 'CHANGED', `${id} as ${format}: ${error}`);
      assert.deepEqual((await peer.waitFor('written', id, { from })).value, atPeer, `${id} as ${format}`);
    };
    for (const format of ['text', 'cbor', 'tlv', 'senml-json', 'senml-cbor']) {
      await write('/3442/0/120', -5_000_000_000, format, -5_000_000_000);
      await write('/3442/0/130', 1.25, format, 1.25);
      await write('/3442/0/140', true, format, true);
      await write('/3442/0/170', '5:0', format, '5:0');
    }
    for (const format of ['opaque', 'cbor', 'tlv', 'senml-json', 'senml-cbor']) await write('/3442/0/150', '00ff', format, '00ff');
    for (const format of ['tlv', 'senml-json', 'senml-cbor']) await write('/3442/0/1120', { 1: 1, 2: 2 }, format, { 1: 1, 2: 2 });
  });

  it('is written an instance in part', async () => {
    const { world, peer, endpoint } = stage();
    const from = peer.events.seen.length;
    const answer = await world.rpc(endpoint, 'WriteUpdate {"id":"/3442/0","value":{"110":"both","120":7}}');
    assert.equal(answer.result, 'CHANGED', answer.error);
    assert.equal((await peer.waitFor('written', '/3442/0/110', { from })).value, 'both');
    assert.equal((await peer.waitFor('written', '/3442/0/120', { from })).value, 7);
    const kept = await world.rpc(endpoint, 'Read {"id":"/3442/0/130"}');
    assert.equal(kept.value, 1.25, kept.error);
  });

  it('takes and gives a value that needs blocks', async () => {
    const { world, peer, endpoint } = stage();
    const long = Array.from({ length: 300 }, (_, at) => `line ${at};`).join('');
    const from = peer.events.seen.length;
    const written = await world.rpc(endpoint, { method: 'WriteReplace', params: { id: '/3442/0/110', value: long } });
    assert.equal(written.result, 'CHANGED', written.error);
    assert.equal((await peer.waitFor('written', '/3442/0/110', { from })).value, long);
    const read = await world.rpc(endpoint, 'Read {"id":"/3442/0/110"}');
    assert.equal(read.value, long, read.error);
  });

  it('is executed, with and without arguments', async () => {
    const { world, peer, endpoint } = stage();
    let from = peer.events.seen.length;
    const plain = await world.rpc(endpoint, 'Execute {"id":"/3/0/4"}');
    assert.equal(plain.result, 'CHANGED', plain.error);
    assert.equal((await peer.waitFor('executed', '/3/0/4', { from })).args, '');

    from = peer.events.seen.length;
    const withArguments = await world.rpc(endpoint, { method: 'Execute', params: { id: '/3442/0/3', value: "0='a',2" } });
    assert.equal(withArguments.result, 'CHANGED', withArguments.error);
    assert.equal((await peer.waitFor('executed', '/3442/0/3', { from })).args, "0='a',2");
  });

  it('refuses by name what it does not have', async () => {
    const { world, endpoint } = stage();
    const missing = await world.rpc(endpoint, 'Read {"id":"/3303/9"}');
    assert.equal(missing.result, 'NOT_FOUND');
    const readOnly = await world.rpc(endpoint, 'WriteReplace {"id":"/3303/0/5700","value":1}');
    assert.equal(readOnly.result, 'METHOD_NOT_ALLOWED');
  });

  it('is discovered', async () => {
    const { world, endpoint } = stage();
    const { result, value, error } = await world.rpc(endpoint, 'Discover {"id":"/3/0"}');
    assert.equal(result, 'CONTENT', error);
    const links = new Map((value as { url: string; attributes: object }[]).map(({ url, attributes }) => [url, attributes]));
    assert.deepEqual(links.get('/3/0/9'), {});
    assert.deepEqual(links.get('/3/0/7'), { dim: 2 });
    const all = await world.rpc(endpoint, 'DiscoverAll');
    const [root, ...objects] = all.value as { url: string; attributes: Record<string, string> }[];
    assert.equal(root?.url, '/');
    assert.match(root.attributes['ct'] ?? '', /110/);
    assert.ok(objects.some(({ url }) => url === '/3303/1'));
  });

  it('takes notification attributes, tells of them, and loses one again', async () => {
    const { world, endpoint } = stage();
    const attributes = async (): Promise<unknown> => {
      const { value, error } = await world.rpc(endpoint, 'Discover {"id":"/3/0/9"}');
      return (value as { attributes: object }[] | undefined)?.[0]?.attributes ?? error;
    };
    const written = await world.rpc(endpoint, 'WriteAttributes {"id":"/3/0/9","attributes":{"pmin":1,"gt":60.5}}');
    assert.equal(written.result, 'CHANGED', written.error);
    assert.deepEqual(await attributes(), { pmin: 1, gt: 60.5 });
    const removed = await world.rpc(endpoint, 'WriteAttributes {"id":"/3/0/9","attributes":{"pmin":"","gt":null}}');
    assert.equal(removed.result, 'CHANGED', removed.error);
    assert.deepEqual(await attributes(), {});
  });

  it('is created an instance, of its choice and of ours, and deletes them', async () => {
    const { world, endpoint } = stage();
    for (const format of ['tlv', 'senml-json', 'senml-cbor']) {
      const ours = await world.rpc(endpoint, { method: 'Create', params: { id: '/3303/7', value: { 5700: 1.5 }, format } });
      assert.deepEqual([ours.result, ours.value], ['CREATED', '/3303/7'], `${format}: ${ours.error}`);
      assert.equal((await world.rpc(endpoint, 'Delete {"id":"/3303/7"}')).result, 'DELETED');
    }
    const theirs = await world.rpc(endpoint, 'Create {"id":"/3303","value":{"5700":1.5}}');
    assert.equal(theirs.result, 'CREATED', theirs.error);
    assert.match(String(theirs.value), /^\/3303\/\d+$/);
    assert.equal((await world.rpc(endpoint, { method: 'Delete', params: { id: theirs.value } })).result, 'DELETED');
    assert.equal((await world.rpc(endpoint, { method: 'Read', params: { id: theirs.value } })).result, 'NOT_FOUND');
  });

  it('is read, written and observed in several paths at once, in both forms of SenML', async () => {
    const { world, peer, endpoint } = stage();
    for (const format of ['senml-json', 'senml-cbor']) {
      const read = await world.rpc(endpoint, {
        method: 'ReadComposite',
        params: { ids: ['/3/0/0', '/3303/1', '/3/0/6', '/3303/9'], format },
      });
      assert.equal(read.result, 'CONTENT', `${format}: ${read.error}`);
      assert.equal(read.value['/3/0/0'], 'Interop Works');
      assert.equal(read.value['/3303/1']['5700'], -4.25);
      assert.deepEqual(read.value['/3/0/6'], { 0: 1, 1: 5 });
      assert.equal(read.value['/3303/9'], null);

      let from = peer.events.seen.length;
      const nodes = { '/3/0/14': `+0${format.length % 10}`, '/3442/0/120': format.length };
      const written = await world.rpc(endpoint, { method: 'WriteComposite', params: { nodes, format } });
      assert.equal(written.result, 'CHANGED', `${format}: ${written.error}`);
      assert.equal((await peer.waitFor('written', '/3442/0/120', { from })).value, format.length);

      const paths = { ids: ['/3/0/9', '/3303/0/5700'], format };
      const start = await world.rpc(endpoint, { method: 'ObserveComposite', params: paths });
      assert.equal(start.value?.['/3303/0/5700'], 21.5, `${format}: ${start.error}`);
      from = world.events.seen.length;
      const level = format === 'senml-json' ? 42 : 43;
      peer.command(`set /3/0/9 ${level}`);
      const event = await world.waitFor('notification', endpoint, { from });
      assert.equal(event.topic, `${endpoint}/notification`);
      assert.deepEqual(event.payload, { '/3/0/9': level, '/3303/0/5700': 21.5 });
      const observed = await world.rpc(endpoint, 'ObserveReadAll');
      assert.deepEqual(observed.value, [['/3/0/9', '/3303/0/5700']]);
      const ended = await world.rpc(endpoint, 'ObserveCompositeCancel {"ids":["/3303/0/5700","/3/0/9"]}');
      assert.equal(ended.value, 1, ended.error);
    }
    await world.rpc(endpoint, 'Observe {"id":"/3/0/9"}');
    await world.rpc(endpoint, 'ObserveComposite {"ids":["/3/0/9","/3303/0/5700"]}');
    assert.equal((await world.rpc(endpoint, 'ObserveCancelAll')).value, 2);
    assert.deepEqual((await world.rpc(endpoint, 'ObserveReadAll')).value, []);
    const before = peer.events.seen.length;
    peer.command('set /3/0/9 100');
    await peer.waitFor('set', '/3/0/9', { from: before });
    assert.equal((await world.rpc(endpoint, 'Read {"id":"/3/0/9"}')).value, 100);
  });

  it('is observed: changes arrive in order, and none after the observation is cancelled', async () => {
    const { world, peer, endpoint } = stage();
    const start = await world.rpc(endpoint, 'Observe {"id":"/3/0/9"}');
    assert.equal(start.result, 'CONTENT', start.error);
    assert.equal(start.value, 100);
    await peer.waitFor('observed', '/3/0/9');
    const from = world.events.seen.length;
    const of = (value: number) => ({ from, matches: (event: { payload: unknown }) => event.payload === value });
    for (const value of [55, 54, 53]) {
      peer.command(`set /3/0/9 ${value}`);
      const event = await world.waitFor('notification', endpoint, of(value));
      assert.equal(event.topic, `${endpoint}/3/0/9`);
      assert.equal(event.lwm2m.path, '/3/0/9');
    }
    const cancelled = await world.rpc(endpoint, 'ObserveCancel {"id":"/3/0/9"}');
    assert.equal(cancelled.result, 'CONTENT', cancelled.error);
    const before = peer.events.seen.length;
    peer.command('set /3/0/9 10');
    await peer.waitFor('set', '/3/0/9', { from: before });
    // An exchange after the change: a notification would have overtaken its answer.
    assert.equal((await world.rpc(endpoint, 'Read {"id":"/3/0/9"}')).value, 10);
    const values = world.events.seen.slice(from).filter(({ event }) => event === 'notification');
    assert.deepEqual(
      values.map(({ payload }) => payload),
      [55, 54, 53],
    );
  });

  it('is observed as a whole instance; asked twice, it still tells each change once', async () => {
    const { world, peer, endpoint } = stage();
    for (let times = 0; times < 2; times++) {
      const start = await world.rpc(endpoint, 'Observe {"id":"/3303/0"}');
      assert.equal(start.result, 'CONTENT', start.error);
      assert.equal(start.value['5700'], 21.5);
    }
    const from = world.events.seen.length;
    peer.command('set /3303/0/5700 22.25');
    const event = await world.waitFor('notification', endpoint, { from });
    assert.equal(event.topic, `${endpoint}/3303/0`);
    assert.equal(event.payload['5700'], 22.25);
    assert.equal((await world.rpc(endpoint, 'Read {"id":"/3303/0/5700"}')).value, 22.25);
    assert.equal(world.events.seen.slice(from).filter((seen) => seen.event === 'notification').length, 1);
  });

  it('sends on its own', async () => {
    const { world, peer, endpoint } = stage();
    const from = world.events.seen.length;
    peer.command('send /3303/0/5700 /3303/1/5700');
    const event = await world.waitFor('send', endpoint, { from });
    assert.deepEqual(event.payload, { '/3303/0/5700': 22.25, '/3303/1/5700': -4.25 });
    assert.match((await peer.waitFor('sent')).code ?? '', /^CHANGED/);
  });

  it('updates its registration, on its own and on the trigger of the server', async () => {
    const { world, peer, endpoint } = stage();
    let from = world.events.seen.length;
    peer.command('update');
    await world.waitFor('updated', endpoint, { from });
    await peer.waitFor('updated');

    from = world.events.seen.length;
    const trigger = await world.rpc(endpoint, 'Execute {"id":"/1/0/8"}');
    assert.equal(trigger.result, 'CHANGED', trigger.error);
    await world.waitFor('updated', endpoint, { from });
  });

  it('tells the server a new lifetime', async () => {
    const { world, endpoint } = stage();
    const from = world.events.seen.length;
    const written = await world.rpc(endpoint, 'WriteReplace {"id":"/1/0/1","value":600}');
    assert.equal(written.result, 'CHANGED', written.error);
    await world.rpc(endpoint, 'Execute {"id":"/1/0/8"}');
    const event = await world.waitFor('updated', endpoint, { from, matches: ({ lwm2m }) => lwm2m.registration.lifetime === 600 });
    assert.deepEqual(event.payload.changed, ['lifetime']);
  });

  it('de-registers, and is not known any more', async () => {
    const { world, peer, endpoint } = stage();
    const from = world.events.seen.length;
    assert.equal(await peer.stop(), 0);
    assert.ok(peer.events.seen.some(({ event }) => event === 'deregistered'));
    await world.waitFor('deregistered', endpoint, { from });
    const { result } = await world.rpc(endpoint, 'Read {"id":"/3/0/9"}');
    assert.equal(result, 'UNKNOWN_ENDPOINT');
  });
});

for (const format of ['tlv', 'senml-json', 'senml-cbor'] as const) {
  withPeer(
    `Eclipse Leshan with ${format} alone`,
    'leshan',
    (options) => startLeshan({ ...options, format, queueMode: format === 'senml-cbor' }),
    (stage) => {
      it('is read and written whatever is asked, without naming a format', async () => {
        const { world, peer, endpoint, registered } = stage();
        assert.equal(registered.lwm2m.registration.queueMode, format === 'senml-cbor');
        const device = await world.rpc(endpoint, 'Read {"id":"/3/0"}');
        assert.equal(device.result, 'CONTENT', device.error);
        assert.equal(device.value['0'], 'Interop Works');
        const level = await world.rpc(endpoint, 'Read {"id":"/3/0/9"}');
        assert.equal(level.value, 100, level.error);
        const from = peer.events.seen.length;
        const written = await world.rpc(endpoint, 'WriteUpdate {"id":"/3442/0","value":{"110":"one","1120":{"4":4}}}');
        assert.equal(written.result, 'CHANGED', written.error);
        assert.equal((await peer.waitFor('written', '/3442/0/110', { from })).value, 'one');
        const observed = await world.rpc(endpoint, 'Observe {"id":"/3303/1"}');
        assert.equal(observed.value?.['5700'], -4.25, observed.error);
        const before = world.events.seen.length;
        peer.command('set /3303/1/5700 -5.5');
        const event = await world.waitFor('notification', endpoint, { from: before });
        assert.equal(event.payload['5700'], -5.5);
        const created = await world.rpc(endpoint, 'Create {"id":"/3303","value":{"5700":1.5}}');
        assert.equal(created.result, 'CREATED', created.error);
        const composite = await world.rpc(endpoint, 'ReadComposite {"ids":["/3/0/9","/3303/1/5700"]}');
        if (format === 'tlv') assert.match(String(composite.error), /a composite needs SenML/);
        else assert.deepEqual(composite.value, { '/3/0/9': 100, '/3303/1/5700': -5.5 }, composite.error);
      });
    },
  );
}
