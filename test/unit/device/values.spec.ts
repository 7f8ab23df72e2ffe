import assert from 'node:assert/strict';
import { createDevice, DeviceError, type DeviceOptions } from '../../../lib/device/index';
import { VirtualClock } from '../../support/virtual-clock';

describe('values of a device', () => {
  const device = createDevice({ endpoint: 'values', server: { host: '127.0.0.1', port: 5683 }, clock: new VirtualClock() });

  const good: [string, unknown, unknown][] = [
    ['/3/0/9', 55, 55],
    ['/3/0/0', 'Acme', 'Acme'],
    ['/3303/0/5700', -12.5, -12.5],
    ['/3/0/13', Date.UTC(2026, 5, 1), Date.UTC(2026, 5, 1)],
    ['/3/0/13', '2026-06-01T00:00:00Z', Date.UTC(2026, 5, 1)],
    ['/3/0/13', new Date(Date.UTC(2026, 5, 1)), Date.UTC(2026, 5, 1)],
    ['/1/0/6', true, true],
    ['/19/0/0/0', '00ad45', Buffer.from([0, 0xad, 0x45])],
    ['/19/0/0/3', 'base64:AQI=', Buffer.from([1, 2])],
    ['/19/0/0', { 2: Buffer.from([7]) }, { 2: Buffer.from([7]) }],
    ['/3/0/7/1', 4900, 4900],
  ];
  for (const [target, value, expected] of good) {
    it(`[DEV-036] ${target} takes ${JSON.stringify(value)}`, () => {
      device.set(target, value);
      assert.deepEqual(device.get(target), expected);
    });
  }

  const bad: [string, unknown, DeviceError['code']][] = [
    ['/3/0/9', 'full', 'BAD_VALUE'],
    ['/3/0/9', 1.5, 'BAD_VALUE'],
    ['/3/0/9', NaN, 'BAD_VALUE'],
    ['/3/0/9', null, 'BAD_VALUE'],
    ['/3/0/9', { 0: 1 }, 'BAD_VALUE'],
    ['/3/0/0', 5, 'BAD_VALUE'],
    ['/3/0/13', 'tomorrow', 'BAD_VALUE'],
    ['/3/0/4', 'now', 'BAD_VALUE'],
    ['/3/0/6', 1, 'BAD_VALUE'],
    ['/3/0/6', { x: 1 }, 'BAD_VALUE'],
    ['/19/0/0/0', 'xyz', 'BAD_VALUE'],
    ['/3/0/9/0', 1, 'NOT_FOUND'],
    ['/3/0/77', 1, 'NOT_FOUND'],
    ['/3/0', {}, 'NOT_FOUND'],
    ['/77/0/1', 1, 'NOT_FOUND'],
    ['battery', 1, 'BAD_PATH'],
    ['', 1, 'BAD_PATH'],
  ];
  for (const [target, value, code] of bad) {
    it(`[DEV-036] ${target || 'nothing'} does not take ${JSON.stringify(value)}: ${code}`, () => {
      assert.throws(
        () => device.set(target, value),
        (error) => error instanceof DeviceError && error.code === code,
      );
    });
  }

  it('[DEV-036] a value that was set is not moved by the simulation any more', async () => {
    const clock = new VirtualClock();
    const still = createDevice({ endpoint: 'still', server: { host: 'no-such-host.invalid', port: 5683 }, clock });
    still.set('/3303/0/5700', 80);
    still.start();
    const before = still.get('/3/0/9');
    clock.advance(120_000);
    assert.equal(still.get('/3303/0/5700'), 80);
    assert.equal(still.get('/3303/0/5602'), 80);
    assert.notEqual(still.get('/3/0/9'), before);
    await still.stop();
  });

  it('[DEV-036] shows objects, instances and resources', () => {
    const fresh = createDevice({
      endpoint: 'fresh',
      server: { host: '127.0.0.1', port: 5683 },
      clock: new VirtualClock(),
      lwm2mVersion: '1.0',
    });
    assert.deepEqual(fresh.get('/1'), { 0: { 0: 1, 1: 300, 2: 0, 3: 0, 6: false, 7: 'U', 8: null } });
    assert.deepEqual(fresh.get('/3/0/6'), { 0: 1, 1: 5 });
    assert.equal(fresh.get('/3/0/6/1'), 5);
    assert.equal(fresh.get('/3/0/77'), undefined);
    assert.equal(fresh.get('/3/0/6/7'), undefined);
  });

  it('[DEV-031] differ from endpoint to endpoint', () => {
    const serials = ['a', 'b'].map((endpoint) => createDevice({ endpoint, server: { host: 'x', port: 1 } }).get('/3/0/2'));
    assert.notEqual(serials[0], serials[1]);
  });
});

describe('options of a device', () => {
  const server = { host: '127.0.0.1', port: 5683 };
  const bad: [string, unknown][] = [
    ['no endpoint', { endpoint: '', server }],
    ['an endpoint of 201 bytes', { endpoint: 'x'.repeat(201), server }],
    ['no server', { endpoint: 'x' }],
    ['no host', { endpoint: 'x', server: { host: ' ', port: 5683 } }],
    ['port 0', { endpoint: 'x', server: { host: 'x', port: 0 } }],
    ['a port as text', { endpoint: 'x', server: { host: 'x', port: '5683' } }],
    ['a lifetime of 0', { endpoint: 'x', server, lifetime: 0 }],
    ['another version', { endpoint: 'x', server, lwm2mVersion: '2.0' }],
    ['another binding', { endpoint: 'x', server, binding: 'S' }],
    ['a local port beyond 65535', { endpoint: 'x', server, localPort: 65_536 }],
    ['a tick of 1 ms', { endpoint: 'x', server, tickMs: 1 }],
    ['a device that never listens', { endpoint: 'x', server, binding: 'UQ', listenMs: 0 }],
  ];
  for (const [name, options] of bad) {
    it(`[DEV-038] refuses ${name}`, () => {
      assert.throws(
        () => createDevice(options as DeviceOptions),
        (error) => error instanceof DeviceError && error.code === 'BAD_OPTION',
      );
    });
  }
});
