import assert from 'node:assert/strict';
import { createDevice, createLwm2mServer, type DeviceEvent, type Lwm2mServer, type SimulatedDevice } from '../../../lib/index';

const KEY = '000102030405060708090a0b0c0d0e0f';

describe('the simulated device over DTLS', () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function serverOf(key = KEY): Promise<Lwm2mServer> {
    const devices = [{ endpoint: 'safe', mode: 'psk' as const, identity: 'id', key }];
    const server = createLwm2mServer({ port: 0, securePort: 0, host: '127.0.0.1', devices, dtlsLimits: { wrongKeyGrace: 50 } });
    ends.push(() => server.close());
    await server.start();
    return server;
  }

  function device(server: Lwm2mServer, key = KEY): { device: SimulatedDevice; events: DeviceEvent[] } {
    const events: DeviceEvent[] = [];
    const psk = { identity: 'id', key };
    const made = createDevice({
      endpoint: 'safe',
      server: { host: '127.0.0.1', port: server.securePort },
      psk,
      onEvent: (event) => events.push(event),
    });
    ends.push(() => made.stop());
    made.start();
    return { device: made, events };
  }

  const until = async (fulfilled: () => boolean): Promise<void> => {
    while (!fulfilled()) await new Promise((turn) => setImmediate(turn));
  };

  it('[SEC-017] registers, is read and observed, and de-registers', async () => {
    const server = await serverOf();
    const { device: made } = device(server);
    await until(() => server.size === 1);
    assert.deepEqual(server.registration('safe')?.identity, { scheme: 'coaps', mode: 'psk', name: 'id' });
    made.set('/3/0/15', 'Europe/Vienna');
    const read = await server.perform('safe', { kind: 'Read', path: { ids: [3, 0, 15] } });
    assert.ok(read.kind === 'answer' && read.nodes?.[0] && 'value' in read.nodes[0]);
    assert.equal(read.nodes[0].value, 'Europe/Vienna');
    // Larger than a datagram: block-wise through the tunnel.
    const all = await server.perform('safe', { kind: 'Read', path: { ids: [3] } });
    assert.ok(all.kind === 'answer' && all.ok);
    const told = new Promise((resolve) => server.subscribe((event) => event.kind === 'notification' && resolve(event)));
    await server.perform('safe', { kind: 'Observe', path: { ids: [3, 0, 15] } });
    made.set('/3/0/15', 'UTC');
    await told;
    await made.stop();
    await until(() => server.size === 0);
  });

  it('[SEC-017] stops at once while a handshake gets nowhere', async () => {
    const server = await serverOf('ff'.repeat(16));
    const { device: made } = device(server);
    await until(() => server.stats().dtlsHandshakesFailed > 0);
    await made.stop();
    assert.equal(server.size, 0);
  });

  it('[SEC-017] begins anew when the server ends its session', async () => {
    const server = await serverOf();
    const { events } = device(server);
    await until(() => server.size === 1);
    const other = { endpoint: 'safe', mode: 'psk' as const, identity: 'id' };
    server.configure({ devices: [{ ...other, key: 'ff'.repeat(16) }] });
    server.configure({ devices: [{ ...other, key: KEY }] });
    assert.equal(server.size, 0);
    await until(() => server.size === 1);
    assert.ok(events.some((event) => event.kind === 'error' && /ended the DTLS session/.test(event.error.message)));
  }).timeout(20_000);

  it('[SEC-017] refuses a key that cannot be right', () => {
    for (const key of ['', 'abc', 'xyz', 'ab'.repeat(65), 'base64:']) {
      assert.throws(
        () => createDevice({ endpoint: 'x', server: { host: 'localhost', port: 1 }, psk: { key } }),
        /The key must be 1 to 64 bytes/,
        key,
      );
    }
  });
});
